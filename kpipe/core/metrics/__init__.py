"""Kaggle's metrics: their functions, their directions, and the kind of prediction that each needs.

A metric is one entry, with all its names, in the table of its family: ``classification.METRICS``,
``regression.METRICS`` or ``ranking.METRICS``. Nothing else lists metrics. ``evaluate`` returns a score together with
its standard error and its number of rows.

Shapes: ``y`` is (n,), coded labels 0..k-1 or values; a model's predictions are (n, k), probabilities of the classes, or
(n, 1), values. Over several targets both are (n, targets), see ``over_targets``.
"""

from __future__ import annotations

from kpipe.core.metrics.evaluation import check_domain, evaluate, gain_over, paired_standard_error
from kpipe.core.metrics.lookup import METRICS, get_metric
from kpipe.core.metrics.metric import Metric, is_ordinal, output
from kpipe.core.metrics.several_targets import over_targets

__all__ = [
    "METRICS",
    "Metric",
    "check_domain",
    "evaluate",
    "gain_over",
    "get_metric",
    "is_ordinal",
    "output",
    "over_targets",
    "paired_standard_error",
]
