"""Splitters for test sets that were cut out of the time span of train: at the end of each month, or in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from kpipe.problem.times import TimeColumn, period_numbers, read_times

__all__ = ["Period", "PeriodEnds", "TimeBlocks", "block_numbers", "phases"]

Period = Literal["day", "week", "month", "year"]

_UNITS = {"day": "D", "week": "W", "month": "M", "year": "Y"}


class PeriodEnds:
    """Folds for a test set that is the end of each month (week, year, day), where train is its beginning.

    A model for the test rows has seen the beginnings of all months, including later ones, and no end of a month. Each
    fold mirrors this within train: it trains on the first days of all months and validates the following days of every
    ``n_splits``-th month. The folds cut at slightly different days, so that their models differ. Models for the test
    rows are fitted on all rows (``refit``).

    Parameters
    ----------
    column : str or tuple of str
        A column of dates; or those of year, month, ...
    period : {"day", "week", "month", "year"}
    horizon : int
        The approximate number of train's last days per period (hours per day) that are validated.
    n_splits : int
        Number of folds.

    Raises
    ------
    ValueError
        In ``split``, if the column holds no dates, or a fold has no rows.

    References
    ----------
    Test rows of Kaggle's bike-sharing-demand are the days from the 20th of each month.

    Examples
    --------
    >>> hours = pd.DataFrame({"when": pd.date_range("2024-01-01", "2024-02-29")})
    >>> hours = hours[hours["when"].dt.day < 20]
    >>> train, valid = next(PeriodEnds("when", horizon=7, n_splits=2).split(hours))
    >>> hours["when"].iloc[valid].dt.strftime("%m-%d").tolist()
    ['01-13', '01-14', '01-15', '01-16', '01-17', '01-18', '01-19']
    >>> int(hours["when"].iloc[train].dt.day.max())
    12
    """

    refit = True

    def __init__(self, column: TimeColumn, period: Period = "month", horizon: int = 7, n_splits: int = 5) -> None:
        self.column = column
        self.period = period
        self.horizon = horizon
        self.n_splits = n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs of (training rows, validation rows)."""
        times = read_times(X, self.column)
        if not pd.api.types.is_datetime64_any_dtype(times):
            raise ValueError(f"{self.column} must hold dates")
        phase, turn = phases(times, self.period), period_numbers(times, _UNITS[self.period]) % self.n_splits
        for fold in range(self.n_splits):
            cut = np.nanmax(phase) - self.horizon + self._shift(fold)
            train, valid = phase <= cut, (phase > cut) & (turn == fold)
            if not (train.any() and valid.any()):
                raise ValueError(f"{self.column} holds too few {self.period}s for {self.n_splits} folds")
            yield np.flatnonzero(train), np.flatnonzero(valid)

    def _shift(self, fold: int) -> int:
        """The offset of a fold's cut from the middle one, in days."""
        return round((fold - (self.n_splits - 1) / 2) * min(1.0, self.horizon / (2 * self.n_splits)))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """The number of folds."""
        return self.n_splits

    def __repr__(self) -> str:
        return f"PeriodEnds({self.column!r}, {self.period!r}, horizon={self.horizon}, n_splits={self.n_splits})"


class TimeBlocks:
    """Folds of whole blocks of time, for a test set of blocks between those of train.

    Parameters
    ----------
    column : str or tuple of str
        A column of dates or of numbers that grow with time; or those of year, month, ...
    block : str or float, optional
        Length of a block, such as "5 days"; a number for a column of numbers. None: each time is a block.
    n_splits : int
        Number of folds.
    shuffle : bool
        Whether blocks are assigned to folds at random.
    random_state : int
        Seed of the assignment.

    Raises
    ------
    ValueError
        In ``split``, if the column holds no times, or fewer blocks than folds.

    References
    ----------
    Roberts et al., "Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic
    structure" (2017).

    Examples
    --------
    >>> steps = pd.DataFrame({"step": [1, 1, 2, 3, 4, 4]})
    >>> for train, valid in TimeBlocks("step", block=2, n_splits=2).split(steps):
    ...     print(steps["step"].iloc[train].tolist(), steps["step"].iloc[valid].tolist())
    [1, 1, 2] [3, 4, 4]
    [3, 4, 4] [1, 1, 2]
    """

    def __init__(
        self,
        column: TimeColumn,
        block: str | float | None = None,
        n_splits: int = 5,
        shuffle: bool = True,
        random_state: int = 0,
    ) -> None:
        self.column = column
        self.block = block
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs of (training rows, validation rows)."""
        times = read_times(X, self.column)
        rows = np.flatnonzero(times.notna())
        numbers = block_numbers(times.iloc[rows], self.block)
        folds = GroupKFold(
            self.n_splits, shuffle=self.shuffle, random_state=self.random_state if self.shuffle else None
        )
        for train, valid in folds.split(rows, groups=numbers):
            yield rows[train], rows[valid]

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """The number of folds."""
        return self.n_splits

    def __repr__(self) -> str:
        return (
            f"TimeBlocks({self.column!r}, block={self.block!r}, n_splits={self.n_splits}, shuffle={self.shuffle}, "
            f"random_state={self.random_state})"
        )


def block_numbers(times: pd.Series, block: str | float | None) -> np.ndarray:
    """Assign times to blocks.

    Parameters
    ----------
    times : Series
        (n,) datetime64 or numbers, none missing.
    block : str or float, optional
        The length of a block, as for ``TimeBlocks``.

    Returns
    -------
    ndarray
        (n,) numbers that count from the first time. A remainder shorter than half a block belongs to the last block.
    """
    if block is None:
        return np.unique(times, return_inverse=True)[1]
    if not pd.api.types.is_datetime64_any_dtype(times):
        passed = (times - times.min()) / block
    else:
        passed = (times - times.min().floor("D")) / pd.Timedelta(block)
    return np.minimum(np.floor(passed), max(0, round(float(passed.max())) - 1)).to_numpy(dtype=np.int64)


def phases(times: pd.Series, period: Period) -> np.ndarray:
    """The position of each time in its period: the day of the month, week or year, or the hour of the day.

    Parameters
    ----------
    times : Series
        (n,) datetime64.
    period : {"day", "week", "month", "year"}

    Returns
    -------
    ndarray
        (n,) float64; days count from 1. NaN for missing times.
    """
    # After 28 February, days of leap years count one less, so that a date has the same number in every year.
    of_year = times.dt.day_of_year - (times.dt.is_leap_year & (times.dt.day_of_year > 59))
    parts = {"day": times.dt.hour, "week": times.dt.day_of_week + 1, "month": times.dt.day, "year": of_year}
    return np.asarray(parts[period].to_numpy(dtype=float))
