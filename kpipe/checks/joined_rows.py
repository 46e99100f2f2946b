"""Columns that belong to other rows: joined by position, or shifted by a row, in test or in a part of train.

Each column by itself looks normal, but columns that are otherwise correlated (a garage's size and the house's, an age
and whether someone is married) no longer are.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from kpipe.checks.folds import time_values
from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import ks_statistic, rank_correlation
from kpipe.core.values import Folds
from kpipe.data.column_types import is_pixel_table, to_numeric
from kpipe.data.dates import parse_dates
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "columns_joined_by_row"]

_ROWS, _MIN_ROWS = 30_000, 200  # the first rows of each table that are used, and the fewest
_COLUMNS, _PAIRS, _MAX_CATEGORIES = 80, 300, 50  # columns that are compared, pairs, and categories of one
_TOGETHER = 0.35  # correlation of ranks from which two columns belong together
# The range of a Brownian bridge exceeds this once in 30 million times (Kuiper's distribution).
_BRIDGE = 3.3
_LOST = 0.25  # share of the correlation that is left where rows are joined wrongly, at most
_FEW = 0.02  # share of train's rows of which half of the correlation may not come
_SHORTEST = 0.05  # share of the rows of such a stretch, at least
_ALIKE = 0.12  # Kolmogorov-Smirnov statistic between a column here and there: the column itself is as it should be
# Rows per category of a column that determines another; share of train's rows in which it does; share of test's in
# which it does otherwise; share of rows of the most frequent value of the other, at most.
_ROWS_PER_CATEGORY, _DETERMINED, _OTHERWISE, _MOSTLY = 3.0, 0.998, 0.05, 0.9
_SHIFTS = tuple(sign * by for by in range(1, 11) for sign in (1, -1))  # rows
_RESTORED = 0.7  # share of the correlation that comes back when a shift is undone


class _Break(NamedTuple):
    """A stretch of rows where two columns have nothing to do with each other. shift : by which they would again."""

    strength: float
    one: str
    two: str
    table: str
    start: int
    end: int
    rows: int
    here: float
    there: float
    shift: int


def columns_joined_by_row(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Columns that are correlated in some rows of the files and not in others; nothing if there are none.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    if is_pixel_table(problem.X) or min(len(problem.X), len(problem.X_test)) < _MIN_ROWS:
        return
    ours, theirs = _encode(problem.X.iloc[:_ROWS], problem.X_test.iloc[:_ROWS])
    names = list(ours)
    train, test = (np.column_stack(list(part.values())) if names else np.zeros((1, 0)) for part in (ours, theirs))
    broken = []
    for one, two, usual in _pairs(train):
        for table, values in (("train", train), ("test", test)):
            found = _find_break(values[:, [one, two]], train[:, [one, two]], usual, table=table)
            if found is not None:
                broken.append(found._replace(one=names[one], two=names[two]))
    if not broken:
        if (otherwise := _determined_otherwise(problem.X.iloc[:_ROWS], problem.X_test.iloc[:_ROWS])) is not None:
            yield "warn", otherwise
        return
    worst = max(broken, key=lambda one: (one.shift != 0, one.strength))
    yield _finding(worst, [one for one in broken if one.table == worst.table])


def _determined_otherwise(train: pd.DataFrame, test: pd.DataFrame) -> str | None:
    """A sentence about a column that another one determines in train, and otherwise in test; None without one."""
    columns = list(_categories(train, test))
    for given, one, one_test in columns:
        first = np.unique(one, return_index=True)[1]
        values, codes = np.unique(one, return_inverse=True)
        if len(one) < _ROWS_PER_CATEGORY * len(values):
            continue
        place = np.searchsorted(values, one_test).clip(max=len(values) - 1)
        known = values[place] == one_test
        for name, two, two_test in columns:
            if name.split(" of ")[-1] == given.split(" of ")[-1] or np.bincount(two).max() > _MOSTLY * len(two):
                continue
            if (two == two[first][codes]).mean() < _DETERMINED:
                continue
            odd = known & (two_test != two[first][place])
            if odd.sum() >= max(20, _OTHERWISE * len(odd)):
                row = int(np.flatnonzero(odd)[0]) + 1
                return (
                    f"{given} determines {name} in train, but {name} is another in {odd.sum():,} rows of test "
                    f"({odd.mean():.1%}; first: row {row}): it is encoded differently there, or belongs to other rows. "
                    "Compute it in the same way for both files in clean, and join tables by id."
                )
    return None


def _categories(train: pd.DataFrame, test: pd.DataFrame) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Columns of categories, and weekday, month and year of dates: their names, and codes in both tables."""
    for column in list(train)[:_COLUMNS]:
        both = pd.concat([train[column], test[column]], ignore_index=True)
        parts = {str(column): both}
        if not pd.api.types.is_numeric_dtype(both) and (dates := parse_dates(both)) is not None:
            parts = {
                f"the weekday of {column}": dates.dt.day_of_week,
                f"the month of {column}": dates.dt.month,
                f"the year of {column}": dates.dt.year,
            }
        for name, values in parts.items():
            codes = pd.factorize(values, use_na_sentinel=False)[0]
            if 2 <= len(np.unique(codes[: len(train)])) <= len(train) / _ROWS_PER_CATEGORY:
                yield name, codes[: len(train)], codes[len(train) :]


def _encode(train: pd.DataFrame, test: pd.DataFrame) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Columns of both tables as centred ranks among train's; categories as the mean of what they explain best."""
    ours: dict[str, np.ndarray] = {}
    theirs: dict[str, np.ndarray] = {}
    columns = [c for c in list(train)[:_COLUMNS] if time_values(train[c]) is None and train[c].nunique() > 1]
    numbers = {c: to_numeric(train[c]) for c in columns}
    for column in columns:
        values, other = numbers[column], to_numeric(test[column])
        if values is None or other is None or np.isnan(values).all() or train[column].nunique() <= 2:
            continue
        ordered = np.sort(values[~np.isnan(values)])
        for made, part in ((ours, values), (theirs, other)):
            place = (np.searchsorted(ordered, part) + np.searchsorted(ordered, part, side="right")) / 2
            made[str(column)] = np.where(np.isnan(part), 0.0, place / len(ordered) - 0.5)
    ranks = np.column_stack(list(ours.values())) if ours else np.zeros((len(train), 0))
    for column in columns:
        if str(column) not in ours and ranks.shape[1] and train[column].nunique() <= _MAX_CATEGORIES:
            codes, categories = pd.factorize(train[column], use_na_sentinel=False)
            counts = np.bincount(codes)
            means = np.column_stack([np.bincount(codes, weights=rank) / counts for rank in ranks.T])
            explained = (means[codes].var(axis=0)) / np.maximum(ranks.var(axis=0), 1e-12)
            by_category = dict(zip(categories, means[:, int(np.argmax(explained))], strict=True))
            ours[str(column)] = train[column].map(by_category).fillna(0.0).to_numpy(dtype=np.float64)
            theirs[str(column)] = test[column].map(by_category).fillna(0.0).to_numpy(dtype=np.float64)
    return ours, theirs


def _pairs(train: np.ndarray) -> list[tuple[int, int, float]]:
    """Pairs of columns that belong together, and their correlation."""
    varies = np.ptp(train, axis=0) > 0 if train.shape[1] else np.array([], dtype=bool)
    if varies.sum() < 2:
        return []
    places = np.flatnonzero(varies)
    correlation = np.corrcoef(train[:, places], rowvar=False)
    pairs = [
        (int(places[a]), int(places[b]), float(correlation[a, b]))
        for a, b in combinations(range(len(places)), 2)
        if abs(correlation[a, b]) >= _TOGETHER
    ]
    pairs.sort(key=lambda pair: -abs(pair[2]))
    return [
        (a, b, usual)
        for a, b, usual in pairs[:_PAIRS]
        if _of_many_rows(_products(train[:, [a, b]], train[:, [a, b]], usual))
    ]


def _products(pair: np.ndarray, train: np.ndarray, usual: float) -> np.ndarray:
    """(n,) the product of two columns in units of train's spread; their mean is the correlation."""
    return np.asarray(np.sign(usual) * (pair - train.mean(axis=0)).prod(axis=1) / train.std(axis=0).prod())


def _of_many_rows(products: np.ndarray) -> bool:
    """Whether a correlation is that of many rows: a few of rare categories may be missing elsewhere."""
    few = np.sort(products)[-max(1, round(_FEW * len(products))) :]
    return bool(few.sum() < products.sum() / 2)


def _find_break(pair: np.ndarray, train: np.ndarray, usual: float, *, table: str) -> _Break | None:
    """The rows of a table in which two columns have lost their correlation; None without such rows.

    pair : (n, 2) ranks in that table. train : (m, 2) those of train, which show what is usual.
    """
    products = _products(pair, train, usual)
    n = len(products)
    if table == "test":
        error = float(np.hypot(products.std() / np.sqrt(n), _products(train, train, usual).std() / np.sqrt(len(train))))
        lost = abs(usual) - float(products.mean())
        if products.mean() < _LOST * abs(usual) and lost > 2 * _BRIDGE * error:
            whole = np.ones(n, dtype=bool)
            return _as_break(pair, whole, table, lost / error, abs(usual)) if _alike(pair, train) else None
    bridge = np.concatenate([[0.0], np.cumsum(products - products.mean())]) / max(products.std() * np.sqrt(n), 1e-300)
    start, end = int(np.argmax(bridge)), int(np.argmin(bridge))
    strength = float(bridge[start] - bridge[end])
    bad = np.zeros(n, dtype=bool)
    bad[min(start, end) : max(start, end)] = True
    bad = bad if start < end else ~bad
    if strength < _BRIDGE or min(bad.sum(), (~bad).sum()) < max(_SHORTEST * n, _MIN_ROWS / 4):
        return None
    good = float(products[~bad].mean())
    if products[bad].mean() > _LOST * good or good < _TOGETHER or not _alike(pair[bad], pair[~bad]):
        return None
    return _as_break(pair, bad, table, strength, good)


def _alike(one: np.ndarray, two: np.ndarray) -> bool:
    return all(ks_statistic(np.sort(one[:, side]), np.sort(two[:, side])) < _ALIKE for side in (0, 1))


def _as_break(pair: np.ndarray, bad: np.ndarray, table: str, strength: float, good: float) -> _Break:
    rows = np.flatnonzero(bad)
    part = pair[rows]
    here = rank_correlation(part[:, 0], part[:, 1])
    restored = {by: abs(rank_correlation(part[:, 0], np.roll(part[:, 1], by))) for by in _SHIFTS if len(part) > 50}
    best = max(restored, key=lambda by: restored[by], default=0)
    shift = best if best and restored[best] > _RESTORED * good else 0
    return _Break(strength, "", "", table, int(rows[0]), int(rows[-1]), len(rows), here, good, shift)


def _finding(worst: _Break, broken: list[_Break]) -> Finding:
    names = [name for one in broken for name in (one.one, one.two)]
    often = max(dict.fromkeys(names), key=names.count)
    where = f"in {worst.rows:,} rows of {worst.table} (row {worst.start + 1} to row {worst.end + 1})"
    text = (
        f"{worst.one} and {worst.two} are correlated (rank correlation {worst.there:.2f}), except "
        f"{where}: there it is {worst.here:.2f}, although each column by itself looks normal."
    )
    if len(broken) > 1:
        text += f" The same holds for {len(broken)} pairs of columns; {often} is in {names.count(often)} of them."
    if worst.shift:
        by = f"{abs(worst.shift)} row{'s' * (abs(worst.shift) > 1)}"
        text += f" The correlation returns when one of them is shifted by {by}: they were joined {by} apart."
    fails = worst.shift != 0
    advice = "Values of other rows were joined to these rows: join tables by id, not by position, in clean or before."
    return "fail" if fails else "warn", f"{text} {advice}"


TABLE_CHECKS = (TableCheck("columns joined by row", columns_joined_by_row),)
