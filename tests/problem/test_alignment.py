from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kpipe.core.values import Ensemble, Tables
from kpipe.problem.problem import Problem
from kpipe.submission import make_submission
from tests.tables import prices, problem_of, survivors, tables


def submitted(problem: Problem, test: np.ndarray) -> pd.DataFrame:
    return make_submission(problem, Ensemble(weights={}, oof=test, test=test)).frame


@pytest.mark.parametrize("made", [survivors, prices])
def test_tables_whose_ids_and_targets_are_complete_stay_the_same(made: object) -> None:
    given = made()  # type: ignore[operator]
    problem = problem_of(given)
    assert problem.files is given
    assert problem.tables.source.notes == ()


def test_rows_without_a_target_are_left_out_and_a_note_says_which() -> None:
    given = survivors()
    given.train["survived"] = given.train["survived"].astype(float).mask(given.train.index.isin([3, 10]))
    problem = problem_of(given)
    assert problem.tables.train["id"].tolist() == [row for row in range(80) if row not in (3, 10)]
    assert problem.files.train.index.tolist() == list(range(78))
    assert problem.labels is not None
    assert problem.labels.tolist() == [0, 1]
    (note,) = problem.tables.source.notes
    assert note.startswith(
        "2 of 80 rows of train.csv are left out because the target 'survived' is missing (rows 4, 11)"
    )


def test_a_target_of_a_regression_may_have_missing_values() -> None:
    given = prices()
    given.train.loc[5:9, "price"] = np.nan
    assert len(problem_of(given).y) == 75


@pytest.mark.parametrize(
    ("write", "template"),
    [
        (lambda f: f["store"].astype(str) + "_" + f["country"], "{store}_{country}"),
        (lambda f: f["country"] + " x " + f["store"].astype(str), "{country} x {store}"),
        (lambda f: "ID_" + f["store"].astype(str).str.zfill(3) + f["country"], "ID_{store}{country}"),
    ],
)
def test_ids_built_of_columns_are_joined_in_any_order(write: object, template: str) -> None:
    given = prices()
    places = pd.DataFrame({"store": np.arange(110) // 2, "country": np.where(np.arange(110) % 2, "Kenya", "Chad")})
    train = pd.concat([places.head(80), given.train.drop(columns="id")], axis=1)
    test = pd.concat([places.tail(30).reset_index(drop=True), given.test.drop(columns="id")], axis=1)
    sample = pd.DataFrame({"key": write(test), "price": 0.5}).sample(frac=1, random_state=1)  # type: ignore[operator]
    problem = problem_of(tables(train, test, sample.reset_index(drop=True)))
    assert template in problem.tables.source.notes[0]
    frame = submitted(problem, np.arange(30.0)[:, None])
    assert frame["price"].tolist() == sample.index.tolist()
    assert frame["key"].tolist() == sample["key"].tolist()


def test_an_id_of_test_that_repeats_is_completed_by_a_column() -> None:
    given = prices()
    country = np.where(np.arange(30) % 2, "Kenya", "Chad")
    test = given.test.assign(id=np.arange(30) // 2, country=country)
    sample = pd.DataFrame({"id": test["id"].astype(str) + " x " + country, "price": 0.5})
    train = given.train.assign(country="Chad")
    problem = problem_of(tables(train, test, sample))
    assert submitted(problem, np.arange(30.0)[:, None])["price"].tolist() == list(range(30))


@pytest.mark.parametrize("write", ["{}.0", "{:05d}", "row-{}"])
def test_ids_that_the_sample_submission_writes_in_another_way_are_joined_and_written_as_there(write: str) -> None:
    given = prices()
    sample = given.sample.assign(id=[write.format(id) for id in given.test["id"]]).iloc[::-1].reset_index(drop=True)
    problem = problem_of(replace(given, sample=sample))
    frame = submitted(problem, np.arange(30.0)[:, None])
    assert frame["price"].tolist() == list(range(29, -1, -1))
    assert frame["id"].tolist() == sample["id"].tolist()


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_ids_that_the_sample_submission_writes_in_another_case_are_joined(case: object) -> None:
    given = prices()
    ids = [f"Cust-{id * 7919:x}" for id in given.test["id"]]
    sample = given.sample.assign(id=list(map(case, ids))).iloc[::-1].reset_index(drop=True)  # type: ignore[call-overload]
    problem = problem_of(replace(given, test=given.test.assign(id=ids), sample=sample))
    frame = submitted(problem, np.arange(30.0)[:, None])
    assert frame["price"].tolist() == list(range(29, -1, -1))
    assert frame["id"].tolist() == sample["id"].tolist()


def test_ids_of_test_written_as_floats_are_matched_by_number() -> None:
    given = prices()
    test = given.test.assign(id=given.test["id"].astype(str) + ".0")
    problem = problem_of(replace(given, test=test))
    assert submitted(problem, np.arange(30.0)[:, None])["id"].tolist() == [str(id) for id in given.test["id"]]


def test_rows_that_are_joined_by_position_are_reported_unless_ids_count_them() -> None:
    given = prices()
    test = given.test.drop(columns="id")
    counted = problem_of(replace(given, test=test, sample=given.sample.rename(columns={"id": "key"})))
    assert counted.tables.source.notes == ()
    coded = pd.DataFrame({"key": [f"k{71 * row % 1009}" for row in range(30)], "price": 0.5})
    (note,) = problem_of(replace(given, test=test, sample=coded)).tables.source.notes
    assert "matched by position" in note
    assert "--id" in note


def test_a_stub_of_a_sample_submission_is_extended_to_all_rows_of_test() -> None:
    given = prices()
    problem = problem_of(replace(given, sample=given.sample.head(3)))
    assert submitted(problem, np.arange(30.0)[:, None])["id"].tolist() == given.test["id"].tolist()
    assert "3 of the 30 ids" in problem.tables.source.notes[0]


def test_a_target_that_test_leaves_empty_is_found_beside_an_unnamed_column_of_ids() -> None:
    given = survivors()
    train = given.train.rename(columns={"id": "Unnamed: 0"})
    test = given.test.rename(columns={"id": "Unnamed: 0"}).assign(survived=np.nan)
    problem = problem_of(tables(train, test, given.sample.rename(columns={"id": "Id", "survived": "Probability"})))
    assert (problem.id, problem.targets) == ("Id", ("survived",))
    assert problem.columns == ("x", "sex")


def test_a_clean_of_the_competition_gets_text_with_its_surrounding_blanks() -> None:
    given = survivors()
    given.train["sex"] = " " + given.train["sex"]
    seen: list[str] = []

    def clean(tables: Tables) -> Tables:
        seen.extend(tables.train["sex"])
        return tables

    problem_of(given, clean=clean)
    assert set(seen) == {" male", " female"}


def test_a_stub_whose_ids_are_not_those_of_test_is_reported_and_extended() -> None:
    given = prices()
    problem = problem_of(replace(given, sample=given.sample.head(3).assign(id=[7001, 7002, 7003])))
    assert problem.tables.sample["id"].tolist() == given.test["id"].tolist()
    assert any("has 3 rows, whose ids are not those of test.csv" in note for note in problem.tables.source.notes)
