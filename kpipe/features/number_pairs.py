# ruff: noqa: RUF001 - signs of minutes and seconds are meant
"""Features of a column whose cells hold several numbers: 121/81 (blood pressure), 1920x1080 (a size), $10K - $20K."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

__all__ = ["NumberPairs"]

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_AMOUNT = rf"""[$€£¥]?{_NUMBER}\s*(?:[^\W\d_]{{1,6}}\.?|["'%°′″]{{1,2}})?"""
_MARK = r"""(?:[/x×*:@–-]|to|of|out\s+of|and|by|(?<=[°'"′″]))"""
_CELL = re.compile(rf"[\[(]?\s*{_AMOUNT}(?:\s*{_MARK}\s*{_AMOUNT})+\s*(?:[\])]|[^\W\d_]{{1,12}})?", re.IGNORECASE)
_RATIO = re.compile(r"\D*0[^0]*(?:[/:]|of)[^0]*0\D*")  # marks of two numbers that may be a ratio
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
        if column.nunique() < _MIN_CATEGORIES:
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
        found = text.where(text.map(_shape) == self.shape, "").str.replace(",", "").str.findall(_NUMBER)
        numbers = {
            f"{column.name}: number {place + 1}": pd.to_numeric(found.str[place], errors="coerce").to_numpy(float)
            for place in range(self.shape.count("0"))
        }
        if _RATIO.fullmatch(self.shape):
            first, second = numbers.values()
            numbers[f"{column.name}: ratio"] = first / np.where(second == 0, np.nan, second)
        return numbers


def _shape(cell: str) -> str:
    """Return a cell with 0 for each number and without blanks; empty if it does not hold several numbers."""
    if not _CELL.fullmatch(cell):
        return ""
    return re.sub(_NUMBER, "0", re.sub(r"\s", "", cell.lower()))
