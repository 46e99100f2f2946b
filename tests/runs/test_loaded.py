from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kpipe.errors import DataError
from kpipe.runs.loaded import LoadedRun, load_run
from kpipe.runs.run import Run
from kpipe.runs.tables import read_curves, read_folds, read_parquet

RECORD = {
    "slug": "x",
    "target": "y",
    "id": "id",
    "metric": {"name": "accuracy", "greater_is_better": True},
    "models": [{"name": "m"}],
}
OOF = {"row": [1, 0], "id": ["a", "b"], "y": ["no", "yes"], "blend/no": [1.0, 0.0], "blend/yes": [0.0, 1.0]}


def loaded(folder: Path, oof: dict[str, Any], **changes: Any) -> LoadedRun:
    frame = pd.DataFrame(oof)
    frame.to_parquet(folder / "oof.parquet")
    frame.to_parquet(folder / "test.parquet")
    return load_run(Run(path=folder, record={**RECORD, **changes}))


def test_predictions_are_loaded_with_their_classes_rows_and_ids(tmp_path: Path) -> None:
    run = loaded(tmp_path, {**OOF, "m/no": [0.5, np.nan], "m/yes": [0.5, None]})
    assert run.oof is not None
    assert (run.oof.classes, run.oof.targets) == (("no", "yes"), ("y",))
    assert (run.oof.y.tolist(), run.oof.rows.tolist()) == ([0, 1], [1, 0])
    assert run.oof.ids is not None
    assert run.oof.ids.tolist() == ["a", "b"]
    assert np.isnan(run.oof.models["m"][1]).all()
    assert run.oof.is_predicted.all()
    assert run.test is not None
    assert run.test.shape == (2, 2)
    assert run.missing == ["folds.parquet is not in the run's folder.", "submission.csv is not in the run's folder."]


def test_a_greater_score_is_better_unless_the_record_says_otherwise(tmp_path: Path) -> None:
    assert loaded(tmp_path, OOF, metric={"name": "mine"}).greater_is_better
    assert not loaded(tmp_path, OOF, metric={"name": "mine", "greater_is_better": False}).greater_is_better


@pytest.mark.parametrize(
    ("oof", "record", "problem"),
    [
        ({**OOF, "y": ["no", "perhaps"]}, {}, "the target does not match the columns of predictions"),
        ({"y": OOF["y"]}, {}, "lacks the target or the ensemble's predictions"),
        (OOF, {"target": None}, "lacks the target or the ensemble's predictions"),
        (OOF, {"target": ["y", "z"]}, "lacks the target or the ensemble's predictions"),
        (OOF, {"metric": {"name": "rmse"}}, "The metric rmse cannot score predictions of this type"),
        ({**OOF, "m": [0.5, np.inf]}, {}, "'m' must hold finite numbers up to 1e+100; got inf in row 1"),
        ({**OOF, "m": ["a", "b"]}, {}, "'m' must hold numbers; got 'a'"),
        ({**OOF, "row": [1, 1]}, {}, "'row' must hold each number from 0 to 1 once"),
        (OOF, {"data": {"rows": {"train": 3, "test": 2}}}, "oof.parquet must have 3 rows; got 2"),
        (OOF, {"data": {"rows": {"train": 2, "test": 1}}}, "test.parquet must have 1 rows; got 2"),
        (OOF, {"metric": {"name": "own"}}, "does not know a metric named 'own': the competition's module defines it"),
    ],
)
def test_what_cannot_be_used_is_listed_with_its_reason(
    oof: dict[str, Any], record: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    run = loaded(tmp_path, oof, **record)
    assert any(problem in reason for reason in run.missing)
    assert run.oof is None or run.metric is None or run.test is None


def test_a_table_with_repeated_column_names_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["y", "y"]), tmp_path / "oof.parquet")
    with pytest.raises(DataError, match=r"oof\.parquet cannot be read: "):
        read_parquet(tmp_path / "oof.parquet")


def test_folds_and_curves_of_other_columns_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"fold": [0]}).to_parquet(tmp_path / "table.parquet")
    with pytest.raises(DataError, match=r"^table\.parquet does not hold folds: it lacks the column 'role'"):
        read_folds(tmp_path / "table.parquet")
    with pytest.raises(DataError, match="does not hold learning curves"):
        read_curves(tmp_path / "table.parquet")


@pytest.mark.parametrize("column", ["seed", "fold", "step"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e308, 2**33])
def test_learning_curves_of_no_such_seed_fold_or_step_are_refused(tmp_path: Path, column: str, value: float) -> None:
    curves = {"model": "m", "seed": 0, "fold": 0, "rows": "training", "step": [1, 2], "loss": 0.5}
    pd.DataFrame({**curves, column: value}, index=[0, 1]).to_parquet(tmp_path / "curves.parquet")
    with pytest.raises(DataError, match="seed, fold and step must be whole numbers"):
        read_curves(tmp_path / "curves.parquet")
