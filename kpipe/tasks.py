"""One task of cross-validation: fit a model on one fold with one seed, predict, and say what it cost.

Everything here can be sent to another process: joblib does, and so would Dask or Ray.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from threadpoolctl import threadpool_limits

from kpipe.errors import KpipeError, TrainingError

__all__ = [
    "Clock",
    "Data",
    "Result",
    "Task",
    "compute",
    "cores",
    "fit_predict",
    "ignore_interrupts",
    "memory_mib",
    "peak_memory_mib",
    "predict",
]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One model, to be fitted on one fold with one seed, within a number of CPU threads."""

    model: str
    fold: int
    seed: int
    threads: int
    estimator: BaseEstimator

    @property
    def key(self) -> str:
        """A name for the task's results, unique within a run."""
        return f"{self.model}-seed{self.seed}-fold{self.fold}"  # the fold after the last one is all rows


@dataclass(frozen=True, kw_only=True)
class Data:
    """What every task shares: features and coded target of train, features of test, the number of outputs."""

    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame
    outputs: int


_PROBED = 32  # test rows that are predicted a second time, in another order, and one of them alone


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a task gives: predictions (rows, k) of its validation and test rows, and what it cost where.

    moved : by how much a test row's prediction differs when other rows stand beside it, see ``_moved``; 0 where it was
        not looked at.
    """

    valid: np.ndarray
    test: np.ndarray
    seconds: float
    moved: float = 0.0
    process: int = 0
    peak_memory_mib: float = 0.0
    resumed: bool = False


def fit_predict(number: int, task: Task, data: Data, train: np.ndarray, valid: np.ndarray) -> tuple[int, Result]:
    """Fit one model on one fold's training rows; predict its validation rows and all test rows."""
    try:
        # A warning of a library is for whoever writes the model; here it would stand between progress lines.
        with threadpool_limits(task.threads), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            estimator = clone(task.estimator).fit(data.X.iloc[train], data.y[train])
            nothing = np.empty((0, data.outputs))
            on_valid = predict(estimator, data.X.iloc[valid], data.outputs) if len(valid) else nothing
            predicted = [on_valid, predict(estimator, data.X_test, data.outputs)]
            seconds = time.perf_counter() - start
            moved = _moved(estimator, data, predicted[1]) if task.fold == 0 else 0.0
    except KpipeError:
        raise
    except Exception as error:
        told = TrainingError(f"Model {task.model!r} failed on fold {task.fold + 1}: {type(error).__name__}: {error}")
        told.add_note(traceback.format_exc())
        raise told from None
    for rows, prediction in zip((len(valid), len(data.X_test)), predicted, strict=True):
        _check_predictions(task, prediction, (rows, data.outputs))
    valid_predicted, test_predicted = predicted
    return number, Result(
        valid=valid_predicted,
        test=test_predicted,
        seconds=seconds,
        moved=moved,
        process=os.getpid(),
        peak_memory_mib=peak_memory_mib(),
    )


def _moved(estimator: Any, data: Data, predicted: np.ndarray) -> float:
    """The most that a test row's prediction changes when it is predicted among other rows, in another order, or alone.

    In standard deviations of the predictions; infinite where the model cannot predict them so. A row's prediction is
    its own: one that is made with what stands beside it (a batch's mean, a refitted scaler, a shape that broadcasts,
    predictions that were kept from an earlier call) moves.
    """
    count = len(data.X_test)
    rows = np.random.default_rng(0).permutation(np.unique(np.linspace(0, count - 1, min(_PROBED, count)).astype(int)))
    spread = predicted.std(axis=0).max() if predicted.shape == (count, data.outputs) else 0.0
    if count < 2 or not spread > 0:
        return 0.0
    moved = 0.0
    for some in (rows, rows[:1]):
        try:
            again = predict(estimator, data.X_test.iloc[some], data.outputs)
        except Exception:  # whatever a model raises at rows that it predicted before is the finding
            return float("inf")
        apart = np.abs(again - predicted[some]) if again.shape == (len(some), data.outputs) else np.array(np.inf)
        moved = max(moved, float(apart.max() / spread))
    return moved


class Clock:
    """Until when work may go on.

    budget : seconds from now; None: as long as it takes. spent : seconds of it that have gone already.
    """

    def __init__(self, budget: float | None, *, spent: float = 0.0) -> None:
        self.budget = budget
        self.end = None if budget is None else time.monotonic() + budget - spent

    def left(self) -> float | None:
        """Seconds until the end, at least 0; None where there is none."""
        return None if self.end is None else max(0.0, self.end - time.monotonic())

    def share(self, parts: int) -> Clock:
        """A clock that ends after one of so many equal parts of the time that is left."""
        left = self.left()
        return self if left is None else Clock(left / max(parts, 1))

    def fits(self, seconds: float) -> bool:
        """Whether work of so many seconds would end in time."""
        return self.end is None or time.monotonic() + seconds < self.end

    def said(self) -> str:
        """How much is left, for the log."""
        return "no limit" if self.end is None else f"{self.left():.0f} s left"


def compute(
    calls: Sequence[tuple[Task, np.ndarray, np.ndarray]], data: Data, *, lanes: int, clock: Clock
) -> Iterator[tuple[int, Result]]:
    """Each call's number and result, as they end; with a clock, those that end in time: workers are then stopped.

    calls : (task, training rows, validation rows).
    Raises TrainingError where a model fails or a worker process was killed.
    """
    if not calls or not clock.fits(0):
        return
    failed: list[KpipeError] = []
    try:
        untimed = clock.end is None
        ended = _parallel(lanes, apart=False)(_jobs(calls, data)) if untimed else _in_time(calls, data, lanes, clock)
        for number, result in ended:
            if isinstance(result, KpipeError):
                failed.append(result)
            else:
                yield number, result
    except BrokenProcessPool as error:
        raise TrainingError(
            "A worker process was killed, most likely because memory ran out. "
            "Run again with --jobs 1: what was finished is kept."
        ) from error
    if failed:
        raise failed[0]


_Ended = tuple[int, Result | KpipeError]


def _attempt(number: int, task: Task, data: Data, train: np.ndarray, valid: np.ndarray) -> _Ended:
    """A failure as a value: one that is raised makes joblib stop its workers, of which loky may print a traceback."""
    try:
        return fit_predict(number, task, data, train, valid)
    except KpipeError as error:
        return number, error


def _parallel(lanes: int, *, apart: bool) -> joblib.Parallel:
    """Lanes for tasks; ``apart``: of other processes even where there is one, so that what runs can be stopped."""
    alone = lanes == 1 and apart
    return joblib.Parallel(
        n_jobs=2 if alone else lanes,
        return_as="generator_unordered",
        pre_dispatch=1 if alone else "all",
        batch_size=1,
        initializer=ignore_interrupts,
    )


def _jobs(calls: Sequence[tuple[Task, np.ndarray, np.ndarray]], data: Data) -> Iterator[Any]:
    for number, (task, train, valid) in enumerate(calls):
        yield joblib.delayed(_attempt)(number, task, data, train, valid)


def _in_time(
    calls: Sequence[tuple[Task, np.ndarray, np.ndarray]], data: Data, lanes: int, clock: Clock
) -> Iterator[_Ended]:
    """The results that end in time. joblib waits in a thread of its own, so that this one can watch the clock."""
    ended: queue.Queue[_Ended | BaseException | None] = queue.Queue()
    parallel = _parallel(lanes, apart=True)

    def wait() -> None:
        try:
            for result in parallel(_jobs(calls, data)):
                ended.put(result)
            ended.put(None)
        except BaseException as error:  # handed to the thread that asked, which raises it
            ended.put(error)

    threading.Thread(target=wait, daemon=True).start()
    try:
        while (result := ended.get(timeout=clock.left())) is not None:
            if isinstance(result, BaseException):
                raise result
            yield result
    except queue.Empty:
        # Every backend of joblib's has this method; Parallel has no public one that stops what runs. One that has not
        # started yet has no workers to stop.
        with contextlib.suppress(AttributeError):
            parallel._backend.abort_everything(ensure_ready=False)


def predict(estimator: Any, X: pd.DataFrame, outputs: int) -> np.ndarray:
    """(n, k) float64; a class that the fold did not train on has probability 0."""
    if not hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict(X), dtype=np.float64).reshape(len(X), -1)
    given = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    classes = np.asarray(getattr(estimator, "classes_", range(outputs)), dtype=int)
    if len(classes) == 1 and given.shape == (len(X), 2):
        given = given[:, :1]  # LightGBM that saw one class gives two columns, of which the first is that class
    if len(classes) == outputs or given.shape != (len(X), len(classes)):
        return given  # a wrong shape is named by the check that follows
    probabilities = np.zeros((len(X), outputs))
    probabilities[:, classes] = given
    return probabilities


def _check_predictions(task: Task, predictions: np.ndarray, shape: tuple[int, int]) -> None:
    if predictions.shape != shape:
        raise TrainingError(
            f"Model {task.model!r}, fold {task.fold + 1}: predictions must have the shape {shape}, "
            f"however: {predictions.shape}."
        )
    wrong = np.flatnonzero(~np.isfinite(predictions).all(axis=1))
    if len(wrong):
        raise TrainingError(
            f"Model {task.model!r}, fold {task.fold + 1}: {len(wrong)} of {len(predictions)} predictions are not "
            f"finite numbers, first for row {wrong[0] + 1} of those predicted."
        )


def peak_memory_mib() -> float:
    """The most memory that this process has held, MiB; 0 where the system does not tell."""
    # Linux's ru_maxrss starts with the parent's peak, which would be counted once per worker: VmHWM does not.
    if (kilobytes := _proc_status("VmHWM")) is not None:
        return kilobytes / 2**10
    if sys.platform == "win32":
        return 0.0  # the resource module is Unix's
    import resource

    # macOS counts in bytes, other systems in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def memory_mib() -> float:
    """The memory that this process holds now, MiB; where the system does not tell, the most that it has held."""
    kilobytes = _proc_status("VmRSS")
    return peak_memory_mib() if kilobytes is None else kilobytes / 2**10


def _proc_status(field: str) -> int | None:
    """A number of KiB from Linux's account of this process, or None."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), None)


def ignore_interrupts() -> None:
    """For workers: Ctrl-C reaches the whole group, but only the first process is to speak; it ends the rest."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
