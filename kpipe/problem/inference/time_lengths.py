"""Lengths of time in words: "1 year", "6 weeks", "36 hours"; numbers for columns of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from kpipe.problem.times import before, end_of

__all__ = ["format_span", "gap_between", "half_of_span", "length_between", "n_horizons", "plain_length", "usual_step"]

# A date or a number; a difference of two. pandas' types of both do not mix with numbers.
_Time = Any
_Step = Any

_YEAR = 365.25
_YEAR_TOLERANCE = 0.02  # about a week: test may lack some days of a whole year
_MONTHS_OF_STEP = {(28, 31): 1, (89, 92): 3, (365, 366): 12}  # days between dates that are months apart
_DAYS_OF_HOURS = 7  # from which hours no longer matter
_MIN_DAYS = 2  # whole days, from which a length is given in days and not hours
_DAY = pd.Timedelta("1D")


def length_between(first: _Time, last: _Time, step: _Step) -> str | float:
    """The length of time from the first to the end of the last date, in years or months if they are whole.

    Parameters
    ----------
    first, last : Timestamp or float
    step : Timedelta or float
        The usual difference between dates, which is also the duration of the last one.

    Returns
    -------
    str or float

    Examples
    --------
    >>> length_between(pd.Timestamp("2021-01-01"), pd.Timestamp("2021-12-31"), pd.Timedelta("1D"))
    '1 year'
    """
    if not isinstance(first, pd.Timestamp):
        return _number(last - first + step)
    months = _months_of(step)
    if months:
        months += _months_between(first, last)
    else:
        end = (last + step if step >= _DAY else last + _DAY).floor("D")
        months = _whole_months(first.floor("D"), end, weekly=step >= 7 * _DAY)
    if months:
        return _plural(months // 12, "year") if months % 12 == 0 else _plural(months, "month")
    return plain_length(first, last, step)


def _months_of(step: pd.Timedelta) -> int:
    """The number of months between dates; 0 if the step is not a number of months."""
    return next((months for (low, high), months in _MONTHS_OF_STEP.items() if low <= step.days <= high), 0)


def _months_between(first: pd.Timestamp, last: pd.Timestamp) -> int:
    return int((last.year - first.year) * 12 + last.month - first.month)


def _number(length: Any) -> float:
    return int(length) if float(length).is_integer() else float(length)


def _whole_months(first: pd.Timestamp, end: pd.Timestamp, *, weekly: bool) -> int:
    """A length in months if it is whole years (within a week each) or whole months; else 0."""
    years = round((end - first).days / _YEAR)
    if years and abs((end - first).days / (years * _YEAR) - 1) <= _YEAR_TOLERANCE:
        return 12 * years
    months = _months_between(first, end)
    return months if not weekly and first + pd.DateOffset(months=months) == end else 0


def plain_length(first: pd.Timestamp, last: pd.Timestamp, step: pd.Timedelta) -> str:
    """The length of time in the longest suitable unit: weeks, days, hours, minutes or seconds.

    Parameters
    ----------
    first, last : Timestamp
    step : Timedelta

    Returns
    -------
    str
    """
    if step >= 7 * _DAY:
        return _plural(round((last + step - first) / _DAY / 7), "week")
    if step >= _DAY:
        return _plural(round((last + step - first) / _DAY), "day")
    days = (last + step - first) / _DAY
    if days >= _DAYS_OF_HOURS or (days >= _MIN_DAYS and abs(days - round(days)) <= 0.05):
        return _plural(round(days), "day")
    for unit in ("hour", "minute"):
        if step >= pd.Timedelta(1, unit) or last - first >= pd.Timedelta(2, unit):
            return _plural(math.ceil((last - first + step) / pd.Timedelta(1, unit)), unit)
    return _plural(max(1, math.ceil((last - first + step).total_seconds())), "second")


def _plural(number: int, unit: str) -> str:
    return f"{number} {unit}{'s' * (number != 1)}"


def usual_step(times: pd.Series) -> _Step:
    """The median difference between neighbouring times.

    Parameters
    ----------
    times : Series
        (n,) datetime64 or numbers, of two times or more.

    Returns
    -------
    Timedelta or float
    """
    return _differences(times).median()


def _differences(times: pd.Series) -> pd.Series:
    return pd.Series(np.sort(times.dropna().unique())).diff().dropna()


def gap_between(train: pd.Series, later: pd.Series, step: _Step, *, end: Any = None) -> str | float | None:
    """The length of time between train and test; None if it is not longer than between train's dates.

    Parameters
    ----------
    train, later : Series
        (n,) and (m,) datetime64 or numbers.
    step : Timedelta or float
    end : Timestamp or float, optional
        The end of train, if it is not the last time of ``train``.

    Returns
    -------
    str or float or None
    """
    last, first = train.max() if end is None else end, later.min()
    if first - last <= _differences(train).quantile(0.99):
        return None
    if not isinstance(first, pd.Timestamp):
        return _number(first - last - step)
    return length_between(last + max(step, _DAY) if step < _DAY else last + step, first - step, step)


def n_horizons(train: pd.Series, horizon: str | float, gap: str | float | None, step: _Step) -> float:
    """The number of horizons in train, excluding one gap.

    Parameters
    ----------
    train : Series
        (n,) datetime64 or numbers.
    horizon, gap : str or float
    step : Timedelta or float
        The duration of the last date.

    Returns
    -------
    float
    """
    end = max(end_of(train, horizon), train.max() + step)
    return float((before(end, gap) - train.min()) / (end - before(end, horizon)))


def half_of_span(train: pd.Series) -> str | float:
    """Half of the time span of train.

    Parameters
    ----------
    train : Series
        (n,) datetime64 or numbers.

    Returns
    -------
    str or float
    """
    first, last = train.min(), train.max()
    if not isinstance(first, pd.Timestamp):
        return _number((last - first) // 2)
    return plain_length(first + (last - first) / 2, last, usual_step(train))


def format_span(times: pd.Series) -> str:
    """The first and the last time, for the user.

    Parameters
    ----------
    times : Series
        (n,) datetime64 or numbers.

    Returns
    -------
    str
    """
    first, last = times.min(), times.max()
    if not isinstance(first, pd.Timestamp):
        return f"{first:g} to {last:g}"
    return " to ".join(str(time.floor("s")).removesuffix(" 00:00:00") for time in (first, last))
