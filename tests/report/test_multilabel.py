from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.report.pages import by_hand, page_of


def test_each_binary_target_has_its_auc(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, size=(2, 60))
    values = {"a": a, "b": b, "blend/a": a * 0.5 + 0.1, "blend/b": rng.random(60)}
    test = {"blend/a": rng.random(9), "blend/b": rng.random(9)}
    page = page_of(by_hand(tmp_path, target=["a", "b"], metric="auc", oof=values, test=test))
    assert "2 binary targets, 60 out-of-fold rows." in page.text
    assert "1.000" in page.text
