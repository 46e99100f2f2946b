"""Thresholds, class weights, cut points and windows: rules that turn model outputs into better-scoring predictions.

The most probable label is not optimal for F1, nor is the rounded value for the quadratic weighted kappa, and the median
absolute error rewards the mode of the target's distribution rather than its median. These rules are fitted on
out-of-fold predictions with the metric itself. Each fold is scored with the rule fitted on the other folds
(``kpipe.training.cross_fitting``); test rows get the rule fitted on all of them.

If the folds leave no other rows to fit on, no rule is fitted: labels are the most probable ones, values of an ordinal
scale are rounded, and other values stay as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from kpipe.core.metrics import Metric
from kpipe.core.values import Ensemble, Folds
from kpipe.training.cross_fitting import can_cross_fit, rows_to_fit_on

__all__ = ["apply_thresholds", "cross_fit_thresholds"]

Rule = Callable[[np.ndarray], np.ndarray]

_LOG = logging.getLogger("kpipe")
_CANDIDATES = 60  # thresholds to try: quantiles of the predictions
_GRID = 400  # predictions for which the best window is searched; others use the window of the nearest one
# Half the width of a window, in units of the median absolute error without windows.
_HALF_WIDTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2)
_KERNEL_WIDTH = 0.4  # width of the kernel that weights neighbouring predictions, in the same units
_MAX_ERROR_RATIO = 0.98  # windows are used if they reduce the error on held-out rows at least to this share
_MIN_WINDOW_ROWS = 100
_MAX_ROWS = 30_000  # rows that thresholds are fitted on; more rows change a threshold only in its third digit


def apply_thresholds(metric: Metric, ensemble: Ensemble, y: np.ndarray, folds: Folds) -> Ensemble:
    """Return the ensemble with fitted thresholds applied to its out-of-fold and test predictions.

    Parameters
    ----------
    metric : Metric
        It determines the rule: thresholds or class weights for a metric of labels with ``metric.thresholds``, cut
        points for an ordinal scale, windows if ``metric.window`` is set.
    ensemble : Ensemble
        ``oof`` (n, k) with NaN in rows without a prediction, ``test`` (m, k).
    y : (n,) or (n, targets)
        Coded labels or values.
    folds : Folds

    Returns
    -------
    Ensemble
        For labels, one-hot or shifted probabilities whose largest column is the label; values are replaced by centres
        of windows. The given ensemble itself if the metric needs no rule, or a rule cannot be cross-fitted.
    """
    if not _needs_rule(metric, ensemble.oof):
        return ensemble
    predicted = _predicted(ensemble.oof)
    if can_cross_fit(folds, predicted):
        rule = _fit_rule(metric, ensemble.oof[predicted], y[predicted], n_steps=_n_steps(y))
    else:
        _LOG.warning("thresholds were not fitted: the folds leave no other rows to fit them on")
        if not _is_ordinal(metric, ensemble.oof):
            return ensemble
        rule = _rounding_rule(_n_steps(y))
    return replace(ensemble, oof=cross_fit_thresholds(metric, ensemble.oof, y, folds), test=rule(ensemble.test))


def cross_fit_thresholds(metric: Metric, oof: np.ndarray, y: np.ndarray, folds: Folds) -> np.ndarray:
    """Return out-of-fold predictions, each fold with thresholds fitted on the other folds.

    Parameters
    ----------
    metric : Metric
    oof : (n, k) float
        Out-of-fold predictions; NaN in rows without one.
    y : (n,) or (n, targets)
        Coded labels or values.
    folds : Folds

    Returns
    -------
    (n, k) float, or (n, steps) of an ordinal scale
        NaN in the same rows. The given array itself if the metric needs no rule, or a rule cannot be cross-fitted; on
        an ordinal scale, predictions are then rounded.
    """
    if not _needs_rule(metric, oof):
        return oof
    predicted, ordinal = _predicted(oof), _is_ordinal(metric, oof)
    cross_fitted = can_cross_fit(folds, predicted)
    if not cross_fitted and not ordinal:
        return oof
    result = np.full((len(oof), _n_steps(y) if ordinal else oof.shape[1]), np.nan)
    if not cross_fitted:
        result[predicted] = _rounding_rule(_n_steps(y))(oof[predicted])
        return result
    for valid, others in zip(folds.valid, rows_to_fit_on(folds, predicted), strict=True):
        rows = valid[predicted[valid]]
        if len(rows):
            result[rows] = _fit_rule(metric, oof[others], y[others], n_steps=_n_steps(y))(oof[rows])
    return result


def _needs_rule(metric: Metric, oof: np.ndarray) -> bool:
    return metric.window or (metric.needs == "label" and metric.thresholds) or _is_ordinal(metric, oof)


def _is_ordinal(metric: Metric, oof: np.ndarray) -> bool:
    """Whether predictions are values on an ordinal scale, which cut points turn into labels."""
    return metric.ordinal and metric.needs == "label" and oof.shape[1] == 1


def _predicted(oof: np.ndarray) -> np.ndarray:
    return ~np.isnan(oof).any(axis=1)


def _n_steps(y: np.ndarray) -> int:
    """Return the number of classes in all rows: the rows that a rule is fitted on may lack one."""
    return int(np.nanmax(y)) + 1  # of several targets, some may be missing


def _fit_rule(metric: Metric, predictions: np.ndarray, y: np.ndarray, *, n_steps: int) -> Rule:
    predictions, y = _subsample(metric, predictions, y)
    if metric.window:
        return _fit_windows(predictions, y)
    if metric.single is not None:
        thresholds = [_fit_threshold(metric.single, predictions[:, j], y[:, j]) for j in range(y.shape[1])]
        return _threshold_per_target(thresholds)
    if predictions.shape[1] == 1:
        return _fit_cut_points(metric, predictions[:, 0], y, n_steps)
    if predictions.shape[1] == 2:
        return _binary_threshold(_fit_threshold(metric, predictions[:, 1], y))
    return _fit_class_weights(metric, predictions, y)


def _subsample(metric: Metric, predictions: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(y) <= _MAX_ROWS:
        return predictions, y
    kept = np.random.default_rng(0).permutation(len(y))[:_MAX_ROWS]
    if metric.needs == "label" and y.ndim == 1:  # keep all rows of rare classes
        rare = np.bincount(y.astype(int))[y.astype(int)] < _MAX_ROWS // 100
        kept = np.union1d(kept, np.flatnonzero(rare))
    return predictions[kept], y[kept]


def _fit_threshold(metric: Metric, probability: np.ndarray, y: np.ndarray) -> float:
    """Return the probability from which a row is labelled 1."""
    # Quantiles of the positive rows as well: where they are few, they all lie beyond the other rows' quantiles.
    levels, positive = np.linspace(0.005, 0.995, _CANDIDATES), probability[y == 1]
    candidates = np.unique(np.concatenate([np.quantile(p, levels) for p in (probability, positive) if len(p)]))
    scores = np.array([metric.function(y, (probability >= threshold).astype(int)) for threshold in candidates])
    if np.ptp(scores) == 0:
        return 0.5  # no candidate is better than another
    # Smoothed over neighbours: a single good threshold between worse ones is noise.
    smooth = np.convolve(np.pad(scores, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    return float(candidates[int(np.argmax(smooth if metric.greater_is_better else -smooth))])


def _binary_threshold(threshold: float) -> Rule:
    """Return a rule that shifts probabilities so that the threshold becomes one half."""

    def rule(predictions: np.ndarray) -> np.ndarray:
        shifted = _shift_to_half(predictions[:, 1], threshold)
        return np.column_stack([1 - shifted, shifted])

    return rule


def _threshold_per_target(thresholds: Sequence[float]) -> Rule:
    return lambda predictions: np.column_stack(
        [_shift_to_half(column, threshold) for column, threshold in zip(predictions.T, thresholds, strict=True)]
    )


def _shift_to_half(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Return probabilities in the same order, with the threshold just above one half."""
    low = 0.5 * probability / max(threshold, 1e-12)
    high = 0.5 + 0.5 * (probability - threshold) / max(1 - threshold, 1e-12)
    return np.where(probability >= threshold, np.clip(high, 0.5 + 1e-9, 1.0), np.clip(low, 0.0, 0.5 - 1e-9))


def _fit_class_weights(metric: Metric, predictions: np.ndarray, y: np.ndarray) -> Rule:
    """Fit weights of the classes by coordinate ascent, starting from equal and from inverse class frequencies."""
    n_classes = predictions.shape[1]
    shares = np.maximum(np.bincount(y.astype(int), minlength=n_classes) / len(y), 1e-6)
    sign = 1 if metric.greater_is_better else -1

    def score(weights: np.ndarray) -> float:
        return sign * metric.function(y, (predictions * weights).argmax(axis=1))

    weights = max((shares**-power for power in (0.0, 0.5, 1.0)), key=score)
    best = score(weights)
    for _ in range(2):
        for code in range(n_classes):
            for factor in (0.6, 0.8, 1.25, 1.6):
                candidate = weights * np.where(np.arange(n_classes) == code, factor, 1.0)
                if (found := score(candidate)) > best:
                    weights, best = candidate, found
    fitted = weights / weights.sum()
    return lambda given: given * fitted / (given * fitted).sum(axis=1, keepdims=True).clip(1e-300)


def _fit_cut_points(metric: Metric, values: np.ndarray, y: np.ndarray, n_steps: int) -> Rule:
    """Fit cut points of an ordinal scale: start from each step's share of rows, then Nelder-Mead.

    References: Howard's and others' kernels of Kaggle's "Petfinder" (2019): ``OptimizedRounder``.
    """
    shares = np.cumsum(np.bincount(y.astype(int), minlength=n_steps))[:-1] / len(y)
    by_share, halves = np.quantile(values, shares), np.arange(n_steps - 1) + 0.5

    def loss(cuts: np.ndarray) -> float:
        return -metric.function(y, np.searchsorted(np.sort(cuts), values)) * (1 if metric.greater_is_better else -1)

    start = min((by_share, (by_share + halves) / 2, halves), key=loss)
    options = {"maxiter": 40 * n_steps, "xatol": 1e-3, "fatol": 1e-5}
    found = minimize(loss, start, method="Nelder-Mead", options=options)
    return _cutting_rule(np.sort(found.x if found.fun < loss(start) else start))


def _rounding_rule(n_steps: int) -> Rule:
    return _cutting_rule(np.arange(n_steps - 1) + 0.5)


def _cutting_rule(cuts: np.ndarray) -> Rule:
    return lambda given: np.eye(len(cuts) + 1)[np.searchsorted(cuts, given[:, 0])]


def _fit_windows(predictions: np.ndarray, y: np.ndarray) -> Rule:
    targets = y[:, None] if y.ndim == 1 else y
    known = ~np.isnan(targets)
    rules = [
        _fit_window(of[rows], truth[rows]) for of, truth, rows in zip(predictions.T, targets.T, known.T, strict=True)
    ]
    return lambda given: np.column_stack([rule(values) for rule, values in zip(rules, given.T, strict=True)])


def _fit_window(values: np.ndarray, y: np.ndarray) -> Rule:
    """Fit windows on half of the rows; use them where they reduce the error on the other half, then fit on all."""
    if len(y) < _MIN_WINDOW_ROWS:
        return _unchanged
    error = float(np.median(np.abs(values - y)))
    if error == 0:
        return _unchanged
    order = np.random.default_rng(0).permutation(len(y))
    fitted, held_out = order[::2], order[1::2]
    found: list[tuple[float, float]] = []
    for half_width in _HALF_WIDTHS:
        rule = _window_centres(values[fitted], y[fitted], _KERNEL_WIDTH * error, half_width * error)
        found.append((float(np.median(np.abs(rule(values[held_out]) - y[held_out]))), half_width))
    with_windows, half_width = min(found)
    if with_windows > _MAX_ERROR_RATIO * np.median(np.abs(values[held_out] - y[held_out])):
        return _unchanged
    return _window_centres(values, y, _KERNEL_WIDTH * error, half_width * error)


def _unchanged(values: np.ndarray) -> np.ndarray:
    return values


def _window_centres(values: np.ndarray, y: np.ndarray, kernel_width: float, half_width: float) -> Rule:
    """Return a rule that replaces a prediction by the centre of a window that contains most targets of similar rows.

    The window reaches ``half_width`` to both sides. Rows with similar predictions are weighted by a normal kernel.
    A median absolute error below ``half_width`` means that more than half of the targets lie within the window, so the
    share within is maximised.

    References: Lee, "Mode regression", Journal of Econometrics 42, 1989: the window's centre.
    """
    grid = np.unique(np.quantile(values, np.linspace(0, 1, _GRID)))
    order = np.argsort(y, kind="stable")
    targets = y[order]
    weights = np.exp(-0.5 * ((grid[:, None] - values[order]) / kernel_width) ** 2)
    below = np.concatenate([np.zeros((len(grid), 1)), weights.cumsum(axis=1)], axis=1)
    starts = np.unique(np.quantile(targets, np.linspace(0, 1, _GRID), method="nearest"))
    slack = 1e-9 * np.abs(starts)  # decimals such as 0.1 + 0.2 are not exact
    first = np.searchsorted(targets, starts - slack, side="left")
    last = np.searchsorted(targets, starts + 2 * half_width + slack, side="right")
    best = (below[:, last] - below[:, first]).argmax(axis=1)
    centres = (targets[first] + targets[last - 1]) / 2  # the middle of the targets within, equally far from both ends
    middles = (grid[1:] + grid[:-1]) / 2
    return lambda given: centres[best][np.searchsorted(middles, given)]
