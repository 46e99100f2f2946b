"""Columns that reveal the targets of a group's rows: their mean, or their order within the group.

A mean of the target by town, computed before there are folds, holds the target of the validation rows; so does a
column that says which of a lot's rows came first by the target. Neither tells much over the whole table.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from shlex import quote

import numpy as np
import pandas as pd

from kpipe.checks.binning import bin_column
from kpipe.checks.class_leakage import MAX_CLASSES
from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import hash_values
from kpipe.core.values import Folds
from kpipe.data.column_types import is_pixel_table, to_numeric
from kpipe.data.dates import is_named_after_time
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "mean_by_value", "target_in_groups"]

_ROWS = 30_000  # rows of a large table that are used, about; groups stay whole
_NUMBERS, _RANKED, _GROUPS, _CLASSES = 300, 40, 3, 5  # columns and classes that are examined, at most
_MAX_PER_GROUP, _MIN_PER_GROUP, _MIN_MEANS = 200, 1.5, 20  # rows of a group, and groups
# Square of the distance of means from a line, relative to what chance makes of means of so few rows; and how many means
# are equal to the column's values, up to rounding.
_CLOSER_THAN_CHANCE, _EQUAL = 0.001, 0.98
# Neighbours within a group that are in the target's order, and their number; and those that stay in that order when the
# target's residuals are permuted, up to which no legitimate column explains it.
_ORDERED, _MIN_PAIRS, _STAYS = 0.99, 40, 0.9
_MIN_ROWS, _GROWS = 100, 0.95  # rows of a table; share of neighbours in the file of a column that grows down it


def target_in_groups(problem: Problem, _: Folds) -> Iterator[Finding]:
    """A column that holds the mean of the target by groups, or the target's order within groups; nothing without.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    X, name = problem.X, problem.targets[0]
    if len(problem.targets) > 1 or is_pixel_table(X) or len(X) < _MIN_ROWS:
        return
    targets = list(_targets(problem))
    numbers = {c: v for c in list(X)[:_NUMBERS] if (v := to_numeric(X[c])) is not None and X[c].nunique() > 2}
    for column, values in numbers.items():
        rows = _whole_groups(X[column])
        for y, of_what in targets:
            if (means := mean_by_value(values[rows], y[rows])) is not None:
                yield (
                    "fail",
                    f"{column} is {of_what} of the rows that share its value ({means:,} values): it was computed from "
                    "all rows, so it contains the targets of validation rows, and is less accurate for test rows. "
                    "Compute it in `features`, which is fitted on the training rows of each fold, or drop it (--drop "
                    f"{quote(str(column))}).",
                )
                return
    if (found := _ordered(problem, numbers, targets)) is not None:
        column, group, share = found
        yield (
            "warn",
            f"{column} orders the rows of each {group} by {name} ({share:.1%} of neighbours), although it hardly "
            f"predicts {name} itself. Unless {column} is a time, along which {name} grows, it was computed from the "
            "target, which will not be known for test rows: find out where its values come from, or drop it (--drop "
            f"{quote(str(column))}).",
        )


def _targets(problem: Problem) -> Iterator[tuple[np.ndarray, str]]:
    """The target as numbers, or whether it is each class; and what a mean of it is called."""
    name = problem.targets[0]
    y = problem.tables.train[name]
    if problem.task == "regression":
        yield y.to_numpy(dtype=np.float64), f"the mean {name}"
        return
    codes, labels = pd.factorize(y, sort=True)
    for code in range(len(labels))[-1 if len(labels) == 2 else -_CLASSES :] if len(labels) <= MAX_CLASSES else ():
        yield (codes == code).astype(np.float64), f"the share of {name} {labels[code]}"


def mean_by_value(values: np.ndarray, y: np.ndarray) -> int | None:
    """Number of values of a column that are the mean of a target over the rows with that value; None if they are not.

    Parameters
    ----------
    values, y : (n,) array of float

    Returns
    -------
    int or None
        Also where they are a multiple of that mean.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> towns, y = rng.integers(0, 50, 300), rng.normal(size=300)
    >>> means = pd.Series(y).groupby(towns).transform("mean").to_numpy()
    >>> mean_by_value(means, y), mean_by_value(towns.astype(float), y)
    (50, None)
    """
    known = ~np.isnan(values)
    distinct, codes, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    means = np.bincount(codes, weights=y[known]) / counts
    several = (counts >= 2) & (counts <= max(_MAX_PER_GROUP, len(values) / _MIN_MEANS))
    if several.sum() < _MIN_MEANS or not np.ptp(means[several]):
        return None
    variance = float(((y[known] - means[codes]) ** 2).sum() / max(len(codes) - len(distinct), 1))
    by_chance = variance / counts[several]
    if variance <= 1e-6 * y.var():  # all rows of a value have one target: the column contains it by itself
        return None
    of_values, of_means = distinct[several], means[several]
    rounding = 0.5 * 10.0 ** -_decimals(of_values) + 1e-9 * np.abs(of_values)
    equal = (np.abs(of_values - of_means) <= rounding) & (rounding**2 < by_chance / 4)
    if equal.mean() >= _EQUAL:
        return int(several.sum())
    slope, intercept = np.polyfit(of_values, of_means, 1)
    distance = ((of_means - slope * of_values - intercept) ** 2 / by_chance).mean()
    return int(several.sum()) if distance < _CLOSER_THAN_CHANCE else None


def _decimals(numbers: np.ndarray) -> int:
    return next((d for d in range(10) if np.allclose(np.round(numbers, d), numbers, rtol=0, atol=1e-12)), 12)


def _ordered(
    problem: Problem, numbers: dict[Hashable, np.ndarray], targets: list[tuple[np.ndarray, str]]
) -> tuple[Hashable, Hashable, float] | None:
    """A column, the groups within which it has the order of the target, and the share of neighbours in that order."""
    X = problem.X
    groups: list[Hashable] = [problem.groups] if problem.groups is not None else []
    groups += [c for c in X if c not in groups and _is_group(X[c])]
    for group in groups[:_GROUPS]:
        by = problem.tables.train[group]
        rows = _whole_groups(by)
        codes = pd.factorize(by.iloc[rows])[0]
        for column, values in list(numbers.items())[-_RANKED:]:
            if column == group or is_named_after_time(X[column]) or _in_order_of_file(codes, values[rows]):
                continue
            for y, _ in targets:
                share = _share_in_order(codes, values[rows], y[rows])
                if share is not None:
                    return column, group, share
    return None


def _in_order_of_file(codes: np.ndarray, values: np.ndarray) -> bool:
    """Whether a column grows down the file within groups, as a time does."""
    order = np.argsort(codes, kind="stable")
    codes, values = codes[order], values[order]
    neighbours = codes[1:] == codes[:-1]
    return bool((np.diff(values) >= 0)[neighbours].sum() >= _GROWS * neighbours.sum())


def _whole_groups(by: pd.Series) -> np.ndarray:
    """Rows that are used of a large table: all rows of some of the values."""
    if len(by) <= _ROWS:
        return np.arange(len(by))
    return np.flatnonzero(hash_values(by) % np.uint64(1 << 20) < np.uint64((1 << 20) * _ROWS // len(by)))


def _is_group(column: pd.Series) -> bool:
    """Whether a column has a few rows per value, and its values may be names."""
    if pd.api.types.is_float_dtype(column):
        return False
    return bool(max(_MIN_PER_GROUP, 2) <= len(column) / max(column.nunique(), 1) <= _MAX_PER_GROUP)


def _share_in_order(codes: np.ndarray, values: np.ndarray, y: np.ndarray) -> float | None:
    """Share of neighbours by a column, within groups, whose targets are in one and the same order.

    None for few neighbours, and where an honest column explains their order: then it stays when what the column leaves
    unexplained is given to other rows.
    """
    order = np.lexsort((np.random.default_rng(0).random(len(y)), values, codes))  # equal values in any order
    codes, values, y = codes[order], values[order], y[order]
    pairs = (codes[1:] == codes[:-1]) & (values[1:] > values[:-1]) & (y[1:] != y[:-1])
    if pairs.sum() < _MIN_PAIRS:
        return None
    up = float((y[1:] > y[:-1])[pairs].mean())
    if max(up, 1 - up) < _ORDERED:
        return None
    within = pd.Series(y).groupby(codes)
    relative = (y - within.transform("mean")) / within.transform("std", ddof=0).replace(0.0, 1.0)
    explained = relative.groupby(bin_column(pd.Series(values), values).codes).transform("mean").to_numpy()
    rest = np.random.default_rng(0).permutation(relative.to_numpy() - explained)
    honest = float((np.diff(explained + rest) > 0)[pairs].mean())
    return max(up, 1 - up) if max(honest, 1 - honest) < _STAYS else None


TABLE_CHECKS = (TableCheck("target in groups", target_in_groups),)
