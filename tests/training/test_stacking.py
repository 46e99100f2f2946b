from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, TimeSeriesSplit

from kpipe.core.metrics import METRICS
from kpipe.core.values import Folds, ModelPredictions, Predictions
from kpipe.models import model
from kpipe.models.stackers import LinearPool, LogLinearPool
from kpipe.training.cross_validation import cross_validate
from kpipe.training.ensemble import fit_ensemble, select_greedily, smooth_losses
from kpipe.training.estimators import choose_models
from kpipe.training.folds import make_folds
from tests.tables import prices, problem_of, survivors

NAMES = ["linear", "forest", "stack-linear", "stack-boosting"]


def stacked_run(tables, y=None, **options):
    problem = problem_of(tables)
    problem = problem if y is None else replace(problem, y=y)
    folds = options.pop("folds", None) or make_folds(problem)
    models = choose_models(problem, NAMES) | {"forest": model("forest", n_estimators=10)}
    return problem, folds, cross_validate(problem, folds, models=models, jobs=1, **options)


def split(n: int) -> Folds:
    pairs = list(KFold(5, shuffle=True, random_state=0).split(np.zeros((n, 1))))
    return Folds(train=tuple(t for t, _ in pairs), valid=tuple(v for _, v in pairs))


@pytest.mark.parametrize("tables", [survivors(n=120, m=30), prices(n=120, m=30)], ids=["classes", "values"])
def test_stackers_predict_every_row_like_any_other_model(tables) -> None:
    problem, folds, found = stacked_run(tables)
    assert [one.name for one in found.models] == NAMES
    assert [one.stacked for one in found.models] == [False, False, True, True]
    for one in found.models:
        assert one.oof.shape == (len(problem.y), problem.n_outputs)
        assert one.test.shape == (len(problem.X_test), problem.n_outputs)
        assert np.isfinite(one.oof).all()
        assert np.isfinite(one.test).all()
        assert one.fits == {0: (0, 1, 2, 3, 4)}
        assert one.by_fold is not None
        np.testing.assert_allclose(one.by_fold.predictions.mean(axis=0), one.test[one.by_fold.rows])
    combined = fit_ensemble(found, folds, problem.metric)
    assert list(combined.weights) == NAMES
    assert sum(combined.weights.values()) == pytest.approx(1)
    assert [step.name for step in combined.steps] == [
        "greedy selection",
        "stackers, convex weights",
        "stackers, greedy selection",
    ]


def test_the_stacker_of_a_fold_is_not_fitted_on_the_targets_of_that_fold() -> None:
    tables = prices(n=120, m=30)
    problem, folds, _ = before = stacked_run(tables)
    changed = problem.y.copy()
    changed[folds.valid[0]] = changed[folds.valid[0]][::-1]
    # The base models of the other folds do train on that fold, and stay as they were: what is tested is the stacker.
    layer = _layer_of(problem, folds, before[2])
    other = _layer_of(replace(problem, y=changed), folds, before[2])
    np.testing.assert_array_equal(layer.trained[0], other.trained[0])
    np.testing.assert_array_equal(layer.data.y[layer.trained[0]], other.data.y[other.trained[0]])
    assert not set(layer.trained[0]) & set(folds.valid[0])


def _layer_of(problem, folds, found):
    from kpipe.training.stacking import make_layer
    from kpipe.training.worker import FitResult, TrainingData

    data = TrainingData(X=problem.X, y=problem.y, X_test=problem.X_test, outputs=problem.n_outputs)
    fits = {
        one.name: {
            (0, fold): FitResult(valid=one.oof[valid], test=one.test, seconds=0.0, curves=np.zeros((2, 100, 2)))
            for fold, valid in enumerate(folds.valid)
        }
        for one in found.models[:2]
    }
    return make_layer(problem, folds, fits, data)


def test_stackers_without_two_models_or_with_folds_in_time_are_skipped_with_a_reason() -> None:
    problem = problem_of(survivors(n=60, m=10))
    folds = make_folds(problem)
    alone = cross_validate(problem, folds, models=choose_models(problem, ["linear", "stack-linear"]), jobs=1)
    assert [one.name for one in alone.models] == ["linear"]
    assert "other models' predictions" in alone.skipped["stack-linear"]
    pairs = list(TimeSeriesSplit(2).split(problem.X))
    in_time = Folds(train=tuple(t for t, _ in pairs), valid=tuple(v for _, v in pairs), refit=True)
    models = choose_models(problem, ["linear", "forest", "stack-linear"]) | {"forest": model("forest", n_estimators=5)}
    found = cross_validate(problem, in_time, models=models, jobs=1)
    assert "stack-linear" in found.skipped


def test_a_budget_ends_with_the_stacking_layer_and_named_models_do_not() -> None:
    problem = problem_of(survivors(n=60, m=10))
    assert list(choose_models(problem, budget=60.0))[-2:] == ["stack-linear", "stack-boosting"]
    assert "stack-linear" not in choose_models(problem)
    assert list(choose_models(problem, ["linear"], budget=60.0)) == ["linear"]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_greedy_selection_is_never_worse_than_the_best_model_on_its_rows(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=60)
    stack = np.stack([y + rng.normal(scale=0.5 + rng.random(), size=60) for _ in range(count)])[:, :, None]
    losses = smooth_losses(METRICS["rmse"])
    weights = select_greedily(stack, y, losses)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0
    mixed = losses(y, np.tensordot(weights, stack, 1)).mean()
    assert mixed <= min(losses(y, one).mean() for one in stack) + 1e-12


def _made_up(y: np.ndarray, good: np.ndarray, stacker: np.ndarray) -> Predictions:
    models = (
        ModelPredictions(name="a", oof=good[:, None], test=good[:5, None], seconds=0.0),
        ModelPredictions(name="b", oof=-good[:, None], test=good[:5, None], seconds=0.0),
        ModelPredictions(name="stack", oof=stacker[:, None], test=stacker[:5, None], seconds=0.0, stacked=True),
    )
    return Predictions(models=models, classes=None, y=y)


def test_a_stacker_is_used_only_where_it_is_surely_better() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    good = y + rng.normal(size=400)
    better = fit_ensemble(_made_up(y, good, y + rng.normal(scale=0.3, size=400)), split(400), METRICS["rmse"])
    assert better.weights["stack"] > 0.8
    assert any(step.used and "stackers" in step.name for step in better.steps)
    as_good = fit_ensemble(_made_up(y, good, good + rng.normal(scale=0.01, size=400)), split(400), METRICS["rmse"])
    assert as_good.weights["stack"] == 0.0
    assert not any(step.used for step in as_good.steps)


def test_which_way_a_fold_is_weighted_does_not_depend_on_its_own_targets() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=400)
    good, stacker, folds = y + rng.normal(size=400), y + rng.normal(scale=0.9, size=400), split(400)
    changed = y.copy()
    changed[folds.valid[0]] = stacker[folds.valid[0]]
    before = fit_ensemble(_made_up(y, good, stacker), folds, METRICS["rmse"])
    after = fit_ensemble(_made_up(changed, good, stacker), folds, METRICS["rmse"])
    np.testing.assert_array_equal(before.oof[folds.valid[0]], after.oof[folds.valid[0]])
    assert not np.array_equal(before.oof[folds.valid[1]], after.oof[folds.valid[1]])


@pytest.mark.parametrize("classes", [2, 4])
def test_a_log_linear_pool_undoes_what_a_model_lacks_in_certainty(classes: int) -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3000, classes)) * 2
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    y = np.array([rng.choice(classes, p=row) for row in probabilities])
    timid = scores / 4
    logs = timid[:, 1:] - timid[:, :1] if classes == 2 else timid
    pool = LogLinearPool(classes).fit(logs, y)
    assert pool.weights_[0] == pytest.approx(4.0, rel=0.15)
    np.testing.assert_allclose(pool.predict_proba(logs).sum(axis=1), 1.0)
    assert np.abs(pool.predict_proba(logs) - probabilities).mean() < 0.03


def test_a_linear_pool_finds_scale_and_offset_and_weighs_no_model_below_zero() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=500)
    pool = LinearPool().fit(np.column_stack([y / 2, -y]), 3 + 2 * y)
    assert pool.weights_.min() >= 0
    assert pool.predict([[0.5, -1.0]]) == pytest.approx(5.0, abs=0.1)


def test_exactly_the_fits_of_a_run_give_its_bytes_again_with_the_stacking_layer() -> None:
    tables = survivors(n=120, m=30)
    problem, folds, found = stacked_run(tables)
    again = stacked_run(tables, fits={one.name: one.fits for one in found.models})[2]
    for one, other in zip(found.models, again.models, strict=True):
        np.testing.assert_array_equal(one.oof, other.oof)
        np.testing.assert_array_equal(one.test, other.test)
    before, after = (fit_ensemble(each, folds, problem.metric) for each in (found, again))
    assert before.weights == after.weights
