from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpipe.errors import TrainingError, UsageError
from kpipe.runs.resume import request_to_resume
from kpipe.runs.store import open_run_folder
from kpipe.runs.unfinished import find_unfinished

KEY = "0123456789ab"
ONE = {"seconds": np.array(1.0)}


def test_files_and_locks_that_a_killed_run_left_are_removed(tmp_path: Path) -> None:
    home = tmp_path / "x"
    parts = home / f".partial-{KEY}" / "checkpoints"
    parts.mkdir(parents=True)
    for path in (parts / ".m.npz.123", parts.parent / ".oof.parquet.123", home / f".partial-{KEY}.lock"):
        path.write_bytes(b"half")
    (home / ".partial-ba9876543210.lock").write_bytes(b"")
    with open_run_folder(tmp_path, "x", KEY) as folder:
        assert not find_unfinished(tmp_path, "x")[0].fits
        assert {path.name for path in folder.path.rglob(".*")} == set()
        folder.finish("done")
    assert [path.name for path in home.iterdir()] == ["done"]


def test_a_run_takes_over_the_checkpoints_of_killed_runs_with_the_same_key(tmp_path: Path) -> None:
    def killed() -> None:
        with open_run_folder(tmp_path, "x", KEY) as first, open_run_folder(tmp_path, "x", KEY) as second:
            first.put("one", ONE)
            second.put("two", ONE)
            raise TrainingError("both ended")

    with pytest.raises(TrainingError):
        killed()
    assert len(find_unfinished(tmp_path)) == 2
    with open_run_folder(tmp_path, "x", KEY) as folder:
        assert all(folder.get(name, {"seconds": ()}) for name in ("one", "two"))
        assert [found.path for found in find_unfinished(tmp_path)] == [folder.path]


def test_a_run_takes_over_the_threads_of_the_checkpoints_that_it_takes_over(tmp_path: Path) -> None:
    def killed() -> None:
        with (
            open_run_folder(tmp_path, "x", KEY, {"threads": 1}),
            open_run_folder(tmp_path, "x", KEY, {"threads": 5}) as second,
        ):
            second.put("two", ONE)
            raise TrainingError("both ended")

    with pytest.raises(TrainingError):
        killed()
    with open_run_folder(tmp_path, "x", KEY, {"threads": 1}) as folder:
        assert folder.request["threads"] == 5
        assert folder.get("two", {"seconds": ()})


def test_a_run_keeps_its_own_checkpoints_beside_those_of_other_threads(tmp_path: Path) -> None:
    def killed() -> None:
        with (
            open_run_folder(tmp_path, "x", KEY, {"threads": 1}) as first,
            open_run_folder(tmp_path, "x", KEY, {"threads": 5}) as second,
        ):
            first.put("one", ONE)
            second.put("one", ONE)
            raise TrainingError("both ended")

    with pytest.raises(TrainingError):
        killed()
    with open_run_folder(tmp_path, "x", KEY, {"threads": 1}) as folder:
        assert folder.get("one", {"seconds": ()})


def test_the_folder_of_a_run_at_work_is_neither_removed_nor_taken_over(tmp_path: Path) -> None:
    with open_run_folder(tmp_path, "x", KEY) as first:
        first.put("one", ONE)
        with open_run_folder(tmp_path, "x", KEY) as second:
            assert second.get("one", {"seconds": ()}) is None
        assert find_unfinished(tmp_path)[0].is_running
        assert first.get("one", {"seconds": ()}) is not None


def test_an_unfinished_run_of_an_earlier_version_is_listed_and_cannot_be_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "x" / f".partial-{KEY}"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "linear-seed0-fold0.npz").write_bytes(b"x")
    (folder / "call.json").write_text("{}")
    (found,) = find_unfinished(tmp_path)
    assert (found.fits, found.is_of_earlier_version) == (1, True)
    for name in (KEY, str(folder)):
        with pytest.raises(UsageError, match="started by an earlier version of kpipe, whose unfinished runs cannot"):
            request_to_resume(name, out=tmp_path, changes={})
