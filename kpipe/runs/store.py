"""Run folders: whole or absent, and resumable.

A run works in ``<out>/<slug>/.partial-<key>/``, where the key stands for everything that its results depend on; a
killed run that is started again with the same call finds its finished tasks there. Ended, the folder is renamed to
``<out>/<slug>/<run id>/``: a run's folder is whole or absent. While it works it holds the lock
``.partial-<key>.lock``, which ends with its process.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import logging
import lzma
import math
import os
import re
import shutil
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from kpipe.core.formatting import as_html, as_line
from kpipe.errors import OutputError, UsageError, printable

if TYPE_CHECKING:
    from kpipe.report.plots import Plots

__all__ = ["CALL", "Run", "RunFolder", "UnfinishedRun", "key_of", "refuse_blend", "try_lock", "unfinished", "workspace"]


CALL = "call.json"
_PARTIAL = re.compile(r"\.partial-([0-9a-f]{12})(?:-\d+)?")
_MOST_THREADS = 4096
_GLANCE = 0.05  # seconds; who only looks whether a lock is held lets go of it sooner
_HEADERS = 8192  # bytes of a part's zip at the most, besides the numbers
# What zipfile and numpy raise at bytes that are no part: torn, zeroed, garbled, encrypted, of sizes out of this world.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(RuntimeError, MemoryError, OverflowError, SyntaxError, tokenize.TokenError),
)


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run: its folder, and what ``run.json`` holds."""

    path: Path
    record: Mapping[str, Any]

    def __repr__(self) -> str:
        """In a line: the record, which is long, has a name of its own."""
        return f"<Run {as_line(self.record)}, {str(self.path)!r}>"

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
        """The submission, as written: columns of text stay text, be they ``0042`` or ``NA``."""
        text = self.record.get("submission", {}).get("text", ())
        return pd.read_csv(self.path / "submission.csv", dtype=dict.fromkeys(text, "str"), keep_default_na=False)

    @property
    def oof(self) -> pd.DataFrame:
        """Out-of-fold predictions: row, id where train has one, target, then the blend and each model."""
        return pd.read_parquet(self.path / "oof.parquet")

    @property
    def folds(self) -> pd.DataFrame:
        """The folds as (fold, row, role)."""
        return pd.read_parquet(self.path / "folds.parquet")

    @property
    def curves(self) -> pd.DataFrame:
        """Learning curves: model, seed, fold, rows ("training" or "inner validation"), step (epoch or tree), loss."""
        return pd.read_parquet(self.path / "curves.parquet")

    @property
    def plot(self) -> Plots:
        """What a report draws, as matplotlib's figures: ``run.plot.folds()``."""
        from kpipe.report.plots import Plots

        return Plots(self)

    def _repr_html_(self) -> str:
        """How a notebook shows the run."""
        return as_html(self.record)


def refuse_blend(run: Run) -> None:
    """Raise UsageError for a run that is a blend of runs, naming these: it has no training of its own to repeat."""
    settings = run.record.get("settings")
    blended = settings.get("blend") if isinstance(settings, Mapping) else None
    if blended is not None:
        ids = ", ".join(map(str, blended)) if isinstance(blended, list) else str(blended)
        raise UsageError(f"{run.record['run_id']} is a blend of {printable(ids)}: name these runs instead.")


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def key_of(settings: Mapping[str, object]) -> str:
    """A short name for everything that a run's results depend on."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run that has not ended.

    call : what ``call.json`` holds: how the run was asked for, and what it is made of.
    """

    path: Path
    call: Mapping[str, Any] = field(default_factory=dict)

    def get(self, key: str, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, np.ndarray] | None:
        """The arrays of a finished task, or None; what cannot be read, or is not what it should be, is done again.

        shapes : name → shape; the arrays must be these, float64 and finite, and of this task of this run.
        """
        path = self.path / "parts" / f"{key}.npz"
        wanted = {**dict.fromkeys(shapes, np.dtype(np.float64)), "part": self._mark(key).dtype}
        size = 8 * sum(math.prod(shape) for shape in shapes.values())
        try:
            if path.stat().st_size > size + _HEADERS:
                return None
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
                arrays = dict(archive) if {*archive.files} == {*wanted} else {}
        except _UNREADABLE:
            return None
        if {name: array.dtype for name, array in arrays.items()} != wanted:
            return None
        sound = (arrays[name].shape == shape and np.isfinite(arrays[name]).all() for name, shape in shapes.items())
        return arrays if np.array_equal(arrays.pop("part"), self._mark(key)) and all(sound) else None

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep a finished task, whole or not at all."""
        buffer = io.BytesIO()
        np.savez(buffer, part=self._mark(key), **arrays)  # type: ignore[arg-type]  # numpy's stub has names of its own
        self.write(f"parts/{key}.npz", buffer.getvalue())

    def _mark(self, key: str) -> np.ndarray:
        """What tells a part from that of another task, or of a run that is made of other things."""
        return np.array(f"{self.call.get('key', '')} {self.call.get('threads', 0)} {key}")

    def write(self, name: str, content: bytes) -> None:
        """Write a file so that it is whole or absent: beside, fsync, rename, fsync the folder. Raises OutputError."""
        target = self.path / name
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(beside, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, target)
            _sync_folder(target.parent)
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
            (self.path / CALL).unlink(missing_ok=True)
            _sync_folder(self.path)
            os.replace(self.path, final)
            _sync_folder(final.parent)
        except OSError as error:
            raise _cannot_write(final, error) from error
        return final


@contextlib.contextmanager
def workspace(out: Path, slug: str, key: str, call: Mapping[str, Any] | None = None) -> Iterator[RunFolder]:
    """A run's own folder for as long as it works; another run with the same key waits in none: it gets one of its own.

    call : kept as ``call.json``. The ``threads`` of a fit are those of the call that began the folder: some models'
        last digits depend on them, and a run is of one kind.
    Raises OutputError where nothing can be written, before anything is trained.
    """
    home = out / slug
    try:
        home.mkdir(parents=True, exist_ok=True)
        path, lock = _free(home, key)
    except OSError as error:
        raise _cannot_write(home, error) from error
    try:
        _sweep(path)
        _adopt(path, key)
        begun = {name: value for name, value in _call_of(path).items() if name == "threads"}
        space = RunFolder(path, {"key": key, **(call or {}), **begun})
        space.write(CALL, (json.dumps(space.call, indent=2) + "\n").encode())
        with _log_file(path / "log.txt"):
            yield space
    finally:
        _tidy(path, Path(lock.lock_file))  # while the lock is held: after it the folder may be another run's
        lock.release()


def _call_of(path: Path) -> dict[str, Any]:
    """What ``call.json`` of a folder holds, from wherever it is; empty where it cannot be read."""
    try:
        call = json.loads((path / CALL).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    named = _PARTIAL.fullmatch(path.name)
    threads = call.get("threads") if isinstance(call, dict) and named and call.get("key") == named[1] else None
    return call if isinstance(threads, int) and 0 < threads <= _MOST_THREADS else {}


def _sweep(path: Path) -> None:
    """Remove half-written files that a kill left beside those they were to become: the lock says they are nobody's."""
    for folder in (path, path / "parts"):
        for beside in folder.glob(".*"):
            with contextlib.suppress(OSError):
                beside.unlink()


def _adopt(path: Path, key: str) -> None:
    """Take the parts of runs of the same key that worked beside another and were killed: no call would find them."""
    for other in path.parent.glob(f".partial-{key}-*"):
        if other == path or not other.is_dir() or other.is_symlink():
            continue
        with try_lock(other) as free:
            for part in other.glob("parts/*.npz") if free else ():
                (path / "parts").mkdir(parents=True, exist_ok=True)
                os.replace(part, path / "parts" / part.name)
            if free:
                shutil.rmtree(other, ignore_errors=True)


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock of a folder that no run works in, and remove it after; False where a run works there."""
    lock = FileLock(f"{path}.lock", timeout=0)
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


def _at_work(path: Path) -> bool:
    """Whether a run works in a folder: its lock is held. One that a kill left is removed."""
    if not os.path.exists(f"{path}.lock"):
        return False
    try:
        with try_lock(path) as free:
            return not free
    except OSError:  # where nothing can be written, nobody works
        return False


@dataclass(frozen=True, kw_only=True)
class UnfinishedRun:
    """A run that was killed, failed, or is still at work. ``call`` may come from anywhere; empty where it is not known.

    parts : how many finished tasks are kept.
    """

    path: Path
    key: str
    call: Mapping[str, Any]
    parts: int
    at_work: bool


def unfinished(out: Path, slug: str = "*") -> list[UnfinishedRun]:
    """The unfinished runs of one competition or of all, the newest last; what none can go on with is removed."""
    found = []
    for lock in sorted(out.glob(f"{slug}/.partial-*.lock")):
        if not lock.with_suffix("").is_dir():
            _at_work(lock.with_suffix(""))
    for path in sorted(out.glob(f"{slug}/.partial-*"), key=_modified):
        named = _PARTIAL.fullmatch(path.name)
        if not named or not path.is_dir() or path.is_symlink():  # kpipe makes no links: they are not its to remove
            continue
        at_work, parts = _at_work(path), len([*path.glob("parts/*.npz")])
        if at_work or parts:
            found.append(UnfinishedRun(path=path, key=named[1], call=_call_of(path), parts=parts, at_work=at_work))
            continue
        with contextlib.suppress(OSError), try_lock(path) as free:
            if free:
                shutil.rmtree(path)
    return found


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it has ended since
        return 0.0


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
        lock = FileLock(f"{path}.lock", timeout=_GLANCE, poll_interval=_GLANCE / 10)
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


def _sync_folder(path: Path) -> None:
    """Have the names in a folder outlast a power cut, where the system lets folders be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
