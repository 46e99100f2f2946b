"""Tasks on the workers of a Dask or Ray cluster instead of processes of this machine.

Whichever of the two is joblib's active backend is used: ``with opened("dask=tcp://10.0.0.1:8786")`` makes it so, and so
does ``with joblib.parallel_config(backend="dask")``. joblib's own backends for them are not enough: Dask's waits for
ever for a task that kills its workers and cannot stop one, and Ray's gives no result before all have ended. What this
module adds is a backend of joblib's with four verbs, ``share``, ``send``, ``answer`` and ``stop``, for each.

The data goes to a cluster once, beside the tasks; a worker process holds it, and unpickles it once.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import pickle
import platform
import uuid
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import joblib
from joblib.parallel import ParallelBackendBase, get_active_backend

from kpipe.core.packages import install_command, installed_versions
from kpipe.errors import TrainingError, UsageError

__all__ = ["Cluster", "active", "backend", "held", "opened"]

_LOG = logging.getLogger("kpipe")
_CONNECTING = 10.0  # seconds in which a cluster must answer, and in which workers that were stopped must be back
_SAME = ("kpipe", "numpy", "pandas", "scipy", "scikit-learn", "lightgbm", "catboost", "xgboost", "torch", "fastai")

_HELD: ContextVar[Any] = ContextVar("held", default=None)


def held() -> Any:
    """On a worker of a cluster: the data that belongs to the task it does; None elsewhere."""
    return _HELD.get()


def _versions() -> dict[str, str]:
    """Of Python and the libraries that decide a model's last digits."""
    return {"python": platform.python_version(), **installed_versions(_SAME)}


@functools.lru_cache(maxsize=1)
def _own_versions() -> dict[str, str]:
    return _versions()


def _do(call: bytes, versions: Mapping[str, str], data: Any) -> Any:
    """On a worker: one of joblib's calls, beside the data that it needs."""
    own = _own_versions()
    other = [f"{name} {own.get(name, 'missing')}, not {wanted}" for name, wanted in versions.items()]
    other = [words for words, name in zip(other, versions, strict=True) if own.get(name) != versions[name]]
    if other:
        raise TrainingError(f"this worker has {'; '.join(other)}")
    before = _HELD.set(data)
    try:
        return pickle.loads(call)()
    finally:
        _HELD.reset(before)


class Cluster(ABC):
    """Workers elsewhere, each of which does one task at a time.

    lanes : how many there are.
    stops : whether a task that runs can be stopped.
    """

    lanes: int
    stops: bool = True

    @abstractmethod
    def threads_for(self, lanes: int) -> int:
        """CPU threads that a task may use where so many go on at a time."""

    @abstractmethod
    def share(self, data: Any) -> Any:
        """A name for data that is on the cluster, for ``send``; it stays there as long as the name is kept."""

    @abstractmethod
    def send(self, call: bytes, shared: Any, threads: int) -> Any:
        """A future with ``add_done_callback``: a worker unpickles the call and calls it."""

    @abstractmethod
    def answer(self, future: Any) -> Any:
        """What the call gave, of a future that is done; raises BrokenProcessPool where its workers were lost."""

    @abstractmethod
    def stop(self, futures: set[Any]) -> None:
        """Stop calls, be they running, and forget them."""


class _Dask(Cluster):
    """Dask workers. A task that is lost with its worker is done again by another; the fourth time it fails."""

    def __init__(self, client: Any) -> None:
        self._client = client
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        self.lanes = len(workers)
        self._threads = min((worker["nthreads"] for worker in workers), default=1)
        self.stops = all(worker["nanny"] for worker in workers)

    def threads_for(self, lanes: int) -> int:
        return self._threads

    def share(self, data: Any) -> Any:
        # As a task and not scattered: what was scattered is lost with the last worker that holds it, a task's result is
        # made again from the scheduler's copy.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            packed = pickle.dumps(data, protocol=pickle.HIGHEST_PROTOCOL)
            shared = self._client.submit(pickle.loads, packed, key=f"kpipe-data-{uuid.uuid4().hex}")
        self._client.replicate([shared])  # each fetches it from another, before the scheduler sends all tasks to one
        return shared

    def send(self, call: bytes, shared: Any, threads: int) -> Any:
        return self._client.submit(_do, call, _own_versions(), shared, key=f"kpipe-{uuid.uuid4().hex}", pure=False)

    def answer(self, future: Any) -> Any:
        from distributed.scheduler import KilledWorker

        try:
            return future.result()
        except (KilledWorker, CancelledError) as error:
            raise BrokenProcessPool(f"{type(error).__name__}: {error}") from error

    def stop(self, futures: set[Any]) -> None:
        keys = {future.key for future in futures if not future.done()}
        busy = [worker for worker, held in self._client.processing().items() if keys & set(held)]
        self._client.cancel(list(futures), force=True)
        if busy and self.stops:  # a thread cannot be stopped, but its process can
            self._client.restart_workers(busy, timeout=_CONNECTING, raise_for_error=False)


class _Ray(Cluster):
    """Processes of a Ray cluster. A task that is lost with its process is done again; the fourth time it fails."""

    def __init__(self) -> None:
        import ray

        self._ray: Any = ray
        self._refs: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        cores = [int(node["Resources"].get("CPU", 0)) for node in self._ray.nodes() if node["Alive"]]
        self.lanes = sum(cores)
        self._most = min(filter(None, cores), default=1)

    def threads_for(self, lanes: int) -> int:
        return max(1, min(self.lanes // lanes, self._most))

    def share(self, data: Any) -> Any:
        return [self._ray.put(data)]  # in a list, or Ray would unpickle it for each task anew

    def send(self, call: bytes, shared: Any, threads: int) -> Any:
        do = self._ray.remote(num_cpus=min(threads, self._most), max_retries=3)(_do_with_ray)
        ref = do.remote(call, _own_versions(), shared)
        future = ref.future()
        self._refs[future] = ref
        return future

    def answer(self, future: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return future.result()
        except errors.RayTaskError as error:
            raise error.cause from error
        except errors.RayError as error:
            raise BrokenProcessPool(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error

    def stop(self, futures: set[Any]) -> None:
        for ref in filter(None, map(self._refs.get, futures)):
            self._ray.cancel(ref, force=True)


@functools.lru_cache(maxsize=1)
def _got(ref: Any) -> Any:
    """The data of a run, kept by the process: the next task needs it again."""
    import ray

    return ray.get(ref)


def _do_with_ray(call: bytes, versions: Mapping[str, str], shared: list[Any]) -> Any:
    return _do(call, versions, _got(shared[0]))


class _Backend(ParallelBackendBase):
    """A cluster as joblib wants it, for one ``Parallel``: a second must not stop what the first has sent."""

    supports_retrieve_callback = True

    def __init__(self, cluster: Cluster, shared: Any, threads: int) -> None:
        super().__init__(nesting_level=0)
        self._cluster, self._shared, self._threads = cluster, shared, threads
        self._sent: set[Any] = set()

    def effective_n_jobs(self, n_jobs: int) -> int:
        return max(2, n_jobs)  # with 1 joblib would not ask the backend

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        self.parallel = parallel
        return self.effective_n_jobs(n_jobs)

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None]) -> Any:
        import cloudpickle  # Dask needs it, and the extra for Ray asks for it

        try:
            call = cloudpickle.dumps(func)
            future = self._cluster.send(call, self._shared, self._threads)
            self._sent.add(future)
        except Exception as error:  # whatever an object raises that cannot be pickled; told where answers are
            future = Future()
            future.set_exception(pickle.PicklingError(str(error)))
        future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        self._sent.discard(out)
        try:
            return self._cluster.answer(out)
        except (BrokenProcessPool, pickle.PicklingError):
            raise
        except Exception as error:  # of the worker, not of a model: that is a value
            raise TrainingError(
                f"A worker of the cluster could not do its task: {type(error).__name__}: {error}. Install there what "
                "is installed here: kpipe, its libraries in the same versions, and the competition's folder "
                "(KPIPE_COMPETITIONS)."
            ) from error

    def abort_everything(self, ensure_ready: bool = True) -> None:
        sent, self._sent = self._sent, set()
        if sent:
            self._cluster.stop(sent)


def backend(cluster: Cluster, shared: Any, threads: int) -> ParallelBackendBase:
    """A backend for one ``joblib.Parallel``, whose tasks find the shared data in ``held()``."""
    return _Backend(cluster, shared, threads)


def active() -> Cluster | None:
    """The cluster that joblib's active backend stands for; None where that is not one.

    Raises UsageError where no worker has joined it.
    """
    found, _ = get_active_backend()
    kind = type(found).__name__
    cluster = _Dask(found.client) if kind == "DaskDistributedBackend" else _Ray() if kind == "RayBackend" else None
    if cluster is not None and not cluster.lanes:
        raise UsageError("The cluster has no worker. Start one, as with: dask worker ADDRESS --nthreads 1")
    return cluster


@contextlib.contextmanager
def opened(address: str | None) -> Iterator[None]:
    """Make joblib's active backend the cluster at ``dask=ADDRESS`` or ``ray=ADDRESS`` (``ray=auto``); None: no other.

    Raises UsageError where it does not answer, or its library is not installed.
    """
    if address is None:
        yield
        return
    kind, _, place = address.partition("=")
    if kind not in _OPEN or not place:
        raise UsageError(f"A cluster must be dask=ADDRESS, ray=ADDRESS or ray=auto, however: {address!r}.")
    try:
        with _OPEN[kind](place):
            yield
    except ImportError as error:
        if error.name not in ("dask", "distributed", "ray"):
            raise
        raise UsageError(f"{error.name} is not installed: {install_command(extra=kind)}") from error


@contextlib.contextmanager
def _open_dask(place: str) -> Iterator[None]:
    from distributed import Client

    try:
        client = Client(place, timeout=_CONNECTING, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"No Dask scheduler answers at {place}: {error}") from error
    with client, joblib.parallel_config(backend="dask", client=client):
        yield


@contextlib.contextmanager
def _open_ray(place: str) -> Iterator[None]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers of each run
    import ray
    from ray.util.joblib import register_ray

    ours = not ray.is_initialized()
    try:
        ray.init(address=place, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(f"No Ray cluster answers at {place}: {error}") from error
    try:
        register_ray()
        with joblib.parallel_config(backend="ray"):
            yield
    finally:
        if ours:
            ray.shutdown()


_OPEN = {"dask": _open_dask, "ray": _open_ray}
