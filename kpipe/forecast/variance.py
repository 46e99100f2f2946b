"""The uncertainty of the difference between test and out-of-fold scores: a standard error for each cause."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy import stats

from kpipe.core.metrics import Metric, evaluate, output
from kpipe.core.statistics import bootstrap_standard_error
from kpipe.core.values import Folds, Score

__all__ = ["Errors", "sampling_errors"]

_FEW_UNITS = 1000  # units in test below which the errors of scores that are not means are resampled
_TRAINING_SHARE = 0.5
_TAIL, _MIN_IN_TAIL, _MAX_IN_TAIL = 0.05, 20, 2_000  # share of the losses in the tail, and numbers of losses
_MAX_SHAPE = 1.0  # of a tail; beyond it not even the mean is finite


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Standard errors, in units of the score, of its difference from the score on test, by cause.

    Attributes
    ----------
    train : float
        Which rows of train were validated.
    test : float
        Which rows are in test.
    models : float
        Which rows the models were trained on.
    units : int
        The number of independent rows, groups or blocks of time that were validated.
    """

    train: float
    test: float
    models: float
    units: int

    @property
    def total(self) -> float:
        """The standard error of the difference."""
        return float(np.sqrt(self.train**2 + self.test**2 + self.models**2))


def sampling_errors(
    metric: Metric,
    y: np.ndarray,
    oof: np.ndarray,
    *,
    score: Score,
    folds: Folds,
    blocks: np.ndarray | None,
    test_blocks: np.ndarray | None,
    test_rows: int,
) -> Errors:
    """Return the standard errors due to the sampling of rows.

    Rows of one block are dependent. The strength of the dependence is estimated on train, from the standard errors with
    and without blocks (the design effect), and applied to the sizes of the blocks in test.

    Parameters
    ----------
    metric : Metric
    y : (n,) or (n, targets)
    oof : (n, k) float
        NaN in rows without a prediction.
    score : Score
        Of ``oof``, its standard error by blocks.
    folds : Folds
    blocks : (n,) or None
        The group or block of time of each row of train; None where rows are independent.
    test_blocks : (m,) or None
        The same for test; None if rows are independent, or the blocks are unknown.
    test_rows : int
        m.

    Returns
    -------
    Errors

    References
    ----------
    Kish, "Survey Sampling" (1965): the design effect. Nadeau and Bengio, "Inference for the generalization error"
    (2003), doi:10.1023/A:1024068626366: the variance of cross-validation must count the training rows, which folds
    share. Bates, Hastie and Tibshirani, "Cross-validation: what does it estimate and how well does it do it?" (2023),
    arXiv:2104.00673. Pickands, "Statistical inference using extreme order statistics" (1975): the generalized Pareto
    distribution of great losses.
    """
    predicted = ~np.isnan(oof).any(axis=1)
    rows, given = y[predicted], output(metric, oof[predicted])
    groups = np.arange(len(rows)) if blocks is None else np.unique(blocks[predicted], return_inverse=True)[1]
    sizes = np.bincount(groups)
    test_sizes = sizes if test_blocks is None else np.unique(test_blocks, return_counts=True)[1]
    units = max(1.0, test_rows / float(test_sizes.mean()))
    train = test = score.standard_error
    if metric.losses is None and (metric.quantile or units < _FEW_UNITS):
        train, test = _resampled_errors(metric, rows, given, groups, score, units)
    elif math.isfinite(train):
        by_row = train if blocks is None else evaluate(metric, y, oof).standard_error
        design = _design_effect(sizes, test_sizes, (train / by_row) ** 2 if by_row > 0 else 1.0)
        test = by_row * math.sqrt(len(rows) * design / test_rows)
    tail = _tail_factor(metric, rows, given, len(rows) + test_rows)
    return Errors(
        train=train * tail, test=test * tail, models=train * tail * math.sqrt(_training_share(folds)), units=len(sizes)
    )


def _resampled_errors(
    metric: Metric, y: np.ndarray, given: np.ndarray, groups: np.ndarray, score: Score, units: float
) -> tuple[float, float]:
    """The standard errors in samples as large as train and test: for few or tied rows they do not scale with 1/√n."""

    def statistic(rows: np.ndarray) -> float:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return float(metric.function(y[rows], given[rows]))
        except ValueError:  # as the AUC of one class
            return math.nan

    test = bootstrap_standard_error(statistic, groups, size=math.ceil(units))
    train = bootstrap_standard_error(statistic, groups) if metric.quantile else score.standard_error
    if train + test == 0:
        return score.standard_error, score.standard_error
    if test == 0 and not metric.quantile:  # a perfect score, or samples as small as test have no score of their own
        alike = statistic(np.flatnonzero(groups < math.ceil(units))) == score.value
        return train, train * math.sqrt(max(1.0, (groups.max() + 1) / units)) if alike else math.nan
    return train, test


def _design_effect(sizes: np.ndarray, test_sizes: np.ndarray, effect: float) -> float:
    """The design effect in test: the variance of its score relative to that of as many independent rows."""
    size, test_size = ((sizes_**2).sum() / sizes_.sum() for sizes_ in (sizes, test_sizes))  # of a row's block
    correlation = (effect - 1) / (size - 1) if size > 1 else 0.0
    return float(1 + max(correlation, 0.0) * (test_size - 1))


def _training_share(folds: Folds) -> float:
    """The variance due to the choice of training rows, relative to the variance of the score."""
    return _TRAINING_SHARE if len(folds.valid) > 1 else 0.0


def _tail_factor(metric: Metric, y: np.ndarray, given: np.ndarray, rows: int) -> float:
    """The standard deviation of losses in a larger sample relative to this one, which may lack rare large losses.

    The tail of the losses is assumed to follow the generalized Pareto distribution that is fitted to the largest ones.
    """
    if metric.losses is None or metric.needs in ("label", "ranking"):
        return 1.0
    losses = np.sort(metric.losses(y, given))[::-1]
    tail = max(int(_TAIL * len(losses)), min(_MIN_IN_TAIL, len(losses) // 5))
    excess = losses[:tail] - losses[min(tail, len(losses) - 1)]
    if tail < 5 or excess[-1] <= 0 or losses.std() == 0:
        return 1.0
    shape, _, scale = stats.genpareto.fit(excess[:: 1 + tail // _MAX_IN_TAIL], floc=0)
    count = math.ceil(tail * rows / len(losses))
    expected = losses[tail] + stats.genpareto.ppf((np.arange(count) + 0.5) / count, min(shape, _MAX_SHAPE), scale=scale)
    share = tail / len(losses)
    mean = (1 - share) * losses[tail:].mean() + share * expected.mean()
    squares = (1 - share) * ((losses[tail:] - mean) ** 2).mean() + share * ((expected - mean) ** 2).mean()
    return max(1.0, math.sqrt(float(squares)) / float(losses.std()))
