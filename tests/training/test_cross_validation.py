from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyClassifier

from kpipe.core.values import Context, Folds, Predictions, Tables
from kpipe.errors import TrainingError, UsageError
from kpipe.models import model
from kpipe.problem.splitters import ByTime, RowSplit
from kpipe.runs.store import RunFolder
from kpipe.training.cross_validation import FitFinished, choose_models, cross_validate
from kpipe.training.folds import make_folds
from kpipe.training.worker import Deadline
from tests.tables import prices, problem_of, survivors


class Echo(RegressorMixin, BaseEstimator):
    """Predicts the row's own x, so that a prediction tells which row it was made for."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Echo:
        self.fitted_ = True
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return X["x"].to_numpy()


class Broken(ClassifierMixin, BaseEstimator):
    """Fails in the way it is told."""

    def __init__(self, how: str = "raise") -> None:
        self.how = how

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Broken:
        if self.how == "raise":
            raise RuntimeError("the matrix is singular")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        if self.how == "nan":
            return np.full((len(X), 2), np.nan)
        return np.ones((len(X) + 1, 2)) / 2


class Counted(DummyClassifier):
    """Leaves a file for each fit, which takes so many seconds; the first ones take none."""

    def __init__(self, folder: str = "", seconds: float = 0.0, quick: int = 0) -> None:
        super().__init__()
        self.folder, self.seconds, self.quick = folder, seconds, quick

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: None = None) -> Counted:
        Path(self.folder, f"{time.monotonic_ns()}").touch()
        if len(list(Path(self.folder).iterdir())) > self.quick:
            time.sleep(self.seconds)
        return super().fit(X, y)


def echo(context: Context) -> BaseEstimator:
    return Echo()


def broken(context: Context, how: str) -> BaseEstimator:
    return Broken(how)


def counted(context: Context, folder: str, seconds: float = 0.0, quick: int = 0) -> BaseEstimator:
    return Counted(folder, seconds, quick)


def steady(context: Context) -> BaseEstimator:
    return DummyClassifier(strategy="prior")


def seeded(context: Context) -> BaseEstimator:
    return DummyClassifier(strategy="stratified", random_state=context.seed)


def validated(made: Tables, models: dict, **options: object) -> tuple[Predictions, Folds]:
    competition = problem_of(made)
    folds = make_folds(competition)
    return cross_validate(competition, folds, models=models, **{"jobs": 1} | options), folds


def test_predictions_stand_in_the_row_they_were_made_for() -> None:
    made = prices()
    (found,) = validated(made, {"echo": echo})[0].models
    np.testing.assert_array_equal(found.oof[:, 0], made.train["x"])
    np.testing.assert_allclose(found.test[:, 0], made.test["x"])


def test_a_row_that_no_fold_validates_has_nan_and_never_0() -> None:
    made = prices()
    competition = problem_of(made, splitter=RowSplit(0.75))
    folds = make_folds(competition)
    (found,) = cross_validate(competition, folds, models={"echo": echo}, jobs=1).models
    assert np.isnan(found.oof[:60]).all()
    np.testing.assert_array_equal(found.oof[60:, 0], made.train["x"][60:])


def test_permuted_test_rows_get_permuted_predictions() -> None:
    made = survivors()
    order = np.random.default_rng(0).permutation(len(made.test))
    models = {name: model(name) for name in ("linear", "boosting")}
    straight, _ = validated(made, models)
    mixed, _ = validated(replace(made, test=made.test.iloc[order].reset_index(drop=True)), models)
    for a, b in zip(straight.models, mixed.models, strict=True):
        np.testing.assert_allclose(a.test[order], b.test)


def test_processes_give_the_bytes_that_one_process_gives() -> None:
    models = {name: model(name) for name in ("linear", "boosting")}
    alone, _ = validated(survivors(), models, jobs=1)
    together, _ = validated(survivors(), models, jobs=2)
    for a, b in zip(alone.models, together.models, strict=True):
        assert a.oof.tobytes() == b.oof.tobytes()
        assert a.test.tobytes() == b.test.tobytes()


def test_seeds_are_averaged() -> None:
    one, two, both = (validated(survivors(), {"m": seeded}, seeds=s)[0].models[0] for s in ([1], [2], [1, 2]))
    np.testing.assert_allclose(both.oof, (one.oof + two.oof) / 2)
    np.testing.assert_allclose(both.test, (one.test + two.test) / 2)


def test_a_class_that_a_fold_did_not_train_on_has_probability_0() -> None:
    made = survivors()
    made.train["survived"] = [0] * 30 + [1] * 30 + [2] * 20
    competition = problem_of(made, splitter=RowSplit(60))
    folds = make_folds(competition)
    (found,) = cross_validate(competition, folds, models={"linear": model("linear")}, jobs=1).models
    assert found.test.shape == (30, 3)
    assert (found.test[:, 2] == 0).all()


def test_what_was_finished_is_not_fitted_again(tmp_path: Path) -> None:
    told: list[FitFinished] = []
    (tmp_path / "fits").mkdir()
    options = {"parts": RunFolder(tmp_path), "tell": told.append}
    models = {"m": partial(counted, folder=str(tmp_path / "fits"))}
    first, _ = validated(survivors(), models, **options)
    assert len(list((tmp_path / "fits").iterdir())) == 5
    next((tmp_path / "parts").iterdir()).write_bytes(b"torn")
    second, _ = validated(survivors(), models, **options)
    assert len(list((tmp_path / "fits").iterdir())) == 6
    assert first.models[0].oof.tobytes() == second.models[0].oof.tobytes()
    assert [done.resumed for done in told].count(True) == 4


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raise", r"Model 'm' failed on fold \d: RuntimeError: the matrix is singular"),
        ("nan", r"Model 'm', fold \d: 16 of 16 predictions are not finite numbers"),
        ("shape", r"Model 'm', fold \d: predictions must have the shape \(16, 2\), however: \(17, 2\)"),
    ],
)
def test_a_model_that_fails_is_named_with_its_fold(how: str, words: str, jobs: int) -> None:
    with pytest.raises(TrainingError, match=words):
        validated(survivors(), {"m": partial(broken, how=how)}, jobs=jobs)


@pytest.mark.slow  # workers that were stopped take seconds to be back, and more on a machine that is busy
def test_a_budget_leaves_out_what_would_not_end_in_time(tmp_path: Path) -> None:
    quick, slow = partial(counted, folder=str(tmp_path)), partial(counted, folder=str(tmp_path), seconds=600.0)
    found, _ = validated(survivors(), {"quick": quick, "slow": slow, "last": seeded}, clock=Deadline(40.0), jobs=2)
    assert [m.name for m in found.models] == ["quick", "last"]
    assert "budget of 40 s" in found.left_out["slow"]


def test_a_model_that_never_ends_is_stopped_when_the_time_is_up(tmp_path: Path) -> None:
    quick, endless = partial(counted, folder=str(tmp_path)), partial(counted, folder=str(tmp_path), seconds=600.0)
    began = time.monotonic()
    found, _ = validated(survivors(), {"quick": quick, "endless": endless}, clock=Deadline(6.0), jobs=1)
    assert time.monotonic() - began < 12
    assert [m.name for m in found.models] == ["quick"]
    assert "endless" in found.left_out


@pytest.mark.slow
def test_folds_that_ended_count_where_nothing_else_did_and_those_that_did_not_are_counted_too(tmp_path: Path) -> None:
    stuck = partial(counted, folder=str(tmp_path), seconds=600.0, quick=2)
    validated(survivors(), {"steady": steady}, jobs=2)  # workers are there before the clock runs
    found, folds = validated(survivors(), {"stuck": stuck}, clock=Deadline(5.0), jobs=2)
    (only,) = found.models
    predicted = ~np.isnan(only.oof).any(axis=1)
    assert predicted.sum() == 32
    assert {int(predicted[valid].mean()) for valid in folds.valid} == {0, 1}
    assert found.left_out == {"stuck (3 of 5 fits)": "it would not have ended within the budget of 5 s"}
    with pytest.raises(TrainingError, match=r"No model was trained\. stuck: .*give a longer --budget"):
        validated(survivors(), {"stuck": stuck}, clock=Deadline(0.0))


@pytest.mark.slow
def test_a_first_model_that_never_ends_leaves_time_for_a_quicker_one(tmp_path: Path) -> None:
    endless = partial(counted, folder=str(tmp_path), seconds=600.0)
    found, _ = validated(survivors(), {"endless": endless, "quick": seeded}, clock=Deadline(6.0), jobs=1)
    assert [m.name for m in found.models] == ["quick"]


def test_time_that_is_left_buys_further_seeds_of_what_a_seed_changes(tmp_path: Path) -> None:
    told: list[FitFinished] = []
    validated(
        survivors(), {"alike": steady, "seeded": seeded}, deadline=Deadline(60.0), on_fit_done=told.append, jobs=1
    )
    trained = {name: {done.seed for done in told if done.model == name} for name in ("alike", "seeded")}
    assert trained == {"alike": {0, 1}, "seeded": {0, 1, 2, 3, 4, 5}}


def test_a_model_that_fails_beside_others_is_left_out_with_its_reason() -> None:
    found, _ = validated(survivors(), {"sound": seeded, "broken": partial(broken, how="raise")}, jobs=1)
    assert [m.name for m in found.models] == ["sound"]
    assert "the matrix is singular" in found.left_out["broken"]


def test_by_time_the_test_rows_are_predicted_by_a_model_of_all_rows() -> None:
    made = prices(n=90)
    train = made.train.assign(day=pd.date_range("2020-01-01", periods=90).astype(str))
    made = replace(made, train=train, test=made.test.assign(day="2021-01-01"))
    competition = problem_of(made, splitter=ByTime("day"), features=None, columns=("x",))
    folds = make_folds(competition)
    (found,) = cross_validate(competition, folds, models={"linear": model("linear")}, jobs=1).models
    assert folds.refit
    assert np.isnan(found.oof[:45]).all()
    assert np.isfinite(found.oof[45:]).all()
    alone = model("linear")(Context(task="regression")).fit(train[["x"]], train["price"])
    assert found.test[:, 0] == pytest.approx(alone.predict(made.test[["x"]]))


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_several_targets_have_a_column_of_predictions_each(task: str) -> None:
    made = prices(n=100)
    first = made.train["x"] > 0 if task == "classification" else made.train["x"]
    train = made.train.drop(columns="price").assign(a=first * 1, b=1 - first * 1)
    made = replace(made, train=train, sample=made.sample[["id"]].assign(a=0.5, b=0.5))
    competition = problem_of(made)
    assert (competition.targets, competition.task) == (("a", "b"), task)
    folds = make_folds(competition)
    (found,) = cross_validate(competition, folds, models={"linear": model("linear")}, jobs=1).models
    assert found.test.shape == (30, 2)
    assert np.corrcoef(found.oof[:, 0], train["a"])[0, 1] > 0.8
    assert np.corrcoef(found.oof[:, 0], found.oof[:, 1])[0, 1] < -0.9


def test_a_metric_on_the_log_scale_is_learned_on_the_log_scale() -> None:
    made = prices()
    errors = {}
    for metric in ("rmse", "rmsle"):
        competition = problem_of(made, metric=metric)
        folds = make_folds(competition)
        (found,) = cross_validate(competition, folds, models={"linear": model("linear")}, jobs=1).models
        errors[metric] = np.mean((np.log1p(found.oof[:, 0].clip(1)) - np.log1p(made.train["price"])) ** 2)
    assert errors["rmsle"] < errors["rmse"] / 2


def test_labels_keep_their_order_and_spelling() -> None:
    made = survivors()
    made.train["survived"] = np.where(made.train["survived"] == 1, "yes", "no")
    predictions, _ = validated(made, {"linear": model("linear")})
    assert predictions.classes is not None
    assert predictions.classes.tolist() == ["no", "yes"]
    right = predictions.models[0].oof.argmax(axis=1) == (made.train["survived"] == "yes")
    assert right.mean() > 0.7


def test_models_are_the_competitions_own_first_then_the_catalogues() -> None:
    competition = problem_of(survivors(), models={"linear": seeded, "own": seeded}, default=("own",))
    assert list(choose_models(competition)) == ["own"]
    assert choose_models(competition, ["linear", "boosting"]) == {"linear": seeded, "boosting": model("boosting")}
    richer = replace(competition, budgeted=("linear",))
    assert list(choose_models(richer)) == ["own"]
    assert list(choose_models(richer, budget=60.0)) == ["own", "linear"]
    assert list(choose_models(richer, ["boosting"], budget=60.0)) == ["boosting"]
    with pytest.raises(UsageError, match=r"no model 'ow'\. Did you mean own\? The models are: linear, own, boosting"):
        choose_models(competition, ["ow"])
    with pytest.raises(UsageError, match=r"no model 'bosting'\. Did you mean boosting\?"):
        choose_models(competition, ["bosting"])
