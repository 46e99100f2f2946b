from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as skm

from kpipe.core import metrics
from kpipe.core.metrics import METRICS, evaluate, get_metric, output, over_targets
from kpipe.errors import DataError, UsageError

RNG = np.random.default_rng(0)
LABELS = RNG.integers(3, size=200)
PROBABILITIES = RNG.dirichlet([1, 1, 1], size=200)
BINARY = RNG.integers(2, size=200)
BINARY_PROBABILITIES = np.column_stack([1 - (p := RNG.random(200)), p])
VALUES = RNG.uniform(1, 10, size=200)
GUESSES = VALUES[:, None] + RNG.normal(size=(200, 1)).clip(-0.9)

PREDICTED = PROBABILITIES.argmax(axis=1)
EXPECTED = {
    "accuracy": (LABELS, PROBABILITIES, skm.accuracy_score(LABELS, PREDICTED)),
    "balanced_accuracy": (LABELS, PROBABILITIES, skm.balanced_accuracy_score(LABELS, PREDICTED)),
    "f1": (BINARY, BINARY_PROBABILITIES, skm.f1_score(BINARY, BINARY_PROBABILITIES[:, 1] > 0.5)),
    "f1_macro": (LABELS, PROBABILITIES, skm.f1_score(LABELS, PREDICTED, average="macro")),
    "f1_micro": (LABELS, PROBABILITIES, skm.f1_score(LABELS, PREDICTED, average="micro")),
    "f1_weighted": (LABELS, PROBABILITIES, skm.f1_score(LABELS, PREDICTED, average="weighted")),
    "gini": (BINARY, BINARY_PROBABILITIES, 2 * skm.roc_auc_score(BINARY, BINARY_PROBABILITIES[:, 1]) - 1),
    "average_precision": (
        BINARY,
        BINARY_PROBABILITIES,
        skm.average_precision_score(BINARY, BINARY_PROBABILITIES[:, 1]),
    ),
    "mse": (VALUES, GUESSES, skm.mean_squared_error(VALUES, GUESSES)),
    "mcc": (LABELS, PROBABILITIES, skm.matthews_corrcoef(LABELS, PREDICTED)),
    "qwk": (LABELS, PROBABILITIES, skm.cohen_kappa_score(LABELS, PREDICTED, weights="quadratic")),
    "log_loss": (LABELS, PROBABILITIES, skm.log_loss(LABELS, PROBABILITIES)),
    "auc": (BINARY, BINARY_PROBABILITIES, skm.roc_auc_score(BINARY, BINARY_PROBABILITIES[:, 1])),
    "rmse": (VALUES, GUESSES, skm.root_mean_squared_error(VALUES, GUESSES)),
    "rmsle": (VALUES, GUESSES, skm.root_mean_squared_log_error(VALUES, GUESSES)),
    "log_rmse": (VALUES, GUESSES, np.sqrt(np.mean((np.log(np.maximum(GUESSES[:, 0], 1)) - np.log(VALUES)) ** 2))),
    "mae": (VALUES, GUESSES, skm.mean_absolute_error(VALUES, GUESSES)),
    "median_ae": (VALUES, GUESSES, skm.median_absolute_error(VALUES, GUESSES)),
    "mape": (VALUES, GUESSES, skm.mean_absolute_percentage_error(VALUES, GUESSES)),
    "smape": (VALUES, GUESSES, np.mean(2 * np.abs(VALUES - GUESSES[:, 0]) / (VALUES + np.abs(GUESSES[:, 0])))),
    "r2": (VALUES, GUESSES, skm.r2_score(VALUES, GUESSES)),
    "map@3": (LABELS, PROBABILITIES, skm.label_ranking_average_precision_score(np.eye(3)[LABELS], PROBABILITIES)),
    "map@5": (LABELS, PROBABILITIES, skm.label_ranking_average_precision_score(np.eye(3)[LABELS], PROBABILITIES)),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_what_scikit_learn_says(name: str) -> None:
    y, predictions, expected = EXPECTED[name]
    score = evaluate(METRICS[name], y, predictions)
    assert score.value == pytest.approx(expected)
    assert score.rows == 200
    assert 0 < score.standard_error < 0.5


@pytest.mark.parametrize("name", METRICS)
def test_a_better_prediction_has_a_better_score(name: str) -> None:
    metric = METRICS[name]
    y, predictions, _ = EXPECTED[name]
    perfect = y[:, None] if metric.task == "regression" else np.eye(predictions.shape[1])[y]
    assert metric.better(evaluate(metric, y, perfect).value, evaluate(metric, y, predictions).value)


@pytest.mark.parametrize(("name", "noise"), [("accuracy", 1.0), ("rmse", 1.0), ("auc", 1.0), ("median_ae", 1.0)])
def test_the_standard_error_is_the_spread_of_scores_on_new_rows(
    name: str, noise: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_BOOTSTRAP_RESAMPLES", 40)
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
    by_blocks = evaluate(METRICS["auc"], y, np.column_stack([1 - p, p])).standard_error
    monkeypatch.setattr(metrics, "_MANY_GROUPS", 10**9)
    monkeypatch.setattr(metrics, "_BOOTSTRAP_RESAMPLES", 50)
    by_resamples = evaluate(METRICS["auc"], y, np.column_stack([1 - p, p])).standard_error
    assert by_blocks == pytest.approx(by_resamples, rel=0.4)


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


def test_one_row_has_a_score_and_no_standard_error() -> None:
    score = evaluate(METRICS["mae"], np.array([1.0]), np.array([[3.0]]))
    assert score.value == 2
    assert np.isnan(score.standard_error)


def test_a_negative_target_has_no_logarithm_and_is_refused() -> None:
    with pytest.raises(DataError, match=r"rmsle needs targets of at least 0, however: -1"):
        evaluate(METRICS["rmsle"], np.array([1.0, -1.0]), np.ones((2, 1)))


def test_a_metric_that_the_target_does_not_allow_is_refused_and_not_unknown() -> None:
    with pytest.raises(DataError, match=r"f1 is not defined for this target: .*multiclass"):
        evaluate(METRICS["f1"], LABELS, PROBABILITIES)


def test_probabilities_need_not_sum_to_one_for_the_log_loss() -> None:
    assert evaluate(METRICS["log_loss"], LABELS, PROBABILITIES * 3).value == pytest.approx(EXPECTED["log_loss"][2])


def test_labels_are_the_most_probable_class() -> None:
    assert output(METRICS["accuracy"], np.array([[0.2, 0.8], [0.9, 0.1]])).tolist() == [1, 0]


def test_an_unknown_metric_is_refused_with_a_near_miss() -> None:
    with pytest.raises(UsageError, match=r"no metric 'log_los'\. Did you mean log_loss\?"):
        get_metric("log_los")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("ROC AUC", "auc"),
        ("roc_auc_score", "auc"),
        ("mean column-wise AUC", "auc"),
        ("Quadratic Weighted Kappa", "qwk"),
        ("multi-class log loss", "log_loss"),
        ("MEDIAN_ABSOLUTE_ERROR", "median_ae"),
        ("neg_mean_absolute_error", "mae"),
        ("Root Mean Squared Logarithmic Error", "rmsle"),
        ("MAP@7", "map@7"),
        ("f1_score", "f1"),
        ("AUC ROC", "auc"),
        ("MultiClassLoss", "log_loss"),
        ("Macro F-Score", "f1_macro"),
        ("Root Mean Squared Error (RMSE)", "rmse"),
        ("QuadraticWeightedKappa", "qwk"),
        ("Normalized Gini Coefficient", "gini"),
    ],
)
def test_a_metric_is_found_by_kaggles_and_scikit_learns_names(written: str, name: str) -> None:
    assert get_metric(written).name == name


def test_a_ranking_counts_one_over_the_rank_of_the_truth_and_nothing_below_the_last_place() -> None:
    ranked = np.array([[0.5, 0.3, 0.15, 0.05]] * 4)
    assert evaluate(get_metric("map@2"), np.arange(4), ranked).value == pytest.approx((1 + 1 / 2) / 4)


@pytest.mark.parametrize(("name", "task"), [("auc", "classification"), ("rmse", "regression"), ("mae", "regression")])
def test_over_several_targets_the_score_is_the_mean_over_their_columns(name: str, task: str) -> None:
    y = np.column_stack([BINARY, BINARY[::-1]]) if task == "classification" else np.column_stack([VALUES, VALUES**2])
    predicted = np.column_stack([BINARY_PROBABILITIES[:, 1], BINARY_PROBABILITIES[::-1, 0]])
    score = evaluate(over_targets(METRICS[name], 2), y, predicted)
    single = {"auc": skm.roc_auc_score, "rmse": skm.root_mean_squared_error, "mae": skm.mean_absolute_error}[name]
    assert score.value == pytest.approx(np.mean([single(y[:, j], predicted[:, j]) for j in range(2)]))
    assert score.standard_error > 0
