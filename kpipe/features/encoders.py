"""Encodings of tables of numbers and text for estimators, shared by models.

A competition defines the meaning of its columns (imputation, logarithms); a model factory adds the encoding that its
estimator needs. Both are fitted inside the fold.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.utils.validation import check_is_fitted

from kpipe.data.column_types import is_pixel_table
from kpipe.features.columns import numeric_columns, text_columns, to_floats, to_text
from kpipe.features.scalers import ExtremeScaler, soft_clip_scaler

__all__ = ["NativeCategories", "dummies"]


def dummies(scaler: BaseEstimator | None = None, *, max_categories: int = 40) -> ColumnTransformer:
    """Create an encoding for linear models and nets: scaled numbers and one-hot columns, with missing as a category.

    Parameters
    ----------
    scaler : transformer or None, default=None
        For the numbers, after missing values are replaced by the mean; None means ``soft_clip_scaler()``. With
        ``MaxAbsScaler()`` columns are divided by their maxima, as in the Titanic notebook.
    max_categories : int, default=40
        The largest number of one-hot columns per text column. Rare and unseen categories share one.

    Returns
    -------
    ColumnTransformer
        From a DataFrame of shape (n, columns) to an ndarray of floats without missing values.
    """
    numbers = make_pipeline(
        FunctionTransformer(to_floats, feature_names_out="one-to-one"),
        ExtremeScaler(),
        SimpleImputer(strategy="mean", keep_empty_features=True),
        soft_clip_scaler() if scaler is None else scaler,
    )
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=2, max_categories=max_categories, sparse_output=False
    )
    text = make_pipeline(FunctionTransformer(to_text, feature_names_out="one-to-one"), one_hot)
    return ColumnTransformer([("numbers", numbers, numeric_columns), ("text", text, text_columns)])


class NativeCategories(TransformerMixin, BaseEstimator):
    """Text as pandas categories and numbers as floats, for boosting libraries with native support of categories.

    Categories that are rare or were not seen by ``fit`` become missing. Columns are renamed to letters and digits, as
    LightGBM requires.

    Parameters
    ----------
    max_categories : int, default=100
        The number of categories kept per column, the most frequent ones. Categories that occur once are never kept.

    Attributes
    ----------
    categories_ : dict
        Name of each text column → its categories.
    """

    categories_: dict[Hashable, list[Any]]

    def __init__(self, max_categories: int = 100) -> None:
        self.max_categories = max_categories

    def fit(self, X: pd.DataFrame, y: object = None) -> NativeCategories:
        """Learn the categories of each text column.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Numbers and text.
        y : ignored
            For scikit-learn's API.

        Returns
        -------
        self
            The fitted transformer.
        """
        self.categories_ = {name: self._frequent_categories(X[name]) for name in text_columns(X)}
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the table with category and float64 columns; a table of pixels is unchanged.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        DataFrame of shape (n, columns)
            Columns in the order of ``fit``, named as by ``get_feature_names_out``.
        """
        check_is_fitted(self)
        names = self.get_feature_names_out()
        if not self.categories_ and is_pixel_table(X):
            return X.set_axis(names, axis=1)
        columns = [self._column(X[name]) for name in self.feature_names_in_]
        return pd.DataFrame(dict(zip(names, columns, strict=True)), index=X.index)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return names of letters, digits and underscores, made unique by numbers.

        Parameters
        ----------
        input_features : ignored
            For scikit-learn's API.

        Returns
        -------
        ndarray of shape (columns,)
            Names.
        """
        safe = (re.sub(r"\W", "_", str(name), flags=re.ASCII) for name in self.feature_names_in_)
        return np.asarray([f"{name}_{number}" for number, name in enumerate(safe)], dtype=object)

    def _frequent_categories(self, column: pd.Series) -> list[Any]:
        counts = column.value_counts()
        return sorted(counts[counts > 1].index[: self.max_categories], key=str)

    def _column(self, column: pd.Series) -> pd.Series:
        if column.name in self.categories_:
            # Others are made missing here, since pandas warns about values outside the categories.
            known = column.where(column.isin(self.categories_[column.name]))
            return pd.Series(pd.Categorical(known, categories=self.categories_[column.name]), index=column.index)
        return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan), index=column.index)
