"""The model ``calendar``: levels, seasons and a damped drift of dated series, continued into the future.

Trees repeat what they have seen; a year ahead of the training rows they cannot say how seasons and levels go together.
This model states that structure: effects of the calendar that the series share, and a level that is continued.

References
----------
Harvey and Shephard, "Structural Time Series Models", 1993: level, drift, seasons and effects of the calendar.
Gardner and McKenzie, "Forecasting Trends in Time Series", 1985: a drift is damped, because few of them last.
James and Stein, "Estimation with Quadratic Loss", 1961: how far an estimate that is noisy is shrunk to zero.
Duan, "Smearing Estimate", 1983: the mean on the scale of the target, from a fit on its logarithm.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import check_is_fitted

from kpipe.core.values import Context, Loss
from kpipe.data.dates import DateFormat, parse_dates
from kpipe.errors import UsageError
from kpipe.features import as_text, soft_clip_scaler
from kpipe.models.factory import require_known

__all__ = ["CalendarRegressor", "calendar"]

_YEAR = 365.25  # days
_HALF_LIFE = 1.0  # years after which a row counts half: levels and seasons change slowly
_HARMONICS, _OWN_HARMONICS = 10, 3  # of the year, shared by all series, and of each label
_MOST_LABELS, _MOST_SERIES = 2_000, 20_000  # different labels of a column, and different combinations of them
_FEW_NUMBERS = 12  # different values up to which a column of numbers is read as labels
_WIDE = 8.0  # ratio of the target's 99 % to its 1 % quantile from which effects multiply rather than add
_NEW_YEAR = 15  # days around the new year with an effect of their own: harmonics are too smooth for it


def calendar(context: Context, **options: Any) -> BaseEstimator:
    """Ridge regression on effects of the calendar and of each series, with a damped drift, for tables with dates.

    It reads the columns as they are, without the competition's features.

    Parameters
    ----------
    context : Context
        The context of the fit; the task must be a regression.
    **options
        ``alpha`` of scikit-learn's ``Ridge``.

    Returns
    -------
    CalendarRegressor
        Unfitted.

    Raises
    ------
    UsageError
        If the task is a classification, or an option is not known.
    """
    require_known("calendar", options, {"alpha"})
    if context.task != "regression":
        raise UsageError("The model 'calendar' needs numbers, but the target holds classes. Choose another model.")
    return CalendarRegressor(loss=context.loss, **options)


class CalendarRegressor(RegressorMixin, BaseEstimator):
    """Ridge regression on effects of the calendar and of each series, with a damped drift.

    The effects: each label of the columns beside the date, each combination of labels (a series), the weekday, the
    year's harmonics, the days around the new year, the hour; and weekday, hour and slow harmonics of each label. Recent
    rows count more. Effects multiply where the target is positive and spreads over more than a factor of eight.

    Parameters
    ----------
    loss : {"squared", "absolute", "poisson"}
        With "absolute", the median is predicted where effects multiply, otherwise the mean.
    alpha : float
        Of ``Ridge``.

    Attributes
    ----------
    drift_ : float
        Yearly change of the level; 0 unless at least two yearly changes agree.
    """

    raw = True

    def __init__(self, loss: Loss = "squared", alpha: float = 1.0) -> None:
        self.loss = loss
        self.alpha = alpha

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Learn the effects and the drift.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            With a column of dates.
        y : ndarray of shape (n,)
            Values.

        Returns
        -------
        self
            The fitted regressor.

        Raises
        ------
        ValueError
            If no column holds dates.
        """
        y = np.asarray(y, dtype=np.float64)
        self.date_, self.format_ = _find_dates(X)
        low, high = np.quantile(y, [0.01, 0.99])
        self.multiplies_ = bool(y.min() >= 0 and high > _WIDE * max(low, high / 1e6))
        dates = self._dates(X)
        self.end_ = dates.max()
        target = np.log1p(y) if self.multiplies_ else y
        age = np.nan_to_num(((self.end_ - dates).dt.total_seconds() / (86_400 * _YEAR)).to_numpy(dtype=float))
        weights = 0.5 ** (age / _HALF_LIFE)
        self.effects_ = _Effects(X.drop(columns=[self.date_]), dates)
        design = self.effects_.encode(X, dates)
        self.ridge_ = Ridge(alpha=self.alpha, solver="lsqr").fit(design, target, sample_weight=weights)
        residuals = target - self.ridge_.predict(design)
        self.drift_ = _damped_drift(residuals, np.floor(age).astype(int))
        self.centre_ = float(np.average(age, weights=weights))
        self.smearing_ = 1.0
        if self.multiplies_ and self.loss != "absolute":
            self.smearing_ = float(min(np.average(np.exp(residuals), weights=weights), 2.0))
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Continue the series.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Values, float64; none below 0 where effects multiply.
        """
        check_is_fitted(self)
        dates = self._dates(X)
        ahead = ((dates - self.end_).dt.total_seconds() / (86_400 * _YEAR)).to_numpy(dtype=float)
        values = self.ridge_.predict(self.effects_.encode(X, dates))
        values += self.drift_ * (np.maximum(np.nan_to_num(ahead), -self.centre_) + self.centre_)
        # Where effects multiply, no value of the target is negative.
        predicted: np.ndarray = np.maximum(self.smearing_ * np.exp(values) - 1, 0) if self.multiplies_ else values
        return predicted

    def _dates(self, X: pd.DataFrame) -> pd.Series:
        column = X[self.date_]
        return column if self.format_ is None else self.format_.parse(column)


def _find_dates(X: pd.DataFrame) -> tuple[Hashable, DateFormat | None]:
    """The column of dates with most of them, and how it writes them; None where it holds dates."""
    dates = {name: parse_dates(X[name]) for name in X.columns}
    numbers = {name: found.nunique() for name, found in dates.items() if found is not None}
    if not numbers:
        raise ValueError("The model 'calendar' needs a column of dates, but there is none. Choose another --model.")
    name = max(numbers, key=lambda name: numbers[name])
    return name, DateFormat.of(X[name])


def _damped_drift(residuals: np.ndarray, year: np.ndarray) -> float:
    """The mean yearly change of the residuals, shrunk by how far the changes differ; 0 from fewer than two changes."""
    levels = pd.Series(residuals).groupby(-year).mean().sort_index()
    changes = levels.diff().dropna().to_numpy()
    if len(changes) < 2 or (mean := changes.mean()) == 0:
        return 0.0
    noise = changes.var(ddof=1) / len(changes)
    return float(mean * max(0.0, 1.0 - noise / mean**2))


class _Effects:
    """The columns of the design: of labels and series, of the calendar, and their products."""

    def __init__(self, X: pd.DataFrame, dates: pd.Series) -> None:
        """Learn what the columns beside the date hold, and what the dates cover."""
        self.numbers = [n for n in X if pd.api.types.is_numeric_dtype(X[n]) and X[n].nunique() > _FEW_NUMBERS]
        self.labels = [n for n in X if n not in self.numbers and X[n].nunique() <= _MOST_LABELS]
        self.is_hourly = dates.dt.hour.nunique() > 1
        self.has_seasons = (dates.max() - dates.min()).days >= 0.9 * _YEAR
        texts = self._texts(X)
        self.series = OneHotEncoder(handle_unknown="ignore", max_categories=_MOST_SERIES).fit(self._series(texts))
        self.encoders = {n: OneHotEncoder(handle_unknown="ignore").fit(texts[[n]]) for n in texts}
        self.scaler = soft_clip_scaler().fit(X[self.numbers]) if self.numbers else None

    def encode(self, X: pd.DataFrame, dates: pd.Series) -> sparse.csr_matrix:
        """(n, effects) the design of rows."""
        texts = self._texts(X)
        encoded = [encoder.transform(texts[[name]]) for name, encoder in self.encoders.items()]
        labels = sparse.hstack([sparse.csr_matrix((len(X), 0)), *encoded]).tocsr()
        shared, own = self._calendar(dates)
        parts = [labels, self.series.transform(self._series(texts)), shared]
        parts += [_product(labels, column) for column in own.T]
        if self.scaler is not None:
            parts.append(np.nan_to_num(np.asarray(self.scaler.transform(X[self.numbers]), dtype=float)))
        return sparse.hstack([sparse.csr_matrix(part) for part in parts]).tocsr()

    def _texts(self, X: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({n: as_text(X[n].astype("str"), missing="missing") for n in self.labels}, index=X.index)

    def _series(self, texts: pd.DataFrame) -> pd.DataFrame:
        joined = pd.Series("", index=texts.index, dtype="str")
        for name in texts.columns:
            joined = joined + "\x1f" + texts[name]
        return joined.to_frame("series")

    def _calendar(self, dates: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """(n, k) effects of the calendar that all series share, and (n, m) those that each label has of its own."""
        weekdays = _one_hot(dates.dt.day_of_week, 7)
        hours = _one_hot(dates.dt.hour, 24 * self.is_hourly)
        workday = (dates.dt.day_of_week < 5).to_numpy(dtype=float)[:, None]
        shared, own = [weekdays, hours, hours * workday], [weekdays, hours]
        if self.has_seasons:
            waves = _harmonics(dates, _HARMONICS)
            shared += [waves, _new_year(dates)]
            own.append(waves[:, : 2 * _OWN_HARMONICS])
        return np.hstack(shared), np.hstack(own)


def _product(labels: sparse.csr_matrix, column: np.ndarray) -> sparse.csr_matrix:
    """Labels in the rows where a column is not 0; scipy would store the zeros of all other rows, too."""
    product = labels.multiply(column[:, None]).tocsr()
    product.eliminate_zeros()
    return product


def _one_hot(values: pd.Series, count: int) -> np.ndarray:
    return (values.to_numpy(dtype=float)[:, None] == np.arange(count)).astype(float)


def _harmonics(dates: pd.Series, count: int) -> np.ndarray:
    angle = 2 * np.pi * dates.dt.day_of_year.to_numpy(dtype=float) / _YEAR
    waves = [wave(k * angle) for k in range(1, count + 1) for wave in (np.sin, np.cos)]
    return np.nan_to_num(np.column_stack(waves))


def _new_year(dates: pd.Series) -> np.ndarray:
    """One column for each day within two weeks of the new year."""
    day = dates.dt.day_of_year.to_numpy(dtype=float)
    before = np.where(dates.dt.is_leap_year, 366, 365) - day  # 0 on the last day of the year
    nearest = np.where(before < _NEW_YEAR, -1 - before, np.where(day <= _NEW_YEAR, day - 1, np.nan))
    return (nearest[:, None] == np.arange(-_NEW_YEAR, _NEW_YEAR)).astype(float)
