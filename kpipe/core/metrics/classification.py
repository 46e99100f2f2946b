"""Metrics of labels and of class probabilities.

References
----------
Kaggle's pages: multi-class log loss with its clipping and rescaling,
https://www.kaggle.com/competitions/otto-group-product-classification-challenge/overview/evaluation; quadratic weighted
kappa, https://www.kaggle.com/competitions/playground-series-s3e5/overview/evaluation; Matthews correlation,
https://www.kaggle.com/competitions/playground-series-s4e8/overview/evaluation; normalized Gini,
https://www.kaggle.com/competitions/porto-seguro-safe-driver-prediction/overview/evaluation. The others are
scikit-learn's, which Kaggle's metric notebooks call, or equal to them to the last digit.
"""

from __future__ import annotations

import numpy as np
from sklearn import metrics as skm

from kpipe.core.metrics.confusion import balanced_accuracy, f1, matthews, quadratic_kappa
from kpipe.core.metrics.metric import Function, Metric, mean
from kpipe.core.statistics import misranked_shares

__all__ = ["METRICS"]

_SMALLEST_PROBABILITY = 1e-15  # Kaggle's page for the multi-class log loss clips at 10^-15


def _hits(y: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return (y == labels).astype(float)


def _log_losses(y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    clipped = np.clip(probabilities, _SMALLEST_PROBABILITY, None)
    rows = np.arange(len(y))
    return np.log(clipped.sum(axis=1)) - np.log(clipped[rows, y.astype(int)])


def _auc(y: np.ndarray, probabilities: np.ndarray) -> float:
    """The AUC of the second of two classes, or the mean over more classes of each against the others."""
    if len(np.unique(y)) < probabilities.shape[1]:
        raise ValueError("the AUC of a class without rows is not defined")
    if probabilities.shape[1] == 2:
        return float(skm.roc_auc_score(y, probabilities[:, 1]))
    # Not scikit-learn's multi_class="ovr", which refuses rows that do not sum to 1, as rounded ones do.
    return float(np.mean([skm.roc_auc_score(y == code, values) for code, values in enumerate(probabilities.T)]))


def _auc_influences(y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(n,) DeLong, DeLong and Clarke-Pearson (1988): the share of the other class that a row ranks correctly.

    With groups, sums over their rows give the standard error of Obuchowski (1997).
    """
    classes = probabilities.shape[1]
    scored = (1,) if classes == 2 else range(classes)
    return np.asarray(np.mean([_binary_influences(y == code, probabilities[:, code]) for code in scored], axis=0))


def _binary_influences(positive: np.ndarray, values: np.ndarray) -> np.ndarray:
    rows, ones = len(values), int(positive.sum())
    if ones in (0, rows):
        return np.zeros(rows)
    wrong = misranked_shares(values, positive)
    of_ones = np.flatnonzero(positive)
    influences = np.subtract(wrong[of_ones].mean(), wrong, out=wrong)  # in place: new memory takes most of the time
    for some, weight in ((of_ones, rows / ones), (np.flatnonzero(~positive), rows / (rows - ones))):
        influences[some] *= weight
    return influences


def _gini(y: np.ndarray, probabilities: np.ndarray) -> float:
    return 2 * _auc(y, probabilities) - 1


def _average_precision(y: np.ndarray, probabilities: np.ndarray) -> float:
    """The average precision of the second of two classes, or the mean over more classes."""
    classes = probabilities.shape[1]
    if len(np.unique(y)) < classes:
        raise ValueError("the average precision of a class without rows is not defined")
    each = [skm.average_precision_score(y == code, probabilities[:, code]) for code in range(classes)]
    return float(each[1] if classes == 2 else np.mean(each))


def _f1(average: str) -> Function:
    return lambda y, labels: f1(y, labels, average=average)


METRICS = (
    Metric(
        name="accuracy",
        function=mean(_hits),
        losses=_hits,
        needs="label",
        greater_is_better=True,
        aliases=("acc", "categorization_accuracy", "multiclass_accuracy"),
    ),
    Metric(
        name="balanced_accuracy",
        function=balanced_accuracy,
        needs="label",
        greater_is_better=True,
        thresholds=True,
    ),
    Metric(
        name="f1",
        function=_f1("binary"),
        needs="label",
        greater_is_better=True,
        thresholds=True,
        aliases=("f_score", "f1_binary"),
    ),
    Metric(
        name="f1_macro",
        function=_f1("macro"),
        needs="label",
        greater_is_better=True,
        thresholds=True,
        aliases=("macro_f1", "macro_f_score", "macro_f1_score"),
    ),
    Metric(
        name="f1_micro",
        function=_f1("micro"),
        needs="label",
        greater_is_better=True,
        aliases=("micro_f1", "mean_f1", "mean_f_score"),
    ),
    Metric(
        name="f1_weighted",
        function=_f1("weighted"),
        needs="label",
        greater_is_better=True,
        thresholds=True,
        aliases=("weighted_f1",),
    ),
    Metric(
        name="mcc",
        function=matthews,
        needs="label",
        greater_is_better=True,
        thresholds=True,
        aliases=("matthews_correlation_coefficient",),
    ),
    Metric(
        name="qwk",
        function=quadratic_kappa,
        needs="label",
        greater_is_better=True,
        ordinal=True,
        aliases=("quadratic_weighted_kappa", "quadratic_kappa"),
    ),
    Metric(
        name="log_loss",
        function=mean(_log_losses),
        losses=_log_losses,
        needs="probability",
        greater_is_better=False,
        aliases=(
            "logloss",
            "logarithmic_loss",
            "cross_entropy",
            "mean_log_loss",
            "multiclass_loss",
            "multi_class_loss",
            "multiclass_logloss",
            "multiclass_log_loss",
            "multi_class_log_loss",
        ),
    ),
    Metric(
        name="auc",
        function=_auc,
        influences=_auc_influences,
        needs="probability",
        order_only=True,
        greater_is_better=True,
        aliases=(
            "auroc",
            "roc_auc",
            "auc_roc",
            "roc_auc_ovr",
            "mean_auc",
            "area_under_roc_curve",
            "area_under_the_roc_curve",
            "area_under_receiver_operating_characteristic_curve",
        ),
    ),
    Metric(
        name="gini",
        function=_gini,
        influences=lambda y, probabilities: 2 * _auc_influences(y, probabilities),
        needs="probability",
        order_only=True,
        greater_is_better=True,
        aliases=("normalized_gini", "normalized_gini_coefficient"),
    ),
    Metric(
        name="average_precision",
        function=_average_precision,
        needs="probability",
        order_only=True,
        greater_is_better=True,
    ),
)
