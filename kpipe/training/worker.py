"""One task of cross-validation: fit a model on one fold with one seed, predict, and say what it cost.

joblib sends tasks to processes of this machine, or to the workers of a cluster (``kpipe.training.backends``). Whatever
a model does there, raise, leave, print, crash or never end, is this module's: the caller gets results, and a
TrainingError.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import pickle
import queue
import re
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from threadpoolctl import threadpool_limits

from kpipe.errors import KpipeError, TrainingError, UsageError
from kpipe.training import backends as clusters
from kpipe.training.learning_curves import curves_of

__all__ = [
    "Data",
    "Deadline",
    "Result",
    "Task",
    "WorkerPool",
    "compute",
    "cores",
    "fit_predict",
    "memory_mib",
    "peak_memory_mib",
    "predict",
    "start_worker",
    "worker_pool",
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


_LOG = logging.getLogger("kpipe")
# loky starts a worker anew when its memory has grown (it looks where psutil is installed), and warns: nothing is amiss.
warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
# joblib warns of what it stops where a run ends by an error, which says more.
warnings.filterwarnings("ignore", message=r"\d+ tasks .*You could benefit from adjusting")
_ORPHANED = 2.0  # seconds between two looks of a worker at whether its parent is there
_PROBED = 32  # test rows that are predicted a second time, in another order, and one of them alone


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a task gives: predictions (rows, k) of its validation and test rows, and what it cost where.

    moved : by how much a test row's prediction differs when other rows stand beside it, see ``_moved``; 0 where it was
        not looked at.
    curves : what the loss was in the course of the fit, see ``kpipe.training.learning_curves``.
    """

    valid: np.ndarray
    test: np.ndarray
    seconds: float
    curves: np.ndarray
    moved: float = 0.0
    process: int = 0
    peak_memory_mib: float = 0.0
    resumed: bool = False


# A process does one task at a time: seeds, warnings, stdout and thread limits are the process's.
_ALONE = threading.Lock()


def fit_predict(number: int, task: Task, data: Data, train: np.ndarray, valid: np.ndarray) -> tuple[int, Result]:
    """Fit one model on one fold's training rows; predict its validation rows and all test rows."""
    try:
        # A warning of a library is for whoever writes the model; here it would stand between progress lines.
        with _ALONE, _quiet(), threadpool_limits(task.threads), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            estimator = clone(task.estimator).fit(data.X.iloc[train], data.y[train])
            nothing = np.empty((0, data.outputs))
            on_valid = predict(estimator, data.X.iloc[valid], data.outputs) if len(valid) else nothing
            # A copy on write: a model that adds a column to what it is given must not add it to the next one's.
            predicted = [on_valid, predict(estimator, data.X_test.copy(deep=False), data.outputs)]
            seconds = time.perf_counter() - start
            moved = _moved(estimator, data, predicted[1]) if task.fold == 0 else 0.0
    except BaseException as error:  # sys.exit in a model would end the run, and say that all is well
        if _explained(error) or (isinstance(error, KeyboardInterrupt) and not _in_worker()):
            raise
        told = TrainingError(f"Model {task.model!r} failed on fold {task.fold + 1}: {_said(error)}")
        told.add_note(traceback.format_exc())
        raise told from None
    for rows, prediction in zip((len(valid), len(data.X_test)), predicted, strict=True):
        _check_predictions(task, prediction, (rows, data.outputs))
    valid_predicted, test_predicted = predicted
    return number, Result(
        valid=valid_predicted,
        test=test_predicted,
        seconds=seconds,
        curves=curves_of(estimator),
        moved=moved,
        process=os.getpid(),
        peak_memory_mib=peak_memory_mib(),
    )


def _explained(error: BaseException) -> bool:
    """Whether it is one of kpipe's own: one of a module elsewhere may not survive the way to another process."""
    return isinstance(error, KpipeError) and type(error).__module__ == KpipeError.__module__


def _said(error: BaseException) -> str:
    """An exception in words."""
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{words}. Fewer tasks at a time take less memory: --jobs 1" if isinstance(error, MemoryError) else words


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What a model prints, be it from C or from a child process, goes to stderr: stdout belongs to the run."""
    try:
        sys.stdout.flush()
        kept = os.dup(1)
    except (OSError, ValueError, AttributeError):  # there is none
        yield
        return
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        with contextlib.suppress(Exception):
            ctypes.CDLL(None).fflush(None)  # what C has buffered; Windows has no such library
        os.dup2(kept, 1)
        os.close(kept)


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


class Deadline:
    """Until when work may go on.

    budget : seconds from now; None: as long as it takes. spent : seconds of it that have gone already.
    """

    def __init__(self, budget: float | None, *, spent: float = 0.0) -> None:
        self.budget = budget
        self.end = None if budget is None else time.monotonic() + budget - spent

    def left(self) -> float | None:
        """Seconds until the end, at least 0; None where there is none."""
        return None if self.end is None else max(0.0, self.end - time.monotonic())

    def share(self, parts: int) -> Deadline:
        """A clock that ends after one of so many equal parts of the time that is left."""
        left = self.left()
        return self if left is None else Deadline(left / max(parts, 1))

    def fits(self, seconds: float) -> bool:
        """Whether work of so many seconds would end in time."""
        return self.end is None or time.monotonic() + seconds < self.end

    def said(self) -> str:
        """How much is left, for the log."""
        return "no limit" if self.end is None else f"{self.left():.0f} s left"


Call = tuple[Task, np.ndarray, np.ndarray]  # with its training rows and validation rows


@dataclass(frozen=True, kw_only=True)
class WorkerPool:
    """Where tasks run, so many at a time: in processes of this machine, or on a cluster, where the data is by now.

    shared : what the cluster calls the data.
    """

    count: int
    cluster: clusters.Cluster | None = None
    shared: Any = None

    def backend(self, threads: int) -> Any:
        """joblib's: of the cluster, or None for the one that is active."""
        return None if self.cluster is None else clusters.backend(self.cluster, self.shared, threads)


def worker_pool(count: int, data: Data, *, clock: Deadline) -> WorkerPool:
    """WorkerPool of the cluster that is joblib's active backend, which is sent the data; or else of this machine.

    Raises UsageError where a cluster cannot stop what does not end in time.
    """
    cluster = clusters.active()
    if cluster is None:
        _give_back()
        return WorkerPool(count=count)
    if clock.end is not None and not cluster.stops:
        raise UsageError(
            "A budget needs workers that can be stopped: start them without --no-nanny, or give no budget."
        )
    return WorkerPool(count=count, cluster=cluster, shared=cluster.share(data))


def _give_back() -> None:
    """Give the system what is free, before workers take theirs: glibc keeps 66 MiB of what reading digits took."""
    with contextlib.suppress(Exception):  # other C libraries have no such function
        ctypes.CDLL(None).malloc_trim(0)


def compute(calls: Sequence[Call], data: Data, *, lanes: WorkerPool, clock: Deadline) -> Generator[tuple[int, Result]]:
    """Each call's number and result, as they end; with a clock, those that end in time: workers are then stopped.

    What was under way when a worker process was lost is tried again, one at a time: with the memory of all.
    Raises TrainingError where a model fails or a worker process was killed.
    """
    waiting = dict(enumerate(calls))
    failed: list[KpipeError] = []
    apart = clock.end is not None
    while waiting and clock.fits(0):
        try:
            for number, result in _ended(waiting, data, lanes, clock, apart=apart):
                del waiting[number]
                if isinstance(result, KpipeError):
                    failed.append(result)
                else:
                    yield number, result
            break
        except BrokenProcessPool as error:
            if lanes.count == 1 or lanes.cluster is not None:
                raise TrainingError(_lost(error)) from error
            _LOG.warning("a worker process was lost (%s): %d tasks again, one at a time", _codes(error), len(waiting))
            lanes, apart = WorkerPool(count=1), True
        except pickle.PicklingError as error:
            lines = [line for line in str(error.__cause__ or error).splitlines() if line.strip(' "')]
            raise TrainingError(f"It cannot be sent to another process: {lines[-1]}. Run with --jobs 1.") from error
    if failed:
        raise failed[0]


def _codes(error: BrokenProcessPool) -> str:
    """How the workers ended, such as SIGKILL(-9)."""
    found = re.search(r"exit codes of the workers are \{(.*)\}", str(error))
    return found[1] if found else str(error).split("\n")[0]


def _lost(error: BrokenProcessPool) -> str:
    codes = _codes(error)
    crashed = any(name in codes for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "EXIT"))
    reason = "by the model or a library that it calls" if crashed else "most likely because memory ran out"
    return f"Its worker process was killed ({codes}), {reason}. What was finished is kept."


_Ended = tuple[int, Result | KpipeError]


def _attempt(number: int, task: Task, data: Data | None, train: np.ndarray, valid: np.ndarray) -> _Ended:
    """A failure as a value: one that is raised makes joblib stop its workers, of which loky may print a traceback."""
    try:
        return fit_predict(number, task, clusters.held() if data is None else data, train, valid)
    except KpipeError as error:
        return number, error


def _ended(
    calls: Mapping[int, Call], data: Data, lanes: WorkerPool, clock: Deadline, *, apart: bool
) -> Iterator[_Ended]:
    """Results as they end. ``apart``: of other processes even where there is one lane: what runs can be stopped."""
    local = lanes.cluster is None
    alone = local and lanes.count == 1 and apart
    parallel = joblib.Parallel(
        n_jobs=2 if alone else lanes.count,
        backend=lanes.backend(next(iter(calls.values()))[0].threads),
        return_as="generator_unordered",
        pre_dispatch=1 if alone else "all" if local else lanes.count,
        batch_size=1,
        **({"initializer": start_worker} if local else {}),
    )
    jobs = (
        joblib.delayed(_attempt)(number, task, data if local else None, train, valid)
        for number, (task, train, valid) in list(calls.items())  # which get fewer as they end
    )
    return parallel(jobs) if clock.end is None else _in_time(parallel, jobs, clock)


def _in_time(parallel: joblib.Parallel, jobs: Iterator[Any], clock: Deadline) -> Iterator[_Ended]:
    """The results that end in time. joblib waits in a thread of its own, so that this one can watch the clock."""
    ended: queue.Queue[_Ended | BaseException | None] = queue.Queue()

    def wait() -> None:
        try:
            for result in parallel(jobs):
                ended.put(result)
            ended.put(None)
        except BaseException as error:  # handed to the thread that asked, which raises it
            ended.put(error)

    threading.Thread(target=wait, daemon=True).start()
    whole = False
    try:
        while (result := ended.get(timeout=clock.left())) is not None:
            if isinstance(result, BaseException):
                raise result
            yield result
        whole = True
    except queue.Empty:
        pass
    finally:  # also where nobody wants more results: they could not be written, or Ctrl-C was pressed
        if not whole:
            # Every backend of joblib's has this method; Parallel has no public one that stops what runs. One that has
            # not started yet has no workers to stop.
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


def start_worker() -> None:
    """For worker processes: what they are not to do that a process does by itself.

    Ctrl-C reaches the whole group, but only the first process is to speak; it ends the rest. What a model leaves
    behind, a buffer or a thread, may write when its task has ended, and would keep the process from ending.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _keep_batches_not_tables()
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    Finalize(None, _leave, exitpriority=-1000)
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()


def _leave_with(parent: int) -> None:
    """End when the process that asked for the work is gone: killed, it cannot say so, and loky waits for minutes."""
    while os.getppid() == parent:
        time.sleep(_ORPHANED)
    _leave()


def _keep_batches_not_tables() -> None:
    """Let glibc give back 16 MiB and more when it is freed, and keep what is smaller, which the next batch needs.

    By itself it keeps tables of up to 32 MiB after the first one is freed, and gives batches back page by page.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    with contextlib.suppress(Exception):  # other C libraries have no such function
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap_threshold, 16 * 2**20)
        libc.mallopt(trim_threshold, 64 * 2**20)


def _leave() -> None:
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    os._exit(0)


def _in_worker() -> bool:
    """Whether this process works for another: one in which Ctrl-C does nothing."""
    return clusters.held() is not None or signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
