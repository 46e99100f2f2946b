"""Infer the content of a column beyond its dtype: free text, categorical integers, numbers. Targets are never used."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.data.dates import parse_dates
from kpipe.data.numbers import parse_numbers

__all__ = [
    "counts_rows",
    "is_categorical_integer",
    "is_free_text",
    "is_mostly_distinct",
    "is_pixel_table",
    "is_title",
    "to_codes",
    "to_numeric",
]

_SAMPLED = 500  # cells that decide whether a column is free text
_MIN_WORDS = 4.0  # per cell, on average: mostly distinct texts with fewer words are categories
_MIN_WORDS_OF_TITLE = 1.5  # per cell, on average
_MOSTLY = 0.95  # share of distinct cells above which a column identifies rows
_MIN_CATEGORIES = 30  # fewer integers are left to the models as numbers
_MIN_ROWS_PER_CATEGORY, _MIN_SPREAD = 3, 10  # rows per category; range per category


def is_free_text(column: pd.Series) -> bool:
    """Whether a column holds free text: several words per cell, and mostly distinct cells.

    Parameters
    ----------
    column : Series
        (n,) of any dtype.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_free_text(pd.Series(["the ship sails at dawn", "nobody saw it leave port"]))
    True
    >>> is_free_text(pd.Series(["never smoked", "smokes"]))
    False
    """
    return _words_per_cell(column) >= _MIN_WORDS


def is_title(column: pd.Series) -> bool:
    """Whether a column holds short texts such as names and titles: a few words per cell, and mostly distinct cells.

    Parameters
    ----------
    column : Series
        (n,) of any dtype.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_title(pd.Series(["The Godfather", "Rear Window"])), is_title(pd.Series(["Vertigo", "Psycho"]))
    (True, False)
    """
    return _MIN_WORDS_OF_TITLE <= _words_per_cell(column) < _MIN_WORDS


def _words_per_cell(column: pd.Series) -> float:
    """The mean number of words of a column of text; 0 if its cells repeat, or are no text."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return 0.0
    cells = (column.dropna() if column.hasnans else column).head(_SAMPLED)
    cells = cells if isinstance(cells.dtype, pd.StringDtype) else cells.astype(str)
    if not len(cells) or cells.nunique() < 0.5 * len(cells):
        return 0.0
    return float(cells.str.count(r"\w*[^\W\d_]\w+").mean())


def is_mostly_distinct(column: pd.Series) -> bool:
    """Whether nearly every row has a value of its own, missing ones aside.

    Parameters
    ----------
    column : Series
        (n,) of any dtype.

    Returns
    -------
    bool
    """
    return bool(column.nunique() > _MOSTLY * max(column.count(), 1))


def is_categorical_integer(column: pd.Series) -> bool:
    """Whether integers look like categories (store numbers, postcodes): many, far apart, and each in several rows.

    Parameters
    ----------
    column : Series
        (n,) of any dtype.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_categorical_integer(pd.Series([4, 900, 77_000, 12_345] * 10))
    False
    """
    if not pd.api.types.is_integer_dtype(column):
        return False
    categories = column.nunique()
    repeated = len(column) >= _MIN_ROWS_PER_CATEGORY * categories
    return bool(categories >= _MIN_CATEGORIES and repeated and column.max() - column.min() > _MIN_SPREAD * categories)


def counts_rows(column: pd.Series) -> bool:
    """Whether integers increase by one from row to row, ignoring missing ones.

    Parameters
    ----------
    column : Series
        (n,) integers, perhaps with missing values.

    Returns
    -------
    bool

    Examples
    --------
    >>> [counts_rows(pd.Series(numbers)) for numbers in ([7, 8, 9], [7, 8, 10])]
    [True, False]
    """
    numbers = column.dropna()
    # The first two decide for nearly every column: a table may have 100,000 of them.
    first = numbers.iloc[:2].tolist()
    return len(first) > 1 and first[1] - first[0] == 1 and bool((numbers.diff().iloc[1:] == 1).all())


def is_pixel_table(frame: pd.DataFrame) -> bool:
    """Whether all columns are pixels, which are read as uint8.

    Parameters
    ----------
    frame : DataFrame
        (n, columns) of any dtypes.

    Returns
    -------
    bool
        False for a table without columns.

    Examples
    --------
    >>> is_pixel_table(pd.DataFrame({"a": [0, 255], "b": [7, 8]}, dtype="uint8"))
    True
    >>> is_pixel_table(pd.DataFrame({"a": [0, 255]}))
    False
    """
    return len(frame.columns) > 0 and bool((frame.dtypes == np.uint8).all())


def to_numeric(column: pd.Series) -> np.ndarray | None:
    """Convert a column to numbers, dates to days since 2000-01-01; None if it holds categories or free text.

    Parameters
    ----------
    column : Series
        (n,) of any dtype.

    Returns
    -------
    ndarray or None
        (n,) float64; NaN where a value is missing or infinite.

    Examples
    --------
    >>> to_numeric(pd.Series(["2000-01-01", "2000-01-02", None])).tolist()
    [0.0, 1.0, nan]
    >>> to_numeric(pd.Series(["male", "female"])) is None
    True
    """
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isfinite(numbers), numbers, np.nan)
    if (parsed := parse_numbers(column)) is not None:
        return parsed.to_numpy(dtype=np.float64)
    if (dates := parse_dates(column)) is not None:
        return ((dates - pd.Timestamp(2000, 1, 1)).dt.total_seconds() / 86_400).to_numpy(dtype=np.float64)
    return None


def to_codes(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert a table to numbers: dates become days, and categories codes, the most frequent one 0.

    Parameters
    ----------
    frame : DataFrame
        (n, columns) of any dtypes.

    Returns
    -------
    DataFrame
        (n, columns) float64; NaN where a value is missing or infinite.

    Examples
    --------
    >>> to_codes(pd.DataFrame({"sex": ["male", "female", "male", None]}))["sex"].tolist()
    [0.0, 1.0, 0.0, nan]
    """
    columns = {}
    for name in frame.columns:
        values = frame[name]
        if (numbers := to_numeric(values)) is not None:
            columns[str(name)] = numbers
        else:
            # By frequency, then alphabetically: in order of occurrence, train's categories would precede test's.
            counted = values.astype(object).value_counts().sort_index(key=lambda index: index.astype(str))
            categories = counted.sort_values(ascending=False, kind="stable").index
            codes = pd.Series(range(len(categories)), index=categories)
            columns[str(name)] = values.map(codes).to_numpy(dtype=float)
    return pd.DataFrame(columns)
