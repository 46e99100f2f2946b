"""Covariate shift: how much harder or easier test rows are than train rows, estimated from their columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from kpipe.core.metrics import Metric, output
from kpipe.data.column_types import is_free_text, is_pixel_table, to_codes

__all__ = ["Shift", "estimate_shift"]

_ROWS = 8_000  # of each table, at most: a tenth of a second per fold
_MAX_COLUMNS = 100
_MIN_ROWS = 100
_FOLDS = 5
_MISSING = -1e300  # stands for missing values: the boosters refuse columns without any value in a fold
_MAX_CLASSES = 50
_CLIPPED = 0.99  # quantile at which losses are clipped, so that the model does not fit single outliers
_WEIGHTS = 0.1, 10.0


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A correction of the score for covariate shift.

    Attributes
    ----------
    amount : float
        In units of the score, to be added.
    standard_error : float
    method : str
        How it was estimated, or why it was not.
    """

    amount: float = 0.0
    standard_error: float = 0.0
    method: str


def estimate_shift(
    metric: Metric,
    y: np.ndarray,
    oof: np.ndarray,
    X: pd.DataFrame,
    X_test: pd.DataFrame,
    *,
    score: float,
    standard_error: float,
    blocks: np.ndarray | None = None,
) -> Shift:
    """Estimate by how much the score changes on rows distributed like those of test.

    If the metric is a mean over rows, a small model learns the loss of a row from its columns; for probabilities, it
    learns the loss that they imply themselves. It predicts the losses of test and, out of fold, those of train. This is
    the difference of confidences, as far as columns explain it. The confidences of the test predictions themselves are
    less useful, because the mean over the folds' models is less confident than each of them. For other metrics, train's
    rows get importance weights from a classifier of train and test.

    Either estimate is shrunk towards 0 by its own standard error, so that noise does not widen the interval.

    Parameters
    ----------
    metric : Metric
    y : (n,) or (n, targets)
    oof : (n, k) float
        The final predictions; NaN in rows without one.
    X, X_test : DataFrame (n, columns), (m, columns)
        The columns that models may use.
    score, standard_error : float
        Of ``oof``.
    blocks : (n,), optional
        The group or block of time of each row: the small model is cross-validated by block.

    Returns
    -------
    Shift

    References
    ----------
    Guillory, Shankar, Ebrahimi, Darrell and Schmidt, "Predicting with confidence on unseen distributions" (2021),
    arXiv:2107.03315: the difference of confidences. Garg, Balakrishnan, Lipton, Neyshabur and Sedghi, "Leveraging
    unlabeled data to predict out-of-distribution performance" (2022), arXiv:2201.04234. Shimodaira, "Improving
    predictive inference under covariate shift by weighting the log-likelihood function" (2000): importance weights.
    Cassel, Särndal and Wretman, "Some results on generalized difference estimation and generalized regression
    estimation for finite populations" (1976): correcting a mean by a model of what it is taken over.
    """
    rows = np.flatnonzero(~np.isnan(oof).any(axis=1))
    if reason := _why_not(X, X_test, rows):
        return Shift(method=reason)
    rng = np.random.default_rng(0)
    predicted, rows = len(rows), np.sort(rng.permutation(rows)[:_ROWS])
    tested = np.sort(rng.permutation(len(X_test))[:_ROWS])
    known = [name for name in X if not is_free_text(X[name])]
    both = to_codes(pd.concat([X.iloc[rows][known], X_test.iloc[tested][known]])).fillna(_MISSING).to_numpy()
    table, test_table = both[: len(rows)], both[len(rows) :]
    groups = np.arange(len(rows)) if blocks is None else np.unique(blocks[rows], return_inverse=True)[1]
    if len(np.unique(groups)) < _FOLDS:
        return Shift(method=f"none: fewer than {_FOLDS} independent blocks of rows")
    with threadpool_limits(1):
        if metric.losses is not None:
            return _by_losses(metric, y[rows], oof[rows], table, test_table, groups, score)
        return _by_weights(
            metric, y[rows], oof[rows], table, test_table, groups, standard_error * np.sqrt(predicted / len(rows))
        )


def _why_not(X: pd.DataFrame, X_test: pd.DataFrame, rows: np.ndarray) -> str:
    if min(len(rows), len(X_test)) < _MIN_ROWS:
        return f"none: fewer than {_MIN_ROWS} rows"
    if is_pixel_table(X) or len(X.columns) > _MAX_COLUMNS:
        return f"none: pictures, or more than {_MAX_COLUMNS} columns"
    if all(is_free_text(X[name]) for name in X):
        return "none: no columns other than texts"
    return ""


def _by_losses(
    metric: Metric,
    y: np.ndarray,
    oof: np.ndarray,
    table: np.ndarray,
    test_table: np.ndarray,
    groups: np.ndarray,
    score: float,
) -> Shift:
    """The difference of the mean losses that a small model predicts for test and, out of fold, for train."""
    assert metric.losses is not None  # the caller ensures it
    losses = metric.losses(y, output(metric, oof))
    expected = _expected_losses(metric, y, oof)
    learned = np.minimum(losses if expected is None else expected, np.quantile(losses, _CLIPPED))
    own, theirs = np.zeros(len(y)), np.zeros(len(test_table))
    for fitted, held_out in GroupKFold(_FOLDS).split(table, groups=groups):
        model = HistGradientBoostingRegressor(
            max_iter=50, max_leaf_nodes=8, min_samples_leaf=20, early_stopping=False, random_state=0
        ).fit(table[fitted], learned[fitted])
        own[held_out] = model.predict(table[held_out])
        theirs += model.predict(test_table) / _FOLDS
    slope, error = _slope(own, losses, groups)
    difference = theirs.mean() - own.mean()
    amount, deviation = slope * difference, error * abs(difference)
    if metric.root:  # from the mean of the losses to its root
        moved = np.sqrt(max(losses.mean() + amount, 0.0)) - np.sqrt(losses.mean())
        deviation, amount = deviation / max(2 * score, 1e-300), moved
    how = "losses" if expected is None else "confidences"
    return Shift(amount=float(amount), standard_error=float(deviation), method=f"a model of the rows' {how}")


def _expected_losses(metric: Metric, y: np.ndarray, oof: np.ndarray) -> np.ndarray | None:
    """(n,) the losses implied by the predicted probabilities; None for values and for several targets."""
    if metric.task == "regression" or y.ndim > 1 or not 2 <= oof.shape[1] <= _MAX_CLASSES:
        return None
    assert metric.losses is not None
    given, probabilities = output(metric, oof), oof / oof.sum(axis=1, keepdims=True)
    each = [metric.losses(np.full(len(y), code), given) for code in range(oof.shape[1])]
    return np.asarray((probabilities * np.column_stack(each)).sum(axis=1))


def _slope(predicted: np.ndarray, losses: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """The slope of losses on predicted losses, shrunk by its error, between 0 and 1; and that error."""
    centred = predicted - predicted.mean()
    size = float((centred**2).sum())
    if size <= 1e-18 * len(predicted):
        return 0.0, 0.0
    slope = float((centred * losses).sum()) / size
    residuals = losses - losses.mean() - slope * centred
    error = float(np.sqrt((np.bincount(groups, weights=centred * residuals) ** 2).sum())) / size
    return _shrunk(slope, error), min(error, 1.0)


def _shrunk(value: float, error: float) -> float:
    """James and Stein's positive part, and at most 1."""
    return min(value * max(0.0, 1 - (error / value) ** 2), 1.0) if value > 0 else 0.0


def _by_weights(
    metric: Metric,
    y: np.ndarray,
    oof: np.ndarray,
    table: np.ndarray,
    test_table: np.ndarray,
    groups: np.ndarray,
    standard_error: float,
) -> Shift:
    """The change of the score if rows of train are weighted by their odds of being rows of test."""
    odds = _test_odds(table, test_table, groups)
    weights = np.clip(odds / odds.mean(), *_WEIGHTS)
    weights /= weights.mean()
    given = output(metric, oof)
    drawn = np.repeat(
        np.arange(len(y)), np.diff(np.floor(np.concatenate([[0], np.cumsum(2 * weights)]) + 0.5).astype(int))
    )
    try:
        difference = metric.function(y[drawn], given[drawn]) - metric.function(y, given)
    except ValueError:  # as the AUC of one class
        return Shift(method="none: the sampled rows lack a class")
    if not np.isfinite(difference):
        return Shift(method="none: the metric is not defined for the sampled rows")
    error = standard_error * float(np.std(weights))
    share = max(0.0, 1 - (error / difference) ** 2) if difference else 0.0
    return Shift(
        amount=float(share * difference),
        standard_error=float(share * error),
        method="importance weights",
    )


def _test_odds(table: np.ndarray, test_table: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(n,) out-of-fold odds of being a row of test, for rows of train."""
    odds = np.ones(len(table))
    parts = GroupKFold(_FOLDS, shuffle=True, random_state=0).split(table, groups=groups)
    test_parts = np.array_split(np.random.default_rng(0).permutation(len(test_table)), _FOLDS)
    for (fitted, held_out), left_out in zip(parts, test_parts, strict=True):
        theirs = np.delete(test_table, left_out, axis=0)
        model = HistGradientBoostingClassifier(
            max_iter=30, max_leaf_nodes=4, min_samples_leaf=40, early_stopping=False, random_state=0
        ).fit(np.concatenate([table[fitted], theirs]), np.repeat([0, 1], [len(fitted), len(theirs)]))
        probability = model.predict_proba(table[held_out])[:, 1]
        odds[held_out] = probability / (1 - probability) * len(fitted) / len(theirs)
    return odds
