"""The model ``text``: TF-IDF of words and character n-grams in a linear model.

References
----------
Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification", 2012: linear models of
n-grams are hard to beat.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

from kpipe.core.values import Context
from kpipe.data.column_types import is_free_text
from kpipe.features import as_text

__all__ = ["RawColumnsPipeline", "RowText", "text"]


def text(context: Context, **options: Any) -> BaseEstimator:
    """TF-IDF of words and character n-grams in a linear model, for free text.

    It reads the columns as they are, without the competition's features, which turn free text into numbers.

    Parameters
    ----------
    context : Context
        The context of the fit.
    **options
        Parameters of scikit-learn's ``LogisticRegression`` (classification) or ``Ridge`` (regression).

    Returns
    -------
    RawColumnsPipeline
        One string per row, its n-grams, then the estimator.
    """
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=100_000, sublinear_tf=True)
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), min_df=3, max_features=100_000, sublinear_tf=True
    )
    if context.task == "classification":
        defaults: dict[str, Any] = {"C": 3.0, "max_iter": 200, "tol": 1e-3, "random_state": context.seed}
        linear: BaseEstimator = LogisticRegression(**defaults | options)
    else:
        defaults = {"alpha": 2.0, "solver": "sag", "tol": 1e-3, "random_state": context.seed}
        linear = Ridge(**defaults | options)
    n_grams = FeatureUnion([("words", words), ("characters", characters)])
    return RawColumnsPipeline([("text", RowText()), ("n_grams", n_grams), ("linear", linear)])


class RawColumnsPipeline(Pipeline):
    """A pipeline that reads the table's own columns, without the competition's features before it."""

    raw = True


class RowText(TransformerMixin, BaseEstimator):
    """The text of each row as one string: its free text, then its labels as words of the form ``column_label``.

    Attributes
    ----------
    free_text_ : list
        Names of the columns that hold free text.
    labels_ : list
        Names of the other columns that are not numbers.
    """

    def fit(self, X: pd.DataFrame, y: object = None) -> RowText:
        """Find the columns of free text and of labels.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            A table with free text.
        y : ignored
            For scikit-learn's API.

        Returns
        -------
        self
            The fitted transformer.

        Raises
        ------
        ValueError
            If no column holds free text.
        """
        texts = [name for name in X.columns if not pd.api.types.is_numeric_dtype(X[name])]
        self.free_text_ = [name for name in texts if is_free_text(X[name])]
        self.labels_ = [name for name in texts if name not in self.free_text_]
        if not self.free_text_:
            raise ValueError("The model 'text' needs a column of free text, but there is none. Choose another --model.")
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """One string per row.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Strings.
        """
        check_is_fitted(self)
        parts = [as_text(X[name], missing="") for name in self.free_text_]
        for name in self.labels_:
            label = as_text(X[name], missing="missing")
            parts.append(f"{name}_" + label.str.replace(r"\W", "_", regex=True))
        return np.asarray([" ".join(cells) for cells in zip(*parts, strict=True)], dtype=object)
