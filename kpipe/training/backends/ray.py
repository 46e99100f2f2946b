"""Ray: processes of a Ray cluster."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from typing import Any
from weakref import WeakKeyDictionary

import joblib

from kpipe.errors import UsageError
from kpipe.training.backends.cluster import Cluster, library_versions, run_call

__all__ = ["RayCluster", "connect_to_ray"]


class RayCluster(Cluster):
    """Processes of the Ray cluster that this process is connected to.

    A fit that is lost with its process is run again; the fourth loss is an error.
    """

    def __init__(self) -> None:
        import ray

        self._ray: Any = ray
        self._references: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        cores = [int(node["Resources"].get("CPU", 0)) for node in self._ray.nodes() if node["Alive"]]
        self.n_workers = sum(cores)
        self._fewest_cores = min(filter(None, cores), default=1)

    def threads_for(self, n_parallel: int) -> int:
        return max(1, min(self.n_workers // n_parallel, self._fewest_cores))

    def share(self, data: Any) -> Any:
        return [self._ray.put(data)]  # in a list, or Ray would unpickle it anew for each fit

    def submit(self, call: bytes, shared: Any, threads: int) -> Any:
        remote = self._ray.remote(num_cpus=min(threads, self._fewest_cores), max_retries=3)(_run_call)
        reference = remote.remote(call, library_versions(), shared)
        future = reference.future()
        self._references[future] = reference
        return future

    def result(self, future: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return future.result()
        except errors.RayTaskError as error:
            raise error.cause from error
        except errors.RayError as error:
            raise BrokenProcessPool(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error

    def cancel(self, futures: set[Any]) -> None:
        for reference in filter(None, map(self._references.get, futures)):
            self._ray.cancel(reference, force=True)


def _run_call(call: bytes, versions: Mapping[str, str], shared: list[Any]) -> Any:
    return run_call(call, versions, _get(shared[0]))


@functools.lru_cache(maxsize=1)
def _get(reference: Any) -> Any:
    """Return the data of a run, which the process keeps: its next fit needs the data again."""
    import ray

    return ray.get(reference)


@contextlib.contextmanager
def connect_to_ray(address: str) -> Iterator[None]:
    """Make a Ray cluster joblib's active backend, for the duration of a ``with`` block.

    Parameters
    ----------
    address : str
        Of the head node, or ``"auto"``.

    Raises
    ------
    UsageError
        If no cluster answers there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray sends usage statistics by default
    import ray
    from ray.util.joblib import register_ray

    ours = not ray.is_initialized()
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(f"No Ray cluster answers at {address}: {error}", code="cluster-failed") from error
    try:
        register_ray()
        with joblib.parallel_config(backend="ray"):
            yield
    finally:
        if ours:
            ray.shutdown()
