import numpy as np
import pytest

from kpipe.core.metrics import evaluate, get_metric
from kpipe.core.values import Folds
from kpipe.forecast.variance import Errors, sampling_errors

FOLDS = Folds(train=(np.arange(2), np.arange(2)), valid=(np.arange(2), np.arange(2)))


def errors(metric, y, oof, *, test_rows, blocks=None, test_blocks=None) -> Errors:
    metric = get_metric(metric)
    score = evaluate(metric, y, oof, groups=blocks)
    return sampling_errors(
        metric, y, oof, score=score, folds=FOLDS, blocks=blocks, test_blocks=test_blocks, test_rows=test_rows
    )


def classified(rows: int, share: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    y = np.zeros(rows, dtype=int)
    right = np.arange(rows) < share * rows
    return y, np.column_stack([right, ~right]).astype(float)


def test_a_small_test_table_causes_most_of_the_uncertainty():
    found = errors("accuracy", *classified(10_000), test_rows=100)
    assert found.test == pytest.approx(0.04, rel=0.01)
    assert found.train == pytest.approx(0.004, rel=0.01)
    assert found.total > found.test


def test_rows_of_one_block_count_once_in_train_and_in_test():
    y, oof = classified(1000)
    blocks = np.repeat(np.arange(100), 10)  # a whole block is right or wrong
    alone = errors("accuracy", y, oof, test_rows=500)
    together = errors("accuracy", y, oof, test_rows=500, blocks=blocks, test_blocks=np.repeat(np.arange(50), 10))
    assert together.test == pytest.approx(alone.test * np.sqrt(10), rel=0.02)
    assert together.units == 100
    larger = errors("accuracy", y, oof, test_rows=500, blocks=blocks, test_blocks=np.repeat(np.arange(5), 100))
    assert larger.test == pytest.approx(together.test * np.sqrt(10), rel=0.02)


def test_great_losses_that_are_rare_may_be_missing_in_train():
    rng = np.random.default_rng(0)
    y, light, heavy = np.zeros(1000), rng.uniform(-1, 1, 1000), rng.standard_t(2, 1000)
    plain, wide = (errors("rmse", y, values[:, None], test_rows=1000) for values in (light, heavy))
    assert plain.train == pytest.approx(evaluate(get_metric("rmse"), y, light[:, None]).standard_error, rel=0.02)
    assert wide.train > 1.2 * evaluate(get_metric("rmse"), y, heavy[:, None]).standard_error


@pytest.mark.parametrize("metric", ["auc", "f1", "median_ae", "r2"])
def test_the_test_error_of_a_metric_that_is_not_a_mean_grows_as_test_shrinks(metric):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=1000)
    if metric in ("auc", "f1"):
        y = (signal + rng.normal(size=1000) > 0).astype(int)
        probabilities = 1 / (1 + np.exp(-signal))
        oof = np.column_stack([1 - probabilities, probabilities])
    else:
        y, oof = signal + rng.normal(size=1000), signal[:, None]
    found = errors(metric, y, oof, test_rows=200)
    assert found.test == pytest.approx(found.train * np.sqrt(5), rel=0.35)


def test_a_test_table_of_one_row_has_a_finite_error():
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    assert np.isfinite(errors("rmse", y, np.zeros((300, 1)), test_rows=1).total)
    assert np.isfinite(errors("accuracy", *classified(300), test_rows=1).total)
