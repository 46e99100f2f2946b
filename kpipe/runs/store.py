"""The folder of a run, from which an interrupted run is resumed.

A run works in ``<out>/<slug>/.partial-<key>/``; ``key`` is a hash of everything that its results depend on. A killed
run that is started again with the same command finds its finished fits there. A finished run's folder is renamed to
``<out>/<slug>/<run id>/``. A run in progress holds the lock ``.partial-<key>.lock``, which is released when its
process ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import lzma
import math
import os
import shutil
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kpipe.errors import OutputError
from kpipe.runs.files import cannot_write, sync_folder, write_file
from kpipe.runs.find import UNFINISHED
from kpipe.runs.locks import lock_free_folder, try_lock
from kpipe.runs.log import log_to_file
from kpipe.runs.unfinished import CHECKPOINTS, REQUEST, read_request

__all__ = ["RunFolder", "key_of", "open_run_folder"]

_HEADERS = 8192  # bytes: upper bound of the size of a checkpoint besides its numbers
# Exceptions that zipfile and numpy raise if a file is not a checkpoint: truncated, zeroed, garbled or encrypted.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(RuntimeError, MemoryError, OverflowError, SyntaxError, tokenize.TokenError),
)


def key_of(settings: Mapping[str, object]) -> str:
    """Return a short hash of everything that a run's results depend on.

    Parameters
    ----------
    settings : mapping of str to object
        The run's inputs, JSON types.

    Returns
    -------
    str
        12 hexadecimal digits of a SHA-256; the order of the keys does not matter.

    Examples
    --------
    >>> key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    True
    """
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run that has not finished.

    Parameters
    ----------
    path : Path
        The folder.
    request : mapping
        The content of ``request.json``: the options and the inputs of the run.
    """

    path: Path
    request: Mapping[str, Any] = field(default_factory=dict)

    def get(self, key: str, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, np.ndarray] | None:
        """Return the arrays of a finished fit, or None if there is no valid checkpoint of it.

        Parameters
        ----------
        key : str
            The name of the fit.
        shapes : mapping of str to tuple of int
            Name → shape of each array of the fit.

        Returns
        -------
        mapping of str to ndarray, or None
            Finite float64 arrays of these shapes. None if the checkpoint is missing, unreadable, of other shapes, of
            another fit or of a run with other inputs.
        """
        path = self.path / CHECKPOINTS / f"{key}.npz"
        expected = {**dict.fromkeys(shapes, np.dtype(np.float64)), "owner": self._owner(key).dtype}
        size = 8 * sum(math.prod(shape) for shape in shapes.values())
        try:
            if path.stat().st_size > size + _HEADERS:
                return None
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
                arrays = dict(archive) if {*archive.files} == {*expected} else {}
        except _UNREADABLE:
            return None
        if {name: array.dtype for name, array in arrays.items()} != expected:
            return None
        valid = (arrays[name].shape == shape and np.isfinite(arrays[name]).all() for name, shape in shapes.items())
        return arrays if np.array_equal(arrays.pop("owner"), self._owner(key)) and all(valid) else None

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Save the arrays of a finished fit atomically.

        Parameters
        ----------
        key : str
            The name of the fit.
        arrays : mapping of str to ndarray
            Name → float64 array.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        buffer = io.BytesIO()
        np.savez(buffer, owner=self._owner(key), **arrays)  # type: ignore[arg-type]  # numpy's stub has names of its own
        self.write(f"{CHECKPOINTS}/{key}.npz", buffer.getvalue())

    def _owner(self, key: str) -> np.ndarray:
        """Distinguish this checkpoint from those of other fits and of runs with other inputs."""
        return np.array(f"{self.request.get('key', '')} {self.request.get('threads', 0)} {key}")

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the run atomically: if the process is killed, the file is complete or absent.

        Parameters
        ----------
        name : str
            The path inside the folder.
        content : bytes
            The content of the file.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        try:
            write_file(self.path / name, content)
        except OutputError as error:
            raise OutputError(f"{error}{self._what_is_kept()}", code="cannot-write") from error

    def _what_is_kept(self) -> str:
        any_fit = any((self.path / CHECKPOINTS).glob("*.npz"))
        return " Finished fits are kept: the same command continues from there." if any_fit else ""

    def write_table(self, name: str, frame: pd.DataFrame) -> None:
        """Write a table as Parquet; equal tables give equal bytes.

        Parameters
        ----------
        name : str
            The path inside the folder.
        frame : DataFrame
            The table; its index is not written.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink, compression="zstd")
        self.write(name, sink.getvalue())

    def free_second(self, created: str) -> str:
        """Return a time, or the first second after it in which no other run of the competition was made.

        Ids begin with the time: sorted, they are in the order in which the runs were made, even within one second.

        Parameters
        ----------
        created : str
            ISO 8601, UTC, to the second.

        Returns
        -------
        str
        """
        taken = {folder.name.partition("-")[0] for folder in self.path.parent.glob("2*-*")}
        began = datetime.fromisoformat(created)
        seconds = ((began + timedelta(seconds=number)).isoformat(timespec="seconds") for number in itertools.count())
        return next(second for second in seconds if _in_names(second) not in taken)

    def run_id(self, created: str) -> str:
        """Return an id for the finished run that no other run in the parent folder has.

        Parameters
        ----------
        created : str
            When the run was made: ISO 8601, UTC.

        Returns
        -------
        str
            The time and six characters that no other run of the competition ends with: the beginning of the key if
            no run has made the same before.
        """
        time, key = _in_names(created), self.path.name
        taken = {folder.name.partition("-")[2] for folder in self.path.parent.glob("2*-*")}
        hashes = (hashlib.sha256(f"{key} {number}".encode()).hexdigest() for number in itertools.count())
        ends = itertools.chain([key.removeprefix(UNFINISHED)], hashes)
        return next(f"{time}-{end[:6]}" for end in ends if end[:6] not in taken)

    def finish(self, run_id: str) -> Path:
        """Rename the folder to its final name, which marks the run as finished.

        Parameters
        ----------
        run_id : str
            The final name, see ``run_id``.

        Returns
        -------
        Path
            The new path.

        Raises
        ------
        OutputError
            If the folder cannot be renamed.
        """
        final = self.path.parent / run_id
        try:
            sync_folder(self.path)
            os.replace(self.path, final)
            sync_folder(final.parent)
        except OSError as error:
            raise OutputError(f"{cannot_write(final, error)}{self._what_is_kept()}", code="cannot-write") from error
        with contextlib.suppress(OSError):  # after the rename: until then the run can be resumed
            (final / REQUEST).unlink(missing_ok=True)
            shutil.rmtree(final / CHECKPOINTS)
        return final


def _in_names(created: str) -> str:
    return created.replace("-", "").replace(":", "").replace("+0000", "Z")


@contextlib.contextmanager
def open_run_folder(out: Path, slug: str, key: str, request: Mapping[str, Any] | None = None) -> Iterator[RunFolder]:
    """Open the folder of a run, and lock it; a second run with the same key gets a folder of its own.

    Parameters
    ----------
    out : Path
        The folder that runs are written to.
    slug : str
        The competition.
    key : str
        The hash of everything that the results depend on, see ``key_of``.
    request : mapping, optional
        Saved as ``request.json``. If an earlier run started the folder, its number of ``threads`` per fit is kept: the
        last digits of some models depend on it, and all fits of a run must agree.

    Yields
    ------
    RunFolder
        The folder, with the checkpoints of earlier runs that were killed. kpipe logs to ``log.txt`` in it.

    Raises
    ------
    OutputError
        If the folder cannot be written. The error is raised before training.
    """
    home = out / slug
    try:
        home.mkdir(parents=True, exist_ok=True)
        path, lock = lock_free_folder(home, f"{UNFINISHED}{key}")
    except OSError as error:
        raise cannot_write(home, error) from error
    try:
        _remove_temporary_files(path)
        _tidy_finished_runs(home)
        _take_over_checkpoints(path, key)
        earlier = {name: value for name, value in read_request(path).items() if name == "threads"}
        folder = RunFolder(path, {"key": key, **(request or {}), **earlier})
        folder.write(REQUEST, (json.dumps(folder.request, indent=2) + "\n").encode())
        with log_to_file(path / "log.txt"):
            yield folder
    finally:
        _remove_useless(path, Path(lock.lock_file))  # while locked: afterwards the folder may be another run's
        lock.release()


def _remove_temporary_files(path: Path) -> None:
    """Remove half-written files that a killed run left; the lock ensures that no other run is writing them."""
    for temporary in path.rglob(".*"):
        with contextlib.suppress(OSError):
            temporary.unlink()


def _tidy_finished_runs(home: Path) -> None:
    """Remove what is needed to resume a run, where a process was killed between the rename of its folder and this."""
    for left in [*home.glob(f"*/{REQUEST}"), *home.glob(f"*/{CHECKPOINTS}")]:
        if not left.parent.name.startswith(UNFINISHED) and not left.is_symlink():
            with contextlib.suppress(OSError):
                left.unlink() if left.is_file() else shutil.rmtree(left)


def _take_over_checkpoints(path: Path, key: str) -> None:
    """Move checkpoints here from the extra folders of killed runs with the same key, where no run would find them."""
    for other in path.parent.glob(f"{UNFINISHED}{key}-*"):
        if other == path or not other.is_dir() or other.is_symlink():
            continue
        with try_lock(other) as acquired:
            for checkpoint in other.glob(f"{CHECKPOINTS}/*.npz") if acquired else ():
                (path / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
                if not read_request(path) and read_request(other):  # the checkpoints hold for its number of threads
                    os.replace(other / REQUEST, path / REQUEST)
                if not (path / CHECKPOINTS / checkpoint.name).exists():
                    os.replace(checkpoint, path / CHECKPOINTS / checkpoint.name)
            if acquired:
                shutil.rmtree(other, ignore_errors=True)


def _remove_useless(path: Path, lock: Path) -> None:
    """Remove the folder if it holds no finished fit that a later run could use, and then the lock."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not any((path / CHECKPOINTS).glob("*.npz")):
            shutil.rmtree(path)
    with contextlib.suppress(OSError):  # Windows keeps a file that is open; filelock removes it there
        lock.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()  # fails if the folder holds other runs, as it should
