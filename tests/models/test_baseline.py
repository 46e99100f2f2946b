from __future__ import annotations

import numpy as np
import pytest

from kpipe.core.metrics import METRICS, evaluate
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
