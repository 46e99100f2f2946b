"""Bad input ends with what is wrong, where, and what to do: no traceback, and nothing half-written."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe import competitions
from kpipe.cli.main import main

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def titanic(tmp_path: Path) -> Path:
    """A folder of one's own with the sample's files."""
    folder = competitions.folder("titanic")
    assert folder is not None
    return Path(shutil.copytree(folder / "sample", tmp_path / "data"))


def edit(folder: Path, name: str, change: Change) -> None:
    path = folder / name
    change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)


def put(row: int, column: str, value: str) -> Change:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[row, column] = value
        return frame

    return change


def run(data: Path, out: Path, *more: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["run", "titanic", "--data", str(data), "--model", "linear", "--jobs", "1", "--out", str(out), *more])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> None:
    assert run(data, tmp_path / "out") == 2
    captured = capsys.readouterr()
    for word in words:
        assert word in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


CASES: dict[str, tuple[str, Change, tuple[str, ...]]] = {
    "train without the target": (
        "train.csv",
        lambda f: f.drop(columns="Survived"),
        ("train.csv", "target", "'Survived'"),
    ),
    "test without a feature": ("test.csv", lambda f: f.drop(columns="Sex"), ("test.csv lacks", "'Sex'")),
    "test without a column that clean needs": (
        "test.csv",
        lambda f: f.drop(columns="Fare"),
        ("test.csv lacks", "'Fare'"),
    ),
    "an id repeated in train": ("train.csv", put(5, "PassengerId", "1"), ("train.csv", "PassengerId", "1")),
    "an id repeated in test": ("test.csv", put(5, "PassengerId", "301"), ("test.csv", "PassengerId", "301")),
    "an id repeated in the sample": (
        "gender_submission.csv",
        put(5, "PassengerId", "301"),
        ("gender_submission.csv", "301"),
    ),
    "a target that is missing": ("train.csv", lambda f: f.assign(Survived=""), ("'Survived'", "missing in every row")),
    "a target of one class": ("train.csv", lambda f: f.assign(Survived="1"), ("'Survived'", "in every row")),
    "a class smaller than the folds": (
        "train.csv",
        lambda f: f.assign(Survived=["1"] * 3 + ["0"] * 297),
        ("class '1'", "3 rows", "5 folds", "--folds 3"),
    ),
    "no rows in train": ("train.csv", lambda f: f.head(0), ("train.csv has no rows",)),
    "no rows in test": ("test.csv", lambda f: f.head(0), ("test.csv has no rows",)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_table_is_refused_naming_the_place(
    case: str, titanic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, change, words = CASES[case]
    edit(titanic, name, change)
    refused(titanic, tmp_path, capsys, *words)


ODD = {
    "text in a number column": (
        "train.csv",
        put(15, "Age", "3O"),
        ("train.csv, line 17: 'Age' holds numbers except in 1 cell ('3O'), read as missing", "--text Age"),
    ),
    "text in a number column of test": ("test.csv", put(0, "SibSp", "one"), ("test.csv, line 2: 'SibSp'", "'one'")),
    "an infinite value": ("train.csv", put(3, "Fare", "inf"), ("train.csv, line 5: 'Fare' is infinite", "--text Fare")),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_cell_is_missing_and_the_run_says_where(
    case: str, titanic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, change, words = ODD[case]
    edit(titanic, name, change)
    assert run(titanic, tmp_path / "out", "--folds", "2") in (0, 1)
    said = " ".join(capsys.readouterr().err.split())
    assert all(word in said for word in words)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(tmp_path / "nowhere", tmp_path, capsys, str(tmp_path / "nowhere"))


def test_a_folder_without_train_is_refused_saying_what_it_holds(
    titanic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (titanic / "train.csv").unlink()
    refused(titanic, tmp_path, capsys, "train.csv", "gender_submission.csv")


@pytest.mark.parametrize("content", [b"", b"<html>Too many requests</html>", b"PK\x03\x04 not really"])
def test_a_file_that_is_no_zip_is_refused(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "titanic.zip").write_bytes(content)
    refused(tmp_path / "titanic.zip", tmp_path, capsys, "titanic.zip")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_a_truncated_zip_is_refused(
    share: float, titanic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "titanic.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in titanic.iterdir():
            archive.write(path, path.name)
    whole.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    refused(whole, tmp_path, capsys, "titanic.zip")


def test_a_sample_submission_of_other_ids_is_refused(
    titanic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(titanic, "gender_submission.csv", put(0, "PassengerId", "9999"))
    assert run(titanic, tmp_path / "out") == 1
    err = capsys.readouterr().err
    assert "9999" in err
    assert "[1/5]" not in err  # before training, not after
    assert not list((tmp_path / "out").rglob("submission.csv"))


def submitted(data: Path, out: Path) -> pd.DataFrame:
    assert run(data, out, "--quiet") == 0
    (path,) = out.rglob("submission.csv")
    return pd.read_csv(path)


def test_the_order_of_columns_and_of_test_rows_does_not_matter(titanic: Path, tmp_path: Path) -> None:
    before = submitted(titanic, tmp_path / "a")
    edit(titanic, "test.csv", lambda f: f[f.columns[::-1]].iloc[::-1])
    after = submitted(titanic, tmp_path / "b")
    pd.testing.assert_frame_equal(before, after)


def test_a_category_that_train_never_saw_is_predicted(titanic: Path, tmp_path: Path) -> None:
    edit(titanic, "test.csv", put(0, "Embarked", "Mars"))
    assert len(submitted(titanic, tmp_path / "out")) == 120


def test_a_test_file_of_one_row_is_predicted(titanic: Path, tmp_path: Path) -> None:
    for name in ("test.csv", "gender_submission.csv"):
        edit(titanic, name, lambda f: f.head(1))
    assert submitted(titanic, tmp_path / "out")["PassengerId"].tolist() == [301]


def test_any_single_broken_byte_ends_in_an_answer_or_in_words(
    titanic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty seeded corruptions of train.csv: never a traceback."""
    rng, path = np.random.default_rng(0), titanic / "train.csv"
    whole = path.read_bytes()
    for number in range(20):
        broken = bytearray(whole)
        for _ in range(3):
            broken[rng.integers(len(broken))] = rng.integers(256)
        path.write_bytes(bytes(broken))
        assert run(titanic, tmp_path / f"out{number}", "--quiet", "--folds", "2") in (0, 1, 2)
        assert "Traceback" not in capsys.readouterr().err
