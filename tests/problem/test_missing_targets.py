from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from kpipe.core.metrics import get_metric, over_targets
from kpipe.core.values import Tables
from kpipe.errors import DataError
from kpipe.models.per_target import PerTarget
from tests.tables import prices, problem_of, survivors, tables


def with_missing(y: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(y.shape) < 0.3, np.nan, y)


@pytest.mark.parametrize("name", ["rmse", "mae"])
def test_each_target_is_scored_on_the_rows_in_which_it_is_known(name: str) -> None:
    rng = np.random.default_rng(1)
    y, predicted = with_missing(rng.normal(size=(200, 3))), rng.normal(size=(200, 3))
    metric, one = over_targets(get_metric(name), 3), get_metric(name)
    known = ~np.isnan(y)
    expected = np.mean([one.function(y[known[:, j], j], predicted[known[:, j], j]) for j in range(3)])
    assert metric.function(y, predicted) == pytest.approx(expected)
    if metric.losses is not None:
        assert metric.losses(y, predicted).mean() == pytest.approx(expected)


def test_each_target_is_fitted_on_the_rows_in_which_it_is_known() -> None:
    X = pd.DataFrame({"a": np.random.default_rng(2).normal(size=50)})
    y = with_missing(np.column_stack([X["a"], 2 * X["a"] + 1]))
    np.testing.assert_allclose(
        PerTarget(LinearRegression()).fit(X, y).predict(X), np.column_stack([X["a"], 2 * X["a"] + 1])
    )


def test_rows_with_some_targets_are_kept_and_rows_without_any_are_left_out() -> None:
    given = prices()
    train = given.train.assign(weight=2 * given.train["price"])
    train.loc[:3, "price"] = np.nan
    train.loc[3:5, "weight"] = np.nan
    problem = problem_of(tables(train, given.test, given.sample.assign(weight=0.5)))
    assert len(problem.y) == 79
    left_out, counts = problem.tables.source.notes
    assert "1 of 80 rows of train.csv are left out because all targets are missing (row 4)" in left_out
    assert "of 79: price 76, weight 77" in counts


def test_a_class_that_is_spelled_like_a_missing_value_is_not_left_out_where_one_class_would_remain() -> None:
    given = survivors()
    target = given.train["survived"].map({1: "EU", 0: None})
    made = replace(given, train=given.train.assign(survived=target))
    with pytest.raises(DataError, match=r"'survived' is missing in \d+ of \d+ rows.*EU in all others.*--text survived"):
        problem_of(made)


def test_rows_whose_target_clean_fills_are_kept() -> None:
    given = survivors()
    made = replace(given, train=given.train.assign(survived=given.train["survived"].where(given.train.index != 6)))

    def clean(tables: Tables) -> Tables:
        return replace(tables, train=tables.train.assign(survived=tables.train["survived"].fillna(0).astype(int)))

    assert len(problem_of(made, clean=clean).y) == len(given.train)


@pytest.mark.parametrize("code", [-99, -999, -9999])
def test_a_code_far_below_all_targets_means_that_the_target_is_missing(code: int) -> None:
    given = prices()
    given.train.loc[[3, 10], "price"] = code
    problem = problem_of(given)
    assert len(problem.y) == 78
    assert problem.y.min() > code
    assert f"is {code} or empty in them" in problem.tables.source.notes[0]
    assert "keep these rows" in problem.tables.source.notes[0]


@pytest.mark.parametrize(("rows", "shift"), [([3], 0), ([3, 10], -200_000)])
def test_a_number_that_may_be_a_target_stays(rows: list[int], shift: int) -> None:
    given = prices()
    given.train["price"] += shift
    given.train.loc[rows, "price"] = -999
    assert len(problem_of(given).y) == 80
