"""Splitters of a competition's own that split at random, choose rows by their target, or sort rows by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, StratifiedKFold

from kpipe.checks.own_splitter import own_splitter
from tests.checks.made import make_prepared
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


def found(splitter: KFold | StratifiedKFold, *, regression: bool) -> list[tuple[str, str]]:
    given = make_prepared(regression=regression)
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


@pytest.mark.parametrize("splitter", [KFold(5), KFold(5, shuffle=True), EveryThird(4)])
def test_an_honest_splitter_passes(splitter: KFold) -> None:
    assert found(splitter, regression=True) == []


def test_a_splitter_that_kpipe_inferred_is_not_checked() -> None:
    given = make_prepared()
    assert list(own_splitter(given.problem, given.folds)) == []
