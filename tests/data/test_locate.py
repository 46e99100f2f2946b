from __future__ import annotations

import os
from pathlib import Path

import pytest

from kpipe.data.cache import cache_folder
from kpipe.data.loading import load
from kpipe.data.locate import locate
from kpipe.errors import DataError
from tests.data.small_competitions import assert_same, folder, zipped


def test_without_a_path_origins_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KPIPE_KAGGLE_ROOT", str(tmp_path))
    assert locate("titanic")[0] == "sample"
    folder(cache_folder() / "downloads" / "titanic")
    assert locate("titanic")[0] == "cache"
    folder(tmp_path / "input" / "titanic")
    assert locate("titanic")[:2] == ("kernel", tmp_path / "input" / "titanic")
    folder(tmp_path / "input" / "competitions" / "titanic")
    assert locate("titanic")[:2] == ("kernel", tmp_path / "input" / "competitions" / "titanic")
    assert load("titanic").source.origin == "kernel"
    monkeypatch.setenv("KPIPE_DATA", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    zipped(tmp_path / "mine" / "titanic.zip")
    assert locate("titanic")[0] == "zip"
    folder(tmp_path / "mine" / "titanic")
    assert locate("titanic")[0] == "directory"
    assert locate("titanic", tmp_path / "mine" / "titanic.zip")[0] == "zip"


def test_if_no_origin_has_the_files_the_error_suggests_a_name_and_options() -> None:
    with pytest.raises(DataError, match=r"No data .* 'titanix'.*Did you mean titanic\?.*--data titanix\.zip"):
        load("titanix")


def test_if_no_origin_has_the_files_the_error_lists_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KPIPE_DATA", str(tmp_path / "mine"))
    with pytest.raises(DataError, match=r"Searched: .*mine/titanix, .*mine/titanix\.zip, .*downloads"):
        load("titanix")


def test_a_path_too_long_for_the_file_system_does_not_exist() -> None:
    with pytest.raises(DataError, match="does not exist"):
        load("x", "a" * 5000)


def test_files_in_the_current_folder_are_taken_before_kaggle_and_the_sample_and_a_note_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder(tmp_path / "here"))
    found = load("titanic")
    assert (found.source.origin, found.source.path) == ("directory", tmp_path / "here")
    assert "kpipe reads train.csv and the files beside it in" in found.source.notes[0]
    zipped(tmp_path / "here" / "titanic.zip")
    found = load("titanic")
    assert (found.source.origin, found.source.path) == ("zip", tmp_path / "here" / "titanic.zip")
    assert "found in the current folder. To use other data: --data PATH" in found.source.notes[0]


def test_the_error_names_a_damaged_zip_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some-competition.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"some-competition\.zip is in the current folder, but it is not a zip archive"):
        load("some-competition")


def test_a_table_given_as_the_data_means_its_folder(tmp_path: Path) -> None:
    found = load("x", folder(tmp_path) / "train.csv")
    assert_same(found, load("x", tmp_path))
    assert "--data names the file train.csv: kpipe reads its folder" in found.source.notes[0]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_pipe_or_a_device_as_the_data_is_refused_and_not_read_without_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data.zip")
    for place in (tmp_path / "data.zip", Path("/dev/zero")):
        with pytest.raises(DataError, match=rf"{place} is neither a folder nor a file, but a pipe or a device"):
            load("x", place)


def test_an_archive_that_kpipe_cannot_open_is_named_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot open .*x\.tar\.gz; unpack it.*tar -xf x\.tar\.gz"):
        load("x", tmp_path / "x.tar.gz")
    (tmp_path / "train.csv.7z").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"lacks train\.csv.*cannot open train\.csv\.7z; unpack it: 7z x train\.csv\.7z"
    ):
        load("x", tmp_path)


def test_a_current_folder_that_was_removed_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert locate("titanic").origin == "sample"


@pytest.mark.parametrize("address", ["https://www.kaggle.com/competitions/titanic/data", "s3://bucket/titanic.zip"])
def test_an_address_is_refused_with_the_ways_to_get_its_files(address: str) -> None:
    with pytest.raises(DataError, match=r"is an address, .*download -c titanic\).*--data titanic\.zip.*kpipe doctor"):
        locate("titanic", address)
