"""Splitters of a competition's own that split at random, choose rows by their target, or sort rows by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, RepeatedKFold, StratifiedKFold, TimeSeriesSplit

from kpipe.checks.own_splitter import own_splitter
from tests.checks.prepared_tables import make_prepared
from tests.plants import Prepared

Pairs = Iterator[tuple[np.ndarray, np.ndarray]]


class Unseeded(KFold):
    def split(self, X: pd.DataFrame, y: Any = None, groups: Any = None) -> Pairs:
        yield from KFold(self.n_splits, shuffle=True).split(np.random.default_rng().permutation(len(X)))


class EasyRows(StratifiedKFold):
    """Validates the rows that one column tells."""

    def split(self, X: pd.DataFrame, y: Any = None, groups: Any = None) -> Pairs:
        easy = (X["x0"] > X["x0"].median()).to_numpy() == (pd.Series(y).rank(pct=True) > 0.5).to_numpy()
        for fitted, valid in KFold(self.n_splits, shuffle=True, random_state=0).split(X):
            yield fitted, valid[easy[valid]]


class ByTarget(KFold):
    def split(self, X: pd.DataFrame, y: Any = None, groups: Any = None) -> Pairs:
        order = np.argsort(pd.factorize(pd.Series(y), sort=True)[0], kind="stable")
        for valid in np.array_split(order, self.n_splits):
            yield np.setdiff1d(order, valid), valid


class EveryThird(KFold):
    """Validates a third of the rows, whatever their targets."""

    def split(self, X: pd.DataFrame, y: Any = None, groups: Any = None) -> Pairs:
        for number in range(self.n_splits):
            valid = np.arange(3 * number, len(X), 3 * self.n_splits)
            yield np.setdiff1d(np.arange(len(X)), valid), valid


def found(
    splitter: KFold | StratifiedKFold, *, regression: bool, test: pd.DataFrame | None = None
) -> list[tuple[str, str]]:
    given = make_prepared(regression=regression)
    if test is not None:
        given = replace(given, problem=given.problem.with_tables(replace(given.tables, test=test)))
    own = replace(given.problem.competition, splitter=splitter)
    made = Prepared.of(replace(given.problem, competition=own, splitter=splitter))
    return list(own_splitter(made.problem, made.folds))


@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize(
    ("splitter", "words"),
    [
        (Unseeded(4), "differently when it is called again"),
        (EasyRows(4), "chooses them by their target"),
        (ByTarget(4), "as if rows were sorted by the target"),
    ],
)
def test_a_splitter_that_is_random_or_uses_the_target_fails(
    splitter: KFold | StratifiedKFold, words: str, regression: bool
) -> None:
    [(status, text)] = found(splitter, regression=regression)
    assert status == "fail"
    assert words in text


class Twice(KFold):
    """A third of the rows in each fold, drawn anew."""

    def split(self, X: pd.DataFrame, y: Any = None, groups: Any = None) -> Pairs:
        rng = np.random.default_rng(0)
        for _ in range(self.n_splits):
            valid = np.sort(rng.permutation(len(X))[: len(X) // 3])
            yield np.setdiff1d(np.arange(len(X)), valid), valid


class OnATenth(KFold):
    def split(self, X: pd.DataFrame, y: Any = None, groups: Any = None) -> Pairs:
        for fitted, valid in super().split(X):
            yield fitted[::8], valid


class HighRows(KFold):
    """Validates the rows that are high in one column only."""

    def split(self, X: pd.DataFrame, y: Any = None, groups: Any = None) -> Pairs:
        high = np.flatnonzero((X["x3"] > X["x3"].median()).to_numpy())
        for _, valid in super().split(high):
            yield np.setdiff1d(np.arange(len(X)), high[valid]), high[valid]


@pytest.mark.parametrize(
    ("splitter", "words"),
    [
        (EveryThird(4), "never validates 400 of 600 rows (first: row 2 of train.csv). The score says nothing about"),
        (HighRows(4), "which differ from the others in x3"),
        (Twice(20), "rows more than once"),
        (OnATenth(5), "Fold 1 trains on 60 of the 480 rows that it does not validate"),
    ],
)
def test_a_splitter_that_leaves_out_or_repeats_rows_is_a_warning(splitter: KFold, words: str) -> None:
    [(status, text)] = found(splitter, regression=True)
    assert status == "warn"
    assert words in text


def test_a_splitter_may_validate_the_rows_that_are_like_test() -> None:
    given = make_prepared(regression=True)
    like_test = given.tables.train["x3"] > given.tables.train["x3"].median()
    test = given.tables.test.assign(x3=given.tables.train["x3"][like_test].iloc[:100].to_numpy().repeat(4))
    assert found(HighRows(4), regression=True, test=test) == []


@pytest.mark.parametrize(
    "splitter", [KFold(5), KFold(5, shuffle=True), TimeSeriesSplit(4), RepeatedKFold(n_splits=3, random_state=0)]
)
def test_a_correct_splitter_passes(splitter: KFold) -> None:
    assert found(splitter, regression=True) == []


def test_a_splitter_that_kpipe_inferred_is_not_checked() -> None:
    given = make_prepared()
    assert list(own_splitter(given.problem, given.folds)) == []
