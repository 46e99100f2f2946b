from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpipe import competitions
from kpipe.core.values import Tables
from kpipe.data import archives
from kpipe.data.cache import cache_folder
from kpipe.data.loading import load
from kpipe.data.locate import locate
from kpipe.errors import DataError

Make = Callable[[Path, dict[str, bytes]], Path]

FILES = {
    "train.csv": b"id,x,name,y\n1,0.5,a,0\n2,,b,1\n3,2.5,a,0\n",
    "test.csv": b"id,x,name\n4,1.5,c\n5,,a\n",
    "sample_submission.csv": b"id,y\n4,0\n5,0\n",
}


def folder(path: Path, files: dict[str, bytes] | None = None) -> Path:
    for name, content in (FILES if files is None else files).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def zipped(path: Path, files: dict[str, bytes] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (FILES if files is None else files).items():
            member = zipfile.ZipInfo(name)  # of one date: hypothesis wants the same bytes each time
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return path


def same(a: Tables, b: Tables) -> None:
    for name in ("train", "test", "sample"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name))


def inner_zip(content: bytes, name: str = "train.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def test_a_folder_and_a_zip_give_the_same_tables_and_the_same_hashes(tmp_path: Path) -> None:
    one, other = load("x", folder(tmp_path / "d")), load("x", zipped(tmp_path / "d.zip"))
    same(one, other)
    assert (one.source.origin, other.source.origin) == ("directory", "zip")
    expected = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    assert one.source.files == other.source.files == expected


@pytest.mark.parametrize("name", ["gender_submission.csv", "sampleSubmission.csv", "sample_submission.csv"])
def test_the_sample_submission_goes_by_many_names(name: str, tmp_path: Path) -> None:
    files = {(key == "sample_submission.csv" and name) or key: content for key, content in FILES.items()}
    assert load("x", folder(tmp_path, files)).sample.columns.tolist() == ["id", "y"]


def test_packed_files_inside_are_unpacked(tmp_path: Path) -> None:
    packed = {
        "deep/train.csv.zip": inner_zip(FILES["train.csv"]),
        "deep/test.csv.gz": gzip.compress(FILES["test.csv"]),
        "sample_submission.csv": FILES["sample_submission.csv"],
        "__MACOSX/train.csv": b"garbage",
        ".hidden/test.csv": b"garbage",
    }
    plain = load("x", folder(tmp_path / "plain"))
    for place in (zipped(tmp_path / "packed.zip", packed), folder(tmp_path / "packed", packed)):
        found = load("x", place)
        same(found, plain)
        assert found.source.files == plain.source.files


def test_without_a_path_places_are_tried_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_nothing_found_says_what_there_is_and_what_to_try() -> None:
    with pytest.raises(DataError, match=r"No data .* 'titanix'.*Did you mean titanic\?.*--data titanix\.zip"):
        load("titanix")


def test_ids_that_test_lacks_come_from_the_sample(tmp_path: Path) -> None:
    files = {
        "train.csv": b"label,p\n1,5\n0,6\n",
        "test.csv": b"p\n7\n8\n",
        "sample_submission.csv": b"ImageId,Label\n01,0\n02,0\n",
    }
    assert load("x", folder(tmp_path, files)).sample["ImageId"].tolist() == ["01", "02"]


def without(name: str, **more: bytes) -> dict[str, bytes]:
    """The files but for one, and further ones instead: a dot in a name is written as two underscores."""
    files = {key: content for key, content in FILES.items() if key != name}
    return files | {key.replace("__", "."): content for key, content in more.items()}


HOSTILE = {
    "no train": ({"test.csv": b"a\n1\n", "sample_submission.csv": b"a\n1\n"}, r"lacks train\.csv; it holds"),
    "nothing": ({"readme.txt": b""}, r"lacks train\.csv and test\.csv and a sample submission; it holds no CSV"),
    "no sample": (without("sample_submission.csv"), r"lacks a sample submission; it holds test\.csv, train\.csv"),
    "two that may be samples": (
        without("sample_submission.csv", a_submission__csv=b"id\n4\n", b_submission__csv=b"id\n4\n"),
        r"lacks a sample submission; it holds a_submission\.csv, b_submission\.csv",
    ),
    "a torn gzip": (
        without("train.csv", train__csv__gz=gzip.compress(FILES["train.csv"])[:-12]),
        r"train\.csv\.gz is broken: Compressed file ended before",
    ),
    "a gzip that is none": (without("train.csv", train__csv__gz=b"id,x\n"), r"train\.csv\.gz is broken: Not a gzipped"),
    "an inner zip that is none": (without("train.csv", train__csv__zip=b"id,x\n"), r"train\.csv\.zip is broken: "),
    "an inner zip without a CSV": (
        without("train.csv", train__csv__zip=inner_zip(b"", "readme.txt")),
        r"train\.csv\.zip must hold one CSV file; got \[\]",
    ),
    "an empty train": (FILES | {"train.csv": b""}, r"train\.csv is empty"),
    "a header alone": (FILES | {"train.csv": b"id,x,name,y"}, r"train\.csv has no rows, only a header"),
    "an id twice": (
        FILES | {"train.csv": FILES["train.csv"].replace(b"3,2.5", b"1,2.5")},
        r"train\.csv: the id column 'id' must not repeat a value; got 1 twice \(lines 2 and 4\)",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("make", [folder, zipped])
def test_a_place_that_lacks_or_breaks_a_file_is_refused(case: str, make: Make, tmp_path: Path) -> None:
    files, words = HOSTILE[case]
    with pytest.raises(DataError, match=words):
        load("x", make(tmp_path / "x.zip", files))


@pytest.mark.parametrize("evil", ["../../evil.csv", "/tmp/kpipe-evil.csv", "a/../../../evil.csv", "C:\\evil.csv"])
def test_a_zip_that_climbs_out_writes_nothing(evil: str, tmp_path: Path) -> None:
    place = zipped(tmp_path / "deep" / "er" / "x.zip", FILES | {evil: b"a\n1\n"})
    before = set(tmp_path.rglob("*"))
    assert all(frame["a"].tolist() == [1] for frame in load("x", place).others.values())
    assert set(tmp_path.rglob("*")) == before
    assert not Path("/tmp/kpipe-evil.csv").exists()


def test_an_encrypted_file_is_refused_saying_what_to_do(tmp_path: Path) -> None:
    place = zipped(tmp_path / "x.zip")
    raw = bytearray(place.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # the flag of the first member, in the central directory
    place.write_bytes(raw)
    with pytest.raises(DataError, match=r"train\.csv is encrypted\. Unpack it, and pass the folder with --data"):
        load("x", place)


@pytest.mark.parametrize("declared", [5, 10_000_000])
def test_a_zip_that_lies_about_a_size_never_gives_other_bytes(declared: int, tmp_path: Path) -> None:
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


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), packed=st.sampled_from(["plain", "gz", "zip"]))
def test_any_broken_zip_ends_in_tables_or_in_words(data: st.DataObject, packed: str, tmp_path: Path) -> None:
    pack = {"plain": lambda c: c, "gz": partial(gzip.compress, mtime=0), "zip": inner_zip}[packed]
    ending = "" if packed == "plain" else f".{packed}"
    place = zipped(tmp_path / "x.zip", {name + ending: pack(content) for name, content in FILES.items()})
    raw = bytearray(place.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=3)):
        raw[at] = data.draw(st.integers(0, 255))
    place.write_bytes(raw)
    with contextlib.suppress(DataError):
        load("x", place)


def test_a_flipped_bit_in_a_zip_is_refused(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("make", [folder, zipped])
def test_a_file_that_lies_deeper_does_not_hide_the_one_above(make: Make, tmp_path: Path) -> None:
    old = {f"archive/{name}": content.replace(b"0.5", b"9.5") for name, content in FILES.items()}
    place = make(tmp_path / "x.zip", old | FILES)
    assert load("x", place).train["x"][0] == 0.5


@pytest.mark.parametrize("make", [folder, zipped])
def test_names_are_known_in_any_case_and_depth(make: Make, tmp_path: Path) -> None:
    files = {
        "a/b/Train.CSV": FILES["train.csv"],
        "TEST.csv": FILES["test.csv"],
        "c/S_Submission.csv": b"id,y\n4,0\n5,0\n",
    }
    assert load("x", make(tmp_path / "x.zip", files)).train["id"].tolist() == [1, 2, 3]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file whose reading fails, such as Linux has")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    place = folder(tmp_path, without("train.csv"))
    (place / "train.csv").symlink_to("/proc/self/mem")
    with pytest.raises(DataError, match=r"train\.csv cannot be read: Input/output error"):
        load("x", place)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_zip_without_permission_to_read_is_named(tmp_path: Path) -> None:
    place = zipped(tmp_path / "x.zip")
    place.chmod(0)
    with pytest.raises(DataError, match=r"x\.zip cannot be read: Permission denied"):
        load("x", place)


def test_linked_files_are_read_as_files(tmp_path: Path) -> None:
    real = folder(tmp_path / "real")
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in FILES:
        (linked / name).symlink_to(real / name)
    same(load("x", linked), load("x", real))


@pytest.mark.slow
def test_pixels_take_a_byte_each(kaggle_zip) -> None:
    train = load("digit-recognizer", kaggle_zip("digit-recognizer"), id="ImageId").train
    assert train.memory_usage(index=False).sum() == 42_000 * (784 + 8)
    assert (train.dtypes[1:] == np.uint8).all()


def test_a_broken_link_in_a_folder_is_no_file(tmp_path: Path) -> None:
    place = folder(tmp_path / "d")
    (place / "extra.csv").symlink_to(tmp_path / "nowhere")
    assert "extra" not in load("x", place).others


def test_a_copied_sample_folder_reads_as_the_embedded_one(tmp_path: Path) -> None:
    home = competitions.folder("titanic")
    assert home is not None
    same(load("titanic", shutil.copytree(home / "sample", tmp_path / "copy")), load("titanic"))


def test_a_file_that_unpacks_to_more_than_tables_do_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BOMB_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (FILES | {"train.csv": b"id,x,name,y\n" + b"0" * (8 << 20)}).items():
            archive.writestr(name, content)
    with pytest.raises(DataError, match=r"train\.csv unpacks to more than 500 times its \d+ bytes.*pass the folder"):
        load("x", tmp_path / "x.zip")


def test_a_name_that_is_too_long_for_a_file_does_not_exist() -> None:
    with pytest.raises(DataError, match="does not exist"):
        load("x", "a" * 5000)


def test_nothing_found_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KPIPE_DATA", str(tmp_path / "mine"))
    with pytest.raises(DataError, match=r"Looked for: .*mine/titanix, .*mine/titanix\.zip, .*downloads"):
        load("titanix")


def test_a_folder_that_holds_kaggles_zip_alone_is_told_to_name_it(tmp_path: Path) -> None:
    (tmp_path / "titanic.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"no CSV file\. To read the zip in this folder: --data .*titanic\.zip"):
        load("titanic", tmp_path)


def test_a_zip_in_the_current_folder_is_pointed_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some-competition.zip").write_bytes(b"PK")
    with pytest.raises(
        DataError, match=r"some-competition\.zip is in the current folder: add --data some-competition\.zip"
    ):
        load("some-competition")
