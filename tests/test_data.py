from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe import cache, competitions, data
from kpipe.data import load, locate
from kpipe.errors import DataError
from kpipe.values import Tables

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
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (FILES if files is None else files).items():
            archive.writestr(name, content)
    return path


def same(a: Tables, b: Tables) -> None:
    for name in ("train", "test", "sample"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name))


def inner_zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("train.csv", content)
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


def test_further_tables_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    place = folder(tmp_path, FILES | {"stores.csv": b"store,city\n1,Ames\n", "broken.csv": b"a,b\n1\n"})
    others = load("x", place).others
    assert sorted(others) == ["broken", "stores"]
    assert others["stores"]["city"].tolist() == ["Ames"]
    with pytest.raises(DataError, match=r"broken\.csv, line 2"):
        others["broken"]


def test_without_a_path_places_are_tried_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "KERNEL_INPUT", tmp_path / "input")
    assert locate("titanic")[0] == "sample"
    folder(data.cache_folder() / "downloads" / "titanic")
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
    with pytest.raises(DataError, match=r"no data for 'titanix'.*Did you mean titanic\?.*--data titanix\.zip"):
        load("titanix")


def test_ids_that_test_lacks_come_from_the_sample(tmp_path: Path) -> None:
    files = {
        "train.csv": b"label,p\n1,5\n0,6\n",
        "test.csv": b"p\n7\n8\n",
        "sample_submission.csv": b"ImageId,Label\n01,0\n02,0\n",
    }
    assert load("x", folder(tmp_path, files)).sample["ImageId"].tolist() == ["01", "02"]


HOSTILE = {
    "no train": ({"test.csv": b"a\n1\n", "sample_submission.csv": b"a\n1\n"}, r"lacks train\.csv; it holds"),
    "nothing": ({"readme.txt": b""}, r"lacks train\.csv and test\.csv and a sample submission; it holds no CSV"),
    "a torn gzip": ({**FILES, "train.csv": b"", "train.csv.gz": gzip.compress(b"x" * 99)[:20]}, r"is broken|is empty"),
    "two samples": ({**FILES, "sample_submission.csv": b"", "b_submission.csv": b""}, r"is empty"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_place_that_lacks_or_breaks_a_file_is_refused(case: str, tmp_path: Path) -> None:
    files, words = HOSTILE[case]
    with pytest.raises(DataError, match=words):
        load("x", zipped(tmp_path / "x.zip", files))


def test_a_zip_that_climbs_out_writes_nothing(tmp_path: Path) -> None:
    place = zipped(
        tmp_path / "in" / ".." / "x.zip" if False else tmp_path / "x.zip", FILES | {"../../evil.csv": b"a\n1\n"}
    )
    before = set(tmp_path.rglob("*"))
    load("x", place)
    assert set(tmp_path.rglob("*")) == before


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


def test_a_member_that_unpacks_to_more_than_kpipe_reads_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = zipped(tmp_path / "x.zip", FILES | {"train.csv": FILES["train.csv"] + b"\n" * 100_000})
    packed = zipped(tmp_path / "y.zip", {**FILES, "test.csv.gz": gzip.compress(b"\n" * 100_000)} | {"test.csv": b""})
    monkeypatch.setattr(data, "_MOST_BYTES", 10_000)
    with pytest.raises(DataError, match="more than kpipe reads"):
        load("x", place)
    with pytest.raises(DataError, match=r"more than kpipe reads|is empty"):
        load("x", packed)


# --- the cache


def kept_folder() -> Path:
    (found,) = (data.cache_folder() / "tables").iterdir()
    return found


@pytest.mark.parametrize("slug", ["titanic", "spaceship-titanic", "playground-series-s3e26", "digit-recognizer"])
def test_what_comes_from_the_cache_is_what_was_read(slug: str, kaggle_zip) -> None:
    first = load(slug, kaggle_zip(slug))
    kept = kept_folder()
    second = load(slug, kaggle_zip(slug))
    same(first, second)
    assert first.source == second.source
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)


DAMAGE = {
    "a flipped byte": lambda kept: flip(kept / "train.arrow"),
    "a torn file": lambda kept: (kept / "test.arrow").write_bytes(b"ARROW1"),
    "a file gone": lambda kept: (kept / "sample.arrow").unlink(),
    "no manifest": lambda kept: (kept / "manifest.json").unlink(),
    "garbage for a manifest": lambda kept: (kept / "manifest.json").write_text("{"),
    "a manifest of another shape": lambda kept: (kept / "manifest.json").write_text(json.dumps({"columns": [1]})),
    "a manifest that is a list": lambda kept: (kept / "manifest.json").write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_made_again_and_never_believed(damage: str, tmp_path: Path) -> None:
    place = folder(tmp_path / "d")
    first = load("x", place)
    DAMAGE[damage](kept_folder())
    same(load("x", place), first)
    same(load("x", place), first)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KPIPE_CACHE", str(tmp_path / "file"))
    assert len(load("x", folder(tmp_path / "d")).train) == 3


def test_the_cache_knows_contents_and_options_apart(tmp_path: Path) -> None:
    place = folder(tmp_path / "d")
    assert load("x", place).train["x"].dtype == "float64"
    assert load("x", place, text=["x"]).train["x"].dtype == "str"
    folder(place, {"train.csv": FILES["train.csv"].replace(b"0.5", b"7.5")})
    assert load("x", place).train["x"][0] == 7.5


def test_many_at_once_keep_one_copy_and_leave_nothing_behind(tmp_path: Path) -> None:
    place = folder(tmp_path / "d")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load("x", place), range(16)))
    for tables in found:
        same(tables, found[0])
    assert kept_folder().name.startswith(f"{cache.VERSION}-")


def test_the_embedded_sample_is_not_cached() -> None:
    assert load("titanic").source.origin == "sample"
    assert not (data.cache_folder() / "tables").exists()


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
