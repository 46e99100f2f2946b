"""Locks that mark the unfinished run folders in use.

The lock of ``<folder>`` is the file ``<folder>.lock``. The operating system releases it when its process ends, however
it ends.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["is_locked", "lock_free_folder", "try_lock"]

_PATIENCE = 0.05  # seconds; a process that only checks a lock releases it sooner


@contextlib.contextmanager
def try_lock(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder if no run uses it, and remove the lock file afterwards.

    Parameters
    ----------
    folder : Path
        The folder of an unfinished run. It need not exist.

    Yields
    ------
    bool
        True while the lock is held; False if a run holds it.

    Raises
    ------
    OSError
        If the lock file cannot be created.
    """
    lock = FileLock(f"{folder}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a run uses a folder; a lock file left by a killed process is removed.

    Parameters
    ----------
    folder : Path
        The folder of an unfinished run.

    Returns
    -------
    bool
        True if another process holds the lock.
    """
    if not os.path.exists(f"{folder}.lock"):
        return False
    try:
        with try_lock(folder) as acquired:
            return not acquired
    except OSError:  # a run could not have locked a read-only folder either
        return False


def lock_free_folder(home: Path, name: str) -> tuple[Path, FileLock]:
    """A folder that no run uses, and its lock, held.

    Parameters
    ----------
    home : Path
        The parent folder.
    name : str
        The name of the folder; if a run works there, ``-2``, ``-3``, ... is appended.

    Returns
    -------
    folder, lock
        The path, which need not exist, and the lock, which the caller must release.

    Raises
    ------
    OSError
        If the lock file cannot be created.
    """
    number = 1
    while True:
        folder = home / (name if number == 1 else f"{name}-{number}")
        lock = FileLock(f"{folder}.lock", timeout=_PATIENCE, poll_interval=_PATIENCE / 10)
        with contextlib.suppress(Timeout):
            lock.acquire()
            return folder, lock
        number += 1
