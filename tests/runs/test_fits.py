"""No fit is trained twice: a run finds the fits of earlier runs by everything that their predictions depend on."""

from __future__ import annotations

import multiprocessing
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
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import kpipe
from kpipe import competitions
from kpipe.checks import refit
from kpipe.runs import fits
from kpipe.runs.fit_keys import FitKeys, columns_read, hash_column
from kpipe.runs.fits import FitFolder
from kpipe.training.worker import FitResult, FitTask, TrainingData, fit_predict
from tests.modules import write_files

X = pd.DataFrame(
    {
        "a": np.arange(20.0),
        "b": ["x", "y"] * 10,
        "c": np.arange(20),
        "d": pd.date_range("2020", periods=20),
        "e": [True, False] * 10,
    }
)
DATA = TrainingData(X=X, y=np.arange(20.0), X_test=X.head(5), outputs=1)
TASK = FitTask(model="m", fold=1, seed=0, threads=1, estimator=Ridge(), train=np.arange(10), valid=np.arange(10, 20))


def key(task: FitTask = TASK, data: TrainingData = DATA) -> str | None:
    return FitKeys(data).of(task)


@pytest.mark.parametrize(
    "change",
    [
        {"estimator": Ridge(alpha=2.0)},
        {"estimator": LinearRegression()},
        {"threads": 2},
        {"train": np.arange(11)},
        {"valid": np.arange(11, 20)},
    ],
)
def test_a_change_of_the_fit_changes_its_key(change: dict[str, object]) -> None:
    assert key(replace(TASK, **change)) != key()


@pytest.mark.parametrize("change", [{"model": "another name"}, {"fold": 2}, {"estimator": Ridge(alpha=1.0)}])
def test_names_do_not_change_the_key(change: dict[str, object]) -> None:
    assert key(replace(TASK, **change)) == key()


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X.assign(a=X["a"] + 1e-12),
        lambda X: X.assign(b=X["b"].replace("x", "z")),
        lambda X: X.assign(b=X["b"].astype("category")),
        lambda X: X.assign(c=X["c"].astype(float)),
        lambda X: X.drop(columns="c"),
        lambda X: X[["b", "a", "c", "d", "e"]],
        lambda X: X.assign(d=X["d"] + pd.Timedelta(1, "s")),
        lambda X: X.assign(e=~X["e"]),
        lambda X: X.assign(e=X["e"].astype("boolean").where(X.index > 0)),
        lambda X: X.rename(columns={"c": "other"}),
        lambda X: X.set_axis(X.index + 1),
    ],
)
def test_a_change_of_the_data_changes_the_key(change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    assert key(data=replace(DATA, X=change(X))) != key()
    assert key(data=replace(DATA, X_test=change(DATA.X_test))) != key()


def test_both_of_two_columns_of_one_name_count() -> None:
    twins = X[["a", "c"]].set_axis(["a", "a"], axis=1)
    assert key(data=replace(DATA, X=twins)) != key(data=replace(DATA, X=twins.assign(a=twins.iloc[:, 1])))
    changed = pd.concat([X["a"] + 1, X["c"].rename("a")], axis=1)
    assert key(data=replace(DATA, X=twins)) != key(data=replace(DATA, X=changed))


def test_only_the_targets_of_training_rows_count() -> None:
    other = np.where(np.arange(20) < 10, DATA.y, -1.0)
    assert key(data=replace(DATA, y=other)) == key()
    assert key(data=replace(DATA, y=-DATA.y)) != key()


def test_columns_that_an_estimator_does_not_read_do_not_count() -> None:
    some = make_pipeline(ColumnTransformer([("numbers", StandardScaler(), ["a", "c"])]), Ridge())
    assert columns_read(some) == {"a", "c"}
    task = replace(TASK, estimator=some)
    assert key(task, replace(DATA, X=X.drop(columns="b"), X_test=DATA.X_test.drop(columns="b"))) == key(task)
    assert columns_read(Ridge()) is None
    assert columns_read(ColumnTransformer([("n", StandardScaler(), ["a"])], remainder="passthrough")) is None


def test_an_estimator_whose_code_nobody_can_read_has_no_key() -> None:
    assert key(replace(TASK, estimator=make_pipeline(FunctionTransformer(lambda X: X), Ridge()))) is None


@given(st.lists(st.one_of(st.integers(-9, 9), st.floats(allow_nan=False), st.text(max_size=3), st.none()), min_size=1))
def test_equal_columns_have_equal_hashes_and_a_changed_cell_another(cells: list[object]) -> None:
    column = pd.Series(cells, dtype=object)
    assert hash_column(column) == hash_column(column.copy())
    assert hash_column(column) != hash_column(pd.Series([*cells[:-1], "another"], dtype=object))


@given(st.lists(st.one_of(st.text(max_size=3), st.none()), min_size=2, max_size=9), st.data())
def test_columns_of_text_have_the_hash_of_their_cells_however_they_are_stored(cells: list[Any], data: Any) -> None:
    column = pd.Series(cells, dtype="str")
    place = data.draw(st.integers(1, len(cells) - 1))
    parts = pd.concat([column[:place], column[place:]])
    sliced = pd.concat([column[:1], column])[1:]
    assert hash_column(column) == hash_column(parts) == hash_column(sliced)
    assert hash_column(column) != hash_column(pd.Series([*cells[:-1], f"{cells[-1]}, changed"], dtype="str"))
    assert hash_column(column) != hash_column(pd.Series([*cells, None], dtype="str"))


@pytest.mark.parametrize("wrap", [lambda array: array, lambda array: [array, 1], lambda array: {"a": (array,)}["a"]])
def test_a_column_of_long_arrays_is_hashed_by_all_of_their_numbers(wrap: Callable[[np.ndarray], object]) -> None:
    one, other = np.zeros(5_000), np.zeros(5_000)
    other[2_500] = 1.0  # in the middle, which the repr of an array leaves out

    def column(array: np.ndarray) -> pd.Series:
        return pd.Series([wrap(array), None], dtype=object)

    assert hash_column(column(one)) == hash_column(column(one.copy()))
    assert hash_column(column(one)) != hash_column(column(other))


def finished() -> FitResult:
    numbers = replace(DATA, X=X[["a", "c"]], X_test=DATA.X_test[["a", "c"]])
    return fit_predict(TASK, numbers)


def test_a_kept_fit_is_read_back_to_the_byte(tmp_path: Path) -> None:
    FitFolder(tmp_path).save(TASK, DATA, finished())
    kept = FitFolder(tmp_path).load(replace(TASK, model="renamed"), DATA)
    assert kept is not None
    assert kept.resumed
    assert kept.valid.tobytes() == finished().valid.tobytes()
    assert kept.test.tobytes() == finished().test.tobytes()


@pytest.mark.parametrize("where", [0, 40, -1])
def test_an_entry_with_one_changed_byte_is_not_used(tmp_path: Path, where: int) -> None:
    FitFolder(tmp_path).save(TASK, DATA, finished())
    (entry,) = tmp_path.iterdir()
    content = bytearray(entry.read_bytes())
    content[where] ^= 1
    entry.write_bytes(bytes(content))
    assert FitFolder(tmp_path).load(TASK, DATA) is None


def test_an_entry_of_another_user_or_under_another_name_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FitFolder(tmp_path / "fits")
    store.save(TASK, DATA, finished())
    (entry,) = store.folder.iterdir()
    other = replace(TASK, estimator=Ridge(alpha=2.0))
    (store.folder / f"{key(other)}.fit").write_bytes(entry.read_bytes())
    assert store.load(other, DATA) is None
    monkeypatch.setenv("KPIPE_CACHE", str(tmp_path / "of somebody else"))
    assert FitFolder(store.folder).load(TASK, DATA) is None


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_reuse(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FitFolder(tmp_path / "file" / "fits")
    store.save(TASK, DATA, finished())
    store.remove_oldest()
    assert store.load(TASK, DATA) is None


def test_the_entries_used_last_stay_when_the_store_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FitFolder(tmp_path)
    tasks = [replace(TASK, estimator=Ridge(alpha=float(number))) for number in range(1, 4)]
    for age, task in enumerate(tasks):
        store.save(task, DATA, finished())
        (path,) = tmp_path.glob(f"{key(task)}.fit")
        fits.os.utime(path, (age, age))
    store.load(tasks[0], DATA)
    monkeypatch.setattr(fits, "_MAXIMUM", 2 * path.stat().st_size)
    store.remove_oldest()
    assert [store.load(task, DATA) is not None for task in tasks] == [True, False, True]


def _save(folder: Path) -> None:
    for _ in range(20):
        FitFolder(folder).save(TASK, DATA, finished())


def test_two_processes_may_keep_the_same_fit_at_once(tmp_path: Path) -> None:
    processes = [multiprocessing.get_context("spawn").Process(target=_save, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert FitFolder(tmp_path).load(TASK, DATA) is not None
    assert len([*tmp_path.iterdir()]) == 1


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("made-by-hand"))


def trained(files: Path, folder: Path, **options: object) -> kpipe.Run:
    return kpipe.run("made-by-hand", data=files, out=folder, jobs=1, **{"models": ["linear"], "folds": 2, **options})


def reused(run: kpipe.Run) -> tuple[int, int]:
    return run.record["fits"]["reused"], run.record["fits"]["all"]


def test_a_run_reuses_the_fits_of_earlier_runs_and_gives_the_same_bytes(files: Path, tmp_path: Path) -> None:
    first = trained(files, tmp_path)
    again, more = trained(files, tmp_path), trained(files, tmp_path, models=["linear", "forest"])
    metric, fresh = trained(files, tmp_path, metric="log_loss"), trained(files, tmp_path, fresh=True)
    assert [reused(run) for run in (first, again, more, metric, fresh)] == [(0, 2), (2, 2), (2, 4), (2, 2), (0, 2)]
    for name in ("submission.csv", "oof.parquet", "test.parquet", "folds.parquet"):
        assert (first.path / name).read_bytes() == (again.path / name).read_bytes() == (fresh.path / name).read_bytes()


def test_another_seed_reuses_the_fits_of_the_first(files: Path, tmp_path: Path) -> None:
    trained(files, tmp_path, models=["boosting"])
    assert reused(trained(files, tmp_path, models=["boosting"], seeds=(0, 1))) == (2, 4)


def test_a_reproduction_trains_everything_again(tmp_path: Path) -> None:
    from kpipe import pipeline

    first = kpipe.run("titanic", data="sample", out=tmp_path, jobs=1, models=["linear"], folds=2)
    made = []
    found = pipeline.reproduce(str(first.path), out=tmp_path, on_fit_done=made.append)
    assert found.same
    assert [fit.resumed for fit in made] == [False] * 2


def test_workspaces_share_a_store_that_they_name(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KPIPE_FITS", str(tmp_path / "shared"))
    trained(files, tmp_path / "one")
    assert reused(trained(files, tmp_path / "two")) == (2, 2)


def test_a_check_reuses_the_fits_of_unaltered_tables_and_trains_its_experiments(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(refit, "REFIT_CHECKS", [check for check in refit.REFIT_CHECKS if "reproducible" in check.name])
    options: dict[str, Any] = {"data": files, "models": ["linear"], "jobs": 1, "folds": 3}
    before = kpipe.check("made-by-hand", **options)
    assert [*tmp_path.iterdir()] == []  # a check makes no folder
    kpipe.run("made-by-hand", **options)
    asked: list[int] = []
    load = FitFolder.load
    monkeypatch.setattr(FitFolder, "load", lambda *args: asked.append(args[1].fold) or load(*args))
    after = kpipe.check("made-by-hand", **options)
    details = {check.name: check.detail for check in after}
    assert details["fits succeed"].endswith("3 of 3 fits reused.")
    assert asked == [0, 1, 2]
    others = [[check for check in found if check.name != "fits succeed"] for found in (before, after)]
    assert others[0] == others[1]
    assert (
        "reused"
        not in {check.name: check.detail for check in kpipe.check("made-by-hand", fresh=True, **options)}[
            "fits succeed"
        ]
    )


def test_the_same_tables_are_checked_once(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    checks = kpipe.checks.table_checks
    monkeypatch.setattr(kpipe.checks, "table_checks", lambda *args, **given: made.append(1) or checks(*args, **given))
    first = trained(files, tmp_path)
    again = trained(files, tmp_path)
    assert made == [1]
    assert first.record["checks"] == again.record["checks"]
    for entry in (tmp_path / ".fits").iterdir():
        entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    trained(files, tmp_path)
    trained(files, tmp_path, fresh=True)
    assert len(made) == 3


MODULE = '''
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from kpipe import Competition, model


class Log(TransformerMixin, BaseEstimator):
    """TEXT"""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.assign(Fare=np.FUNCTION(X["Fare"]))


competition = Competition(
    slug="mine",
    columns=("Age", "Fare", "Pclass"),
    features=Log(),
    models={"linear": model("linear")},
    default=("linear",),
)
'''


def test_a_docstring_of_a_module_trains_nothing_and_a_line_of_its_features_everything(
    tmp_path: Path,
) -> None:
    folder, titanic = tmp_path / "competitions" / "mine", competitions.folder("titanic")
    assert titanic is not None
    folder.mkdir(parents=True)
    data = ["--data", str(titanic / "sample"), "--folds", "2"]
    command = [sys.executable, "-m", "kpipe", "run", "mine", *data, "--jobs", "1"]
    environment = os.environ | {"KPIPE_COMPETITIONS": str(folder.parent)}
    found = []
    for text, function in [("One.", "log1p"), ("Two.", "log1p"), ("Two.", "sqrt")]:
        (folder / "competition.py").write_text(MODULE.replace("TEXT", text).replace("FUNCTION", function))
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        found.append("2 of 2 fits were reused" in done.stdout)
    assert found == [False, True, False]
