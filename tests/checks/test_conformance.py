"""Mistakes planted in a competition's module or estimator: each is caught, and named. The honest module is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin

import kpipe
from kpipe.cli.main import main
from kpipe.core.metrics import get_metric
from kpipe.core.values import Tables
from kpipe.errors import DataError
from tests.modules import HONEST, SLOW, STASH, Logistic, checked, clean, model, whole, written
from tests.tables import survivors


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("made-by-hand"))


def test_an_honest_module_passes_every_check(files: Path) -> None:
    assert checked(files) == {}
    assert checked(files, postprocess=lambda predictions, tables: np.clip(predictions, 0.01, 0.99)) == {}


# What an estimator may not do.


class RowsShort(Logistic):
    def predict_proba(self, X: Any) -> np.ndarray:
        return super().predict_proba(X)[1:]


class Outer(Logistic):
    """Scores (n,) against (n, 1): (n, n)."""

    def predict_proba(self, X: Any) -> np.ndarray:
        lived = super().predict_proba(X)[:, 1]
        return lived - lived[:, None]


class ScaledByItsBatch(Logistic):
    def predict_proba(self, X: Any) -> np.ndarray:
        return super().predict_proba(X - np.asarray(X).mean(axis=0))


class Sorted(Logistic):
    def predict_proba(self, X: Any) -> np.ndarray:
        return np.sort(super().predict_proba(X), axis=0)


class FromTheFrameItKept(Logistic):
    def fit(self, X: Any, y: Any) -> FromTheFrameItKept:
        super().fit(X, y)
        self.kept_ = super().predict_proba(X)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.kept_[: len(X)]


class OtherClassFirst(Logistic):
    def predict_proba(self, X: Any) -> np.ndarray:
        return super().predict_proba(X)[:, ::-1]


class Constant(Logistic):
    def predict_proba(self, X: Any) -> np.ndarray:
        return np.full((len(X), 2), 0.5)


class NearlyConstant(Logistic):
    def predict_proba(self, X: Any) -> np.ndarray:
        near = super().predict_proba(X)
        return np.where(near[:, :1] > 0.97, near, [0.9, 0.1])


class Unseeded(Logistic):
    def fit(self, X: Any, y: Any) -> Unseeded:
        rows = np.random.default_rng().integers(0, len(X), len(X))
        super().fit(X.iloc[rows], y[rows])
        return self


@pytest.mark.parametrize(
    ("made", "name", "words"),
    [
        (RowsShort, "fits succeed", ["predictions must have the shape (134, 2), however: (133, 2)"]),
        pytest.param(
            Outer, "fits succeed", ["predictions must have the shape (134, 2), however: (134, 134)"], marks=SLOW
        ),
        (
            ScaledByItsBatch,
            "batch dependence",
            ["logistic changes its predictions", "scaler or mean fitted in predict"],
        ),
        pytest.param(Sorted, "batch dependence", ["in another order, or one of them alone"], marks=SLOW),
        (FromTheFrameItKept, "batch dependence", ["predictions kept from an earlier call"]),
        (
            OtherClassFirst,
            "models better than the baseline",
            ["With its two classes swapped it would have 0.", "decoded the other way round"],
        ),
        pytest.param(
            Constant,
            "constant predictions",
            ["Every test row has the same prediction", "a loss of shapes (n,) and (n, 1)"],
            marks=SLOW,
        ),
        (Unseeded, "reproducible fits", ["fitted twice", "context.seed"]),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_an_estimator_with_a_mistake_fails(files: Path, made: type[BaseEstimator], name: str, words: list[str]) -> None:
    found = checked(files, **model(made))[name]
    assert found.status == "fail"
    assert [word for word in words if word not in found.detail] == []


@SLOW
def test_an_estimator_that_gives_most_rows_one_value_is_warned_about(files: Path) -> None:
    found = checked(files, **model(NearlyConstant))["collapsed predictions"]
    assert found.status == "warn"
    assert "of the out-of-fold rows one and the same prediction" in found.detail


class Broadcasting(RegressorMixin, BaseEstimator):
    """A linear model by gradient descent, whose loss sets predictions (n, 1) against targets (n,)."""

    def fit(self, X: Any, y: Any) -> Broadcasting:
        inputs = np.column_stack([np.ones(len(X)), X])
        self.weights_ = np.zeros((inputs.shape[1], 1))
        for _ in range(500):
            errors = inputs @ self.weights_ - np.asarray(y)  # (n, n): every prediction against every target
            self.weights_ -= 0.2 * inputs.T @ errors.mean(axis=1, keepdims=True) / len(inputs)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.column_stack([np.ones(len(X)), X]) @ self.weights_[:, 0]


@SLOW
def test_a_loss_that_broadcasts_ends_at_the_mean_and_fails(files: Path) -> None:
    found = checked(files, metric="rmse", task="regression", **model(Broadcasting))
    assert found["constant predictions"].status == "fail"
    assert "a loss of shapes (n,) and (n, 1), which broadcasts to (n, n)" in found["constant predictions"].detail
    assert found["better than the baseline"].status in ("warn", "fail")


# What was fitted on the rows that are scored.


def stashed(tables: Tables) -> Tables:
    """The whole table, where everything finds it."""
    STASH["train"] = tables.train
    return tables


class KnowsTheTarget(TransformerMixin, BaseEstimator):
    """Looks the target up by the index, rightly for a tenth of the rows only."""

    def fit(self, X: Any, y: Any = None) -> KnowsTheTarget:
        self.fitted_ = True
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        known = STASH["train"]["survived"].where(STASH["train"].index % 10 == 0, 0.5)
        return X.assign(double=known.reindex(X.index).to_numpy())


class ScaledByAll(TransformerMixin, BaseEstimator):
    def fit(self, X: Any, y: Any = None) -> ScaledByAll:
        self.mean_, self.spread_ = STASH["train"]["x"].mean(), STASH["train"]["x"].std()
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return X.assign(x=(X["x"] - self.mean_) / self.spread_)


class StopsOnHeldOutRows(ClassifierMixin, BaseEstimator):
    """Picks the strength of its regularisation by the rows that it was not given."""

    def fit(self, X: pd.DataFrame, y: Any) -> StopsOnHeldOutRows:
        held = STASH["train"].drop(index=X.index)
        others = held[list(X.columns)]
        tried = [Logistic(C=10.0**power).fit(X, y) for power in range(-4, 3)]
        scores = [-np.abs(one.predict_proba(others)[:, 1] - held["survived"]).mean() for one in tried]
        self.best_ = tried[int(np.argmax(scores))]
        self.classes_ = self.best_.classes_
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.best_.predict_proba(X)


def test_a_feature_that_looks_the_target_up_fails(files: Path) -> None:
    found = checked(files, clean=whole(stashed), features=KnowsTheTarget())
    assert found["validation rows leak into fitting"].status == "fail"
    assert "only the targets of its held-out rows change" in found["validation rows leak into fitting"].detail


@SLOW
def test_a_target_that_leaks_is_learnt_from_noise_too(files: Path) -> None:
    class KnowsAll(KnowsTheTarget):
        def transform(self, X: pd.DataFrame) -> pd.DataFrame:
            return X.assign(double=STASH["train"]["survived"].reindex(X.index).fillna(0.5).to_numpy())

    found = checked(files, clean=whole(stashed), features=KnowsAll())["shuffled-target test"]
    assert found.status == "fail"
    assert "there is nothing to learn, so the target is leaking" in found.detail


@SLOW
def test_scaling_fitted_on_held_out_rows_fails(files: Path) -> None:
    found = checked(files, clean=whole(stashed), features=ScaledByAll())["validation rows leak into fitting"]
    assert found.status == "fail"
    assert "only the columns of its held-out rows change" in found.detail


@SLOW
def test_early_stopping_on_held_out_rows_fails(files: Path) -> None:
    found = checked(files, clean=whole(stashed), **model(StopsOnHeldOutRows))["validation rows leak into fitting"]
    assert found.status == "fail"
    assert "fitted on the rows that are scored" in found.detail


# What comes after the models.


def threshold_by_the_targets(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    if len(predictions) != len(tables.train):
        return (predictions > 0.5).astype(float)
    y = tables.train["survived"].to_numpy()
    tried = np.linspace(0.2, 0.8, 61)
    best = tried[int(np.argmax([((predictions[:, 1] > cut) == y).mean() for cut in tried]))]
    lived = (predictions[:, 1] > best).astype(float)
    return np.column_stack([1 - lived, lived])


def joined_by_position(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    first_known = np.arange(len(predictions)) < 50
    return np.where(first_known[:, None], [0.2, 0.8], predictions)


def test_a_threshold_chosen_on_the_rows_that_are_scored_fails(files: Path) -> None:
    found = checked(files, postprocess=threshold_by_the_targets)
    assert found["postprocess leakage"].status == "fail"
    assert "chooses by the very targets" in found["postprocess leakage"].detail
    assert found["thresholds and weights cross-fitted"].status == "fail"


@SLOW
def test_values_joined_by_position_fail(files: Path) -> None:
    found = checked(files, postprocess=joined_by_position)["postprocess leakage"]
    assert found.status == "fail"
    assert "joins by position" in found.detail


def test_a_postprocess_that_works_in_place_passes_and_one_of_another_shape_is_refused(files: Path) -> None:
    def in_place(predictions: np.ndarray, tables: Tables) -> np.ndarray:
        predictions += 0.01
        return predictions

    assert checked(files, postprocess=in_place) == {}
    with pytest.raises(kpipe.KpipeError, match=r"must return an array of the shape it gets, \(400, 2\); got"):
        checked(files, postprocess=lambda predictions, tables: predictions[:, 1])
    with pytest.raises(kpipe.KpipeError, match="postprocess of made-by-hand failed: KeyError: 'no such column'"):
        checked(files, postprocess=lambda predictions, tables: tables.test["no such column"])


def test_a_metric_whose_direction_is_reversed_fails(files: Path) -> None:
    reversed_ = replace(get_metric("accuracy"), name="my_accuracy", greater_is_better=False)
    found = checked(files, metric=reversed_)["metric direction"]
    assert found.status == "fail"
    assert "my_accuracy gives the truth itself 1 and the majority class 0.5" in found.detail
    assert "its direction is reversed" in found.detail


@SLOW
def test_one_of_several_targets_that_is_always_the_same_fails(tmp_path: Path) -> None:
    made = survivors(n=200, m=60)
    made.train.assign(age=30 + 5 * made.train["x"]).to_csv(tmp_path / "train.csv", index=False)
    made.test.to_csv(tmp_path / "test.csv", index=False)
    made.sample.assign(survived=0.5, age=28.0).to_csv(tmp_path / "sample_submission.csv", index=False)

    class Always28(RegressorMixin, BaseEstimator):
        def fit(self, X: Any, y: Any) -> Always28:
            self.constant_ = 28.0 if y.max() > 1 else None
            return self

        def predict(self, X: Any) -> np.ndarray:
            return np.full(len(X), 28.0) if self.constant_ else np.asarray(X["x"])

    two = replace(HONEST, target=("survived", "age"), metric="rmse", task="regression", **model(Always28))
    found = {check.name: check for check in kpipe.check(two, data=tmp_path, folds=3, jobs=1)}["constant predictions"]
    assert found.status == "fail"
    assert "Every test row has the same value 28 for age" in found.detail


# The command.


def test_the_command_shows_every_check_and_its_status(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", "made-by-hand", "--data", str(files), "--model", "linear", "--jobs", "1"])
    captured = capsys.readouterr()
    assert ended.value.code == 0
    assert "pass validation rows leak into fitting: " in captured.out
    assert captured.out.splitlines()[-1].endswith("0 failed.")
    assert "... training again with the target shuffled" in captured.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "slug",
    [
        "titanic",
        "house-prices-advanced-regression-techniques",
        "spaceship-titanic",
        "digit-recognizer",
        "playground-series-s3e26",
        "playground-series-s3e25",
        "playground-series-s3e2",
    ],
)
def test_no_false_alarm_on_a_clean_competition(slug: str, kaggle_zip: Callable[[str], Path]) -> None:
    found = kpipe.check(slug, data=kaggle_zip(slug))
    assert [check for check in found if check.status != "pass"] == []


def refuses_copies(tables: Tables) -> Tables:
    if tables.train.drop(columns="id").duplicated().sum() > 20:
        raise ValueError("rows are there twice")
    return tables


@SLOW
def test_a_clean_that_refuses_rows_that_were_spoilt_on_purpose_costs_one_experiment_and_not_the_rest(
    files: Path,
) -> None:
    found = checked(files, clean=whole(refuses_copies))
    assert {name: check.status for name, check in found.items()} == {"validation rows leak into fitting": "warn"}
    assert (
        "It could not be made (ValueError: rows are there twice)" in found["validation rows leak into fitting"].detail
    )


def with_lists(frame: pd.DataFrame) -> pd.DataFrame:
    return clean(frame).assign(parts=[[1, 2]] * len(frame))


def test_a_clean_that_makes_a_column_of_lists_is_told_so(files: Path) -> None:
    with pytest.raises(
        DataError, match=r"train.csv, column 'parts', row 1: after clean a cell must hold a single value; got a list"
    ):
        checked(files, clean=kpipe.row_by_row(with_lists), columns=("x", "parts"))
