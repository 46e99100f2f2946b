from __future__ import annotations

import errno
import io
import logging
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe.data import cache
from kpipe.data.loading import load
from tests.data.small_competitions import assert_same
from tests.hostile import Evil

FILES = {
    "train.csv": "id,x,name,y\n1,0.5,01,0\n2,,2,1\n",
    "test.csv": "id,x,name\n4,1.5,3\n",
    "s_submission.csv": "id,y\n4,0\n",
}
HASHES = {"train.csv": "a" * 64}


def competition(path: Path) -> Path:
    path.mkdir()
    for name, content in FILES.items():
        (path / name).write_text(content)
    return path


def entry_folder() -> Path:
    (found,) = (cache.cache_folder() / "tables").iterdir()
    return found


def every_dtype() -> dict[str, pd.DataFrame]:
    pixels = pd.DataFrame(np.arange(140, dtype=np.uint8).reshape(2, 70)).add_prefix("p")
    train = pd.DataFrame(
        {
            "int64": [-(2**63), 2**63 - 1],
            "float64": [5e-324, np.nan],
            "bool": [True, False],
            "boolean": pd.array([True, pd.NA], dtype="boolean"),
            "str": pd.Series(['naïve\n"x"', np.nan], dtype="str"),
            "": pd.Series([np.nan, np.nan], dtype="str"),
        }
    )
    mixed = pd.concat([train[["int64"]], pixels, train.drop(columns="int64")], axis=1)
    return {"train": mixed, "test": pixels, "sample": train.head(0)}


def test_every_dtype_is_read_back_equal(tmp_path: Path) -> None:
    frames = every_dtype()
    cache.put(tmp_path, "key", cache.Entry(frames, HASHES, ("a note",), "cp949", 7))
    found = cache.get(tmp_path, "key")
    assert found is not None
    assert found.hashes == HASHES
    assert (found.notes, found.encoding, found.extra) == (("a note",), "cp949", 7)
    assert list(found.frames) == list(frames)
    for role, frame in frames.items():
        pd.testing.assert_frame_equal(found.frames[role], frame)


def test_a_key_without_an_entry_gives_none(tmp_path: Path) -> None:
    cache.put(tmp_path, "key", cache.Entry(every_dtype(), HASHES, ("a note",), "cp949", 7))
    assert cache.get(tmp_path, "other") is None
    assert cache.get(tmp_path / "nowhere", "key") is None


def test_a_flipped_byte_is_always_detected(tmp_path: Path) -> None:
    frames, rng = every_dtype(), np.random.default_rng(0)
    cache.put(tmp_path, "key", cache.Entry(frames, HASHES, ("a note",), "cp949", 7))
    (folder,) = (tmp_path / "tables").iterdir()
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name, content in whole.items():
        for at in rng.integers(len(content), size=20):
            folder.mkdir(exist_ok=True)
            for other, bytes_ in whole.items():
                (folder / other).write_bytes(bytes_)
            flipped = bytearray(content)
            flipped[at] ^= 1 << int(rng.integers(8))
            (folder / name).write_bytes(flipped)
            found = cache.get(tmp_path, "key")
            if found is not None:  # such as a letter's case in a JSON escape
                assert found.hashes == HASHES
                for role, frame in frames.items():
                    pd.testing.assert_frame_equal(found.frames[role], frame)


def test_tables_from_the_cache_are_writable_like_fresh_ones(tmp_path: Path) -> None:
    place = competition(tmp_path / "d")
    for _ in ("fresh", "cached"):
        train = load("x", place).train
        train.loc[0, ["id", "x", "y"]] = [7, 7.5, 8]
        train.loc[0, "name"] = "seven"
        train["x"] += 1
        assert train.iloc[0].tolist() == [7, 8.5, "seven", 8]
    assert load("x", place).train["id"].tolist() == [1, 2]


def test_a_full_disk_leaves_no_partial_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    cache.put(tmp_path, "key", cache.Entry(every_dtype(), HASHES, ("a note",), "cp949", 7))
    assert list((tmp_path / "tables").iterdir()) == []


def test_processes_that_write_the_same_entry_at_once_leave_one(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(put_often, [tmp_path] * 2))
    (folder,) = (tmp_path / "tables").iterdir()
    assert folder.name == f"{cache.VERSION}-key"
    found = cache.get(tmp_path, "key")
    assert found is not None
    pd.testing.assert_frame_equal(found.frames["train"], every_dtype()["train"])


def put_often(home: Path) -> None:
    for _ in range(10):
        cache.put(home, "key", cache.Entry(every_dtype(), HASHES, ("a note",), "cp949", 7))


def test_a_damaged_entry_that_is_made_again_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = competition(tmp_path / "d")
    load("x", place)
    (entry_folder() / "train.arrow").write_bytes(b"")
    with caplog.at_level(logging.INFO, logger="kpipe"):
        load("x", place)
    assert "is damaged and is recreated: train.arrow is damaged" in caplog.text


@pytest.mark.parametrize("slug", ["titanic", "spaceship-titanic", "playground-series-s3e26", "digit-recognizer"])
def test_tables_from_the_cache_equal_those_read_from_the_files(slug: str, kaggle_zip) -> None:
    first = load(slug, kaggle_zip(slug))
    kept = entry_folder()
    second = load(slug, kaggle_zip(slug))
    assert_same(first, second)
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
    "an empty manifest": lambda kept: (kept / "manifest.json").write_bytes(b""),
    "a flipped byte in the manifest": lambda kept: flip(kept / "manifest.json"),
    "a manifest of another shape": lambda kept: (kept / "manifest.json").write_text('{"columns": [1]}'),
    "a manifest of wrong types": lambda kept: (kept / "manifest.json").write_text('{"manifest": 5, "sha256": null}'),
    "a manifest that is a list": lambda kept: (kept / "manifest.json").write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_never_used_and_made_again(damage: str, tmp_path: Path) -> None:
    place = competition(tmp_path / "d")
    first = load("x", place)
    DAMAGE[damage](entry_folder())
    assert_same(load("x", place), first)
    assert_same(load("x", place), first)


def test_a_cache_that_cannot_be_written_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KPIPE_CACHE", str(tmp_path / "file"))
    assert len(load("x", competition(tmp_path / "d")).train) == 2


def test_other_contents_or_options_have_other_entries(tmp_path: Path) -> None:
    place = competition(tmp_path / "d")
    assert load("x", place).train["x"].dtype == "float64"
    assert load("x", place, text=["x"]).train["x"].dtype == "str"
    assert load("x", place, id="name").train["name"].tolist() == ["01", "2"]
    train = place / "train.csv"
    train.write_text(train.read_text().replace("0.5", "7.5"))
    assert load("x", place).train["x"][0] == 7.5
    assert len(list((cache.cache_folder() / "tables").iterdir())) == 4


def test_threads_that_load_at_once_leave_one_entry_and_no_temporary_files(tmp_path: Path) -> None:
    place = competition(tmp_path / "d")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load("x", place), range(16)))
    for tables in found:
        assert_same(tables, found[0])
    assert entry_folder().name.startswith(f"{cache.VERSION}-")


def test_the_embedded_sample_is_not_cached() -> None:
    assert load("titanic").source.origin == "sample"
    assert not (cache.cache_folder() / "tables").exists()


def test_a_cache_that_somebody_else_wrote_runs_no_code(tmp_path: Path) -> None:
    """Pixels replaced by objects whose unpickling runs code, with every checksum right."""
    frame = pd.DataFrame({f"p{n}": np.zeros(2, np.uint8) for n in range(3)})
    block = io.BytesIO()
    np.save(block, np.array([[Evil(tmp_path / "run")] * 3] * 2, dtype=object), allow_pickle=True)
    with pytest.MonkeyPatch.context() as patch:
        whole = cache._contents
        patch.setattr(cache, "_contents", lambda f: ((n, block.getvalue() if n[-1] == "y" else c) for n, c in whole(f)))
        cache.put(tmp_path / "cache", "key", cache.Entry({"train": frame}, {}))
    assert cache.get(tmp_path / "cache", "key") is None
    assert not (tmp_path / "run").exists()
