"""Bin columns into a few values, for checks that tabulate a column against the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["BinnedColumn", "Evidence", "bin_column"]

_BINS = 100
_MISSING = "a missing value"


class Evidence(NamedTuple):
    """Evidence that a column contains the target.

    Attributes
    ----------
    sure : bool
        Whether the evidence has no other explanation.
    rows : int
        Number of rows in which the column contains the target.
    text : str
        The predicate of a sentence whose subject is the column.
    skill : float
        Share of the errors of the best constant that the column removes, or of the variance of ranks that it explains,
        in all rows; 0 for evidence from some of the rows.
    """

    sure: bool
    rows: int
    text: str
    skill: float = 0.0


@dataclass(frozen=True)
class BinnedColumn:
    """A column binned into a few values.

    Attributes
    ----------
    codes : (n,) array of int
        The value of each row.
    values : list of str
        What each code stands for.
    frequent : (values,) array of bool
        Whether a code is one frequent value, and not a range.
    ordered : bool
        Whether neighbouring codes are neighbouring values.
    has_missing : bool
        Whether there is a code for missing values.
    """

    codes: np.ndarray
    values: list[str]
    frequent: np.ndarray
    ordered: bool
    has_missing: bool


def bin_column(column: pd.Series, numbers: np.ndarray | None) -> BinnedColumn:
    """A column of categories by category; a column of numbers by frequent values, and by ranges of the others.

    Parameters
    ----------
    column : Series
        (n,) of any dtype.
    numbers : (n,) array of float, or None
        Its values as numbers, if they are.

    Returns
    -------
    BinnedColumn
    """
    if numbers is None:
        codes, categories = pd.factorize(column)
        frequent = np.ones(len(categories) + 1, dtype=bool)
        return BinnedColumn(codes + 1, [_MISSING, *map(str, categories)], frequent, ordered=False, has_missing=True)
    distinct, inverse, counts = _unique(column, numbers)
    width = max(len(numbers) / _BINS, 8)
    frequent = counts >= max(4, width / 4)
    # A bin ends where it is full, and before and after each frequent value.
    filled = (np.cumsum(np.where(frequent, 0, counts)) // width).astype(np.int64)
    edges = np.concatenate([[False], (np.diff(filled) != 0) | frequent[1:] | frequent[:-1]])
    of_value = np.cumsum(edges).astype(np.int64)
    first = np.flatnonzero(np.concatenate([[True], np.diff(of_value) != 0]))
    shown = [_format(distinct[place], exact=frequent[place]) for place in first]
    has_missing = bool(np.isnan(distinct[-1]))
    return BinnedColumn(of_value[inverse], shown, frequent[first], ordered=True, has_missing=has_missing)


def _unique(column: pd.Series, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The result of ``np.unique`` with inverse and counts; fast for bytes."""
    if column.dtype != np.uint8:
        return np.unique(numbers, return_inverse=True, return_counts=True)
    counts = np.bincount(column, minlength=256)
    present = counts > 0
    return np.flatnonzero(present), (np.cumsum(present) - 1)[column], counts[present]


def _format(value: float, *, exact: bool) -> str:
    return _MISSING if np.isnan(value) else f"{value:g}" if exact else f"about {value:g}"
