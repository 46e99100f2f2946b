"""Splitters beyond scikit-learn's: by row order and by time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kpipe.problem.times import read_times

__all__ = ["ByTime", "RowSplit"]


class RowSplit:
    """A single fold: the first rows of the file train, the others validate.

    Parameters
    ----------
    train_rows : float
        Number of rows that train, or their share if it is below 1.

    Raises
    ------
    ValueError
        In ``split``, if no row is left to train or to validate.

    References
    ----------
    The digit-recognizer notebook that kpipe came from splits 42,000 rows as 33,600 / 8,400.

    Examples
    --------
    >>> train, valid = next(RowSplit(train_rows=0.8).split(np.zeros((10, 1))))
    >>> train.tolist(), valid.tolist()
    ([0, 1, 2, 3, 4, 5, 6, 7], [8, 9])
    """

    def __init__(self, train_rows: float = 0.8) -> None:
        self.train_rows = train_rows

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The single pair of (training rows, validation rows)."""
        n = len(X)
        cut = round(n * self.train_rows) if self.train_rows < 1 else int(self.train_rows)
        if not 0 < cut < n:
            raise ValueError(
                f"train_rows must leave some of the {n} rows to train and some to validate; got {self.train_rows}"
            )
        yield np.arange(cut), np.arange(cut, n)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Always 1."""
        return 1

    def __repr__(self) -> str:
        return f"RowSplit(train_rows={self.train_rows})"


class ByTime:
    """Each fold validates a period of time and trains on all rows before it; the first half of the time only trains.

    Rows with the same date stay together. Rows without a date, at most 5 %, are in no fold. Models for the test rows,
    which come after all rows of train, are fitted on every row (``refit``): those of the folds know only a part of the
    past.

    Parameters
    ----------
    column : str
        A column of dates, or of numbers that grow with time, of the table that is split.
    n_splits : int
        Number of periods that are validated.

    Raises
    ------
    ValueError
        In ``split``, if the column holds no dates, or too few.

    References
    ----------
    Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd edition, 5.10 (rolling origin).
    """

    refit = True

    def __init__(self, column: str, n_splits: int = 4) -> None:
        self.column = column
        self.n_splits = n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pairs of (training rows, validation rows)."""
        dates = read_times(X, self.column)
        shares = np.linspace(0.5, 1.0, self.n_splits + 1)
        cuts = dates.quantile(shares[:-1].tolist(), interpolation="higher").tolist()
        if len(set(cuts)) < self.n_splits or not (dates < cuts[0]).any():
            raise ValueError(f"{self.column} holds too few dates for {self.n_splits} periods of time")
        for start, end in zip(cuts, [*cuts[1:], None], strict=True):
            within = dates >= start if end is None else (dates >= start) & (dates < end)
            yield np.flatnonzero(dates < start), np.flatnonzero(within)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """How many pairs."""
        return self.n_splits

    def __repr__(self) -> str:
        return f"ByTime({self.column!r}, n_splits={self.n_splits})"
