"""Features of a column whose cells hold several numbers, such as 121/81 (blood pressure) or 1920x1080 (a size)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

__all__ = ["NumberPairs"]

_CELL = re.compile(r"\s*\d+(?:\.\d+)?(?:\s*([/x×*:-])\s*\d+(?:\.\d+)?)+\s*")
_MIN_SHARE = 0.95  # of the cells must hold numbers between the same marks
_MIN_CATEGORIES = 11  # fewer are categories, such as ages 18-24
_SAMPLED = 2000  # cells that decide


@dataclass(frozen=True)
class NumberPairs:
    """What ``AutomaticFeatures`` learns about one column of several numbers.

    Parameters
    ----------
    shape : str
        A cell with 0 for each number, such as "0/0".
    """

    shape: str

    @classmethod
    def fit(cls, column: pd.Series, *, random_state: int) -> Self | None:
        """Return the features of a column, or None if its cells do not hold several numbers.

        Parameters
        ----------
        column : Series of shape (n,)
            A column of the fitting rows.
        random_state : int
            Not used.

        Returns
        -------
        NumberPairs or None
        """
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
            return None
        cells = column.dropna()
        cells = cells.iloc[:: max(1, len(cells) // _SAMPLED)].astype(str)
        if cells.nunique() < _MIN_CATEGORIES:
            return None
        shapes = cells.map(_shape).value_counts()
        return cls(str(shapes.index[0])) if shapes.index[0] and shapes.iloc[0] >= _MIN_SHARE * len(cells) else None

    def transform(self, column: pd.Series) -> dict[str, np.ndarray]:
        """Return each number as a feature.

        Parameters
        ----------
        column : Series of shape (n,)
            The same column of any rows.

        Returns
        -------
        dict of str to ndarray of shape (n,)
            Float64, NaN where a cell does not have the shape.
        """
        text = column.astype(object).where(column.notna(), "").astype(str)
        found = text.where(text.map(_shape) == self.shape, "").str.findall(r"\d+(?:\.\d+)?")
        return {
            f"{column.name}: number {place + 1}": pd.to_numeric(found.str[place], errors="coerce").to_numpy(float)
            for place in range(self.shape.count("0"))
        }


def _shape(cell: str) -> str:
    """Return a cell with 0 for each number and without blanks; empty if it does not hold several numbers."""
    if not _CELL.fullmatch(cell):
        return ""
    return re.sub(r"\d+(?:\.\d+)?", "0", re.sub(r"\s", "", cell))
