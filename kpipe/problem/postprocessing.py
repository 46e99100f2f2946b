"""Call a competition's ``postprocess`` and explain its failures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kpipe.core.values import Ensemble, Tables
from kpipe.errors import UsageError
from kpipe.problem.competition import Competition
from kpipe.problem.problem import Problem

__all__ = ["apply_postprocess", "postprocess"]


def postprocess(problem: Problem, ensemble: Ensemble) -> Ensemble:
    """Apply the competition's ``postprocess`` to out-of-fold and test predictions, so that the score includes it.

    For the out-of-fold rows, the ``test`` table that the function gets holds train's rows without the targets.

    Parameters
    ----------
    problem : Problem
    ensemble : Ensemble

    Returns
    -------
    Ensemble
        The same object if the competition has no ``postprocess``.

    Raises
    ------
    UsageError
        If the competition's function fails or returns another shape.
    """
    competition, tables = problem.competition, problem.tables
    if competition.postprocess is None:
        return ensemble
    rows = tables.train.drop(columns=list(problem.targets))
    oof = apply_postprocess(competition, ensemble.oof, replace(tables, test=rows))
    return replace(ensemble, oof=oof, test=apply_postprocess(competition, ensemble.test, tables))


def apply_postprocess(competition: Competition, predictions: np.ndarray, tables: Tables) -> np.ndarray:
    """Apply the competition's ``postprocess``, if it has one.

    Parameters
    ----------
    competition : Competition
    predictions : ndarray
        (n, k). The function gets a copy.
    tables : Tables
        Its ``test`` holds the rows that are predicted.

    Returns
    -------
    ndarray
        (n, k) float64.

    Raises
    ------
    UsageError
        If the function fails or returns another shape.
    """
    if competition.postprocess is None:
        return predictions
    try:
        given = np.array(competition.postprocess(predictions.copy(), tables), dtype=np.float64)
    except Exception as error:
        raise UsageError(
            f"The postprocess of {competition.slug} failed: {type(error).__name__}: {error}.", code="broken-module"
        ) from error
    if given.shape != predictions.shape:
        raise UsageError(
            f"The postprocess of {competition.slug} must return an array of the shape it gets, "
            f"{predictions.shape}; got {given.shape}.",
            code="broken-module",
        )
    return given
