"""Whether the metric prefers perfect predictions to those of the baseline."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kpipe.checks.interface import Finding, PredictionCheck, TrainedModels
from kpipe.core.metrics import METRICS, Metric, output

__all__ = ["PREDICTION_CHECKS", "metric_direction"]


def metric_direction(trained: TrainedModels) -> Iterator[Finding]:
    """Whether perfect predictions score better than the baseline; if not, the metric's direction or labels are wrong.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
    """
    metric, y, baseline = trained.problem.metric, trained.predictions.y, trained.baseline
    if (difference := _differs_from_kpipes(trained)) is not None:
        yield "warn", difference
        return
    scored = ~np.isnan(baseline.oof).any(axis=1)
    theirs = metric.function(y[scored], output(metric, baseline.oof[scored]))
    perfect = metric.function(y[scored], output(metric, _perfect(metric, y, baseline.oof.shape[1])[scored]))
    if theirs == perfect and len(np.unique(y)) > 1:
        yield (
            "warn",
            f"{metric.name} is {theirs:.5g} for the {baseline.name} and for perfect predictions, so no model can "
            "improve on it. Choose another metric (--metric).",
        )
    elif metric.better(theirs, perfect):
        direction = "greater" if metric.greater_is_better else "smaller"
        yield (
            "fail",
            f"{metric.name} is {perfect:.5g} for perfect predictions and {theirs:.5g} for the {baseline.name}, but "
            f"{direction} is declared to be better: its direction or its labels are reversed. Correct "
            "greater_is_better, or the function.",
        )
    else:
        yield (
            "pass",
            f"{metric.name} is {perfect:.5g} for perfect predictions and {theirs:.5g} for the {baseline.name}.",
        )


def _differs_from_kpipes(trained: TrainedModels) -> str | None:
    """How a competition's own metric differs from kpipe's of the same name, on all rows or a half; None if equal."""
    metric, y, oof = trained.problem.metric, trained.predictions.y, trained.ensemble.oof
    known = METRICS.get(metric.name)
    if known is None or known.function is metric.function or metric.single is not None or known.needs != metric.needs:
        return None
    rows = np.flatnonzero(~np.isnan(oof).any(axis=1))
    for some, where in (
        (rows, "all rows"),
        (rows[: len(rows) // 2], "the first half"),
        (rows[1::2], "every second row"),
    ):
        outputs = output(metric, oof[some])
        try:
            ours, theirs = metric.function(y[some], outputs), known.function(y[some], outputs)
        except ValueError:  # not defined for these rows, as the AUC of one class
            continue
        if not np.isclose(ours, theirs, rtol=1e-6, atol=1e-9):
            return (
                f"The competition's own {metric.name} is {ours:.5g} on {where}, but kpipe's {metric.name} is "
                f"{theirs:.5g}. Correct the function (it must not depend on the number or the order of rows), or give "
                "it another name."
            )
    return None


def _perfect(metric: Metric, y: np.ndarray, outputs: int) -> np.ndarray:
    """(n, k) predictions that equal the targets."""
    if y.ndim > 1:
        return y.astype(np.float64)
    return y[:, None].astype(np.float64) if metric.needs == "value" or outputs == 1 else np.eye(outputs)[y.astype(int)]


PREDICTION_CHECKS = (PredictionCheck("metric direction", metric_direction),)
