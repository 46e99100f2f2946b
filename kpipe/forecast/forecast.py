"""Forecast of the leaderboard score: the corrected out-of-fold score with a 95 % prediction interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from kpipe.core.metrics import Metric, output
from kpipe.core.values import Ensemble, Folds, Predictions, Score
from kpipe.forecast.averaging import estimate_averaging
from kpipe.forecast.shift import Shift, estimate_shift
from kpipe.forecast.variance import sampling_errors
from kpipe.problem.problem import Problem

__all__ = ["Forecast", "make_forecast"]

_LEVEL = 0.95
# Prior for how errors differ between horizons: the standard deviation of their logarithm, and its weight in horizons.
# In tabular-playground-series-sep-2022 it is 0.21 for ten quarters and 0.19 for five half-years, apart from the gain
# of more training rows.
_USUAL_SPREAD, _USUAL_HORIZONS = 0.3, 8
# Errors may fall with the square root of the number of training rows (in the data above, with the power 0.65).
_LEARNING_RATE = 0.5


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A forecast of the leaderboard score.

    Attributes
    ----------
    value : float
        In units of the score.
    low, high : float
        The limits of the 95 % prediction interval; NaN if they are unknown.
    parts : mapping of str to object
        The components, as JSON types: ``score``; ``shift``, a correction for covariate shift, and ``shift_method``;
        ``averaging``, a correction because test rows are predicted by the mean of the folds' models, and
        ``averaging_method``; ``choosing``, a correction for the competition's ``selection_bias``; ``standard_errors``,
        in units of the score, due to ``train`` (sampling of the validation rows), ``test`` (sampling of the test rows),
        ``models`` (which rows they were trained on), ``shift``, ``choosing``, and ``time`` (differences between
        horizons); ``units``, the number of independent rows, groups or blocks of time that were validated; and
        ``test_rows``.
    """

    value: float
    low: float
    high: float
    parts: Mapping[str, Any] = field(default_factory=dict)


def make_forecast(
    problem: Problem, folds: Folds, predictions: Predictions, ensemble: Ensemble, score: Score
) -> Forecast:
    """Forecast the leaderboard score.

    Weights and thresholds are cross-fitted, so that they do not bias ``score``. The competition's ``selection_bias``
    accounts for choices that its author made on all rows. Its standard error is taken to be as large as itself, because
    it was measured by repeating a similar search and not the author's own.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    predictions : Predictions
        Of the models, including the test predictions of each fold.
    ensemble : Ensemble
        Of the same models.
    score : Score
        Of the ensemble's out-of-fold predictions, its standard error by blocks.

    Returns
    -------
    Forecast

    References
    ----------
    See ``kpipe.forecast.shift``, ``kpipe.forecast.averaging`` and ``kpipe.forecast.variance``.
    """
    metric, y, rows = problem.metric, problem.y, len(problem.tables.test)
    errors = sampling_errors(
        metric,
        y,
        ensemble.oof,
        score=score,
        folds=folds,
        blocks=problem.blocks,
        test_blocks=problem.test_blocks,
        test_rows=rows,
    )
    shift = _shift(problem, folds, ensemble, score)
    averaging = estimate_averaging(metric, y, folds, predictions, ensemble)
    bias = problem.competition.selection_bias
    choosing = 0.0 - bias if metric.greater_is_better else bias
    value = score.value + shift.amount + averaging.amount + choosing
    is_share = metric.greater_is_better and 0 <= value <= 1 and _are_shares(metric, y, ensemble.oof)
    scale = _scale(metric, value, is_share=is_share)
    slope = scale.slope(scale.clip(value))
    time, freedom = _time_error(scale, score.folds) if folds.refit else (0.0, 1)
    sampling = math.hypot(errors.total, shift.standard_error, bias) * slope
    half = math.hypot(_quantile(errors.units - 1) * sampling, _quantile(freedom) * time)
    gain = _most_learned(folds, len(y)) if folds.refit and scale is not _IDENTITY else 0.0
    below, above = (half, half + gain) if metric.greater_is_better else (half + gain, half)
    low, high = (scale.back(scale.to(scale.clip(value)) + step) for step in (-below, above))
    rounding = 0.5 / rows if metric.needs == "label" and metric.losses is not None else 0.0  # scores count whole rows
    least, greatest = _bounds(metric, value, is_share=is_share)
    parts = {
        "score": score.value,
        "shift": shift.amount,
        "shift_method": shift.method,
        "averaging": averaging.amount,
        "averaging_method": averaging.method,
        "choosing": choosing,
        "standard_errors": {
            "train": errors.train,
            "test": errors.test,
            "models": errors.models,
            "shift": shift.standard_error,
            "choosing": bias,
            "time": time / slope,
        },
        "units": errors.units,
        "test_rows": rows,
    }
    return Forecast(value=value, low=max(low - rounding, least), high=min(high + rounding, greatest), parts=parts)


def _shift(problem: Problem, folds: Folds, ensemble: Ensemble, score: Score) -> Shift:
    if folds.refit:
        return Shift(method="none: test comes later, where losses are unknown")
    return estimate_shift(
        problem.metric,
        problem.y,
        ensemble.oof,
        problem.X,
        problem.X_test,
        score=score.value,
        standard_error=score.standard_error,
        blocks=problem.blocks,
    )


def _quantile(freedom: int) -> float:
    """The two-sided quantile of Student's t distribution; NaN without degrees of freedom."""
    return float(stats.t.ppf((1 + _LEVEL) / 2, freedom)) if freedom > 0 else math.nan


@dataclass(frozen=True)
class _Scale:
    """A scale on which the errors of a score are roughly symmetric: logarithms of errors, log odds of shares.

    Attributes
    ----------
    to, back : callable
        From units of the score to this scale, and back.
    slope : callable
        The derivative of ``to``.
    low, high : float
        The range of scores for which ``to`` is defined.
    """

    to: Callable[[float], float]
    back: Callable[[float], float]
    slope: Callable[[float], float]
    low: float = -math.inf
    high: float = math.inf

    def clip(self, score: float) -> float:
        """The score, or the nearest one in the scale's range."""
        return min(max(score, self.low), self.high)


_LOGARITHMS = _Scale(math.log, lambda value: float(np.exp(min(value, 700.0))), lambda score: 1 / score, low=1e-300)
_LOG_ODDS = _Scale(
    lambda score: math.log(score / (1 - score)),
    lambda value: float(1 / (1 + np.exp(-value))),
    lambda score: 1 / (score * (1 - score)),
    low=1e-9,
    high=1 - 1e-9,
)
_IDENTITY = _Scale(float, float, lambda score: 1.0)


def _are_shares(metric: Metric, y: np.ndarray, oof: np.ndarray) -> bool:
    """Whether no row scores above 1, as for hits, which bounds the score; assumed for metrics without losses."""
    predicted = ~np.isnan(oof).any(axis=1)
    return metric.losses is None or bool(metric.losses(y[predicted], output(metric, oof[predicted])).max() <= 1)


def _scale(metric: Metric, score: float, *, is_share: bool) -> _Scale:
    if metric.greater_is_better:
        return _LOG_ODDS if is_share and 0 < score < 1 else _IDENTITY
    return _LOGARITHMS if score > 0 else _IDENTITY


def _bounds(metric: Metric, score: float, *, is_share: bool) -> tuple[float, float]:
    """The lowest and highest possible score, as far as the score itself shows."""
    if metric.greater_is_better:
        of_hits = is_share and metric.losses is not None and metric.needs in ("label", "ranking")
        return 0.0 if of_hits else -math.inf, 1.0 if is_share else math.inf
    return 0.0 if score >= 0 else -math.inf, math.inf


def _most_learned(folds: Folds, rows: int) -> float:
    """How much better, on the logarithmic scale, a model of all rows may be than the folds' models of fewer rows."""
    return _LEARNING_RATE * float(np.mean([math.log(rows / len(train)) for train in folds.train]))


def _time_error(scale: _Scale, folds: Sequence[float]) -> tuple[float, int]:
    """The predictive standard deviation of another horizon's score on a scale, and its degrees of freedom.

    Two horizons say little about how much horizons differ, and one says nothing: their variance is pooled with a usual
    one (a scaled inverse chi-squared prior: Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013, section 3.3).
    """
    values = np.array([scale.to(scale.clip(fold)) for fold in folds if math.isfinite(fold)])
    count = max(len(values), 1)
    squares = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    freedom = count - 1 + _USUAL_HORIZONS
    variance = (squares + _USUAL_HORIZONS * _USUAL_SPREAD**2) / freedom
    return math.sqrt(variance * (1 + 1 / count)), freedom
