from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.data.cache import cache_folder
from kpipe.data.loading import load
from kpipe.data.locate import locate
from kpipe.errors import DataError
from tests.data.places import folder, zipped


def test_without_a_path_origins_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KPIPE_KAGGLE_ROOT", str(tmp_path))
    assert locate("titanic")[0] == "sample"
    folder(cache_folder() / "downloads" / "titanic")
    assert locate("titanic")[0] == "cache"
    folder(tmp_path / "input" / "titanic")
    assert locate("titanic") == ("kernel", tmp_path / "input" / "titanic")
    folder(tmp_path / "input" / "competitions" / "titanic")
    assert locate("titanic") == ("kernel", tmp_path / "input" / "competitions" / "titanic")
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
    with pytest.raises(DataError, match=r"Looked for: .*mine/titanix, .*mine/titanix\.zip, .*downloads"):
        load("titanix")


def test_a_path_too_long_for_the_file_system_does_not_exist() -> None:
    with pytest.raises(DataError, match="does not exist"):
        load("x", "a" * 5000)


def test_the_error_points_at_a_zip_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some-competition.zip").write_bytes(b"PK")
    with pytest.raises(
        DataError, match=r"some-competition\.zip is in the current folder: add --data some-competition\.zip"
    ):
        load("some-competition")
