"""Splitters by row order and by time; see ``kpipe.problem.cut_outs`` for test sets within train's time span."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from kpipe.problem.times import TimeColumn, before, end_of, read_times

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
    """Each fold validates a period of time, and trains on the rows before it.

    With a horizon, the folds mirror a test set that is as far ahead: they validate the last ``n_splits`` periods of
    that length, with models that have not seen the gap before the period either. Without a horizon, the first half of
    the rows is only trained on, and the second half forms ``n_splits`` periods of equally many rows.

    Rows with the same date stay together. Rows without a date, at most 5 %, are in no fold. Models for the test rows,
    which come after all rows of train, are fitted on all rows (``refit``), because the models of the folds have seen
    only a part of the past.

    Parameters
    ----------
    column : str or tuple of str
        A column of dates, or of numbers that grow with time, of the table that is split; or those of year, month, ...
    n_splits : int
        Number of periods that are validated.
    horizon : str or float, optional
        Length of a period, such as "1 year", "3 months" or "6 weeks"; a number for a column of numbers.
    gap : str or float, optional
        Length of time between the training rows and the period.

    Raises
    ------
    ValueError
        In ``split``, if the column holds no dates, or too few.

    References
    ----------
    Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd edition, 5.10 (rolling origin). Tashman,
    "Out-of-sample tests of forecasting accuracy" (2000): errors depend on the horizon, so that it must be the same.

    Examples
    --------
    >>> weeks = pd.DataFrame({"week": range(1, 9)})
    >>> for train, valid in ByTime("week", n_splits=2, horizon=2, gap=1).split(weeks):
    ...     print((train + 1).tolist(), "then", (valid + 1).tolist())
    [1, 2, 3] then [5, 6]
    [1, 2, 3, 4, 5] then [7, 8]
    """

    refit = True

    def __init__(
        self,
        column: TimeColumn,
        n_splits: int = 4,
        horizon: str | float | None = None,
        gap: str | float | None = None,
    ) -> None:
        self.column = column
        self.n_splits = n_splits
        self.horizon = horizon
        self.gap = gap

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs of (training rows, validation rows)."""
        times = read_times(X, self.column)
        for start, end in self._periods(times):
            earlier = times < before(start, self.gap)
            within = times >= start if end is None else (times >= start) & (times < end)
            if not (earlier.any() and within.any()):
                raise ValueError(f"{self.column} holds too few dates for {self.n_splits} periods of {self.horizon}")
            yield np.flatnonzero(earlier), np.flatnonzero(within)

    def _periods(self, times: pd.Series) -> Iterator[tuple[Any, Any]]:
        """Start and end of each validated period."""
        if self.horizon is None:
            yield from self._halves(times)
            return
        end = end_of(times, self.horizon)
        for number in range(self.n_splits, 0, -1):
            yield before(end, self.horizon, number), before(end, self.horizon, number - 1)

    def _halves(self, times: pd.Series) -> Iterator[tuple[Any, Any]]:
        """The start and end of periods of equally many rows in the second half."""
        shares = np.linspace(0.5, 1.0, self.n_splits + 1)
        cuts = times.quantile(shares[:-1].tolist(), interpolation="higher").tolist()
        if len(set(cuts)) < self.n_splits or not (times < cuts[0]).any():
            raise ValueError(f"{self.column} holds too few dates for {self.n_splits} periods of time")
        yield from zip(cuts, [*cuts[1:], None], strict=True)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """The number of folds."""
        return self.n_splits

    def __repr__(self) -> str:
        more = {"horizon": self.horizon, "gap": self.gap}
        given = "".join(f", {name}={value!r}" for name, value in more.items() if value is not None)
        return f"ByTime({self.column!r}, n_splits={self.n_splits}{given})"
