"""Numbers in a column of text. A new way to write a number is recognised here."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["parse_numbers"]

_MIN_SHARE = 0.9  # of the cells that are not missing must be numbers


def parse_numbers(column: pd.Series) -> pd.Series | None:
    """The numbers in a column of text, or None if fewer than 90 % of its cells are numbers.

    Parameters
    ----------
    column : Series
        (n,) of any dtype; of numbers and dates nothing is parsed.

    Returns
    -------
    Series or None
        (n,) float64; NaN where a value is missing or not a finite number (blanks, "4+", "unknown").

    Examples
    --------
    >>> parse_numbers(pd.Series(["1.5", " ", *["2"] * 30])).head(2).tolist()
    [1.5, nan]
    >>> parse_numbers(pd.Series(["A/5 21171", "113803"])) is None
    True
    """
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return None
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    numbers = numbers.where(np.isfinite(numbers))
    return numbers if numbers.notna().sum() >= _MIN_SHARE * max(column.notna().sum(), 1) else None
