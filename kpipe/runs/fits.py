"""The store of finished fits, which all runs of a folder share, so that no fit is trained twice.

An entry is ``<out>/.fits/<key>.fit``: a signature and the arrays of a result. The key is a hash of everything that the
predictions depend on (``kpipe.runs.fit_keys``). The signature is made with a secret of this user. A fit whose entry is
damaged, or was written by another program or on another machine, is trained again.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import json
import logging
import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from kpipe.core.request import RunRequest
from kpipe.core.values import Check
from kpipe.errors import OutputError
from kpipe.runs.files import write_file
from kpipe.runs.fit_keys import FitKeys
from kpipe.runs.rerun import RerunSpec
from kpipe.runs.signatures import SIGNATURE_BYTES, read_secret
from kpipe.training.checkpoints import NO_STORE, FitStore, result_from_arrays, result_shapes, result_to_arrays
from kpipe.training.worker import FitResult, FitTask, TrainingData

__all__ = ["FITS", "FitFolder", "fit_store", "fit_store_of_runs", "keep_checks"]

FITS = ".fits"  # the folder of the store, among the folders of the competitions
_SUFFIX = ".fit"
_MAXIMUM = 2 * 2**30  # bytes of all entries; the least recently used ones are removed
_HEADERS = 8192  # bytes: upper bound of the size of an entry besides its numbers
_MAX_OF_CHECKS = 2**20  # bytes of their results

_LOG = logging.getLogger("kpipe")


def fit_store(request: RunRequest, rerun: RerunSpec) -> FitStore:
    """The store of a run: in ``KPIPE_FITS``, which several workspaces may share, or beside the runs.

    Parameters
    ----------
    request : RunRequest
    rerun : RerunSpec

    Returns
    -------
    FitStore
        One without entries if everything is to be trained anew: a reproduction, a kernel, or a run with ``fresh``.
    """
    if request.fresh or rerun.fits is not None:
        return NO_STORE
    return FitFolder(_folder_of(request))


def fit_store_of_runs(request: RunRequest) -> FitStore:
    """The existing store of runs, for commands that create no run and must not leave a folder behind.

    Parameters
    ----------
    request : RunRequest

    Returns
    -------
    FitStore
        One without entries if no run has made a store yet, or with ``fresh``.
    """
    return NO_STORE if request.fresh or not _folder_of(request).is_dir() else FitFolder(_folder_of(request))


def _folder_of(request: RunRequest) -> Path:
    return Path(os.environ.get("KPIPE_FITS") or request.out / FITS)


class FitFolder:
    """A store of fits in a folder. A fit whose entry is missing, or cannot be read or written, is trained again.

    Parameters
    ----------
    folder : Path
        It need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._keys: FitKeys | None = None
        self._secret = read_secret()

    def load(self, task: FitTask, data: TrainingData) -> FitResult | None:
        """The result of an identical fit of an earlier run.

        Parameters
        ----------
        task : FitTask
        data : TrainingData

        Returns
        -------
        FitResult or None
            None if there is none, or the entry is damaged or not written by this user.
        """
        key = self._key(task, data)
        if key is None:
            return None
        shapes = result_shapes(task, data)
        content = self.read(key, 8 * sum(math.prod(shape) for shape in shapes.values()) + _HEADERS)
        if content is None:
            return None
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = dict(archive)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None
        if {name: array.shape for name, array in arrays.items()} != shapes:
            return None
        return result_from_arrays(arrays)

    def save(self, task: FitTask, data: TrainingData, result: FitResult) -> None:
        """Keep the result of a fit.

        Parameters
        ----------
        task : FitTask
        data : TrainingData
        result : FitResult
        """
        key = self._key(task, data)
        if key is None:
            return
        buffer = io.BytesIO()
        np.savez(buffer, **result_to_arrays(result))  # type: ignore[arg-type]  # numpy's stub has names of its own
        self.write(key, buffer.getvalue())

    def read(self, key: str, most: int) -> bytes | None:
        """The content of an entry; None if there is none that this user has written, or it is too large.

        Parameters
        ----------
        key : str
            64 hexadecimal digits.
        most : int
            The largest number of bytes.

        Returns
        -------
        bytes or None
        """
        path = self.folder / f"{key}{_SUFFIX}"
        try:
            if self._secret is None or path.stat().st_size > most + SIGNATURE_BYTES:
                return None
            content = path.read_bytes()
            if not hmac.compare_digest(content[:SIGNATURE_BYTES], self._sign(key, content[SIGNATURE_BYTES:])):
                return None
            os.utime(path)
        except OSError:
            return None
        return content[SIGNATURE_BYTES:]

    def write(self, key: str, content: bytes) -> None:
        """Keep an entry, if that is possible.

        Parameters
        ----------
        key : str
            64 hexadecimal digits.
        content : bytes
        """
        if self._secret is None:
            return
        try:
            write_file(self.folder / f"{key}{_SUFFIX}", self._sign(key, content) + content)
        except OutputError as error:
            _LOG.info("An entry is not stored for later runs: %s", error)

    def remove_oldest(self) -> None:
        """Remove the least recently used entries, until the others fit into the store's size."""
        with contextlib.suppress(OSError):
            entries = [(path, path.stat()) for path in self.folder.glob(f"*{_SUFFIX}")]
            total = sum(stat.st_size for _, stat in entries)
            for path, stat in sorted(entries, key=lambda entry: entry[1].st_mtime):
                if total <= _MAXIMUM:
                    return
                path.unlink(missing_ok=True)
                total -= stat.st_size

    def _key(self, task: FitTask, data: TrainingData) -> str | None:
        if self._secret is None:
            return None
        if self._keys is None or self._keys.data is not data:
            self._keys = FitKeys(data)
        return self._keys.of(task)

    def _sign(self, key: str, content: bytes) -> bytes:
        return hmac.digest(self._secret or b"", key.encode() + content, hashlib.sha256)


class _ChecksOfRun:
    """The results of the checks of tables and folds, among the fits of a store."""

    def __init__(self, folder: FitFolder, key: str) -> None:
        self.folder, self.key = folder, hashlib.sha256(f"checks of {key}".encode()).hexdigest()

    def load(self) -> tuple[Check, ...] | None:
        """The results of an earlier run with identical inputs."""
        content = self.folder.read(self.key, _MAX_OF_CHECKS)
        return None if content is None else tuple(Check(**one) for one in json.loads(content))

    def save(self, checks: Sequence[Check]) -> None:
        """Keep results for later runs."""
        self.folder.write(self.key, json.dumps([asdict(check) for check in checks]).encode())


def keep_checks(store: FitStore, key: str) -> _ChecksOfRun | None:
    """Storage for the results of the checks of tables, which depend only on a run's inputs.

    Parameters
    ----------
    store : FitStore
    key : str
        A hash of the run's inputs.

    Returns
    -------
    object or None
        None for a store without entries.
    """
    return _ChecksOfRun(store, key) if isinstance(store, FitFolder) else None
