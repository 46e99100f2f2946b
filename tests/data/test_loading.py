from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe import competitions
from kpipe.data.loading import hash_files, load
from kpipe.errors import DataError
from tests.data.small_competitions import FILES, Make, assert_same, folder, zipped


def test_a_folder_and_a_zip_give_the_same_tables_and_the_same_hashes(tmp_path: Path) -> None:
    one, other = load("x", folder(tmp_path / "d")), load("x", zipped(tmp_path / "d.zip"))
    assert_same(one, other)
    assert (one.source.origin, other.source.origin) == ("directory", "zip")
    expected = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    assert one.source.files == other.source.files == expected
    assert hash_files("x", tmp_path / "d").files == hash_files("x", tmp_path / "d.zip").files == expected


EMPTY = {
    "an empty file": (FILES | {"train.csv": b""}, r"train\.csv is empty"),
    "only a header": (FILES | {"train.csv": b"id,x,name,y"}, r"train\.csv has no rows, only a header"),
}


@pytest.mark.parametrize("case", EMPTY)
@pytest.mark.parametrize("make", [folder, zipped])
def test_a_file_without_rows_is_refused(case: str, make: Make, tmp_path: Path) -> None:
    files, words = EMPTY[case]
    with pytest.raises(DataError, match=words):
        load("x", make(tmp_path / "x.zip", files))


@pytest.mark.slow
def test_pixels_take_one_byte_each(kaggle_zip) -> None:
    train = load("digit-recognizer", kaggle_zip("digit-recognizer"), id="ImageId").train
    assert train.memory_usage(index=False).sum() == 42_000 * (784 + 8)
    assert (train.dtypes[1:] == np.uint8).all()


def test_a_copy_of_the_embedded_sample_gives_the_same_tables(tmp_path: Path) -> None:
    home = competitions.folder("titanic")
    assert home is not None
    assert_same(load("titanic", shutil.copytree(home / "sample", tmp_path / "copy")), load("titanic"))


def test_spreadsheet_formulas_stay_text_and_ids_with_path_separators_name_no_file(tmp_path: Path) -> None:
    rows = [(f"../../id{n}", ["=cmd|' /C calc'!A0", "@SUM(1)"][n % 2], n % 2) for n in range(60)]
    train = pd.DataFrame(rows, columns=["id", "x", "y"])
    place = tmp_path / "data"
    place.mkdir()
    train.to_csv(place / "train.csv", index=False)
    test = train.head(20).assign(id=[f"/etc/id{n}" for n in range(20)])
    test[["id", "x"]].to_csv(place / "test.csv", index=False)
    test[["id", "y"]].to_csv(place / "sample_submission.csv", index=False)
    before = set(tmp_path.rglob("*"))
    assert load("x", place).train["x"].tolist() == train["x"].tolist()
    assert set(tmp_path.rglob("*")) == before
