"""Several targets: one estimator each."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_classifier
from sklearn.utils.validation import check_is_fitted

__all__ = ["PerTarget"]


class PerTarget(RegressorMixin, BaseEstimator):
    """A clone of an estimator for each column of y; ``predict`` gives (n, targets): values, or probabilities of 1."""

    def __init__(self, estimator: BaseEstimator) -> None:
        self.estimator = estimator

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit one clone a column of y (n, targets)."""
        self.estimators_ = [
            # A rare flag may be missing in a fold altogether; many estimators refuse a target of one value.
            float(column[0]) if (column == column[0]).all() else clone(self.estimator).fit(X, column)
            for column in np.asarray(y).T
        ]
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """(n, targets) float64."""
        check_is_fitted(self)
        return np.column_stack([_of_one(estimator, X) for estimator in self.estimators_])


def _of_one(estimator: Any, X: pd.DataFrame) -> np.ndarray:
    if isinstance(estimator, float):
        return np.full(len(X), estimator)
    if not is_classifier(estimator):
        return np.asarray(estimator.predict(X), dtype=np.float64).reshape(len(X))
    ones = np.flatnonzero(np.asarray(estimator.classes_) == 1)  # none where the fold has seen no 1
    return np.asarray(estimator.predict_proba(X), dtype=np.float64)[:, ones].sum(axis=1)
