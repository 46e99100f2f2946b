from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from kpipe.errors import TrainingError
from kpipe.models import model
from kpipe.problem.splitters import RowSplit
from kpipe.training.cross_validation import cross_validate
from kpipe.training.folds import make_folds
from kpipe.training.worker import FitTask, TrainingData, fit_predict, predict
from tests.faulty.faults.competition import faulty
from tests.tables import prices, problem_of, survivors
from tests.training.models import BatchMean, Broken, Echo, cross_validate_models

ROWS = np.arange(80)


def data_of(made: Any, target: str, outputs: int) -> TrainingData:
    return TrainingData(X=made.train[["x"]], y=made.train[target].to_numpy(), X_test=made.test[["x"]], outputs=outputs)


def task_of(estimator: BaseEstimator, fold: int = 0, valid: np.ndarray = ROWS[60:]) -> FitTask:
    return FitTask(model="m", fold=fold, seed=3, threads=1, estimator=estimator, train=ROWS[:60], valid=valid)


def test_a_fit_predicts_validation_and_test_rows_and_measures_itself() -> None:
    made = prices()
    result = fit_predict(task_of(Echo()), data_of(made, "price", 1))
    np.testing.assert_array_equal(result.valid[:, 0], made.train["x"][60:])
    np.testing.assert_array_equal(result.test[:, 0], made.test["x"])
    assert result.process == os.getpid()
    assert result.seconds > 0
    assert result.peak_memory_mib > 0
    assert not result.resumed


def test_a_fit_on_all_rows_has_no_validation_predictions() -> None:
    result = fit_predict(task_of(Echo(), fold=5, valid=ROWS[:0]), data_of(prices(), "price", 1))
    assert result.valid.shape == (0, 1)
    assert result.test.shape == (30, 1)


def test_the_name_of_a_fit_is_unique_within_a_run() -> None:
    assert task_of(Echo()).key == "m-seed3-fold0"


def test_batch_dependence_is_measured_on_the_first_fold_only() -> None:
    data = data_of(prices(), "price", 1)
    assert fit_predict(task_of(BatchMean()), data).batch_dependence > 0.01
    assert fit_predict(task_of(BatchMean(), fold=1), data).batch_dependence == 0
    assert fit_predict(task_of(Echo()), data).batch_dependence == 0


class CountsOfTheBatch(RegressorMixin, BaseEstimator):
    """Predicts how many of the rows that are predicted together share a row's value."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> CountsOfTheBatch:
        self.fitted_ = True
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        kind = (10 * X["x"]).round().astype(int) % 7
        return kind.map(kind.value_counts()).to_numpy(dtype=float)


class DummiesOfTheBatch(CountsOfTheBatch):
    """Predicts the place of a row's kind among the kinds of the rows that are predicted together."""

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return np.unique((10 * X["x"]).round().astype(int) % 3, return_inverse=True)[1].astype(float)


@pytest.mark.parametrize("made", [CountsOfTheBatch, DummiesOfTheBatch])
def test_batch_dependence_is_seen_where_only_a_few_rows_show_it(made: type[BaseEstimator]) -> None:
    given, seen = prices(n=80, m=90), []
    for seed in range(8):
        test = given.test.sample(frac=1, random_state=seed).reset_index(drop=True)
        seen.append(
            fit_predict(task_of(made()), data_of(replace(given, test=test), "price", 1)).batch_dependence > 0.01
        )
    assert sum(seen) >= 6


class OnlyOnce(RegressorMixin, BaseEstimator):
    """Raises when it predicts fewer rows than it has seen."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> OnlyOnce:
        self.most_ = 0
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        self.most_ = max(self.most_, len(X))
        if len(X) < self.most_:
            raise ValueError("another batch size")
        return X["x"].to_numpy()


def test_batch_dependence_is_infinite_where_the_rows_cannot_be_predicted_again() -> None:
    assert fit_predict(task_of(OnlyOnce()), data_of(prices(n=80, m=90), "price", 1)).batch_dependence == float("inf")


class NothingAlone(RegressorMixin, BaseEstimator):
    """Predicts NaN for a row without others, as scaling by the deviation of the batch does."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> NothingAlone:
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return X["x"].to_numpy() if len(X) > 1 else np.full(1, np.nan)


def test_batch_dependence_is_infinite_where_a_row_alone_has_no_prediction() -> None:
    assert fit_predict(task_of(NothingAlone()), data_of(prices(), "price", 1)).batch_dependence == float("inf")


class AddsColumn(RegressorMixin, BaseEstimator):
    """Adds a column to the table that it predicts."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> AddsColumn:
        self.fitted_ = True
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        X["y"] = 1.0
        return X["x"].to_numpy()


def test_a_column_that_a_model_adds_to_its_input_does_not_reach_the_next_model() -> None:
    data = data_of(prices(), "price", 1)
    fit_predict(task_of(AddsColumn(), fold=1), data)
    assert list(data.X_test) == list(data.X) == ["x"]


def test_a_class_that_a_fold_was_not_trained_on_has_probability_0() -> None:
    made = survivors()
    made.train["survived"] = [0] * 30 + [1] * 30 + [2] * 20
    problem = problem_of(made, splitter=RowSplit(60))
    (found,) = cross_validate(problem, make_folds(problem), models={"linear": model("linear")}, jobs=1).models
    assert found.test.shape == (30, 3)
    assert (found.test[:, 2] == 0).all()


@pytest.mark.parametrize("only", [0, 1])
def test_a_fold_that_was_trained_on_one_class_predicts_that_class(only: int) -> None:
    made = survivors()
    made.train["survived"] = [only] * 60 + [1 - only] * 20
    problem = problem_of(made, splitter=RowSplit(50))
    (found,) = cross_validate(problem, make_folds(problem), models={"boosting": model("boosting")}, jobs=1).models
    np.testing.assert_allclose(found.test, np.tile(np.eye(2)[only], (30, 1)), atol=1e-12)


def test_values_become_a_column() -> None:
    assert predict(Echo(), prices().test, 1).shape == (30, 1)


def test_an_error_of_a_model_keeps_its_traceback_as_a_note() -> None:
    with pytest.raises(TrainingError, match="failed on fold 1: RuntimeError: the matrix is singular") as caught:
        fit_predict(task_of(Broken()), data_of(survivors(), "survived", 2))
    assert "raise RuntimeError" in caught.value.__notes__[0]
    with pytest.raises(TrainingError, match="failed on all rows: RuntimeError"):
        fit_predict(task_of(Broken(), fold=5, valid=ROWS[:0]), data_of(survivors(), "survived", 2))


def test_a_model_that_exits_with_status_0_does_not_end_the_run() -> None:
    found, _ = cross_validate_models(survivors(), {"sound": model("linear"), "leaves": faulty("leaves")})
    assert [m.name for m in found.models] == ["sound"]
    assert found.skipped["leaves"] == "it failed: Model 'leaves' failed on fold 1: SystemExit: 0"
    with pytest.raises(TrainingError, match="SystemExit"):
        cross_validate_models(survivors(), {"leaves": faulty("leaves")})
