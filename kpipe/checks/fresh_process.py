"""Fit a fold in a fresh Python process, with other hashes and another clock, and watch which files the module opens.

What a process remembers (caches, attributes of classes, tables that an import has kept) is not there in a fresh one.
The order of sets and ``hash()`` differ there, too. Run as a program, this module fits the fold that is passed to it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from joblib.externals.loky.backend.reduction import dumps

from kpipe.core.values import Folds, Predictions
from kpipe.errors import TrainingError
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.training.cross_validation import cross_validate

__all__ = ["FreshFit", "fit_in_fresh_process"]

_TIMEOUT = 1_800.0  # seconds
_CLOCK = 40 * 86_400.0 + 12_345.0  # seconds by which the clock is ahead there
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
    """

    predictions: Predictions
    opened: tuple[str, ...]


def fit_in_fresh_process(
    problem: Problem, fold: Folds, models: Mapping[str, Factory], *, device: str, hash_seed: int
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
        ``PYTHONHASHSEED`` of the process.

    Returns
    -------
    FreshFit

    Raises
    ------
    TrainingError
        If the fit fails or takes longer than half an hour there, or cannot be sent there.
    """
    with tempfile.TemporaryDirectory(prefix="kpipe-") as folder:
        task, result = Path(folder, "task"), Path(folder, "result")
        # Two pickles: the files that are watched must be known before the competition's module is imported.
        try:
            inner = bytes(dumps((problem, fold, dict(models), device)))
        except Exception as error:  # whatever an author's object raises when it is pickled
            raise TrainingError(f"the models cannot be sent to another process: {error}") from error
        task.write_bytes(pickle.dumps((str(problem.tables.source.path), inner)))
        environment = {
            **os.environ,
            "PYTHONHASHSEED": str(hash_seed),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        command = [sys.executable, "-m", "kpipe.checks.fresh_process", str(task), str(result)]
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise TrainingError(f"the fit takes longer than {_TIMEOUT:g} s in a fresh process") from error
        if done.returncode or not result.exists():
            said = (done.stderr.strip() or "no message").splitlines()[-1]
            raise TrainingError(f"the fit fails in a fresh process: {said}")
        predictions, opened = pickle.loads(result.read_bytes())
        return FreshFit(predictions, tuple(opened))


def _watch(data: Path) -> list[str]:
    """A list that grows by each file below ``data``, or of its name, that the competition's own code opens."""
    opened: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | os.PathLike):
            path = Path(os.fspath(arguments[0]))
            if _is_data(path, data) and (line := _own_line()) and (said := f"{path.name} ({line})") not in opened:
                opened.append(said)

    sys.addaudithook(hook)
    return opened


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


def _shift(clock: Callable[[], Any], by: float) -> Callable[[], Any]:
    return lambda: clock() + type(clock())(by)


def _main(task: Path, result: Path) -> None:
    data, inner = pickle.loads(task.read_bytes())
    opened = _watch(Path(data).absolute())
    time.time, time.time_ns = _shift(time.time, _CLOCK), _shift(time.time_ns, _CLOCK * 1e9)
    problem, fold, models, device = pickle.loads(inner)
    problem.competition.clean(problem.files)
    predictions = cross_validate(problem, fold, models=models, device=device, jobs=1)
    result.write_bytes(bytes(dumps((predictions, opened))))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
