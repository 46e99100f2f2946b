"""Combine the models' predictions into the final ones: ensemble, thresholds, lower bounds, ``postprocess``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kpipe.core.values import Ensemble, Folds, Predictions
from kpipe.problem.postprocessing import postprocess
from kpipe.problem.problem import Problem
from kpipe.training.clipping import clip_ensemble
from kpipe.training.ensemble import fit_ensemble
from kpipe.training.thresholds import apply_thresholds

__all__ = ["combine", "take_out_vault"]


def combine(problem: Problem, folds: Folds, predictions: Predictions) -> Ensemble:
    """Return the final out-of-fold and test predictions: weighted mean, thresholds, lower bounds, ``postprocess``.

    Weights and thresholds of a fold are fitted on the other folds, so that no row influences the choices it is scored
    with. Lower bounds are the same for all rows.

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
    ensemble = fit_ensemble(predictions, folds, problem.metric)
    ensemble = apply_thresholds(problem.metric, ensemble, predictions.y, folds)
    return postprocess(problem, clip_ensemble(problem, ensemble))


def take_out_vault(
    problem: Problem, predictions: Predictions, ensemble: Ensemble
) -> tuple[Predictions, Ensemble, tuple[Predictions, Ensemble] | None]:
    """Separate the predictions for the rows of a vault from those for the rows of test.

    Parameters
    ----------
    problem : Problem
    predictions : Predictions
        Of ``problem.to_predict``, as ``ensemble``.
    ensemble : Ensemble

    Returns
    -------
    predictions : Predictions
    ensemble : Ensemble
        For the rows of test alone.
    vault : tuple of Predictions and Ensemble, or None
        The same, with the rows of the vault as ``test``; None without a vault.
    """
    if problem.vault is None:
        return predictions, ensemble, None
    rows = len(problem.tables.test)
    of_test, of_vault = (
        (
            replace(predictions, models=tuple(replace(model, test=model.test[part]) for model in predictions.models)),
            replace(ensemble, test=ensemble.test[part], clipped=_clipped_in(ensemble, part)),
        )
        for part in (slice(rows), slice(rows, None))
    )
    return *of_test, of_vault


def _clipped_in(ensemble: Ensemble, part: slice) -> tuple[np.ndarray, np.ndarray] | None:
    """``ensemble.clipped`` for a part of the test rows."""
    return None if ensemble.clipped is None else (ensemble.clipped[0], ensemble.clipped[1][part])
