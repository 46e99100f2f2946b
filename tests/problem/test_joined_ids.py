from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kpipe.core.values import Ensemble, Tables
from kpipe.problem.joined_ids import with_joined_id
from kpipe.problem.problem import Problem
from kpipe.submission import make_submission, validate_submission
from tests.tables import prices, problem_of, tables

PLACES = pd.DataFrame({"store": np.arange(110) // 5, "day": [f"2020-01-0{1 + row % 5}" for row in range(110)]})


def by_store_and_day(*, train_has_them: bool = True) -> Tables:
    given = prices()
    train, test = (frame.drop(columns="id") for frame in (given.train, given.test))
    if train_has_them:
        train = pd.concat([PLACES.head(80), train], axis=1)
    test = pd.concat([PLACES.tail(30).reset_index(drop=True), test], axis=1)
    sample = test[["day", "store"]].assign(price=0.5).sample(frac=1, random_state=1)
    return tables(train, test, sample)


def submitted(problem: Problem) -> pd.DataFrame:
    values = np.arange(30.0)[:, None]
    return make_submission(problem, Ensemble(weights={}, oof=values, test=values)).frame


@pytest.mark.parametrize("train_has_them", [True, False])
def test_rows_that_several_columns_name_are_matched_by_all_and_written_as_in_the_sample(train_has_them: bool) -> None:
    given = by_store_and_day(train_has_them=train_has_them)
    sample = given.sample.reset_index(drop=True)
    problem = problem_of(replace(given, sample=sample))
    assert (problem.id, problem.targets, problem.submission_columns) == ("day_store", ("price",), ("price",))
    frame = submitted(problem)
    assert frame["price"].tolist() == given.sample.index.tolist()
    pd.testing.assert_frame_equal(frame[["day", "store"]], sample[["day", "store"]])
    assert list(frame.columns) == ["day", "store", "price"]
    assert "day, store together identify the rows" in problem.tables.source.notes[0]


def test_the_columns_of_the_id_stay_features_and_its_end_makes_no_group() -> None:
    problem = problem_of(by_store_and_day())
    assert {"store", "day"} <= set(problem.columns)
    assert not any(name.startswith("day_store") for name in problem.columns)
    given = by_store_and_day()
    given = replace(given, sample=given.sample[["store", "day", "price"]].reset_index(drop=True))
    assert not any(name.startswith("store_day ") for name in problem_of(given).tables.train)


def test_a_module_may_state_the_joined_id() -> None:
    assert problem_of(by_store_and_day(), id="day_store").id == "day_store"


def test_a_stub_of_several_id_columns_is_extended() -> None:
    given = by_store_and_day()
    frame = submitted(problem_of(replace(given, sample=given.sample.head(3).reset_index(drop=True))))
    pd.testing.assert_frame_equal(frame[["day", "store"]], given.test[["day", "store"]])


def test_a_file_of_the_submission_is_validated_by_its_joined_id() -> None:
    problem = problem_of(by_store_and_day())
    frame = with_joined_id(submitted(problem), problem.id, problem.tables.id_parts)
    validate_submission(frame, problem)


def test_one_column_that_names_the_rows_is_the_id() -> None:
    given = prices()
    problem = problem_of(replace(given, sample=given.sample.assign(x=given.test["x"])))
    assert (problem.id, problem.tables.id_parts) == ("id", ())
