"""Times of rows, and lengths of time such as "1 year", "6 weeks" or 4."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import pandas as pd

from kpipe.data.date_forms import epoch_unit
from kpipe.data.dates import parse_dates

__all__ = ["TimeColumn", "before", "end_of", "period_numbers", "read_times"]

TimeColumn = str | tuple[str, ...]

_MAX_UNDATED = 0.05  # of the rows may have no date
_LENGTH = re.compile(r"(\d+) (year|month|week|day|hour|minute|second)s?")
_FLOORS: dict[str, Literal["h", "min", "s"]] = {"hour": "h", "minute": "min", "second": "s"}  # other units: days


def read_times(frame: pd.DataFrame, column: TimeColumn) -> pd.Series:
    """Read the times of a table's rows.

    Parameters
    ----------
    frame : DataFrame
        (n, columns).
    column : str or tuple of str
        A column of dates, or of numbers that increase with time; or columns of the year, the month and so on, the
        longest period first.

    Returns
    -------
    Series
        (n,) datetime64 without a time zone, or numbers.

    Raises
    ------
    ValueError
        If more than 5 % of the rows have no time.
    """
    if isinstance(column, tuple):
        names = ("year", "month", "day", "hour")
        parts = frame[list(column)].set_axis(list(names[: len(column)]), axis=1)
        times = pd.to_datetime(parts if "day" in parts else parts.assign(day=1), errors="coerce")
    else:
        found = parse_dates(frame[column])
        if found is None and not pd.api.types.is_numeric_dtype(frame[column]):
            raise ValueError(f"{column} must hold a date, or a number, in at least 95 % of the rows")
        times = _from_epoch(frame[column]) if found is None else found
    if times.isna().mean() > _MAX_UNDATED:
        raise ValueError(f"{column} must hold a date, or a number, in at least 95 % of the rows")
    return times


def _from_epoch(numbers: pd.Series) -> pd.Series:
    """Dates for seconds or milliseconds since 1970; other numbers, such as weeks and steps, as they are."""
    unit = epoch_unit(numbers)
    return numbers if unit is None else pd.to_datetime(numbers, unit=unit)


def _parts(length: object) -> tuple[int, str]:
    found = _LENGTH.fullmatch(str(length))
    if found is None:
        raise ValueError(f"a length of time must be like '1 year' or '6 weeks', or a number; got {length!r}")
    return int(found[1]), found[2]


def before(time: Any, length: str | float | None, times: int = 1) -> Any:
    """Subtract a length of time, once or several times.

    Parameters
    ----------
    time : Timestamp or float
    length : str or float or None
        Such as "1 year" for a Timestamp, a number for a number; None for zero.
    times : int
        How often the length is subtracted.

    Returns
    -------
    Timestamp or float

    Raises
    ------
    ValueError
        If the length has another type than the time needs.

    Examples
    --------
    >>> str(before(pd.Timestamp("2020-03-01"), "1 month", 3)), before(12, 4)
    ('2019-12-01 00:00:00', 8)
    """
    if length is None:
        return time
    if not isinstance(time, pd.Timestamp):
        if isinstance(length, str):
            raise ValueError(f"a column of numbers needs a length that is a number; got {length!r}")
        return time - times * length
    number, unit = _parts(length)
    return time - pd.DateOffset(**{f"{unit}s": number * times})  # type: ignore[arg-type]  # the stubs want "normalize"


def end_of(times: pd.Series, length: str | float) -> Any:
    """Return the end of the last day (hour, minute, second), from which lengths are counted back.

    Parameters
    ----------
    times : Series
        (n,) datetime64 or numbers.
    length : str or float
        Its unit determines whether a day, hour, minute or second ends.

    Returns
    -------
    Timestamp or float
        All times are before it.
    """
    last = times.max()
    if not isinstance(last, pd.Timestamp):
        return last + 1 if float(last).is_integer() else np.nextafter(last, np.inf)
    unit = _parts(length)[1]
    floor: Literal["h", "min", "s", "D"] = _FLOORS.get(unit, "D")
    return last.floor(floor) + pd.Timedelta(1, floor)


def period_numbers(dates: pd.Series, unit: str) -> np.ndarray:
    """Number the periods of dates since 1970.

    Parameters
    ----------
    dates : Series
        (n,) datetime64.
    unit : {"Y", "Q", "M", "W", "D", "h"}
        The length of a period; weeks begin on Monday.

    Returns
    -------
    ndarray
        (n,) int64.

    Examples
    --------
    >>> period_numbers(pd.Series(pd.to_datetime(["1970-01-04", "1970-01-05", "1970-01-12"])), "W").tolist()
    [0, 1, 2]
    """
    stamps = dates.to_numpy().astype("M8[us]")
    if unit == "Q":
        return np.asarray(stamps.astype("M8[M]").astype(np.int64) // 3)
    if unit == "W":
        return np.asarray((stamps.astype("M8[D]").astype(np.int64) + 3) // 7)
    return np.asarray(stamps.astype(f"M8[{unit}]").astype(np.int64))
