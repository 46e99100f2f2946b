from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.core.metrics import get_metric
from kpipe.report import groups
from kpipe.report.blocks import Table
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
    y, rows = np.tile([0.0, 1.0], 50), np.arange(100)
    group = np.repeat(["right", "wrong", "even", "mixed", "odd"], 20)
    kept = np.select([group == "right", group == "wrong"], [True, False], rows // 2 % 2 == 0)
    label = np.where(kept, y, 1 - y)
    for name, predicted, is_share in (
        ("accuracy", np.column_stack([label == 0, label == 1]).astype(float), True),
        ("mae", label[:, None], False),
    ):
        classes = ("0", "1") if is_share else None
        oof = OofPredictions(y=y, classes=classes, targets=("y",), ensemble=predicted, models={}, rows=rows)
        section = groups.section(get_metric(name), oof, pd.DataFrame({"group": group}))
        (table,) = (block for block in section.blocks if isinstance(block, Table))
        shown = {row[0].text: row[2].text for row in table.rows}
        if is_share:
            assert shown["group: right"] == "1.0000 (95 %: 0.8389 to 1)"
            assert shown["group: wrong"] == "0.0000 (95 %: 0 to 0.1611)"
            assert all("±" in text for name, text in shown.items() if name not in ("group: right", "group: wrong"))
        else:
            assert all("±" in text for text in shown.values())
