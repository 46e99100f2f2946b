"""The gain of averaging: test rows are predicted by the mean of the folds' models, validation rows by one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpipe.core.metrics import Metric, output
from kpipe.core.values import Ensemble, Folds, Predictions

__all__ = ["Averaging", "estimate_averaging"]

_MAX_CLASSES = 50


@dataclass(frozen=True, kw_only=True)
class Averaging:
    """A correction of the score for the averaging of the folds' models on test rows.

    Attributes
    ----------
    amount : float
        In units of the score, to be added.
    method : str
        How it was estimated, or why it was not.
    """

    amount: float = 0.0
    method: str


def estimate_averaging(
    metric: Metric, y: np.ndarray, folds: Folds, predictions: Predictions, ensemble: Ensemble
) -> Averaging:
    """Return by how much the mean of the folds' models is better on test rows than one of them.

    The mean loss of the models on a test row exceeds the loss of their mean by their disagreement (the ambiguity
    decomposition of Krogh and Vedelsby). For squared errors that is their variance, whatever the truth is. For other
    losses, classes are weighted by the mean's probabilities, and true values are simulated: the mean plus the residual
    of an out-of-fold row with a similar prediction.

    Parameters
    ----------
    metric : Metric
    y : (n,) or (n, targets)
    folds : Folds
    predictions : Predictions
        With the test predictions of each fold.
    ensemble : Ensemble

    Returns
    -------
    Averaging

    References
    ----------
    Krogh and Vedelsby, "Neural network ensembles, cross validation, and active learning" (1994). Wood et al., "A
    unified theory of diversity in ensemble learning" (2023), arXiv:2301.03962: the decomposition for other losses.
    """
    if metric.losses is None or metric.needs not in ("probability", "value") or y.ndim > 1:
        return Averaging(method="none: the metric is not a mean of losses of probabilities or values")
    by_fold = _by_fold(predictions, ensemble)
    if by_fold is None:
        return Averaging(method="none: test rows are not predicted by the mean of the folds' models")
    mean = by_fold.mean(axis=0)
    if metric.needs == "value":
        gains = _gain_of_values(metric, y, ensemble.oof, by_fold, mean)
    elif mean.shape[1] <= _MAX_CLASSES:
        gains = _gain_of_classes(metric, by_fold, mean)
    else:
        return Averaging(method=f"none: more than {_MAX_CLASSES} classes")
    amount = -float(gains.mean()) * _share(folds, len(by_fold))
    if metric.root:  # from the mean of the losses to its root
        scored = ~np.isnan(ensemble.oof).any(axis=1)
        loss = metric.losses(y[scored], output(metric, ensemble.oof[scored])).mean()
        amount = float(np.sqrt(max(loss + amount, 0.0)) - np.sqrt(loss))
    return Averaging(amount=amount, method="the disagreement between the folds' models")


def _by_fold(predictions: Predictions, ensemble: Ensemble) -> np.ndarray | None:
    """(f, s, k) the ensemble's test predictions with each fold's models alone; None if their mean differs from it."""
    kept = [model.by_fold for model in predictions.models if model.by_fold is not None]
    if len(kept) < len(predictions.models) or len({one.predictions.shape for one in kept}) != 1:
        return None
    tested = kept[0].rows < len(ensemble.test)  # the rows of a vault come after them
    weights = [ensemble.weights[model.name] for model in predictions.models]
    by_fold = np.tensordot(weights, np.stack([one.predictions[:, tested] for one in kept]), axes=1)
    submitted = ensemble.test[kept[0].rows[tested]]
    if len(by_fold) < 2 or submitted.shape != by_fold.shape[1:] or not len(submitted):
        return None
    if ensemble.clipped is not None:  # at a lower bound the folds' models agree
        by_fold = np.where(ensemble.clipped[1][kept[0].rows[tested]], submitted, by_fold)
    return by_fold if np.allclose(by_fold.mean(axis=0), submitted, rtol=1e-6, atol=1e-9) else None


def _share(folds: Folds, count: int) -> float:
    """The share of the gain that out-of-fold predictions lack; those of repeated folds are averages already."""
    rows = np.concatenate(folds.valid)
    repeats = len(rows) / len(np.unique(rows))
    return max(0.0, (1 / repeats - 1 / count) / (1 - 1 / count))


def _gain_of_classes(metric: Metric, by_fold: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(s,) by how much the loss of the mean is below the mean loss of the folds' models."""
    probabilities = mean / mean.sum(axis=1, keepdims=True)
    truths = [np.full(len(mean), code) for code in range(mean.shape[1])]
    each = [_gain(metric, y, by_fold, mean) for y in truths]
    return np.asarray((probabilities * np.column_stack(each)).sum(axis=1))


def _gain_of_values(
    metric: Metric, y: np.ndarray, oof: np.ndarray, by_fold: np.ndarray, mean: np.ndarray
) -> np.ndarray:
    """(s,) the same for values."""
    scored = np.flatnonzero(~np.isnan(oof).any(axis=1))
    order = scored[np.argsort(oof[scored, 0], kind="stable")]
    nearest = order[np.minimum(np.searchsorted(oof[order, 0], mean[:, 0]), len(order) - 1)]
    truth = np.clip(mean[:, 0] + y[nearest] - oof[nearest, 0], y.min(), y.max())
    return _gain(metric, truth, by_fold, mean)


def _gain(metric: Metric, y: np.ndarray, by_fold: np.ndarray, mean: np.ndarray) -> np.ndarray:
    assert metric.losses is not None  # the caller ensures it
    losses = metric.losses
    singles = np.mean([losses(y, output(metric, one)) for one in by_fold], axis=0)
    return np.asarray(singles - losses(y, output(metric, mean)))
