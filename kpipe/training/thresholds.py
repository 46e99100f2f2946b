"""From what models give to what the metric wants, where these differ: thresholds, cut points, windows.

The likeliest label is not the best one for an F1, nor the rounded number for a kappa; and a median absolute error asks
for the value that has most of the truth near it, not for the one in its middle. Such decisions are fitted on
out-of-fold predictions by the metric itself. For the score of a fold they are fitted on the rows of the other folds, so
that no row is judged by a decision that it chose; for the test rows on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from kpipe.core.metrics import Metric
from kpipe.core.values import Ensemble, Folds

__all__ = ["decide", "decided"]

Rule = Callable[[np.ndarray], np.ndarray]

_STEPS = 60  # thresholds that are tried, at as many quantiles of the predictions
_LOOKED_UP = 400  # predictions for which the best window is searched; others take the nearest one's
_REACHES = (
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.8,
    0.9,
    1.0,
    1.2,
)  # half a window's width, in units of the median error without windows
_GAIN = 0.98  # of the median error must be left at most, on rows apart, for windows to be used
_ROWS = 30_000  # on which thresholds are fitted at the most; more change their third digit


def decide(metric: Metric, blended: Ensemble, y: np.ndarray, folds: Folds) -> Ensemble:
    """The blend with its decisions made, out-of-fold and test: columns whose greatest is the label, or values."""
    if not _chooses(metric, blended.oof):
        return blended
    made = ~np.isnan(blended.oof).any(axis=1)
    rule = _fitted(metric, blended.oof[made], y[made], steps=_steps(y))
    return replace(blended, oof=decided(metric, blended.oof, y, folds), test=rule(blended.test))


def decided(metric: Metric, oof: np.ndarray, y: np.ndarray, folds: Folds) -> np.ndarray:
    """Out-of-fold predictions with decisions that were fitted on the other folds; NaN stays where none was made."""
    if not _chooses(metric, oof):
        return oof
    made = ~np.isnan(oof).any(axis=1)
    found: np.ndarray | None = None
    for valid in folds.valid:
        others = made.copy()
        others[valid] = False
        fitted_on = others if others.any() else made  # a single fold leaves no others, and says so below
        rows = valid[made[valid]]
        labels = _fitted(metric, oof[fitted_on], y[fitted_on], steps=_steps(y))(oof[rows])
        if found is None:
            found = np.full((len(oof), labels.shape[1]), np.nan)
        found[rows] = labels
    assert found is not None  # there is a fold
    return found


def _chooses(metric: Metric, oof: np.ndarray) -> bool:
    return metric.window or (metric.needs == "label" and (metric.thresholds or (metric.ordinal and oof.shape[1] == 1)))


def _steps(y: np.ndarray) -> int:
    """Classes in all rows: those that a rule is fitted on may lack one."""
    return int(y.max()) + 1


def _fitted(metric: Metric, predictions: np.ndarray, y: np.ndarray, *, steps: int) -> Rule:
    if len(y) > _ROWS:
        kept = np.random.default_rng(0).permutation(len(y))[:_ROWS]
        if metric.needs == "label" and y.ndim == 1:  # of a rare class every row counts
            rare = np.bincount(y.astype(int))[y.astype(int)] < _ROWS // 100
            kept = np.union1d(kept, np.flatnonzero(rare))
        predictions, y = predictions[kept], y[kept]
    if metric.window:
        return _windows(predictions, y)
    if metric.single is not None:
        return _each([_threshold(metric.single, predictions[:, target], y[:, target]) for target in range(y.shape[1])])
    if predictions.shape[1] == 1:
        return _cut(metric, predictions[:, 0], y, steps)
    if predictions.shape[1] == 2:
        return _binary(_threshold(metric, predictions[:, 1], y))
    return _weighted(metric, predictions, y)


def _threshold(metric: Metric, chance: np.ndarray, y: np.ndarray) -> float:
    """The chance from which a row counts as 1; in the middle of those that are as good as the best."""
    # Quantiles of the rows that are 1 as well: where these are few, they are all beyond the others' quantiles.
    shares, ones = np.linspace(0.005, 0.995, _STEPS), chance[y == 1]
    tried = np.unique(np.concatenate([np.quantile(part, shares) for part in (chance, ones) if len(part)]))
    scores = np.array([metric.function(y, (chance >= threshold).astype(int)) for threshold in tried])
    if np.ptp(scores) == 0:
        return 0.5  # nothing to choose by
    # Smoothed over neighbours: a lucky peak between worse thresholds is noise.
    smooth = np.convolve(np.pad(scores, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    return float(tried[int(np.argmax(smooth if metric.greater_is_better else -smooth))])


def _binary(threshold: float) -> Rule:
    """Columns whose greater one is the label: 1 from the threshold on, where the chance is moved to a half."""

    def rule(predictions: np.ndarray) -> np.ndarray:
        moved = _moved(predictions[:, 1], threshold)
        return np.column_stack([1 - moved, moved])

    return rule


def _each(thresholds: Sequence[float]) -> Rule:
    return lambda predictions: np.column_stack(
        [_moved(column, threshold) for column, threshold in zip(predictions.T, thresholds, strict=True)]
    )


def _moved(chance: np.ndarray, threshold: float) -> np.ndarray:
    """Chances between 0 and 1 that keep their order, the threshold at just above a half."""
    low = 0.5 * chance / max(threshold, 1e-12)
    high = 0.5 + 0.5 * (chance - threshold) / max(1 - threshold, 1e-12)
    return np.where(chance >= threshold, np.clip(high, 0.5 + 1e-9, 1.0), np.clip(low, 0.0, 0.5 - 1e-9))


def _weighted(metric: Metric, predictions: np.ndarray, y: np.ndarray) -> Rule:
    """Weights of classes, by coordinate ascent from those that even out the classes' shares, and from none."""
    classes = predictions.shape[1]
    shares = np.maximum(np.bincount(y.astype(int), minlength=classes) / len(y), 1e-6)
    sign = 1 if metric.greater_is_better else -1

    def score(weights: np.ndarray) -> float:
        return sign * metric.function(y, (predictions * weights).argmax(axis=1))

    starts = [shares**-power for power in (0.0, 0.5, 1.0)]
    weights = max(starts, key=score)
    best = score(weights)
    for _ in range(2):
        for number in range(classes):
            for factor in (0.6, 0.8, 1.25, 1.6):
                tried = weights * np.where(np.arange(classes) == number, factor, 1.0)
                if (found := score(tried)) > best:
                    weights, best = tried, found
    fixed = weights / weights.sum()
    return lambda given: given * fixed / (given * fixed).sum(axis=1, keepdims=True).clip(1e-300)


def _cut(metric: Metric, values: np.ndarray, y: np.ndarray, steps: int) -> Rule:
    """Cut points of an ordinal scale: those that give each step its share, then moved by Nelder and Mead's simplex.

    References: Howard's and others' kernels of Kaggle's "Petfinder" (2019): ``OptimizedRounder``.
    """
    shares = np.cumsum(np.bincount(y.astype(int), minlength=steps))[:-1] / len(y)
    by_share, halves = np.quantile(values, shares), np.arange(steps - 1) + 0.5

    def loss(cuts: np.ndarray) -> float:
        return -metric.function(y, np.searchsorted(np.sort(cuts), values)) * (1 if metric.greater_is_better else -1)

    start = min((by_share, (by_share + halves) / 2, halves), key=loss)
    found = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 40 * steps, "xatol": 1e-3, "fatol": 1e-5})
    cuts = np.sort(found.x if found.fun < loss(start) else start)
    return lambda given: np.eye(steps)[np.searchsorted(cuts, given[:, 0])]


def _windows(predictions: np.ndarray, y: np.ndarray) -> Rule:
    """For each column: predictions moved to windows, where that pays on rows that the windows were not fitted on."""
    truths = y[:, None] if y.ndim == 1 else y
    rules = [_window(predictions[:, column], truths[:, column]) for column in range(predictions.shape[1])]
    return lambda given: np.column_stack([rule(values) for rule, values in zip(rules, given.T, strict=True)])


def _window(values: np.ndarray, y: np.ndarray) -> Rule:
    raw = float(np.median(np.abs(values - y)))
    if raw == 0 or len(y) < 100:
        return lambda given: given
    order = np.random.default_rng(0).permutation(len(y))
    fitted, apart = order[::2], order[1::2]
    found: list[tuple[float, float]] = []
    for reach in _REACHES:
        moved = _moved_to_windows(values[fitted], y[fitted], 0.4 * raw, reach * raw)(values[apart])
        found.append((float(np.median(np.abs(moved - y[apart]))), reach))
    error, reach = min(found)
    if error > _GAIN * np.median(np.abs(values[apart] - y[apart])):
        return lambda given: given
    return _moved_to_windows(values, y, 0.4 * raw, reach * raw)


def _moved_to_windows(values: np.ndarray, y: np.ndarray, width: float, reach: float) -> Rule:
    """A prediction becomes the centre of the window, ``reach`` to both sides, that holds most of the truth there.

    "There" are fitted rows of a similar prediction, weighed by a normal kernel of ``width``. A median absolute error
    below ``reach`` means that more than half of the truth lies within it: the share within is what is to be made large.

    References: Lee, "Mode regression", Journal of Econometrics 42, 1989: the window's centre.
    """
    asked = np.unique(np.quantile(values, np.linspace(0, 1, _LOOKED_UP)))
    order = np.argsort(y, kind="stable")
    truths = y[order]
    weights = np.exp(-0.5 * ((asked[:, None] - values[order]) / width) ** 2)
    below = np.concatenate([np.zeros((len(asked), 1)), weights.cumsum(axis=1)], axis=1)
    starts = np.unique(np.quantile(truths, np.linspace(0, 1, _LOOKED_UP), method="nearest"))
    slack = 1e-9 * np.abs(starts)  # decimals such as 0.1 + 0.2 are not what they say
    first = np.searchsorted(truths, starts - slack, side="left")
    last = np.searchsorted(truths, starts + 2 * reach + slack, side="right")
    best = (below[:, last] - below[:, first]).argmax(axis=1)
    centres = (truths[first] + truths[last - 1]) / 2  # of what lies in the window: its ends are then equally far
    middles = (asked[1:] + asked[:-1]) / 2
    return lambda given: centres[best][np.searchsorted(middles, given)]
