"""Dates in a column, whichever way they are written. A new form of date is one entry of ``_FORMS``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd

__all__ = ["is_named_after_time", "parse_dates"]

_NAMES_OF_TIME = re.compile(r"(?i)week|day|month|year|date|time|step|hour|period|quarter|block")
_SAMPLED = 500  # cells whose form decides that of the column


class _Form(NamedTuple):
    """One way to write dates: the pattern of a cell, and the options of ``pandas.to_datetime`` given its matches."""

    pattern: re.Pattern[str]
    options: Callable[[Sequence[re.Match[str]]], dict[str, Any]]


def is_named_after_time(column: pd.Series) -> bool:
    """Whether a column's name contains that of a time, such as ``week`` or ``date_block_num``.

    Parameters
    ----------
    column : Series

    Returns
    -------
    bool

    Examples
    --------
    >>> [is_named_after_time(pd.Series(name=name)) for name in ("WeekOfSale", "price")]
    [True, False]
    """
    return _NAMES_OF_TIME.search(str(column.name)) is not None


def _day_or_month_first(cells: Sequence[re.Match[str]]) -> dict[str, Any]:
    return {"format": "mixed", "dayfirst": any(int(cell[1]) > 12 for cell in cells)}


_FORMS = (
    _Form(  # 2015-01-31, 2015-01-31 10:00:00, 2015-01-31T10:00Z
        re.compile(r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?Z?"),
        lambda _: {"format": "ISO8601"},
    ),
    _Form(  # 31/01/2015, 1/31/15, 31.01.2015 10:00
        re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4}|\d{2})( \d{1,2}:\d{2}(:\d{2})?)?"),
        _day_or_month_first,
    ),
)


def parse_dates(column: pd.Series) -> pd.Series | None:
    """The dates and times that a column holds, or None if a cell is not a date.

    Dates are ``2015-01-31`` with or without a time of day, ``31/01/2015``, ``1/31/15``, or the number 20150131 in a
    column whose name contains "date".

    Parameters
    ----------
    column : Series
        (n,) of any dtype.

    Returns
    -------
    Series or None
        (n,) datetime64 without a time zone; NaT where a value is missing.

    Examples
    --------
    >>> parse_dates(pd.Series(["2015-01-31 10:00:00", None])).dt.hour.tolist()
    [10.0, nan]
    >>> parse_dates(pd.Series(["B/0/P"])) is None
    True
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return column if column.dt.tz is None else column.dt.tz_localize(None)
    if pd.api.types.is_integer_dtype(column):
        return _to_dates(column.astype(str), format="%Y%m%d") if _are_dates(column) else None
    if pd.api.types.is_numeric_dtype(column):
        return None
    sampled = column.dropna().head(_SAMPLED).astype(str)
    for form in _FORMS:
        cells = [match for text in sampled if (match := form.pattern.fullmatch(text))]
        if len(cells) == len(sampled) > 0:
            return _to_dates(column, **form.options(cells))
    return None


def _are_dates(numbers: pd.Series) -> bool:
    """Whether integers are dates written as 20150131."""
    return "date" in str(numbers.name).lower() and bool(numbers.between(19000101, 21001231).all())


def _to_dates(column: pd.Series, **options: object) -> pd.Series | None:
    dates = pd.to_datetime(column, errors="coerce", **options)  # type: ignore[call-overload]  # options vary
    if dates.isna().sum() > column.isna().sum():
        return None  # one cell is not a date
    return dates.dt.tz_localize(None) if dates.dt.tz is not None else dates
