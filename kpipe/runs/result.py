"""Everything that a run produced, as one value, before it is written."""

from __future__ import annotations

from dataclasses import dataclass

from kpipe.core.values import Baseline, Check, Ensemble, Folds, Predictions, Score, Submission
from kpipe.forecast.forecast import Forecast
from kpipe.problem.problem import Problem

__all__ = ["RunResult"]


@dataclass(frozen=True)
class RunResult:
    """Everything that a run produced, before it is written.

    Parameters
    ----------
    problem : Problem
        The problem that the run solves.
    folds : Folds
        Its folds.
    predictions : Predictions
        The predictions of each model.
    baseline : Baseline
        The predictions of the baseline.
    ensemble : Ensemble
        What is submitted, and its out-of-fold counterpart.
    submission : Submission
        The submission.
    checks : tuple of Check
        The results of all checks.
    csv : bytes
        The submission as it is written.
    score : Score
        Of the ensemble's out-of-fold predictions.
    forecast : Forecast
        What to expect on the leaderboard.
    vault : tuple of Predictions and Ensemble, optional
        Their ``test`` are predictions for the rows of a vault; None where no vault was in force.
    """

    problem: Problem
    folds: Folds
    predictions: Predictions
    baseline: Baseline
    ensemble: Ensemble
    submission: Submission
    checks: tuple[Check, ...]
    csv: bytes
    score: Score
    forecast: Forecast
    vault: tuple[Predictions, Ensemble] | None = None
