"""One table in several files, and tables that only their folder names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe.data.csv_reader import parse_csv
from kpipe.data.loading import load
from kpipe.data.parts import join_parts
from kpipe.data.tidying import tidy
from kpipe.errors import DataError
from tests.data.small_competitions import FILES, Make, assert_same, folder, without, zipped

HALVES = {"1": b"id,x,name,y\n1,0.5,a,0\n", "2": b"id,x,name,y\n2,,b,1\n3,2.5,a,0\n"}


@pytest.mark.parametrize("make", [folder, zipped])
@pytest.mark.parametrize("name", ["train_{}.csv", "train.csv/part-0{}.csv", "deep/Training-{}.csv"])
def test_a_table_in_numbered_parts_is_read_as_one(name: str, make: Make, tmp_path: Path) -> None:
    place = make(tmp_path / "x.zip", without("train.csv") | {name.format(n): rows for n, rows in HALVES.items()})
    found = load("x", place)
    assert_same(found, load("x", folder(tmp_path / "whole")))
    assert any("are read as one table, train, of 3 rows" in note for note in found.source.notes)


def test_parts_follow_their_numbers_and_an_error_names_the_part(tmp_path: Path) -> None:
    parts = {f"train_{n}.csv": f"id,x,name,y\n{n},1,a,{n % 2}\n".encode() for n in range(1, 12)}
    assert load("x", folder(tmp_path / "a", without("train.csv") | parts)).train["id"].tolist() == list(range(1, 12))
    parts["train_3.csv"] = parts["train_2.csv"]
    with pytest.raises(DataError, match=r"must not repeat a value; got 2 twice"):
        load("x", folder(tmp_path / "b", without("train.csv") | parts))


def test_parts_in_folders_of_parquet_are_read_as_one(tmp_path: Path) -> None:
    place = folder(tmp_path / "x", without("train.csv"))
    (place / "train.parquet").mkdir()
    for n in (0, 1):
        table = pd.DataFrame({"id": [n, n + 2], "x": 0.5, "name": "a", "y": [0, 1]})
        table.to_parquet(place / f"train.parquet/part-{n}.parquet")
    assert load("x", place).train["id"].tolist() == [0, 2, 1, 3]


def test_numbered_files_of_other_columns_are_refused_naming_them(tmp_path: Path) -> None:
    files = without("train.csv", train_1__csv=HALVES["1"], train_2__csv=b"id,day2,name,y\n2,,b,1\n")
    with pytest.raises(DataError, match=r"train_1\.csv and train_2\.csv may both be train.*day2, x\. .*--train FILE"):
        load("x", folder(tmp_path, files))


@pytest.mark.parametrize("make", [folder, zipped])
def test_tables_of_one_name_are_train_and_test_by_their_folders(make: Make, tmp_path: Path) -> None:
    files = {"train/data.csv": FILES["train.csv"], "test/data.csv": FILES["test.csv"]}
    sample = {"sample_submission.csv": FILES["sample_submission.csv"]}
    found = load("x", make(tmp_path / "x.zip", files | sample))
    assert_same(found, load("x", folder(tmp_path / "whole")))
    assert {"train/data.csv", "test/data.csv"} <= set(found.source.files)
    assert "kpipe reads train/data.csv as train, test/data.csv as test" in found.source.notes[0]


def test_development_and_evaluation_are_train_and_test(tmp_path: Path) -> None:
    files = {"development.csv": FILES["train.csv"], "evaluation.csv": FILES["test.csv"]}
    found = load("x", folder(tmp_path / "x", files | {"sample_submission.csv": FILES["sample_submission.csv"]}))
    assert_same(found, load("x", folder(tmp_path / "whole")))


def test_of_several_numbered_pairs_none_is_joined(tmp_path: Path) -> None:
    files = {"train_1.csv": FILES["train.csv"], "train_2.csv": HALVES["2"], "test_1.csv": FILES["test.csv"]}
    found = load("x", folder(tmp_path, files | {"sample_submission.csv": FILES["sample_submission.csv"]}))
    assert found.train["id"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("cell", ["a", '"a"'])
def test_an_id_that_repeats_in_another_part_is_refused_with_the_place_in_each_file(cell: str, tmp_path: Path) -> None:
    rows = {"1": f"id,x,name,y\n1,0.5,{cell},0\n", "2": f"id,x,name,y\n2,,b,1\n1,2.5,{cell},0\n"}
    parts = {f"train_{n}.csv": text.encode() for n, text in rows.items()}
    with pytest.raises(DataError, match=r"got 1 twice \(train_1\.csv, line 2 and train_2\.csv, line 3\)") as error:
        load("x", folder(tmp_path, without("train.csv") | parts))
    assert (error.value.where["file"], error.value.where["line"]) == ("train_2.csv", 3)


def test_rows_that_are_taken_from_a_table_in_parts_keep_their_file_and_line() -> None:
    first, second = (
        tidy(parse_csv(f"train_{n}.csv", text))
        for n, text in enumerate((b"id,y\n1,0\nid,y\n2,\n3,1\n", b'id,y\n4,\n5,"1"\n6,0\n'), start=1)
    )
    whole = join_parts("train", [first, second])
    taken = whole.take(np.array([0, 2, 4, 5]))
    assert taken.columns["id"].to_pylist() == ["1", "3", "5", "6"]
    places = ["train_1.csv, line 2", "train_1.csv, line 5", "train_2.csv, line 3", "train_2.csv, line 4"]
    assert [taken.place(row) for row in range(4)] == places
