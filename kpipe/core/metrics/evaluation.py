"""Scores with their standard errors, and comparisons of two scores."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from kpipe.core.metrics.metric import Metric, output
from kpipe.core.statistics import (
    bootstrap_standard_error,
    clustered_standard_error,
    extreme_share_standard_error,
    jackknife_standard_error,
    smoothing_bandwidth,
)
from kpipe.core.values import Score
from kpipe.errors import DataError

__all__ = ["check_domain", "evaluate", "gain_over", "paired_standard_error"]


def evaluate(
    metric: Metric,
    y: np.ndarray,
    predictions: np.ndarray,
    *,
    folds: Sequence[np.ndarray] = (),
    groups: np.ndarray | None = None,
) -> Score:
    """Return the score of predictions with its standard error and its number of rows.

    Parameters
    ----------
    metric : Metric
    y : (n,) or (n, targets)
        Coded labels or values.
    predictions : (n, k) float
        Rows with NaN have no prediction and are left out.
    folds : sequence of (m,) int
        Row positions of each fold, for the scores fold by fold.
    groups : (n,), optional
        The group or block of time of each row. Rows of one group are dependent: the standard error counts groups.

    Returns
    -------
    Score
        ``standard_error`` is NaN where fewer than two rows or groups are scored. It is 0 only if the metric's losses
        are equal in all rows, and never for a share (accuracy, MAP@K) that is 0 or 1. A standard error of 0 is right
        if new rows would have the same loss too, such as the log loss of probabilities of 0.5; otherwise these rows
        hold no information about how far the loss varies.

    Raises
    ------
    DataError
        If the metric is not defined for y: the logarithm of a negative target, the binary F1 of three classes.
    """
    scored = ~np.isnan(predictions).any(axis=1)
    check_domain(metric, y[scored])
    y_scored, outputs = y[scored], output(metric, predictions[scored])
    try:
        value = _score(metric, y_scored, outputs)
    except ValueError as error:
        raise DataError(
            f"{metric.name} is not defined for this target: {error}. Choose another --metric.", code="metric-unsuitable"
        ) from error
    return Score(
        value=value,
        standard_error=_standard_error(metric, y_scored, outputs, _group_numbers(groups, len(y))[scored]),
        rows=int(scored.sum()),
        folds=tuple(_score_of_fold(metric, y, predictions, rows[scored[rows]]) for rows in folds),
    )


def gain_over(metric: Metric, ours: Score, theirs: Score) -> tuple[float, float]:
    """Return by how much our score is better than theirs, and the standard error of that gain.

    Parameters
    ----------
    metric : Metric
    ours, theirs : Score
        Taken as independent. An unknown standard error counts as 0.

    Returns
    -------
    gain : float
        Below 0 where our score is worse.
    standard_error : float
    """
    gain = (ours.value - theirs.value) * (1 if metric.greater_is_better else -1)
    return gain, float(np.hypot(np.nan_to_num(ours.standard_error), np.nan_to_num(theirs.standard_error)))


def paired_standard_error(
    metric: Metric, y: np.ndarray, a: np.ndarray, b: np.ndarray, *, groups: np.ndarray | None = None
) -> float:
    """Return the standard error of the difference of two scores on the same rows.

    It is that of a mean if the metric is a mean over rows or has ``influences``; otherwise, the jackknife's.

    Parameters
    ----------
    metric : Metric
    y : (n,) or (n, targets)
    a, b : (n, k) float
        The predictions of both, without NaN.
    groups : (n,), optional
        The group of each row, as for ``evaluate``.

    Returns
    -------
    float
        NaN where there are fewer than two rows or groups.
    """
    first, second = output(metric, a), output(metric, b)
    numbers = _group_numbers(groups, len(y))
    if len(np.unique(numbers)) < 2:
        return float("nan")
    of_rows = metric.influences or (None if metric.root else metric.losses)
    if of_rows is not None:
        return clustered_standard_error(of_rows(y, second) - of_rows(y, first), numbers)

    def jackknife(first: np.ndarray, second: np.ndarray) -> float:
        return jackknife_standard_error(
            lambda rows: metric.function(y[rows], second[rows]) - metric.function(y[rows], first[rows]), numbers
        )

    error = jackknife(first, second)
    if not _needs_smoothing(metric, error):
        return error
    noise = np.random.default_rng(0).normal(size=y.shape)  # the same for both, because they are paired
    smoothed = [values + smoothing_bandwidth(values - y) * noise for values in (first, second)]
    return max(error, jackknife(*smoothed))


def check_domain(metric: Metric, y: np.ndarray) -> None:
    """Refuse a target that a metric is not defined for.

    Parameters
    ----------
    metric : Metric
    y : (n,) or (n, targets)

    Raises
    ------
    DataError
        If a target is smaller than the metric's ``domain``: the logarithm of a negative number.
    """
    if metric.domain is not None and len(y) and np.nanmin(y) < metric.domain:
        raise DataError(
            f"{metric.name} needs targets of at least {metric.domain:g}; got {np.nanmin(y):g}. "
            "Choose another --metric.",
            code="metric-unsuitable",
        )


def _group_numbers(groups: np.ndarray | None, rows: int) -> np.ndarray:
    """Groups numbered from 0; each row is its own group where there are none."""
    return np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]


def _score(metric: Metric, y: np.ndarray, outputs: np.ndarray) -> float:
    # scikit-learn warns about classes without rows, in each fold and each of 200 resamples.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(metric.function(y, outputs))


def _score_of_fold(metric: Metric, y: np.ndarray, predictions: np.ndarray, rows: np.ndarray) -> float:
    return _score_or_nan(metric, y[rows], output(metric, predictions[rows])) if len(rows) else float("nan")


def _score_or_nan(metric: Metric, y: np.ndarray, outputs: np.ndarray) -> float:
    """The score; NaN where it is not defined, as the AUC of a fold that holds one class."""
    try:
        return _score(metric, y, outputs)
    except ValueError:
        return float("nan")


def _standard_error(metric: Metric, y: np.ndarray, outputs: np.ndarray, groups: np.ndarray) -> float:
    count = len(np.unique(groups))
    if count < 2:
        return float("nan")
    if metric.influences is not None:
        error = clustered_standard_error(metric.influences(y, outputs), groups)
        return error if error > 0 else extreme_share_standard_error(count)
    if metric.losses is None:
        return _bootstrap(metric, y, outputs, groups)
    losses = metric.losses(y, outputs)
    mean = losses.mean()
    if metric.needs in ("label", "ranking") and mean in (0, 1):
        return extreme_share_standard_error(count)
    error = clustered_standard_error(losses, groups)
    # Delta method: the standard error of sqrt(mean) is that of the mean over 2 sqrt(mean).
    return error / (2 * float(np.sqrt(mean))) if metric.root and mean > 0 else error


def _bootstrap(metric: Metric, y: np.ndarray, outputs: np.ndarray, groups: np.ndarray) -> float:
    error = bootstrap_standard_error(lambda rows: _score_or_nan(metric, y[rows], outputs[rows]), groups)
    if error == 0 and metric.task == "classification":
        return extreme_share_standard_error(len(np.unique(groups)))
    return max(error, _smoothed_bootstrap(metric, y, outputs, groups)) if _needs_smoothing(metric, error) else error


def _needs_smoothing(metric: Metric, error: float) -> bool:
    """Whether resamples of tied rows may all have the same score."""
    return metric.task == "regression" and (metric.quantile or error == 0)


def _smoothed_bootstrap(metric: Metric, y: np.ndarray, outputs: np.ndarray, groups: np.ndarray) -> float:
    # For errors on a lattice, the plain bootstrap sees only jumps of the median from one step to the next, and this one
    # only the variation within a step: the caller reports the larger of both.
    bandwidth, rng = smoothing_bandwidth(outputs - y), np.random.default_rng(1)

    def statistic(rows: np.ndarray) -> float:
        noise = bandwidth * rng.normal(size=outputs[rows].shape)
        return _score_or_nan(metric, y[rows], outputs[rows] + noise)

    return bootstrap_standard_error(statistic, groups)
