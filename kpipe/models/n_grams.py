"""N-grams of strings as columns, and naive Bayes weights for them.

References
----------
Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification", 2012: linear models of
n-grams that are weighted by naive Bayes' log-count ratios.
"""

from __future__ import annotations

import html
import re
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion
from sklearn.utils.validation import check_is_fitted

__all__ = ["LogCountRatioClassifier", "NGrams", "normalize_text"]

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+")
_MENTION = re.compile(r"(?<!\w)@\w+")
_DIGITS = re.compile(r"\d+")
_RARE = 100  # rows from which words in a single row, and characters in fewer than three, are dropped
_MAXIMUM = 100_000  # n-grams of a block
_SMOOTHING = 1.0  # rows that naive Bayes adds to the counts of an n-gram in each class


def normalize_text(text: str) -> str:
    """A string in lower case with placeholders for web addresses, mentions of users and numbers.

    Parameters
    ----------
    text : str
        With HTML entities or without.

    Returns
    -------
    str

    Examples
    --------
    >>> normalize_text("Fire &amp; smoke, 25 homes http://t.co/x1 @bbc")
    'fire & smoke, 0 homes web_address user_name'
    """
    text = _MENTION.sub("user_name", _ADDRESS.sub("web_address", html.unescape(text)))
    return _DIGITS.sub("0", text).lower()


# Words keep punctuation marks, and characters keep capitals: both help to recognise authors and sentiment. Parts of
# words do not cross blanks; they match words of similar spelling, or with the same prefix or ending.
_BLOCKS: dict[str, dict[str, Any]] = {
    "words": {"ngram_range": (1, 2), "token_pattern": r"\w+|[^\w\s]"},
    "characters": {"analyzer": "char", "ngram_range": (2, 5), "lowercase": False},
    "parts": {"analyzer": "char_wb", "ngram_range": (3, 5), "preprocessor": normalize_text},
}


class NGrams(TransformerMixin, BaseEstimator):
    """TF-IDF weights of n-grams, a block of columns for each kind.

    Parameters
    ----------
    blocks : tuple of str
        "words" for words and pairs of words, "characters" for two to five characters, "parts" for three to five
        characters of normalized words.

    Attributes
    ----------
    slices_ : dict of str to slice
        The columns of each block.
    """

    def __init__(self, blocks: tuple[str, ...] = ("words", "characters")) -> None:
        self.blocks = blocks

    def fit_transform(self, X: np.ndarray, y: object = None) -> csr_matrix:
        """Learn the n-grams of strings, and return their weights.

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
        rows = {"words": 2, "characters": 3, "parts": 2} if len(X) >= _RARE else dict.fromkeys(_BLOCKS, 1)
        vectorizers = [
            (name, TfidfVectorizer(sublinear_tf=True, min_df=rows[name], max_features=_MAXIMUM, **_BLOCKS[name]))
            for name in self.blocks
        ]
        self.union_ = FeatureUnion(vectorizers)
        weights = self.union_.fit_transform(X).tocsr()
        ends = np.cumsum([0, *(len(vectorizer.vocabulary_) for _, vectorizer in vectorizers)]).tolist()
        self.slices_ = {name: slice(*ends[place : place + 2]) for place, name in enumerate(self.blocks)}
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


class LogCountRatioClassifier(ClassifierMixin, BaseEstimator):
    """Logistic regression on the n-grams that occur, weighted by how much more often the class has them than others.

    More than two classes have a regression each, against all others.

    Parameters
    ----------
    C : float
        Inverse regularisation strength of ``LogisticRegression``.

    Attributes
    ----------
    classes_ : ndarray
        The labels, sorted.
    """

    def __init__(self, C: float = 0.1) -> None:
        self.C = C

    def fit(self, X: csr_matrix, y: np.ndarray) -> Self:
        """Learn the ratios and the regressions.

        Parameters
        ----------
        X : csr_matrix of shape (n, n-grams)
            Weights, positive where an n-gram occurs.
        y : ndarray of shape (n,)
            Labels.

        Returns
        -------
        self
            The fitted classifier.
        """
        self.classes_ = np.unique(y)
        occurs = X.sign()
        wanted = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        self.ratios_ = [_log_count_ratio(occurs, y == label) for label in wanted]
        self.models_ = [
            LogisticRegression(C=self.C, max_iter=200, tol=1e-3).fit(occurs.multiply(ratio).tocsr(), y == label)
            for label, ratio in zip(wanted, self.ratios_, strict=True)
        ]
        return self

    def predict_proba(self, X: csr_matrix) -> np.ndarray:
        """The probability of each class.

        Parameters
        ----------
        X : csr_matrix of shape (n, n-grams)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        occurs = X.sign()
        ones = [
            model.predict_proba(occurs.multiply(ratio).tocsr())[:, 1]
            for model, ratio in zip(self.models_, self.ratios_, strict=True)
        ]
        of_classes = np.column_stack([1 - ones[0], ones[0]] if len(ones) == 1 else ones)
        return np.asarray(of_classes / of_classes.sum(axis=1, keepdims=True))

    def predict(self, X: csr_matrix) -> np.ndarray:
        """The most probable label of each row.

        Parameters
        ----------
        X : csr_matrix of shape (n, n-grams)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        labels: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels


def _log_count_ratio(occurs: csr_matrix, is_class: np.ndarray) -> np.ndarray:
    """(n-grams,) logarithms of the n-grams' shares in the rows of a class over their shares in the other rows."""
    inside, outside = (np.asarray(occurs[rows].sum(axis=0)).ravel() + _SMOOTHING for rows in (is_class, ~is_class))
    return np.asarray(np.log(inside / inside.sum()) - np.log(outside / outside.sum()))
