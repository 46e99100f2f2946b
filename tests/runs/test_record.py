from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from kpipe.core.values import Reason, Tables
from kpipe.runs.record import inferred_reasons, make_record
from kpipe.runs.result import RunResult
from tests.runs.helpers import result_of
from tests.tables import prices, survivors


def record_of(result: RunResult) -> dict:
    return make_record(result, seeds=[0], device="cpu", command=["kpipe"], seconds=1.0)


@pytest.mark.parametrize("made", [survivors(), prices()], ids=["classification", "regression"])
def test_a_record_is_json_with_the_numbers_of_the_run(made: Tables) -> None:
    result = result_of(made, "linear", "constant")
    record = record_of(result)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert [model["name"] for model in record["models"]] == ["linear", "constant"]
    assert sum(model["weight"] for model in record["models"]) == pytest.approx(1, abs=1e-5)
    assert len(record["fold_scores"]) == record["folds"] == 2
    assert record["rows"] == record["data"]["rows"]["train"] == 80
    assert record["submission"]["rows"] == record["data"]["rows"]["test"] == 30
    assert {check["status"] for check in record["checks"]} <= {"pass", "warn", "fail"}
    better = record["score"] > record["baseline"]
    assert better == record["metric"]["greater_is_better"]


def test_the_standard_error_of_a_record_is_clustered_by_group() -> None:
    made = survivors(n=60)
    copies = [made.train.assign(id=made.train["id"] + 1000 * number) for number in range(4)]
    made = Tables(
        train=pd.concat(copies, ignore_index=True).assign(family=np.tile(np.arange(60), 4)),
        test=made.test,
        sample=made.sample,
        source=made.source,
    )
    columns = ("x", "sex")
    alone, grouped = (record_of(result_of(made, "linear", columns=columns, groups=g)) for g in (None, "family"))
    assert grouped["standard_error"] > 1.5 * alone["standard_error"]


def test_a_record_marks_guesses_and_nothing_that_the_files_prove() -> None:
    record = record_of(result_of(survivors(), "linear"))
    assert "metric" in record["guesses"]
    assert "id" not in record["guesses"]
    reasons = inferred_reasons(record)
    assert reasons["metric"].guess
    assert not reasons["id"].guess


def test_reasons_in_the_record_of_an_older_version_are_read() -> None:
    old = {"inferred": {"metric": "a guess: usual for values", "id": "the column that test has"}}
    assert inferred_reasons(old) == {
        "metric": Reason(text="usual for values", guess=True),
        "id": Reason(text="the column that test has"),
    }
    assert inferred_reasons({"inferred": ["a guess"], "guesses": 3}) == {}
