"""Splitters beyond scikit-learn's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from kpipe.data.dates import parse_dates

__all__ = ["ByTime", "RowSplit"]


class RowSplit:
    """One fold: the first rows train, the rest validate, in the order of the file.

    train_rows : how many rows train; a number of rows, or a share below 1.

    >>> train, valid = next(RowSplit(train_rows=0.8).split(np.zeros((10, 1))))
    >>> train.tolist(), valid.tolist()
    ([0, 1, 2, 3, 4, 5, 6, 7], [8, 9])

    Raises ValueError at ``split`` when no row is left to train or to validate.

    References: the digit-recognizer notebook that kpipe came from splits 42,000 rows as 33,600 / 8,400.
    """

    def __init__(self, train_rows: float = 0.8) -> None:
        self.train_rows = train_rows

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The one pair of (train rows, validation rows)."""
        n = len(X)
        cut = round(n * self.train_rows) if self.train_rows < 1 else int(self.train_rows)
        if not 0 < cut < n:
            raise ValueError(f"train_rows must leave rows on both sides of {n}, however: {self.train_rows}")
        yield np.arange(cut), np.arange(cut, n)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Always 1."""
        return 1

    def __repr__(self) -> str:
        return f"RowSplit(train_rows={self.train_rows})"


class ByTime:
    """Each fold validates a stretch of time and trains on all that comes before it; the first half only trains.

    Rows of one date stay together. Models for the test rows, which come after all, are fitted on every row (``refit``):
    those of the folds know only a part of the past.

    column : of dates or of whole numbers that grow with time, in the table that is split.
    n_splits : stretches of time.

    References: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd edition, 5.10 (rolling origin).
    """

    refit = True

    def __init__(self, column: str, n_splits: int = 4) -> None:
        self.column = column
        self.n_splits = n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pairs of (train rows, validation rows). Raises ValueError where the column holds no dates or too few."""
        dates = parse_dates(X[self.column])
        if dates is None and pd.api.types.is_integer_dtype(X[self.column]):
            dates = X[self.column]  # weeks, steps, hours
        if dates is None or dates.isna().any():
            raise ValueError(f"{self.column} must hold a date, or a whole number, in every row")
        shares = np.linspace(0.5, 1.0, self.n_splits + 1)
        cuts = dates.quantile(shares[:-1].tolist(), interpolation="higher").tolist()
        if len(set(cuts)) < self.n_splits or not (dates < cuts[0]).any():
            raise ValueError(f"{self.column} holds too few dates for {self.n_splits} stretches of time")
        for start, end in zip(cuts, [*cuts[1:], None], strict=True):
            within = dates >= start if end is None else (dates >= start) & (dates < end)
            yield np.flatnonzero(dates < start), np.flatnonzero(within)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """How many pairs."""
        return self.n_splits

    def __repr__(self) -> str:
        return f"ByTime({self.column!r}, n_splits={self.n_splits})"
