"""Write files so that a kill or a power cut leaves them whole or absent."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from kpipe.errors import OutputError, UsageError

__all__ = ["cannot_write", "sha256_of", "sync_folder", "write_file"]


def write_file(path: Path, content: bytes) -> None:
    """Write a file that is whole or absent, whenever the process is killed; folders above it are created.

    Parameters
    ----------
    path : Path
        The file. If it exists, it is replaced in one step.
    content : bytes
        Everything that the file will hold.

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
        raise cannot_write(path, error) from error


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


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error to raise if part of a run's folder cannot be written.

    Parameters
    ----------
    path : Path
        The file or folder that could not be written.
    error : OSError
        The reason.

    Returns
    -------
    OutputError
        An error that names the file and says what to do.
    """
    reason = error.strerror or str(error)
    return OutputError(
        f"{path} cannot be written: {reason}. Free space or choose another folder with --out DIR; "
        "finished training is kept, and the same command continues from there."
    )


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
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
