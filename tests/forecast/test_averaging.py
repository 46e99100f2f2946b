"""The gain of averaging: estimated without test's answers, and compared with what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kpipe.core.metrics import get_metric
from kpipe.core.values import ByFold, Ensemble, Folds, ModelPredictions, Predictions
from kpipe.forecast.averaging import Averaging, estimate_averaging

ROWS, FOLDS = 2000, 5
QUARTERS = tuple(np.array_split(np.arange(ROWS), FOLDS))
RANDOM = Folds(train=QUARTERS, valid=QUARTERS)


def estimate(metric: str, y: np.ndarray, oof: np.ndarray, by_fold: np.ndarray, folds: Folds = RANDOM) -> Averaging:
    """Of one model."""
    kept = ByFold(rows=np.arange(by_fold.shape[1]), predictions=by_fold)
    test = by_fold.mean(axis=0)
    model = ModelPredictions(name="one", oof=oof, test=test, seconds=0.0, by_fold=kept)
    predictions = Predictions(models=(model,), classes=None, y=y)
    ensemble = Ensemble(weights={"one": 1.0}, oof=oof, test=test)
    return estimate_averaging(get_metric(metric), y, folds, predictions, ensemble)


def values(seed: int = 0) -> tuple[np.ndarray, ...]:
    """Truth and out-of-fold predictions; truth and each fold's predictions of test. Each model errs by itself."""
    rng = np.random.default_rng(seed)
    y, y_test = (10 + rng.gamma(2, size=ROWS) for _ in range(2))
    oof = y + rng.normal(size=ROWS)
    by_fold = y_test + 0.6 * rng.normal(size=ROWS) + 0.8 * rng.normal(size=(FOLDS, ROWS))
    return y, oof[:, None], y_test, by_fold[:, :, None]


def probabilities(seed: int = 0) -> tuple[np.ndarray, ...]:
    """The same for two classes: noisy log odds, shrunk to be calibrated."""
    rng = np.random.default_rng(seed)
    logits, logits_test = rng.normal(scale=2, size=(2, ROWS))
    y, y_test = (rng.random(ROWS) < 1 / (1 + np.exp(-one)) for one in (logits, logits_test))

    def model(truth: np.ndarray) -> np.ndarray:
        one = 1 / (1 + np.exp(-0.75 * (truth + rng.normal(size=truth.shape))))
        return np.stack([1 - one, one], axis=-1)

    return y.astype(int), model(logits), y_test.astype(int), model(np.tile(logits_test, (FOLDS, 1)))


@pytest.mark.parametrize("metric", ["mse", "rmse", "mae", "rmsle", "mape", "log_loss"])
def test_the_gain_is_the_one_that_the_answers_show(metric):
    y, oof, y_test, by_fold = probabilities() if metric == "log_loss" else values()
    losses = get_metric(metric)
    given = by_fold if metric == "log_loss" else by_fold[:, :, 0]
    actual = losses.function(y_test, given.mean(axis=0)) - np.mean([losses.function(y_test, one) for one in given])
    found = estimate(metric, y, oof, by_fold)
    assert actual < 0
    assert found.amount == pytest.approx(actual, rel=0.25)
    assert found.method == "the disagreement between the folds' models"


def test_models_that_agree_gain_nothing():
    y, oof, _, by_fold = values()
    assert estimate("rmse", y, oof, by_fold[[0, 0]]).amount == 0


def test_folds_that_were_repeated_are_averaged_out_of_fold_as_well():
    y, oof, _, by_fold = values()
    twice = Folds(train=QUARTERS * 2, valid=QUARTERS * 2)
    once, repeated = (estimate("mse", y, oof, by_fold, folds).amount for folds in (RANDOM, twice))
    assert repeated == pytest.approx(once * (1 / 2 - 1 / 5) / (1 - 1 / 5))


@pytest.mark.parametrize("metric", ["accuracy", "auc"])
def test_labels_and_ranks_are_not_corrected(metric):
    y, oof, _, by_fold = probabilities()
    assert estimate(metric, y, oof, by_fold) == Averaging(
        method="none: the metric is not a mean of losses of probabilities or values"
    )


@pytest.mark.parametrize("change", ["postprocessed", "refitted", "one model"])
def test_test_predictions_that_are_no_mean_over_folds_are_not_corrected(change):
    y, oof, _, by_fold = values()
    kept = ByFold(rows=np.arange(ROWS), predictions=by_fold[:1] if change == "one model" else by_fold)
    test = kept.predictions.mean(axis=0)
    model = ModelPredictions(name="one", oof=oof, test=test, seconds=0.0, by_fold=kept)
    if change == "refitted":
        model = replace(model, by_fold=None)
    ensemble = Ensemble(weights={"one": 1.0}, oof=oof, test=test.round() if change == "postprocessed" else test)
    predictions = Predictions(models=(model,), classes=None, y=y)
    found = estimate_averaging(get_metric("rmse"), y, RANDOM, predictions, ensemble)
    assert found == Averaging(method="none: test rows are not predicted by the mean of the folds' models")


def test_rows_of_a_vault_behind_those_of_test_do_not_count():
    y, oof, _, by_fold = values()
    kept = ByFold(rows=np.arange(ROWS), predictions=by_fold)
    test = by_fold.mean(axis=0)[: ROWS // 2]
    model = ModelPredictions(name="one", oof=oof, test=test, seconds=0.0, by_fold=kept)
    ensemble = Ensemble(weights={"one": 1.0}, oof=oof, test=test)
    predictions = Predictions(models=(model,), classes=None, y=y)
    found = estimate_averaging(get_metric("mse"), y, RANDOM, predictions, ensemble)
    assert found == estimate("mse", y, oof, by_fold[:, : ROWS // 2])
