"""Metrics of labels from the counts of a confusion matrix: scikit-learn's values, without its checks of the input.

A hundred thresholds are tried per fold and standard errors take 200 resamples, and scikit-learn's input checks take
fifty times as long as the counting. Input that is not coded labels is passed to scikit-learn, whose errors say what is
wrong with it.
"""

from __future__ import annotations

import numpy as np
from sklearn import metrics as skm

__all__ = ["balanced_accuracy", "f1", "matthews", "quadratic_kappa"]

_MAX_CODES = 10_000  # larger numbers are not class codes, and their matrix would be too large


def balanced_accuracy(y: np.ndarray, labels: np.ndarray) -> float:
    """The mean of the classes' recalls.

    Parameters
    ----------
    y, labels : (n,)
        Coded labels.

    Returns
    -------
    float
    """
    matrix = _confusion_matrix(y, labels)
    if matrix is None or not (rows := matrix.sum(axis=1)).all():
        return float(skm.balanced_accuracy_score(y, labels))
    return float((np.diagonal(matrix) / rows).mean())


def f1(y: np.ndarray, labels: np.ndarray, *, average: str) -> float:
    """The harmonic mean of precision and recall.

    Parameters
    ----------
    y, labels : (n,)
        Coded labels.
    average : {"binary", "macro", "micro", "weighted"}
        "binary" is the F1 of class 1.

    Returns
    -------
    float
    """
    matrix = _confusion_matrix(y, labels)
    if matrix is None or (average == "binary" and (len(matrix) > 2 or max(y.max(), labels.max()) != 1)):
        return float(skm.f1_score(y, labels, average=average, zero_division=0))
    hits, rows, predicted = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    if average == "binary":
        hits, rows, predicted = hits[-1:], rows[-1:], predicted[-1:]
    elif average == "micro":
        hits, rows, predicted = (counts.sum(keepdims=True) for counts in (hits, rows, predicted))
    return float(np.average(2.0 * hits / (rows + predicted), weights=rows if average == "weighted" else None))


def matthews(y: np.ndarray, labels: np.ndarray) -> float:
    """Matthews' correlation coefficient.

    Parameters
    ----------
    y, labels : (n,)
        Coded labels.

    Returns
    -------
    float
        0 where all rows, or all labels, are of one class.
    """
    matrix = _confusion_matrix(y, labels)
    if matrix is None:
        return float(skm.matthews_corrcoef(y, labels))
    rows, predicted = (matrix.sum(axis=axis, dtype=np.float64) for axis in (1, 0))
    count = predicted.sum()
    both = np.trace(matrix, dtype=np.float64) * count - np.dot(rows, predicted)
    spread = (count**2 - np.dot(predicted, predicted)) * (count**2 - np.dot(rows, rows))
    return float(both / np.sqrt(spread)) if spread else 0.0


def quadratic_kappa(y: np.ndarray, labels: np.ndarray) -> float:
    """Cohen's kappa, with errors weighted by the square of their distance.

    Parameters
    ----------
    y, labels : (n,)
        Coded labels.

    Returns
    -------
    float
    """
    matrix = _confusion_matrix(y, labels)
    if matrix is None or len(matrix) == 1:
        return float(skm.cohen_kappa_score(y, labels, weights="quadratic"))
    counts = matrix.astype(np.float64)
    rows, predicted = counts.sum(axis=1), counts.sum(axis=0)
    steps = np.arange(len(counts), dtype=np.float64)
    weights = (steps - steps[:, None]) ** 2
    return float(1 - (weights * counts).sum() / (weights * (np.outer(predicted, rows) / predicted.sum())).sum())


def _confusion_matrix(y: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """(k, k) rows by class and predicted label, for the classes that occur; None if the input is not coded labels."""
    if y.ndim != 1 or y.shape != labels.shape or not len(y) or not all(a.dtype.kind in "iu" for a in (y, labels)):
        return None
    if min(y.min(), labels.min()) < 0 or max(y.max(), labels.max()) >= _MAX_CODES:
        return None
    size = int(max(y.max(), labels.max())) + 1
    present = np.flatnonzero(np.bincount(y, minlength=size) + np.bincount(labels, minlength=size))
    places = np.zeros(size, dtype=np.int64)
    places[present] = np.arange(len(present))
    pairs = places[y] * len(present) + places[labels]
    return np.bincount(pairs, minlength=len(present) ** 2).reshape(len(present), -1)
