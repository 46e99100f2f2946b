"""Downloads: resumed, validated, by one process; against a Kaggle on loopback."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpipe.data import archives
from kpipe.errors import OutputError, RemoteError
from kpipe.kaggle import download as download_module
from kpipe.kaggle.client import connect
from kpipe.kaggle.download import download
from tests import kaggle_server
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


def in_parts(monkeypatch: pytest.MonkeyPatch, rest: Callable[[bytes, int], tuple[bytes, dict[str, str]]]) -> None:
    """The first response breaks off; the one to a request for the rest has the status 206, and ``rest`` of the file."""

    def serve(handler: Any) -> None:
        content = handler.kaggle.contests["titanic"].zip
        begin = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        headers = {"ETag": '"first"', "Content-Length": str(len(content))}
        sent = content if first.pop() else content[: len(content) // 2]
        first.append(True)
        if begin:
            sent, more = rest(content, begin)
            headers |= {"Content-Length": str(len(sent)), **more}
        handler.send_response(206 if begin else 200)
        for name, value in {**headers, "Connection": "close"}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(sent)
        handler.close_connection = True

    first = [False]
    monkeypatch.setattr(kaggle_server._Handler, "_file", serve)


PARTS: dict[str, Callable[[bytes, int], tuple[bytes, dict[str, str]]]] = {
    "from elsewhere": lambda whole, begin: (whole[begin + 9 :], {"Content-Range": f"bytes {begin + 9}-9/9"}),
    "of another version": lambda whole, begin: (
        whole[begin:][::-1],
        {"Content-Range": f"bytes {begin}-9/9", "ETag": '"second"'},
    ),
    "several": lambda whole, begin: (
        b"--x\r\n" + whole[begin:] + b"\r\n--x--",
        {"Content-Type": "multipart/byteranges; boundary=x"},
    ),
    "the whole": lambda whole, begin: (whole, {"Content-Range": f"bytes 0-{len(whole) - 1}/{len(whole)}"}),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_other_than_the_one_that_was_asked_for_is_never_appended(
    part: str, kaggle: KaggleServer, key: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(monkeypatch, PARTS[part])
    assert download(connect(), "titanic", tmp_path).read_bytes() == kaggle.contests["titanic"].zip


def test_a_part_that_nobody_asked_for_is_not_called_a_full_disk(
    kaggle: KaggleServer, key: None, tmp_path: Path
) -> None:
    """Of such a file, zipfile looks for members before its beginning, which is an OSError."""
    headers = {"Content-Range": "bytes 5-9/9", "Content-Type": "application/zip"}
    kaggle.faults.append(Misbehave("/files/", 206, raw=kaggle.contests["titanic"].zip[5:], headers=headers))
    with pytest.raises(RemoteError, match=r"is damaged \(the archive itself\), and was deleted\. Try again"):
        download(connect(), "titanic", tmp_path)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (
            b"\n<!doctype html><title>Hotel</title>",
            "it is a web page: is there a proxy or a network that you must log in",
        ),
        (b"", "it is empty"),
    ],
)
def test_an_answer_that_is_no_zip_is_named(
    sent: bytes, words: str, kaggle: KaggleServer, key: None, tmp_path: Path
) -> None:
    kaggle.faults.append(Misbehave("/files/", 200, raw=sent, headers={"Content-Type": "text/html"}))
    with pytest.raises(RemoteError, match=words):
        download(connect(), "titanic", tmp_path)


def test_bytes_that_cannot_be_resumed_are_not_said_to_be_kept(
    kaggle: KaggleServer, key: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an ETag, nobody knows whether the rest belongs to the same file."""
    headers = {"Content-Type": "application/zip", "Content-Length": "300000", "Connection": "close"}

    def serve(handler: Any) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(handler.kaggle.contests["titanic"].zip[:150_000])
        handler.close_connection = True

    monkeypatch.setattr(kaggle_server._Handler, "_file", serve)
    with pytest.raises(RemoteError, match=r"was interrupted 5 times\. Try again\."):
        download(connect(), "titanic", tmp_path)
