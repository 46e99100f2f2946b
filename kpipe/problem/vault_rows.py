"""Choose rows of train to set aside, in the way that test was split off: for a vault or a held-out part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kpipe.errors import UsageError
from kpipe.problem.cut_outs import PeriodEnds, TimeBlocks, block_numbers, phases
from kpipe.problem.problem import Problem
from kpipe.problem.times import read_times

__all__ = ["check_share", "draw_rows", "spread_rows"]

_MINIMUM = 20  # rows on either side: an estimate from fewer is not informative
_MIN_GROUPS = 5
_RARE = 5  # rows of a class; of rarer classes none are set aside
_LARGEST_SHARE = 0.5


def check_share(share: float) -> None:
    """Raise UsageError unless a share of train's rows is above 0 and at most 0.5.

    Parameters
    ----------
    share : float
    """
    if not 0 < share <= _LARGEST_SHARE:
        percent = f" For {share:g} %, write {share:g}%." if 1 <= share <= 100 * _LARGEST_SHARE else ""
        raise UsageError(
            f"--share must be above 0% and at most {_LARGEST_SHARE:.0%}; got "
            f"{_percent(share) if share < 1 else f'{share:.4g}'}.{percent}",
            code="invalid-value",
        )


def draw_rows(problem: Problem, share: float, *, seed: int = 0) -> tuple[np.ndarray, str]:
    """Draw rows of train as test was split off: by group, by time, or else stratified by target.

    Parameters
    ----------
    problem : Problem
        With all rows.
    share : float
        Share of train's rows to draw.
    seed : int
        Seed of the draw; rows by time do not depend on it.

    Returns
    -------
    rows : (m,) array of int
        Sorted positions; the same for the same files and seed.
    how : str
        A phrase that says how they were drawn.

    Raises
    ------
    UsageError
        If too few rows, groups or classes are set aside or left.
    """
    rows, how = _draw(problem, share, seed)
    _check_enough(problem, rows, share)
    return rows, how


def _draw(problem: Problem, share: float, seed: int) -> tuple[np.ndarray, str]:
    own = len(problem.y) - problem.tables.extra
    train, count = problem.tables.train.iloc[:own], round(share * own)
    if problem.groups is not None:
        rows = _draw_whole_groups(pd.factorize(train[problem.groups])[0], count, seed)
        return rows, f"whole groups of {problem.groups}"
    if (column := getattr(problem.splitter, "column", None)) is not None:
        return _draw_in_time(problem.splitter, read_times(train, column), count, seed)
    y = problem.y[:own] if problem.y.ndim == 1 else problem.y[:own, 0]
    if problem.labels is None:
        return spread_rows(y, count, seed=seed), "spread like the target"
    frequent = np.flatnonzero(np.bincount(y)[y] >= _RARE)
    rows = spread_rows(y[frequent], min(count, len(frequent)), seed=seed)
    return frequent[rows], "stratified by class"


def _draw_whole_groups(numbers: np.ndarray, count: int, seed: int) -> np.ndarray:
    """About ``count`` sorted rows: all rows of random groups. Negative numbers are not groups."""
    sizes = np.bincount(numbers[numbers >= 0])
    order = np.random.default_rng(seed).permutation(len(sizes))
    kept = order[: int(np.argmin(np.abs(np.cumsum(sizes[order]) - count))) + 1]
    return np.flatnonzero(np.isin(numbers, kept))


def _draw_in_time(splitter: Any, times: pd.Series, count: int, seed: int) -> tuple[np.ndarray, str]:
    """Rows that mirror test in time: the last ones, the ends of periods, or blocks."""
    name = splitter.column if isinstance(splitter.column, str) else " and ".join(splitter.column)
    if isinstance(splitter, TimeBlocks):
        numbers = np.full(len(times), -1)
        numbers[times.notna()] = pd.factorize(block_numbers(times.dropna(), splitter.block))[0]
        return _draw_whole_groups(numbers, count, seed), f"whole blocks of time by {name}"
    if isinstance(splitter, PeriodEnds):
        days = phases(times, splitter.period)
        start = np.sort(days[~np.isnan(days)])[-count:].min() if count else np.inf
        unit = "hour" if splitter.period == "day" else "day"
        return np.flatnonzero(days >= start), f"the ends of each {splitter.period} by {name}, from {unit} {start:g}"
    first = times.sort_values().dropna().iloc[-count:].min() if count else None
    return np.flatnonzero(times >= first), f"the last rows by {name}, from {first}"


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def _check_enough(problem: Problem, rows: np.ndarray, share: float) -> None:
    """Raise UsageError if too few rows, groups or classes are set aside or left."""
    count = len(problem.y) - problem.tables.extra
    left = np.setdiff1d(np.arange(count), rows)
    what = None
    for part, does, where in ((rows, "sets aside", ""), (left, "leaves", " to train on")):
        if len(part) < _MINIMUM:
            what = f"{does} {len(part)} of {count:,} rows{where}: at least {_MINIMUM} are needed"
        elif (groups := _count_groups(problem, part)) is not None and groups < _MIN_GROUPS:
            what = f"{does} {groups} groups of {problem.groups}{where}: at least {_MIN_GROUPS} are needed"
        elif problem.labels is not None and len(present := np.unique(problem.y[part])) < 2:
            rarest = int(np.bincount(problem.y.astype(int)).min())
            only = f"rows of the class {problem.labels[present[0]]} only{where}"
            what = f"{does} {only}: choose another share, at which each class has rows (the rarest has {rarest} in all)"
        if what is not None:
            raise UsageError(f"--share {_percent(share)} {what}.", code="vault-unsuitable")
    if problem.labels is not None and len(lost := np.setdiff1d(problem.y, problem.y[left])):
        raise UsageError(
            f"--share {_percent(share)} leaves no row of the class {problem.labels[lost[0]]} to train on: choose "
            "another share.",
            code="vault-unsuitable",
        )


def _count_groups(problem: Problem, rows: np.ndarray) -> int | None:
    return None if problem.groups is None else int(problem.tables.train[problem.groups].iloc[rows].nunique())


def spread_rows(values: np.ndarray, count: int, *, seed: int = 0) -> np.ndarray:
    """Draw rows whose values are distributed like those of all rows: systematic sampling of the sorted values.

    Parameters
    ----------
    values : (n,) array
        Class codes or numbers; rows with equal values are taken in a random order, the same at every call.
    count : int
    seed : int
        With 0, the middle row of each interval is taken, otherwise a random one.

    Returns
    -------
    (count,) array of int
        Sorted.

    Examples
    --------
    >>> values = np.repeat([0, 1], [80, 20])
    >>> np.bincount(values[spread_rows(values, 10)]).tolist()
    [8, 2]
    """
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.permutation(len(values)), values))
    if not seed:
        return np.sort(order[((np.arange(count) + 0.5) * len(values) / count).astype(int)])
    ends = (np.arange(count + 1) * len(values) / count).astype(int)  # whole rows: no row is in two intervals
    return np.sort(order[rng.integers(ends[:-1], ends[1:])])
