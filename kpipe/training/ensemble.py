"""The ensemble: the models' weighted mean, with weights cross-fitted by fold.

The weights of a fold are fitted on the out-of-fold predictions of the other folds, so that no row is scored with
weights that it helped to fit (Wolpert 1992, stacked generalisation; Breiman 1996, non-negative weights). If there are
no other rows to fit on, all models have equal weights. Weights minimise a smooth loss rather than the metric: the
accuracy on 891 rows has too many ties.

If folds by time validate at most three horizons, such as two years, the model that is best on the other folds gets all
the weight: other weights would fit the error in the level of a single year, which says nothing about the next year.

With a stacking layer there are several ways to weight the models: convex weights or greedy selection with replacement
(Caruana et al. 2004), each with and without the stackers. Convex weights without stackers are used unless another way
is better by a paired test. This choice is cross-fitted as well: each fold's choice is made on the rows of the other
folds.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from kpipe.core.metrics import METRICS, Metric
from kpipe.core.values import Ensemble, Folds, Predictions, Step
from kpipe.training.cross_fitting import can_cross_fit, rows_to_fit_on

__all__ = ["compare", "fit_ensemble", "fit_weights", "select_best", "select_greedily", "smooth_losses", "weigh"]

RowLosses = Callable[[np.ndarray, np.ndarray], np.ndarray]
FitWeights = Callable[[np.ndarray, np.ndarray, RowLosses], np.ndarray]

_LOG = logging.getLogger("kpipe")
_FEW_HORIZONS = 3  # up to this number, only the best model is used: other weights would depend on a few levels
_MAX_ROWS = 30_000  # rows on which weights are fitted: enough for a dozen numbers
_SELECTED_ROWS = 10_000  # the same for greedy selection, which is slower
_SELECTIONS = 25  # rounds of greedy selection, each of which selects a model
_PARTS, _ROWS_TO_CHOOSE = 4, 4_000  # parts of the other folds, and rows on which weights are fitted to choose a way
_SURE = 1.64  # standard errors by which another way must be better: one-sided, 5 % false positives


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
    names = [model.name for model in predictions.models]
    steps: tuple[Step, ...] = ()
    if can_cross_fit(folds, predicted):
        losses = smooth_losses(metric)
        ways = _ways(np.array([model.stacked for model in predictions.models]), few=_are_few_horizons(folds, predicted))
        found = [_cross_fit(way, oof, predictions.y, folds, losses) for way in ways]
        if len(ways) > 1:
            weights, combined, steps = _chosen(ways, found, oof, predictions.y, folds, losses)
        else:
            weights, combined = found[0].weights, found[0].oof
    else:
        weights = _equal_weights(len(oof))
        combined = _weighted_by_fold(oof, [weights] * len(folds.valid), folds)
        if len(oof) > 1:
            _LOG.warning("models have equal weights: the folds leave no other rows to fit weights on")
    shares = dict(zip(names, weights.tolist(), strict=True))
    return Ensemble(weights=shares, oof=combined, test=_weighted_mean(test, weights), steps=steps)


def weigh(predictions: Predictions, folds: Folds, metric: Metric) -> dict[str, float]:
    """Return the models' weights in an ensemble without a stacking layer, fitted on all out-of-fold rows.

    Parameters
    ----------
    predictions : Predictions
        Of one model or more.
    folds : Folds
    metric : Metric
        Decides which loss the weights minimise.
    """
    oof = np.stack([model.oof for model in predictions.models])
    predicted = ~np.isnan(oof).any(axis=(0, 2))
    (way,) = _ways(np.zeros(len(oof), dtype=bool), few=_are_few_horizons(folds, predicted))
    weights = way.weights(oof[:, predicted], predictions.y[predicted], smooth_losses(metric))
    return dict(zip([model.name for model in predictions.models], weights.tolist(), strict=True))


@dataclass(frozen=True)
class _Way:
    """A way to weight the models: which models take part, and how their weights are fitted."""

    name: str
    models: np.ndarray  # (models,) bool
    fit: FitWeights

    def weights(self, oof: np.ndarray, y: np.ndarray, losses: RowLosses) -> np.ndarray:
        """(models,) weights; 0 for models that do not take part."""
        if self.models.all():  # a copy with another memory layout would change the last digits
            return self.fit(oof, y, losses)
        weights = np.zeros(len(oof))
        weights[self.models] = self.fit(oof[self.models], y, losses)
        return weights


@dataclass(frozen=True)
class _CrossFitted:
    """Weights fitted on all out-of-fold rows, and out-of-fold predictions with cross-fitted weights."""

    weights: np.ndarray
    oof: np.ndarray


def _are_few_horizons(folds: Folds, predicted: np.ndarray) -> bool:
    """Whether folds by time validate so few horizons that weights would be fitted on one or two observations."""
    return folds.refit and sum(predicted[valid].any() for valid in folds.valid) <= _FEW_HORIZONS


def _ways(stacked: np.ndarray, *, few: bool) -> list[_Way]:
    """The ways to choose from, beginning with the default; a single one without stackers."""
    usual, every = ~stacked, np.ones(len(stacked), dtype=bool)
    if few:
        return [_Way("best model", every, select_best)]
    if not stacked.any():
        return [_Way("convex weights", every, fit_weights)]
    return [
        _Way("convex weights", usual, fit_weights),
        _Way("greedy selection", usual, select_greedily),
        _Way("stackers, convex weights", every, fit_weights),
        _Way("stackers, greedy selection", every, select_greedily),
    ]


def _cross_fit(way: _Way, oof: np.ndarray, y: np.ndarray, folds: Folds, losses: RowLosses) -> _CrossFitted:
    predicted = ~np.isnan(oof).any(axis=(0, 2))
    by_fold = [way.weights(oof[:, rows], y[rows], losses) for rows in rows_to_fit_on(folds, predicted)]
    weights = way.weights(oof[:, predicted], y[predicted], losses)
    return _CrossFitted(weights, _weighted_by_fold(oof, by_fold, folds))


def _chosen(
    ways: Sequence[_Way],
    found: Sequence[_CrossFitted],
    oof: np.ndarray,
    y: np.ndarray,
    folds: Folds,
    losses: RowLosses,
) -> tuple[np.ndarray, np.ndarray, tuple[Step, ...]]:
    """The weights of the chosen way, predictions of each fold by the way chosen for it, and the gains of the ways."""
    predicted = ~np.isnan(oof).any(axis=(0, 2))
    combined = np.full(oof.shape[1:], np.nan)
    for valid, parts in zip(folds.valid, _parts_of_other_folds(folds, predicted), strict=True):
        within = np.stack([_losses_within(parts, way, oof, y, losses) for way in ways])
        combined[valid] = found[_choose(within)].oof[valid]
    of_rows = np.stack([losses(y[predicted], one.oof[predicted]) for one in found])
    final = _choose(of_rows)
    return found[final].weights, combined, _steps(ways, of_rows, final)


def _parts_of_other_folds(folds: Folds, predicted: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Yield, for each fold, the predicted rows of the other folds in parts of whole folds, or in halves."""
    for fold, mask in enumerate(rows_to_fit_on(folds, predicted)):
        others = [valid[mask[valid]] for number, valid in enumerate(folds.valid) if number != fold]
        others = [rows for rows in others if len(rows)]
        if len(others) == 1:
            shuffled = np.random.default_rng(0).permutation(others[0])
            yield [np.sort(half) for half in np.array_split(shuffled, 2)]
        else:
            yield [np.unique(np.concatenate(others[place::_PARTS])) for place in range(min(_PARTS, len(others)))]


def _losses_within(
    parts: Sequence[np.ndarray], way: _Way, oof: np.ndarray, y: np.ndarray, losses: RowLosses
) -> np.ndarray:
    """The losses of all rows of the parts, each with weights that were fitted on the other parts."""
    found = []
    for number, part in enumerate(parts):
        rest = np.setdiff1d(np.concatenate([*parts[:number], *parts[number + 1 :]]), part)
        fitted = way.weights(*_fewer_rows(oof[:, rest], y[rest], _ROWS_TO_CHOOSE), losses)
        found.append(losses(y[part], _weighted_mean(oof[:, part], fitted)))
    return np.concatenate(found)


def _weighted_by_fold(oof: np.ndarray, weights: Sequence[np.ndarray], folds: Folds) -> np.ndarray:
    combined = np.full(oof.shape[1:], np.nan)
    for valid, fitted in zip(folds.valid, weights, strict=True):
        combined[valid] = _weighted_mean(oof[:, valid], fitted)
    return combined


def _choose(losses: np.ndarray) -> int:
    """The index of the way with the lowest losses (ways, n), among those significantly better than the first."""
    compared = [(*compare(losses[0], of_way), place) for place, of_way in enumerate(losses[1:], start=1)]
    return max(((gain, place) for gain, error, place in compared if gain > _SURE * error), default=(0.0, 0))[1]


def compare(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Return by how much the mean loss has fallen, and the standard error of this paired difference.

    Parameters
    ----------
    before, after : (n,) float
        Of the same rows.

    Examples
    --------
    >>> compare(np.array([2.0, 3.0]), np.array([1.0, 1.0]))
    (1.5, 0.5)
    """
    gains = before - after
    error = float(gains.std(ddof=1) / math.sqrt(len(gains))) if len(gains) > 1 else math.inf
    return float(gains.mean()), error


def _steps(ways: Sequence[_Way], losses: np.ndarray, chosen: int) -> tuple[Step, ...]:
    """The gain of each way over the first."""
    compared = [(way.name, *compare(losses[0], of_way)) for way, of_way in zip(ways, losses, strict=True)][1:]
    return tuple(
        Step(name=name, gain=gain, standard_error=error, used=place == chosen)
        for place, (name, gain, error) in enumerate(compared, start=1)
    )


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
    predictions, y = _fewer_rows(predictions, y, _MAX_ROWS)
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


def select_best(predictions: np.ndarray, y: np.ndarray, losses: RowLosses) -> np.ndarray:
    """Return weights that select only the model with the lowest mean loss.

    Parameters
    ----------
    predictions : (models, n, k) float
    y : (n,) or (n, targets)
    losses : callable
        (y, predictions (n, k)) → (n,) losses.

    Returns
    -------
    (models,) float
        1 for one model, 0 for the others.

    Examples
    --------
    >>> y = np.arange(3.0)
    >>> select_best(np.stack([y + 2, y + 1])[:, :, None], y, lambda y, p: (y - p[:, 0]) ** 2).tolist()
    [0.0, 1.0]
    """
    mean_losses = [losses(y, of_model).mean() for of_model in predictions]
    return np.eye(len(predictions))[int(np.argmin(mean_losses))]


def select_greedily(predictions: np.ndarray, y: np.ndarray, losses: RowLosses) -> np.ndarray:
    """Return the weights of greedy selection: in each round, select the model that lowers the loss most.

    A model may be selected repeatedly; weights are the shares of selections up to the round with the lowest loss.

    Parameters
    ----------
    predictions : (models, n, k) float
    y : (n,) or (n, targets)
    losses : callable
        (y, predictions (n, k)) → (n,) losses.

    Returns
    -------
    (models,) float
        At least 0, summing to 1.

    References
    ----------
    Caruana et al., "Ensemble selection from libraries of models", 2004.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=100)
    >>> select_greedily(np.stack([y, -y])[:, :, None], y, lambda y, p: (y - p[:, 0]) ** 2).tolist()
    [1.0, 0.0]
    """
    predictions, y = _fewer_rows(predictions, y, _SELECTED_ROWS)
    counts, best, lowest = np.zeros(len(predictions)), np.zeros(len(predictions)), math.inf
    total = np.zeros(predictions.shape[1:])
    for size in range(1, _SELECTIONS + 1):
        means = [float(losses(y, (total + one) / size).mean()) for one in predictions]
        selected = int(np.argmin(means))
        counts[selected] += 1
        total += predictions[selected]
        if means[selected] < lowest:
            lowest, best = means[selected], counts.copy()
    return best / best.sum() if best.any() else _equal_weights(len(best))


def _fewer_rows(predictions: np.ndarray, y: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    if len(y) <= most:
        return predictions, y
    kept = np.random.default_rng(0).permutation(len(y))[:most]
    return predictions[:, kept], y[kept]


def _equal_weights(count: int) -> np.ndarray:
    return np.full(count, 1 / count)


def _weighted_mean(predictions: np.ndarray, weights: np.ndarray | Sequence[float]) -> np.ndarray:
    return np.tensordot(weights, predictions, axes=1)


def smooth_losses(metric: Metric) -> RowLosses:
    """Return the smooth loss that replaces the metric: the log loss, or the metric's own, or squared errors.

    Parameters
    ----------
    metric : Metric
    """
    if metric.single is not None:
        return _losses_over_targets(metric)
    if metric.task == "classification":
        log_losses = METRICS["log_loss"].losses
        assert log_losses is not None  # ensured by a test
        # Values on an ordinal scale are one column.
        return lambda y, predicted: (predicted[:, 0] - y) ** 2 if predicted.shape[1] == 1 else log_losses(y, predicted)
    of_values = metric.losses or METRICS["mae" if metric.loss == "absolute" else "rmse"].losses
    assert of_values is not None  # ensured by a test
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
