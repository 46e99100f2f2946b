"""Whether each test column holds the values of the train column of the same name, and not those of a neighbour.

If a table was read with its first column as the index, or an array was given the column names of another table, all
columns from there on are off by one. Nothing fails, but models predict from other columns than they were fitted on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import ks_statistic
from kpipe.core.values import Folds, Tables
from kpipe.data.column_types import is_pixel_table, to_numeric
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "column_alignment"]

_ROWS = 3_000  # of each table, that are compared
_SHIFTS = (1, -1, 2, -2, 3, -3)  # numbers of columns
_MIN_SHIFTED = 3  # columns in a row of which as many must resemble others
_MIN_TOGETHER = 10  # columns that may show together what none shows alone
_MATCHED = 0.9  # share of them that must resemble the column that they are said to be
# A shift must explain this share of the columns that differ, and its columns may resemble this share of the others.
_EXPLAINED, _ALIKE, _COMPARED = 0.7, 0.25, 12
_MIN_DISTANCE = 0.1  # from which two columns may count as swapped; smaller distances also come from drift
_NAMES_OF_STEPS = re.compile(
    r"(?i)(?<![a-z])(lag|prev\w*|ago|past|last|t|hour|day|week|month|quarter|year|date|time|step)s?(?![a-z])"
)
_IDENTIFYING, _KNOWN = 8, 0.2  # columns that identify a row, and share of test rows that must be rows of train
_PAIRS, _CORRELATED = 30, 0.3  # neighbouring columns that are compared, and mean correlation of a likely time window
_MIN_VALUES = 10  # of a column that can be recognised by its values: any two binary columns may be alike
# The Kolmogorov-Smirnov statistic that chance exceeds once in ten million times, for samples of n and m rows, over
# sqrt((n + m) / (n m)).
_CRITICAL = 2.9


class _Shift(NamedTuple):
    """Columns from ``start`` up to ``end`` (exclusive) of test hold the values of those ``by`` columns further on."""

    start: int
    end: int
    by: int


def column_alignment(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Check whether columns of test resemble the columns of train of the same name, or clearly resemble others.

    Columns are compared by the Kolmogorov-Smirnov statistic, categories by a hash.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    train, test = problem.tables.train, problem.tables.test
    # In the order of the file, including columns that models do not use: the missing one may be among these.
    columns = [c for c in train.columns if c in test.columns and c != problem.id]
    ours, theirs = (_sorted_samples(frame, columns) for frame in (train, test))
    limit = _CRITICAL * float(np.sqrt(1 / max(len(ours[0]), 1) + 1 / max(len(theirs[0]), 1))) if columns else 1.0
    distances = np.array([ks_statistic(one, two) for one, two in zip(ours, theirs, strict=True)])
    if (distances > 0.6 * limit).sum() >= 2:  # else not even many columns together would show it
        if (shift := _find_shift(ours, theirs, distances, limit)) is not None:
            yield _shift_finding(problem.tables, columns, shift)
            return
        if (swap := _find_swap(ours, theirs, distances, limit)) is not None:
            one, two = (columns[number] for number in swap)
            yield (
                "fail",
                f"In test, {one} has the values that {two} has in train, and {two} has those of {one}. Give the test "
                "columns their correct names.",
            )
            return
    yield "pass", "No column of test resembles a different column of train."


def _shift_finding(tables: Tables, columns: Sequence[str], shift: _Shift) -> Finding:
    start, end, by = shift
    where = f"{abs(by)} column{'s' * (abs(by) > 1)} {'further on' if by > 0 else 'before'}"
    detail = (
        f"Test is off by {abs(by)} from {columns[start]} to {columns[end - 1]}: {end - start} columns of test have the "
        f"values that train has {where}; for example, {columns[start]} of test resembles {columns[start + by]} of "
        "train. Check whether a column was read as the index, or names were assigned by position, and give the test "
        "columns their correct names."
    )
    if _may_be_time_window(tables, columns, shift):
        return "warn", f"{detail} If the columns are a time window that moved forward by one step, ignore this warning."
    return "fail", detail


def _may_be_time_window(tables: Tables, columns: Sequence[str], shift: _Shift) -> bool:
    """Whether the columns may be steps of time (lag1, lag2, ...), which in test are all one step further on.

    Either test rows are rows of train, moved; or the columns are numbered, and named after a time or correlated with
    their neighbours. Pixels are correlated too, but do not move on.
    """
    start, end, by = shift
    train, test = tables.train[columns[start + by : end + by]], tables.test[columns[start:end]]
    if is_pixel_table(test):
        return False
    if _same_rows(train, test):
        return True
    stems = {re.sub(r"\d+", "", str(column)) for column in columns[start:end]}
    if len(stems) > 1:
        return False
    return _NAMES_OF_STEPS.search(stems.pop()) is not None or _neighbours_correlated(train)


def _same_rows(train: pd.DataFrame, test: pd.DataFrame) -> bool:
    """Whether rows of test are rows of train, whatever the names of their columns."""
    ours, theirs = np.zeros(len(train), dtype=np.uint64), np.zeros(len(test), dtype=np.uint64)
    for one, two in zip(train.columns[:_IDENTIFYING], test.columns[:_IDENTIFYING], strict=True):
        for sums, column in ((ours, train[one]), (theirs, test[two])):
            numbers = to_numeric(column)
            cells = column.astype(str).to_numpy(dtype=object) if numbers is None else numbers
            sums[:] = sums * np.uint64(31) + pd.util.hash_array(cells)
    distinct = len(np.unique(ours)) >= _MATCHED * len(ours)  # rows of a few binary columns are equal by chance
    return bool(distinct and np.isin(theirs, ours).mean() >= _KNOWN)


def _neighbours_correlated(frame: pd.DataFrame) -> bool:
    numbers = [to_numeric(frame[column].iloc[:_ROWS]) for column in frame.columns[:_PAIRS]]
    if any(values is None for values in numbers):
        return False
    correlations = [pd.Series(one).corr(pd.Series(two)) for one, two in pairwise(numbers)]
    return bool(np.nanmean(correlations) >= _CORRELATED) if not np.isnan(correlations).all() else False


def _find_shift(
    ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], distances: np.ndarray, limit: float
) -> _Shift | None:
    """The stretch of columns that gains most by a shift; None if no shift explains the distances."""
    count, found = len(distances), []
    for by in _SHIFTS:
        moved = np.full(count, np.inf)
        for number in range(max(0, -by), min(count, count - by)):
            moved[number] = ks_statistic(ours[number + by], theirs[number])
        gain = np.where(np.isinf(moved), -10.0, distances - np.minimum(moved, 1.0))
        start, end = _best_stretch(gain)
        within = slice(start, end)
        matched = (moved[within] <= limit).mean() if end > start else 0.0
        clear = int(((distances[within] > limit) & (moved[within] <= limit)).sum()) >= _MIN_SHIFTED
        together = _clear_together(distances[within], moved[within], limit)
        if clear and not together and not _explains(ours, theirs, (start, end, by), distances, limit):
            continue  # a real shift of test makes many columns differ, and some resemble another by chance
        if matched >= _MATCHED and (clear or together):
            found.append((float(gain[within].sum()), _Shift(*_widen(start, end, moved <= 0.6 * limit), by)))
    return max(found)[1] if found else None


def _explains(
    ours: Sequence[np.ndarray],
    theirs: Sequence[np.ndarray],
    shift: tuple[int, int, int],
    distances: np.ndarray,
    limit: float,
) -> bool:
    """Whether a shift explains most columns that differ, and their values are those of one column rather than of many.

    Columns of test resemble others of train by chance where all are alike, such as ratings from 1 to 5.
    """
    start, end, by = shift
    differ = np.flatnonzero(distances > limit)
    inside = differ[(differ >= start) & (differ < end)]
    if len(inside) < _EXPLAINED * len(differ):
        return False
    alike, compared = 0, 0
    for number in inside[:_COMPARED]:
        others = [other for other in range(len(ours)) if other not in (number, number + by)][:_COMPARED]
        alike += sum(ks_statistic(ours[other], theirs[number]) <= limit for other in others)
        compared += len(others)
    return alike <= _ALIKE * compared


def _widen(start: int, end: int, possible: np.ndarray) -> tuple[int, int]:
    """The stretch extended to the first or the last column, if all columns up to there may be shifted as well."""
    last = len(possible) - 1
    widened = last if possible[end:-1].all() and end < len(possible) else end
    return 0 if possible[:start].all() else start, widened


def _clear_together(distances: np.ndarray, moved: np.ndarray, limit: float) -> bool:
    """Whether many columns show together, as the pixels of an image do, what none of them shows alone."""
    informative = distances != moved
    if informative.sum() < _MIN_TOGETHER:
        return False
    gain, left = (distances - moved)[informative], float(moved[informative].mean())
    # Between equal distributions the distance is 0.87 / 2.9 of the limit on average (Kolmogorov's distribution).
    return bool((gain > 0).mean() >= _MATCHED and gain.mean() > max(0.02, 0.5 * left) and left < 0.45 * limit)


def _best_stretch(gain: np.ndarray) -> tuple[int, int]:
    """Where the sum of consecutive values is greatest (Kadane's algorithm).

    >>> _best_stretch(np.array([-1.0, 2.0, -0.5, 3.0, -4.0, 1.0]))
    (1, 4)
    """
    sums = np.concatenate([[0.0], np.cumsum(gain)])
    lowest = np.minimum.accumulate(sums)
    end = int(np.argmax(sums - lowest))
    return int(np.argmin(sums[: end + 1])), end


def _find_swap(
    ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], distances: np.ndarray, limit: float
) -> tuple[int, int] | None:
    """Two columns that resemble each other across the tables, and not themselves."""
    candidates = [int(n) for n in np.flatnonzero(distances > max(limit, _MIN_DISTANCE))]
    candidates = [n for n in candidates if len(np.unique(ours[n])) >= _MIN_VALUES]
    for place, one in enumerate(candidates[:60]):
        for two in candidates[place + 1 : 60]:
            if max(ks_statistic(ours[one], theirs[two]), ks_statistic(ours[two], theirs[one])) <= limit:
                return one, two
    return None


def _sorted_samples(frame: pd.DataFrame, columns: Sequence[str]) -> list[np.ndarray]:
    """The sorted values of each column, missing values first, categories as numbers far from all others."""
    rows = np.sort(np.random.default_rng(0).permutation(len(frame))[:_ROWS])
    return [_sorted_values(frame[column].iloc[rows]) for column in columns]


def _sorted_values(column: pd.Series) -> np.ndarray:
    numbers = to_numeric(column)
    if numbers is None:
        hashed = pd.util.hash_array(column.astype(str).to_numpy(dtype=object)).astype(np.float64)
        numbers = np.where(column.isna(), np.nan, 1e200 * (1 + hashed))
    return np.sort(np.where(np.isnan(numbers), -np.inf, numbers))


TABLE_CHECKS = (TableCheck("column alignment", column_alignment),)
