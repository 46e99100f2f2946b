"""Which rows the weights and thresholds of a fold may be fitted on: the rows of the other folds.

Ensemble weights and thresholds that are scored on the rows they were fitted on look better than they are. They are
therefore cross-fitted: each fold uses the ones fitted on the other folds' out-of-fold predictions. If there are no such
rows (a single fold, or a budget that ended after one), nothing is fitted.
"""

from __future__ import annotations

import numpy as np

from kpipe.core.values import Folds

__all__ = ["can_cross_fit", "rows_to_fit_on"]


def rows_to_fit_on(folds: Folds, predicted: np.ndarray) -> list[np.ndarray]:
    """Return, for each fold, the rows on which its weights or thresholds may be fitted.

    Parameters
    ----------
    folds : Folds
    predicted : (n,) bool
        Rows that have an out-of-fold prediction.

    Returns
    -------
    list of (n,) bool
        Predicted rows that the fold does not validate; one array per fold.

    Examples
    --------
    >>> halves = Folds(train=(np.array([2]), np.array([0, 1])), valid=(np.array([0, 1]), np.array([2])))
    >>> [rows.tolist() for rows in rows_to_fit_on(halves, np.array([True, True, True]))]
    [[False, False, True], [True, True, False]]
    """
    masks = []
    for valid in folds.valid:
        mask = predicted.copy()
        mask[valid] = False
        masks.append(mask)
    return masks


def can_cross_fit(folds: Folds, predicted: np.ndarray) -> bool:
    """Return whether every fold that has predictions leaves predicted rows of other folds to fit on.

    Parameters
    ----------
    folds : Folds
    predicted : (n,) bool
        Rows that have an out-of-fold prediction.

    Returns
    -------
    bool
        False for a single fold, and where only one fold has finished.

    Examples
    --------
    >>> halves = Folds(train=(np.array([2]), np.array([0, 1])), valid=(np.array([0, 1]), np.array([2])))
    >>> can_cross_fit(halves, np.array([True, True, True]))
    True
    >>> can_cross_fit(halves, np.array([True, True, False]))
    False
    """
    scored = [valid for valid in folds.valid if predicted[valid].any()]
    masks = rows_to_fit_on(Folds(train=(), valid=tuple(scored)), predicted)
    return bool(scored) and all(mask.any() for mask in masks)
