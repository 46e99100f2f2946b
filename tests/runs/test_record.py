from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe.core.values import Reason, Tables
from kpipe.models import model
from kpipe.pipeline import conclude
from kpipe.runs.record import RunResult, inferred_reasons, make_record, predictions_table
from kpipe.runs.run import Run
from kpipe.runs.store import RunFolder
from kpipe.training.baseline import predict_baseline
from kpipe.training.cross_validation import cross_validate
from kpipe.training.folds import make_folds
from tests.tables import prices, problem_of, survivors


def outcome_of(made: Tables, *names: str, **fields: object) -> RunResult:
    problem = problem_of(made, **fields)
    folds = make_folds(problem)
    found = cross_validate(problem, folds, models={name: model(name) for name in names}, jobs=1)
    return conclude(problem, folds, found, predict_baseline(problem, folds))


def record_of(outcome: RunResult) -> dict:
    return make_record(outcome, seeds=[0], device="cpu", command=["kpipe"], seconds=1.0)


@pytest.mark.parametrize("made", [survivors(), prices()], ids=["classification", "regression"])
def test_a_record_is_json_whose_numbers_are_those_of_the_run(made: Tables) -> None:
    outcome = outcome_of(made, "linear", "boosting")
    record = record_of(outcome)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert [said["name"] for said in record["models"]] == ["linear", "boosting"]
    assert sum(said["weight"] for said in record["models"]) == pytest.approx(1, abs=1e-5)
    assert len(record["fold_scores"]) == record["folds"] == 5
    assert record["rows"] == record["data"]["rows"]["train"] == 80
    assert record["submission"]["rows"] == record["data"]["rows"]["test"] == 30
    assert {check["status"] for check in record["checks"]} <= {"pass", "warn", "fail"}
    better = record["score"] > record["baseline"]
    assert better == record["metric"]["greater_is_better"]


def test_the_standard_error_of_the_record_counts_groups_as_one() -> None:
    made = survivors(n=60)
    copies = [made.train.assign(id=made.train["id"] + 1000 * number) for number in range(4)]
    made = Tables(
        train=pd.concat(copies, ignore_index=True).assign(family=np.tile(np.arange(60), 4)),
        test=made.test,
        sample=made.sample,
        source=made.source,
    )
    columns = ("x", "sex")
    alone, grouped = (record_of(outcome_of(made, "linear", columns=columns, groups=g)) for g in (None, "family"))
    assert grouped["standard_error"] > 1.5 * alone["standard_error"]


def test_a_guess_is_called_one_and_what_the_files_show_is_not() -> None:
    record = record_of(outcome_of(survivors(), "linear"))
    assert "metric" in record["guesses"]
    assert "id" not in record["guesses"]
    reasons = inferred_reasons(record)
    assert reasons["metric"].guess
    assert not reasons["id"].guess


def test_the_reasons_of_a_run_made_by_an_older_version_are_read() -> None:
    old = {"inferred": {"metric": "a guess: usual for values", "id": "the column that test has"}}
    assert inferred_reasons(old) == {
        "metric": Reason(text="usual for values", guess=True),
        "id": Reason(text="the column that test has"),
    }
    assert inferred_reasons({"inferred": ["a guess"], "guesses": 3}) == {}


def test_what_is_not_known_is_null_in_the_record_and_nan_in_python() -> None:
    run = Run(path=Path(), record={"score": None, "standard_error": None})
    assert repr(run) == "<Run None: None unknown ± unknown, '.'>"
    assert math.isnan(run.score)
    assert math.isnan(run.standard_error)
    assert Run(path=Path(), record={"score": 1, "standard_error": 0.5}).standard_error == 0.5


def test_the_tables_of_predictions_hold_the_blend_and_each_model_by_label() -> None:
    outcome = outcome_of(survivors(), "linear", "boosting")
    oof, test = (predictions_table(outcome, which) for which in ("oof", "test"))
    outputs = [f"{name}/{label}" for name in ("blend", "linear", "boosting") for label in (0, 1)]
    assert oof.columns.tolist() == ["row", "id", "survived", *outputs]
    assert test.columns.tolist() == ["row", "id", *outputs]
    assert oof["row"].tolist() == list(range(80))
    np.testing.assert_array_equal(oof[["blend/0", "blend/1"]], outcome.ensemble.oof)
    np.testing.assert_array_equal(test["linear/1"], outcome.predictions.models[0].test[:, 1])


@pytest.mark.parametrize("name", ["row", "blend", "linear"])
def test_a_column_named_as_kpipe_names_its_own_does_not_end_a_trained_run(name: str, tmp_path: Path) -> None:
    made = prices()
    renamed = {"id" if name == "row" else "price": name}
    train, test, sample = (frame.rename(columns=renamed) for frame in (made.train, made.test, made.sample))
    outcome = outcome_of(Tables(train=train, test=test, sample=sample, source=made.source), "linear")
    RunFolder(tmp_path).write_table("oof.parquet", predictions_table(outcome, "oof"))
