from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.core.metrics import get_metric
from kpipe.report import groups
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
