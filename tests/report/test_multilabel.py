from __future__ import annotations

from pathlib import Path

import numpy as np

from kpipe.report.blocks import Table
from kpipe.report.multilabel import section
from kpipe.runs.oof import OofPredictions
from tests.report.pages import by_hand, page_of


def test_each_binary_target_has_its_auc(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, size=(2, 60))
    values = {"a": a, "b": b, "blend/a": a * 0.5 + 0.1, "blend/b": rng.random(60)}
    test = {"blend/a": rng.random(9), "blend/b": rng.random(9)}
    page = page_of(by_hand(tmp_path, target=["a", "b"], metric="auc", oof=values, test=test))
    assert "2 binary targets, 60 out-of-fold rows." in page.text
    assert "1.000" in page.text


def test_rows_without_a_target_count_neither_as_positive_nor_as_negative() -> None:
    y = np.column_stack([np.r_[np.tile([0.0, 1.0], 20), np.full(20, np.nan)], np.full(60, np.nan)])
    predicted = np.column_stack([np.r_[np.tile([0.2, 0.6], 20), np.full(20, 0.9)], np.full(60, 0.5)])
    oof = OofPredictions(y=y, classes=None, targets=("a", "b"), ensemble=predicted, models={}, rows=np.arange(60))
    (table,) = [block for block in section(oof).blocks if isinstance(block, Table)]
    a, b = ([cell.text for cell in row] for row in table.rows)
    assert a == ["a", "20", "50 %", "0.400", "1.000", "1.000"]
    assert b == ["b", "0", "0 %", "–", "–", "–"]
