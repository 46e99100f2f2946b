"""Fit a fold in a fresh Python process, with other hashes and another clock, and watch which files the module opens.

What a process remembers (caches, attributes of classes, tables that an import has kept) is not there in a fresh one.
The order of sets and ``hash()`` differ there, too, and the training file on disk is a spoilt copy. Run as a program,
this module fits the fold that is passed to it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd
from joblib.externals.loky.backend.reduction import dumps

from kpipe.checks.shifted_clock import shift_clock
from kpipe.checks.spoilt_files import spoil, with_mounts
from kpipe.core.values import Folds, Predictions, Tables
from kpipe.errors import TrainingError
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.training.cross_validation import cross_validate

__all__ = ["FreshFit", "FreshFitError", "fit_in_fresh_process"]

_TIMEOUT = 1_800.0  # seconds
_AHEAD, _CLOCKS = 40 * 86_400.0 + 12_345.0, 5  # seconds by which the clock is ahead, once to five times by the seed
_ENVIRONMENT = dict(os.environ)  # what fits of this process add is not passed on
_PASSED_ON = ("KPIPE_", "CUDA_", "HF_", "TORCH_", "XDG_")  # what a caller sets later, too
_BEGAN = time.time()  # fits of this process come later
_CODE = (".py", ".pyc", ".so")
_OWN = (str(Path(__file__).resolve().parents[1]), "site-packages", "<frozen", str(Path(os.__file__).parent))
_COMPETITIONS = "competitions"  # the folder of kpipe's package that holds modules like a user's


@dataclass(frozen=True)
class FreshFit:
    """The result of a fit in a fresh process.

    Attributes
    ----------
    predictions : Predictions
    opened : tuple of str
        Files of the competition's data that the module opened by itself, each with the line that did.
    kept : tuple of str
        Files that this process wrote, and that the module opened there.
    cleaned : tuple of str
        Columns that ``clean`` fills otherwise there than here.
    """

    predictions: Predictions
    opened: tuple[str, ...]
    kept: tuple[str, ...] = ()
    cleaned: tuple[str, ...] = ()


class FreshFitError(TrainingError):
    """A fit that fails in a fresh process only."""


def fit_in_fresh_process(
    problem: Problem,
    fold: Folds,
    models: Mapping[str, Factory],
    *,
    device: str,
    hash_seed: int,
    spoilt: bool = False,
) -> FreshFit:
    """Fit models on one fold in a fresh process.

    Parameters
    ----------
    problem : Problem
    fold : Folds
        A single fold.
    models : mapping of str to Factory
    device : str
    hash_seed : int
        ``PYTHONHASHSEED`` of the process; its clock depends on it, too.
    spoilt : bool
        Whether the process finds a training file on disk in which no row is what it was.

    Returns
    -------
    FreshFit

    Raises
    ------
    FreshFitError
        If the fit fails there.
    TrainingError
        If it takes longer than half an hour there, or cannot be sent there.
    """
    with tempfile.TemporaryDirectory(prefix="kpipe-") as folder:
        task, result, files = Path(folder, "task"), Path(folder, "result"), Path(folder, "files")
        files.mkdir()
        data = problem.tables.source.path.absolute()
        path, copies = spoil(problem.tables.source, files) if spoilt else (data, {})
        command = [sys.executable, "-m", "kpipe.checks.fresh_process", str(task), str(result)]
        run = with_mounts(copies, command)
        if run == command:  # nothing is mounted: the tables at least name the copy
            problem = _at(problem, path)
        # Two pickles: the files that are watched must be known before the competition's module is imported.
        try:
            inner = bytes(dumps((problem, fold, dict(models), device)))
        except Exception as error:  # whatever an author's object raises when it is pickled
            raise TrainingError(
                f"the models cannot be sent to another process: {error}", code="training-failed"
            ) from error
        task.write_bytes(pickle.dumps(([str(data), str(path)], _BEGAN, _AHEAD * (1 + hash_seed % _CLOCKS), inner)))
        predictions, opened, kept, there = pickle.loads(_run(run, hash_seed, result))
        here = _hash_columns(problem.competition.clean(problem.files))
        cleaned = [name for name in here if here[name] != there.get(name)]
        return FreshFit(predictions, tuple(opened), tuple(kept), tuple(cleaned))


def _hash_columns(tables: Tables) -> dict[str, int]:
    """A hash of each column of train and test."""
    return {
        f"{column} of {name}": int(pd.util.hash_pandas_object(frame[column], index=False).to_numpy().cumsum().sum())
        for name, frame in (("train", tables.train), ("test", tables.test))
        for column in frame
    }


def _at(problem: Problem, path: Path) -> Problem:
    """The problem with its files at another path."""
    tables, files = (replace(one, source=replace(one.source, path=path)) for one in (problem.tables, problem.files))
    return replace(problem, tables=tables, files=files)


def _run(command: list[str], hash_seed: int, result: Path) -> bytes:
    environment = {
        **{name: value for name, value in os.environ.items() if name in _ENVIRONMENT or name.startswith(_PASSED_ON)},
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise TrainingError(
            f"the fit takes longer than {_TIMEOUT:g} s in a fresh process", code="training-failed"
        ) from error
    if done.returncode or not result.exists():
        said = (done.stderr.strip() or "no message").splitlines()[-1]
        raise FreshFitError(f"the fit fails in a fresh process: {said}", code="training-failed")
    return result.read_bytes()


def _watch(data: Sequence[Path], began: float) -> tuple[list[str], list[str]]:
    """Two lists that grow by each file that the competition's own code opens: of the data, and of a process before.

    began : when that process began, in seconds since 1970.
    """
    opened: list[str] = []
    kept: list[str] = []
    started = time.time()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("open", "sqlite3.connect") or not isinstance(arguments[0], str | os.PathLike):
            return
        path = Path(os.fspath(arguments[0]))
        which = opened if any(_is_data(path, one) for one in data) else kept
        if which is kept and (path.suffix in _CODE or not began < _written(path) < started):
            return
        if (line := _own_line()) and (said := f"{path.name} ({line})") not in which:
            which.append(said)

    sys.addaudithook(hook)
    return opened, kept


def _written(path: Path) -> float:
    """When a file was written last; 0 where there is none."""
    try:
        return path.stat().st_mtime if path.is_file() else 0.0
    except OSError:
        return 0.0


def _is_data(path: Path, data: Path) -> bool:
    return path.name in ("train.csv", data.name) or data in path.absolute().parents


def _own_line() -> str:
    """The innermost line of the call stack that belongs neither to kpipe nor to an installed package."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not any(part in file for part in _OWN) or f"{os.sep}{_COMPETITIONS}{os.sep}" in file:
            return f"{file}, line {frame.f_lineno}"
        frame = frame.f_back
    return ""


def _main(task: Path, result: Path) -> None:
    data, began, ahead, inner = pickle.loads(task.read_bytes())
    opened, kept = _watch([Path(path).absolute() for path in data], began)
    shift_clock(ahead)
    problem, fold, models, device = pickle.loads(inner)
    cleaned = _hash_columns(problem.competition.clean(problem.files))
    predictions = cross_validate(problem, fold, models=models, device=device, jobs=1)
    result.write_bytes(bytes(dumps((predictions, opened, kept, cleaned))))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
