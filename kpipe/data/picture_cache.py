"""A cache of decoded pixels: one memory-mapped file for all pictures of a competition."""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
from pathlib import Path

import numpy as np

__all__ = ["discard_array", "keep_array", "new_array", "read_array"]

_MAX_BYTES = 20 << 30  # of all pixels; a file that a run has mapped stays readable after it is deleted


def new_array(home: Path, key: str, shape: tuple[int, int]) -> np.ndarray:
    """A memory-mapped file of zeros; an array in memory if the cache cannot be written or has no space.

    ``keep_array`` or ``discard_array`` must follow.

    Parameters
    ----------
    home : Path
        Folder of the pixels.
    key : str
        Their name in the cache.
    shape : tuple of int
        (rows, pixels).

    Returns
    -------
    (rows, pixels) uint8 array
    """
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        if shape[0] * shape[1] < shutil.disk_usage(home).free:  # writing to a mapped file on a full disk is a SIGBUS
            return np.lib.format.open_memmap(_unfinished_path(home, key), mode="w+", dtype=np.uint8, shape=shape)
    return np.zeros(shape, dtype=np.uint8)


def _unfinished_path(home: Path, key: str) -> Path:
    return home / f".{key}.{os.getpid()}.npy"


def discard_array(home: Path, key: str) -> None:
    """Delete the file of ``new_array``, if there is one.

    Parameters
    ----------
    home, key
        As for ``new_array``.
    """
    with contextlib.suppress(OSError):
        _unfinished_path(home, key).unlink(missing_ok=True)


def keep_array(home: Path, key: str, values: np.ndarray, shape: tuple[int, int, int], files: np.ndarray) -> np.ndarray:
    """Give the file its final name, under which later runs find it, and map it for reading.

    If all files together are larger than 20 GiB, the least recently used ones are deleted.

    Parameters
    ----------
    home, key
        As for ``new_array``.
    values : array
        What ``new_array`` returned.
    shape : tuple of int
        (height, width, channels).
    files : (rows, facts) array of int
        Facts about each picture's file.

    Returns
    -------
    (rows, pixels) uint8 array
    """
    if not isinstance(values, np.memmap):
        return values
    with contextlib.suppress(OSError):
        values.flush()
        np.save(home / f"{key}.files.npy", files)
        np.save(home / f"{key}.shape.npy", np.array(shape))
        os.replace(_unfinished_path(home, key), home / f"{key}.npy")
        _prune(home, but=key)
        return _map(home / f"{key}.npy")
    copy = values.copy()
    discard_array(home, key)
    return copy


def _map(path: Path) -> np.ndarray:
    """An array of a file, mapped into memory.

    It is not an ``np.memmap``: joblib sends one that pandas has transposed to workers with its bytes in a wrong order.
    """
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    with open(path, "rb") as file:
        buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    values = np.frombuffer(buffer, dtype=mapped.dtype, count=mapped.size, offset=mapped.offset)
    return values.reshape(mapped.shape)


def read_array(
    home: Path, key: str, rows: int, facts: int
) -> tuple[np.ndarray, tuple[int, int, int], np.ndarray] | None:
    """The pixels of an earlier run, their shape and the metadata of each picture's file.

    Parameters
    ----------
    home, key
        As for ``new_array``.
    rows, facts : int
        The expected numbers of rows and of facts per file.

    Returns
    -------
    tuple or None
        None if they are missing or damaged.
    """
    try:
        height, width, channels = (int(each) for each in np.load(home / f"{key}.shape.npy", allow_pickle=False))
        files = np.load(home / f"{key}.files.npy", allow_pickle=False)
        values = _map(home / f"{key}.npy")
    except (OSError, ValueError, EOFError):
        return None
    if values.dtype != np.uint8 or values.shape != (rows, height * width * channels) or files.shape != (rows, facts):
        return None
    with contextlib.suppress(OSError):
        os.utime(home / f"{key}.npy")  # used now, see ``_prune``
    return values, (height, width, channels), files


def _prune(home: Path, *, but: str) -> None:
    """Delete the least recently used pixels until the rest is smaller than the bound."""
    found = {path: path.stat() for path in home.glob("*.npy") if path.name.count(".") == 1}
    size = sum(stat.st_size for stat in found.values())
    for path, stat in sorted(found.items(), key=lambda each: each[1].st_mtime):
        if size > _MAX_BYTES and path.stem != but:
            size -= stat.st_size
            for part in (path, *home.glob(f"{path.stem}.*.npy")):
                part.unlink(missing_ok=True)
