from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression

from kpipe.core.values import Context
from kpipe.errors import TrainingError, UsageError
from kpipe.models import model
from kpipe.models.per_target import PerTarget
from kpipe.problem.competition import Factory
from kpipe.training.cross_validation import cross_validate
from kpipe.training.estimators import (
    build_estimator,
    choose_models,
    make_context,
    shortest_share,
    uses_gpu,
    wrap_estimator,
)
from kpipe.training.folds import make_folds
from kpipe.training.stacking import STACKERS
from tests.faulty.faults.competition import not_made
from tests.tables import prices, problem_of, survivors, tables
from tests.training.models import cross_validate_models, seeded


def test_a_name_is_looked_up_among_the_competitions_own_models_first_and_then_in_the_catalogue() -> None:
    problem = problem_of(survivors(), models={"linear": seeded, "own": seeded}, default=("own",))
    assert list(choose_models(problem)) == ["own"]
    assert choose_models(problem, ["linear", "boosting"]) == {"linear": seeded, "boosting": model("boosting")}


def test_a_budget_adds_the_models_that_the_competition_keeps_for_one() -> None:
    problem = replace(problem_of(survivors(), models={"own": seeded}, default=("own",)), budgeted=("linear",))
    assert list(choose_models(problem)) == ["own"]
    assert list(choose_models(problem, budget=60.0)) == ["own", "linear", *STACKERS]
    alone = replace(problem, budgeted=())
    assert list(choose_models(alone, budget=60.0)) == ["own"]
    assert list(choose_models(problem, ["boosting"], budget=60.0)) == ["boosting"]


def test_default_models_that_are_listed_among_those_of_a_budget_are_trained_in_that_order() -> None:
    models = dict.fromkeys(("quick", "good", "slow", "long"), seeded)
    order = ("good", "long", "slow")
    problem = problem_of(survivors(), models=models, default=("quick", "slow", "good"), budgeted=order)
    assert [*choose_models(problem, budget=60.0)] == ["quick", *order, *STACKERS]
    assert [*choose_models(problem)] == ["quick", "slow", "good"]
    assert problem.budgeted == ("long",)


@pytest.mark.parametrize(("classes", "second"), [(7, "boosting-random"), (2, "linear")])
def test_where_there_are_many_classes_and_rows_a_budget_trains_random_cut_points_early_and_a_larger_net(
    classes: int, second: str
) -> None:
    n = 8_000
    X = pd.DataFrame({"id": np.arange(n), "x": np.random.default_rng(0).normal(size=n)})
    test = X.head(10).assign(id=np.arange(n, n + 10))
    made = tables(X.assign(kind=np.arange(n) * 7919 % classes), test, test[["id"]].assign(kind=0))
    problem = problem_of(made, task="classification")
    assert (
        [*choose_models(problem)] == [*problem.default] == ["boosting", "linear", "catboost", "forest", "tabular-net"]
    )
    within = [*choose_models(problem, budget=60.0)]
    assert within[:2] == ["boosting", second]
    assert ("tabular-net-large" in within) == (classes > 2)
    assert sorted(within) == sorted([*problem.models, *STACKERS])


@pytest.mark.parametrize(
    ("longer", "trained"),
    [
        (model("photo-net", shape=(4, 4, 3), epochs=40, min_steps=1500), ["own", "long"]),
        (model("photo-net", shape=(4, 4, 3), epochs=40, zoom=0.3), ["own", "short", "long"]),
        (model("convnet", shape=(4, 4, 3), epochs=40), ["own", "short", "long"]),
    ],
    ids=["longer", "longer and zoomed", "another network"],
)
def test_within_a_budget_a_network_is_trained_long_instead_of_twice(longer: Factory, trained: list[str]) -> None:
    models = {"own": seeded, "short": model("photo-net", shape=(4, 4, 3)), "long": longer}
    problem = replace(problem_of(survivors(), models=models, default=("own", "short")), budgeted=("long",))
    assert [*choose_models(problem, budget=60.0)] == [*trained, *STACKERS]
    assert [*choose_models(problem)] == ["own", "short"]
    assert [*choose_models(problem, ["short"], budget=60.0)] == ["short"]


def test_only_networks_of_pictures_train_an_additional_seed_in_less_time() -> None:
    photo = model("photo-net", shape=(4, 4, 3))
    assert [shortest_share(one) for one in (photo, model("neural"), model("linear"), seeded)] == [0.5, 1, 1, 1]


def test_an_unknown_model_is_refused_with_the_closest_name() -> None:
    problem = problem_of(survivors(), models={"linear": seeded, "own": seeded}, default=("own",))
    with pytest.raises(UsageError, match=r"no model 'ow'\. Did you mean own\? The models are: linear, own, "):
        choose_models(problem, ["ow"])
    with pytest.raises(UsageError, match=r"no model 'bosting'\. Did you mean boosting\?"):
        choose_models(problem, ["bosting"])


def test_a_model_whose_factory_fails_is_skipped() -> None:
    found, _ = cross_validate_models(survivors(), {"sound": model("linear"), "not-made": not_made})
    assert found.skipped["not-made"] == "it failed: Model 'not-made' could not be created: ValueError: no such option"
    context = Context(task="classification")
    with pytest.raises(TrainingError, match="could not be created"):
        build_estimator("not-made", not_made, problem_of(survivors()), context)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_each_of_several_targets_has_a_column_of_predictions(task: str) -> None:
    made = prices(n=100)
    first = made.train["x"] > 0 if task == "classification" else made.train["x"]
    train = made.train.drop(columns="price").assign(a=first * 1, b=1 - first * 1)
    made = replace(made, train=train, sample=made.sample[["id"]].assign(a=0.5, b=0.5))
    problem = problem_of(made)
    assert (problem.targets, problem.task) == (("a", "b"), task)
    (found,) = cross_validate(problem, make_folds(problem), models={"linear": model("linear")}, jobs=1).models
    assert found.test.shape == (30, 2)
    assert np.corrcoef(found.oof[:, 0], train["a"])[0, 1] > 0.8
    assert np.corrcoef(found.oof[:, 0], found.oof[:, 1])[0, 1] < -0.9


def test_a_metric_on_the_log_scale_is_learned_on_the_log_scale() -> None:
    made = prices()
    errors = {}
    for metric in ("rmse", "rmsle"):
        problem = problem_of(made, metric=metric)
        (found,) = cross_validate(problem, make_folds(problem), models={"linear": model("linear")}, jobs=1).models
        errors[metric] = np.mean((np.log1p(found.oof[:, 0].clip(1)) - np.log1p(made.train["price"])) ** 2)
    assert errors["rmsle"] < errors["rmse"] / 2


@pytest.mark.parametrize(("values", "loss"), [(np.arange(80) % 40, "poisson"), (np.arange(80) % 10, "squared")])
def test_counts_are_learned_by_poissons_likelihood(values: np.ndarray, loss: str) -> None:
    made = prices()
    made.train["price"] = values.astype(float)
    problem = problem_of(made, metric="rmse")
    assert make_context(problem, seed=0, threads=1, device="cpu").loss == loss


class _Joint(LinearRegression):
    """An estimator that learns several targets at once."""

    def joint(self) -> LinearRegression:
        return LinearRegression()


def test_several_targets_get_one_estimator_where_it_can_learn_all() -> None:
    problem = problem_of(survivors())
    several = replace(problem, targets=("a", "b"), y=np.zeros((4, 2)), features=None)
    assert type(wrap_estimator(several, _Joint())) is LinearRegression
    assert isinstance(wrap_estimator(several, LinearRegression()), PerTarget)
    gaps = replace(several, y=np.full((4, 2), np.nan))
    assert isinstance(wrap_estimator(gaps, _Joint()), PerTarget)  # each target on the rows in which it is known


def test_features_of_a_model_of_a_sample_are_fitted_on_the_sample() -> None:
    problem = problem_of(survivors(), features=CountsRows())
    context = make_context(problem, seed=0, threads=1, device="cpu")
    made = build_estimator("quick-linear", model("quick-linear", rows=20), problem, context)
    fitted = made.fit(problem.X, problem.y)
    assert 20 <= fitted.estimator_[0].rows_ <= 22  # a row of each class is always among them
    assert fitted.predict_proba(problem.X_test).shape == (len(problem.X_test), 2)


class CountsRows(TransformerMixin, BaseEstimator):
    def fit(self, X: pd.DataFrame, y: Any = None) -> CountsRows:
        self.rows_ = len(X)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return X


@pytest.mark.parametrize(
    ("name", "expected"),
    [("neural", True), ("tabular-net", True), ("mlp", True), ("linear", False), ("boosting", False)],
)
def test_models_that_compute_on_the_gpu_are_recognised_by_their_parameters(name: str, expected: bool) -> None:
    problem = problem_of(survivors())
    for device in ("cpu", "cuda", "mps"):
        context = make_context(problem, seed=0, threads=1, device=device)
        estimator = build_estimator(name, model(name), problem, context)
        assert uses_gpu(estimator, device) == (expected and device != "cpu")


def test_estimators_of_other_libraries_name_the_gpu_in_their_own_ways() -> None:
    assert uses_gpu(LGBMClassifier(device_type="gpu"), "cuda")
    assert not uses_gpu(LGBMClassifier(), "cuda")
    assert uses_gpu(CatBoostClassifier(task_type="GPU"), "cuda")
    assert uses_gpu(object(), "cuda")  # nothing says that it does not
    assert not uses_gpu(object(), "cpu")
