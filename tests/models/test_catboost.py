from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.core.values import Context
from kpipe.models import model
from kpipe.models.catboost import CatBoost

CONTEXT = Context(task="classification", n_classes=2, seed=0)


@pytest.mark.parametrize(
    ("alias", "name", "value"),
    [("max_depth", "depth", 3), ("n_estimators", "iterations", 7), ("random_state", "random_seed", 9)],
)
def test_an_option_replaces_the_default_whichever_of_its_names_it_has(alias: str, name: str, value: int) -> None:
    params = model("catboost", **{alias: value})(CONTEXT)[-1].estimator.get_params()
    assert params[name] == value
    assert alias not in params


def test_missing_categories_become_a_category_of_their_own() -> None:
    X = pd.DataFrame({"port": pd.Categorical(["S", None]), "age": [1.0, None]})
    prepared = CatBoost().prepare(X)
    assert prepared["port"].tolist() == ["S", "(missing)"]
    assert prepared["age"].isna().tolist() == [False, True]


def test_a_table_of_numbers_has_no_categories_to_name() -> None:
    X = pd.DataFrame({"x": [float(n) for n in range(40)]})
    fitted = model("catboost", iterations=5)(CONTEXT).fit(X, [0, 1] * 20)
    assert len(fitted[-1].loss_curve_) == 5


@pytest.mark.parametrize(
    "options",
    [
        {"bootstrap_type": "Bayesian"},
        {"bootstrap_type": "No"},
        {"bagging_temperature": 0.5},
        {"silent": True},
        {"logging_level": "Silent"},
        {"learning_rate": None},
    ],
)
def test_an_option_that_contradicts_a_default_replaces_it_and_trains(options: dict[str, object]) -> None:
    X = pd.DataFrame({"x": [float(n) for n in range(40)]})
    assert model("catboost", iterations=3, **options)(CONTEXT).fit(X, [0, 1] * 20)[-1].classes_.tolist() == [0, 1]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_number_of_trees_is_counted_on_inner_splits_where_that_is_asked_for(task: str) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=300), "noise": rng.normal(size=300), "kind": rng.choice(["a", "b"], 300)})
    y = (X["x"] > 0).astype(int) if task == "classification" else X["x"]
    context = Context(task=task, n_classes=2 if task == "classification" else 0)
    options = {"iterations": 200, "learning_rate": 0.3, "early_stopping_rounds": 5}
    fitted = model("catboost", **options)(context).fit(X, y)[-1]
    assert 1 <= fitted.trees_ < 200
    assert fitted.estimator_.tree_count_ == fitted.trees_
    assert len(fitted.validation_loss_curve_) >= fitted.trees_


@pytest.mark.parametrize("options", [{}, {"early_stopping_rounds": 2}])
def test_training_rows_that_all_have_one_value_are_predicted_by_it(options: dict[str, int]) -> None:
    X = pd.DataFrame({"x": [float(n) for n in range(40)]})
    fitted = model("catboost", iterations=5, **options)(Context(task="regression")).fit(X, np.full(40, 7.0))
    assert fitted.predict(X) == pytest.approx(7.0)
