from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kpipe
from kpipe.errors import OutputError, TrainingError
from kpipe.runs import store as runs
from kpipe.runs.store import RunFolder, key_of, workspace


def test_a_file_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = RunFolder(tmp_path)
    space.write("a.txt", b"first")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"a\.txt cannot be written: No space left on device\..*--out DIR"):
        space.write("a.txt", b"second")
    assert (tmp_path / "a.txt").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_arrays_come_back_and_torn_ones_count_as_absent(tmp_path: Path) -> None:
    space = RunFolder(tmp_path)
    arrays = {"valid": np.arange(6.0).reshape(3, 2), "seconds": np.array(0.5)}
    shapes = {"valid": (3, 2), "seconds": ()}
    space.put("m-seed0-fold1", arrays)
    kept = space.get("m-seed0-fold1", shapes)
    assert kept is not None
    np.testing.assert_array_equal(kept["valid"], arrays["valid"])
    assert space.get("never", shapes) is None
    path = tmp_path / "parts" / "m-seed0-fold1.npz"
    path.write_bytes(path.read_bytes()[:50])
    assert space.get("m-seed0-fold1", shapes) is None


def test_a_table_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", "y"]})
    for name in ("one", "two"):
        RunFolder(tmp_path).write_table(name, frame)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "one"), frame)


def test_two_runs_of_the_same_call_at_once_work_in_folders_of_their_own(tmp_path: Path) -> None:
    with workspace(tmp_path, "x", "key") as one, workspace(tmp_path, "x", "key") as other:
        assert one.path != other.path


def test_a_run_that_finished_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrainingError), workspace(tmp_path, "x", "key"):
        raise TrainingError("it failed")
    assert not list(tmp_path.iterdir())


def test_a_run_that_failed_keeps_what_was_finished_and_a_log_of_why(tmp_path: Path) -> None:
    def fail() -> None:
        with workspace(tmp_path, "x", "key") as space:
            space.put("part", {"valid": np.zeros(1)})
            raise TrainingError("the matrix is singular")

    with pytest.raises(TrainingError):
        fail()
    (path,) = (tmp_path / "x").iterdir()
    assert "the matrix is singular" in (path / "log.txt").read_text()
    with workspace(tmp_path, "x", "key") as again:
        assert again.path == path
        assert again.get("part", {"valid": (1,)}) is not None


def test_a_finished_run_has_its_time_and_key_for_a_name_and_a_number_where_that_is_taken(tmp_path: Path) -> None:
    names = []
    for _ in range(2):
        with workspace(tmp_path, "x", "0123456789ab") as space:
            names.append(space.finish(space.run_id("2026-11-20T22:59:30+00:00")).name)
    assert names == ["20261120T225930Z-012345", "20261120T225930Z-012345-2"]


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"), workspace(tmp_path / "file", "x", "key"):
        pass


def test_keys_differ_with_what_results_depend_on() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1, "b": 3})


def test_a_run_in_python_is_what_a_pandas_user_expects(tmp_path: Path) -> None:
    run = kpipe.run("titanic", models=["linear"], jobs=1, out=tmp_path)
    assert 0.6 < run.score < 1
    assert 0 < run.standard_error < 0.1
    assert run.submission.columns.tolist() == ["PassengerId", "Survived"]
    assert run.oof["linear/1"].between(0, 1).all()
    assert len(run.oof) == 300
    assert set(run.folds["role"]) == {"train", "valid"}
    accuracy = ((run.oof["blend/1"] > run.oof["blend/0"]) == run.oof["Survived"]).mean()
    assert accuracy == pytest.approx(run.score)


def test_a_run_that_starts_while_another_of_its_call_ends_keeps_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tidy, started = runs._tidy, []

    def tidy_late(path: Path, lock: Path) -> None:
        if not started:
            started.append(stack.enter_context(workspace(tmp_path, "x", "key")))
        tidy(path, lock)

    with ExitStack() as stack:
        monkeypatch.setattr(runs, "_tidy", tidy_late)
        with workspace(tmp_path, "x", "key"):
            pass
        (second,) = started
        assert second.path.is_dir()
        with workspace(tmp_path, "x", "key") as third:
            assert third.path != second.path
    assert not list(tmp_path.iterdir())


def test_a_finished_run_leaves_no_lock_and_no_partial_folder(tmp_path: Path) -> None:
    with workspace(tmp_path, "x", "key") as space:
        space.put("part", {"valid": np.zeros(1)})
        final = space.finish("done")
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["done"]
    assert not [path.name for path in final.rglob("*") if path.name.startswith(".")]


def test_an_error_that_is_not_about_the_folder_is_not_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError), workspace(tmp_path, "x", "key"):
        raise ConnectionResetError("the other end hung up")


def test_a_log_that_cannot_be_opened_is_told_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "x" / ".partial-key" / "log.txt").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"log\.txt cannot be written: "), workspace(tmp_path, "x", "key"):
        pass


SHAPES = {"valid": (3, 2), "seconds": ()}
ARRAYS = {"valid": np.arange(6.0).reshape(3, 2), "seconds": np.array(0.5)}


def test_a_part_that_is_damaged_anywhere_counts_as_absent(tmp_path: Path) -> None:
    space, rng = RunFolder(tmp_path, {"key": "k", "threads": 1}), np.random.default_rng(0)
    space.put("m", ARRAYS)
    path = tmp_path / "parts" / "m.npz"
    whole = path.read_bytes()
    damaged = [whole[:size] for size in range(0, len(whole), 7)]
    damaged += [bytes(len(whole)), whole + b"x" * 10**6, whole[: len(whole) // 2] + whole[-300:]]
    for _ in range(300):
        content = bytearray(whole)
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(content))
    for content in damaged:
        path.write_bytes(content)
        kept = space.get("m", SHAPES)
        assert kept is None or all(np.array_equal(kept[name], ARRAYS[name]) for name in SHAPES)
    path.write_bytes(whole)
    assert space.get("m", SHAPES) is not None


@pytest.mark.parametrize(
    "arrays",
    [
        {**ARRAYS, "valid": np.zeros((2, 3))},
        {**ARRAYS, "valid": np.zeros((3, 2), dtype=np.float32)},
        {**ARRAYS, "valid": np.full((3, 2), np.nan)},
        {**ARRAYS, "valid": np.zeros((3, 2), dtype=object)},
        {**ARRAYS, "more": np.zeros(1)},
        {"valid": ARRAYS["valid"]},
    ],
    ids=["shape", "dtype", "nan", "object", "more", "less"],
)
def test_a_part_that_its_task_would_not_give_counts_as_absent(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    space = RunFolder(tmp_path)
    space.put("m", arrays)
    assert space.get("m", SHAPES) is None


@pytest.mark.parametrize("call", [{"key": "other", "threads": 1}, {"key": "k", "threads": 2}])
def test_a_part_of_another_task_or_another_run_counts_as_absent(call: dict[str, object], tmp_path: Path) -> None:
    space = RunFolder(tmp_path, {"key": "k", "threads": 1})
    space.put("m", ARRAYS)
    os.link(tmp_path / "parts" / "m.npz", tmp_path / "parts" / "n.npz")
    assert space.get("m", SHAPES) is not None
    assert space.get("n", SHAPES) is None
    assert RunFolder(tmp_path, call).get("m", SHAPES) is None


KEY = "0123456789ab"


def test_what_a_kill_leaves_is_swept(tmp_path: Path) -> None:
    home = tmp_path / "x"
    parts = home / f".partial-{KEY}" / "parts"
    parts.mkdir(parents=True)
    for path in (parts / ".m.npz.123", parts.parent / ".oof.parquet.123", home / f".partial-{KEY}.lock"):
        path.write_bytes(b"half")
    (home / ".partial-ba9876543210.lock").write_bytes(b"")
    with workspace(tmp_path, "x", KEY) as space:
        assert not runs.unfinished(tmp_path, "x")[0].parts
        assert {path.name for path in space.path.rglob(".*")} == set()
        space.finish("done")
    assert [path.name for path in home.iterdir()] == ["done"]


def test_the_parts_of_a_run_that_was_killed_beside_another_are_taken_over(tmp_path: Path) -> None:
    def killed() -> None:
        with workspace(tmp_path, "x", KEY) as first, workspace(tmp_path, "x", KEY) as second:
            first.put("one", {"seconds": np.array(1.0)})
            second.put("two", {"seconds": np.array(2.0)})
            raise TrainingError("both ended")

    with pytest.raises(TrainingError):
        killed()
    assert len(runs.unfinished(tmp_path)) == 2
    with workspace(tmp_path, "x", KEY) as space:
        assert all(space.get(name, {"seconds": ()}) for name in ("one", "two"))
        assert [found.path for found in runs.unfinished(tmp_path)] == [space.path]


def test_a_run_at_work_is_neither_swept_nor_taken_over(tmp_path: Path) -> None:
    with workspace(tmp_path, "x", KEY) as first:
        first.put("one", {"seconds": np.array(1.0)})
        with workspace(tmp_path, "x", KEY) as second:
            assert second.get("one", {"seconds": ()}) is None
        assert runs.unfinished(tmp_path)[0].at_work
        assert first.get("one", {"seconds": ()}) is not None


def test_a_submission_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["0000", "NA", "1e5"], "y": [0.5, 1.0, 2.0], "kept": [True, False, True]})
    frame.to_csv(tmp_path / "submission.csv", index=False)
    run = runs.Run(path=tmp_path, record={"submission": {"text": ["id"]}})
    pd.testing.assert_frame_equal(run.submission, frame)
