"""The model ``calendar``: levels, seasons and a damped drift of dated series, continued into the future.

Trees cannot extrapolate: for dates a year after the training rows, they do not know how seasons and levels combine.
This model states that structure: calendar effects that the series share, and a level that is continued.

References
----------
Harvey and Shephard, "Structural Time Series Models", 1993: level, drift, seasons and effects of the calendar.
Gardner and McKenzie, "Forecasting Trends in Time Series", 1985: a drift is damped, because few drifts last.
James and Stein, "Estimation with Quadratic Loss", 1961: how far an estimate that is noisy is shrunk to zero.
Duan, "Smearing Estimate", 1983: the mean on the scale of the target, from a fit on its logarithm.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from kpipe.core.values import Context, Loss
from kpipe.data.dates import DateFormat, parse_dates
from kpipe.errors import UsageError
from kpipe.features import NativeCategories
from kpipe.models.calendar_structure import CalendarStructure, DatedRows, recurring_parts
from kpipe.models.factory import require_known

__all__ = ["CalendarRegressor", "calendar"]

_LOG = logging.getLogger("kpipe")

_MAX_ROWS = 300_000  # that are fitted, and that are predicted at a time
_STRAY = 3.0  # times the span of the middle 80 % of dates: dates farther away are mistakes
_EARLY = 0.75  # share of the dates that predict the others, to decide on the residuals
_SHARE = 0.5  # of the boosted residuals; adding all of them made forecasts a year ahead worse as often as better
_MIN_ROWS, _BLOCKS = 100, 12  # of each part, and into how many blocks of time the later part is divided
_TREES: dict[str, Any] = {
    "n_estimators": 200,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_child_samples": 40,
    "verbosity": -1,
}
_TREES |= {"deterministic": True, "force_row_wise": True}  # the same bytes in every run
_WIDE = 8.0  # ratio of the target's 99 % to its 1 % quantile from which effects multiply rather than add


def calendar(context: Context, **options: Any) -> BaseEstimator:
    """Calendar and series effects with a damped drift and boosted residuals, for tables with dates.

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
        raise UsageError(
            "The model 'calendar' needs a numeric target, but the target holds classes. Choose another model.",
            code="model-unsuitable",
        )
    return CalendarRegressor(loss=context.loss, n_jobs=context.threads, random_state=context.seed, **options)


class CalendarRegressor(RegressorMixin, BaseEstimator):
    """Effects of the calendar and of each series with a damped drift, and boosted trees for the residuals.

    A ridge regression learns the effects: each label of the columns beside the date, each combination of labels (a
    series), the weekday, the year's harmonics, the days around the new year and around public holidays, the hour; and
    weekday, hour and slow harmonics of each label. Recent rows count more. Effects multiply where the target is
    positive and spreads over more than a factor of eight. LightGBM learns the residuals, from parts of the date that
    recur and the other columns. Half of what it predicts is added where that improves predictions of the last quarter
    of the dates from those before, by more than a standard error.

    Parameters
    ----------
    loss : {"squared", "absolute", "poisson"}
        With "absolute", the median is predicted where effects multiply, otherwise the mean.
    alpha : float
        Regularisation strength of ``Ridge``.
    n_jobs : int
        Threads of LightGBM.
    random_state : int
        Seed of LightGBM.

    Attributes
    ----------
    structure_ : CalendarStructure
        The ridge regression and its drift.
    share_ : float
        Share of the boosted residuals that is added: 0.0 or 0.5.
    """

    raw = True

    def __init__(self, loss: Loss = "squared", alpha: float = 1.0, n_jobs: int = 1, random_state: int = 0) -> None:
        self.loss = loss
        self.alpha = alpha
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Learn the effects, the drift and the residuals.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            With a column of dates. Of more than 300,000 rows, a sample of that size is used.
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
        X, y = _without_stray_dates(*_sample_rows(X, y), self._dates)
        low, high = np.quantile(y, [0.01, 0.99])
        self.multiplies_ = bool(y.min() >= 0 and high > _WIDE * max(low, high / 1e6))
        rows = self._rows(X)
        target = np.log1p(y) if self.multiplies_ else y
        self.structure_ = CalendarStructure(self.alpha).fit(rows, target)
        residuals = target - self.structure_.predict(rows)
        self.share_ = self._residual_share(rows, target)
        if self.share_:
            self.residuals_ = self._fit_residuals(rows, residuals)
            residuals = residuals - self.share_ * self.residuals_.predict(recurring_parts(rows))
        self.smearing_ = 1.0
        if self.multiplies_ and self.loss != "absolute":
            self.smearing_ = float(min(np.average(np.exp(residuals), weights=self.structure_.weights(rows.dates)), 2.0))
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
        parts = [self._predict(X.iloc[start : start + _MAX_ROWS]) for start in range(0, max(len(X), 1), _MAX_ROWS)]
        return np.concatenate(parts)

    def _predict(self, X: pd.DataFrame) -> np.ndarray:
        rows = self._rows(X)
        values = self.structure_.predict(rows)
        if self.share_ and len(X):
            values += self.share_ * self.residuals_.predict(recurring_parts(rows))
        # Where effects multiply, no value of the target is negative.
        return np.maximum(self.smearing_ * np.exp(values) - 1, 0) if self.multiplies_ else values

    def _rows(self, X: pd.DataFrame) -> DatedRows:
        return DatedRows(X.drop(columns=[self.date_]), self._dates(X))

    def _dates(self, X: pd.DataFrame) -> pd.Series:
        column = X[self.date_]
        return column if self.format_ is None else self.format_.parse(column)

    def _residual_share(self, rows: DatedRows, target: np.ndarray) -> float:
        """The share of boosted residuals to add: 0.0 unless it significantly improves forecasts of the last dates."""
        late = (rows.dates > rows.dates.quantile(_EARLY, interpolation="lower")).to_numpy()
        if min(late.sum(), (~late).sum()) < _MIN_ROWS:
            return 0.0
        early, later = rows.take(~late), rows.take(late)
        structure = CalendarStructure(self.alpha).fit(early, target[~late])
        boosted = self._fit_residuals(early, target[~late] - structure.predict(early))
        remaining = target[late] - structure.predict(later)
        gains = remaining**2 - (remaining - _SHARE * boosted.predict(recurring_parts(later))) ** 2
        blocks = np.array_split(gains[np.argsort(later.dates.to_numpy(), kind="stable")], _BLOCKS)
        of_blocks = np.array([block.mean() for block in blocks])
        return _SHARE if of_blocks.mean() > of_blocks.std(ddof=1) / np.sqrt(_BLOCKS) else 0.0

    def _fit_residuals(self, rows: DatedRows, residuals: np.ndarray) -> Pipeline:
        from lightgbm import LGBMRegressor

        trees = LGBMRegressor(**_TREES, n_jobs=self.n_jobs, random_state=self.random_state)
        return make_pipeline(NativeCategories(), trees).fit(recurring_parts(rows), residuals)


def _find_dates(X: pd.DataFrame) -> tuple[Hashable, DateFormat | None]:
    """The column with the most distinct dates, and their format; None for a datetime dtype."""
    dates = {name: parse_dates(X[name]) for name in X.columns}
    counts = {name: found.nunique() for name, found in dates.items() if found is not None}
    if not counts:
        raise ValueError("The model 'calendar' needs a column of dates, but there is none. Choose another --model.")
    name = max(counts, key=lambda name: counts[name])
    return name, DateFormat.of(X[name])


def _sample_rows(X: pd.DataFrame, y: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """At most ``_MAX_ROWS`` rows, in their order: for more, the design needs gigabytes without better effects."""
    if len(y) <= _MAX_ROWS:
        return X, y
    rows = np.sort(np.random.default_rng(0).choice(len(y), _MAX_ROWS, replace=False))
    return X.iloc[rows], y[rows]


def _without_stray_dates(
    X: pd.DataFrame, y: np.ndarray, read: Callable[[pd.DataFrame], pd.Series]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Drop rows whose date is far from nearly all others: beside one in 2099, all others would count as old."""
    dates = read(X)
    seconds = (dates - dates.min()).dt.total_seconds()
    low, high = seconds.quantile(0.1), seconds.quantile(0.9)
    if not high > low:  # NaN where no row has a date
        return X, y
    reach = _STRAY * (high - low)
    stray = ((seconds < low - reach) | (seconds > high + reach)).to_numpy()
    if stray.any():
        first = dates[stray].iloc[0]
        _LOG.warning(f"calendar drops rows whose date is far from the others: {int(stray.sum())}, such as {first}")
    return X[~stray], y[~stray]
