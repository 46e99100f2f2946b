"""Baselines: the best predictions that use no features, as a reference for scores.

Which constant is best depends on the metric: the mean for the RMSE, the class 1 for F1, a small value for the MAPE.
For a metric such as the macro F1, labels drawn at random are better than any single class. Therefore, the usual
constant is compared with others by the metric itself, on the training rows of each fold.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor

from kpipe.core.metrics import Metric, output
from kpipe.core.values import Context, Folds

__all__ = ["ConstantClassifier", "ConstantRegressor", "baseline", "constant"]

_ROWS = 4_000  # training rows on which constants are compared
_CLASSES = 10  # most frequent classes that are tried as the only label
_POWERS = (0.0, 0.5, 1.0, 1.5, 2.0)  # of the classes' shares, by which random labels are drawn
_GRID, _REFINEMENTS = 101, 3  # values that are tried, then finer grids around the best one
_GOLDEN = 0.6180339887498949
# Share of the way from the usual constant to perfect predictions that another must go to replace it.
_MIN_GAIN = 0.01
_BY_CHANCE = 10  # rows by which drawn labels may exceed the expected number of hits by chance


class _Constant(NamedTuple):
    """Predictions without features: one value, or the share of each class.

    drawn : whether a row's label is drawn by the shares, instead of predicting the shares themselves.
    """

    name: str
    values: np.ndarray
    drawn: bool = False

    def predict(self, uniform: np.ndarray) -> np.ndarray:
        """(n, k) predictions, with a number from 0 to 1 for each row."""
        if not self.drawn:
            return np.tile(self.values, (len(uniform), 1))
        labels = np.searchsorted(np.cumsum(self.values)[:-1], uniform, side="right")
        return np.asarray(np.eye(len(self.values))[labels])


def baseline(metric: Metric, y: np.ndarray, folds: Folds, *, outputs: int) -> tuple[str, np.ndarray]:
    """Return the name and the out-of-fold predictions of the best model that uses no feature.

    Parameters
    ----------
    metric : Metric
        Decides which baseline it is: the majority class, class shares, the mean, the median, or what else scores best.
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
    oof = np.full((len(y), 1 if metric.task == "regression" else outputs), np.nan)
    names = []
    for number, (train, valid) in enumerate(zip(folds.train, folds.valid, strict=True)):
        known = y[train[~np.isnan(y[train])]]
        constant = _best_constant(metric, known, outputs) if len(known) else _no_target(oof.shape[1])
        names.append(constant.name)
        oof[valid] = constant.predict(np.random.default_rng(number).random(len(valid)))
    return names[0], oof


class ConstantClassifier(DummyClassifier):
    """Predict the class shares for every row; the columns are not transformed by the competition's features."""

    raw = True


class ConstantRegressor(DummyRegressor):
    """Predict one number for every row; the columns are not transformed by the competition's features."""

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


def _best_constant(metric: Metric, y: np.ndarray, outputs: int) -> _Constant:
    """The constant that scores best on y: the usual one of the metric, unless another is clearly better."""
    usual = _usual_value(metric, y) if metric.needs == "value" else _usual_shares(metric, y, outputs)
    y = np.sort(y if len(y) <= _ROWS else np.random.default_rng(0).choice(y, _ROWS, replace=False))
    # Equally distributed numbers, so that labels drawn by them are as independent of the sorted y as they can be.
    uniform = np.arange(1, len(y) + 1) * _GOLDEN % 1

    def loss(constant: _Constant) -> float:
        score = _score(metric, y, constant.predict(uniform))
        return -score if metric.greater_is_better else score

    others = _other_values(y, loss) if metric.needs == "value" else _other_shares(metric, y, outputs)
    best = min(others, key=loss, default=usual)
    perfect = y[:, None] if metric.needs == "value" else np.eye(outputs)[y.astype(int)]
    gain, possible = loss(usual) - loss(best), abs(loss(usual) - _score(metric, y, perfect) * _sign(metric))
    needed = _MIN_GAIN + (_BY_CHANCE / len(y) if best.drawn else 0.0)
    return best if np.isfinite(gain) and gain > needed * possible else usual


def _no_target(outputs: int) -> _Constant:
    """The prediction for a target that no training row has: 0, or equal probabilities."""
    return _Constant("constant", np.zeros(1) if outputs == 1 else np.full(outputs, 1 / outputs))


def _sign(metric: Metric) -> int:
    return -1 if metric.greater_is_better else 1


def _score(metric: Metric, y: np.ndarray, predictions: np.ndarray) -> float:
    """The score, or the worst possible one if it is undefined, such as the AUC of a single class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes that are never predicted
        try:
            score = float(metric.function(y, output(metric, predictions)))
        except ValueError:
            score = float("nan")
    return score if np.isfinite(score) else _sign(metric) * float("inf")


def _usual_shares(metric: Metric, y: np.ndarray, outputs: int) -> _Constant:
    counts = np.bincount(y.astype(int), minlength=outputs)
    if metric.needs == "label":
        return _Constant("majority class", np.eye(outputs)[counts.argmax()])
    return _Constant("class shares", counts / counts.sum())


def _usual_value(metric: Metric, y: np.ndarray) -> _Constant:
    if metric.loss == "absolute":
        return _Constant("median", np.array([np.median(y)]))
    if metric.log_target:
        return _Constant("mean of the logarithm", np.array([np.expm1(np.log1p(y).mean())]))
    return _Constant("mean", np.array([y.mean()]))


def _other_shares(metric: Metric, y: np.ndarray, outputs: int) -> Iterator[_Constant]:
    counts = np.bincount(y.astype(int), minlength=outputs)
    for code in np.argsort(-counts, kind="stable")[:_CLASSES]:
        yield _Constant("best single class", np.eye(outputs)[code])
    if metric.needs != "label":
        yield _Constant("equal probabilities", np.full(outputs, 1 / outputs))
        return
    for power in _POWERS:
        weights = np.where(counts > 0, np.maximum(counts, 1) / len(y), 0.0) ** power * (counts > 0)
        yield _Constant("random label", weights / weights.sum(), drawn=True)


def _other_values(y: np.ndarray, loss: Callable[[_Constant], float]) -> Iterator[_Constant]:
    """The best constant of quantiles of y, then of values between the neighbours of the best one."""
    tried = np.unique(np.quantile(y, np.linspace(0, 1, _GRID)))
    for _ in range(_REFINEMENTS):
        place = int(np.argmin([loss(_Constant("best constant", np.array([value]))) for value in tried]))
        best = tried[place]
        tried = np.union1d(np.linspace(tried[max(place - 1, 0)], tried[min(place + 1, len(tried) - 1)], 15), [best])
    yield _Constant("best constant", np.array([best]))
