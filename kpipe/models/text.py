"""Words and pieces of words, weighed by how rare they are, in a linear model: for tables that hold prose."""

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

__all__ = ["Prose", "Raw", "text"]


def text(context: Context, **options: Any) -> BaseEstimator:
    """TF-IDF of words, pairs of words and 3 to 5 letters, then logistic or ridge regression.

    It reads the columns as they are, before the competition's features: these make numbers of prose.
    options : of scikit-learn's LogisticRegression or Ridge.

    References: Wang and Manning, "Baselines and Bigrams", 2012: linear models of n-grams are hard to beat.
    """
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=100_000, sublinear_tf=True)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=3, max_features=100_000, sublinear_tf=True)
    if context.task == "classification":
        few = {"C": 3.0, "max_iter": 200, "tol": 1e-3, "random_state": context.seed}
        linear: BaseEstimator = LogisticRegression(**few | options)
    else:
        linear = Ridge(**{"alpha": 2.0, "solver": "sag", "tol": 1e-3, "random_state": context.seed} | options)
    weights = FeatureUnion([("words", words), ("pieces", pieces)])
    return Raw([("prose", Prose()), ("weights", weights), ("linear", linear)])


class Raw(Pipeline):
    """A pipeline that reads a table's own columns, without the competition's features before it."""

    raw = True


class Prose(TransformerMixin, BaseEstimator):
    """A row's text in one string: its prose, and its labels as words of the form ``column=label``.

    Raises ValueError where no column holds prose.
    """

    def fit(self, X: pd.DataFrame, y: object = None) -> Prose:
        """See which columns hold prose, and which short labels."""
        apart = [name for name in X.columns if not pd.api.types.is_numeric_dtype(X[name])]
        self.prose_ = [name for name in apart if is_free_text(X[name])]
        self.labels_ = [name for name in apart if name not in self.prose_]
        if not self.prose_:
            raise ValueError("no column holds prose, from which the model 'text' learns. Choose another --model")
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """(n,) strings."""
        check_is_fitted(self)
        parts = [X[name].astype(object).where(X[name].notna(), "").astype(str) for name in self.prose_]
        for name in self.labels_:
            label = X[name].astype(object).where(X[name].notna(), "missing").astype(str)
            parts.append(f"{name}_" + label.str.replace(r"\W", "_", regex=True))
        return np.asarray([" ".join(cells) for cells in zip(*parts, strict=True)], dtype=object)
