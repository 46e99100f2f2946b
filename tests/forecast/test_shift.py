import numpy as np
import pandas as pd
import pytest

from kpipe.core.metrics import evaluate, get_metric, over_targets
from kpipe.forecast.shift import Shift, estimate_shift


def shift(metric, y, oof, X, X_test, **options) -> Shift:
    score = evaluate(metric, y, oof)
    return estimate_shift(metric, y, oof, X, X_test, score=score.value, standard_error=score.standard_error, **options)


def binary(rows: int, seed: int, *, hard: float) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Rows of which a share is hard: their probabilities, which are right, are near one half."""
    rng = np.random.default_rng(seed)
    is_hard = rng.random(rows) < hard
    chance = np.where(is_hard, 0.6, 0.95)
    chance = np.where(rng.random(rows) < 0.5, chance, 1 - chance)
    y = (rng.random(rows) < chance).astype(int)
    X = pd.DataFrame({"kind": np.where(is_hard, "hard", "easy"), "noise": rng.normal(size=rows)})
    return y, np.column_stack([1 - chance, chance]), X


@pytest.mark.parametrize(("metric", "sign"), [("accuracy", 1), ("log_loss", -1), ("auc", 1)])
def test_test_rows_that_are_harder_lower_the_forecast(metric, sign):
    metric = get_metric(metric)
    y, oof, X = binary(2000, 0, hard=0.3)
    y_test, predicted, X_test = binary(2000, 1, hard=0.7)
    found = shift(metric, y, oof, X, X_test)
    truth = metric.function(y_test, predicted if metric.needs != "label" else predicted.argmax(axis=1))
    score = evaluate(metric, y, oof).value
    assert np.sign(found.amount) == -sign
    assert abs(score + found.amount - truth) < 0.4 * abs(score - truth)


def test_errors_that_grow_with_a_column_raise_the_forecast_of_an_error():
    rng = np.random.default_rng(0)
    size, test_size = rng.uniform(0, 1, 3000), rng.uniform(0.5, 1, 3000)
    y = size * rng.normal(size=3000)
    found = shift(
        get_metric("rmse"), y, np.zeros((3000, 1)), pd.DataFrame({"size": size}), pd.DataFrame({"size": test_size})
    )
    assert found.amount == pytest.approx(np.sqrt(7 / 12) - np.sqrt(1 / 3), rel=0.35)


@pytest.mark.parametrize("metric", ["log_loss"])
def test_without_a_shift_the_correction_is_smaller_than_the_standard_error(metric):
    metric = get_metric(metric)
    y, oof, X = binary(1000, 0, hard=0.5)
    found = shift(metric, y, oof, X, binary(1000, 1, hard=0.5)[2])
    assert abs(found.amount) < evaluate(metric, y, oof).standard_error


def test_columns_that_say_nothing_of_losses_correct_nothing():
    rng = np.random.default_rng(0)
    y = rng.normal(size=2000)
    X, X_test = pd.DataFrame({"a": rng.normal(size=2000)}), pd.DataFrame({"a": rng.normal(1, 1, size=2000)})
    metric = get_metric("mae")
    found = shift(metric, y, np.zeros((2000, 1)), X, X_test)
    assert abs(found.amount) < evaluate(metric, y, np.zeros((2000, 1))).standard_error


@pytest.mark.parametrize(
    ("X", "reason"),
    [
        (pd.DataFrame({"a": range(50)}), "fewer than 100 rows"),
        (pd.DataFrame(np.zeros((200, 9), dtype=np.uint8)), "pictures"),
        (pd.DataFrame(np.zeros((200, 101))), "more than 100 columns"),
        (pd.DataFrame({"text": [f"the {n} ship sails at dawn of {n}" for n in range(200)]}), "texts"),
    ],
)
def test_what_cannot_be_corrected_says_why(X, reason):
    y = np.arange(len(X), dtype=float)
    found = shift(get_metric("mae"), y, np.zeros((len(X), 1)), X, X)
    assert (found.amount, found.standard_error) == (0.0, 0.0)
    assert found.method.startswith("none: ")
    assert reason in found.method


def test_several_targets_are_corrected_by_their_losses():
    rng = np.random.default_rng(0)
    size, test_size = rng.uniform(0, 1, 2000), rng.uniform(0.5, 1, 2000)
    y = size[:, None] * rng.normal(size=(2000, 2))
    metric = over_targets(get_metric("mae"), 2)
    found = shift(metric, y, np.zeros((2000, 2)), pd.DataFrame({"a": size}), pd.DataFrame({"a": test_size}))
    assert found.amount > 0.05


def test_sampled_rows_of_a_single_class_end_no_run():
    rng = np.random.default_rng(0)
    chance, X = rng.uniform(0, 0.01, 10_000), pd.DataFrame({"a": rng.normal(size=10_000)})
    oof = np.column_stack([1 - chance, chance])
    for place in range(10):  # of a single positive row, which the sample may lack
        y = (np.arange(10_000) == 1_000 * place).astype(int)
        found = estimate_shift(get_metric("auc"), y, oof, X, X, score=0.5, standard_error=0.1)
        if found.method == "none: the sampled rows lack a class":
            return
    pytest.fail("every sample holds the positive row")
