"""Split the training rows of a fold again as the folds were split: by group, or by time.

Features are chosen on inner splits (``kpipe.features.family_choice``). Where rows of a group or of a time are alike,
inner splits by row would favour features that identify a group or a day.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline

from kpipe.core.values import Splitter
from kpipe.features.automatic import AutomaticFeatures
from kpipe.problem.cut_outs import PeriodEnds, TimeBlocks
from kpipe.problem.problem import Problem
from kpipe.problem.splitters import ByTime, RowSplit
from kpipe.problem.times import read_times

__all__ = ["InnerSplits", "with_inner_splits", "without_families"]

_MAXIMUM, _MINIMUM = 3, 2  # splits; a single period may be unlike all others
_LEAST_TRAINED = 1 / 3  # training rows for each validation row
_BY_ROW = (KFold, StratifiedKFold, RowSplit)
_BY_TIME = (ByTime, PeriodEnds, TimeBlocks)


class InnerSplits:
    """Splits of some rows of train by their groups or times.

    Parameters
    ----------
    splitter : Splitter
        Splits a table with the column "unit" by it; its number of splits is its attribute ``n_splits``.
    units : Series
        The group or time of each row of train, indexed as the tables that are split.
    """

    def __init__(self, splitter: Splitter, units: pd.Series) -> None:
        self.splitter = splitter
        self.units = units.rename("unit")

    def split(self, X: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return two or three pairs of training and validation rows; none if the rows are too few, or not of train.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Rows of train.
        """
        if not X.index.isin(self.units.index).all():
            return []
        units = self.units.loc[X.index].reset_index(drop=True)
        for splitter in self._with_fewer_and_shorter_periods():
            try:
                pairs = list(splitter.split(units.to_frame(), groups=units))
            except ValueError:  # too few groups or periods
                continue
            if all(len(train) >= _LEAST_TRAINED * len(valid) for train, valid in pairs):
                return pairs
        return []

    def _with_fewer_and_shorter_periods(self) -> Iterator[Splitter]:
        for count in range(_MAXIMUM, _MINIMUM - 1, -1):
            splitter: Any = copy.copy(self.splitter)
            splitter.n_splits = count
            yield splitter
        # These periods are shorter than that of test, but every fold can choose features, as the fit on all rows can.
        if isinstance(self.splitter, ByTime) and self.splitter.horizon is not None:
            yield ByTime(self.splitter.column, _MINIMUM)

    def blocks(self, X: pd.DataFrame) -> np.ndarray:
        """Return a number for the group or time of each row: errors of rows with equal numbers are not independent.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Rows of train.
        """
        return pd.factorize(self.units.loc[X.index])[0]

    def __repr__(self) -> str:
        digest = int(pd.util.hash_pandas_object(self.units).sum())
        return f"InnerSplits({self.splitter!r}, {digest})"


def with_inner_splits(features: Any, problem: Problem) -> Any:
    """Return the competition's features, set to be chosen on inner splits that mirror the folds.

    Parameters
    ----------
    features : transformer
        Unfitted.
    problem : Problem

    Returns
    -------
    transformer
        The same one; the parameter ``splits`` of ``AutomaticFeatures`` is set, unless the folds are by row. With an
        author's own splitter, no families are tried: kpipe does not know by what it splits the rows.
    """
    for part in _parts(features):
        if isinstance(part, AutomaticFeatures) and not isinstance(problem.splitter, _BY_ROW):
            splits = _inner_splits(problem)
            part.set_params(**{"families": ()} if splits is None else {"splits": splits})
    return features


def without_families(features: Any) -> Any:
    """Return the competition's features without families, which take seconds to choose.

    Parameters
    ----------
    features : transformer
        Unfitted.
    """
    for part in _parts(features):
        if isinstance(part, AutomaticFeatures):
            part.set_params(families=())
    return features


def _parts(features: Any) -> Iterable[Any]:
    return [step for _, step in features.steps] if isinstance(features, Pipeline) else [features]


def _inner_splits(problem: Problem) -> InnerSplits | None:
    train, splitter = problem.tables.train, problem.splitter
    if isinstance(splitter, _BY_TIME):
        by_unit = copy.copy(splitter)
        by_unit.column = "unit"
        return InnerSplits(by_unit, read_times(train, splitter.column))
    if problem.groups is not None:
        groups = pd.Series(pd.factorize(train[problem.groups])[0], index=train.index)
        return InnerSplits(GroupKFold(_MAXIMUM, shuffle=True, random_state=0), groups)
    return None
