from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.core.metrics import get_metric
from kpipe.core.values import Score
from kpipe.report import groups
from kpipe.report.groups import _score_cell
from kpipe.runs.oof import OofPredictions
from tests.report.pages import findings


def test_a_group_with_a_significantly_worse_score_is_a_finding() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    colour = np.where(np.arange(400) < 100, "red", "blue")
    predicted = y + np.where(colour == "red", 2.0, 0.1) * rng.normal(size=400)
    oof = OofPredictions(
        y=y, classes=None, targets=("y",), ensemble=predicted[:, None], models={}, rows=np.arange(400)
    )  # fmt: skip
    section = groups.section(get_metric("mae"), oof, pd.DataFrame({"colour": colour, "x": rng.normal(size=400)}))
    ((level, text),) = findings(section)
    assert level == "note"
    assert text.startswith("The 100 rows with colour: red score ")


def test_a_group_that_is_all_right_has_an_interval_of_one_side() -> None:
    shown = {
        (value, is_share): _score_cell(Score(value=value, standard_error=0.05, rows=20), is_share=is_share).text
        for value in (0.0, 0.5, 1.0)
        for is_share in (True, False)
    }
    assert shown[1.0, True] == "1.0000 (95 %: 0.8389 to 1)"
    assert shown[0.0, True] == "0.0000 (95 %: 0 to 0.1611)"
    assert "±" in shown[0.5, True]
    assert all("±" in shown[value, False] for value in (0.0, 0.5, 1.0))
