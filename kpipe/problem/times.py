"""Columns of time as values that can be compared."""

from __future__ import annotations

import pandas as pd

from kpipe.data.dates import parse_dates

__all__ = ["read_times"]

_MAX_UNDATED = 0.05  # of the rows may have no date


def read_times(frame: pd.DataFrame, column: str) -> pd.Series:
    """The times of a table's rows.

    Parameters
    ----------
    frame : DataFrame
        (n, columns).
    column : str
        A column of dates, or of numbers that grow with time.

    Returns
    -------
    Series
        (n,) datetime64 without a time zone, or numbers.

    Raises
    ------
    ValueError
        If more than 5 % of the rows have no time.
    """
    dates = parse_dates(frame[column])
    if dates is None and pd.api.types.is_numeric_dtype(frame[column]):
        dates = frame[column]  # weeks, steps, hours
    if dates is None or dates.isna().mean() > _MAX_UNDATED:
        raise ValueError(f"{column} must hold a date, or a number, in at least 95 % of the rows")
    return dates
