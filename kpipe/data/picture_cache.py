"""Decoded pixels in kpipe's cache: one file for all pictures of a competition, mapped into memory."""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path

import numpy as np

__all__ = ["keep_array", "new_array", "read_array"]

_MOST_BYTES = 20 << 30  # of all pixels; a file that a run has mapped stays readable after it is deleted


def new_array(home: Path, key: str, shape: tuple[int, int]) -> np.ndarray:
    """A file of zeros, mapped into memory; an array in memory if the cache cannot be written.

    Parameters
    ----------
    home : Path
        Folder of the pixels.
    key : str
        Names them.
    shape : tuple of int
        (rows, pixels).

    Returns
    -------
    (rows, pixels) uint8 array
    """
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        path = home / f".{key}.{os.getpid()}.npy"
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    return np.zeros(shape, dtype=np.uint8)


def keep_array(home: Path, key: str, values: np.ndarray, shape: tuple[int, int, int], files: np.ndarray) -> np.ndarray:
    """Give the file its name, so that later runs find it, and map it for reading.

    Those that were used least recently are deleted where all together are larger than 20 GiB.

    Parameters
    ----------
    home, key
        As for ``new_array``.
    values : array
        What ``new_array`` returned.
    shape : tuple of int
        (height, width, channels).
    files : (rows, facts) array of int
        What is known of each picture's file.

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
        os.replace(home / f".{key}.{os.getpid()}.npy", home / f"{key}.npy")
        _prune(home, but=key)
        return _map(home / f"{key}.npy")
    return values.copy()


def _map(path: Path) -> np.ndarray:
    """An array of a file, mapped into memory.

    It is no ``np.memmap``: of one whose axes pandas has exchanged, joblib sends workers the bytes in a wrong order.
    """
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    with open(path, "rb") as file:
        buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    values = np.frombuffer(buffer, dtype=mapped.dtype, count=mapped.size, offset=mapped.offset)
    return values.reshape(mapped.shape)


def read_array(
    home: Path, key: str, rows: int, facts: int
) -> tuple[np.ndarray, tuple[int, int, int], np.ndarray] | None:
    """The pixels that were kept, their shape and what is known of each picture's file.

    Parameters
    ----------
    home, key
        As for ``new_array``.
    rows, facts : int
        That there must be.

    Returns
    -------
    tuple or None
        None if they are not all there.
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
    """Delete the pixels that were used least recently, as far as all are larger than the bound."""
    found = {path: path.stat() for path in home.glob("*.npy") if path.name.count(".") == 1}
    size = sum(stat.st_size for stat in found.values())
    for path, stat in sorted(found.items(), key=lambda each: each[1].st_mtime):
        if size > _MOST_BYTES and path.stem != but:
            size -= stat.st_size
            for part in (path, *home.glob(f"{path.stem}.*.npy")):
                part.unlink(missing_ok=True)
