"""Features of a column of dates: calendar parts, and days since the first date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from kpipe.data.dates import DateFormat, parse_dates

__all__ = ["DateFeatures"]

_PARTS = ("year", "month", "day", "day_of_week", "day_of_year", "hour")


@dataclass(frozen=True)
class DateFeatures:
    """The features of one date column, as learned by ``AutomaticFeatures``.

    Parameters
    ----------
    start : Timestamp
        The first date of the fitting rows.
    format : DateFormat or None
        The column's date format; None if it has a datetime dtype.
    """

    start: pd.Timestamp
    format: DateFormat | None = None

    @classmethod
    def fit(cls, column: pd.Series, *, random_state: int) -> Self | None:
        """Return the features of a column, or None if it does not hold dates.

        Parameters
        ----------
        column : Series of shape (n,)
            A column of the fitting rows.
        random_state : int
            Ignored; dates need none.

        Returns
        -------
        DateFeatures or None
            Fitted.
        """
        dates = parse_dates(column)
        return None if dates is None else cls(dates.min(), DateFormat.of(column))

    def transform(self, column: pd.Series) -> dict[str, np.ndarray]:
        """Return days since the first date, then year, month, day, day of the week, day of the year and hour.

        Parameters
        ----------
        column : Series of shape (n,)
            The same column of any rows; a cell that is not a date is missing.

        Returns
        -------
        dict of str to ndarray of shape (n,)
            Float64 features by name.
        """
        dates = self.dates(column)
        days = (dates - self.start).dt.total_seconds() / 86_400
        parts = {f"{column.name}: {part}": getattr(dates.dt, part).to_numpy(dtype=float) for part in _PARTS}
        return {f"{column.name}: days": days.to_numpy(dtype=float), **parts}

    def dates(self, column: pd.Series) -> pd.Series:
        """Return the dates of the column.

        Parameters
        ----------
        column : Series of shape (n,)
            The same column of any rows; a cell that is not a date is missing.

        Returns
        -------
        Series of shape (n,)
            Of a datetime dtype.
        """
        return column if self.format is None else self.format.parse(column)
