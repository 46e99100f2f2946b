"""Workers that are forked from a process which has imported the libraries, instead of importing them themselves.

Each worker process of joblib imports scikit-learn, LightGBM and torch: 2.6 s of CPU time, more than all fits of a small
table take. Python's fork server imports them once, while the command itself imports and reads
the files, and its children share its memory. The fork server runs no model and no thread, so that forking it is safe,
which it is not for the process of the command, let alone for a notebook.

It is used by the command line alone, on Linux: a child runs the main module of its parent again, and in a user's script
that would be the user's code. Only the standard library is imported here, since this comes before all other imports.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import reduction
from typing import Any

__all__ = ["fork_workers_from_server", "start_fork_server"]

_IMPORTS = "kpipe.training.fork_imports"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS")

_STARTED: list[int] = []  # the process id of the fork server


def start_fork_server(libraries: Sequence[str], *, threads: int) -> None:
    """Start the fork server of this process; joblib's workers are forked from it once it has imported the libraries.

    Parameters
    ----------
    libraries : sequence of str
        Modules that fits will import. Those that are not installed are ignored.
    threads : int
        CPU threads of a worker, unless the environment sets them; joblib does the same for the processes it starts.
    """
    if not sys.platform.startswith("linux") or _STARTED:
        return
    multiprocessing.resource_tracker.ensure_running()  # first, because it unblocks SIGINT when it starts
    multiprocessing.forkserver.set_forkserver_preload([_IMPORTS, *libraries])
    # Ctrl-C reaches every process of the command, but only the command itself should respond.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with _environment({name: str(threads) for name in _THREADS if name not in os.environ}):
            multiprocessing.forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    _STARTED.append(multiprocessing.forkserver._forkserver._forkserver_pid)  # type: ignore[attr-defined]
    atexit.register(_stop)


def fork_workers_from_server(start: Callable[[], None]) -> Callable[[], None]:
    """Let joblib fork its workers from the fork server, if there is one.

    Parameters
    ----------
    start : callable
        What each worker calls first.

    Returns
    -------
    callable
        joblib's ``initializer`` for these workers.
    """
    if not _STARTED:
        return start
    from joblib.externals.loky.backend import context
    from joblib.externals.loky.backend.resource_tracker import getfd

    context.set_start_method("forkserver", force=True)
    return _Forked(start, getfd())


@dataclass(frozen=True)
class _Forked:
    """What a forked worker calls first; unpickling it there connects the worker to joblib's resource tracker.

    The tracker deletes the file of an array when no process uses it any longer. Workers that joblib starts itself
    know it; a forked one would start another tracker, which knows none of the files and prints a traceback for each.
    """

    start: Callable[[], None]
    tracker: int  # the file descriptor to write to

    def __call__(self) -> None:
        self.start()

    def __reduce__(self) -> tuple[Any, ...]:
        return _connect_to_tracker, (self.start, reduction.DupFd(self.tracker))


def _connect_to_tracker(start: Callable[[], None], tracker: Any) -> Callable[[], None]:
    from joblib.externals.loky.backend import resource_tracker

    resource_tracker._resource_tracker._fd = tracker.detach()
    return start


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


def _stop() -> None:
    """End the fork server: while it imports, it would not notice the end of the command, and keep its output open."""
    with contextlib.suppress(OSError):
        os.kill(_STARTED[0], signal.SIGKILL)
