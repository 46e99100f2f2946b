from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as skm

from kpipe.core.metrics import METRICS, evaluate, get_metric
from tests.core.metrics.definitions import DEFINITIONS
from tests.core.metrics.examples import (
    BINARY,
    BINARY_PROBABILITIES,
    GUESSES,
    LABELS,
    PROBABILITIES,
    VALUES,
    example,
)

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
    "smape": (VALUES, GUESSES, np.mean(200 * np.abs(VALUES - GUESSES[:, 0]) / (VALUES + np.abs(GUESSES[:, 0])))),
    "r2": (VALUES, GUESSES, skm.r2_score(VALUES, GUESSES)),
    "map@3": (LABELS, PROBABILITIES, skm.label_ranking_average_precision_score(np.eye(3)[LABELS], PROBABILITIES)),
    "map@5": (LABELS, PROBABILITIES, skm.label_ranking_average_precision_score(np.eye(3)[LABELS], PROBABILITIES)),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_has_the_value_and_the_scale_of_kaggles_definition(name: str) -> None:
    y, predictions = example(name)
    assert evaluate(METRICS[name], y, predictions).value == pytest.approx(DEFINITIONS[name](y, predictions), rel=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_has_scikit_learns_value(name: str) -> None:
    y, predictions, expected = EXPECTED[name]
    score = evaluate(METRICS[name], y, predictions)
    assert score.value == pytest.approx(expected)
    assert score.rows == 200
    assert 0 < score.standard_error < (0.5 if name != "smape" else 50)


@pytest.mark.parametrize("name", METRICS)
def test_a_better_prediction_has_a_better_score(name: str) -> None:
    metric = METRICS[name]
    y, predictions, _ = EXPECTED[name]
    perfect = y[:, None] if metric.task == "regression" else np.eye(predictions.shape[1])[y]
    assert metric.better(evaluate(metric, y, perfect).value, evaluate(metric, y, predictions).value)


def test_smape_is_200_at_worst_and_0_where_truth_and_prediction_are_0() -> None:
    y = np.array([1.0, 2.0, 0.0, 0.0])
    values = np.array([[-1.0], [0.0], [5.0], [0.0]])
    assert METRICS["smape"].losses(y, values[:, 0]).tolist() == [200, 200, 200, 0]
    assert evaluate(METRICS["smape"], y, values).value == 150


def test_mape_is_a_fraction() -> None:
    assert evaluate(METRICS["mape"], np.array([2.0, 4.0]), np.array([[1.0], [5.0]])).value == (0.5 + 0.25) / 2


def test_the_log_loss_of_a_certain_and_wrong_prediction_is_that_of_kaggles_smallest_probability() -> None:
    y, wrong = np.array([0, 1]), np.array([[0.0, 1.0], [0.5, 0.5]])
    assert evaluate(METRICS["log_loss"], y, wrong).value == pytest.approx((-np.log(1e-15) - np.log(0.5)) / 2)


def test_probabilities_need_not_sum_to_one_for_the_log_loss() -> None:
    assert evaluate(METRICS["log_loss"], LABELS, PROBABILITIES * 3).value == pytest.approx(EXPECTED["log_loss"][2])


def test_a_ranking_counts_one_over_the_rank_of_the_truth_and_nothing_below_the_last_place() -> None:
    ranked = np.array([[0.5, 0.3, 0.15, 0.05]] * 4)
    assert evaluate(get_metric("map@2"), np.arange(4), ranked).value == pytest.approx((1 + 1 / 2) / 4)


def test_of_equal_probabilities_the_first_class_ranks_first_as_in_a_submission() -> None:
    equal = np.full((4, 4), 0.25)
    assert evaluate(get_metric("map@2"), np.arange(4), equal).value == pytest.approx((1 + 1 / 2) / 4)
