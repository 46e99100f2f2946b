from __future__ import annotations

import os
from pathlib import Path

import pytest

from kpipe.errors import OutputError, UsageError
from kpipe.runs.files import sha256_of, write_file


def test_a_failed_write_leaves_the_old_file_whole_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(tmp_path / "a.txt", b"first")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"a\.txt cannot be written: No space left on device\..*--out DIR"):
        write_file(tmp_path / "a.txt", b"second")
    assert (tmp_path / "a.txt").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_folders_above_a_file_are_created(tmp_path: Path) -> None:
    write_file(tmp_path / "a" / "b" / "c.txt", b"x")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == b"x"


def test_the_hash_of_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.csv cannot be read: No such file"):
        sha256_of(tmp_path / "absent.csv")
