"""Columns that contain the target: the target itself, a near-copy of it, or its values in some of the rows.

Each column is examined by itself, on a sample of train: what its values say about the target of other rows. A feature
may be strong, but not certain. If its values are certain about some rows, with no gradual transition to what they say
about the others, then the target was written into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

import numpy as np
import pandas as pd

from kpipe.checks.binning import Evidence, bin_column
from kpipe.checks.class_leakage import MAX_CLASSES, find_class_leak
from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.number_leakage import find_number_leak, find_rank_leak, is_in_order
from kpipe.checks.statistics import scaled_ranks
from kpipe.core.values import Folds
from kpipe.data.column_types import to_numeric
from kpipe.problem.blocks import time_column
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "Leak", "find_leaks", "target_leakage"]

_CELLS, _MIN_ROWS, _MAX_ROWS = 5_000_000, 4_000, 30_000  # size of the sample
_FOLDS = 4
_MIN_SURE = 200  # rows from which an order without error is sure
_ROWS_OF_SERIES, _KNOWN = 5, 0.95  # least rows per series, and share of test's rows of known series
_TARGETS = 10  # that are examined, of several


@dataclass(frozen=True)
class Leak:
    """A column that contains the target.

    Attributes
    ----------
    column, target : str
    sure : bool
        Whether nothing else explains it.
    rows : int
        Number of rows of the sample whose target the column contains.
    evidence : str
        The predicate of a sentence whose subject is the column.
    """

    column: str
    target: str
    sure: bool
    rows: int
    evidence: str


def target_leakage(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Check whether a column that models use is the target, a near-copy of it, or contains it in some rows.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    columns = [c for c in problem.columns if c not in problem.targets]
    rows = _sample_rows(len(problem.tables.train), len(columns))
    X = problem.tables.train[columns].iloc[rows]
    leaks: list[Leak] = []
    for name in problem.targets[:_TARGETS]:
        y = problem.tables.train[name].iloc[rows]
        found = find_leaks(X, y, classification=problem.task == "classification")
        leaks.extend(leak for leak in found if leak.sure or not _names_series(problem, leak.column))
    if not leaks:
        yield "pass", "No column contains the target, not even in some of the rows."
        return
    leaks.sort(key=lambda leak: (-leak.sure, -leak.rows))
    first = leaks[0]
    others = list(dict.fromkeys(leak.column for leak in leaks if leak.column != first.column))
    more = f" Other such columns: {', '.join(others[:3])}." if others else ""
    yield (
        "fail" if any(leak.sure for leak in leaks) else "warn",
        f"{first.column} {first.evidence}.{more} Models copy it, but it will not be known for test rows: find out "
        f"where its values come from, or drop it (--drop {quote(first.column)}).",
    )


def _names_series(problem: Problem, column: str) -> bool:
    """Whether a column names series that go on in test, such as counties: their levels are known in later rows."""
    if time_column(problem.splitter) is None:
        return False
    train, test = problem.tables.train[column], problem.tables.test[column]
    if train.dtype.kind == "f":
        return False
    return train.nunique() <= len(train) / _ROWS_OF_SERIES and test.isin(train.unique()).mean() >= _KNOWN


def _sample_rows(rows: int, columns: int) -> np.ndarray:
    most = int(np.clip(_CELLS // max(columns, 1), _MIN_ROWS, _MAX_ROWS))
    return np.sort(np.random.default_rng(0).permutation(rows)[:most])


def find_leaks(X: pd.DataFrame, y: pd.Series, *, classification: bool) -> Iterator[Leak]:
    """The columns of X that contain y.

    Parameters
    ----------
    X : DataFrame
        (n, columns) features.
    y : Series
        (n,) target.
    classification : bool
        Whether y holds classes; else numbers.

    Yields
    ------
    Leak
    """
    classes, names = pd.factorize(y, sort=True)
    labels = [str(label) for label in names]
    fold = np.random.default_rng(0).permutation(len(X)) % _FOLDS
    numbers = None if classification else y.to_numpy(dtype=np.float64)
    ranks = None if numbers is None else scaled_ranks(numbers)
    target = str(y.name)
    for column in X.columns:
        values = to_numeric(X[column])
        binned = bin_column(X[column], values)
        found = None
        if numbers is not None and ranks is not None:
            found = find_rank_leak(binned.codes, ranks, fold, target)
            if values is not None and (found is None or not found.sure):
                found = _surer(found, find_number_leak(values, numbers, target))
            if found is not None and not found.sure and len(X) >= _MIN_SURE and values is not None:
                found = found._replace(sure=is_in_order(values, numbers))
        if found is None and len(labels) <= MAX_CLASSES:
            found = find_class_leak(binned, classes, fold, labels, target=target, columns=X.shape[1])
        if found is not None:
            yield Leak(str(column), target, found.sure, found.rows, found.text)


def _surer(one: Evidence | None, two: Evidence | None) -> Evidence | None:
    return two if one is None or (two is not None and two.sure) else one


TABLE_CHECKS = (TableCheck("target leakage", target_leakage),)
