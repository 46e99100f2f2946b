from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kpipe
from kpipe.runs.run import Run
from kpipe.training.learning_curves import CURVES_SHAPE, curves_to_frame, extract_curves


class Fitted:
    def __init__(self, losses: Any, validation: Any = ()) -> None:
        self.loss_curve_ = losses
        self.validation_loss_curve_ = validation


@pytest.fixture(scope="module")
def titanic(tmp_path_factory: pytest.TempPathFactory) -> Run:
    models = ["linear", "neural", "boosting"]
    return kpipe.run("titanic", models=models, folds=2, out=tmp_path_factory.mktemp("runs"))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=500))
def test_a_curve_keeps_its_first_and_last_point_their_order_and_only_finite_losses(losses: list[float]) -> None:
    curve = extract_curves(Fitted(losses))[0]
    kept = curve[curve[:, 0] > 0]
    assert extract_curves(Fitted(losses)).shape == CURVES_SHAPE
    assert (np.diff(kept[:, 0]) > 0).all()
    assert all(losses[int(step) - 1] == loss for step, loss in kept)
    finite = [place for place, loss in enumerate(losses) if np.isfinite(loss)]
    if len(losses) <= CURVES_SHAPE[1]:
        assert [int(step) - 1 for step in kept[:, 0]] == finite
    for end in {0, len(losses) - 1} & {*finite}:
        assert end + 1 in kept[:, 0]


class Broken:
    @property
    def loss_curve_(self) -> list[float]:
        raise RuntimeError("not yet")


def test_a_model_whose_curve_raises_has_no_curve() -> None:
    assert not extract_curves(Broken()).any()


@pytest.mark.parametrize("losses", ["low", None, [[0.5, 0.4]], [], {"loss": 1}, 0.5])
def test_an_attribute_that_is_not_a_row_of_numbers_is_ignored(losses: Any) -> None:
    assert not extract_curves(Fitted(losses)).any()


def test_the_curve_of_a_scikit_learn_model_is_found_inside_a_pipeline_and_a_target_transformer() -> None:
    X, y = np.arange(40.0).reshape(-1, 2), np.arange(20.0)
    net = MLPRegressor(hidden_layer_sizes=(3,), max_iter=7, random_state=0, tol=0)
    behind = TransformedTargetRegressor(make_pipeline(StandardScaler(), net), func=np.log1p, inverse_func=np.expm1)
    with pytest.warns(match="Maximum iterations"):
        behind.fit(X, y)
    curve = extract_curves(behind)[0]
    np.testing.assert_allclose(curve[:7, 1], behind.regressor_[-1].loss_curve_)
    assert not extract_curves(LinearRegression().fit(X, y)).any()


def test_a_table_without_curves_has_all_columns() -> None:
    table = curves_to_frame([("linear", {(0, 0): np.zeros(CURVES_SHAPE)})])
    assert list(table) == ["model", "seed", "fold", "rows", "step", "loss"]
    assert len(table) == 0


def test_a_run_keeps_the_curve_of_each_fit(titanic: Run) -> None:
    curves = titanic.curves
    kept = {(str(model), str(rows)) for model, rows in curves[["model", "rows"]].drop_duplicates().to_numpy()}
    assert kept == {("neural", "training"), ("boosting", "inner validation")}
    assert {*curves["fold"]} == {0, 1}
    neural = curves[curves["model"] == "neural"].groupby("fold")["loss"]
    assert (neural.last() < neural.first()).all()


def test_the_same_run_has_the_same_curves_again(titanic: Run, tmp_path: Path) -> None:
    again = kpipe.run("titanic", models=["neural"], folds=2, out=tmp_path)
    ours = titanic.curves[titanic.curves["model"] == "neural"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again.curves, ours)
