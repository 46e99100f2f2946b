"""Target statistics of categories, cross-fitted for the rows that they are fitted on.

References
----------
Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical Attributes in Classification and Prediction
Problems", 2001; scikit-learn's ``TargetEncoder``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder
from sklearn.utils.multiclass import type_of_target

from kpipe.features.columns import as_text

__all__ = ["TargetStatistics"]

_MAX_CLASSES = 10  # each class is a feature per column


class TargetStatistics(TransformerMixin, BaseEstimator):
    """The mean target of each category, or its share of each class; no features where the target allows none.

    A row's own target takes no part in the statistics that ``fit_transform`` gives for it.

    Parameters
    ----------
    random_state : int, default=0
        Seed of the inner splits.

    Attributes
    ----------
    encoder_ : TargetEncoder or None
        None where the target allows no statistics: there is none, there are several, or its classes are too many or too
        rare.
    """

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any = None) -> TargetStatistics:
        """Learn the statistics.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Categories of any dtype.
        y : array-like of shape (n,) or None
            Float values or class codes.

        Returns
        -------
        self
            The fitted transformer.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Any = None, **params: Any) -> np.ndarray:
        """Learn the statistics, and give those of the fitting rows without the row's own target.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Categories of any dtype.
        y : array-like of shape (n,) or None
            Float values or class codes.
        **params
            Ignored; for scikit-learn's API.

        Returns
        -------
        ndarray of shape (n, features)
            Float64.
        """
        self.encoder_: TargetEncoder | None = None
        if X.shape[1] == 0 or y is None or not _is_supported(np.asarray(y)):
            return np.empty((len(X), 0))
        self.encoder_ = _make_encoder(np.asarray(y), self.random_state)
        return np.asarray(self.encoder_.fit_transform(_to_categories(X), y))

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """The statistics of other rows.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, features)
            Float64.
        """
        if self.encoder_ is None:
            return np.empty((len(X), 0))
        return np.asarray(self.encoder_.transform(_to_categories(X)))


def _to_categories(X: pd.DataFrame) -> np.ndarray:
    """Whole numbers as they are; else text with missing as a category, since a mixture with NaN is refused."""
    if (X.dtypes == np.int64).all():
        return X.to_numpy()
    return as_text(X).to_numpy(dtype=object)


def _make_encoder(y: np.ndarray, seed: int) -> TargetEncoder:
    continuous = y.dtype.kind == "f"
    kind = "continuous" if continuous else type_of_target(y)
    if TargetEncoder().get_params()["random_state"] is None:  # before scikit-learn 1.9
        return TargetEncoder(target_type=kind, random_state=seed)
    splitter = KFold if continuous else StratifiedKFold
    return TargetEncoder(target_type=kind, cv=splitter(5, shuffle=True, random_state=seed))


def _is_supported(y: np.ndarray) -> bool:
    if y.ndim > 1:
        return False
    if y.dtype.kind == "f":
        return True
    classes, rows = np.unique(y, return_counts=True)
    return 2 <= len(classes) <= _MAX_CLASSES and rows.min() >= 2
