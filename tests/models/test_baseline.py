from __future__ import annotations

import numpy as np
import pytest

from kpipe.core.metrics import METRICS, evaluate, output, over_targets
from kpipe.core.values import Folds
from kpipe.models.baseline import baseline

HALVES = Folds(train=(np.arange(40, 80), np.arange(40)), valid=(np.arange(40), np.arange(40, 80)))


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_baseline_that_it_can_score(name: str) -> None:
    metric, rng = METRICS[name], np.random.default_rng(0)
    y = rng.integers(2, size=80) if metric.task == "classification" else rng.uniform(1, 9, size=80)
    outputs = 2 if metric.task == "classification" else 1
    said, oof = baseline(metric, y, HALVES, outputs=outputs)
    assert said
    assert oof.shape == (80, outputs)
    assert np.isfinite(evaluate(metric, y, oof).value)


@pytest.mark.parametrize("name", METRICS)
def test_a_baseline_is_not_fitted_on_the_rows_that_it_predicts(name: str) -> None:
    metric = METRICS[name]
    rare, common = (1, 0) if metric.task == "classification" else (9.0, 2.0)
    y = np.array([rare] * 40 + [common] * 40)
    _, oof = baseline(metric, y, HALVES, outputs=2 if metric.task == "classification" else 1)
    expected = [0.0, 1.0] if metric.task == "classification" else [9.0]
    np.testing.assert_allclose(oof[40:], np.tile(expected, (40, 1)))
    assert not np.allclose(oof[:40], expected)


def test_a_baseline_is_nan_in_rows_that_no_fold_validates() -> None:
    half = Folds(train=HALVES.train[:1], valid=HALVES.valid[:1])
    _, oof = baseline(METRICS["rmse"], np.arange(80.0), half, outputs=1)
    assert np.isfinite(oof[:40]).all()
    assert np.isnan(oof[40:]).all()


FOUR = Folds(
    train=tuple(np.flatnonzero(np.arange(2000) % 4 != k) for k in range(4)),
    valid=tuple(np.flatnonzero(np.arange(2000) % 4 == k) for k in range(4)),
)


@pytest.mark.parametrize("name", METRICS)
def test_no_constant_and_no_noise_beats_the_baseline(name: str) -> None:
    metric, rng = METRICS[name], np.random.default_rng(0)
    if metric.task == "classification":
        y = (rng.random(2000) < 0.3).astype(int)
        shares = [np.tile(share, (2000, 1)) for share in ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5])]
        others = [*shares, *(np.eye(2)[(rng.random(2000) < p).astype(int)] for p in (0.2, 0.3, 0.5))]
    else:
        y = np.exp(rng.normal(1, 1, 2000)) + 1
        others = [np.full((2000, 1), np.quantile(y, level)) for level in np.linspace(0.05, 0.95, 19)]
    ours = metric.function(y, output(metric, baseline(metric, y, FOUR, outputs=2)[1]))
    for other in others:
        theirs = metric.function(y, output(metric, other))
        gain = (theirs - ours) * (1 if metric.greater_is_better else -1)
        assert gain < 0.06 + 0.01 * abs(ours)  # two standard errors of noise in 2,000 rows, or of the folds' constants


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("f1", "best single class"),
        ("f1_macro", "random label"),
        ("mape", "best constant"),
        ("median_ae", "best constant"),
        ("accuracy", "majority class"),
        ("mcc", "majority class"),
        ("log_loss", "class shares"),
        ("rmse", "mean"),
        ("mae", "median"),
        ("rmsle", "mean of the logarithm"),
    ],
)
def test_the_baseline_is_the_usual_constant_unless_another_scores_better(name: str, said: str) -> None:
    metric, rng = METRICS[name], np.random.default_rng(0)
    y = (rng.random(2000) < 0.3).astype(int) if metric.task == "classification" else np.exp(rng.normal(1, 1, 2000))
    assert baseline(metric, y, FOUR, outputs=2)[0] == said


@pytest.mark.parametrize("rows", [30, 100, 200])
def test_labels_that_are_right_by_chance_are_no_baseline(rows: int) -> None:
    for seed in range(20):
        y = np.random.default_rng(seed).integers(2, size=2 * rows)
        halves = Folds(train=(np.arange(rows),), valid=(np.arange(rows, 2 * rows),))
        assert baseline(METRICS["accuracy"], y, halves, outputs=2)[0] == "majority class"


@pytest.mark.parametrize(("name", "unknown"), [("rmse", 0.0), ("auc", 0.5)])
def test_a_target_that_no_training_row_has_is_predicted_by_a_number_that_needs_none(name: str, unknown: float) -> None:
    y = np.column_stack([np.r_[np.full(40, np.nan), np.ones(20), np.zeros(20)], np.arange(80) % 2])
    last = Folds(train=(np.arange(40),), valid=(np.arange(40, 80),))
    _, oof = baseline(over_targets(METRICS[name], 2), y, last, outputs=2)
    assert (oof[40:, 0] == unknown).all()
    assert np.isfinite(oof[40:]).all()
