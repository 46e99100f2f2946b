"""Fitted thresholds, class weights, cut points and windows: better than the most probable label, and cross-fitted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.core.metrics import METRICS, evaluate, over_targets
from kpipe.core.values import Ensemble, Folds
from kpipe.training.thresholds import apply_thresholds, cross_fit_thresholds


def folds_of(n: int, count: int = 5) -> Folds:
    parts = np.array_split(np.random.default_rng(0).permutation(n), count)
    rest = tuple(np.setdiff1d(np.arange(n), part) for part in parts)
    return Folds(train=rest, valid=tuple(parts))


def ensemble(oof: np.ndarray, test: np.ndarray | None = None) -> Ensemble:
    return Ensemble(weights={}, oof=oof, test=oof[:10] if test is None else test)


def rare(n: int = 2500) -> tuple[np.ndarray, np.ndarray]:
    """A class of about one row in twelve, and its true probabilities."""
    rng = np.random.default_rng(1)
    probability = 1 / (1 + np.exp(-(rng.normal(scale=1.5, size=n) - 3.2)))
    return (rng.random(n) < probability).astype(int), np.column_stack([1 - probability, probability])


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "mcc", "f1_macro"])
def test_a_fitted_threshold_scores_clearly_more_than_the_most_probable_label(name: str) -> None:
    y, probabilities = rare()
    metric = METRICS[name]
    plain = evaluate(metric, y, probabilities)
    chosen = evaluate(metric, y, apply_thresholds(metric, ensemble(probabilities), y, folds_of(len(y))).oof)
    assert chosen.value > plain.value + plain.standard_error


def test_class_weights_raise_the_macro_f1_of_three_classes() -> None:
    rng = np.random.default_rng(2)
    y = rng.choice(3, p=[0.8, 0.15, 0.05], size=3000)
    scores = np.log([0.8, 0.15, 0.05]) + 1.2 * np.eye(3)[y] + rng.normal(size=(3000, 3))
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    metric = METRICS["f1_macro"]
    found = apply_thresholds(metric, ensemble(probabilities), y, folds_of(3000))
    assert evaluate(metric, y, found.oof).value > evaluate(metric, y, probabilities).value + 0.02


def test_fitted_cut_points_beat_rounding_on_an_ordinal_scale() -> None:
    rng = np.random.default_rng(3)
    y = np.clip(rng.poisson(1.2, size=3000), 0, 5)
    values = (1.0 + 0.4 * y + rng.normal(scale=0.3, size=3000))[:, None]  # shrunken, as regressions are
    metric = METRICS["qwk"]
    rounded = np.eye(6)[np.clip(values[:, 0].round(), 0, 5).astype(int)]
    found = apply_thresholds(metric, ensemble(values), y, folds_of(3000))
    assert found.test.shape == (10, 6)
    assert evaluate(metric, y, found.oof).value > evaluate(metric, y, rounded).value + 0.1


@pytest.mark.slow
def test_each_of_several_targets_has_its_own_threshold() -> None:
    y, probabilities = rare()
    both, predicted = np.column_stack([y, 1 - y]), np.column_stack([probabilities[:, 1], probabilities[:, 0]])
    metric = over_targets(METRICS["f1"], 2)
    found = apply_thresholds(metric, ensemble(predicted), both, folds_of(len(y)))
    assert evaluate(metric, both, found.oof).value > evaluate(metric, both, predicted).value


def test_a_fold_is_scored_with_a_threshold_fitted_on_the_other_folds_only() -> None:
    y, probabilities = rare(600)
    folds, metric = folds_of(600), METRICS["f1"]
    before = cross_fit_thresholds(metric, probabilities, y, folds)
    changed = y.copy()
    changed[folds.valid[2]] = 1 - changed[folds.valid[2]]
    after = cross_fit_thresholds(metric, probabilities, changed, folds)
    assert (before[folds.valid[2]] == after[folds.valid[2]]).all()


@pytest.mark.slow
@given(seed=st.integers(0, 1000), share=st.floats(0.02, 0.98))
@settings(max_examples=5, deadline=None)
def test_pure_noise_gains_nothing_out_of_fold(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    y, probability = (rng.random(500) < share).astype(int), rng.random(500)
    y[:2] = 0, 1
    metric = METRICS["balanced_accuracy"]
    score = evaluate(
        metric, y, cross_fit_thresholds(metric, np.column_stack([1 - probability, probability]), y, folds_of(500))
    )
    assert abs(score.value - 0.5) < 4 * score.standard_error + 0.05


def test_the_ensemble_is_unchanged_for_metrics_that_need_no_threshold() -> None:
    y, probabilities = rare(200)
    for name in ("accuracy", "auc", "log_loss"):
        given_ = ensemble(probabilities)
        assert apply_thresholds(METRICS[name], given_, y, folds_of(200)) is given_


def test_rows_without_a_prediction_stay_without_one() -> None:
    y, probabilities = rare(400)
    probabilities[:50] = np.nan
    found = cross_fit_thresholds(METRICS["f1"], probabilities, y, folds_of(400))
    assert np.isnan(found[:50]).all()
    assert np.isfinite(found[50:]).all()


def test_the_threshold_of_a_rare_class_is_searched_among_its_own_probabilities() -> None:
    rng = np.random.default_rng(4)
    y = (rng.random(6_000) < 0.006).astype(int)
    probability = 1 / (1 + np.exp(6 - 6 * y - 1.5 * rng.normal(size=6_000)))
    both = np.column_stack([1 - probability, probability])
    metric = METRICS["f1"]
    found = evaluate(metric, y, apply_thresholds(metric, ensemble(both), y, folds_of(6_000)).oof)
    assert found.value > evaluate(metric, y, both).value + 0.05


def test_the_most_probable_label_is_kept_where_all_thresholds_score_the_same() -> None:
    y = np.array([1] + [0] * 99)
    probability = np.full(100, 0.01)
    metric = METRICS["f1"]
    assert (
        apply_thresholds(
            metric, ensemble(np.column_stack([1 - probability, probability])), 0 * y, folds_of(100)
        ).test.argmax()
        == 0
    )


def test_a_class_that_the_other_folds_lack_keeps_its_column() -> None:
    y = np.array([4] + [0, 1, 2] * 40)
    values = y[:, None] + 0.1
    found = apply_thresholds(METRICS["qwk"], ensemble(values), y, folds_of(len(y)))
    assert found.oof.shape == (121, 5)
    assert found.test.shape == (10, 5)


def one_fold(n: int) -> Folds:
    return Folds(train=(np.arange(n // 2),), valid=(np.arange(n // 2, n),))


def one_finished(n: int) -> Folds:
    """Two folds, of which the tests predict only the second."""
    first, second = np.arange(n // 2), np.arange(n // 2, n)
    return Folds(train=(second, first), valid=(first, second))


@pytest.mark.parametrize("split", [one_fold, one_finished])
@pytest.mark.parametrize("name", ["f1", "f1_macro", "balanced_accuracy"])
def test_no_threshold_is_fitted_on_the_rows_of_the_only_finished_fold(name: str, split: Callable[[int], Folds]) -> None:
    y, probabilities = rare(600)
    probabilities[:300] = np.nan
    given_, metric, folds = ensemble(probabilities, probabilities[300:310]), METRICS[name], split(600)
    assert apply_thresholds(metric, given_, y, folds) is given_
    assert cross_fit_thresholds(metric, probabilities, y, folds) is probabilities


def test_each_of_several_targets_keeps_its_probabilities_with_one_fold() -> None:
    y, probabilities = rare(600)
    probabilities[:300] = np.nan
    metric = over_targets(METRICS["f1"], 2)
    given_ = ensemble(probabilities, probabilities[300:310])
    assert apply_thresholds(metric, given_, np.column_stack([1 - y, y]), one_fold(600)) is given_


def test_no_window_is_fitted_on_the_rows_of_the_only_fold() -> None:
    rng = np.random.default_rng(0)
    y = rng.choice([1.0, 2.0, 5.0], size=600)
    values = (y + rng.normal(scale=0.3, size=600))[:, None]
    values[:300] = np.nan
    given_ = ensemble(values, values[300:310])
    assert apply_thresholds(METRICS["median_ae"], given_, y, one_fold(600)) is given_


def test_with_one_fold_an_ordinal_scale_is_rounded() -> None:
    y = np.resize([0, 1, 2, 3], 40)
    values = np.full((40, 1), np.nan)
    values[20:, 0] = np.linspace(-1, 5, 20)
    found = apply_thresholds(METRICS["qwk"], ensemble(values, np.array([[0.4], [2.6], [9.0]])), y, one_fold(40))
    assert np.isnan(found.oof[:20]).all()
    np.testing.assert_array_equal(found.oof[20:].argmax(axis=1), np.linspace(-1, 5, 20).round().clip(0, 3))
    assert found.test.argmax(axis=1).tolist() == [0, 3, 3]


def test_the_log_says_that_no_threshold_was_fitted(caplog: pytest.LogCaptureFixture) -> None:
    y, probabilities = rare(600)
    apply_thresholds(METRICS["f1"], ensemble(probabilities), y, Folds(train=(np.arange(0),), valid=(np.arange(600),)))
    assert "thresholds were not fitted: the folds leave no other rows" in caplog.text


@given(changed=st.integers(0, 4), finished=st.integers(2, 5), seed=st.integers(0, 99))
@settings(max_examples=6, deadline=None)
@pytest.mark.parametrize("name", ["f1", "median_ae", "qwk"])
def test_targets_of_a_fold_never_change_its_own_predictions(name: str, changed: int, finished: int, seed: int) -> None:
    rng, metric, folds = np.random.default_rng(seed), METRICS[name], folds_of(500)
    y = rng.integers(2 if name == "f1" else 4, size=500)
    oof = rng.dirichlet([1, 1], size=500) if name == "f1" else (y + rng.normal(size=500))[:, None]
    for valid in folds.valid[finished:]:
        oof[valid] = np.nan
    rows = folds.valid[changed]
    other = y.copy()
    other[rows] = rng.permutation(y[rows])
    before, after = (cross_fit_thresholds(metric, oof, targets, folds)[rows] for targets in (y, other))
    np.testing.assert_array_equal(before, after)


def test_windows_of_several_targets_are_fitted_on_the_rows_in_which_each_is_known() -> None:
    rng = np.random.default_rng(0)
    y = rng.exponential(scale=10, size=(600, 2))
    oof = rng.normal(loc=5, size=y.shape)
    metric = over_targets(METRICS["median_ae"], 2)
    whole = apply_thresholds(metric, ensemble(oof), y, folds_of(600))
    y[::3, 1] = np.nan
    found = apply_thresholds(metric, ensemble(oof), y, folds_of(600))
    np.testing.assert_array_equal(found.test[:, 0], whole.test[:, 0])
    assert np.isfinite(found.test).all()
    assert np.isfinite(found.oof).all()
    assert evaluate(metric, y, found.oof).value < evaluate(metric, y, oof).value
