"""Keep worker processes from handling Ctrl-C, writing to stdout and outliving their parent."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing.resource_tracker
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import wait
from multiprocessing.util import Finalize
from typing import TextIO, cast

import joblib.externals.loky.backend.resource_tracker

from kpipe.core.collector import collect_as_usual
from kpipe.core.scipy_docs import skip_scipy_docs
from kpipe.core.streams import GuardedStream
from kpipe.training.allocator import set_malloc_thresholds
from kpipe.training.backends import shared_data

__all__ = ["hold_interrupts", "in_worker", "start_worker", "stdout_to_stderr"]

_PARENT_CHECK = 2.0  # seconds between two checks of a worker that its parent still runs


def start_worker() -> None:
    """Prepare a worker process; joblib calls it in each one.

    Ctrl-C reaches the whole process group, but only the first process answers it and stops the others. Models may
    leave buffers or threads behind, which would write after their fit has ended, or keep the process alive: stdout
    goes to stderr, and the process exits without waiting for threads.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    skip_scipy_docs()
    collect_as_usual()
    set_malloc_thresholds()
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    sys.stderr = cast(TextIO, GuardedStream(sys.stderr))  # a model that prints to a full disk goes on
    Finalize(None, _exit, exitpriority=-1000)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def in_worker() -> bool:
    """Return whether this process works for another one and ignores Ctrl-C."""
    return shared_data() is not None or signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@contextlib.contextmanager
def hold_interrupts() -> Iterator[None]:
    """Hold a Ctrl-C back until the end of a ``with`` block, in which worker processes are started.

    They inherit this: a process that is still importing would answer Ctrl-C with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    for tracker in (multiprocessing.resource_tracker, joblib.externals.loky.backend.resource_tracker):
        tracker.ensure_running()  # both unblock SIGINT when they start
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send to stderr what is printed in a ``with`` block, also by C code and by child processes.

    stdout belongs to the run: with ``--json`` it holds nothing but the record.
    """
    try:
        sys.stdout.flush()
        kept = os.dup(1)
    except (OSError, ValueError, AttributeError):  # there is no stdout
        yield
        return
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(cast(TextIO, GuardedStream(sys.stderr))):
            yield
    finally:
        with contextlib.suppress(Exception):
            ctypes.CDLL(None).fflush(None)  # buffers of C; Windows has no such library
        os.dup2(kept, 1)
        os.close(kept)


def _exit_with_parent() -> None:
    """End this process when its parent is gone: a parent that is killed cannot stop it, and loky waits for minutes."""
    started_by, parent = multiprocessing.parent_process(), os.getppid()
    if started_by is not None and started_by.sentinel is not None:  # forked by a fork server, which is then its parent
        wait([started_by.sentinel])
    else:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK)
    _exit()


def _exit() -> None:
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    os._exit(0)
