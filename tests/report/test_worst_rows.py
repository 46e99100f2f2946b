from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.core.metrics import METRICS
from kpipe.report.blocks import Table
from kpipe.report.worst_rows import section
from kpipe.runs.oof import OofPredictions


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([None, 1.5], dtype="float32"),
        pd.Series([None, 1.5], dtype="float64"),
        pd.Series([None, 1], dtype="Int64"),
        pd.Series([None, "2020-01-01"], dtype="datetime64[s]"),
        pd.Series([None, "text"], dtype="str"),
        pd.Series([None, "category"], dtype="category"),
        pd.Series([None, [1, 2]], dtype="object"),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_missing_value_of_a_hard_row_is_a_dash_whatever_the_type_of_its_column(column: pd.Series) -> None:
    y, predicted = np.array([9.0, 0.0]), np.array([[0.0], [1.0]])
    oof = OofPredictions(y=y, classes=None, targets=("y",), ensemble=predicted, models={}, rows=np.arange(2))
    found = section(METRICS["rmse"], oof, pd.DataFrame({"x": column}), ["x"])
    (table,) = [block for block in found.blocks if isinstance(block, Table)]
    hardest, other = (row[-1].text for row in table.rows)
    assert hardest == "–"
    assert other not in ("–", "")
