"""The ensemble: the models' weighted mean, with weights cross-fitted by fold.

The weights of a fold are fitted on the out-of-fold predictions of the other folds, so that no row is scored with
weights that it helped to fit (Wolpert 1992, stacked generalisation; Breiman 1996, non-negative weights). Where a fold
leaves no other rows to fit on, all models weigh the same. Weights minimise a smooth loss rather than the metric: the
accuracy of 891 rows has too many ties.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize

from kpipe.core.metrics import METRICS, Metric
from kpipe.core.values import Ensemble, Folds, Predictions
from kpipe.training.cross_fitting import can_cross_fit, rows_to_fit_on

__all__ = ["fit_ensemble", "fit_weights"]

RowLosses = Callable[[np.ndarray, np.ndarray], np.ndarray]

_LOG = logging.getLogger("kpipe")
_MAX_ROWS = 30_000  # rows that weights are fitted on: a dozen numbers need no more


def fit_ensemble(predictions: Predictions, folds: Folds, metric: Metric) -> Ensemble:
    """Return the models' weighted mean, cross-fitted by fold for the out-of-fold rows.

    Parameters
    ----------
    predictions : Predictions
        Of one model or more; the ensemble of one model is that model.
    folds : Folds
    metric : Metric
        Decides which loss the weights minimise.

    Returns
    -------
    Ensemble
        ``oof`` is NaN in rows that a model has no prediction for. ``weights``, used for ``test``, are fitted on all
        out-of-fold rows. Where weights cannot be cross-fitted, all of them are equal.
    """
    oof = np.stack([model.oof for model in predictions.models])
    test = np.stack([model.test for model in predictions.models])
    predicted = ~np.isnan(oof).any(axis=(0, 2))
    if can_cross_fit(folds, predicted):
        losses = _losses(metric)
        weights = fit_weights(oof[:, predicted], predictions.y[predicted], losses)
        others = rows_to_fit_on(folds, predicted)
        by_fold = [fit_weights(oof[:, rows], predictions.y[rows], losses) for rows in others]
    else:
        weights = _equal_weights(len(oof))
        by_fold = [weights] * len(folds.valid)
        if len(oof) > 1:
            _LOG.warning("models have equal weights: the folds leave no other rows to fit weights on")
    combined = np.full(oof.shape[1:], np.nan)
    for valid, fitted in zip(folds.valid, by_fold, strict=True):
        combined[valid] = _weighted_mean(oof[:, valid], fitted)
    names = [model.name for model in predictions.models]
    shares = dict(zip(names, weights.tolist(), strict=True))
    return Ensemble(weights=shares, oof=combined, test=_weighted_mean(test, weights))


def fit_weights(predictions: np.ndarray, y: np.ndarray, losses: RowLosses) -> np.ndarray:
    """Return the weights of models that minimise the mean loss of their weighted mean.

    Parameters
    ----------
    predictions : (models, n, k) float
    y : (n,) or (n, targets)
    losses : callable
        (y, predictions (n, k)) → (n,) losses.

    Returns
    -------
    (models,) float
        At least 0, summing to 1; equal where no other weights are found to be better.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=100)
    >>> fit_weights(np.stack([y, -y])[:, :, None], y, lambda y, p: (y - p[:, 0]) ** 2).round(3).tolist()
    [1.0, 0.0]
    """
    n_models = len(predictions)
    if n_models == 1:
        return np.ones(1)
    if len(y) > _MAX_ROWS:
        kept = np.random.default_rng(0).permutation(len(y))[:_MAX_ROWS]
        predictions, y = predictions[:, kept], y[kept]
    start = _equal_weights(n_models)
    # SLSQP's tolerance is absolute: losses are measured in units of the start's, or house prices would never converge.
    unit = max(float(losses(y, _weighted_mean(predictions, start)).mean()), 1e-12)
    found = minimize(
        lambda weights: float(losses(y, _weighted_mean(predictions, weights)).mean()) / unit,
        start,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * n_models,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1.0},
        options={"ftol": 1e-7, "maxiter": 200},
    )
    weights = np.clip(found.x, 0.0, None)
    return weights / weights.sum() if np.isfinite(weights).all() and weights.sum() > 0 else start


def _equal_weights(count: int) -> np.ndarray:
    return np.full(count, 1 / count)


def _weighted_mean(predictions: np.ndarray, weights: np.ndarray | Sequence[float]) -> np.ndarray:
    return np.tensordot(weights, predictions, axes=1)


def _losses(metric: Metric) -> RowLosses:
    """Return the smooth loss that stands in for the metric."""
    if metric.single is not None:
        return _losses_over_targets(metric)
    if metric.task == "classification":
        log_losses = METRICS["log_loss"].losses
        assert log_losses is not None  # a test says so
        # Values on an ordinal scale are one column.
        return lambda y, predicted: (predicted[:, 0] - y) ** 2 if predicted.shape[1] == 1 else log_losses(y, predicted)
    of_values = metric.losses or METRICS["mae" if metric.loss == "absolute" else "rmse"].losses
    assert of_values is not None  # likewise
    return lambda y, predicted: of_values(y, predicted[:, 0])


def _scaled_squares(y: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) means of squared errors in units of each target's variance; 0 for targets that are NaN."""
    if not np.isnan(y).any():
        return np.asarray(((values - y) ** 2 / np.maximum(y.var(axis=0), 1e-300)).mean(axis=1))
    errors = np.nan_to_num(values - y, nan=0.0)
    return np.asarray((errors**2 / np.maximum(np.nanvar(y, axis=0), 1e-300)).mean(axis=1))


def _losses_over_targets(metric: Metric) -> RowLosses:
    """Return the log loss of the probabilities of 1, or squared errors in units of each target's variance."""
    if metric.task == "regression":
        return _scaled_squares

    def losses(y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        of_truth = np.where(y == 1, probabilities, 1 - probabilities)
        return -np.log(np.clip(of_truth, 1e-9, None)).mean(axis=1)

    return losses
