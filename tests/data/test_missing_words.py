from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.core.values import Tables
from kpipe.data.loading import load
from tests.data.small_competitions import folder


def read(tmp_path: Path, *, train: str, test: str, sample: str, text: tuple[str, ...] = ()) -> Tables:
    files = {"train.csv": train.encode(), "test.csv": test.encode(), "sample_submission.csv": sample.encode()}
    return load("x", folder(tmp_path / "x", files), text=text)


@pytest.mark.parametrize("word", ["None", "NA", "nan", "null"])
def test_a_class_that_the_sample_submission_shows_is_not_missing(word: str, tmp_path: Path) -> None:
    tables = read(
        tmp_path, train=f"id,y\n1,{word}\n2,Apnea\n3,\n", test="id\n4\n5\n", sample=f"id,y\n4,{word}\n5,{word}\n"
    )
    assert tables.train["y"].fillna("?").tolist() == [word, "Apnea", "?"]
    assert tables.sample["y"].tolist() == [word, word]


def test_none_is_a_class_of_a_target_without_empty_cells_whatever_the_sample_submission_shows(tmp_path: Path) -> None:
    tables = read(tmp_path, train="id,y\n1,None\n2,Apnea\n", test="id\n4\n", sample="id,y_None,y_Apnea\n4,0.5,0.5\n")
    assert tables.train["y"].tolist() == ["None", "Apnea"]


def test_na_among_the_numbers_of_a_target_is_missing_even_if_the_sample_submission_shows_it(tmp_path: Path) -> None:
    tables = read(tmp_path, train="id,y\n1,NA\n2,2.5\n", test="id\n4\n", sample="id,y\n4,NA\n")
    assert tables.train["y"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("cells", "missing"),
    [
        (["None", "", "a"], [False, True, False]),
        (["NA", "a", "a"], [True, False, False]),
        (["NA", "", "nan"], [True] * 3),
    ],
)
def test_one_word_beside_empty_cells_is_a_category(cells: list[str], missing: list[bool], tmp_path: Path) -> None:
    rows = "".join(f"{row},{cell},0\n" for row, cell in enumerate([*cells, "b"]))
    tables = read(tmp_path, train=f"id,x,y\n{rows}", test="id,x\n4,b\n", sample="id,y\n4,0\n")
    assert tables.train["x"].isna().tolist() == [*missing, False]


def test_a_column_that_is_read_as_text_has_only_empty_cells_missing(tmp_path: Path) -> None:
    tables = read(
        tmp_path, train="id,x,y\n1,NA,0\n2,,1\n3,7,0\n", test="id,x\n4,8\n", sample="id,y\n4,0\n", text=("x",)
    )
    assert tables.train["x"].fillna("?").tolist() == ["NA", "?", "7"]
