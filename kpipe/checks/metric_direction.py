"""Whether the metric prefers perfect predictions to those of the baseline."""

from __future__ import annotations

import re
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
        yield difference
        return
    if (order := _depends_on_order(trained)) is not None:
        yield "fail", order
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


def _differs_from_kpipes(trained: TrainedModels) -> Finding | None:
    """How a competition's own metric differs from kpipe's of that name, on all rows or a part; None if it does not.

    A constant factor, such as per cent, is another convention; anything else is a mistake.
    """
    metric, y, oof = trained.problem.metric, trained.predictions.y, trained.ensemble.oof
    known = METRICS.get(metric.name) or METRICS.get(_plain(metric.name))
    if known is None or known.function is metric.function or metric.single is not None:
        return None
    if known.needs != metric.needs:
        return None
    ratios = []
    for rows, where in _parts(oof):
        outputs = output(metric, oof[rows])
        try:
            ours, theirs = metric.function(y[rows], outputs), known.function(y[rows], outputs)
        except ValueError:  # not defined for these rows, as the AUC of one class
            continue
        ratios.append((ours, theirs, where))
    differing = [one for one in ratios if not np.isclose(one[0], one[1], rtol=1e-6, atol=1e-9)]
    if not differing:
        return None
    ours, theirs, where = differing[0]
    factors = [one / two for one, two, _ in ratios if two]
    of_scale = len(factors) == len(ratios) > 1 and np.allclose(factors, factors[0], rtol=1e-6) and factors[0] > 0
    return (
        "warn" if of_scale or known.name != metric.name else "fail",
        f"The custom metric {metric.name} is {ours:.5g} on {where}, but kpipe's {known.name} is {theirs:.5g}"
        f"{f': {factors[0]:g} times as much everywhere' if of_scale else ''}. Correct the function (it must not depend "
        "on the number or the order of rows), or give it another name.",
    )


def _depends_on_order(trained: TrainedModels) -> str | None:
    """What is wrong if the score changes when rows and predictions are reordered together; None if it does not."""
    metric, y, oof = trained.problem.metric, trained.predictions.y, trained.ensemble.oof
    rows = np.flatnonzero(~np.isnan(oof).any(axis=1))
    mixed = np.random.default_rng(1).permutation(rows)
    once, again = (metric.function(y[some], output(metric, oof[some])) for some in (rows, mixed))
    if np.isclose(once, again, rtol=1e-6, atol=1e-9, equal_nan=True):
        return None
    return (
        f"{metric.name} is {once:.5g}, but {again:.5g} when rows and predictions are reordered together: it weights "
        "rows by their position, or leaves some out. Correct the function so that it treats all rows equally."
    )


def _plain(name: str) -> str:
    """A metric's name without case, separators and words such as "my".

    >>> _plain("My RMSE"), _plain("Log-Loss")
    ('rmse', 'log_loss')
    """
    words = [word for word in re.split(r"[\W_]+", name.lower()) if word not in ("my", "own", "custom", "the", "score")]
    return "_".join(words)


def _parts(oof: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """Rows that have predictions: all, the halves, every second one, all in another order, and a few."""
    rows = np.flatnonzero(~np.isnan(oof).any(axis=1))
    middle = len(rows) // 2
    yield rows, "all rows"
    yield rows[:middle], "the first half"
    yield rows[middle:], "the second half"
    yield rows[1::2], "every second row"
    yield np.random.default_rng(0).permutation(rows), "all rows in another order"
    yield rows[: min(37, len(rows))], "37 rows"


def _perfect(metric: Metric, y: np.ndarray, outputs: int) -> np.ndarray:
    """(n, k) predictions that equal the targets."""
    if y.ndim > 1:
        return y.astype(np.float64)
    return y[:, None].astype(np.float64) if metric.needs == "value" or outputs == 1 else np.eye(outputs)[y.astype(int)]


PREDICTION_CHECKS = (PredictionCheck("metric direction", metric_direction),)
