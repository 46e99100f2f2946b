"""Raise predictions to the lower bounds of their targets."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from kpipe.core.values import Ensemble
from kpipe.problem.problem import Problem

__all__ = ["clip_ensemble", "clip_to_bounds"]

_LOG = logging.getLogger("kpipe")


def clip_ensemble(problem: Problem, ensemble: Ensemble) -> Ensemble:
    """Return the ensemble with its out-of-fold and test predictions raised to the lower bounds of their targets.

    Both are treated alike, so that the score is that of what is submitted. All targets of train are within the bounds,
    so that the loss of no out-of-fold row rises; that of a test row rises only if its target is below the bound, in
    expectation at most one in as many rows as train has.

    Parameters
    ----------
    problem : Problem
        With ``lower_bounds``.
    ensemble : Ensemble

    Returns
    -------
    Ensemble
        The given one if no prediction is below its bound; else ``clipped`` says which were.
    """
    if problem.lower_bounds is None:
        return ensemble
    clipped = ensemble.oof < problem.lower_bounds, ensemble.test < problem.lower_bounds
    if not any(part.any() for part in clipped):
        return ensemble
    counts = [int(part.any(axis=1).sum()) for part in clipped]
    _LOG.info("clipped to the lower bound: %d out-of-fold rows, %d test rows", *counts)
    oof, test = clip_to_bounds(problem, ensemble.oof), clip_to_bounds(problem, ensemble.test)
    return replace(ensemble, oof=oof, test=test, clipped=clipped)


def clip_to_bounds(problem: Problem, predictions: np.ndarray) -> np.ndarray:
    """Return predictions of a regression, raised to the lower bounds of its targets.

    Parameters
    ----------
    problem : Problem
    predictions : (n, targets) float
        NaN in rows without a prediction.

    Returns
    -------
    (n, targets) float
        The given array if there are no bounds.
    """
    return predictions if problem.lower_bounds is None else np.maximum(predictions, problem.lower_bounds)
