from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import zipfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpipe.data import archives
from kpipe.data.loading import load
from kpipe.errors import DataError
from tests.data.small_competitions import FILES, Make, folder, inner_zip, without, zipped, zipped_members
from tests.hostile import PLAIN, damaged


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_zip_without_permission_to_read_is_named_in_the_error(tmp_path: Path) -> None:
    place = zipped(tmp_path / "x.zip")
    place.chmod(0)
    with pytest.raises(DataError, match=r"x\.zip cannot be read: Permission denied"):
        load("x", place)


def test_an_encrypted_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    place = zipped(tmp_path / "x.zip")
    raw = bytearray(place.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # the flag of the first member, in the central directory
    place.write_bytes(raw)
    with pytest.raises(DataError, match=r"train\.csv is encrypted\. Unpack it, and pass the folder with --data"):
        load("x", place)


@pytest.mark.parametrize("declared", [5, 10_000_000])
def test_a_zip_with_a_wrong_size_gives_the_right_bytes_or_an_error(declared: int, tmp_path: Path) -> None:
    place = zipped(tmp_path / "x.zip")
    raw = bytearray(place.read_bytes())
    at = raw.index(b"PK\x01\x02") + 24  # the first member's size unpacked, in the central directory
    raw[at : at + 4] = declared.to_bytes(4, "little")
    place.write_bytes(raw)
    if declared > len(FILES["train.csv"]):
        assert load("x", place).source.files["train.csv"] == hashlib.sha256(FILES["train.csv"]).hexdigest()
    else:
        with pytest.raises(DataError, match=r"train\.csv is broken: Bad CRC-32"):
            load("x", place)


def test_a_flipped_bit_in_a_zip_is_detected(tmp_path: Path) -> None:
    place = tmp_path / "x.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    raw = bytearray(place.read_bytes())
    raw[raw.index(b"0.5,a")] ^= 1
    place.write_bytes(raw)
    with pytest.raises(DataError, match=r"train\.csv is broken: Bad CRC-32"):
        load("x", place)


@pytest.mark.parametrize("ending", ["", ".gz", ".zip"])
def test_a_file_that_unpacks_to_more_than_kpipe_reads_is_refused(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = FILES["train.csv"] + b"\n" * 100_000
    pack = {"": lambda content: content, ".gz": gzip.compress, ".zip": inner_zip}[ending]
    place = zipped(tmp_path / "x.zip", without("train.csv", **{f"train__csv{ending}": pack(bomb)}))
    monkeypatch.setattr(archives, "_MAX_BYTES", 10_000)
    monkeypatch.setattr(archives, "_CHUNK", 1_000)
    with pytest.raises(DataError, match=rf"train\.csv{ending} unpacks to more than 10000 bytes, more than kpipe reads"):
        load("x", place)


def test_a_zip_bomb_is_refused_before_it_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_BOMB_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (FILES | {"train.csv": b"id,x,name,y\n" + b"0" * (8 << 20)}).items():
            archive.writestr(name, content)
    with pytest.raises(DataError, match=r"train\.csv unpacks to more than 500 times its \d+ bytes.*pass the folder"):
        load("x", tmp_path / "x.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_bomb_of_any_compression_method_is_refused(
    method: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BOMB_BYTES", 1 << 16)
    bomb = b"id,x,y\n" + b"1,2,0\n" * (1 << 17)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", method) as archive:
        archive.writestr("train.csv", bomb)
    for name, content in (("train.csv", bomb), ("train.csv.zip", inner.getvalue())):
        with pytest.raises(DataError, match=r"unpacks to more than 500 times"):
            load("x", zipped_members(tmp_path / "x.zip", [(name, content), *list(FILES.items())[1:]], method))


def test_a_zip_nested_twice_is_refused(tmp_path: Path) -> None:
    content = FILES["train.csv"]
    for _ in range(2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("train.csv.zip" if content[:2] == b"PK" else "train.csv", content)
        content = buffer.getvalue()
    with pytest.raises(DataError, match=r"train\.csv"):
        load("x", zipped_members(tmp_path / "x.zip", [("train.csv.zip", content), *list(FILES.items())[1:]]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), packed=st.sampled_from(["plain", "gz", "zip"]))
def test_any_damaged_zip_gives_tables_or_a_data_error(data: st.DataObject, packed: str, tmp_path: Path) -> None:
    pack = {"plain": lambda c: c, "gz": partial(gzip.compress, mtime=0), "zip": inner_zip}[packed]
    ending = "" if packed == "plain" else f".{packed}"
    place = zipped(tmp_path / "x.zip", {name + ending: pack(content) for name, content in FILES.items()})
    raw = bytearray(place.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=3)):
        raw[at] = data.draw(st.integers(0, 255))
    place.write_bytes(raw)
    with contextlib.suppress(DataError):
        load("x", place)


@PLAIN
@given(data=st.data(), method=st.sampled_from([0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))
def test_any_damaged_zip_of_any_compression_method_gives_the_right_bytes_or_a_data_error(
    data: st.DataObject, method: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = zipped_members(tmp_path_factory.mktemp("damaged") / "x.zip", list(FILES.items()), method)
    place.write_bytes(damaged(data, place.read_bytes()))
    with contextlib.suppress(DataError):
        assert load("x", place).train["id"].tolist() == [1, 2, 3]  # its checksum stands for its bytes


DAMAGED = {
    "a gzip cut short": (
        without("train.csv", train__csv__gz=gzip.compress(FILES["train.csv"])[:-12]),
        r"train\.csv\.gz is broken: Compressed file ended before.*Download it again",
    ),
    "not a gzip": (without("train.csv", train__csv__gz=b"id,x\n"), r"train\.csv\.gz is broken: Not a gzipped"),
    "not an inner zip": (without("train.csv", train__csv__zip=b"id,x\n"), r"train\.csv\.zip is broken: "),
    "an inner zip without a CSV file": (
        without("train.csv", train__csv__zip=inner_zip(b"", "readme.txt")),
        r"train\.csv\.zip must hold one table; got \[\]",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
@pytest.mark.parametrize("make", [folder, zipped])
def test_a_damaged_packed_file_is_refused(case: str, make: Make, tmp_path: Path) -> None:
    files, words = DAMAGED[case]
    with pytest.raises(DataError, match=words):
        load("x", make(tmp_path / "x.zip", files))


NOT_ZIPS = {
    "empty": (b"", r"x\.zip is a damaged zip archive: it is empty or truncated\. Download it again"),
    "cut short": (b"PK\x03\x04 and no end", r"x\.zip is a damaged zip archive: .*Download it again"),
    "a CSV file": (
        b"id,x\n1,2\n",
        r"x\.zip is not a zip archive: it starts with b'id,x.*Pass Kaggle's zip",
    ),
}


@pytest.mark.parametrize("case", NOT_ZIPS)
def test_only_a_damaged_zip_is_to_be_downloaded_again(case: str, tmp_path: Path) -> None:
    content, words = NOT_ZIPS[case]
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(DataError, match=words) as raised:
        load("x", tmp_path / "x.zip")
    assert ("Download it again" in str(raised.value)) == (case != "a CSV file")
