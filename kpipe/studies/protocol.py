"""The second half of every study: the same nets under the protocol of ``kpipe run``."""

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

__all__ = ["PROTOCOL", "cross_validation_table", "describe_data", "score_row", "score_table"]

PROTOCOL = (
    "Everything that learns from data, including imputation and scaling, is fitted on the training rows of a fold. "
    "Each row is predicted once, by nets that were not trained on it, and no epoch is chosen on the rows that are "
    "scored. The learning rates and other options are the notebook's or were chosen on this table, so the scores are "
    "slightly optimistic. The standard error is that of the score as an estimate for new rows."
)


def cross_validation_table(
    problem: Problem, models: Mapping[str, Factory], *, seeds: Sequence[int] = (0,)
) -> pd.DataFrame:
    """Cross-validate models on the folds of ``kpipe run``.

    Parameters
    ----------
    problem : Problem
        The problem.
    models : mapping of str to Factory
        The models by name.
    seeds : sequence of int
        Predictions are averaged over them; the folds are shuffled by the first one.

    Returns
    -------
    DataFrame
        One row for each model and one for the baseline: score, standard error and number of rows.
    """
    folds = make_folds(problem, seed=seeds[0])
    return score_table(problem, folds, cross_validate(problem, folds, models=models, seeds=seeds))


def score_table(problem: Problem, folds: Folds, predictions: Predictions) -> pd.DataFrame:
    """The scores of out-of-fold predictions.

    Parameters
    ----------
    problem : Problem
        The problem.
    folds : Folds
        The folds.
    predictions : Predictions
        Of each model.

    Returns
    -------
    DataFrame
        One row for each model and one for the baseline: score, standard error and number of rows.
    """
    metric, y, baseline = problem.metric, predictions.y, predict_baseline(problem, folds)
    rows = [score_row(model.name, metric, evaluate(metric, y, model.oof)) for model in predictions.models]
    return pd.DataFrame([*rows, score_row(f"baseline: {baseline.name}", metric, evaluate(metric, y, baseline.oof))])


def score_row(name: str, metric: Metric, score: Score) -> dict[str, object]:
    """A row of a table of scores.

    Parameters
    ----------
    name : str
        The model.
    metric : Metric
        Its metric.
    score : Score
        Its score.

    Returns
    -------
    dict of str to object
    """
    return {
        "model": name,
        "metric": metric.name,
        "score": float(np.round(score.value, 6)),
        "standard error": float(np.round(score.standard_error, 6)),
        "rows": score.rows,
    }


def describe_data(tables: Tables) -> str:
    """The training data of a study in words, without its path, since the page is for everyone.

    Parameters
    ----------
    tables : Tables
        The competition's tables.

    Returns
    -------
    str
    """
    sample = tables.source.origin == "sample"
    files = "the embedded sample, which is not Kaggle's data" if sample else "Kaggle's files"
    return f"{files} ({len(tables.train):,} rows of train.csv)"
