"""Metrics over several target columns."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from kpipe.core.metrics.metric import Losses, Metric

__all__ = ["over_targets"]


def over_targets(metric: Metric, targets: int) -> Metric:
    """Return the mean of a metric over several target columns.

    Parameters
    ----------
    metric : Metric
        The metric of one target.
    targets : int
        The number of target columns.

    Returns
    -------
    Metric
        It takes ``y`` and predictions (n, targets). Classes are 0 and 1, their predictions the probability of 1. Each
        target is scored on the rows in which it is not NaN.

    Examples
    --------
    >>> from kpipe.core.metrics import get_metric
    >>> both = over_targets(get_metric("mae"), 2)
    >>> both.function(np.array([[0.0, 10.0]]), np.array([[1.0, 13.0]]))
    2.0
    """

    def column(predicted: np.ndarray, target: int) -> np.ndarray:
        values = predicted[:, target]
        return np.column_stack([1 - values, values]) if metric.needs == "probability" else values

    def function(y: np.ndarray, predicted: np.ndarray) -> float:
        known = ~np.isnan(y)
        if known.all():
            return float(np.mean([metric.function(y[:, j], column(predicted, j)) for j in range(targets)]))
        some = np.flatnonzero(known.any(axis=0)).tolist()
        return float(np.mean([metric.function(y[known[:, j], j], column(predicted, j)[known[:, j]]) for j in some]))

    def of_rows(each: Losses, y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """(n,) the rows' losses or influences, averaged over the targets."""
        known = ~np.isnan(y)
        if not known.all():  # weighted, so that the mean over rows equals the mean of the targets' means
            weighted = np.zeros(y.shape)
            for j in np.flatnonzero(known.any(axis=0)).tolist():
                rows = known[:, j]
                weighted[rows, j] = each(y[rows, j], column(predicted, j)[rows]) * (len(y) / rows.sum())
            return np.asarray(weighted.sum(axis=1) / known.any(axis=0).sum())
        return np.mean([each(y[:, j], column(predicted, j)) for j in range(targets)], axis=0)

    single = None if metric.root else metric.losses
    return replace(
        metric,
        function=function,
        losses=None if single is None else partial(of_rows, single),
        influences=None if metric.influences is None else partial(of_rows, metric.influences),
        root=False,
        ordinal=False,
        single=metric,
    )
