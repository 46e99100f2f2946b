"""From the models' predictions to what is submitted: ensemble, thresholds, ``postprocess``."""

from __future__ import annotations

from kpipe.core.values import Ensemble, Folds, Predictions
from kpipe.problem.postprocessing import postprocess
from kpipe.problem.problem import Problem
from kpipe.training.ensemble import fit_ensemble
from kpipe.training.thresholds import apply_thresholds

__all__ = ["combine"]


def combine(problem: Problem, folds: Folds, predictions: Predictions) -> Ensemble:
    """The final predictions, out-of-fold and test: the models' weighted mean, thresholds applied, and postprocessed.

    Weights and thresholds of a fold are fitted on the other folds, so that no row is scored by a choice that it made.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    predictions : Predictions

    Returns
    -------
    Ensemble

    Raises
    ------
    UsageError
        If the competition's ``postprocess`` fails.
    """
    metric = problem.metric
    return postprocess(
        problem, apply_thresholds(metric, fit_ensemble(predictions, folds, metric), predictions.y, folds)
    )
