from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpipe.errors import OutputError, TrainingError
from kpipe.runs import store
from kpipe.runs.store import RunFolder, key_of, open_run_folder
from kpipe.runs.unfinished import read_request
from tests.hostile import PLAIN, Evil, damaged


def test_checkpoints_are_read_back_and_truncated_ones_count_as_missing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    arrays = {"valid": np.arange(6.0).reshape(3, 2), "seconds": np.array(0.5)}
    shapes = {"valid": (3, 2), "seconds": ()}
    folder.put("m-seed0-fold1", arrays)
    kept = folder.get("m-seed0-fold1", shapes)
    assert kept is not None
    np.testing.assert_array_equal(kept["valid"], arrays["valid"])
    assert folder.get("never", shapes) is None
    path = tmp_path / "checkpoints" / "m-seed0-fold1.npz"
    path.write_bytes(path.read_bytes()[:50])
    assert folder.get("m-seed0-fold1", shapes) is None


def test_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", "y"]})
    for name in ("one", "two"):
        RunFolder(tmp_path).write_table(name, frame)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "one"), frame)


def test_two_simultaneous_runs_with_the_same_key_work_in_different_folders(tmp_path: Path) -> None:
    with open_run_folder(tmp_path, "x", "key") as one, open_run_folder(tmp_path, "x", "key") as other:
        assert one.path != other.path


def test_a_run_that_fails_before_its_first_fit_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(TrainingError), open_run_folder(tmp_path, "x", "key"):
        raise TrainingError("it failed")
    assert not list(tmp_path.iterdir())


def test_a_failed_run_keeps_its_finished_fits_and_logs_the_error(tmp_path: Path) -> None:
    def fail() -> None:
        with open_run_folder(tmp_path, "x", "key") as folder:
            folder.put("part", {"valid": np.zeros(1)})
            raise TrainingError("the matrix is singular")

    with pytest.raises(TrainingError):
        fail()
    (path,) = (tmp_path / "x").iterdir()
    assert "the matrix is singular" in (path / "log.txt").read_text()
    with open_run_folder(tmp_path, "x", "key") as again:
        assert again.path == path
        assert again.get("part", {"valid": (1,)}) is not None


def test_a_run_id_is_the_time_and_the_key_or_six_other_characters_where_a_run_has_these(tmp_path: Path) -> None:
    names = []
    for second in ("30", "30", "31"):
        with open_run_folder(tmp_path, "x", "0123456789ab") as folder:
            names.append(folder.finish(folder.run_id(f"2026-11-20T22:59:{second}+00:00")).name)
    assert names[0] == "20261120T225930Z-012345"
    assert [name[:17] for name in names] == ["20261120T225930Z-", "20261120T225930Z-", "20261120T225931Z-"]
    assert len({name[-6:] for name in names}) == 3


def test_ids_of_runs_that_are_made_within_a_second_sort_as_they_were_made(tmp_path: Path) -> None:
    ids = []
    for key in ("ffffffffffff", "999999999999", "000000000000"):
        with open_run_folder(tmp_path, "titanic", key) as folder:
            created = folder.free_second("2026-11-20T22:59:59+00:00")
            ids.append(folder.finish(folder.run_id(created)).name)
    assert ids == ["20261120T225959Z-ffffff", "20261120T230000Z-999999", "20261120T230001Z-000000"]


def test_an_output_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"), open_run_folder(tmp_path / "file", "x", "key"):
        pass


def test_the_key_changes_with_every_input_and_not_with_their_order() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1, "b": 3})


def test_a_run_that_starts_while_another_with_its_key_ends_keeps_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, started = store._remove_useless, []

    def remove_late(path: Path, lock: Path) -> None:
        if not started:
            started.append(stack.enter_context(open_run_folder(tmp_path, "x", "key")))
        remove(path, lock)

    with ExitStack() as stack:
        monkeypatch.setattr(store, "_remove_useless", remove_late)
        with open_run_folder(tmp_path, "x", "key"):
            pass
        (second,) = started
        assert second.path.is_dir()
        with open_run_folder(tmp_path, "x", "key") as third:
            assert third.path != second.path
    assert not list(tmp_path.iterdir())


def test_a_useless_folder_is_removed_while_its_lock_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove, locked = store.shutil.rmtree, []

    def remove_and_look(path: Path) -> None:
        locked.append(path.with_name(f"{path.name}.lock").exists())
        remove(path)

    monkeypatch.setattr(store.shutil, "rmtree", remove_and_look)
    with open_run_folder(tmp_path, "x", "key"):
        pass
    assert locked == [True]
    assert not list(tmp_path.iterdir())


def test_a_run_killed_before_it_gets_its_final_name_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    def finish() -> None:
        with open_run_folder(tmp_path, "x", "0" * 12, {"threads": 3}) as folder:
            folder.put("part", {"valid": np.zeros(1)})
            monkeypatch.setattr(store.os, "replace", killed)
            folder.finish("done")

    with pytest.raises(KeyboardInterrupt):
        finish()
    assert read_request(tmp_path / "x" / f".partial-{'0' * 12}")["threads"] == 3


def test_a_finished_run_leaves_no_lock_and_no_unfinished_folder(tmp_path: Path) -> None:
    with open_run_folder(tmp_path, "x", "key") as folder:
        folder.put("part", {"valid": np.zeros(1)})
        final = folder.finish("done")
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["done"]
    assert not [path.name for path in final.rglob("*") if path.name.startswith(".")]


def test_an_error_of_the_work_itself_is_raised_unchanged(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError), open_run_folder(tmp_path, "x", "key"):
        raise ConnectionResetError("the other end hung up")


SHAPES = {"valid": (3, 2), "seconds": ()}
ARRAYS = {"valid": np.arange(6.0).reshape(3, 2), "seconds": np.array(0.5)}


def test_a_checkpoint_damaged_anywhere_counts_as_missing(tmp_path: Path) -> None:
    folder, rng = RunFolder(tmp_path, {"key": "k", "threads": 1}), np.random.default_rng(0)
    folder.put("m", ARRAYS)
    path = tmp_path / "checkpoints" / "m.npz"
    whole = path.read_bytes()
    damaged = [whole[:size] for size in range(0, len(whole), 7)]
    damaged += [bytes(len(whole)), whole + b"x" * 10**6, whole[: len(whole) // 2] + whole[-300:]]
    for _ in range(300):
        content = bytearray(whole)
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(content))
    for content in damaged:
        path.write_bytes(content)
        kept = folder.get("m", SHAPES)
        assert kept is None or all(np.array_equal(kept[name], ARRAYS[name]) for name in SHAPES)
    path.write_bytes(whole)
    assert folder.get("m", SHAPES) is not None


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
def test_a_checkpoint_with_wrong_arrays_counts_as_missing(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.put("m", arrays)
    assert folder.get("m", SHAPES) is None


@pytest.mark.parametrize("call", [{"key": "other", "threads": 1}, {"key": "k", "threads": 2}])
def test_a_checkpoint_of_another_fit_or_another_run_counts_as_missing(call: dict[str, object], tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, {"key": "k", "threads": 1})
    folder.put("m", ARRAYS)
    os.link(tmp_path / "checkpoints" / "m.npz", tmp_path / "checkpoints" / "n.npz")
    assert folder.get("m", SHAPES) is not None
    assert folder.get("n", SHAPES) is None
    assert RunFolder(tmp_path, call).get("m", SHAPES) is None


def test_a_checkpoint_that_somebody_else_wrote_runs_no_code(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.put("k", {"valid": np.array([Evil(tmp_path / "run")], dtype=object)})
    assert folder.get("k", {"valid": (1,)}) is None
    assert not (tmp_path / "run").exists()


@PLAIN
@given(data=st.data())
def test_a_damaged_checkpoint_counts_as_missing_or_is_unchanged(data: st.DataObject, tmp_path: Path) -> None:
    folder, values = RunFolder(tmp_path), np.arange(12.0).reshape(6, 2)
    folder.put("k", {"valid": values})
    path = tmp_path / "checkpoints" / "k.npz"
    path.write_bytes(damaged(data, path.read_bytes()))
    found = folder.get("k", {"valid": (6, 2)})
    assert found is None or np.array_equal(found["valid"], values)


def test_half_written_files_of_a_killed_run_are_removed_wherever_they_are(tmp_path: Path) -> None:
    left = tmp_path / "x" / ".partial-key" / "code" / "competitions" / "x" / ".competition.py.27664"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    with open_run_folder(tmp_path, "x", "key"):
        assert not left.exists()
