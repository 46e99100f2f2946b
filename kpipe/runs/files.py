"""Write files atomically: after a kill or a power cut, they are complete or absent."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from pathlib import Path

from kpipe.errors import OutputError, UsageError

__all__ = ["cannot_write", "check_writable", "sha256_of", "sync_folder", "write_file"]

_PROBE = 4096  # bytes that a disk must have room for, so that starting a run makes sense
_ELSEWHERE = "another folder with --out DIR"
_NO_FOLDER = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR}
# What to do, by the reason why a file or folder cannot be written.
_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free space or choose"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Give yourself the right to write there, or choose"),
    errno.EROFS: "The file system is mounted for reading only: choose",
    errno.ENAMETOOLONG: "Its name is longer than the file system allows: choose",
    errno.EFBIG: "Files may not become that large here (see ulimit -f): raise the limit or choose",
}


def write_file(path: Path, content: bytes, *, elsewhere: str = _ELSEWHERE) -> None:
    """Write a file atomically: it is complete or absent whenever the process is killed. Parent folders are created.

    Parameters
    ----------
    path : Path
        The file. If it exists, it is replaced in one step.
    content : bytes
        Everything that the file will hold.
    elsewhere : str
        What the error advises: where else to write, and the option that says so.

    Raises
    ------
    OutputError
        If the file cannot be written; the old file, if any, is left as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise cannot_write(path, error, elsewhere=elsewhere) from error


def sync_folder(path: Path) -> None:
    """Make renames in a folder survive a power cut, on systems that can sync folders.

    Parameters
    ----------
    path : Path
        The folder.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def cannot_write(path: Path, error: OSError, *, elsewhere: str = _ELSEWHERE) -> OutputError:
    """The error to raise if a file or folder, by default of a run, cannot be written.

    Parameters
    ----------
    path : Path
        The file or folder that could not be written.
    error : OSError
        The reason.
    elsewhere : str
        Where else to write, and the option that says so.

    Returns
    -------
    OutputError
        An error that names the file and says what to do.
    """
    reason = error.strerror or str(error)
    in_the_way = _in_the_way(path)
    if in_the_way is not None and error.errno in _NO_FOLDER:
        reason = f"{in_the_way} is {'a broken link' if in_the_way.is_symlink() else 'a file'}, not a folder"
        advice = "Move it away or choose"
    else:
        advice = _ADVICE.get(error.errno or 0, "Choose")
    return OutputError(f"{path} cannot be written: {reason}. {advice} {elsewhere}.", code="cannot-write")


def _in_the_way(path: Path) -> Path | None:
    """The first part of a path that exists and is no folder."""
    parts = (part for part in reversed(path.parents) if os.path.lexists(part) and not part.is_dir())
    return next(parts, path if os.path.lexists(path) and not path.is_dir() else None)


def check_writable(folder: Path) -> None:
    """Check that files can be written into a folder, which need not exist; nothing is left behind.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    OutputError
        If not; the message says what to do.
    """
    created: list[Path] = []
    try:
        for part in (*reversed(folder.parents), folder):
            if not part.is_dir():
                part.mkdir(exist_ok=True)
                created.append(part)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE))
            file.flush()
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        for part in reversed(created):
            with contextlib.suppress(OSError):  # another run works there by now
                part.rmdir()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    UsageError
        If the file cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", code="unreadable-file", file=str(path)) from error
