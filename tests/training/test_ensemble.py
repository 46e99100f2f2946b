from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, TimeSeriesSplit

from kpipe.core.metrics import METRICS, evaluate
from kpipe.core.values import Folds, ModelPredictions, Predictions
from kpipe.models import model
from kpipe.training.cross_validation import cross_validate
from kpipe.training.ensemble import fit_ensemble, fit_weights, smooth_losses
from kpipe.training.folds import make_folds
from tests.tables import prices, problem_of


def folds(n: int, count: int = 5) -> Folds:
    pairs = list(KFold(count, shuffle=True, random_state=0).split(np.zeros((n, 1))))
    return Folds(train=tuple(t for t, _ in pairs), valid=tuple(v for _, v in pairs))


def predictions(y: np.ndarray, *oof: np.ndarray) -> Predictions:
    models = [ModelPredictions(name=f"m{i}", oof=o, test=o[:7], seconds=0.0) for i, o in enumerate(oof)]
    return Predictions(models=tuple(models), classes=None, y=y)


def noisy(seed: int, *scales: float) -> Predictions:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=100)
    return predictions(y, *((y + rng.normal(scale=scale, size=100))[:, None] for scale in scales))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["rmse", "mae", "median_ae", "r2"]))
def test_weights_sum_to_1_and_the_ensemble_lies_between_its_models(seed: int, metric: str) -> None:
    given_predictions = noisy(seed, 0.5, 1.0, 2.0)
    combined = fit_ensemble(given_predictions, folds(100), METRICS[metric])
    assert sum(combined.weights.values()) == pytest.approx(1)
    assert min(combined.weights.values()) >= 0
    stack = np.stack([model.oof for model in given_predictions.models])
    assert (combined.oof >= stack.min(axis=0) - 1e-9).all()
    assert (combined.oof <= stack.max(axis=0) + 1e-9).all()


def test_the_ensemble_of_a_fold_does_not_depend_on_the_targets_of_that_fold() -> None:
    before, split = noisy(0, 0.5, 0.6), folds(100)
    changed = before.y.copy()
    changed[split.valid[0]] = 1000.0
    after = predictions(changed, *(model.oof for model in before.models))
    a, b = (fit_ensemble(given_predictions, split, METRICS["rmse"]) for given_predictions in (before, after))
    np.testing.assert_array_equal(a.oof[split.valid[0]], b.oof[split.valid[0]])
    assert not np.allclose(a.oof[split.valid[1]], b.oof[split.valid[1]])


def test_the_ensemble_of_one_model_is_that_model() -> None:
    alone = noisy(0, 0.5)
    combined = fit_ensemble(alone, folds(100), METRICS["rmse"])
    assert combined.weights == {"m0": 1.0}
    np.testing.assert_array_equal(combined.oof, alone.models[0].oof)
    np.testing.assert_array_equal(combined.test, alone.models[0].test)


def test_a_better_model_weighs_more_also_on_the_scale_of_house_prices() -> None:
    good, bad = noisy(0, 0.1, 2.0).models
    y = noisy(0, 0.1, 2.0).y
    priced = predictions(2e5 + 5e4 * y, 2e5 + 5e4 * good.oof, 2e5 + 5e4 * bad.oof)
    assert fit_ensemble(priced, folds(100), METRICS["rmse"]).weights["m0"] > 0.95


def test_with_one_fold_all_models_weigh_the_same() -> None:
    made = noisy(0, 0.1, 2.0)
    single = Folds(train=(np.arange(80),), valid=(np.arange(80, 100),))
    oof = [np.where(np.arange(100)[:, None] < 80, np.nan, model.oof) for model in made.models]
    combined = fit_ensemble(predictions(made.y, *oof), single, METRICS["rmse"])
    assert combined.weights == {"m0": 0.5, "m1": 0.5}
    assert np.isnan(combined.oof[:80]).all()
    np.testing.assert_allclose(combined.oof[80:], (oof[0] + oof[1])[80:] / 2)


@pytest.mark.parametrize("name", METRICS)
def test_weights_can_be_fitted_for_every_metric(name: str) -> None:
    metric, rng = METRICS[name], np.random.default_rng(0)
    if metric.task == "classification":
        y = rng.integers(2, size=100)
        oof = [rng.dirichlet([1, 1], size=100) for _ in range(2)]
    else:
        y = rng.uniform(1, 9, size=100)
        oof = [y[:, None] + rng.normal(size=(100, 1)) for _ in range(2)]
    assert sum(fit_ensemble(predictions(y, *oof), folds(100), metric).weights.values()) == pytest.approx(1)


def test_weights_of_models_that_predict_the_same_are_equal() -> None:
    y = np.zeros(10)
    same = np.zeros((2, 10, 1))
    assert fit_weights(same, y, lambda y, p: (p[:, 0] - y) ** 2).tolist() == [0.5, 0.5]


def test_with_one_finished_fold_all_models_weigh_the_same_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A budget stopped the first model after a fold: the others were trained on all of them."""
    made, split = noisy(0, 0.1, 2.0), folds(100)
    first, second = (model.oof for model in made.models)
    partial = np.full_like(first, np.nan)
    partial[split.valid[3]] = first[split.valid[3]]
    combined = fit_ensemble(predictions(made.y, partial, second), split, METRICS["rmse"])
    assert combined.weights == {"m0": 0.5, "m1": 0.5}
    np.testing.assert_allclose(combined.oof[split.valid[3]], (first + second)[split.valid[3]] / 2)
    assert "models have equal weights: the folds leave no other rows" in caplog.text


def test_rows_that_no_fold_validates_have_no_prediction_of_a_model_or_of_the_ensemble() -> None:
    made = prices()
    problem = problem_of(made, splitter=TimeSeriesSplit(3))
    folds = make_folds(problem)
    models = {name: model(name) for name in ("linear", "boosting")}
    found = cross_validate(problem, folds, models=models, jobs=1)
    combined = fit_ensemble(found, folds, problem.metric)
    unseen = np.setdiff1d(np.arange(80), np.concatenate(folds.valid))
    assert len(unseen) == 20
    for oof in (*(one.oof for one in found.models), combined.oof):
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(oof[:, 0])), unseen)
    assert evaluate(problem.metric, found.y, combined.oof).rows == 60


def years(n: int, count: int, *, refit: bool = True) -> Folds:
    """Folds that validate one stretch of rows after another."""
    parts = np.array_split(np.arange(n), count + 1)
    train = tuple(np.concatenate(parts[:place]) for place in range(1, count + 1))
    return Folds(train=train, valid=tuple(parts[1:]), refit=refit)


def levels_that_jump() -> Predictions:
    """Four years whose level jumps; one model is nearest to each, and the others lie above and below it."""
    y = np.repeat([0.0, 1.0, -1.0, 1.0], 50) + np.random.default_rng(0).normal(scale=0.1, size=200)
    return predictions(y, *(np.full((200, 1), value) for value in (0.0, 2.0, -2.0)))


def test_with_few_horizons_the_best_model_is_taken_alone() -> None:
    given_predictions = levels_that_jump()
    combined = fit_ensemble(given_predictions, years(200, 2), METRICS["rmse"])
    assert combined.weights == {"m0": 1.0, "m1": 0.0, "m2": 0.0}
    validated = ~np.isnan(combined.oof[:, 0])
    assert (combined.oof[validated] == given_predictions.models[0].oof[validated]).all()


def test_a_fold_of_few_horizons_does_not_choose_its_own_model() -> None:
    y = np.repeat([0.0, 0.0, 1.0], 50)
    zeros = np.r_[np.full(50, np.nan), np.zeros(100)][:, None]  # no fold validates the first year
    given_predictions = predictions(y, zeros, zeros + 1)
    combined = fit_ensemble(given_predictions, years(150, 2), METRICS["rmse"])
    assert combined.oof[50:, 0].tolist() == [1.0] * 50 + [0.0] * 50


@pytest.mark.parametrize(("count", "refit"), [(2, False), (5, True)])
def test_other_folds_fit_weights_however_few(count: int, refit: bool) -> None:
    combined = fit_ensemble(noisy(0, 0.5, 0.5), years(100, count, refit=refit), METRICS["rmse"])
    assert 0 < combined.weights["m0"] < 1


def test_without_stackers_weights_are_those_of_the_predictions_as_they_lie_in_memory() -> None:
    given_predictions = noisy(3, 0.5, 0.7, 1.0)
    stack = np.stack([model.oof for model in given_predictions.models])
    every = np.ones(100, dtype=bool)
    expected = fit_weights(stack[:, every], given_predictions.y[every], smooth_losses(METRICS["rmse"]))
    assert list(fit_ensemble(given_predictions, folds(100), METRICS["rmse"]).weights.values()) == expected.tolist()
