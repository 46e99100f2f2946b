"""Features that earlier fits have computed: each picture, and each text, goes through a frozen network once.

The store is a folder of sixteen files, by the first digit of a row's hash, each with a lock. Fits of several
processes that need the same pictures compute different files at the same time. Features that cannot be read or written
are computed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

__all__ = ["features_of"]

Compute = Callable[[np.ndarray], np.ndarray]  # (k,) positions of rows → (k, features)
_DIGITS = "0123456789abcdef"


def features_of(rows: Sequence[bytes] | np.ndarray, compute: Compute, folder: Path) -> np.ndarray:
    """The features of pictures or texts, from the store or computed.

    Parameters
    ----------
    rows : sequence of n bytes, or C-contiguous ndarray of shape (n, pixels)
        At least one. Equal rows are computed once.
    compute : callable
        (k,) positions in ``rows`` → (k, features) float16 array. A row's features must not depend on other rows.
    folder : Path
        Of this network at this resolution. It need not exist.

    Returns
    -------
    ndarray of shape (n, features)
        float16.
    """
    digests = np.array([hashlib.blake2b(row, digest_size=16).hexdigest() for row in rows])
    unique, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    shards = {digit: np.flatnonzero(np.char.startswith(unique, digit)) for digit in _DIGITS}
    found: dict[str, np.ndarray] = {}
    start = os.getpid() % len(_DIGITS)  # processes that start together begin with different files
    for patient in (False, True):  # first those that no other process is computing
        for digit in _DIGITS[start:] + _DIGITS[:start]:
            if len(shards[digit]) and digit not in found:
                keys, places = unique[shards[digit]], first[shards[digit]]
                with contextlib.suppress(Timeout):
                    found[digit] = _shard(keys, places, compute, folder / f"{digit}.npz", patient=patient)
    return np.concatenate([found[digit] for digit in _DIGITS if digit in found])[inverse]


def _shard(keys: np.ndarray, places: np.ndarray, compute: Compute, path: Path, *, patient: bool) -> np.ndarray:
    """The features of the rows of one file. Raises Timeout if another process has locked it, unless ``patient``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"))
        lock.acquire(timeout=-1 if patient else 0)
    except OSError:  # Timeout is one, too
        if not patient:
            raise Timeout(str(path)) from None
        return compute(places)
    try:
        known, values = _read(path)
        missing = ~np.isin(keys, known)
        if missing.any():
            new = compute(places[missing])
            known = np.concatenate([known, keys[missing]]) if len(known) else keys[missing]
            values = np.concatenate([values, new]) if values.size else new
            order = np.argsort(known)
            known, values = known[order], values[order]
            _write(path, known, values)
        return values[np.searchsorted(known, keys)]
    finally:
        lock.release()


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Sorted hashes and their features; empty arrays if the file is missing or damaged."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            keys, values = archive["keys"], archive["values"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        keys, values = np.array([], dtype="<U32"), np.zeros((0, 0), dtype=np.float16)
    if keys.dtype.kind != "U" or values.dtype != np.float16 or values.ndim != 2 or len(keys) != len(values):
        return np.array([], dtype="<U32"), np.zeros((0, 0), dtype=np.float16)
    return keys, values


def _write(path: Path, keys: np.ndarray, values: np.ndarray) -> None:
    """Write a file whole or not at all."""
    with contextlib.suppress(OSError):
        number, name = tempfile.mkstemp(dir=path.parent, suffix=".new")
        try:
            with open(number, "wb") as file:
                np.savez(file, keys=keys, values=values)
            os.replace(name, path)
        except OSError:
            os.unlink(name)
