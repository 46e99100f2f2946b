"""Fits on the workers of a Dask or Ray cluster instead of processes of this machine.

kpipe uses the cluster of joblib's active backend. ``with connect_to_cluster("dask=tcp://10.0.0.1:8786")`` activates
one, and so does ``with joblib.parallel_config(backend="dask")``. The backends that Dask and Ray register with joblib do
not suffice: Dask's waits forever for a task that kills its workers, and cannot cancel one; Ray's returns no result
before all tasks have ended. ``ClusterBackend`` replaces them. It calls four methods of a cluster: ``share``,
``submit``, ``result`` and ``cancel``.

The training data is sent to the cluster once, apart from the fits; each worker process unpickles it once and keeps it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from joblib.parallel import get_active_backend

from kpipe.core.packages import install_command
from kpipe.errors import UsageError
from kpipe.training.backends.cluster import Cluster, shared_data
from kpipe.training.backends.dask import DaskCluster, connect_to_dask
from kpipe.training.backends.joblib_backend import ClusterBackend
from kpipe.training.backends.ray import RayCluster, connect_to_ray

__all__ = ["Cluster", "ClusterBackend", "active_cluster", "connect_to_cluster", "shared_data"]

_CONNECT = {"dask": connect_to_dask, "ray": connect_to_ray}


def active_cluster() -> Cluster | None:
    """Return the cluster of joblib's active backend.

    Returns
    -------
    Cluster or None
        None where fits run on this machine.

    Raises
    ------
    UsageError
        If no worker has joined the cluster.
    """
    backend, _ = get_active_backend()
    name = type(backend).__name__
    if name not in ("DaskDistributedBackend", "RayBackend"):
        return None
    cluster: Cluster = DaskCluster(backend.client) if name == "DaskDistributedBackend" else RayCluster()
    if not cluster.n_workers:
        raise UsageError(
            "The cluster has no workers. Start one, for example: dask worker ADDRESS --nthreads 1",
            code="cluster-failed",
        )
    return cluster


@contextlib.contextmanager
def connect_to_cluster(address: str | None) -> Iterator[None]:
    """Make the cluster at an address joblib's active backend, for the duration of a ``with`` block.

    Parameters
    ----------
    address : str or None
        ``"dask=ADDRESS"``, ``"ray=ADDRESS"`` or ``"ray=auto"``. None keeps the backend that is active.

    Raises
    ------
    UsageError
        If the address has another form, the cluster does not answer, or its library is not installed.
    """
    if address is None:
        yield
        return
    kind, _, location = address.partition("=")
    if kind not in _CONNECT or not location:
        raise UsageError(
            f"A cluster must be dask=ADDRESS, ray=ADDRESS or ray=auto; got {address!r}.", code="invalid-value"
        )
    try:
        with _CONNECT[kind](location):
            yield
    except ImportError as error:
        if error.name not in ("dask", "distributed", "ray"):
            raise
        raise UsageError(
            f"{error.name} is not installed: {install_command(extra=kind)}", code="missing-package"
        ) from error
