"""Encode a table as the numbers that ``tabular-net`` takes."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd

from kpipe.features import as_text, numeric_columns, soft_clip, text_columns

__all__ = ["TableEncoding"]

_MAX_ONE_HOT = 12  # categories of a column that is one-hot encoded; columns with more are embedded
_MAX_CATEGORIES = 1000  # of a column: rarer ones share the code 0
_MIN_ROWS = 3  # of the training table, for a category to have a code of its own
_MAX_BINS = 2048  # of all columns together
_SHORTEST_BIN = float(np.finfo(np.float32).tiny)  # the net divides by bin lengths in float32, where shorter ones are 0


class TableEncoding:
    """Scaled numbers, indicators of missing numbers, one-hot columns, then codes of high-cardinality categories.

    Parameters
    ----------
    X : DataFrame of shape (n, columns)
        The training table.
    bins : int
        Bins of a column's piecewise linear encoding; fewer where there are many columns.

    Attributes
    ----------
    n_plain : int
        Number of encoded columns that come before the columns of codes.
    edges : list of ndarray
        The edges of the bins of each numeric column; empty for a column with at most two values.
    cardinalities : list of int
        The number of codes of each column of codes; the code 0 is for rare and unseen categories.
    """

    def __init__(self, X: pd.DataFrame, *, bins: int) -> None:
        self.numbers = numeric_columns(X)
        values = self._values(X)
        self.with_missing = np.isnan(values).any(axis=0)
        finite = [column[np.isfinite(column)] for column in values.T]
        self.centre = np.array([np.median(column) if len(column) else 0.0 for column in finite])
        self.spread = np.array([_robust_spread(column) for column in finite])
        bins = max(2, min(bins, _MAX_BINS // max(len(self.numbers), 1)))
        self.edges = [_bin_edges(column[np.isfinite(column)], bins) for column in self._scale(values).T]
        codes = {name: _category_codes(X[name]) for name in text_columns(X)}
        self.one_hot = {name: code for name, code in codes.items() if len(code) <= _MAX_ONE_HOT}
        self.high_cardinality = {name: code for name, code in codes.items() if len(code) > _MAX_ONE_HOT}
        self.cardinalities = [len(code) + 1 for code in self.high_cardinality.values()]
        n_one_hot = sum(len(code) + 1 for code in self.one_hot.values())
        self.n_plain = len(self.numbers) + int(self.with_missing.sum()) + n_one_hot

    def encode(self, X: pd.DataFrame) -> np.ndarray:
        """The table as numbers.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of the training table.

        Returns
        -------
        ndarray of shape (n, n_plain + columns of codes)
            Float64, without missing values.
        """
        values = self._values(X)
        parts = [np.nan_to_num(self._scale(values)), np.isnan(values)[:, self.with_missing]]
        parts += [np.eye(len(codes) + 1)[_look_up(X[name], codes)] for name, codes in self.one_hot.items()]
        parts += [_look_up(X[name], codes)[:, None] for name, codes in self.high_cardinality.items()]
        return np.hstack(parts, dtype=np.float64, casting="unsafe")

    def _values(self, X: pd.DataFrame) -> np.ndarray:
        return X[self.numbers].to_numpy(dtype=np.float64, na_value=np.nan)

    def _scale(self, values: np.ndarray) -> np.ndarray:
        """Standardise values and clip them smoothly to (-3, 3), infinite ones included; missing values stay NaN."""
        return soft_clip(np.clip((values - self.centre) / self.spread, -1e9, 1e9))


def _robust_spread(column: np.ndarray) -> float:
    """The standard deviation that the quartiles imply; half the range where they coincide."""
    if len(column) == 0:
        return 1.0
    low, high = np.quantile(column, [0.25, 0.75])
    return float((high - low) / 1.35 or np.ptp(column) / 2 or 1.0)


def _bin_edges(column: np.ndarray, bins: int) -> np.ndarray:
    """The distinct quantiles of a column, or all its values if they are few; empty for at most two values."""
    values = np.unique(column)
    if len(values) > bins + 1:
        values = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)))
    values = values[np.append(True, np.diff(values) >= _SHORTEST_BIN)] if len(values) else values
    return values if len(values) > 2 else np.zeros(0)


def _category_codes(column: pd.Series) -> dict[Hashable, int]:
    """The codes, from 1, of the frequent categories; a missing value counts as a category."""
    counts = as_text(column).value_counts()
    frequent = sorted(counts[counts >= _MIN_ROWS].index[:_MAX_CATEGORIES])
    return {category: code for code, category in enumerate(frequent, start=1)}


def _look_up(column: pd.Series, codes: dict[Hashable, int]) -> np.ndarray:
    return as_text(column).map(codes).fillna(0).to_numpy(dtype=np.int64)
