"""Properties of the data's columns: whether they hold quantities, and whether rows are images."""

from __future__ import annotations

import math

import pandas as pd

from kpipe.data.column_types import is_pixel_table

__all__ = ["image_side", "is_hash", "is_quantity", "with_readable_values"]

_LARGEST_INTEGER = 2**53  # larger integers are identifiers or hashes: float64 cannot hold them exactly


def is_quantity(column: pd.Series) -> bool:
    """Whether a column holds numbers, as opposed to booleans, text or large integer identifiers.

    Parameters
    ----------
    column : Series
        The column.

    Returns
    -------
    bool
    """
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return False
    return not is_hash(column)


def is_hash(column: pd.Series) -> bool:
    """Whether a column holds integers that are too large for quantities: hashes or identifiers.

    Parameters
    ----------
    column : Series
        The column.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_hash(pd.Series([2**60, 1])), is_hash(pd.Series([3, 1])), is_hash(pd.Series(["a"]))
    (True, False, False)
    """
    if not pd.api.types.is_integer_dtype(column) or pd.api.types.is_bool_dtype(column):
        return False
    values = column.dropna()
    return bool(len(values)) and max(int(values.max()), -int(values.min())) > _LARGEST_INTEGER


def with_readable_values(frame: pd.DataFrame, original: pd.DataFrame) -> pd.DataFrame:
    """The columns that models see, with the cells of the file where a competition made hashes of them.

    Parameters
    ----------
    frame : DataFrame
        (n, columns) after cleaning.
    original : DataFrame
        (n, ...) the same rows before cleaning; another number of rows leaves the table as it is.

    Returns
    -------
    DataFrame
        A column of hashes that has no original of its name keeps them.
    """
    if len(frame) != len(original):
        return frame
    hashes = [name for name in frame.columns if name in original.columns and is_hash(frame[name])]
    return frame.assign(**{name: original[name].set_axis(frame.index) for name in hashes}) if hashes else frame


def image_side(frame: pd.DataFrame) -> int | None:
    """The width and height of the square images that the rows are.

    Parameters
    ----------
    frame : DataFrame
        The columns that models see.

    Returns
    -------
    int or None
        Pixels, or None where the columns are not a square number of bytes.
    """
    side = math.isqrt(frame.shape[1])
    return side if side > 7 and side * side == frame.shape[1] and is_pixel_table(frame) else None
