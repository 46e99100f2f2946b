from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as skm

from kpipe.core.metrics import METRICS, evaluate, over_targets
from tests.core.metrics.examples import BINARY, BINARY_PROBABILITIES, VALUES


@pytest.mark.parametrize(("name", "task"), [("auc", "classification"), ("rmse", "regression"), ("mae", "regression")])
def test_over_several_targets_the_score_is_the_mean_over_their_columns(name: str, task: str) -> None:
    y = np.column_stack([BINARY, BINARY[::-1]]) if task == "classification" else np.column_stack([VALUES, VALUES**2])
    predicted = np.column_stack([BINARY_PROBABILITIES[:, 1], BINARY_PROBABILITIES[::-1, 0]])
    score = evaluate(over_targets(METRICS[name], 2), y, predicted)
    single = {"auc": skm.roc_auc_score, "rmse": skm.root_mean_squared_error, "mae": skm.mean_absolute_error}[name]
    assert score.value == pytest.approx(np.mean([single(y[:, j], predicted[:, j]) for j in range(2)]))
    assert score.standard_error > 0
