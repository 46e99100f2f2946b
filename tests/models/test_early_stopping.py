from __future__ import annotations

import math
import pickle
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from kpipe.core.time_limit import TimeLimit, limit_time
from kpipe.core.values import Context
from kpipe.errors import UsageError
from kpipe.features import NativeCategories
from kpipe.models import early_stopping, model
from kpipe.models.early_stopping import EarlyStoppedClassifier, EarlyStoppedRegressor
from kpipe.models.lightgbm import LightGBM

CLASSES = Context(task="classification", n_classes=2, seed=0)
VALUES = Context(task="regression", seed=0)


def table(rows: int = 300) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=rows), "z": rng.normal(size=rows)})
    return X, np.sin(2 * X["x"]).to_numpy() + rng.normal(scale=0.3, size=rows)


def fitted(**options: object) -> EarlyStoppedRegressor:
    return model("boosting", **options)(VALUES).fit(*table())[-1]


def test_a_small_table_gets_the_mean_number_of_trees_of_several_inner_splits_and_a_refit_on_all_rows() -> None:
    chosen = fitted()
    assert chosen.trees_ is not None
    assert 1 <= chosen.trees_ < early_stopping.MAX_TREES
    assert chosen.estimator_.n_estimators_ == chosen.trees_
    assert chosen.estimator_.booster_.num_trees() == chosen.trees_
    assert len(chosen.validation_loss_curve_) > 1


@pytest.mark.parametrize(
    ("settled", "certain", "splits"),
    [
        pytest.param((1, 300), (0.0, 300), 1, id="many trees"),
        pytest.param((1, 301), (0.0, 300), 5, id="many trees of few rows"),
        pytest.param((3000, 300), (math.inf, 300), 3, id="three counts agree"),
        pytest.param((3000, 300), (0.0, 300), 5, id="counts differ"),
        pytest.param((3000, 300), (math.inf, 301), 5, id="counts of few rows agree"),
    ],
)
def test_trees_are_counted_on_as_few_inner_splits_as_it_takes_to_be_certain(
    monkeypatch: pytest.MonkeyPatch,
    settled: tuple[int, int],
    certain: tuple[float, int],
    splits: int,
) -> None:
    fits: list[int] = []
    count = LightGBM.fit_early_stopped

    def counted(self: LightGBM, *args: Any, **options: Any) -> int:
        fits.append(count(self, *args, **options))
        return fits[-1]

    monkeypatch.setattr(LightGBM, "fit_early_stopped", counted)
    for names, values in ((("_SETTLED", "_SETTLED_ROWS"), settled), (("_CERTAIN", "_CERTAIN_ROWS"), certain)):
        for name, value in zip(names, values, strict=True):
            monkeypatch.setattr(early_stopping, name, value)
    assert fitted().trees_ == round(np.mean(fits))
    assert len(fits) == splits


def test_a_large_table_keeps_the_model_of_its_one_inner_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_stopping, "_SMALL", 100)
    monkeypatch.setattr(early_stopping, "_REFITTED", 200)
    chosen = fitted()
    assert chosen.estimator_.best_iteration_ == chosen.trees_


def test_a_huge_table_gets_few_trees_that_learn_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_stopping, "_HUGE", 200)
    params = fitted().estimator_.get_params()
    assert params["learning_rate"] == 0.1
    assert params["n_estimators"] <= 1000
    assert fitted(learning_rate=0.03).estimator_.get_params()["learning_rate"] == 0.03


def within(limit: TimeLimit, *, rows: int = 2000, name: str = "boosting") -> EarlyStoppedRegressor:
    with limit_time(limit):
        return model(name)(VALUES).fit(*table(rows))[-1]


@pytest.mark.parametrize("name", ["boosting", "xgboost"])
@pytest.mark.parametrize("refitted", [True, False])
def test_with_little_time_fewer_trees_learn_faster_and_the_fit_can_be_repeated(
    refitted: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "xgboost":
        pytest.importorskip("xgboost", reason="the extra 'xgboost' is not installed")
    monkeypatch.setattr(early_stopping, "_MEASURED_CELLS", 0)
    monkeypatch.setattr(early_stopping, "_REFITTED", 10_000 if refitted else 0)
    short = TimeLimit(time.monotonic() + 0.05)
    first = within(short, name=name)
    assert short.shortened
    [(planned, trees)] = short.taken
    assert trees <= planned
    assert first.estimator_.get_params()["learning_rate"] > 0.04
    again = within(TimeLimit(math.inf, repeated=short.taken), name=name)
    X = NativeCategories().fit_transform(table()[0])
    assert again.predict(X).tobytes() == first.predict(X).tobytes()
    assert again.trees_ == first.trees_ == trees


def test_with_enough_time_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_stopping, "_MEASURED_CELLS", 0)
    X, _ = table()
    usual = within(TimeLimit(math.inf), rows=300)
    limit = TimeLimit(time.monotonic() + 3600)
    assert within(limit, rows=300).predict(X).tobytes() == usual.predict(X).tobytes() == fitted().predict(X).tobytes()
    assert not limit.shortened
    assert within(TimeLimit(math.inf, repeated=limit.taken), rows=300).trees_ == usual.trees_


def test_a_number_of_trees_turns_early_stopping_off() -> None:
    chosen = fitted(n_estimators=7)
    assert chosen.trees_ is None
    assert chosen.estimator_.n_estimators_ == 7
    assert not len(chosen.validation_loss_curve_)


def test_a_class_too_rare_to_be_split_is_only_trained_on() -> None:
    X, values = table()
    labels = np.where(values > 0, "high", "low").astype(object)
    labels[:2] = "rare"
    chosen = model("boosting")(CLASSES).fit(X, labels)[-1]
    assert chosen.classes_.tolist() == ["high", "low", "rare"]
    assert chosen.predict_proba(X.set_axis(["x_0", "z_1"], axis=1)).shape == (300, 3)


@pytest.mark.parametrize("name", ["boosting", "catboost"])
def test_a_single_class_is_predicted_without_a_fit(name: str) -> None:
    X, _ = table(20)
    fitted = model(name)(CLASSES).fit(X, np.ones(20, dtype=int))
    np.testing.assert_array_equal(fitted.predict_proba(X), np.ones((20, 1)))
    np.testing.assert_array_equal(fitted.predict(X), np.ones(20))


@pytest.mark.parametrize("name", ["boosting", "catboost"])
@pytest.mark.parametrize("context", [CLASSES, VALUES], ids=["classes", "values"])
def test_it_survives_clone_and_pickle_before_and_after_the_fit(name: str, context: Context) -> None:
    X, values = table(60)
    y = (values > 0).astype(int) if context is CLASSES else values
    estimator = clone(pickle.loads(pickle.dumps(model(name)(context))))
    assert isinstance(estimator[-1], EarlyStoppedClassifier | EarlyStoppedRegressor)
    once = estimator.fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(once)).predict(X), once.predict(X))


@pytest.mark.parametrize(
    ("name", "option"),
    [("boosting", "early_stopping_rounds"), ("boosting", "early_stopping_round"), ("xgboost", "early_stopping_rounds")],
)
def test_the_patience_given_by_the_user_is_kept(name: str, option: str) -> None:
    pytest.importorskip("lightgbm" if name == "boosting" else name)
    rng = np.random.default_rng(0)
    X, y = pd.DataFrame({"x": rng.normal(size=300)}), rng.normal(size=300)
    noise = [model(name, **given)(VALUES).fit(X, y)[-1] for given in ({}, {option: 3})]
    assert len(noise[1].validation_loss_curve_) < len(noise[0].validation_loss_curve_)


def test_a_number_of_trees_with_a_patience_is_refused() -> None:
    with pytest.raises(UsageError, match="n_estimators turns early stopping off"):
        model("boosting", n_estimators=100, early_stopping_rounds=10)(VALUES)
