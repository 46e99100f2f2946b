"""The layout of test in time relative to train, and splitters that mirror it: after, at ends of periods, in blocks."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kpipe.core.values import Splitter
from kpipe.problem.cut_outs import Period, PeriodEnds, TimeBlocks, block_numbers, phases
from kpipe.problem.inference.time_lengths import (
    format_span,
    gap_between,
    half_of_span,
    length_between,
    n_horizons,
    plain_length,
    usual_step,
)
from kpipe.problem.splitters import ByTime
from kpipe.problem.times import TimeColumn

__all__ = ["Layout", "layout_after", "layout_between"]

_LEAST_TRAINED = 1 / 3  # of a horizon, which the first fold must have to train on
_MAX_FOLDS, _MAX_SMALL_FOLDS = 5, 20  # more than five only if horizons have few rows
_ENOUGH_ROWS = 100  # that all folds together should validate
_FEW_HORIZONS = 3  # with so few, differences between horizons cannot be estimated
_OUTLIERS = 0.01  # share of test that may deviate from the layout
_UNITS = {"day": "D", "week": "W", "month": "M", "year": "Y"}
_NAMES: dict[Period, str] = {"month": "day", "week": "day", "year": "day", "day": "hour"}
_MIN_PERIODS: dict[Period, int] = {"month": 3, "week": 3, "year": 2, "day": 3}
_MUCH_LONGER = 2.0  # runs of test dates are blocks if they are this many times longer than by chance
_MIN_TIMES = 5
_ROWS_PER_DATE = 1.5  # from this number on, whole dates and not rows were drawn


class Layout(NamedTuple):
    """The layout of test in time relative to train.

    Attributes
    ----------
    splitter : Splitter
        Its folds mirror the layout.
    text : str
        Describes the layout and the folds for the user.
    """

    splitter: Splitter
    text: str


def layout_after(column: TimeColumn, train: pd.Series, test: pd.Series, *, end: Any = None) -> Layout:
    """The layout of a test set that comes after train: folds validate periods as long as test, after the same gap.

    The number of folds is the number of such periods in train, without the first, which is only trained on, and at most
    five. If train is shorter than two periods, a single fold validates at most its second half.

    Parameters
    ----------
    column : str or tuple of str
    train, test : Series
        (n,) and (m,) datetime64 or numbers.
    end : Timestamp or float, optional
        The end of train, if rows that are locked away come after ``train``.

    Returns
    -------
    Layout
    """
    name, later = _name(column), test[test >= train.quantile(1 - _OUTLIERS, interpolation="lower")]
    step = usual_step(train)
    horizon, gap = length_between(later.min(), later.max(), step), gap_between(train, later, step, end=end)
    text = f"by {name}, test comes after train: {format_span(later)}"
    text += "" if gap is None else f", after a gap of {_words(gap, name)}"
    fitting = n_horizons(train, horizon, gap, step) - 1
    if fitting < _LEAST_TRAINED:
        longest = half_of_span(train)
        text += (
            f". Train is too short to validate {_words(horizon, name)}, so one fold validates its last "
            f"{_words(longest, name)}: expect a worse score on test, which reaches further ahead"
        )
        return Layout(ByTime(column, 1, horizon=longest), text)
    count = _n_folds(fitting, rows=len(train))
    text += f". Each fold validates {_words(horizon, name)} and trains on the rows before "
    text += "it" if gap is None else "the gap"
    if count <= _FEW_HORIZONS:
        text += (
            f"; train has only {count} such period{'s' * (count > 1)} to validate, which says little about how the "
            "score varies between periods"
        )
    return Layout(ByTime(column, count, horizon=horizon, gap=gap), text)


def _n_folds(fitting: float, *, rows: int) -> int:
    """The number of horizons after the first; at most five, or more if horizons have few rows."""
    most = min(_MAX_SMALL_FOLDS, max(_MAX_FOLDS, math.ceil(_ENOUGH_ROWS * (fitting + 1) / rows)))
    return max(1, min(most, math.floor(fitting + 0.02)))


def layout_between(column: TimeColumn, train: pd.Series, test: pd.Series) -> Layout | None:
    """The layout of a test set that was cut out of train's time: the ends of periods, blocks, or whole dates.

    Parameters
    ----------
    column : str or tuple of str
    train, test : Series
        (n,) and (m,) datetime64.

    Returns
    -------
    Layout or None
        None if rows were drawn individually, so that test and train share dates, or if each date has one row.
    """
    if test.isin(train.unique()).mean() > 2 * _OUTLIERS:
        return None
    for period in _NAMES:
        if (found := _period_ends(column, train, test, period)) is not None:
            return found
    return _blocks(column, train, test)


def _period_ends(column: TimeColumn, train: pd.Series, test: pd.Series, period: Period) -> Layout | None:
    ours, theirs = (np.unique(phases(times.dropna(), period)) for times in (train, test))
    first = np.nanquantile(phases(test, period), _OUTLIERS, method="lower")
    if len(ours) < 2 or first <= ours[-1]:
        return None
    periods = [times.dropna().dt.to_period(_UNITS[period]) for times in (train, test)]
    if periods[0].nunique() < _MIN_PERIODS[period] or periods[1].isin(periods[0].unique()).mean() < 0.5:
        return None
    # The validated share of train's days equals test's share of all days.
    horizon = max(1, round(len(ours) * len(theirs) / (len(ours) + len(theirs))))
    count = min(_MAX_FOLDS, periods[0].nunique())
    unit = _NAMES[period]
    text = (
        f"by {_name(column)}, test is {unit}s {first:g} to {theirs[-1]:g} of each {period} and train {unit}s "
        f"{ours[0]:g} to {ours[-1]:g}: each fold trains on the first {unit}s of all {period}s, and validates about "
        f"the next {horizon} {unit}{'s' * (horizon > 1)} of train, in one {period} of {count}"
    )
    return Layout(PeriodEnds(column, period, horizon=horizon, n_splits=count), text)


def _blocks(column: TimeColumn, train: pd.Series, test: pd.Series) -> Layout | None:
    """Blocks, if runs of test's dates are longer than by chance; or single dates, if they have several rows."""
    dates = np.unique(np.concatenate([train.dropna().to_numpy(), test.dropna().to_numpy()]))
    is_test = np.isin(dates, test.to_numpy()) & ~np.isin(dates, train.to_numpy())
    if is_test.sum() < _MIN_TIMES:
        return None
    runs = np.flatnonzero(np.diff(is_test.astype(int), prepend=0, append=0)).reshape(-1, 2)  # first, and after the last
    if is_test.sum() / len(runs) < _MUCH_LONGER / (1 - is_test.mean()):
        return _whole_dates(column, train)
    first, after = runs[np.argsort(runs[:, 1] - runs[:, 0])[len(runs) // 2]]
    block = plain_length(pd.Timestamp(dates[first]), pd.Timestamp(dates[after - 1]), usual_step(train))
    count = min(_MAX_FOLDS, len(np.unique(block_numbers(train.dropna(), block))))
    if count < 2:
        return None
    blocks = f"{len(runs)} block{'s' * (len(runs) > 1)} of about {block}"
    text = f"by {_name(column)}, test is {blocks} cut out of train: folds validate such blocks"
    return Layout(TimeBlocks(column, block, n_splits=count), text)


def _whole_dates(column: TimeColumn, train: pd.Series) -> Layout | None:
    if len(train) < _ROWS_PER_DATE * train.nunique() or train.nunique() < _MAX_FOLDS:
        return None
    text = f"by {_name(column)}, test has other dates than train, so rows of one date stay together"
    return Layout(TimeBlocks(column), text)


def _name(column: TimeColumn) -> str:
    return column if isinstance(column, str) else " and ".join(column)


def _words(length: str | float, name: str) -> str:
    return length if isinstance(length, str) else f"{length:g} units of {name}"
