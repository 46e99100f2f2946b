"""Mistakes planted in a module or an estimator are caught and named; an honest module passes every check."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold

import kpipe
from kpipe.checks.spoilt_files import with_mounts
from kpipe.cli.main import main
from kpipe.core.values import Tables
from kpipe.errors import DataError
from tests.modules import SLOW, STASH, Logistic, clean, finding, findings, model, on_tables

MOUNTS = pytest.mark.skipif(
    with_mounts({Path("/dev/null"): Path("/dev/null")}, ["true"]) == ["true"], reason="no mount namespaces here"
)


def test_a_module_without_mistakes_passes_every_check(files: Path) -> None:
    assert findings(files) == {}
    assert findings(files, postprocess=lambda predictions, tables: np.clip(predictions, 0.01, 0.99)) == {}


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
        (RowsShort, "fits succeed", ["predictions must have the shape (134, 2); got (133, 2)"]),
        pytest.param(Outer, "fits succeed", ["predictions must have the shape (134, 2); got (134, 134)"], marks=SLOW),
        (
            ScaledByItsBatch,
            "batch dependence",
            ["logistic changes its predictions", "a scaler or a mean fitted in predict"],
        ),
        pytest.param(Sorted, "batch dependence", ["in another order, or one of them alone"], marks=SLOW),
        (FromTheFrameItKept, "batch dependence", ["cached predictions"]),
        (
            OtherClassFirst,
            "models better than the baseline",
            ["With the two classes swapped it would have 0.", "decoded in the wrong order"],
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
    found = finding(files, name, **model(made))
    assert found.status == "fail"
    assert [word for word in words if word not in found.detail] == []


def test_a_random_estimator_is_not_reported_to_use_validation_rows(files: Path) -> None:
    found = findings(files, **model(Unseeded))
    assert found["reproducible fits"].status == "fail"
    leak = found["validation rows leak into fitting"]
    assert leak.status == "warn"
    assert "Make fits reproducible first" in leak.detail


@SLOW
def test_an_estimator_that_gives_most_rows_the_same_prediction_is_a_warning(files: Path) -> None:
    found = finding(files, "collapsed predictions", **model(NearlyConstant))
    assert found.status == "warn"
    assert "of the out-of-fold rows the same prediction" in found.detail


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
def test_a_loss_that_broadcasts_fails(files: Path) -> None:
    found = findings(files, metric="rmse", task="regression", **model(Broadcasting))
    assert found["constant predictions"].status == "fail"
    assert "a loss of shapes (n,) and (n, 1), which broadcasts to (n, n)" in found["constant predictions"].detail
    assert found["better than the baseline"].status in ("warn", "fail")


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


def test_a_feature_that_looks_up_the_target_fails(files: Path) -> None:
    found = finding(files, "validation rows leak into fitting", clean=on_tables(stashed), features=KnowsTheTarget())
    assert found.status == "fail"
    assert "only the targets of its validation rows change" in found.detail


@SLOW
def test_a_leaking_target_is_found_with_shuffled_targets(files: Path) -> None:
    class KnowsAll(KnowsTheTarget):
        def transform(self, X: pd.DataFrame) -> pd.DataFrame:
            return X.assign(double=STASH["train"]["survived"].reindex(X.index).fillna(0.5).to_numpy())

    found = finding(files, "shuffled-target test", clean=on_tables(stashed), features=KnowsAll())
    assert found.status == "fail"
    assert "cannot be learned, so the target leaks into the features" in found.detail


@SLOW
def test_scaling_fitted_on_validation_rows_fails(files: Path) -> None:
    found = finding(files, "validation rows leak into fitting", clean=on_tables(stashed), features=ScaledByAll())
    assert found.status == "fail"
    assert "only the columns of its validation rows change" in found.detail


class SelectedByAll(TransformerMixin, BaseEstimator):
    """The two columns that hang together most with all targets of the stash."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> SelectedByAll:
        train = STASH["train"]
        self.chosen_ = list(train[list(X)].corrwith(train["survived"]).abs().sort_values().index[-2:])
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return X[self.chosen_]


@SLOW
def test_columns_that_are_chosen_by_all_targets_fail(files: Path) -> None:
    found = finding(files, "validation rows leak into fitting", clean=on_tables(stashed), features=SelectedByAll())
    assert found.status == "fail"
    assert "only the targets of its validation rows change" in found.detail


class FilledByTheBatch(TransformerMixin, BaseEstimator):
    def fit(self, X: Any, y: Any = None) -> FilledByTheBatch:
        self.fitted_ = True
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return X.ffill().fillna(0.0)


def with_missing_values(frame: pd.DataFrame) -> pd.DataFrame:
    made = clean(frame)
    return made.assign(x=made["x"].where(made["id"] % 11 != 0))


def test_values_that_are_filled_from_other_rows_fail(files: Path) -> None:
    found = findings(files, clean=kpipe.row_by_row(with_missing_values), features=FilledByTheBatch())
    assert {found[name].status for name in ("batch dependence", "rows with missing values")} == {"fail"}
    assert findings(files, clean=kpipe.row_by_row(with_missing_values), features=SimpleImputer()) == {}


def test_a_leak_is_found_although_clean_drops_rows(files: Path) -> None:
    def without_the_largest(tables: Tables) -> Tables:
        return stashed(replace(tables, train=tables.train[tables.train["x"] < 2].reset_index(drop=True)))

    found = findings(files, clean=on_tables(without_the_largest), features=KnowsTheTarget())
    assert found["validation rows leak into fitting"].status == "fail"
    assert found.keys() <= {"validation rows leak into fitting", "shuffled-target test"}


@SLOW
def test_early_stopping_on_validation_rows_fails(files: Path) -> None:
    found = finding(files, "validation rows leak into fitting", clean=on_tables(stashed), **model(StopsOnHeldOutRows))
    assert found.status == "fail"
    assert "fitted on the rows that are scored" in found.detail


def test_the_command_shows_every_check_and_its_status(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", "made-by-hand", "--data", str(files), "--model", "linear", "--jobs", "1"])
    captured = capsys.readouterr()
    assert ended.value.code == 0
    assert "pass validation rows leak into fitting: " in captured.out
    assert captured.out.splitlines()[-1].endswith("0 failed.")
    assert "Cross-validating again, with the target shuffled ..." in captured.err


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
        "tabular-playground-series-sep-2022",
        "spooky-author-identification",
    ],
)
def test_no_false_alarm_on_a_clean_competition(slug: str, kaggle_zip: Callable[[str], Path]) -> None:
    found = kpipe.check(slug, data=kaggle_zip(slug))
    assert [check for check in found if check.status != "pass"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slug", "metric"),
    [
        ("titanic", "f1"),
        ("titanic", "f1_macro"),
        ("playground-series-s3e2", "f1"),
        ("playground-series-s3e26", "f1_macro"),
        ("playground-series-s3e26", "f1_weighted"),
        ("playground-series-s3e25", "mape"),
    ],
)
def test_no_target_is_reported_to_leak_because_noise_beats_the_usual_constant(
    slug: str, metric: str, kaggle_zip: Callable[[str], Path]
) -> None:
    found = kpipe.check(slug, data=kaggle_zip(slug), metric=metric, models=["linear"])
    assert [check for check in found if check.status == "fail"] == []


def refuse_duplicates(tables: Tables) -> Tables:
    if tables.train.drop(columns="id").duplicated().sum() > 20:
        raise ValueError("rows are there twice")
    return tables


@SLOW
def test_a_clean_that_raises_on_altered_rows_is_a_warning_of_one_check_only(
    files: Path,
) -> None:
    found = findings(files, clean=on_tables(refuse_duplicates))
    assert {name: check.status for name, check in found.items()} == {"validation rows leak into fitting": "warn"}
    assert (
        "This check could not be completed (ValueError: rows are there twice)"
        in found["validation rows leak into fitting"].detail
    )


def with_lists(frame: pd.DataFrame) -> pd.DataFrame:
    return clean(frame).assign(parts=[[1, 2]] * len(frame))


def test_a_clean_that_makes_a_column_of_lists_is_refused(files: Path) -> None:
    with pytest.raises(
        DataError, match=r"train.csv, column 'parts', row 1: after clean a cell must hold a single value; got a list"
    ):
        findings(files, clean=kpipe.row_by_row(with_lists), columns=("x", "parts"))


class CachedByShape(Logistic):
    """Keeps the first fit of each shape, for the whole class."""

    cache: dict[Any, Any] = {}  # noqa: RUF012  # the mistake

    def fit(self, X: Any, y: Any) -> CachedByShape:
        super().fit(X, y)
        self.coef_ = self.cache.setdefault(X.shape[1], self.coef_)
        return self


class ByHash(Logistic):
    def fit(self, X: Any, y: Any) -> ByHash:
        super().fit(X, y)
        self.coef_ = self.coef_ * (1 + (hash("salt") % 1000) / 1000)
        return self


class ByOrderOfASet(Logistic):
    def fit(self, X: Any, y: Any) -> ByOrderOfASet:
        super().fit(X, y)
        # The whole order counts: the place of one name alone is the same in one pair of processes of seven.
        order = "".join({"1", "2", "3", "4", "5", "6", "7", "8", "9"})
        self.coef_ = self.coef_ * (1 + float(f"0.{order}"))
        return self


class ReadsTheFile(Logistic):
    path = ""

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self.path = path

    def fit(self, X: Any, y: Any) -> ReadsTheFile:
        super().fit(X, y)
        with open(self.path) as file:
            self.coef_ = self.coef_ + 0 * len(file.readline())
        return self


class ReadsTheFileThroughAnotherProgram(ReadsTheFile):
    """No file is opened by this process."""

    def fit(self, X: Any, y: Any) -> ReadsTheFileThroughAnotherProgram:
        Logistic.fit(self, X, y)
        read = subprocess.run(["cat", self.path], capture_output=True, text=True, check=True).stdout.splitlines()
        self.coef_ = self.coef_ + float(read[1].split(",")[read[0].split(",").index("x")])
        return self


class ByTheDate(Logistic):
    def fit(self, X: Any, y: Any) -> ByTheDate:
        super().fit(X, y)
        self.coef_ = self.coef_ * (1 + datetime.datetime.now().toordinal() / 1e6)
        return self


class KeptOnDisk(ReadsTheFile):
    """Writes its first fit to a file, and finds it there ever after."""

    def fit(self, X: Any, y: Any) -> KeptOnDisk:
        super(ReadsTheFile, self).fit(X, y)
        if Path(self.path).exists():
            self.coef_ = np.asarray(json.loads(Path(self.path).read_text()))
        else:
            Path(self.path).write_text(json.dumps(self.coef_.tolist()))
        return self


class KeptInEnvironment(Logistic):
    """Keeps its first fit in a variable that child processes inherit."""

    def fit(self, X: Any, y: Any) -> KeptInEnvironment:
        super().fit(X, y)
        self.coef_ = np.asarray(json.loads(os.environ.setdefault("FIRST_FIT", json.dumps(self.coef_.tolist()))))
        return self


class NeedsTheStash(Logistic):
    def fit(self, X: Any, y: Any) -> NeedsTheStash:
        super().fit(X, y)
        self.coef_ = self.coef_ * (1 + 0 * len(sys.modules["__main__"].stash))  # type: ignore[attr-defined]
        return self


class Keeps(StratifiedKFold):
    """A splitter that keeps what it has split, where estimators find it."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
        sys.modules["__main__"].stash = y  # type: ignore[attr-defined]
        return super().split(X, y, groups)


@SLOW
def test_a_module_without_mistakes_gives_the_same_predictions_in_a_fresh_process(files: Path) -> None:
    assert findings(files, fresh=True) == {}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        pytest.param(CachedByShape, "state is kept between fits", marks=SLOW),
        pytest.param(KeptInEnvironment, "state is kept between fits", marks=SLOW),
        pytest.param(ByHash, "it depends on hash()", marks=SLOW),
        pytest.param(ByOrderOfASet, "on the order of a set", marks=SLOW),
        (ReadsTheFile, "opens train.csv ("),
        pytest.param(ReadsTheFileThroughAnotherProgram, "the module reads the file by itself", marks=[SLOW, MOUNTS]),
        pytest.param(ByTheDate, "or on the clock", marks=SLOW),
        pytest.param(KeptOnDisk, "kept.json (", marks=SLOW),
        pytest.param(NeedsTheStash, "It depends on state of this process", marks=SLOW),
    ],
)
def test_what_one_process_hides_is_found_in_fresh_ones(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: type[BaseEstimator], words: str
) -> None:
    monkeypatch.setenv("FIRST_FIT", "")
    monkeypatch.delenv("FIRST_FIT")  # what a fit writes there ends with the test
    path = tmp_path / "kept.json" if made is KeptOnDisk else files / "train.csv"
    fields = {"path": str(path)} if issubclass(made, ReadsTheFile) else {}
    CachedByShape.cache.clear()
    splitter = Keeps(3) if made is NeedsTheStash else None
    models = {"logistic": lambda context: made(**fields)}
    found = finding(files, "memory between fits", splitter=splitter, models=models)
    assert found.status == "fail"
    assert words in found.detail
