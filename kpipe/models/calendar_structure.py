"""The structure of dated series: effects of the calendar by ridge regression, and a damped drift of the level."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from kpipe.models.calendar_effects import YEAR, CalendarEffects

__all__ = ["CalendarStructure", "DatedRows", "recurring_parts"]

_HALF_LIFE = 1.0  # years after which a row counts half: levels and seasons change slowly


class DatedRows(NamedTuple):
    """Rows of a table: the columns beside the date (n, columns), and the dates (n,)."""

    others: pd.DataFrame
    dates: pd.Series

    def take(self, chosen: np.ndarray) -> DatedRows:
        """Some of the rows.

        Parameters
        ----------
        chosen : ndarray of bool, shape (n,)
            Whether to take each row.

        Returns
        -------
        DatedRows
        """
        return DatedRows(self.others[chosen], self.dates[chosen])


def recurring_parts(rows: DatedRows) -> pd.DataFrame:
    """The parts of dates that recur, beside the other columns: trees cannot extrapolate to later dates.

    Parameters
    ----------
    rows : DatedRows

    Returns
    -------
    DataFrame of shape (n, columns + 4)
    """
    date = rows.dates.dt
    parts = {"weekday": date.day_of_week, "day": date.day, "day of year": date.day_of_year, "hour": date.hour}
    return pd.concat([pd.DataFrame({f"date: {name}": part for name, part in parts.items()}), rows.others], axis=1)


class CalendarStructure:
    """Ridge regression on effects of the calendar and of each series, with a damped drift of the level.

    Parameters
    ----------
    alpha : float
        Regularisation strength of ``Ridge``.

    Attributes
    ----------
    drift_ : float
        Yearly change of the level; 0 unless at least two yearly changes agree.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def fit(self, rows: DatedRows, target: np.ndarray) -> Self:
        """Learn the effects and the drift.

        Parameters
        ----------
        rows : DatedRows
        target : ndarray of shape (n,)
            Values, on the scale on which effects add.

        Returns
        -------
        self
        """
        self.start_, self.end_ = rows.dates.min(), rows.dates.max()
        self.effects_ = CalendarEffects(*rows)
        design = self.effects_.encode(*rows)
        weights = self.weights(rows.dates)
        self.ridge_ = Ridge(alpha=self.alpha, solver="lsqr").fit(design, target, sample_weight=weights)
        age = np.nan_to_num(-self._years_ahead(rows.dates))
        self.drift_ = _damped_drift(target - self.ridge_.predict(design), np.floor(age).astype(int))
        self.centre_ = float(np.average(age, weights=weights))
        return self

    def predict(self, rows: DatedRows) -> np.ndarray:
        """Continue the series; the drift ends as far ahead as the fitting rows are long.

        Parameters
        ----------
        rows : DatedRows

        Returns
        -------
        ndarray of shape (n,)
            Values, on the scale of ``target``.
        """
        furthest = (self.end_ - self.start_).total_seconds() / (86_400 * YEAR)
        ahead = np.clip(np.nan_to_num(self._years_ahead(rows.dates)), -self.centre_, furthest)
        values: np.ndarray = self.ridge_.predict(self.effects_.encode(*rows))
        return values + self.drift_ * (ahead + self.centre_)

    def weights(self, dates: pd.Series) -> np.ndarray:
        """Return the weight of each row.

        Parameters
        ----------
        dates : Series of datetime64, shape (n,)
            Missing ones count as the last.

        Returns
        -------
        ndarray of shape (n,)
            1.0 for the last date of the fitting rows, 0.5 a year before.
        """
        return np.asarray(0.5 ** (np.nan_to_num(-self._years_ahead(dates)) / _HALF_LIFE))

    def _years_ahead(self, dates: pd.Series) -> np.ndarray:
        """(n,) years from the last date of the fitting rows; NaN for missing dates."""
        return ((dates - self.end_).dt.total_seconds() / (86_400 * YEAR)).to_numpy(dtype=float)


def _damped_drift(residuals: np.ndarray, year: np.ndarray) -> float:
    """The mean yearly change of the residuals, shrunk by how far the changes differ; 0 from fewer than two changes."""
    levels = pd.Series(residuals).groupby(-year).mean().sort_index()
    changes = levels.diff().dropna().to_numpy()
    if len(changes) < 2 or (mean := changes.mean()) == 0:
        return 0.0
    noise = changes.var(ddof=1) / len(changes)
    return float(mean * max(0.0, 1.0 - noise / mean**2))
