"""What a column holds beyond its dtype: dates, prose, codes. Looked at, never learned from a target."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

__all__ = ["as_numbers", "dates_in", "is_codes", "is_prose", "numbers_in"]

_ISO = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?Z?")
_SLASHES = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4}|\d{2})( \d{1,2}:\d{2}(:\d{2})?)?")
_LOOKED_AT = 500
_NUMBERS = 0.9  # of the cells, from which a text column holds numbers
_WORDS = 4.0  # on average, from which a text of mostly different cells is prose and not a label


def dates_in(column: pd.Series) -> pd.Series | None:
    """The column's dates and times, gaps as NaT; None where it does not hold dates.

    Dates are ``2015-01-31``, with a time of day or without, ``31/01/2015``, ``1/31/15`` or the number 20150131.

    >>> dates_in(pd.Series(["2015-01-31 10:00:00", None])).dt.hour.tolist()
    [10.0, nan]
    >>> dates_in(pd.Series(["B/0/P"])) is None
    True
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return column if column.dt.tz is None else column.dt.tz_localize(None)
    if pd.api.types.is_integer_dtype(column):
        likely = "date" in str(column.name).lower() and bool(column.between(19000101, 21001231).all())
        return _parsed(column.astype(str), format="%Y%m%d") if likely else None
    if pd.api.types.is_numeric_dtype(column):
        return None
    looked = column.dropna().head(_LOOKED_AT).astype(str)
    if len(looked) and looked.map(lambda text: _ISO.fullmatch(text) is not None).all():
        return _parsed(column, format="ISO8601")
    parts = [_SLASHES.fullmatch(text) for text in looked]
    if not parts or not all(parts):
        return None
    day_first = any(part is not None and int(part[1]) > 12 for part in parts)
    return _parsed(column, format="mixed", dayfirst=day_first)


def _parsed(column: pd.Series, **how: object) -> pd.Series | None:
    dates = pd.to_datetime(column, errors="coerce", **how)  # type: ignore[call-overload]  # options as above
    if dates.isna().sum() > column.isna().sum():
        return None  # what is no date in one row is no column of dates
    return dates.dt.tz_localize(None) if dates.dt.tz is not None else dates


def is_prose(column: pd.Series) -> bool:
    """Whether a column's cells are sentences: several words, and mostly different.

    >>> is_prose(pd.Series(["the ship sails at dawn", "nobody saw it leave port"]))
    True
    >>> is_prose(pd.Series(["never smoked", "smokes"]))
    False
    """
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return False
    cells = column.dropna().head(_LOOKED_AT).astype(str)
    if not len(cells) or cells.nunique() < 0.5 * len(cells):
        return False
    words = cells.str.count(r"\w*[^\W\d_]\w+")
    return bool(words.mean() >= _WORDS)


def numbers_in(column: pd.Series) -> pd.Series | None:
    """The numbers of a column of text that holds hardly anything else (blanks, "4+", "unknown"), which become missing.

    >>> numbers_in(pd.Series(["1.5", " ", *["2"] * 30])).head(2).tolist()
    [1.5, nan]
    >>> numbers_in(pd.Series(["A/5 21171", "113803"])) is None
    True
    """
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return None
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    numbers = numbers.where(np.isfinite(numbers))
    return numbers if numbers.notna().sum() >= _NUMBERS * max(column.notna().sum(), 1) else None


def is_codes(column: pd.Series) -> bool:
    """Whether whole numbers look like codes: many, far apart, and each in several rows.

    >>> is_codes(pd.Series([4, 900, 77_000, 12_345] * 10))
    False
    """
    if not pd.api.types.is_integer_dtype(column):
        return False
    levels = column.nunique()
    return bool(levels >= 30 and len(column) >= 3 * levels and column.max() - column.min() > 10 * levels)


def as_numbers(column: pd.Series) -> np.ndarray | None:
    """Numbers as they are, dates as days, NaN for gaps; None where a column holds labels.

    >>> as_numbers(pd.Series(["2000-01-01", "2000-01-02", None])).tolist()
    [0.0, 1.0, nan]
    >>> as_numbers(pd.Series(["male", "female"])) is None
    True
    """
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isfinite(numbers), numbers, np.nan)
    if (found := numbers_in(column)) is not None:
        return found.to_numpy(dtype=np.float64)
    if (dates := dates_in(column)) is not None:
        return ((dates - pd.Timestamp(2000, 1, 1)).dt.total_seconds() / 86_400).to_numpy(dtype=np.float64)
    return None
