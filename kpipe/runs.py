"""Run folders: whole or absent, and resumable.

A run works in ``<out>/<slug>/.partial-<key>/``, where the key stands for everything that its results depend on; a
killed run that is started again with the same call finds its finished tasks there. Ended, the folder is renamed to
``<out>/<slug>/<run id>/``: a run's folder is whole or absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import logging
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from kpipe.errors import OutputError

__all__ = ["Run", "Workspace", "key_of", "workspace"]


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and what ``run.json`` holds."""

    path: Path
    record: Mapping[str, Any]

    @property
    def score(self) -> float:
        """The metric of what was submitted, out-of-fold."""
        return _number(self.record["score"])

    @property
    def standard_error(self) -> float:
        """Of ``score``, as an estimate of the score on new rows; NaN where it is not known."""
        return _number(self.record["standard_error"])

    @property
    def submission(self) -> pd.DataFrame:
        """The submission, as written."""
        return pd.read_csv(self.path / "submission.csv")

    @property
    def oof(self) -> pd.DataFrame:
        """Out-of-fold predictions: row, id where train has one, target, then the blend and each model."""
        return pd.read_parquet(self.path / "oof.parquet")

    @property
    def folds(self) -> pd.DataFrame:
        """The folds as (fold, row, role)."""
        return pd.read_parquet(self.path / "folds.parquet")


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def key_of(settings: Mapping[str, object]) -> str:
    """A short name for everything that a run's results depend on."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Workspace:
    """The folder of a run that has not ended."""

    path: Path

    def get(self, key: str) -> Mapping[str, np.ndarray] | None:
        """The arrays of a finished task, or None; what cannot be read is done again."""
        try:
            content = io.BytesIO((self.path / "parts" / f"{key}.npz").read_bytes())
            with np.load(content, allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            return None

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep a finished task, whole or not at all."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own options
        self.write(f"parts/{key}.npz", buffer.getvalue())

    def write(self, name: str, content: bytes) -> None:
        """Write a file so that it is whole or absent: beside, fsync, rename. Raises OutputError."""
        target = self.path / name
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(beside, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, target)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise _cannot_write(target, error) from error

    def write_table(self, name: str, frame: pd.DataFrame) -> None:
        """Write a frame as Parquet; the same frame gives the same bytes."""
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink, compression="zstd")
        self.write(name, sink.getvalue())

    def run_id(self, created: str) -> str:
        """The time (ISO 8601, UTC) and the key, short; with a number behind it where that is taken."""
        stamp = created.replace("-", "").replace(":", "").replace("+0000", "Z")
        name = f"{stamp}-{self.path.name.removeprefix('.partial-')[:6]}"
        numbers = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
        return next(name + number for number in numbers if not (self.path.parent / (name + number)).exists())

    def finish(self, run_id: str) -> Path:
        """Give the folder its final name."""
        final = self.path.parent / run_id
        try:
            (self.path / "started").unlink(missing_ok=True)
            os.replace(self.path, final)
        except OSError as error:
            raise _cannot_write(final, error) from error
        return final


@contextlib.contextmanager
def workspace(out: Path, slug: str, key: str) -> Iterator[Workspace]:
    """A run's own folder for as long as it works; another run with the same key waits in none: it gets one of its own.

    Raises OutputError where nothing can be written, before anything is trained.
    """
    home = out / slug
    try:
        home.mkdir(parents=True, exist_ok=True)
        path, lock = _free(home, key)
    except OSError as error:
        raise _cannot_write(home, error) from error
    space = Workspace(path)
    try:
        space.write("started", b"")
        with _log_file(path / "log.txt"):
            yield space
    finally:
        _tidy(path, Path(lock.lock_file))  # while the lock is held: after it the folder may be another run's
        lock.release()


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """What the ``kpipe`` logger is told goes into a file, and so does the error that ends the run."""
    logger = logging.getLogger("kpipe")
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise _cannot_write(path, error) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.handleError = lambda record: None  # type: ignore[method-assign]  # a full disk is told by what matters more
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    except BaseException as error:
        logger.exception("the run ended: %s", type(error).__name__)
        raise
    finally:
        logger.removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()


def _tidy(path: Path, lock: Path) -> None:
    """Leave no empty folder behind: one without a finished task is of no use to the next call."""
    with contextlib.suppress(OSError):  # Windows keeps a file that is open; filelock removes it there
        lock.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        if path.is_dir() and not any((path / "parts").glob("*.npz")):
            shutil.rmtree(path)
            path.parent.rmdir()  # fails, rightly, where other runs stand beside it


def _free(home: Path, key: str) -> tuple[Path, FileLock]:
    number = 1
    while True:
        path = home / (f".partial-{key}" if number == 1 else f".partial-{key}-{number}")
        lock = FileLock(f"{path}.lock", timeout=0)
        with contextlib.suppress(Timeout):
            lock.acquire()
            return path, lock
        number += 1


def _cannot_write(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"{path} cannot be written: {reason}. Free space or choose another folder with --out DIR; "
        "finished training is kept, and the same call goes on from there."
    )
