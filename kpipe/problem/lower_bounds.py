"""The lowest values that predictions of a regression may take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpipe.core.metrics import METRICS, Metric
from kpipe.core.values import Reason

__all__ = ["lower_bounds", "reason_for_bounds"]

_MIN_ROWS = 100  # of train, or groups: after so many without one, less than 1 % of new rows are expected below 0


def lower_bounds(
    metric: Metric, y: np.ndarray, *, blocks: np.ndarray | None = None, by_time: bool = False
) -> np.ndarray | None:
    """Return the lowest value that the predictions of each target may take, such as 0 for counts and prices.

    A metric with a ``domain`` counts lower predictions as that value. With other metrics, the bound is 0 if none of at
    least 100 known values is negative. If test rows are of other groups than train's, or later, that proves too
    little (temperatures of summer, train's, and of winter): unless there are 100 groups, 0 itself must be among the
    values.

    Parameters
    ----------
    metric : Metric
        Of a regression; of one with neither ``losses`` nor a place in kpipe's catalogue it is not known whether higher
        predictions can be worse for a negative prediction's row, so that there is no bound.
    y : (n,) or (n, targets) float
        NaN where one of several targets is unknown.
    blocks : (n,), optional
        The group or block of time of each row.
    by_time : bool
        Whether test is later than train.

    Returns
    -------
    (targets,) float or None
        -inf for a target without a bound; None if no target has one.

    Examples
    --------
    >>> from kpipe.core.metrics import get_metric
    >>> visits = np.arange(200.0)
    >>> lower_bounds(get_metric("mae"), visits), lower_bounds(get_metric("mae"), visits - 1)
    (array([0.]), None)
    """
    single = metric.single or metric
    if metric.needs != "value" or single.order_only:
        return None
    columns = y.reshape(len(y), -1).T
    if single.domain is not None:
        return np.full(len(columns), single.domain)
    if single.losses is None and METRICS.get(single.name) != single:
        return None
    independent = not by_time and (blocks is None or len(np.unique(blocks)) >= _MIN_ROWS)
    bounds = [0.0 if _is_bounded(column[~np.isnan(column)], independent) else -np.inf for column in columns]
    return None if np.isinf(bounds).all() else np.array(bounds)


def _is_bounded(values: np.ndarray, independent: bool) -> bool:
    """Whether 0 is a bound of these values; not if all are far above it in the rows of a few groups."""
    return len(values) >= _MIN_ROWS and values.min() >= 0 and (independent or values.min() == 0)


def reason_for_bounds(metric: Metric, bounds: np.ndarray | None, targets: Sequence[str]) -> dict[str, Reason]:
    """Return why predictions are bounded, as the reason ``bounds``; empty if they are not.

    Parameters
    ----------
    metric : Metric
    bounds : (targets,) float or None
        As ``lower_bounds`` returns them.
    targets : sequence of str
    """
    if bounds is None:
        return {}
    lowest = (metric.single or metric).domain
    if lowest is not None:
        return {"bounds": Reason(text=f"{metric.name} counts predictions below {lowest:g} as {lowest:g}")}
    bounded = [name for name, bound in zip(targets, bounds, strict=True) if np.isfinite(bound)]
    named = bounded[0] if len(bounded) == 1 else f"{len(bounded)} of {len(targets)} targets"
    return {"bounds": Reason(text=f"negative predictions become 0: train holds no negative {named}", guess=True)}
