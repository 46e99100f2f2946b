from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe.core.values import Tables
from kpipe.runs.oof import oof_predictions
from kpipe.runs.prediction_tables import output_columns, predictions_table
from kpipe.runs.store import RunFolder
from tests.runs.helpers import result_of
from tests.tables import prices, survivors


def test_the_tables_of_predictions_hold_the_ensemble_and_each_model_by_class() -> None:
    result = result_of(survivors(), "linear", "constant")
    oof, test = (predictions_table(result, which) for which in ("oof", "test"))
    outputs = [f"{name}/{label}" for name in ("blend", "linear", "constant") for label in (0, 1)]
    assert oof.columns.tolist() == ["row", "id", "survived", *outputs]
    assert test.columns.tolist() == ["row", "id", *outputs]
    assert oof["row"].tolist() == list(range(80))
    np.testing.assert_array_equal(oof[["blend/0", "blend/1"]], result.ensemble.oof)
    np.testing.assert_array_equal(test["linear/1"], result.predictions.models[0].test[:, 1])


@pytest.mark.parametrize("name", ["row", "blend", "linear"])
def test_a_column_of_the_file_that_has_the_name_of_another_one_is_renamed(name: str, tmp_path: Path) -> None:
    made = prices()
    renamed = {"id" if name == "row" else "price": name}
    train, test, sample = (frame.rename(columns=renamed) for frame in (made.train, made.test, made.sample))
    result = result_of(Tables(train=train, test=test, sample=sample, source=made.source), "linear")
    RunFolder(tmp_path).write_table("oof.parquet", predictions_table(result, "oof"))
    saved = pd.read_parquet(tmp_path / "oof.parquet")
    assert {name, f"{name} (train)"} <= {*saved.columns}


@pytest.mark.parametrize("name", ["row", "blend", "linear"])
@pytest.mark.parametrize("part", ["target", "id"])
def test_ids_and_targets_are_read_back_whatever_their_names(name: str, part: str) -> None:
    made = survivors()
    renamed = {"survived" if part == "target" else "id": name}
    train, test, sample = (frame.rename(columns=renamed) for frame in (made.train, made.test, made.sample))
    result = result_of(Tables(train=train, test=test, sample=sample, source=made.source), "linear")
    target, id = result.problem.targets[0], result.problem.id
    oof = oof_predictions(predictions_table(result, "oof"), targets=(target,), models=("linear",), id_column=id)
    np.testing.assert_array_equal(oof.y, result.predictions.y)
    np.testing.assert_array_equal(oof.ensemble, result.ensemble.oof)
    np.testing.assert_array_equal(oof.models["linear"], result.predictions.models[0].oof)
    assert oof.ids is not None
    assert (oof.ids.name, oof.ids.tolist()) == (id, made.train["id"].tolist())
    assert output_columns(predictions_table(result, "test"), "linear") == ["linear/0", "linear/1"]
