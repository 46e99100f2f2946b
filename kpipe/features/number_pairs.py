# ruff: noqa: RUF001 - the prime signs are intended
"""Features of a column whose cells hold numbers: 121/81 (blood pressure), 1920x1080 (a size), $10K - $20K, Level 12."""

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
_MAX_SHAPES, _MAX_LENGTH = 4, 60  # different texts around the numbers; characters of a cell
_VERSION = re.compile(r"\D*\d+(?:\.\d+){1,3}\D*")
_PARTS_OF_VERSIONS = 3
_DOTS = re.compile(r"\d+\.\d+\.\d")
_SAMPLED = 2000  # cells that decide


@dataclass(frozen=True)
class NumberPairs:
    """The features of one column of several numbers, as learned by ``AutomaticFeatures``.

    Parameters
    ----------
    shapes : tuple of str
        The forms of cells, with 0 for each number, such as "0/0"; all forms have the same number of numbers.
    is_label : bool
        Whether the cells are labels, too.
    is_version : bool
        Whether the numbers are those of a version, such as 4.0.3.
    """

    shapes: tuple[str, ...]
    is_label: bool = False
    is_version: bool = False

    @classmethod
    def fit(cls, column: pd.Series, *, random_state: int) -> Self | None:
        """Return the features of a column, or None if its cells do not hold several numbers.

        Parameters
        ----------
        column : Series of shape (n,)
            A column of the fitting rows.
        random_state : int
            Ignored; numbers need none.

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
        if shapes.index[0] and shapes.iloc[0] >= _MIN_SHARE * len(cells):
            return cls((str(shapes.index[0]),))
        return cls._of_labels(cells)

    @classmethod
    def _of_labels(cls, cells: pd.Series) -> Self | None:
        """The features of versions, and of labels that differ only in their numbers."""
        if cells.str.fullmatch(_VERSION).mean() >= _MIN_SHARE and cells.str.contains(_DOTS).mean() >= 0.5:
            return cls((), is_label=True, is_version=True)
        if cells.str.len().max() > _MAX_LENGTH:
            return None
        counts = cells.map(_text_around).value_counts().head(_MAX_SHAPES)
        shapes = tuple(str(shape) for shape in counts.index if "0" in shape and shape != "0")
        if not shapes or len({shape.count("0") for shape in shapes}) > 1:
            return None
        return cls(shapes, is_label=True) if counts[list(shapes)].sum() >= _MIN_SHARE * len(cells) else None

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
        around = text.map(_text_around if self.is_label else _shape)
        known = around.isin(self.shapes) | self.is_version
        found = text.where(known, "").str.replace(",", "").str.findall(r"\d+" if self.is_version else _NUMBER)
        numbers = {
            f"{column.name}: number {place + 1}": pd.to_numeric(found.str[place], errors="coerce").to_numpy(float)
            for place in range(_PARTS_OF_VERSIONS if self.is_version else self.shapes[0].count("0"))
        }
        if len(self.shapes) > 1:
            forms = {shape: float(number) for number, shape in enumerate(self.shapes)}
            numbers[f"{column.name}: form"] = around.map(forms).to_numpy(float)
        if not self.is_label and _RATIO.fullmatch(self.shapes[0]):
            first, second = numbers.values()
            numbers[f"{column.name}: ratio"] = first / np.where(second == 0, np.nan, second)
        return numbers


def _text_around(cell: str) -> str:
    """Return a cell with 0 for each number, in lower case; "" for a number with leading zeros, which is a code."""
    found = re.findall(_NUMBER, cell)
    is_code = any(number[0] == "0" and number[1:2].isdecimal() for number in found)
    return "" if is_code else re.sub(_NUMBER, "0", cell.lower())


def _shape(cell: str) -> str:
    """Return a cell with 0 for each number and without blanks; empty if it does not hold several numbers."""
    if not _CELL.fullmatch(cell):
        return ""
    return re.sub(_NUMBER, "0", re.sub(r"\s", "", cell.lower()))
