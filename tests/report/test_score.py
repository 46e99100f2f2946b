from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.report import score
from tests.report.pages import findings, loaded_regression


@pytest.mark.parametrize(("error", "level"), [(0.1, "good"), (0.25, "bad")])
def test_the_score_is_compared_with_the_baseline(tmp_path: Path, error: float, level: str) -> None:
    ((found, text),) = findings(score.section(loaded_regression(tmp_path, standard_error=error)))
    assert found == level
    assert ("not significantly better" in text) == (level == "bad")
