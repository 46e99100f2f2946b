from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.core.values import Context
from kpipe.errors import UsageError
from kpipe.models import model

REGRESSION = Context(task="regression", seed=0)


def fitted(rows: int, **options: object) -> dict[str, object]:
    """Parameters of LightGBM's estimator after it was fitted on noise, where few trees are enough."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=rows)})
    return model("boosting", **options)(REGRESSION).fit(X, rng.normal(size=rows))[-1].estimator_.get_params()


@pytest.mark.parametrize("name", ["num_leaves", "max_leaves"])
def test_num_leaves_given_by_the_user_is_kept_on_a_small_table(name: str) -> None:
    assert fitted(300)["num_leaves"] == 8
    assert fitted(300, **{name: 31})["num_leaves"] == 31


@pytest.mark.parametrize("name", ["learning_rate", "eta"])
def test_learning_rate_given_by_the_user_is_kept_on_a_large_table(name: str) -> None:
    assert fitted(50_000)["learning_rate"] == 0.06
    assert fitted(50_000, **{name: 0.02})["learning_rate"] == 0.02


@pytest.mark.parametrize("name", ["n_estimators", "num_boost_round"])
def test_number_of_trees_given_by_the_user_is_kept(name: str) -> None:
    assert fitted(300, **{name: 7})["n_estimators"] == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [("random_state", 9), ("n_jobs", 2), ("verbosity", 0), ("feature_fraction", 0.9), ("objective", "regression_l1")],
)
def test_an_option_replaces_the_default_of_its_name_and_of_its_aliases(name: str, value: object) -> None:
    params = model("boosting", **{name: value})(REGRESSION)[-1].estimator.get_params()
    assert params[{"feature_fraction": "colsample_bytree"}.get(name, name)] == value
    assert "feature_fraction" not in params


@pytest.mark.parametrize(
    "options",
    [
        {"force_col_wise": True},
        {"data_sample_strategy": "goss"},
        {"boosting": "goss"},
        {"learning_rate": None},
        {"boosting": "dart", "n_estimators": 5},
    ],
)
def test_an_option_that_contradicts_a_default_replaces_it_and_trains(options: dict[str, object]) -> None:
    assert fitted(300, **options)["n_estimators"] >= 1


def test_dart_without_a_number_of_trees_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot stop 'dart' early: give n_estimators"):
        model("boosting", boosting_type="dart")(REGRESSION)
