from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as skm

from kpipe.core import statistics
from kpipe.core.metrics import (
    METRICS,
    Metric,
    evaluate,
    gain_over,
    get_metric,
    over_targets,
    paired_standard_error,
)
from kpipe.core.metrics.metric import output
from kpipe.core.values import Score
from kpipe.errors import DataError
from tests.core.metrics.examples import LABELS, PROBABILITIES, example

CLASSES = [name for name, metric in METRICS.items() if metric.task == "classification"]
PREDICTED = PROBABILITIES.argmax(axis=1)


@pytest.mark.parametrize(("name", "noise"), [("accuracy", 1.0), ("rmse", 1.0), ("auc", 1.0), ("median_ae", 1.0)])
def test_the_standard_error_is_the_spread_of_scores_on_new_rows(
    name: str, noise: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_BOOTSTRAP_RESAMPLES", 40)
    metric, rng = METRICS[name], np.random.default_rng(1)

    def draw() -> tuple[float, float]:
        x = rng.normal(size=400)
        if metric.task == "regression":
            score = evaluate(metric, x, (x + rng.normal(scale=noise, size=400))[:, None])
        else:
            p = 1 / (1 + np.exp(-x))
            score = evaluate(metric, (rng.random(400) < p).astype(int), np.column_stack([1 - p, p]))
        return score.value, score.standard_error

    scores, errors = np.array([draw() for _ in range(40)]).T
    assert np.mean(errors) == pytest.approx(np.std(scores), rel=0.35)


def test_blocks_of_many_rows_give_the_error_that_resamples_give(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    p = rng.random(30_000)
    y = (rng.random(30_000) < p).astype(int)
    by_blocks = evaluate(METRICS["balanced_accuracy"], y, np.column_stack([1 - p, p])).standard_error
    monkeypatch.setattr(statistics, "_MANY_GROUPS", 10**9)
    monkeypatch.setattr(statistics, "_BOOTSTRAP_RESAMPLES", 50)
    by_resamples = evaluate(METRICS["balanced_accuracy"], y, np.column_stack([1 - p, p])).standard_error
    assert by_blocks == pytest.approx(by_resamples, rel=0.4)


@pytest.mark.parametrize(("classes", "targets"), [(2, 1), (3, 1), (2, 2)])
@pytest.mark.parametrize("grouped", [False, True])
def test_the_error_of_an_auc_is_that_of_resampled_groups(classes: int, grouped: bool, targets: int) -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(300), 4) if grouped else np.arange(1200)
    if targets == 1:
        signal = rng.normal(size=(1200, classes)) + rng.normal(size=(1200, classes))[group]
        y = (signal + rng.gumbel(size=signal.shape)).argmax(axis=1)
        metric, predictions = METRICS["auc"], np.exp(signal) / np.exp(signal).sum(axis=1, keepdims=True)
    else:
        predictions = rng.random((1200, 2))[group]
        y = (rng.random((1200, 2))[group] < predictions).astype(float)
        y[rng.random((1200, 2)) < 0.2] = np.nan
        metric = over_targets(METRICS["auc"], 2)
    resampled = statistics.bootstrap_standard_error(
        lambda rows: metric.function(y[rows], output(metric, predictions[rows])), group
    )
    assert evaluate(metric, y, predictions, groups=group).standard_error == pytest.approx(resampled, rel=0.2)


def test_a_perfect_score_on_few_rows_is_not_certain() -> None:
    score = evaluate(METRICS["accuracy"], np.array([0, 1] * 10), np.eye(2)[[0, 1] * 10])
    assert score.value == 1
    assert 0.04 < score.standard_error < 0.08


def test_rows_of_one_group_count_as_one_in_the_standard_error() -> None:
    y, predictions = np.tile(LABELS, 4), np.tile(PROBABILITIES, (4, 1))
    alone = evaluate(METRICS["accuracy"], LABELS, PROBABILITIES).standard_error
    naive = evaluate(METRICS["accuracy"], y, predictions).standard_error
    grouped = evaluate(METRICS["accuracy"], y, predictions, groups=np.tile(np.arange(200), 4)).standard_error
    assert naive == pytest.approx(alone / 2, rel=0.01)
    assert grouped == pytest.approx(alone, rel=0.01)


def test_rows_without_a_prediction_are_not_counted() -> None:
    predictions = PROBABILITIES.copy()
    predictions[:50] = np.nan
    score = evaluate(METRICS["accuracy"], LABELS, predictions)
    assert score.rows == 150
    assert score.value == pytest.approx(skm.accuracy_score(LABELS[50:], PREDICTED[50:]))


def test_a_fold_without_predictions_has_no_score_and_a_fold_with_some_that_of_these() -> None:
    predictions = PROBABILITIES.copy()
    predictions[:60] = np.nan
    folds = [np.arange(start, start + 50) for start in (0, 50, 100, 150)]
    for name in ("accuracy", "auc"):
        scores = evaluate(METRICS[name], LABELS, predictions, folds=folds).folds
        whole = evaluate(METRICS[name], LABELS, PROBABILITIES, folds=[np.arange(60, 100), *folds[2:]]).folds
        assert np.isnan(scores[0])
        assert scores[1:] == whole


def test_one_row_has_a_score_and_no_standard_error() -> None:
    score = evaluate(METRICS["mae"], np.array([1.0]), np.array([[3.0]]))
    assert score.value == 2
    assert np.isnan(score.standard_error)


def test_a_negative_target_has_no_logarithm_and_is_refused() -> None:
    with pytest.raises(DataError, match=r"rmsle needs targets of at least 0; got -1"):
        evaluate(METRICS["rmsle"], np.array([1.0, -1.0]), np.ones((2, 1)))


def test_a_metric_that_the_target_does_not_allow_is_refused_and_not_unknown() -> None:
    with pytest.raises(DataError, match=r"f1 is not defined for this target: .*multiclass"):
        evaluate(METRICS["f1"], LABELS, PROBABILITIES)


@pytest.mark.parametrize("name", [name for name in CLASSES if name != "f1"])
def test_a_class_with_few_rows_causes_no_warning_and_has_a_standard_error(name: str) -> None:
    y = np.array([0] * 28 + [1, 2])
    predictions = np.random.default_rng(0).dirichlet([1, 1, 1], size=30)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        score = evaluate(METRICS[name], y, predictions, folds=[np.arange(15), np.arange(15, 30)])
    assert not caught
    assert score.standard_error > 0
    assert len(score.folds) == 2


def test_the_auc_of_a_fold_that_lacks_a_class_is_unknown_and_not_0() -> None:
    y = np.array([0] * 10 + [1] * 10 + [2] * 10)
    predictions = np.random.default_rng(0).dirichlet([1, 1, 1], size=30)
    score = evaluate(METRICS["auc"], y, predictions, folds=[np.arange(20), np.arange(0, 30, 2)])
    assert np.isnan(score.folds[0])
    assert np.isfinite(score.folds[1])
    assert np.isfinite(score.value)


@pytest.mark.parametrize("name", METRICS)
def test_a_score_is_plain_floats(name: str) -> None:
    metric, rng = METRICS[name], np.random.default_rng(0)
    classes = metric.task == "classification"
    y = rng.integers(2, size=60) if classes else rng.uniform(1, 9, size=60)
    predictions = rng.dirichlet([1, 1], size=60) if classes else rng.uniform(1, 9, size=(60, 1))
    score = evaluate(metric, y, predictions, folds=[np.arange(30), np.arange(30, 60)])
    assert {type(value) for value in (score.value, score.standard_error, *score.folds)} == {float}


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(METRICS)), st.integers(0, 10_000))
def test_a_score_does_not_depend_on_the_order_of_the_rows(name: str, seed: int) -> None:
    metric, rng = METRICS[name], np.random.default_rng(seed)
    classes = metric.task == "classification"
    y = np.resize([0, 1], 40) if classes else rng.uniform(1, 9, size=40)
    predictions = rng.dirichlet([1, 1], size=40) if classes else rng.uniform(1, 9, size=(40, 1))
    order = rng.permutation(40)
    a, b = evaluate(metric, y, predictions), evaluate(metric, y[order], predictions[order])
    assert a.value == pytest.approx(b.value)


@pytest.mark.parametrize("name", ["auc", "f1", "f1_macro", "balanced_accuracy", "qwk"])
def test_a_perfect_score_of_any_metric_on_few_rows_is_not_certain(name: str) -> None:
    assert evaluate(METRICS[name], np.array([0, 1] * 10), np.eye(2)[[0, 1] * 10]).standard_error > 0


def lattice(name: str) -> tuple[np.ndarray, np.ndarray]:
    """4,000 rows whose errors tie: values and predictions with one decimal, or labels and certain predictions."""
    rng = np.random.default_rng(2)
    if METRICS[name].task == "regression":
        y = rng.integers(1, 9, size=4000).astype(float)
        return y, np.maximum(y + rng.choice([-0.7, -0.3, -0.3, 0.3, 0.3, 0.3, 0.9], size=4000), 0.1)[:, None]
    y = rng.integers(2, size=4000)
    return y, np.eye(2)[np.where(rng.random(4000) < 0.8, y, 1 - y)] * 0.9 + 0.05


@pytest.mark.parametrize("name", METRICS)
def test_no_score_of_rows_that_differ_has_the_standard_error_0(name: str) -> None:
    y, predictions = lattice(name)
    for groups in (None, np.arange(4000) // 4):
        assert 1e-4 < evaluate(METRICS[name], y, predictions, groups=groups).standard_error < 5


def test_the_median_of_tied_errors_has_the_standard_error_of_the_median_before_rounding() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=5000)
    exact, rounded = (evaluate(METRICS["median_ae"], y, (y + errors)[:, None]) for errors in _errors(rng))
    assert exact.standard_error == pytest.approx(0.0111, rel=0.2)  # 1 / (2 f sqrt(n)), f = 0.6356 at the median
    assert rounded.standard_error == pytest.approx(exact.standard_error, rel=0.3)


def _errors(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    errors = rng.normal(size=5000)
    return errors, np.round(errors * 2) / 2


def test_the_median_over_blocks_of_many_tied_rows_has_a_standard_error() -> None:
    y = np.zeros(25_000)
    predictions = np.random.default_rng(0).choice([0.2, 0.35, 0.35, 0.35, 0.5], size=(25_000, 1))
    assert evaluate(METRICS["median_ae"], y, predictions).standard_error > 0


def test_the_mean_of_medians_over_several_targets_has_a_standard_error() -> None:
    y, predictions = lattice("median_ae")
    both = evaluate(over_targets(METRICS["median_ae"], 2), np.column_stack([y, y]), np.tile(predictions, 2))
    assert both.standard_error > 1e-4


def test_a_step_function_of_ones_own_on_tied_rows_has_a_standard_error() -> None:
    worst = Metric(
        name="worst", function=lambda y, v: float(np.abs(v - y).max()), needs="value", greater_is_better=False
    )
    y = np.zeros(400)
    assert evaluate(worst, y, np.tile([[0.5], [1.0]], (200, 1))).standard_error > 0


def test_groups_that_are_all_equal_do_not_make_a_score_certain() -> None:
    y, predictions = np.zeros(40, dtype=int), np.eye(2)[[0, 1] * 20]  # one of two is right in every group
    paired = evaluate(METRICS["accuracy"], y, predictions, groups=np.arange(40) // 2)
    assert paired.standard_error == pytest.approx(evaluate(METRICS["accuracy"], y, predictions).standard_error)


def test_a_perfect_ranking_of_few_rows_is_not_certain() -> None:
    score = evaluate(METRICS["map@3"], np.array([0, 1] * 10), np.eye(2)[[0, 1] * 10])
    assert score.value == 1
    assert score.standard_error > 0.04


def test_equal_losses_in_all_rows_have_the_standard_error_0() -> None:
    """Right here: whichever label a new row has, the log loss of probabilities 0.5 is the same."""
    score = evaluate(METRICS["log_loss"], np.array([0, 1, 1, 1]), np.full((4, 2), 0.5))
    assert score.value == pytest.approx(np.log(2))
    assert score.standard_error == 0


@pytest.mark.parametrize(("name", "gain"), [("auc", 0.1), ("rmse", -0.1)])
def test_a_gain_is_positive_where_our_score_is_better(name: str, gain: float) -> None:
    ours, theirs = (Score(value=value, standard_error=0.03, rows=10) for value in (0.9, 0.8))
    assert gain_over(METRICS[name], ours, theirs) == pytest.approx((gain, 0.03 * 2**0.5))


def test_an_unknown_standard_error_counts_as_0_in_a_gain() -> None:
    ours, theirs = (Score(value=0.0, standard_error=error, rows=1) for error in (float("nan"), 0.2))
    assert gain_over(METRICS["mae"], ours, theirs)[1] == 0.2


def test_the_paired_standard_error_of_a_mean_is_that_of_the_rows_differences() -> None:
    y, a = example("mae")
    b = a + np.random.default_rng(1).normal(scale=0.1, size=a.shape)
    differences = np.abs(b[:, 0] - y) - np.abs(a[:, 0] - y)
    expected = differences.std(ddof=1) / len(y) ** 0.5
    assert paired_standard_error(METRICS["mae"], y, a, b) == pytest.approx(expected)


def test_the_paired_standard_error_of_a_metric_that_is_no_mean_is_that_of_resampling() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2000)
    a, b = (y + rng.normal(scale=scale, size=2000) for scale in (1.0, 1.2))
    probabilities = [np.column_stack([1 - p, p]) for p in (a, b)]
    auc = get_metric("auc")
    resampled = []
    for _ in range(200):
        rows = rng.integers(0, 2000, 2000)
        resampled.append(auc.function(y[rows], probabilities[1][rows]) - auc.function(y[rows], probabilities[0][rows]))
    assert paired_standard_error(auc, y, *probabilities) == pytest.approx(np.std(resampled), rel=0.35)


def test_the_paired_standard_error_of_a_metric_that_is_no_mean_leaves_out_whole_groups() -> None:
    rng = np.random.default_rng(0)
    y, groups = rng.normal(size=2000), np.repeat(np.arange(100), 20)
    a = (y + rng.normal(size=2000))[:, None]
    b = a + rng.normal(size=100)[groups][:, None]
    rmse, parts = get_metric("rmse"), [np.flatnonzero(groups == group) for group in range(100)]
    resampled = []
    for _ in range(200):
        rows = np.concatenate([parts[group] for group in rng.integers(0, 100, 100)])
        resampled.append(rmse.function(y[rows], b[rows, 0]) - rmse.function(y[rows], a[rows, 0]))
    assert paired_standard_error(rmse, y, a, b, groups=groups) == pytest.approx(np.std(resampled), rel=0.35)
    assert paired_standard_error(rmse, y, a, b, groups=groups) > 1.5 * paired_standard_error(rmse, y, a, b)


@pytest.mark.parametrize("name", METRICS)
def test_the_difference_of_two_scores_has_a_standard_error_on_tied_rows_too(name: str) -> None:
    y, a = lattice(name)
    b = a[np.random.default_rng(0).permutation(4000)]
    assert paired_standard_error(get_metric(name), y, a, b) > 1e-4


def test_the_difference_over_one_group_has_no_standard_error() -> None:
    y, predictions = example("mae")
    assert np.isnan(paired_standard_error(METRICS["mae"], y, predictions, predictions + 1, groups=np.zeros(200)))


@pytest.mark.parametrize("name", ["median_ae", "r2"])
def test_targets_that_are_missing_in_some_rows_have_standard_errors_as_large_as_on_fewer_rows(name: str) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=(400, 2)).round(1)
    a, b = (y + rng.normal(size=y.shape).round(1) for _ in range(2))
    metric, gappy = over_targets(METRICS[name], 2), y.copy()
    gappy[::2, 1] = np.nan
    assert evaluate(metric, gappy, a).standard_error == pytest.approx(evaluate(metric, y, a).standard_error, rel=0.6)
    assert 0 < paired_standard_error(metric, gappy, a, b) < 3 * paired_standard_error(metric, y, a, b)
