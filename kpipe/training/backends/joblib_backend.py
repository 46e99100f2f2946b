"""A cluster as a backend of joblib."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from joblib.parallel import ParallelBackendBase

from kpipe.errors import TrainingError
from kpipe.training.backends.cluster import Cluster

__all__ = ["ClusterBackend"]


class ClusterBackend(ParallelBackendBase):
    """A backend for one ``joblib.Parallel``: a second one must not cancel what the first has submitted.

    Parameters
    ----------
    cluster : Cluster
    shared : object
        What ``cluster.share`` returned; calls get the data from ``shared_data()``.
    threads : int
        CPU threads of each call.
    """

    supports_retrieve_callback = True

    def __init__(self, cluster: Cluster, shared: Any, threads: int) -> None:
        super().__init__(nesting_level=0)
        self._cluster, self._shared, self._threads = cluster, shared, threads
        self._submitted: set[Any] = set()

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return the number of calls at a time; at least 2, since joblib runs a single job without the backend."""
        return max(2, n_jobs)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        """Prepare for one ``joblib.Parallel`` and return the number of calls at a time."""
        self.parallel = parallel
        return self.effective_n_jobs(n_jobs)

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None]) -> Any:
        """Send a call to the cluster; ``callback`` gets the future when it is done."""
        import cloudpickle  # Dask requires it, and so does the extra for Ray

        try:
            future = self._cluster.submit(cloudpickle.dumps(func), self._shared, self._threads)
            self._submitted.add(future)
        except Exception as error:  # objects that cannot be pickled raise anything; reported with the results
            future = Future()
            future.set_exception(pickle.PicklingError(str(error)))
        future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """Return the result of a future that is done."""
        self._submitted.discard(out)
        try:
            return self._cluster.result(out)
        except (BrokenProcessPool, pickle.PicklingError):
            raise
        except Exception as error:  # raised by the worker itself: a model's error is returned as a value
            raise TrainingError(
                f"A worker of the cluster could not run a fit: {type(error).__name__}: {error}. Install on the workers "
                "what is installed here: kpipe, its libraries in the same versions, and the folder of the competition "
                "(KPIPE_COMPETITIONS).",
                code="cluster-failed",
            ) from error

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel every call of this backend that has not ended."""
        submitted, self._submitted = self._submitted, set()
        if submitted:
            self._cluster.cancel(submitted)
