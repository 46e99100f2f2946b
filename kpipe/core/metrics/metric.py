"""The value ``Metric``, and how models' predictions become what a metric takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kpipe.core.values import Loss, Task

__all__ = ["Function", "Losses", "Metric", "Needs", "is_ordinal", "mean", "output", "root_mean"]

Needs = Literal["label", "probability", "ranking", "value"]
Function = Callable[[np.ndarray, np.ndarray], float]
Losses = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric, and what must be known to train, evaluate and submit for it.

    Parameters
    ----------
    name : str
        In lower case, with underscores.
    function : callable
        ``(y, output) → score``. ``output`` is what ``needs`` says: labels (n,), probabilities (n, k) or values (n,).
    greater_is_better : bool
    needs : {"label", "probability", "ranking", "value"}
        "value" for regression, the others for classification. A "ranking" holds the most probable labels, best first;
        its function takes the probabilities.
    aliases : tuple of str
        Further names, written like ``name``: those of Kaggle's pages and of scikit-learn.
    losses : callable, optional
        ``(y, output) → (n,)``, whose mean is the score (with ``root``: the square of the score). None where the score
        is not a mean over rows; its standard error is then that of ``influences``, or bootstrapped.
    influences : callable, optional
        ``(y, output) → (n,)``: how far each row moves a score that is not a mean over rows, times the number of rows.
    root : bool
        The score is the square root of the mean of ``losses``.
    quantile : bool
        The score is a quantile of the rows' errors, such as their median or their maximum; its bootstrap is smoothed.
    log_target : bool
        Models learn ``log1p`` of the target, because this metric is an error of logarithms or a relative error.
    domain : float, optional
        The smallest target that the metric is defined for.
    loss : {"squared", "absolute", "poisson"}
        The loss that regression models minimize for this metric.
    thresholds : bool
        Fitted thresholds give better labels than the most probable class does.
    window : bool
        Predictions are moved to where most of the true values lie near them (see ``kpipe.training.thresholds``).
    order_only : bool
        Only the order of the predictions of a class counts: any numbers can be scored, and Kaggle takes them.
    ordinal : bool
        Classes are steps of a scale: a regression on their codes learns them, and cut points turn its values to labels.
    top : int
        The number of labels in a ranking.
    single : Metric, optional
        The metric of one target, where this metric is the mean over several targets.

    Examples
    --------
    A competition's own metric, here the mean of the errors' fourth powers:

    >>> def fourth_powers(y, values):
    ...     return (values - y) ** 4
    >>> own = Metric(
    ...     name="quartic", function=mean(fourth_powers), losses=fourth_powers, needs="value", greater_is_better=False
    ... )
    >>> own.function(np.array([0.0, 0.0]), np.array([1.0, 2.0]))
    8.5
    """

    name: str
    function: Function
    greater_is_better: bool
    needs: Needs
    aliases: tuple[str, ...] = ()
    losses: Losses | None = None
    influences: Losses | None = None
    root: bool = False
    quantile: bool = False
    log_target: bool = False
    domain: float | None = None
    loss: Loss = "squared"
    thresholds: bool = False
    window: bool = False
    order_only: bool = False
    ordinal: bool = False
    top: int = 1
    single: Metric | None = None

    @property
    def task(self) -> Task:
        """Whether the metric is one of regression or of classification."""
        return "regression" if self.needs == "value" else "classification"

    def better(self, a: float, b: float) -> bool:
        """Whether score ``a`` is better than score ``b``.

        Parameters
        ----------
        a, b : float

        Returns
        -------
        bool
        """
        return a > b if self.greater_is_better else a < b


def output(metric: Metric, predictions: np.ndarray) -> np.ndarray:
    """Return what a metric's function takes, from a model's predictions.

    Parameters
    ----------
    metric : Metric
    predictions : (n, k) float
        Probabilities or values; (n, targets) over several targets.

    Returns
    -------
    numpy.ndarray
        Labels (n,), probabilities (n, k) or values (n,). Over several targets (n, targets): 0 or 1 where the metric
        needs labels, otherwise the predictions themselves.
    """
    if metric.single is not None:
        return (predictions >= 0.5).astype(np.int64) if metric.needs == "label" else predictions
    if metric.needs == "label":
        return predictions.argmax(axis=1)
    return predictions[:, 0] if metric.needs == "value" else predictions


def is_ordinal(metric: Metric, labels: np.ndarray | None) -> bool:
    """Whether the classes form an ordinal scale: more than two numbers, scored by an ordinal metric.

    Parameters
    ----------
    metric : Metric
    labels : (k,), optional
        The labels as train.csv spells them; None for a regression.

    Returns
    -------
    bool
    """
    return metric.ordinal and labels is not None and len(labels) > 2 and labels.dtype.kind in "iuf"


def mean(losses: Losses) -> Function:
    """Return the metric function that is the mean of the rows' losses.

    Parameters
    ----------
    losses : callable
        ``(y, output) → (n,)``.

    Returns
    -------
    callable
    """
    return lambda y, output: float(losses(y, output).mean())


def root_mean(losses: Losses) -> Function:
    """Return the metric function that is the square root of the mean of the rows' losses.

    Parameters
    ----------
    losses : callable
        ``(y, output) → (n,)``, at least 0.

    Returns
    -------
    callable
    """
    return lambda y, output: float(np.sqrt(losses(y, output).mean()))
