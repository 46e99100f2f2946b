"""Whether a column of test holds what train has under the same name, and not its neighbour's values.

A frame read with its first column as the index, or an array given another frame's names, is one column off from there
on: everything runs, and every prediction is of other columns than the model knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from kpipe.core.values import Check, Tables
from kpipe.data.column_types import is_pixel_table, to_numeric
from kpipe.problem.problem import Problem

__all__ = ["columns_in_order", "distance"]

_ROWS = 3_000  # of each table that are looked at
_SHIFTS = (1, -1, 2, -2, 3, -3)  # by how many columns
_FEWEST_SHIFTED = 3  # columns in a row, of which as many must look like others'
_FEWEST_TOGETHER = 10  # columns that may say together what none says alone
_MATCHED = 0.9  # of them must look like the column that they are said to be
_APART = 0.1  # distance from which two columns are said to be swapped; smaller ones also drift
_STEPS = re.compile(
    r"(?i)(?<![a-z])(lag|prev\w*|ago|past|last|t|hour|day|week|month|quarter|year|date|time|step)s?(?![a-z])"
)
_TELLING, _KNOWN = 8, 0.2  # columns by which a row is known, and share of test's rows that are
_PAIRS, _ALIKE = 30, 0.3  # of neighbours that are looked at, and their correlation from which a window is likely
_FEWEST_VALUES = 10  # of a column that can be told by its values: any two columns of yes and no may look alike
# Kolmogorov and Smirnov's distance that chance exceeds once in ten million times, for samples of n and m rows, over
# sqrt((n + m) / (n m)).
_CHANCE = 2.9


def columns_in_order(problem: Problem) -> Check:
    """Whether columns of test look like those of train of the same name, or clearly like others.

    Columns are held against each other by Kolmogorov and Smirnov's distance, labels by a number made of their letters.
    """
    name = "column alignment"
    # In the order of the file, those that models do not see between them: it is there that one is missed.
    columns = [c for c in problem.tables.train.columns if c in problem.tables.test.columns and c != problem.id]
    ours, theirs = (_sorted(frame, columns) for frame in (problem.tables.train, problem.tables.test))
    chance = _CHANCE * float(np.sqrt(1 / max(len(ours[0]), 1) + 1 / max(len(theirs[0]), 1))) if columns else 1.0
    alone = np.array([distance(one, two) for one, two in zip(ours, theirs, strict=True)])
    if (alone > 0.6 * chance).sum() >= 2:  # else not even many columns together would say it
        if (shifted := _shifted(ours, theirs, alone, chance)) is not None:
            detail = _said(columns, *shifted)
            if _may_be_a_window(problem.tables, columns, *shifted):
                detail += " Or is it a window that moved on by a step, as that of the next month? Then all is well."
                return Check(name=name, status="warn", detail=detail)
            return Check(name=name, status="fail", detail=detail)
        if (swapped := _swapped(ours, theirs, alone, chance)) is not None:
            one, two = (columns[number] for number in swapped)
            detail = (
                f"In test, {one} holds what train has under {two}, and {two} what train has under {one}. "
                "Give the columns of test their own names."
            )
            return Check(name=name, status="fail", detail=detail)
    detail = "No column of test looks like another column of train than its own."
    return Check(name=name, status="pass", detail=detail)


def _said(columns: Sequence[object], start: int, end: int, shift: int) -> str:
    which = f"{abs(shift)} column{'s' * (abs(shift) > 1)} {'further on' if shift > 0 else 'before'}"
    return (
        f"Test is off by {abs(shift)} from {columns[start]} to {columns[end - 1]}: {end - start} columns of test hold "
        f"what train has {which}; test's {columns[start]} looks like train's {columns[start + shift]}. Was a column "
        "read as the index, or were names given by position? Give test's columns their own names."
    )


def _may_be_a_window(tables: Tables, columns: Sequence[str], start: int, end: int, shift: int) -> bool:
    """Whether the columns may be steps of time (lag1, lag2, ...), which in test are all one step further on.

    Either test's rows are rows of train, moved; or the columns are numbered, and called a time or alike to neighbours.
    Bytes are pixels, which are alike as well and do not move on.
    """
    train, test = tables.train[columns[start + shift : end + shift]], tables.test[columns[start:end]]
    if is_pixel_table(test):
        return False
    if _same_rows(train, test):
        return True
    stems = {re.sub(r"\d+", "", str(column)) for column in columns[start:end]}
    if len(stems) > 1:
        return False
    return _STEPS.search(stems.pop()) is not None or _neighbours_alike(train)


def _same_rows(train: pd.DataFrame, test: pd.DataFrame) -> bool:
    """Whether rows of test are rows of train, whatever their columns are called."""
    ours, theirs = np.zeros(len(train), dtype=np.uint64), np.zeros(len(test), dtype=np.uint64)
    for one, two in zip(train.columns[:_TELLING], test.columns[:_TELLING], strict=True):
        for sums, column in ((ours, train[one]), (theirs, test[two])):
            numbers = to_numeric(column)
            cells = column.astype(str).to_numpy(dtype=object) if numbers is None else numbers
            sums[:] = sums * np.uint64(31) + pd.util.hash_array(cells)
    different = len(np.unique(ours)) >= _MATCHED * len(ours)  # rows of a few yes and no are the same by chance
    return bool(different and np.isin(theirs, ours).mean() >= _KNOWN)


def _neighbours_alike(frame: pd.DataFrame) -> bool:
    numbers = [to_numeric(frame[column].iloc[:_ROWS]) for column in frame.columns[:_PAIRS]]
    if any(values is None for values in numbers):
        return False
    apart = [pd.Series(one).corr(pd.Series(two)) for one, two in pairwise(numbers)]
    return bool(np.nanmean(apart) >= _ALIKE) if not np.isnan(apart).all() else False


def _shifted(
    ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], alone: np.ndarray, chance: float
) -> tuple[int, int, int] | None:
    """(first column, one past the last, by how many columns) of the stretch that gains most by a shift."""
    count, found = len(alone), []
    for shift in _SHIFTS:
        moved = np.full(count, np.inf)
        for number in range(max(0, -shift), min(count, count - shift)):
            moved[number] = distance(ours[number + shift], theirs[number])
        gain = np.where(np.isinf(moved), -10.0, alone - np.minimum(moved, 1.0))
        start, end = _best_stretch(gain)
        within = slice(start, end)
        matched = (moved[within] <= chance).mean() if end > start else 0.0
        clear = int(((alone[within] > chance) & (moved[within] <= chance)).sum()) >= _FEWEST_SHIFTED
        if matched >= _MATCHED and (clear or _together(alone[within], moved[within], chance)):
            found.append((float(gain[within].sum()), *_widened(start, end, moved <= 0.6 * chance), shift))
    return max(found)[1:] if found else None


def _widened(start: int, end: int, possible: np.ndarray) -> tuple[int, int]:
    """The stretch from the first column or to the last, where all columns up to there may be shifted as well."""
    return 0 if possible[:start].all() else start, len(possible) - 1 if possible[end:-1].all() and end < len(
        possible
    ) else end


def _together(alone: np.ndarray, moved: np.ndarray, chance: float) -> bool:
    """Whether many columns say together, as the pixels of a picture do, what none of them could say alone."""
    telling = alone != moved
    if telling.sum() < _FEWEST_TOGETHER:
        return False
    gain, left = (alone - moved)[telling], float(moved[telling].mean())
    # Of equally drawn columns the distance is 0.87 / 2.9 of ``chance`` on average (Kolmogorov's distribution).
    return bool((gain > 0).mean() >= _MATCHED and gain.mean() > max(0.02, 0.5 * left) and left < 0.45 * chance)


def _best_stretch(gain: np.ndarray) -> tuple[int, int]:
    """Where the sum of consecutive values is greatest (Kadane's algorithm).

    >>> _best_stretch(np.array([-1.0, 2.0, -0.5, 3.0, -4.0, 1.0]))
    (1, 4)
    """
    sums = np.concatenate([[0.0], np.cumsum(gain)])
    lowest = np.minimum.accumulate(sums)
    end = int(np.argmax(sums - lowest))
    return int(np.argmin(sums[: end + 1])), end


def _swapped(
    ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], alone: np.ndarray, chance: float
) -> tuple[int, int] | None:
    """Two columns that look like each other, and not like themselves."""
    telling = [
        n for n in map(int, np.flatnonzero(alone > max(chance, _APART))) if len(np.unique(ours[n])) >= _FEWEST_VALUES
    ]
    for place, one in enumerate(telling[:60]):
        for two in telling[place + 1 : 60]:
            if max(distance(ours[one], theirs[two]), distance(ours[two], theirs[one])) <= chance:
                return one, two
    return None


def _sorted(frame: pd.DataFrame, columns: Sequence[str]) -> list[np.ndarray]:
    """Each column's values in order, gaps first, labels as numbers far from all others."""
    rows = np.sort(np.random.default_rng(0).permutation(len(frame))[:_ROWS])
    return list(_values(frame[columns].iloc[rows]))


def _values(frame: pd.DataFrame) -> Iterator[np.ndarray]:
    for column in frame.columns:
        numbers = to_numeric(frame[column])
        if numbers is None:
            hashed = pd.util.hash_array(frame[column].astype(str).to_numpy(dtype=object)).astype(np.float64)
            numbers = np.where(frame[column].isna(), np.nan, 1e200 * (1 + hashed))
        yield np.sort(np.where(np.isnan(numbers), -np.inf, numbers))


def distance(one: np.ndarray, two: np.ndarray) -> float:
    """Kolmogorov and Smirnov's: the greatest difference of the two shares of values up to a value; both sorted.

    >>> distance(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    1.0
    """
    if not len(one) or not len(two):
        return 0.0
    at = np.concatenate([one, two])
    shares = [np.searchsorted(values, at, side="right") / len(values) for values in (one, two)]
    return float(np.abs(shares[0] - shares[1]).max())
