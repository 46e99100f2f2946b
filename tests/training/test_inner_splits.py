from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut

from kpipe.core.values import Tables
from kpipe.features.automatic import AutomaticFeatures
from kpipe.problem.problem import Problem
from kpipe.problem.splitters import ByTime
from kpipe.training.folds import make_folds
from kpipe.training.inner_splits import InnerSplits, with_inner_splits
from tests.tables import problem_of, tables

N = 1200


def made(**columns: Any) -> Tables:
    """Rows of 60 houses, each with a number of its own and a price; the number alone says nothing of other houses."""
    draw = np.random.default_rng(0)
    house = np.repeat(np.arange(60), N // 60)
    price = draw.normal(size=60)[house] + 0.1 * draw.normal(size=N)
    own = {name: draw.normal(size=60)[house] for name in ("a", "b")}
    frame = pd.DataFrame({"id": np.arange(N), **own, "x": draw.normal(size=N), **columns, "price": price})
    test = frame.drop(columns="price").head(30).assign(id=np.arange(N, N + 30))
    return tables(frame, test, test[["id"]].assign(price=0.5))


def grouped() -> Problem:
    return problem_of(made(house=[f"h{n}" for n in np.repeat(np.arange(60), N // 60)]), groups="house")


def dated() -> Problem:
    days = pd.date_range("2024-01-01", periods=N // 4).repeat(4).astype("str")
    return problem_of(made(day=days), splitter=ByTime("day", 4), features=AutomaticFeatures())


def of_fold(problem: Problem) -> tuple[InnerSplits, pd.DataFrame]:
    X = problem.X.iloc[make_folds(problem).train[-1]]
    splits = with_inner_splits(clone(problem.features), problem).splits
    assert isinstance(splits, InnerSplits)
    return splits, X


def test_where_folds_are_by_group_inner_splits_part_no_group_though_the_column_is_no_feature() -> None:
    problem = grouped()
    splits, X = of_fold(problem)
    assert "house" not in X
    house = problem.tables.train["house"].loc[X.index].to_numpy()
    pairs = splits.split(X)
    assert len(pairs) == 3
    for train, valid in pairs:
        assert not set(house[train]) & set(house[valid])
    assert pd.Series(splits.blocks(X)).groupby(house).nunique().max() == 1


def test_where_folds_are_by_time_inner_splits_validate_later_days() -> None:
    splits, X = of_fold(dated())
    for train, valid in splits.split(X):
        assert X["day"].iloc[train].max() < X["day"].iloc[valid].min()
    assert len(np.unique(splits.blocks(X))) == X["day"].nunique()


def test_a_fold_that_is_too_short_for_the_horizon_of_test_is_split_into_shorter_periods() -> None:
    days = pd.date_range("2024-01-01", periods=N // 4).repeat(4).astype("str")
    problem = problem_of(made(day=days), splitter=ByTime("day", 2, horizon="3 months"), features=AutomaticFeatures())
    splits, X = of_fold(problem)
    first = problem.X.iloc[make_folds(problem).train[0]]
    for rows in (problem.X, X, first):
        pairs = splits.split(rows)
        assert len(pairs) >= 2
        assert min(len(train) for train, _ in pairs) > 30


@pytest.mark.parametrize("rows", [np.arange(10), np.arange(N) + 10**6], ids=["few", "others"])
def test_rows_that_cannot_be_split_have_no_inner_splits(rows: np.ndarray) -> None:
    splits, _ = of_fold(grouped())
    assert splits.split(pd.DataFrame({"x": 0.0}, index=rows)) == []


def families(problem: Problem, *, by_row: bool) -> list[str]:
    X, y = problem.X, problem.y
    features = AutomaticFeatures(families=["arithmetic", "target statistics"])
    fitted = clone(features if by_row else with_inner_splits(features, problem)).fit(X, y)
    return [family.name for family in fitted.families_]


def test_features_that_identify_a_group_are_kept_by_splits_of_rows_and_not_by_splits_of_groups() -> None:
    problem = problem_of(
        made(code=np.repeat(np.arange(60), N // 60) * 7919 % 1000, house=np.repeat(np.arange(60), 20).astype("str")),
        groups="house",
    )
    assert families(problem, by_row=True)
    assert families(problem, by_row=False) == []


class Halves(LeaveOneGroupOut):
    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Any]:
        return super().split(X, y, np.arange(len(X)) % 2)


def test_folds_of_an_authors_own_have_no_families() -> None:
    problem = problem_of(made(), splitter=Halves())
    assert with_inner_splits(clone(problem.features), problem).families == ()


def test_folds_by_row_are_split_by_row() -> None:
    problem = problem_of(made())
    features = with_inner_splits(clone(problem.features), problem)
    assert features.splits is None
    assert features.families is None
