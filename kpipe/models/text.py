"""The model ``text``: TF-IDF of words and character n-grams in linear and naive Bayes models.

References
----------
Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification", 2012: linear models of
n-grams are hard to beat; naive Bayes is better on short texts.
Wolpert, "Stacked Generalization", 1992: one model's predictions as another's features.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.ensemble import StackingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from kpipe.core.values import Context
from kpipe.data.column_types import is_free_text
from kpipe.features import as_text

__all__ = ["NGramClassifier", "NGrams", "RawColumnsPipeline", "RowText", "text"]

# Words keep punctuation marks, and characters keep capitals: both tell authors and moods apart.
_WORDS = {"ngram_range": (1, 2), "token_pattern": r"\w+|[^\w\s]", "max_features": 100_000}
_CHARACTERS = {"analyzer": "char", "ngram_range": (2, 5), "lowercase": False, "max_features": 100_000}
_RARE = 100  # rows from which on a word in one row, or characters in two, are left out
_SMOOTHINGS = (0.02, 0.1)  # of naive Bayes: less suits long texts, more suits short ones
_INNER_SPLITS = 5
_MOST_CLASSES = 30  # beyond, each inner fit of the linear model would take as long as all the rest


def text(context: Context, **options: Any) -> BaseEstimator:
    """TF-IDF of words and character n-grams in linear and naive Bayes models, for free text.

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
        One string per row, then the estimator on its n-grams.
    """
    if context.task == "classification":
        defaults: dict[str, Any] = {"C": 10.0, "max_iter": 200, "tol": 1e-3, "random_state": context.seed}
        classifier = NGramClassifier(LogisticRegression(**defaults | options), random_state=context.seed)
        return RawColumnsPipeline([("text", RowText()), ("classifier", classifier)])
    defaults = {"alpha": 2.0, "solver": "sag", "tol": 1e-3, "random_state": context.seed}
    return RawColumnsPipeline([("text", RowText()), ("n_grams", NGrams()), ("linear", Ridge(**defaults | options))])


class NGrams(TransformerMixin, BaseEstimator):
    """TF-IDF weights of words and pairs of words, then of two to five characters.

    Attributes
    ----------
    n_words_ : int
        Number of columns that stand for words.
    """

    def fit_transform(self, X: np.ndarray, y: object = None) -> csr_matrix:
        """Learn the n-grams of strings, and weigh them.

        Parameters
        ----------
        X : ndarray of shape (n,)
            One string per row.
        y : ignored
            For scikit-learn's API.

        Returns
        -------
        csr_matrix of shape (n, n-grams)
            Weights, float64.
        """
        rows = (2, 3) if len(X) >= _RARE else (1, 1)
        words = TfidfVectorizer(sublinear_tf=True, min_df=rows[0], **_WORDS)
        characters = TfidfVectorizer(sublinear_tf=True, min_df=rows[1], **_CHARACTERS)
        self.union_ = FeatureUnion([("words", words), ("characters", characters)])
        weights = self.union_.fit_transform(X).tocsr()
        self.n_words_ = len(words.vocabulary_)
        return weights

    def fit(self, X: np.ndarray, y: object = None) -> Self:
        """Learn the n-grams of strings.

        Parameters
        ----------
        X : ndarray of shape (n,)
            One string per row.
        y : ignored
            For scikit-learn's API.

        Returns
        -------
        self
            The fitted transformer.
        """
        self.fit_transform(X)
        return self

    def transform(self, X: np.ndarray) -> csr_matrix:
        """The weights of the fitted n-grams.

        Parameters
        ----------
        X : ndarray of shape (n,)
            One string per row.

        Returns
        -------
        csr_matrix of shape (n, n-grams)
            Weights, float64.
        """
        check_is_fitted(self)
        return self.union_.transform(X).tocsr()


class NGramClassifier(ClassifierMixin, BaseEstimator):
    """A linear model and naive Bayes models of n-grams, combined by what each predicts for inner held-out rows.

    Naive Bayes learns words and characters separately, with two strengths of smoothing each. A logistic regression of
    the models' log odds, fitted on five inner splits of the fitting rows (stacking), combines and calibrates them.
    The linear model predicts alone where a class has a single row or there are more than 30 classes.

    Parameters
    ----------
    linear : estimator
        With ``predict_proba``; it learns all n-grams.
    random_state : int
        Of the inner splits.

    Attributes
    ----------
    classes_ : ndarray
        The labels, sorted.
    """

    def __init__(self, linear: BaseEstimator, random_state: int = 0) -> None:
        self.linear = linear
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Learn the n-grams, the models, and how they are combined.

        Parameters
        ----------
        X : ndarray of shape (n,)
            One string per row.
        y : ndarray of shape (n,)
            Labels.

        Returns
        -------
        self
            The fitted classifier.
        """
        self.n_grams_ = NGrams()
        weights = self.n_grams_.fit_transform(X)
        self.classes_, counts = np.unique(y, return_counts=True)
        splits = min(_INNER_SPLITS, counts.min())
        stacked = splits > 1 and len(self.classes_) <= _MOST_CLASSES
        self.model_ = (self._stack(splits) if stacked else self.linear).fit(weights, y)
        return self

    def _stack(self, splits: int) -> StackingClassifier:
        n_words = self.n_grams_.n_words_
        models = [("linear", self.linear)]
        for name, block in (("words", slice(n_words)), ("characters", slice(n_words, None))):
            for smoothing in _SMOOTHINGS:
                columns = FunctionTransformer(_columns, kw_args={"block": block})
                models.append((f"{name} {smoothing}", make_pipeline(columns, MultinomialNB(alpha=smoothing))))
        combiner = make_pipeline(FunctionTransformer(_log_odds), LogisticRegression(max_iter=1000))
        inner = StratifiedKFold(splits, shuffle=True, random_state=self.random_state)
        return StackingClassifier(models, combiner, cv=inner)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """The probability of each class.

        Parameters
        ----------
        X : ndarray of shape (n,)
            One string per row.

        Returns
        -------
        ndarray of shape (n, classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        probabilities: np.ndarray = self.model_.predict_proba(self.n_grams_.transform(X))
        return probabilities

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The most probable label of each row.

        Parameters
        ----------
        X : ndarray of shape (n,)
            One string per row.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        labels: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels


def _columns(weights: csr_matrix, *, block: slice) -> csr_matrix:
    return weights[:, block]


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Log odds, bounded so that one overconfident model cannot outweigh all others on a row."""
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    odds: np.ndarray = np.log(clipped / (1 - clipped))
    return odds


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
