"""The interface to a cluster, and the execution of calls on its workers."""

from __future__ import annotations

import functools
import pickle
import platform
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from kpipe.core.packages import installed_versions
from kpipe.errors import TrainingError

__all__ = ["CONNECT_TIMEOUT", "Cluster", "library_versions", "run_call", "shared_data"]

CONNECT_TIMEOUT = 10.0  # seconds in which a cluster must answer, and in which restarted workers must be back

# Libraries whose version decides the last digits of a model's predictions.
_LIBRARIES = (
    "kpipe",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "lightgbm",
    "catboost",
    "xgboost",
    "torch",
    "fastai",
    *("holidays", "transformers", "wordllama"),
)
_SHARED_DATA: ContextVar[Any] = ContextVar("shared_data", default=None)


class Cluster(ABC):
    """Workers elsewhere, each of which does one fit at a time.

    Attributes
    ----------
    n_workers : int
        Fits that can run at a time.
    can_cancel : bool
        Whether a fit that is running can be stopped.
    """

    n_workers: int
    can_cancel: bool = True

    @abstractmethod
    def threads_for(self, n_parallel: int) -> int:
        """Return how many CPU threads each of ``n_parallel`` simultaneous fits may use."""

    @abstractmethod
    def share(self, data: Any) -> Any:
        """Send data to the cluster and return a reference for ``submit``; the data stays as long as the reference."""

    @abstractmethod
    def submit(self, call: bytes, shared: Any, threads: int) -> Any:
        """Have a worker unpickle and run a call beside the shared data; return a future with ``add_done_callback``."""

    @abstractmethod
    def result(self, future: Any) -> Any:
        """Return the result of a finished future.

        Raises
        ------
        BrokenProcessPool
            If the workers that ran the call were lost.
        """

    @abstractmethod
    def cancel(self, futures: set[Any]) -> None:
        """Stop calls, including running ones, and forget them."""


def shared_data() -> Any:
    """Return the data shared with the call that this worker of a cluster runs; None elsewhere."""
    return _SHARED_DATA.get()


@functools.lru_cache(maxsize=1)
def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a worker must have in common with the caller."""
    return {"python": platform.python_version(), **installed_versions(_LIBRARIES)}


def run_call(call: bytes, versions: Mapping[str, str], data: Any) -> Any:
    """Run a pickled call on a worker, with ``data`` as the result of ``shared_data``.

    Parameters
    ----------
    call : bytes
        A pickled callable without parameters.
    versions : mapping of str to str
        The caller's ``library_versions``.
    data : object

    Returns
    -------
    object
        What the callable returns.

    Raises
    ------
    TrainingError
        If a library of the worker has another version.
    """
    own = library_versions()
    different = [
        f"{name} {own.get(name, 'missing')}, not {version}"
        for name, version in versions.items()
        if own.get(name) != version
    ]
    if different:
        raise TrainingError(f"this worker has {'; '.join(different)}", code="cluster-failed")
    token = _SHARED_DATA.set(data)
    try:
        return pickle.loads(call)()
    finally:
        _SHARED_DATA.reset(token)
