from __future__ import annotations

from pathlib import Path

from kpipe.runs.locks import is_locked, lock_free_folder, try_lock


def test_a_locked_folder_is_not_locked_twice_and_the_next_one_is_free(tmp_path: Path) -> None:
    folder, lock = lock_free_folder(tmp_path, "x")
    assert is_locked(folder)
    with try_lock(folder) as acquired:
        assert not acquired
    second, other = lock_free_folder(tmp_path, "x")
    assert [folder.name, second.name] == ["x", "x-2"]
    other.release()
    lock.release()
    assert not is_locked(folder)


def test_the_lock_file_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    (tmp_path / "x.lock").touch()
    assert not is_locked(tmp_path / "x")
    assert not [*tmp_path.iterdir()]
