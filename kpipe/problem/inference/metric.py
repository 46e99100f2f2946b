"""Infer the metric."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kpipe.core.metrics import Metric, get_metric, over_targets
from kpipe.core.values import Reason, Tables
from kpipe.errors import UsageError
from kpipe.problem.competition import Competition
from kpipe.problem.inference.id import submission_columns
from kpipe.problem.inference.step import Step
from kpipe.problem.vocabulary import labels_per_row

__all__ = ["infer_metric", "metric_of_page"]

_RARE = 0.15  # of a target: Kaggle scores rarer ones by AUC or log loss, and a constant label has the best accuracy
_ROUNDING = 0.01  # of a sum of probabilities, such as 0.333 each


def infer_metric(competition: Competition, tables: Tables, *, has_pictures: bool = False) -> Step:
    """The metric: the stated one, that of Kaggle's page, or the usual one for what the sample submission holds.

    Raises
    ------
    UsageError
        If the stated metric is unknown or is for another task.
    """
    count = len(competition.targets)
    if competition.metric is None:
        metric, reason = _metric_of_page(competition, tables) or _usual_metric(competition, tables, has_pictures)
        return {"metric": over_targets(metric, count) if count > 1 else metric}, reason
    metric = get_metric(competition.metric)
    if metric.task != competition.task:
        raise UsageError(
            f"The metric {metric.name} is for {metric.task}, but the task of {competition.slug} is {competition.task}.",
            code="metric-unsuitable",
        )
    over_several = count > 1 and metric.single is None
    if metric.log_target and metric.domain is None and (tables.train[list(competition.targets)] < 0).any(axis=None):
        metric = replace(metric, log_target=False)  # such targets have no logarithm
    return {"metric": over_targets(metric, count) if over_several else metric}, None


def _metric_of_page(competition: Competition, tables: Tables) -> tuple[Metric, Reason] | None:
    """The metric that Kaggle's page names, if kpipe implements it and it fits the task."""
    metric = metric_of_page(tables)
    if metric is None or metric.task != competition.task:
        return None
    return metric, Reason(text=f"Kaggle's page names it: {tables.source.metric}")


def metric_of_page(tables: Tables) -> Metric | None:
    """The metric that Kaggle's page names, if kpipe implements it; else None."""
    try:
        return get_metric(tables.source.metric)
    except UsageError:
        return None


def _usual_metric(competition: Competition, tables: Tables, has_pictures: bool) -> tuple[Metric, Reason]:
    name, why = _usual(competition, tables, has_pictures)
    named = tables.source.metric
    page = f"; Kaggle's page says {named!r}, which kpipe does not implement" if named else ""
    return get_metric(name), Reason(text=f"{why}; set another with --metric{page}", guess=True)


def _usual(competition: Competition, tables: Tables, has_pictures: bool) -> tuple[str, str]:
    """The metric that is usual for such a sample submission, and why."""
    wanted = submission_columns(competition, tables)
    if competition.task == "regression":
        return "rmse", "usual for numeric targets"
    if len(wanted) > 1 and not set(wanted) & set(competition.targets):
        return "log_loss", "usual for one probability per class"
    if len(wanted) > 1 and _are_one_of_several(tables.train[wanted], tables.sample[wanted]):
        return "log_loss", "one of the targets is 1 in each row, and the sample submission's numbers sum to 1"
    placeholder, labels = tables.sample[wanted[0]], tables.train[competition.targets[0]]
    if _is_placeholder(placeholder) and set(labels.unique()) == {0, 1}:
        held = f"the sample submission holds {placeholder.iloc[0]} in every row"
        if len(competition.targets) > 1:
            return "auc", f"{held}, and each of several targets is 0 or 1"
        if has_pictures:
            return "auc", f"{held}, and the labels of pictures are 0 or 1"
        if (share := float(min(labels.mean(), 1 - labels.mean()))) < _RARE:
            return "auc", f"{held}, and {share:.1%} of the targets are {int(labels.mean() < 0.5)}, too few for accuracy"
        return "accuracy", f"{held}, which may also stand for probabilities (then: --metric auc)"
    if placeholder.dtype.kind == "f" and labels.nunique() > 2:
        return "accuracy", f"{labels.nunique()} classes have no single probability"
    if placeholder.dtype.kind == "f":
        return "auc", "the sample submission holds probabilities"
    if ranked := labels_per_row(placeholder, labels):
        return f"map@{ranked}", f"the sample submission ranks {ranked} labels in each row"
    return "accuracy", "the sample submission holds labels"


def _are_one_of_several(targets: pd.DataFrame, sample: pd.DataFrame) -> bool:
    """Whether one target is 1 in each row and all others are 0, and the sample submission has their probabilities."""
    if not (targets.isin([0, 1]).all(axis=None) and (targets.sum(axis=1) == 1).all()):
        return False
    return sample.shape[1] == sample.select_dtypes("number").shape[1] and bool(
        ((sample.sum(axis=1) - 1).abs() < _ROUNDING).all()
    )


def _is_placeholder(column: pd.Series) -> bool:
    """Whether a sample submission's column holds the same whole number in several rows, which indicates no metric."""
    return pd.api.types.is_integer_dtype(column) and len(column) > 1 and column.nunique() == 1
