"""Dask: workers of a ``distributed`` scheduler."""

from __future__ import annotations

import contextlib
import pickle
import uuid
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import joblib

from kpipe.errors import UsageError
from kpipe.training.backends.cluster import CONNECT_TIMEOUT, Cluster, library_versions, run_call

__all__ = ["DaskCluster", "connect_to_dask"]


class DaskCluster(Cluster):
    """Dask workers. A fit that is lost with its worker is run again by another; the fourth loss is an error.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        self.n_workers = len(workers)
        self.can_cancel = all(worker["nanny"] for worker in workers)
        self._threads = min((worker["nthreads"] for worker in workers), default=1)

    def threads_for(self, n_parallel: int) -> int:
        return self._threads

    def share(self, data: Any) -> Any:
        # As a task and not scattered: scattered data is lost with the last worker that holds it, while the result of a
        # task is computed again from the scheduler's copy.
        packed = pickle.dumps(data, protocol=pickle.HIGHEST_PROTOCOL)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            shared = self._client.submit(pickle.loads, packed, key=f"kpipe-data-{uuid.uuid4().hex}")
        self._client.replicate([shared])  # each worker fetches a copy, before the scheduler sends all fits to one
        return shared

    def submit(self, call: bytes, shared: Any, threads: int) -> Any:
        key = f"kpipe-{uuid.uuid4().hex}"
        return self._client.submit(run_call, call, library_versions(), shared, key=key, pure=False)

    def result(self, future: Any) -> Any:
        from distributed.scheduler import KilledWorker

        try:
            return future.result()
        except (KilledWorker, CancelledError) as error:
            raise BrokenProcessPool(f"{type(error).__name__}: {error}") from error

    def cancel(self, futures: set[Any]) -> None:
        keys = {future.key for future in futures if not future.done()}
        busy = [worker for worker, running in self._client.processing().items() if keys & set(running)]
        self._client.cancel(list(futures), force=True)
        if busy and self.can_cancel:  # a thread cannot be stopped, but its process can
            self._client.restart_workers(busy, timeout=CONNECT_TIMEOUT, raise_for_error=False)


@contextlib.contextmanager
def connect_to_dask(address: str) -> Iterator[None]:
    """Make a Dask cluster joblib's active backend, for the duration of a ``with`` block.

    Parameters
    ----------
    address : str
        The scheduler's address, such as ``"tcp://10.0.0.1:8786"``.

    Raises
    ------
    UsageError
        If no scheduler answers there.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"No Dask scheduler answers at {address}: {error}", code="cluster-failed") from error
    with client, joblib.parallel_config(backend="dask", client=client):
        yield
