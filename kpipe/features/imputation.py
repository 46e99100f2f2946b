"""Imputation of missing values."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

__all__ = ["ModeImputer"]


class ModeImputer(TransformerMixin, BaseEstimator):
    """Replace the missing values of each column by its most frequent value, the smallest of equally frequent ones.

    A column that has no value in the fitting rows stays missing.

    Attributes
    ----------
    modes_ : dict
        Column name → its mode.

    References
    ----------
    Jeremy Howard, "Linear model and neural net from scratch" (Kaggle, 2022): ``df.mode().iloc[0]``.

    Examples
    --------
    >>> ModeImputer().fit_transform(pd.DataFrame({"port": ["S", None, "C", "S"]}))["port"].tolist()
    ['S', 'S', 'C', 'S']
    """

    modes_: dict[Hashable, Any]

    def fit(self, X: pd.DataFrame, y: object = None) -> ModeImputer:
        """Learn the mode of each column.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Columns of any dtypes.
        y : ignored
            For scikit-learn's API.

        Returns
        -------
        self
            The fitted transformer.
        """
        modes = {name: X[name].mode() for name in X.columns}
        self.modes_ = {name: mode.iloc[0] for name, mode in modes.items() if len(mode)}
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Replace the missing values of columns that have a mode.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        DataFrame of shape (n, columns)
            A new table.
        """
        check_is_fitted(self)
        return X.fillna(self.modes_)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """The names of the columns, unchanged.

        Parameters
        ----------
        input_features : ignored
            For scikit-learn's API.

        Returns
        -------
        ndarray of shape (columns,)
            Names.
        """
        return self.feature_names_in_
