"""The baseline of a run: a model that uses no features, cross-validated on the run's folds."""

from __future__ import annotations

from kpipe.core.values import Baseline, Folds
from kpipe.models.baseline import baseline
from kpipe.problem.problem import Problem

__all__ = ["predict_baseline"]


def predict_baseline(problem: Problem, folds: Folds) -> Baseline:
    """Return the out-of-fold predictions of a model that uses no features.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Returns
    -------
    Baseline
        Its predictions have ``problem.n_classes`` columns.
    """
    name, oof = baseline(problem.metric, problem.y, folds, outputs=problem.n_classes)
    return Baseline(name=name, oof=oof)
