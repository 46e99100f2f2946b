"""Pixels that were decoded are found again, and bounded together."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from kpipe.data import picture_cache
from kpipe.data.picture_cache import keep_array, new_array, read_array

FILES = np.ones((5, 4), dtype=np.int64)


def keep(home: Path, key: str, *, used: int) -> np.ndarray:
    values = new_array(home, key, (5, 12))
    values[:] = used
    kept = keep_array(home, key, values, (2, 2, 3), FILES)
    os.utime(home / f"{key}.npy", (used, used))
    return kept


def test_pixels_are_found_again_with_their_shape(tmp_path: Path) -> None:
    keep(tmp_path, "a", used=7)
    values, shape, files = read_array(tmp_path, "a", 5, 4) or pytest.fail("nothing was kept")
    assert (values == 7).all()
    assert shape == (2, 2, 3)
    np.testing.assert_array_equal(files, FILES)
    assert read_array(tmp_path, "a", 6, 4) is None
    assert read_array(tmp_path, "b", 5, 4) is None


def test_pixels_that_were_used_least_recently_are_deleted_beyond_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = keep(tmp_path, "first", used=10)
    keep(tmp_path, "second", used=20)
    assert read_array(tmp_path, "first", 5, 4) is not None  # used now
    monkeypatch.setattr(picture_cache, "_MAX_BYTES", 2 * (tmp_path / "first.npy").stat().st_size)
    keep(tmp_path, "third", used=30)
    assert sorted({path.name.split(".")[0] for path in tmp_path.iterdir()}) == ["first", "third"]
    monkeypatch.setattr(picture_cache, "_MAX_BYTES", 0)
    keep(tmp_path, "fourth", used=40)
    assert sorted({path.name.split(".")[0] for path in tmp_path.iterdir()}) == ["fourth"]
    assert (first == 10).all()  # still mapped


def test_a_cache_that_cannot_be_written_costs_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    values = new_array(tmp_path / "file", "a", (5, 12))
    values[:] = 3
    assert (keep_array(tmp_path / "file", "a", values, (2, 2, 3), FILES) == 3).all()


def test_a_disk_without_room_for_the_pixels_costs_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    values = new_array(tmp_path, "a", (5, 12))
    values[:] = 3
    assert (keep_array(tmp_path, "a", values, (2, 2, 3), FILES) == 3).all()
    assert [*tmp_path.iterdir()] == []
