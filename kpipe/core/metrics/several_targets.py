"""Metrics over several target columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kpipe.core.metrics.metric import Metric

__all__ = ["over_targets"]


def over_targets(metric: Metric, targets: int) -> Metric:
    """Return the mean of a metric over several target columns.

    Parameters
    ----------
    metric : Metric
        Of one target.
    targets : int
        The number of target columns.

    Returns
    -------
    Metric
        Of ``y`` and predictions (n, targets). Classes are 0 and 1, their predictions the probability of 1.

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
        return float(np.mean([metric.function(y[:, j], column(predicted, j)) for j in range(targets)]))

    def losses(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        assert metric.losses is not None
        return np.mean([metric.losses(y[:, j], column(predicted, j)) for j in range(targets)], axis=0)

    of_rows = losses if metric.losses is not None and not metric.root else None
    return replace(metric, function=function, losses=of_rows, root=False, ordinal=False, single=metric)
