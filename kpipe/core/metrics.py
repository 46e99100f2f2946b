"""Kaggle's metrics under one name each: the function, its direction, and what it wants of a model.

``evaluate`` never gives a score without its standard error and its number of rows.

Every metric takes ``y`` (n,), codes 0..k-1 or values, and the models' output: probabilities (n, k), or values (n,).
Over several targets (``over_targets``) both are (n, targets), and the score is the mean over the columns.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

import numpy as np
from sklearn import metrics as skm

from kpipe.core.values import Loss, Score, Task
from kpipe.errors import DataError, UsageError

__all__ = [
    "METRICS",
    "Metric",
    "check_domain",
    "evaluate",
    "gain_over",
    "get_metric",
    "ordinal",
    "output",
    "over_targets",
]

Array = np.ndarray
Needs = Literal["label", "probability", "ranking", "value"]

_BOOTSTRAP_RESAMPLES = 200  # a standard error from 200 resamples is itself good to about 5 % (1 / sqrt(2 * 200))
_MANY_GROUPS, _BLOCKS = 20_000, 50  # blocks of at least 400 rows: large enough for an AUC or a median of their own
_SMALLEST_PROBABILITY = 1e-15  # Kaggle's page for the multi-class logarithmic loss clips at 10^-15


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric and what must be known to train, judge and submit for it.

    function : (y, output) → the score, output as ``needs`` says: labels (n,), probabilities (n, k) or values (n,).
    needs : "label", "probability" and "ranking" (the likeliest labels, best first, judged by their probabilities) are
        for classification, "value" for regression.
    losses : (y, output) → (n,) whose mean is the score (with ``root``: the square of the score); None where the metric
        is no mean over rows: its standard error is then bootstrapped.
    root : the score is the square root of the mean.
    log_target : models learn the logarithm of the target, on which this metric is a squared error.
    domain : the smallest value that the metric is defined for, or None.
    loss : what a regression makes small, so that its values are good by this metric.
    thresholds : labels are better chosen by fitted thresholds than as the likeliest ones.
    window : values are moved to where most of the truth lies near them (see ``kpipe.training.thresholds``).
    ordinal : classes are steps of a scale: one regression on their codes learns them, cut points make labels of it.
    top : how many labels a ranking holds.
    single : the metric of one target, where this one is the mean over several.
    """

    name: str
    function: Callable[[Array, Array], float]
    greater_is_better: bool
    needs: Needs
    losses: Callable[[Array, Array], Array] | None = None
    root: bool = False
    log_target: bool = False
    domain: float | None = None
    loss: Loss = "squared"
    thresholds: bool = False
    window: bool = False
    ordinal: bool = False
    top: int = 1
    single: Metric | None = None

    @property
    def task(self) -> Task:
        return "regression" if self.needs == "value" else "classification"

    def better(self, a: float, b: float) -> bool:
        """Whether score a is better than score b."""
        return a > b if self.greater_is_better else a < b


def output(metric: Metric, predictions: Array) -> Array:
    """What the metric judges, from what models give: (n, k) → labels (n,), probabilities (n, k) or values (n,).

    Of several targets: 0 and 1 where labels are judged, else the predictions as they are, (n, targets).
    """
    if metric.single is not None:
        return (predictions >= 0.5).astype(np.int64) if metric.needs == "label" else predictions
    if metric.needs == "label":
        return predictions.argmax(axis=1)
    return predictions[:, 0] if metric.needs == "value" else predictions


def over_targets(metric: Metric, targets: int) -> Metric:
    """The mean of a metric over several target columns; classes are 0 and 1, their predictions the probability of 1.

    >>> both = over_targets(get_metric("mae"), 2)
    >>> both.function(np.array([[0.0, 10.0]]), np.array([[1.0, 13.0]]))
    2.0
    """

    def judged(predicted: Array) -> Array:
        return np.column_stack([1 - predicted, predicted]) if metric.needs == "probability" else predicted

    def function(y: Array, predicted: Array) -> float:
        return float(np.mean([metric.function(y[:, j], judged(predicted[:, j])) for j in range(targets)]))

    def losses(y: Array, predicted: Array) -> Array:
        assert metric.losses is not None
        return np.mean([metric.losses(y[:, j], judged(predicted[:, j])) for j in range(targets)], axis=0)

    rows = losses if metric.losses is not None and not metric.root else None
    return replace(metric, function=function, losses=rows, root=False, ordinal=False, single=metric)


def ordinal(metric: Metric, labels: Array | None) -> bool:
    """Whether the metric's classes are steps of a scale: numbers, more than two."""
    return metric.ordinal and labels is not None and len(labels) > 2 and labels.dtype.kind in "iuf"


def evaluate(
    metric: Metric,
    y: Array,
    predictions: Array,
    *,
    folds: Sequence[Array] = (),
    groups: Array | None = None,
) -> Score:
    """The score of predictions (n, k), with its standard error; rows without a prediction (NaN) are not counted.

    folds : row positions of each fold, for the scores fold by fold.
    groups : (n,) of labels; rows of one group stand and fall together in the standard error.
    Raises DataError where the metric is not defined for y (the logarithm of a negative target, F1 of three classes).
    """
    scored = ~np.isnan(predictions).any(axis=1)
    check_domain(metric, y[scored])
    part_of = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    try:
        value = _quietly(metric, y[scored], output(metric, predictions[scored]))
    except ValueError as error:
        raise DataError(f"{metric.name} is not defined for this target: {error}. Choose another --metric.") from error
    spread = _standard_error(metric, y[scored], output(metric, predictions[scored]), part_of[scored])
    by_fold = tuple(_or_unknown(metric, y[rows], output(metric, predictions[rows])) for rows in folds)
    return Score(value=value, standard_error=spread, rows=int(scored.sum()), folds=by_fold)


def gain_over(metric: Metric, ours: Score, theirs: Score) -> tuple[float, float]:
    """By how much our score is better than theirs (worse: below 0), and the standard error of that gap.

    Errors are added as of independent scores; one that is not known counts as none.
    """
    gain = (ours.value - theirs.value) * (1 if metric.greater_is_better else -1)
    return gain, float(np.hypot(np.nan_to_num(ours.standard_error), np.nan_to_num(theirs.standard_error)))


def get_metric(name: str | Metric) -> Metric:
    """The metric of a name, however written (``"RMSLE"``, ``"log loss"``), or of Kaggle's or scikit-learn's longer one.

    Raises UsageError with a near miss.

    >>> get_metric("Log Loss").name, get_metric("Root Mean Squared Error").name, get_metric("MAP@5").name
    ('log_loss', 'rmse', 'map@5')
    """
    if isinstance(name, Metric):
        return name
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", re.sub(r"\(.*?\)", "", name).strip())
    key = re.sub(r"[\s_-]+", "_", spaced.strip().lower())
    ranked = re.fullmatch(r"(?:mean_average_precision|map)_?@?_?(\d{1,3})", key)
    if ranked and int(ranked[1]):
        return _map_at(int(ranked[1]))
    plain = re.sub(r"^neg_|^(mean_)?column_?wise_|_score$", "", key)
    for known in (key, plain, _ALIASES.get(key, ""), _ALIASES.get(plain, "")):
        if known in METRICS:
            return METRICS[known]
    close = get_close_matches(key, [*METRICS, *_ALIASES], n=1)
    hint = f" Did you mean {_ALIASES.get(close[0], close[0])}?" if close else ""
    raise UsageError(f"There is no metric {name!r}.{hint} The metrics are: {', '.join(METRICS)}.")


def check_domain(metric: Metric, y: Array) -> None:
    """Raise DataError where a metric is not defined for a target: the logarithm of a negative number."""
    if metric.domain is not None and len(y) and y.min() < metric.domain:
        raise DataError(
            f"{metric.name} needs targets of at least {metric.domain:g}, however: {y.min():g}. Choose another --metric."
        )


def _quietly(metric: Metric, y: Array, judged: Array) -> float:
    # scikit-learn warns of classes without a row, in folds and in each of 200 resamples; the score says enough.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(metric.function(y, judged))


def _or_unknown(metric: Metric, y: Array, judged: Array) -> float:
    """The metric; NaN where it is not defined, as the AUC of a fold in which only one class stands: unknown, not 0."""
    try:
        return _quietly(metric, y, judged)
    except ValueError:
        return float("nan")


def _standard_error(metric: Metric, y: Array, predicted: Array, groups: Array) -> float:
    if len(np.unique(groups)) < 2:
        return float("nan")
    if metric.losses is None:
        return _resampled(metric, y, predicted, groups)
    losses = metric.losses(y, predicted)
    mean = losses.mean()
    if metric.needs == "label" and mean in (0, 1):
        return _error_of_certainty(len(np.unique(groups)))
    error = _cluster_error(losses - mean, groups)
    # Delta method: the standard error of sqrt(mean) is that of the mean over 2 sqrt(mean).
    return error / (2 * float(np.sqrt(mean))) if metric.root and mean > 0 else error


def _cluster_error(residuals: Array, groups: Array) -> float:
    """Standard error of a mean whose rows come in groups (Liang and Zeger 1986; for groups of one, s / sqrt(n))."""
    sums = np.bincount(groups, weights=residuals)[np.unique(groups)]
    clusters = len(sums)
    return float(np.sqrt((sums**2).sum() * clusters / (clusters - 1)) / len(residuals))


def _error_of_certainty(rows: int) -> float:
    """Standard error of a share that is 0 or 1, which is not 0 (Agresti and Coull 1998: two more rows of each)."""
    share = 2 / (rows + 4)
    return float(np.sqrt(share * (1 - share) / (rows + 4)))


def _resampled(metric: Metric, y: Array, predicted: Array, groups: Array) -> float:
    """Standard error of a metric that is no mean, from seeded draws of groups.

    The deviation over bootstrap resamples (Efron 1979). Of many groups, the deviation over disjoint blocks of them,
    over the root of their number: that is one pass over the rows, where 200 resamples of 300,000 rows take minutes.
    """
    rng = np.random.default_rng(0)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    count = len(members)
    if count > _MANY_GROUPS:
        draws, scale = np.array_split(rng.permutation(count), _BLOCKS), _BLOCKS**-0.5
    else:
        draws, scale = [rng.integers(count, size=count) for _ in range(_BOOTSTRAP_RESAMPLES)], 1.0
    scores = []
    for drawn in draws:
        rows = order[drawn] if count == len(y) else np.concatenate([members[i] for i in drawn])
        score = _or_unknown(metric, y[rows], predicted[rows])
        if np.isfinite(score):  # a draw of one class has no AUC
            scores.append(score)
    if len(scores) < 2:
        return float("nan")
    spread = float(np.std(scores, ddof=1)) * scale
    return _error_of_certainty(count) if spread == 0 and metric.task == "classification" else spread


def _accuracy_losses(y: Array, labels: Array) -> Array:
    return (y == labels).astype(float)


def _log_losses(y: Array, probabilities: Array) -> Array:
    clipped = np.clip(probabilities, _SMALLEST_PROBABILITY, None)
    rows = np.arange(len(y))
    return np.log(clipped.sum(axis=1)) - np.log(clipped[rows, y.astype(int)])


def _auc(y: Array, probabilities: Array) -> float:
    if len(np.unique(y)) < probabilities.shape[1]:
        raise ValueError("the AUC of a class without a row is not defined")
    if probabilities.shape[1] == 2:
        return float(skm.roc_auc_score(y, probabilities[:, 1]))
    return float(skm.roc_auc_score(y, probabilities, multi_class="ovr", labels=range(probabilities.shape[1])))


def _average_precision(y: Array, probabilities: Array) -> float:
    """Of the second of two classes, or the mean over more."""
    classes = probabilities.shape[1]
    if len(np.unique(y)) < classes:
        raise ValueError("the average precision of a class without a row is not defined")
    each = [skm.average_precision_score(y == code, probabilities[:, code]) for code in range(classes)]
    return float(each[1] if classes == 2 else np.mean(each))


def _f1(average: str) -> Callable[[Array, Array], float]:
    return lambda y, labels: float(skm.f1_score(y, labels, average=average, zero_division=0))


def _kappa(y: Array, labels: Array) -> float:
    return float(skm.cohen_kappa_score(y, labels, weights="quadratic"))


def _log1p_losses(y: Array, values: Array) -> Array:
    return (np.log1p(np.clip(values, 0, None)) - np.log1p(y)) ** 2


def _log_losses_of_values(y: Array, values: Array) -> Array:
    # At least 1, as the house-price chapter of "Dive into Deep Learning" clamps: the logarithm of 0 is no error.
    return (np.log(np.clip(values, 1, None)) - np.log(y)) ** 2


def _squared(y: Array, values: Array) -> Array:
    return (values - y) ** 2


def _absolute(y: Array, values: Array) -> Array:
    return np.abs(values - y)


def _root_mean(losses: Callable[[Array, Array], Array]) -> Callable[[Array, Array], float]:
    return lambda y, values: float(np.sqrt(losses(y, values).mean()))


def _mean(losses: Callable[[Array, Array], Array]) -> Callable[[Array, Array], float]:
    return lambda y, output: float(losses(y, output).mean())


def _shares_of_size(y: Array, values: Array) -> Array:
    # As scikit-learn does: a target of 0 divides by the smallest float that differs from 1, which is loud.
    return np.abs(values - y) / np.maximum(np.abs(y), np.finfo(float).eps)


def _shares_of_both(y: Array, values: Array) -> Array:
    both = (np.abs(y) + np.abs(values)) / 2
    # Kaggle's page for SMAPE: 0 where both are 0.
    return np.divide(np.abs(values - y), both, out=np.zeros(len(y)), where=both > 0)


def _precision_at(top: int) -> Callable[[Array, Array], Array]:
    def losses(y: Array, probabilities: Array) -> Array:
        of_truth = np.take_along_axis(probabilities, y.astype(int)[:, None], axis=1)
        rank = (probabilities > of_truth).sum(axis=1) + 1
        return np.where(rank <= top, 1 / rank, 0.0)

    return losses


def _map_at(top: int) -> Metric:
    """Mean average precision of the ``top`` likeliest labels, one of which is right: 1 over its rank."""
    return _of_rows(f"map@{top}", _precision_at(top), "ranking", greater_is_better=True, top=top)


def _of_rows(
    name: str, losses: Callable[[Array, Array], Array], needs: Needs, *, root: bool = False, **more: object
) -> Metric:
    function = _root_mean(losses) if root else _mean(losses)
    better = bool(more.pop("greater_is_better", False))
    return Metric(name=name, function=function, needs=needs, losses=losses, root=root, greater_is_better=better, **more)  # type: ignore[arg-type]  # the entries below are checked by a test over METRICS


def _whole(
    name: str, function: Callable[[Array, Array], float], needs: Needs, *, greater: bool, **more: object
) -> Metric:
    return Metric(name=name, function=function, needs=needs, greater_is_better=greater, **more)  # type: ignore[arg-type]  # likewise


_ALL = [
    _of_rows("accuracy", _accuracy_losses, "label", greater_is_better=True),
    _whole("balanced_accuracy", skm.balanced_accuracy_score, "label", greater=True, thresholds=True),
    _whole("f1", _f1("binary"), "label", greater=True, thresholds=True),
    _whole("f1_macro", _f1("macro"), "label", greater=True, thresholds=True),
    _whole("f1_micro", _f1("micro"), "label", greater=True),
    _whole("f1_weighted", _f1("weighted"), "label", greater=True, thresholds=True),
    _whole("mcc", skm.matthews_corrcoef, "label", greater=True, thresholds=True),
    _whole("qwk", _kappa, "label", greater=True, ordinal=True),
    _of_rows("log_loss", _log_losses, "probability"),
    _whole("auc", _auc, "probability", greater=True),
    _whole("gini", lambda y, p: 2 * _auc(y, p) - 1, "probability", greater=True),
    _whole("average_precision", _average_precision, "probability", greater=True),
    _of_rows("rmse", _squared, "value", root=True),
    _of_rows("rmsle", _log1p_losses, "value", root=True, log_target=True, domain=0.0),
    _of_rows("log_rmse", _log_losses_of_values, "value", root=True, log_target=True, domain=1.0),
    _of_rows("mse", _squared, "value"),
    _of_rows("mae", _absolute, "value", loss="absolute"),
    _whole("median_ae", skm.median_absolute_error, "value", greater=False, loss="absolute", window=True),
    _of_rows("mape", _shares_of_size, "value", loss="absolute", log_target=True),
    _of_rows("smape", _shares_of_both, "value", loss="absolute", log_target=True),
    _whole("r2", skm.r2_score, "value", greater=True),
    *(_map_at(top) for top in (3, 5)),
]
METRICS = {metric.name: metric for metric in _ALL}
# What Kaggle's pages, scikit-learn and AutoGluon call them.
_ALIASES = {
    "acc": "accuracy",
    "auc_roc": "auc",
    "area_under_roc_curve": "auc",
    "multi_class_loss": "log_loss",
    "logarithmic_loss": "log_loss",
    "multiclass_loss": "log_loss",
    "macro_f_score": "f1_macro",
    "macro_f1_score": "f1_macro",
    "weighted_f1": "f1_weighted",
    "f_score": "f1",
    "mean_f_score": "f1_micro",
    "root_mean_square_error": "rmse",
    "mean_squared_error": "mse",
    "r^2": "r2",
    "normalized_gini": "gini",
    "normalized_gini_coefficient": "gini",
    "categorization_accuracy": "accuracy",
    "multiclass_accuracy": "accuracy",
    "roc_auc": "auc",
    "roc_auc_ovr": "auc",
    "auroc": "auc",
    "area_under_the_roc_curve": "auc",
    "area_under_receiver_operating_characteristic_curve": "auc",
    "mean_auc": "auc",
    "logloss": "log_loss",
    "cross_entropy": "log_loss",
    "multi_class_log_loss": "log_loss",
    "multiclass_logloss": "log_loss",
    "multiclass_log_loss": "log_loss",
    "mean_log_loss": "log_loss",
    "f1_binary": "f1",
    "macro_f1": "f1_macro",
    "micro_f1": "f1_micro",
    "mean_f1": "f1_micro",
    "matthews_correlation_coefficient": "mcc",
    "quadratic_weighted_kappa": "qwk",
    "quadratic_kappa": "qwk",
    "root_mean_squared_error": "rmse",
    "mcrmse": "rmse",
    "mean_columnwise_root_mean_squared_error": "rmse",
    "root_mean_squared_log_error": "rmsle",
    "root_mean_squared_logarithmic_error": "rmsle",
    "mean_absolute_error": "mae",
    "median_absolute_error": "median_ae",
    "medae": "median_ae",
    "mean_absolute_percentage_error": "mape",
    "symmetric_mean_absolute_percentage_error": "smape",
    "r2": "r2",
    "r_squared": "r2",
}
