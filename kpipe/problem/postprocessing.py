"""A module's ``postprocess``, called so that what is wrong with it is said in words."""

from __future__ import annotations

import numpy as np

from kpipe.core.values import Tables
from kpipe.errors import UsageError
from kpipe.problem.competition import Competition

__all__ = ["finished_by"]


def finished_by(competition: Competition, predictions: np.ndarray, tables: Tables) -> np.ndarray:
    """(n, k) predictions after ``postprocess``; as they are where there is none. It gets, and gives, arrays of its own.

    Raises UsageError where it fails, or gives something else than as many rows and columns of numbers.
    """
    if competition.postprocess is None:
        return predictions
    try:
        given = np.array(competition.postprocess(predictions.copy(), tables), dtype=np.float64)
    except Exception as error:
        raise UsageError(f"The postprocess of {competition.slug} failed: {type(error).__name__}: {error}.") from error
    if given.shape != predictions.shape:
        raise UsageError(
            f"The postprocess of {competition.slug} must give as many rows and columns as it gets, "
            f"{predictions.shape}, however: {given.shape}."
        )
    return given
