"""What the report asks of the data's columns: whether they hold quantities, and whether rows are images."""

from __future__ import annotations

import math

import pandas as pd

from kpipe.data.column_types import is_pixel_table

__all__ = ["image_side", "is_quantity"]

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
    return not (pd.api.types.is_integer_dtype(column) and len(column) and column.abs().max() > _LARGEST_INTEGER)


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
