from __future__ import annotations

import pytest

from tests.cases import problem_of_case

CONVERTED = {
    "01": {"Income": "f", "LotArea": "f"},
    "02": {"int_rate": "f", "revol_util": "f", "term": "f", "emp_length": "f", "issue_d": "M"},
    "03": {"Duration": "f", "Dep_Time": "f", "Date_of_Journey": "M", "Size": "f", "Height": "f"},
    "05": {"date": "M"},
    "06": {"opened": "M", "visited": "M", "var_0075": "M", "seen": "M"},
    "07": {"release_date": "M"},
    "13": {"hour": "M"},
    "20": {"when": "M"},
    "66": {"created_at": "M"},
    "67": {"month": "M"},
}


@pytest.mark.parametrize("number", CONVERTED)
def test_dates_and_numbers_of_a_case_are_recognised_and_reported(number: str) -> None:
    problem = problem_of_case(number)
    wanted = CONVERTED[number]
    assert {name: problem.X[name].dtype.kind for name in wanted} == wanted
    assert {name: problem.X_test[name].dtype.kind for name in wanted} == wanted
    assert set(problem.conversions) == set(wanted)
    assert problem.X[list(wanted)].notna().all(axis=None)
    assert any(next(iter(wanted)) in note for note in problem.tables.source.notes)


@pytest.mark.parametrize(
    ("number", "column", "folds", "horizon"),
    [("05", "date", 3, "150 days"), ("13", "hour", 1, "50 hours"), ("67", "month", 2, "1 year")],
)
def test_folds_of_a_case_whose_test_is_later_validate_horizons_as_long(
    number: str, column: str, folds: int, horizon: str
) -> None:
    problem = problem_of_case(number)
    assert repr(problem.splitter) == f"ByTime({column!r}, n_splits={folds}, horizon={horizon!r})"
    assert column in problem.columns
    assert repr(problem_of_case(number, split=column).splitter) == repr(problem.splitter)


def test_no_date_of_a_case_is_in_the_future() -> None:
    assert problem_of_case("07").X["release_date"].max().year < 2026


def test_words_of_short_titles_are_features() -> None:
    problem = problem_of_case("60")
    assert problem.features is not None
    found = problem.features.fit_transform(problem.X, problem.y)
    assert {"name: part 1", "name: part 2"} <= set(found.columns)
    assert "name" not in problem.left_out


def test_no_column_of_a_case_is_replaced_by_a_derived_one() -> None:
    problem = problem_of_case("20")
    assert problem.features is not None
    found = problem.features.fit_transform(problem.X, problem.y)
    for name in ("gaps", "city: rows", "when: month", "when: days", "statistic 0", "nothing"):
        assert found[name].tolist() == problem.X[name].tolist()
