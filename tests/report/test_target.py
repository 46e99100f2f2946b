from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe.report import target
from kpipe.report.blocks import Table
from kpipe.report.svg import svg
from kpipe.runs.loaded import load_run
from kpipe.runs.oof import OofPredictions
from tests.report.pages import by_hand


def predictions(folder: Path, y: np.ndarray) -> OofPredictions:
    run = by_hand(folder, target="y", metric="r2", oof={"y": y, "blend": y}, test={"blend": np.zeros(2)})
    oof = load_run(run).oof
    assert oof is not None
    return oof


def test_the_target_is_drawn_with_its_median_and_its_skew(tmp_path: Path) -> None:
    y = np.exp(np.random.default_rng(0).normal(size=400))
    (plot,) = target.plots(predictions(tmp_path, y))
    assert "skewed to the right" in plot.caption
    assert "<svg" in svg(plot)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [1, 5])
def test_a_target_with_a_single_value_is_not_skewed(tmp_path: Path, rows: int) -> None:
    (plot,) = target.plots(predictions(tmp_path, np.full(rows, 0.3)))
    assert "median 0.3" in plot.caption
    assert "skewed" not in plot.caption


def test_columns_are_ordered_by_how_closely_they_follow_the_target(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    frame = pd.DataFrame({"noise": rng.normal(size=300), "half": y + rng.normal(size=300), "minus": -(y**3), "t": "x"})
    (table,) = target.correlations(frame, predictions(tmp_path, y))
    assert isinstance(table, Table)
    assert [row[0].text for row in table.rows] == ["y", "minus", "half", "noise"]
    assert table.rows[0][2].text == "\N{MINUS SIGN}1.00"
