"""Separate the numeric and the text columns of a table, and convert both to plain arrays.

Text and declared categories are pandas ``str`` or ``category`` columns; everything else is a number.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

import numpy as np
import pandas as pd

from kpipe.data.column_types import is_pixel_table
from kpipe.data.pixels import picture_columns

__all__ = ["as_text", "numeric_columns", "text_columns", "to_floats", "to_text", "without_pictures"]

Data = TypeVar("Data", pd.DataFrame, pd.Series)


def text_columns(frame: pd.DataFrame) -> list[Hashable]:
    """The names of the columns that hold text or categories.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Any table.

    Returns
    -------
    list
        Names in the table's order.
    """
    return [name for name, dtype in frame.dtypes.items() if not pd.api.types.is_numeric_dtype(dtype)]


def numeric_columns(frame: pd.DataFrame) -> list[Hashable]:
    """The names of the columns that hold numbers; booleans count as 0 and 1.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Any table.

    Returns
    -------
    list
        Names in the table's order.
    """
    return [name for name, dtype in frame.dtypes.items() if pd.api.types.is_numeric_dtype(dtype)]


def to_floats(frame: pd.DataFrame) -> np.ndarray:
    """Convert a numeric table to an array.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Numeric columns only.

    Returns
    -------
    ndarray of shape (n, columns)
        Float64 with NaN for missing values; float32 for a table of pixels (uint8), which has hundreds of columns.

    Examples
    --------
    >>> to_floats(pd.DataFrame({"a": [True, False], "b": [1, 2]})).tolist()
    [[1.0, 1.0], [0.0, 2.0]]
    """
    if is_pixel_table(frame):
        return frame.to_numpy(dtype=np.float32)
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def to_text(frame: pd.DataFrame) -> np.ndarray:
    """Convert a table of text to an array of strings, with "(missing)" for missing values.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Columns of any dtypes.

    Returns
    -------
    ndarray of shape (n, columns)
        Strings, dtype object. scikit-learn encodes it in a quarter of the time of a table of thousands of columns.

    Examples
    --------
    >>> to_text(pd.DataFrame({"a": ["S", None], "b": [1, 2]})).tolist()
    [['S', '1'], ['(missing)', '2']]
    """
    cells = frame.to_numpy(dtype=object)
    cells = np.where(frame.isna().to_numpy(), "(missing)", cells)
    if all(isinstance(dtype, pd.StringDtype) for dtype in frame.dtypes):
        return cells
    return np.array([[str(cell) for cell in row] for row in cells], dtype=object).reshape(cells.shape)


def without_pictures(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop the pixels of pictures.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)

    Returns
    -------
    DataFrame
    """
    return frame.drop(columns=picture_columns(frame.columns))


def as_text(data: Data, missing: str = "(missing)") -> Data:
    """Convert cells to strings, with a string for missing values.

    With the default, missing values are a category of their own, which is unseen if there was none during fitting.

    Parameters
    ----------
    data : DataFrame or Series
        Of any dtype.
    missing : str, default="(missing)"
        Stands for missing values.

    Returns
    -------
    DataFrame or Series
        Of the same shape.

    Examples
    --------
    >>> as_text(pd.Series(["S", None])).tolist()
    ['S', '(missing)']
    """
    return data.astype(object).where(data.notna(), missing).astype(str)
