"""Downloads: resumed, validated, by one process; against a Kaggle on loopback."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path

import pytest

from kpipe.data import archives
from kpipe.errors import OutputError, RemoteError
from kpipe.kaggle import download as download_module
from kpipe.kaggle.client import connect
from kpipe.kaggle.download import download
from tests.kaggle.conftest import random_zip
from tests.kaggle_server import KaggleServer, Misbehave


def test_a_zip_is_downloaded_once(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = download(connect(), "titanic", tmp_path / "deep", on_download=lambda done, size: told.append((done, size)))
    assert path.read_bytes() == kaggle.contests["titanic"].zip
    assert told[-1] == (path.stat().st_size,) * 2
    asked = len(kaggle.requested)
    assert download(connect(), "titanic", tmp_path / "deep") == path
    assert [p for p in kaggle.requested[asked:] if "Download" in p] == []
    assert sorted(p.name for p in path.parent.iterdir() if not p.name.endswith(".lock")) == ["titanic.zip"]


def test_a_broken_connection_is_resumed_where_it_broke(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    kaggle.faults.append(Misbehave("/files/", "cut_in_the_middle"))
    assert download(connect(), "titanic", tmp_path).read_bytes() == kaggle.contests["titanic"].zip


def test_a_download_that_broke_off_is_resumed_by_the_next_call(
    kaggle: KaggleServer, key: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "_TRIES", 1)
    kaggle.faults.append(Misbehave("/files/", "cut_in_the_middle"))
    with pytest.raises(RemoteError, match=r"was interrupted 1 times\. \d.* bytes are kept: run the same command again"):
        download(connect(), "titanic", tmp_path)
    assert not (tmp_path / "titanic.zip").exists()
    kept = (tmp_path / ".titanic.part").stat().st_size
    assert 0 < kept < len(kaggle.contests["titanic"].zip)
    told: list[int] = []
    path = download(connect(), "titanic", tmp_path, on_download=lambda done, size: told.append(done))
    assert path.read_bytes() == kaggle.contests["titanic"].zip
    assert told[0] > kept


def test_half_of_an_older_version_is_not_resumed(
    kaggle: KaggleServer, key: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "_TRIES", 1)
    kaggle.faults.append(Misbehave("/files/", "cut_in_the_middle"))
    with pytest.raises(RemoteError):
        download(connect(), "titanic", tmp_path)
    kaggle.contests["titanic"].zip = random_zip(200_000)
    assert download(connect(), "titanic", tmp_path).read_bytes() == kaggle.contests["titanic"].zip


@pytest.mark.parametrize("damage", ["truncated", "flipped", "a page"])
def test_a_damaged_zip_is_deleted_and_named(kaggle: KaggleServer, key: None, tmp_path: Path, damage: str) -> None:
    whole = kaggle.contests["titanic"].zip
    middle = len(whole) // 2
    kaggle.contests["titanic"].zip = {
        "truncated": whole[:middle],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "a page": b"<html>502 Bad Gateway</html>",
    }[damage]
    with pytest.raises(RemoteError, match="The downloaded zip of titanic is damaged"):
        download(connect(), "titanic", tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".zip", ".part")]


def test_a_zip_bomb_is_deleted_before_it_is_unpacked(
    kaggle: KaggleServer, key: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BOMB_BYTES", 1 << 20)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("train.csv", bytes(20 << 20))
    kaggle.contests["titanic"].zip = buffer.getvalue()
    with pytest.raises(RemoteError, match=r"damaged \(a zip bomb of 1 members, 20,971,520 bytes unpacked\)"):
        download(connect(), "titanic", tmp_path)
    assert not (tmp_path / "titanic.zip").exists()


def test_two_processes_download_a_zip_once(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    kaggle.faults.append(Misbehave("/files/", "slow", seconds=0.05))
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(download(connect(), "titanic", tmp_path))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [tmp_path / "titanic.zip"] * 2
    assert len([path for path in kaggle.requested if path.startswith("/files/")]) == 1


def test_rules_that_are_not_accepted_are_named_with_their_page(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    kaggle.contests["titanic"].rules_accepted = False
    with pytest.raises(RemoteError, match=r"https://www\.kaggle\.com/competitions/titanic/rules"):
        download(connect(), "titanic", tmp_path)


def test_a_folder_that_cannot_be_written_is_named(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be downloaded to .*file"):
        download(connect(), "titanic", tmp_path / "file")
