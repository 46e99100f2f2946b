from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from kpipe.errors import OutputError, UsageError
from kpipe.runs.files import cannot_write, check_writable, sha256_of, write_file


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


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "No space left on device. Free space or choose another folder with --out DIR."),
        (errno.EACCES, "Permission denied. Give yourself the right to write there, or choose another folder with"),
        (errno.EROFS, "The file system is mounted for reading only: choose another folder with --out DIR."),
        (errno.EIO, ". Choose another folder with --out DIR."),
    ],
)
def test_what_to_do_about_a_folder_that_cannot_be_written_depends_on_the_reason(
    number: int, advice: str, tmp_path: Path
) -> None:
    message = str(cannot_write(tmp_path / "a", OSError(number, os.strerror(number))))
    assert advice in message
    assert ("Free space" in message) == (number == errno.ENOSPC)


@pytest.mark.skipif(sys.platform == "win32", reason="names and links of Unix")
def test_a_folder_that_cannot_be_made_is_found_with_what_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, words in (
        ("file", "file is a file, not a folder. Move it away or choose another folder with --out DIR."),
        ("file/a/b", "file is a file, not a folder. Move it away or choose"),
        ("link/a", "link is a broken link, not a folder. Move it away or choose"),
        ("loop/a", "loop is a broken link, not a folder. Move it away or choose"),
        ("n" * 300, "File name too long. Its name is longer than the file system allows: choose"),
    ):
        with pytest.raises(OutputError) as raised:
            check_writable(tmp_path / path)
        assert words in str(raised.value)


def test_checking_a_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "c").mkdir()
    check_writable(tmp_path / "c")
    assert list(tmp_path.rglob("*")) == [tmp_path / "c"]
