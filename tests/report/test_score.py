from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.report import score
from kpipe.report.blocks import Table
from tests.report.pages import findings, loaded_regression


@pytest.mark.parametrize(("error", "level"), [(0.1, "good"), (0.25, "bad")])
def test_the_score_is_compared_with_the_baseline(tmp_path: Path, error: float, level: str) -> None:
    ((found, text),) = findings(score.section(loaded_regression(tmp_path, standard_error=error)))
    assert found == level
    assert ("not significantly better" in text) == (level == "bad")


def test_a_table_shows_what_the_forecast_is_made_of(tmp_path: Path) -> None:
    errors = {"train": 0.2, "test": 0.3, "models": 0.1, "shift": 0.0, "time": 0.0}
    parts = {"score": 2.0, "shift": 0.0, "averaging": -0.125, "choosing": 0.0, "standard_errors": errors}
    forecast = {"value": 1.875, "low": 1.2, "high": 2.5, "parts": parts}
    tables = [
        block
        for block in score.section(loaded_regression(tmp_path, forecast=forecast)).blocks
        if isinstance(block, Table) and block.caption.startswith("Expected on the leaderboard: 1.88 (95 %")
    ]
    shown = [[cell.text for cell in row] for row in tables[0].rows]
    assert shown == [
        ["out-of-fold score", "2", ""],
        ["test rows are predicted by the mean of the folds' models", "\N{MINUS SIGN}0.12", "\u2013"],
        ["sampling of the validation rows", "\u2013", "0.2"],
        ["sampling of the test rows", "\u2013", "0.3"],
        ["sampling of the training rows", "\u2013", "0.1"],
    ]


def test_amounts_of_the_forecast_are_written_without_exponents(tmp_path: Path) -> None:
    parts = {"score": 29548.3, "averaging": -463.0, "standard_errors": {"train": 4312.0}}
    forecast = {"value": 29000.0, "low": 18000.0, "high": 45000.0, "parts": parts}
    blocks = score.section(loaded_regression(tmp_path, forecast=forecast)).blocks
    shown = [cell.text for block in blocks if isinstance(block, Table) for row in block.rows for cell in row]
    assert {"29,550", "\N{MINUS SIGN}460", "4,300"} <= {*shown}
