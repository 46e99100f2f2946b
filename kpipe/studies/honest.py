"""The other half of every study: the same nets under ``kpipe run``'s protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from kpipe.core.metrics import Metric, evaluate
from kpipe.core.values import Folds, Predictions, Score, Tables
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.training.baseline import predict_baseline
from kpipe.training.cross_validation import cross_validate
from kpipe.training.folds import make_folds

__all__ = ["PROTOCOL", "data_of", "honest", "row", "scores"]

PROTOCOL = (
    "Everything that learns, the fills and the scaling too, is fitted on a fold's training rows alone; every row is "
    "predicted once, by nets that never saw it; no epoch is chosen on the rows that are scored. Learning rates and "
    "options are the notebook's, or were found on rows of this very table: so much the scores flatter. The standard "
    "error says how far the score may lie from that on new rows."
)


def honest(problem: Problem, models: Mapping[str, Factory], *, seeds: Sequence[int] = (0,)) -> pd.DataFrame:
    """A row a model, and one for the baseline: score, standard error and rows, out-of-fold on ``kpipe run``'s folds.

    seeds : predictions are averaged over them; the first deals the folds.
    """
    folds = make_folds(problem, seed=seeds[0])
    return scores(problem, folds, cross_validate(problem, folds, models=models, seeds=seeds))


def scores(problem: Problem, folds: Folds, predictions: Predictions) -> pd.DataFrame:
    """A row a model, and one for the baseline: score, standard error and rows, out-of-fold."""
    metric, y, baseline = problem.metric, predictions.y, predict_baseline(problem, folds)
    rows = [row(model.name, metric, evaluate(metric, y, model.oof)) for model in predictions.models]
    return pd.DataFrame([*rows, row(f"baseline: {baseline.name}", metric, evaluate(metric, y, baseline.oof))])


def row(name: str, metric: Metric, score: Score) -> dict[str, object]:
    """A line of the honest table."""
    return {
        "model": name,
        "metric": metric.name,
        "score": float(np.round(score.value, 6)),
        "standard error": float(np.round(score.standard_error, 6)),
        "rows": score.rows,
    }


def data_of(tables: Tables) -> str:
    """What a study was trained on, in words, without the path: it stands on a page for everyone."""
    where = "the embedded sample, which is not Kaggle's data" if tables.source.origin == "sample" else "Kaggle's files"
    return f"{where} ({len(tables.train):,} rows of train.csv)"
