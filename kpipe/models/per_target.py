"""Several targets: one estimator per target."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_classifier
from sklearn.utils.validation import check_is_fitted

from kpipe.core.time_limit import share_limit

__all__ = ["PerTarget"]


class PerTarget(RegressorMixin, BaseEstimator):
    """A clone of an estimator per target; it predicts values or, with classifiers, the probability of class 1.

    Parameters
    ----------
    estimator : estimator
        A classifier of the classes 0 and 1, or a regressor.

    Attributes
    ----------
    estimators_ : list
        A fitted clone per target, or a float where the target had a single value.
    """

    def __init__(self, estimator: BaseEstimator) -> None:
        self.estimator = estimator

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit one clone per target.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Features.
        y : ndarray of shape (n, targets)
            Targets. Each clone is fitted on the rows in which its target is not NaN.

        Returns
        -------
        self
            The fitted estimator.
        """
        self.estimators_ = []
        for number, column in enumerate(columns := np.asarray(y).T):
            with share_limit(len(columns) - number):
                self.estimators_.append(_fit_one(self.estimator, X, column))
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Values, or probabilities of class 1.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, targets)
            Float64.
        """
        check_is_fitted(self)
        return np.column_stack([_predict_one(estimator, X) for estimator in self.estimators_])


def _fit_one(estimator: BaseEstimator, X: pd.DataFrame, y: np.ndarray) -> Any:
    """A fitted clone, or the value of a constant target: a rare class may be missing in a fold."""
    known = ~np.isnan(y)
    if not known.all():
        X, y = X[known], y[known]
    if not len(y):
        return 0.0
    return float(y[0]) if (y == y[0]).all() else clone(estimator).fit(X, y)


def _predict_one(estimator: Any, X: pd.DataFrame) -> np.ndarray:
    if isinstance(estimator, float):
        return np.full(len(X), estimator)
    if not is_classifier(estimator):
        return np.asarray(estimator.predict(X), dtype=np.float64).reshape(len(X))
    ones = np.flatnonzero(np.asarray(estimator.classes_) == 1)  # none where the fold has no row of class 1
    return np.asarray(estimator.predict_proba(X), dtype=np.float64)[:, ones].sum(axis=1)
