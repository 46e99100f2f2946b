"""The model ``text``: TF-IDF of words and character n-grams in linear and naive Bayes models.

References
----------
Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification", 2012: linear models of
n-grams are hard to beat; naive Bayes is better on short texts.
Wolpert, "Stacked Generalization", 1992: one model's predictions as another's features.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.validation import check_is_fitted

from kpipe.core.values import Context
from kpipe.data.column_types import is_free_text
from kpipe.features import as_text
from kpipe.features.embeddings import MeanWordVectors, VectorFiles, find_word_vectors
from kpipe.models.n_grams import LogCountRatioClassifier, NGrams

__all__ = ["NGramClassifier", "RawColumnsPipeline", "RowText", "text"]

_SMOOTHINGS = (0.02, 0.1, 0.5)  # of naive Bayes: less for long texts, more for short ones
_VECTORS_C = 0.01  # of the logistic regression on word vectors
_INNER_SPLITS = 5
_MAX_CLASSES = 30  # for more, each inner fit of the linear model would take as long as everything else together


def text(context: Context, *, weights: str | None = "", **options: Any) -> BaseEstimator:
    """Linear and naive Bayes models on TF-IDF of words and character n-grams, for free text.

    It reads the columns as they are, without the competition's features, which turn free text into numbers.

    Parameters
    ----------
    context : Context
        The context of the fit.
    weights : str or None, default=""
        A folder with word vectors (``kpipe.features.embeddings``); by default, those of the context (``--weights``) or
        of the package ``wordllama``, if it is installed; None uses none. Only classification uses them.
    **options
        Parameters of scikit-learn's ``LogisticRegression`` (classification) or ``Ridge`` (regression).

    Returns
    -------
    RawColumnsPipeline
        One string per row, then the estimator on its n-grams.
    """
    if context.task == "classification":
        defaults: dict[str, Any] = {"C": 10.0, "max_iter": 200, "tol": 1e-3, "random_state": context.seed}
        linear = LogisticRegression(**defaults | options)
        vectors = None if weights is None else _vector_files(weights, context)
        classifier = NGramClassifier(linear, vectors=vectors, random_state=context.seed)
        return RawColumnsPipeline([("text", RowText()), ("classifier", classifier)])
    defaults = {"alpha": 2.0, "solver": "sag", "tol": 1e-3, "random_state": context.seed}
    return RawColumnsPipeline([("text", RowText()), ("n_grams", NGrams()), ("linear", Ridge(**defaults | options))])


def _vector_files(folder: str, context: Context) -> VectorFiles | None:
    """The word vectors of a folder, or else of the context, with their hash."""
    if folder or "text" not in context.weights:
        return find_word_vectors(folder)
    found = context.weights["text"]
    if found is None:
        return None
    files = find_word_vectors(str(Path(found.path).parent) if found.origin == "--weights" else "")
    return files and files._replace(sha256=found.sha256)


class NGramClassifier(ClassifierMixin, BaseEstimator):
    """Linear models and naive Bayes models of n-grams, combined by stacking.

    The linear model learns words with characters, and a second one parts of words; a third one learns words, weighted
    by naive Bayes. Naive Bayes itself learns words and characters separately, with three strengths of smoothing each. A
    logistic regression of their log odds, fitted on five inner splits of the fitting rows (stacking), combines and
    calibrates them. The linear model predicts alone where a class has a single row or there are more than 30 classes.

    Parameters
    ----------
    linear : estimator
        With ``predict_proba``; it learns words with characters, and a copy of it parts of words.
    vectors : VectorFiles, optional
        Word vectors, whose means a further logistic regression learns.
    random_state : int
        Seed of the inner splits.

    Attributes
    ----------
    classes_ : ndarray
        The labels, sorted.
    """

    def __init__(self, linear: BaseEstimator, vectors: VectorFiles | None = None, random_state: int = 0) -> None:
        self.linear = linear
        self.vectors = vectors
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
        self.classes_, counts = np.unique(y, return_counts=True)
        splits = min(_INNER_SPLITS, counts.min())
        stacked = splits > 1 and len(self.classes_) <= _MAX_CLASSES
        self.n_grams_ = NGrams(("words", "characters", "parts") if stacked else ("words", "characters"))
        weights = self.n_grams_.fit_transform(X)
        self.has_vectors_ = stacked and self.vectors is not None
        self.model_ = (self._stack(splits) if stacked else self.linear).fit(self._with_vectors(weights, X), y)
        return self

    def _with_vectors(self, weights: csr_matrix, X: np.ndarray) -> csr_matrix:
        """The columns of the n-grams, then those of the vectors if there are any."""
        if not self.has_vectors_ or self.vectors is None:
            return weights
        return hstack([weights, csr_matrix(MeanWordVectors(self.vectors).transform(X))], format="csr")

    def _stack(self, splits: int) -> StackingClassifier:
        blocks = self.n_grams_.slices_
        words, characters = blocks["words"], blocks["characters"]
        models = [
            ("linear", _of_columns(slice(characters.stop), self.linear)),
            ("linear parts", _of_columns(blocks["parts"], clone(self.linear))),
            ("weighted words", _of_columns(words, LogCountRatioClassifier())),
        ]
        if self.has_vectors_:
            vectors = slice(blocks["parts"].stop, None)
            regression = make_pipeline(StandardScaler(), LogisticRegression(C=_VECTORS_C, max_iter=300))
            models.append(("vectors", _of_columns(vectors, make_pipeline(FunctionTransformer(_dense), regression))))
        for name, block in (("words", words), ("characters", characters)):
            models += [(f"{name} {a}", _of_columns(block, MultinomialNB(alpha=a))) for a in _SMOOTHINGS]
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
        weights = self._with_vectors(self.n_grams_.transform(X), X)
        probabilities: np.ndarray = self.model_.predict_proba(weights)
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


def _of_columns(block: slice, estimator: BaseEstimator) -> Pipeline:
    return make_pipeline(FunctionTransformer(_columns, kw_args={"block": block}), estimator)


def _columns(weights: csr_matrix, *, block: slice) -> csr_matrix:
    return weights[:, block]


def _dense(vectors: csr_matrix) -> np.ndarray:
    return np.asarray(vectors.toarray())


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

    Parameters
    ----------
    labels : bool, default=True
        Whether the string has the labels; False for models of whole sentences.

    Attributes
    ----------
    free_text_ : list
        Names of the columns that hold free text.
    labels_ : list
        Names of the other columns that are not numbers.
    """

    def __init__(self, *, labels: bool = True) -> None:
        self.labels = labels

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
            raise ValueError("Models for text need a column of free text, but there is none. Choose another --model.")
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
        for name in self.labels_ if self.labels else ():
            label = as_text(X[name], missing="missing")
            parts.append(f"{name}_" + label.str.replace(r"\W", "_", regex=True))
        return np.asarray([" ".join(cells) for cells in zip(*parts, strict=True)], dtype=object)
