"""Whether what judges the predictions and what finishes them can be trusted: the metric, and ``postprocess``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kpipe.checks.reordering import taking
from kpipe.core.metrics import Metric, output
from kpipe.core.values import Baseline, Check, Folds, Predictions
from kpipe.problem.postprocessing import apply_postprocess
from kpipe.problem.problem import Problem
from kpipe.training.thresholds import cross_fit_thresholds

__all__ = ["metric_prefers_the_truth", "postprocess_blind"]


def metric_prefers_the_truth(metric: Metric, predictions: Predictions, baseline: Baseline) -> Check:
    """Whether a perfect prediction is better, by the metric, than the baseline's: its direction, and its labels."""
    name, y = "metric direction", predictions.y
    dummy, dummy_name = baseline.oof, baseline.name
    scored = ~np.isnan(dummy).any(axis=1)
    theirs = metric.function(y[scored], output(metric, dummy[scored]))
    perfect = metric.function(y[scored], output(metric, _perfect(metric, y, dummy.shape[1])[scored]))
    if theirs == perfect and len(np.unique(y)) > 1:
        detail = f"{metric.name} gives the {dummy_name} {theirs:.5g}, as good as the truth: nothing can be better."
        return Check(name=name, status="warn", detail=detail)
    if metric.better(theirs, perfect):
        direction = "greater" if metric.greater_is_better else "smaller"
        detail = (
            f"{metric.name} gives the truth itself {perfect:.5g} and the {dummy_name} {theirs:.5g}, and {direction} is "
            "said to be better: its direction is reversed, or its labels are. Mend greater_is_better, or the function."
        )
        return Check(name=name, status="fail", detail=detail)
    detail = f"{metric.name} gives the truth {perfect:.5g} and the {dummy_name} {theirs:.5g}."
    return Check(name=name, status="pass", detail=detail)


def _perfect(metric: Metric, y: np.ndarray, outputs: int) -> np.ndarray:
    """(n, k) predictions that are the truth."""
    if y.ndim > 1:
        return y.astype(np.float64)
    return y[:, None].astype(np.float64) if metric.needs == "value" or outputs == 1 else np.eye(outputs)[y.astype(int)]


def postprocess_blind(problem: Problem, folds: Folds, predictions: Predictions) -> Iterator[Check]:
    """Whether ``postprocess`` leaves the target alone and joins by row; nothing is said where there is none.

    It is called on the out-of-fold rows, which are scored: a threshold that it chose by their targets would be judged
    on the rows that chose it. What it is given here is the plain mean of the models.
    """
    name, competition, tables = "postprocess leakage", problem.competition, problem.tables
    if competition.postprocess is None:
        return
    rows = tables.train.drop(columns=list(problem.targets))
    rng = np.random.default_rng(0)
    order = rng.permutation(len(rows))
    shuffled = taking(tables.train, problem.targets, order, of=tables.train)

    mean = np.mean([model.oof for model in predictions.models], axis=0)
    made = np.nan_to_num(cross_fit_thresholds(problem.metric, mean, predictions.y, folds))
    turned = rows.iloc[order].reset_index(drop=True)
    once = apply_postprocess(competition, made, replace(tables, test=rows))
    without = apply_postprocess(competition, made, replace(tables, train=shuffled, test=rows))
    moved = apply_postprocess(competition, made[order], replace(tables, test=turned))
    if apart := _apart(once, without):
        detail = (
            f"{apart} of {len(rows):,} out-of-fold rows change when the target of train is shuffled: postprocess "
            "chooses by the very targets that its choice is scored on. kpipe fits thresholds by fold itself."
        )
        yield Check(name=name, status="fail", detail=detail)
    elif apart := _apart(once[order], moved):
        detail = (
            f"{apart} of {len(rows):,} rows change when predictions and rows come in another order together: "
            "postprocess joins by position what stands in other rows. Join by the id."
        )
        yield Check(name=name, status="fail", detail=detail)
    else:
        detail = "Out-of-fold rows come out the same with the target shuffled, and in another order."
        yield Check(name=name, status="pass", detail=detail)


def _apart(a: np.ndarray, b: np.ndarray) -> str:
    """How many rows differ, for a sentence; empty where none does."""
    rows = int((~np.isclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)).reshape(len(a), -1).any(axis=1).sum())
    return f"{rows:,}" if rows else ""
