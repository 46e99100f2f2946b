"""Baselines: predictions that use no feature, against which a score is judged."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor

from kpipe.core.metrics import Metric
from kpipe.core.values import Context, Folds

__all__ = ["ConstantClassifier", "ConstantRegressor", "baseline", "constant"]


def baseline(metric: Metric, y: np.ndarray, folds: Folds, *, outputs: int) -> tuple[str, np.ndarray]:
    """The name and the out-of-fold predictions of the best model that uses no feature.

    Parameters
    ----------
    metric : Metric
        Decides which baseline it is: the majority class, class shares, the mean or the median.
    y : ndarray of shape (n,) or (n, targets)
        Class codes or values.
    folds : Folds
        The folds of the run.
    outputs : int
        Number of classes; ignored for a regression.

    Returns
    -------
    name : str
        Such as ``"majority class"``.
    oof : ndarray of shape (n, k)
        Float64; NaN in rows that no fold validates.
    """
    if metric.single is not None:
        columns = [baseline(metric.single, column, folds, outputs=2) for column in y.T]
        last = 0 if metric.task == "regression" else 1  # for classes, the probability of class 1
        return columns[0][0], np.column_stack([oof[:, last] for _, oof in columns])
    name, dummy = _dummy(metric)
    oof = np.full((len(y), 1 if metric.task == "regression" else outputs), np.nan)
    for train, valid in zip(folds.train, folds.valid, strict=True):
        known = train[~np.isnan(y[train])]
        dummy.fit(np.zeros((len(known), 1)), y[known])
        no_features = np.zeros((len(valid), 1))
        if hasattr(dummy, "predict_proba"):
            oof[valid] = 0.0  # a class that is missing in the training rows has probability 0
            oof[np.ix_(valid, dummy.classes_)] = dummy.predict_proba(no_features)
        else:
            oof[valid, 0] = dummy.predict(no_features)
    return name, oof


class ConstantClassifier(DummyClassifier):
    """Class shares in every row; it reads the columns as they are, without the competition's features."""

    raw = True


class ConstantRegressor(DummyRegressor):
    """One number in every row; it reads the columns as they are, without the competition's features."""

    raw = True


def constant(context: Context) -> BaseEstimator:
    """The same prediction in every row: class shares, the mean or the median.

    Parameters
    ----------
    context : Context
        The context of the fit.

    Returns
    -------
    ConstantClassifier or ConstantRegressor
    """
    if context.task == "classification":
        return ConstantClassifier(strategy="prior")
    return ConstantRegressor(strategy="median" if context.loss == "absolute" else "mean")


def _dummy(metric: Metric) -> tuple[str, BaseEstimator]:
    """The baseline's name, and the estimator."""
    if metric.needs == "label":
        return "majority class", DummyClassifier(strategy="most_frequent")
    if metric.needs in ("probability", "ranking"):
        return "class shares", DummyClassifier(strategy="prior")
    if metric.loss == "absolute":
        return "median", DummyRegressor(strategy="median")
    if metric.log_target:
        mean = TransformedTargetRegressor(DummyRegressor(), func=np.log1p, inverse_func=np.expm1, check_inverse=False)
        return "mean of the logarithm", mean
    return "mean", DummyRegressor(strategy="mean")
