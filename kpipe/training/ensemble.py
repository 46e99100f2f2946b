"""The blend of models: weights that are judged on rows they were not fitted on.

The weights of a fold are fitted on the out-of-fold rows of the other folds, so that the blend's score counts no row
that chose them (Wolpert 1992, stacked generalisation; Breiman 1996, weights at least 0). Weights are fitted by a smooth
loss, not by the metric: 891 rows of accuracy have too many ties to choose by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize

from kpipe.core.metrics import METRICS, Metric
from kpipe.core.values import Ensemble, Folds, Predictions

__all__ = ["blend", "fit_weights"]

Loss = Callable[[np.ndarray, np.ndarray], np.ndarray]

_ROWS = 30_000  # on which weights are fitted at the most: a dozen numbers need no more


def blend(predictions: Predictions, folds: Folds, metric: Metric) -> Ensemble:
    """The weighted mean of the models, cross-fitted by fold out-of-fold; one model is its own blend."""
    oof = np.stack([model.oof for model in predictions.models])
    test = np.stack([model.test for model in predictions.models])
    loss = _loss(metric)
    scored = ~np.isnan(oof).any(axis=(0, 2))
    weights = fit_weights(oof[:, scored], predictions.y[scored], loss)
    blended = np.full(oof.shape[1:], np.nan)
    for valid in folds.valid:
        others = scored.copy()
        others[valid] = False
        # A single fold leaves no other rows: equal weights, which are fitted on nothing.
        fitted = fit_weights(oof[:, others], predictions.y[others], loss) if others.any() else _equal(len(oof))
        blended[valid] = _mean(oof[:, valid], fitted)
    if not _others_everywhere(folds, scored):
        weights = _equal(len(oof))
    names = [model.name for model in predictions.models]
    return Ensemble(weights=dict(zip(names, weights.tolist(), strict=True)), oof=blended, test=_mean(test, weights))


def fit_weights(predictions: np.ndarray, y: np.ndarray, loss: Loss) -> np.ndarray:
    """(models,) weights, at least 0 and summing to 1, of predictions (models, n, k), that make the mean loss smallest.

    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=100)
    >>> fit_weights(np.stack([y, -y])[:, :, None], y, lambda y, p: (y - p[:, 0]) ** 2).round(3).tolist()
    [1.0, 0.0]
    """
    count = len(predictions)
    if count == 1:
        return np.ones(1)
    if len(y) > _ROWS:
        kept = np.random.default_rng(0).permutation(len(y))[:_ROWS]
        predictions, y = predictions[:, kept], y[kept]
    start = _equal(count)
    # SLSQP's tolerance is absolute: losses are measured in units of the start's, or house prices would never end.
    unit = max(float(loss(y, _mean(predictions, start)).mean()), 1e-12)
    found = minimize(
        lambda weights: float(loss(y, _mean(predictions, weights)).mean()) / unit,
        start,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1.0},
        options={"ftol": 1e-7, "maxiter": 200},
    )
    weights = np.clip(found.x, 0.0, None)
    return weights / weights.sum() if np.isfinite(weights).all() and weights.sum() > 0 else start


def _equal(count: int) -> np.ndarray:
    return np.full(count, 1 / count)


def _others_everywhere(folds: Folds, scored: np.ndarray) -> bool:
    """Whether each fold's weights could be fitted on other folds; if not, fitted weights were never judged."""
    return all(scored.sum() > len(np.unique(valid)) for valid in folds.valid)


def _mean(predictions: np.ndarray, weights: np.ndarray | Sequence[float]) -> np.ndarray:
    return np.tensordot(weights, predictions, axes=1)


def _loss(metric: Metric) -> Loss:
    if metric.single is not None:
        return _over_targets(metric)
    if metric.task == "classification":
        chosen = METRICS["log_loss"].losses
    elif metric.losses is not None:
        chosen = metric.losses
    else:
        chosen = METRICS["mae" if metric.name == "median_ae" else "rmse"].losses
    assert chosen is not None  # these three have losses; a test says so
    losses = chosen

    def loss(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        if metric.task == "classification" and predicted.shape[1] == 1:
            return (predicted[:, 0] - y) ** 2  # codes of an ordinal scale
        return losses(y, predicted if metric.task == "classification" else predicted[:, 0])

    return loss


def _over_targets(metric: Metric) -> Loss:
    """The log loss of probabilities of 1, or the squared error in units of each target's variance."""
    if metric.task == "regression":
        return lambda y, values: ((values - y) ** 2 / np.maximum(y.var(axis=0), 1e-300)).mean(axis=1)

    def loss(y: np.ndarray, chances: np.ndarray) -> np.ndarray:
        of_truth = np.where(y == 1, chances, 1 - chances)
        return -np.log(np.clip(of_truth, 1e-9, None)).mean(axis=1)

    return loss
