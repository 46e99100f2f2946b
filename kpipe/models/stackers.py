"""Estimators that learn from other models' predictions. With few parameters, they do not overfit small tables.

References
----------
Wolpert, "Stacked generalization", 1992. Breiman, "Stacked regressions", 1996: weights of at least 0. Genest and Zidek,
"Combining probability distributions", 1986: the logarithmic opinion pool.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

__all__ = ["LinearPool", "LogLinearPool"]

_PRIOR = 1.0  # strength of the prior that all models have the same weight, in rows


class LogLinearPool(ClassifierMixin, BaseEstimator):
    """Probabilities proportional to the product of the models' own, each to a power of at least 0, and a class factor.

    Unlike a weighted mean, it can be more certain than each of its models, and correct the share of a class.

    Parameters
    ----------
    n_classes : int
        Labels are 0..n_classes-1.

    Attributes
    ----------
    classes_ : (k,) int
    weights_ : (models,) float
    offsets_ : (k,) float
    """

    def __init__(self, n_classes: int = 2) -> None:
        self.n_classes = n_classes

    def fit(self, X: Any, y: Any) -> Self:
        """Find the powers and offsets that minimise the log loss.

        Parameters
        ----------
        X : (n, models * k) float
            Logarithms of the models' probabilities; with two classes, (n, models) log odds of the second.
        y : (n,) int

        Returns
        -------
        self
        """
        logs, truth = self._logs(X), np.asarray(y, dtype=int)
        models, rows = logs.shape[1], np.arange(len(truth))

        def loss(found: np.ndarray) -> tuple[float, np.ndarray]:
            weights, offsets = found[:models], found[models:]
            probabilities = softmax(np.einsum("nmk,m->nk", logs, weights) + offsets, axis=1)
            value = -float(np.log(np.maximum(probabilities[rows, truth], 1e-300)).mean())
            probabilities[rows, truth] -= 1.0
            slopes = np.append(np.einsum("nmk,nk->m", logs, probabilities), probabilities.sum(axis=0))
            pull = np.append(weights - 1 / models, offsets) * _PRIOR  # towards the prior
            return value + float(pull @ pull) / (2 * _PRIOR * len(truth)), (slopes + pull) / len(truth)

        start = np.append(np.full(models, 1 / models), np.zeros(self.n_classes))
        bounds = [(0.0, None)] * models + [(None, None)] * self.n_classes
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
        self.classes_ = np.arange(self.n_classes)
        self.weights_, self.offsets_ = found[:models], found[models:]
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : (n, models * k) float
            As for ``fit``.

        Returns
        -------
        (n, k) float
        """
        check_is_fitted(self)
        return np.asarray(softmax(np.einsum("nmk,m->nk", self._logs(X), self.weights_) + self.offsets_, axis=1))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable labels.

        Parameters
        ----------
        X : (n, models * k) float
            As for ``fit``.

        Returns
        -------
        (n,) int
        """
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def _logs(self, X: Any) -> np.ndarray:
        """(n, models, k) logarithms up to a number for each row and model."""
        values = np.asarray(X, dtype=np.float64)
        if self.n_classes > 2:
            return values.reshape(len(values), -1, self.n_classes)
        return np.stack([np.zeros_like(values), values], axis=2)


class LinearPool(RegressorMixin, BaseEstimator):
    """A linear combination of the models' predictions, with weights of at least 0 and an intercept.

    Unlike those of a weighted mean, the weights need not sum to 1, so that predictions can be shrunk to their mean.

    Attributes
    ----------
    weights_ : (models,) float
    offset_ : float
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Find the weights that minimise the squared error.

        Parameters
        ----------
        X : (n, models) float
        y : (n,) float

        Returns
        -------
        self
        """
        values, truth = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
        means = values.mean(axis=0)
        models, centred = values.shape[1], values - means
        unit = max(float(centred.var()), 1e-300)
        gram, cross = centred.T @ centred / unit, centred.T @ (truth - truth.mean()) / unit
        equal = np.full(models, 1 / models)

        def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
            slope, away = gram @ weights - cross, _PRIOR * (weights - equal)
            return float(weights @ (slope - cross) + (weights - equal) @ away) / 2, slope + away

        bounds = [(0.0, None)] * models
        self.weights_ = minimize(loss, equal, jac=True, method="L-BFGS-B", bounds=bounds).x
        self.offset_ = float(truth.mean() - means @ self.weights_)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the pool's predictions.

        Parameters
        ----------
        X : (n, models) float
            As for ``fit``.

        Returns
        -------
        (n,) float
        """
        check_is_fitted(self)
        return np.asarray(np.asarray(X, dtype=np.float64) @ self.weights_ + self.offset_)
