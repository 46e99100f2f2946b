"""Labels chosen by fitted thresholds and cut points: better than the likeliest label, and never on the rows judged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.core.metrics import METRICS, evaluate, over_targets
from kpipe.core.values import Ensemble, Folds
from kpipe.training.thresholds import decide, decided


def folds_of(n: int, count: int = 5) -> Folds:
    parts = np.array_split(np.random.default_rng(0).permutation(n), count)
    rest = tuple(np.setdiff1d(np.arange(n), part) for part in parts)
    return Folds(train=rest, valid=tuple(parts))


def blended(oof: np.ndarray, test: np.ndarray | None = None) -> Ensemble:
    return Ensemble(weights={}, oof=oof, test=oof[:10] if test is None else test)


def rare(n: int = 2500) -> tuple[np.ndarray, np.ndarray]:
    """A class of about one row in twelve, and its honest chances."""
    rng = np.random.default_rng(1)
    chance = 1 / (1 + np.exp(-(rng.normal(scale=1.5, size=n) - 3.2)))
    return (rng.random(n) < chance).astype(int), np.column_stack([1 - chance, chance])


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "mcc", "f1_macro"])
def test_a_threshold_scores_clearly_more_than_the_likeliest_label(name: str) -> None:
    y, chances = rare()
    metric = METRICS[name]
    plain = evaluate(metric, y, chances)
    chosen = evaluate(metric, y, decide(metric, blended(chances), y, folds_of(len(y))).oof)
    assert chosen.value > plain.value + plain.standard_error


def test_weights_of_classes_raise_the_macro_f1_of_three() -> None:
    rng = np.random.default_rng(2)
    y = rng.choice(3, p=[0.8, 0.15, 0.05], size=3000)
    scores = np.log([0.8, 0.15, 0.05]) + 1.2 * np.eye(3)[y] + rng.normal(size=(3000, 3))
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    metric = METRICS["f1_macro"]
    found = decide(metric, blended(chances), y, folds_of(3000))
    assert evaluate(metric, y, found.oof).value > evaluate(metric, y, chances).value + 0.02


def test_cut_points_beat_rounding_on_a_scale() -> None:
    rng = np.random.default_rng(3)
    y = np.clip(rng.poisson(1.2, size=3000), 0, 5)
    values = (1.0 + 0.4 * y + rng.normal(scale=0.3, size=3000))[:, None]  # shrunken, as regressions are
    metric = METRICS["qwk"]
    rounded = np.eye(6)[np.clip(values[:, 0].round(), 0, 5).astype(int)]
    found = decide(metric, blended(values), y, folds_of(3000))
    assert found.test.shape == (10, 6)
    assert evaluate(metric, y, found.oof).value > evaluate(metric, y, rounded).value + 0.1


@pytest.mark.slow
def test_each_of_several_targets_has_its_own_threshold() -> None:
    y, chances = rare()
    both, predicted = np.column_stack([y, 1 - y]), np.column_stack([chances[:, 1], chances[:, 0]])
    metric = over_targets(METRICS["f1"], 2)
    found = decide(metric, blended(predicted), both, folds_of(len(y)))
    assert evaluate(metric, both, found.oof).value > evaluate(metric, both, predicted).value


def test_no_row_is_judged_by_a_threshold_that_it_chose() -> None:
    y, chances = rare(600)
    folds, metric = folds_of(600), METRICS["f1"]
    before = decided(metric, chances, y, folds)
    changed = y.copy()
    changed[folds.valid[2]] = 1 - changed[folds.valid[2]]
    after = decided(metric, chances, changed, folds)
    assert (before[folds.valid[2]] == after[folds.valid[2]]).all()


@pytest.mark.slow
@given(seed=st.integers(0, 1000), share=st.floats(0.02, 0.98))
@settings(max_examples=5, deadline=None)
def test_pure_noise_gains_nothing_out_of_fold(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    y, chance = (rng.random(500) < share).astype(int), rng.random(500)
    y[:2] = 0, 1
    metric = METRICS["balanced_accuracy"]
    score = evaluate(metric, y, decided(metric, np.column_stack([1 - chance, chance]), y, folds_of(500)))
    assert abs(score.value - 0.5) < 4 * score.standard_error + 0.05


def test_metrics_that_want_no_threshold_are_left_as_they_are() -> None:
    y, chances = rare(200)
    for name in ("accuracy", "auc", "log_loss"):
        given_ = blended(chances)
        assert decide(METRICS[name], given_, y, folds_of(200)) is given_


def test_rows_without_a_prediction_stay_without_one() -> None:
    y, chances = rare(400)
    chances[:50] = np.nan
    found = decided(METRICS["f1"], chances, y, folds_of(400))
    assert np.isnan(found[:50]).all()
    assert np.isfinite(found[50:]).all()


def test_a_class_of_few_rows_has_a_threshold_among_its_own_chances() -> None:
    rng = np.random.default_rng(4)
    y = (rng.random(6_000) < 0.006).astype(int)
    chance = 1 / (1 + np.exp(6 - 6 * y - 1.5 * rng.normal(size=6_000)))
    both = np.column_stack([1 - chance, chance])
    metric = METRICS["f1"]
    found = evaluate(metric, y, decide(metric, blended(both), y, folds_of(6_000)).oof)
    assert found.value > evaluate(metric, y, both).value + 0.05


def test_where_there_is_nothing_to_choose_by_the_likeliest_label_stays() -> None:
    y = np.array([1] + [0] * 99)
    chance = np.full(100, 0.01)
    metric = METRICS["f1"]
    assert decide(metric, blended(np.column_stack([1 - chance, chance])), 0 * y, folds_of(100)).test.argmax() == 0


def test_a_step_that_other_folds_lack_has_its_column() -> None:
    y = np.array([4] + [0, 1, 2] * 40)
    values = y[:, None] + 0.1
    found = decide(METRICS["qwk"], blended(values), y, folds_of(len(y)))
    assert found.oof.shape == (121, 5)
    assert found.test.shape == (10, 5)
