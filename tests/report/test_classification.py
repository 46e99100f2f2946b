from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.report.pages import by_hand, page_of


def test_badly_calibrated_probabilities_are_a_finding(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=2000)
    sure = np.where(y == 1, 0.99, 0.01)
    sure[::3] = 1 - sure[::3]  # a third of the rows is predicted wrongly, with probability 0.99
    probabilities = {"blend/no": 1 - sure, "blend/yes": sure}
    oof = {"y": np.where(y == 1, "yes", "no"), **probabilities}
    page = page_of(by_hand(tmp_path, target="y", metric="log_loss", oof=oof, test=probabilities))
    assert "The probabilities are not well calibrated" in page.text
