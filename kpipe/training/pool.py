"""Where fits run: in processes of this machine, or on the workers of a cluster.

joblib distributes the fits. This module adds what a run needs besides: fits are stopped when the time is up, a worker
process that is lost costs at most its model, and a failing model does not stop the others.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import queue
import re
import threading
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any

import joblib

from kpipe.core.devices import available_cores
from kpipe.errors import KpipeError, TrainingError, UsageError
from kpipe.training.allocator import release_free_memory
from kpipe.training.backends import Cluster, ClusterBackend, active_cluster, shared_data
from kpipe.training.deadline import Deadline
from kpipe.training.fork_server import fork_workers_from_server
from kpipe.training.processes import hold_interrupts, start_worker
from kpipe.training.worker import FitResult, FitTask, TrainingData, fit_predict

__all__ = ["WorkerPool", "n_parallel", "open_pool", "run_fits", "threads_for"]

_LOG = logging.getLogger("kpipe")
_Outcome = tuple[int, FitResult | KpipeError]  # the number of a task and its result


def n_parallel(fits: int, *, jobs: int | None) -> int:
    """Return how many fits run at a time, on this machine or on the cluster that is joblib's active backend.

    Parameters
    ----------
    fits : int
        Fits of the run.
    jobs : int or None
        As requested. None: one for each worker of the cluster or core of this machine.
    """
    cluster = active_cluster()
    return min(jobs or (cluster.n_workers if cluster is not None else available_cores()), fits)


def threads_for(n_parallel: int) -> int:
    """Return how many CPU threads each of ``n_parallel`` simultaneous fits may use, so that they do not compete."""
    cluster = active_cluster()
    return max(1, available_cores() // n_parallel) if cluster is None else cluster.threads_for(n_parallel)


@dataclass(frozen=True, kw_only=True)
class WorkerPool:
    """Where fits run, and how many at a time.

    Attributes
    ----------
    n_parallel : int
    cluster : Cluster or None
        None: processes of this machine.
    shared : object
        The cluster's reference to the training data.
    shares_gpu : bool
        Whether fits that use the GPU run in parallel, too; otherwise one at a time.
    """

    n_parallel: int
    cluster: Cluster | None = None
    shared: Any = None
    shares_gpu: bool = True

    def of(self, tasks: Sequence[FitTask]) -> WorkerPool:
        """Return the pool for the fits of one model: of a single worker if they must use the GPU one at a time."""
        if self.shares_gpu or not any(task.on_gpu for task in tasks):
            return self
        return replace(self, n_parallel=1)


def open_pool(n_parallel: int, data: TrainingData, *, deadline: Deadline, shares_gpu: bool = False) -> WorkerPool:
    """Return a pool on the cluster that is joblib's active backend, or else on this machine.

    Parameters
    ----------
    n_parallel : int
        Fits at a time.
    data : TrainingData
        Sent to the cluster.
    deadline : Deadline
    shares_gpu : bool
        Whether several fits may use this machine's GPU at a time. Workers of a cluster have their own.

    Returns
    -------
    WorkerPool

    Raises
    ------
    UsageError
        If there is a deadline, and the cluster cannot stop a fit.
    """
    cluster = active_cluster()
    if cluster is None:
        release_free_memory()
        return WorkerPool(n_parallel=n_parallel, shares_gpu=shares_gpu)
    if deadline.is_limited and not cluster.can_cancel:
        raise UsageError(
            "--budget needs workers that can be stopped: start them without --no-nanny, or omit --budget.",
            code="conflicting-options",
        )
    return WorkerPool(n_parallel=n_parallel, cluster=cluster, shared=cluster.share(data))


def run_fits(
    tasks: Sequence[FitTask], data: TrainingData, *, pool: WorkerPool, deadline: Deadline
) -> Generator[tuple[FitTask, FitResult | KpipeError]]:
    """Yield each task with its result, or the error of its model, as soon as the fit has ended, until the deadline.

    Fits that use the GPU come first. Fits that run at the deadline are stopped. When a worker process is lost, the
    model's remaining fits are run again, one at a time, so that each can use all of the memory.

    Parameters
    ----------
    tasks : sequence of FitTask
    data : TrainingData
    pool : WorkerPool
    deadline : Deadline

    Yields
    ------
    (FitTask, FitResult or KpipeError)

    Raises
    ------
    TrainingError
        If a worker process is killed while it runs one fit at a time, or fits of several models; or if a model cannot
        be pickled.
    """
    with _without_joblib_warnings():
        for on_gpu in (True, False):
            group = [task for task in tasks if task.on_gpu is on_gpu]
            yield from _run_group(group, data, pool.of(group), deadline)


def _run_group(
    tasks: Sequence[FitTask], data: TrainingData, pool: WorkerPool, deadline: Deadline
) -> Generator[tuple[FitTask, FitResult | KpipeError]]:
    waiting = dict(enumerate(tasks))
    isolated = deadline.is_limited
    of_one_model = len({task.model for task in tasks}) == 1
    while waiting and not deadline.has_passed():
        try:
            with contextlib.closing(_outcomes(waiting, data, pool, deadline, isolated=isolated)) as outcomes:
                for number, result in outcomes:
                    yield waiting.pop(number), result
            break
        except BrokenProcessPool as error:
            if pool.n_parallel == 1 or pool.cluster is not None or not of_one_model:
                raise _lost_worker(error) from error
            _LOG.warning("lost a worker process (%s): %d fits again, one at a time", _codes(error), len(waiting))
            pool, isolated = WorkerPool(n_parallel=1), True
        except pickle.PicklingError as error:
            raise _cannot_be_pickled(error) from error


@contextlib.contextmanager
def _without_joblib_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        # loky replaces a worker whose memory has grown (where psutil is installed), and warns: nothing is wrong.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
        # joblib warns of fits that are stopped when a run ends with an error, which says more.
        warnings.filterwarnings("ignore", message=r"\d+ tasks .*You could benefit from adjusting")
        yield


def _cannot_be_pickled(error: pickle.PicklingError) -> TrainingError:
    lines = [line for line in str(error.__cause__ or error).splitlines() if line.strip(' "')]
    return TrainingError(
        f"The model cannot be sent to another process: {lines[-1]}. Run with --jobs 1.", code="fit-failed"
    )


def _codes(error: BrokenProcessPool) -> str:
    """Return how the workers ended, such as SIGKILL(-9)."""
    found = re.search(r"exit codes of the workers are \{(.*)\}", str(error))
    return found[1] if found else str(error).split("\n")[0]


def _lost_worker(error: BrokenProcessPool) -> TrainingError:
    codes = _codes(error)
    crashed = any(name in codes for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "EXIT"))
    reason = "by the model or a library that it calls" if crashed else "most likely because memory ran out"
    return TrainingError(
        f"Its worker process was killed ({codes}), {reason}. Finished fits are kept.", code="worker-killed"
    )


def _attempt(number: int, task: FitTask, data: TrainingData | None) -> _Outcome:
    """Return a failure as a value: an exception would make joblib stop its workers, and loky print a traceback."""
    try:
        return number, fit_predict(task, shared_data() if data is None else data)
    except KpipeError as error:
        return number, error


def _outcomes(
    tasks: Mapping[int, FitTask], data: TrainingData, pool: WorkerPool, deadline: Deadline, *, isolated: bool
) -> Generator[_Outcome]:
    """Yield outcomes as they arrive. ``isolated``: even a single fit runs in another process, which can be stopped.

    ``tasks`` may shrink meanwhile.
    """
    parallel = _parallel(pool, next(iter(tasks.values())).threads, isolated=isolated)
    sent = data if pool.cluster is None else None
    jobs = (joblib.delayed(_attempt)(number, task, sent) for number, task in list(tasks.items()))
    if deadline.is_limited:
        return _until_deadline(parallel, jobs, deadline)
    if pool.n_parallel == 1:  # the fits run in this process
        return parallel(jobs)
    with hold_interrupts():
        return parallel(jobs)


def _parallel(pool: WorkerPool, threads: int, *, isolated: bool) -> joblib.Parallel:
    common = {"return_as": "generator_unordered", "batch_size": 1}
    if pool.cluster is not None:
        backend = ClusterBackend(pool.cluster, pool.shared, threads)
        return joblib.Parallel(n_jobs=pool.n_parallel, backend=backend, pre_dispatch=pool.n_parallel, **common)
    start = fork_workers_from_server(start_worker)
    if isolated and pool.n_parallel == 1:  # joblib runs a single job in this process: two, of which one is idle
        return joblib.Parallel(n_jobs=2, pre_dispatch=1, initializer=start, **common)
    # Not "all": loky's manager thread raises a KeyError where fits that have not reached its queue are stopped.
    return joblib.Parallel(n_jobs=pool.n_parallel, pre_dispatch="2*n_jobs", initializer=start, **common)


def _until_deadline(parallel: joblib.Parallel, jobs: Iterator[Any], deadline: Deadline) -> Generator[_Outcome]:
    """Yield the outcomes that arrive in time. joblib waits in another thread, so that this one can watch the time."""
    arrived: queue.Queue[_Outcome | BaseException | None] = queue.Queue()

    def wait() -> None:
        try:
            for outcome in parallel(jobs):
                arrived.put(outcome)
            arrived.put(None)
        except BaseException as error:  # raised again by the thread that reads the queue
            arrived.put(error)

    with hold_interrupts():  # the thread and the processes that it starts inherit this
        threading.Thread(target=wait, daemon=True).start()
    complete = False
    try:
        while (outcome := arrived.get(timeout=deadline.seconds_left())) is not None:
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome
        complete = True
    except queue.Empty:
        pass
    finally:  # also where the caller stops early: a result could not be written, or Ctrl-C was pressed
        if not complete:
            # Every backend of joblib has this method; Parallel has no public one that stops running jobs. A Parallel
            # that has not started yet has no backend and no workers.
            with contextlib.suppress(AttributeError):
                parallel._backend.abort_everything(ensure_ready=False)
