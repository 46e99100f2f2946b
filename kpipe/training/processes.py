"""What a worker process must not do to the run: answer Ctrl-C, write to stdout, or outlive its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.util import Finalize

from kpipe.training.allocator import set_malloc_thresholds
from kpipe.training.backends import shared_data

__all__ = ["in_worker", "start_worker", "stdout_to_stderr"]

_PARENT_CHECK = 2.0  # seconds between two checks of a worker that its parent still runs


def start_worker() -> None:
    """Prepare a worker process; joblib calls it in each one.

    Ctrl-C reaches the whole process group, but only the first process answers it and stops the others. Models may
    leave buffers or threads behind, which would write after their fit has ended, or keep the process alive: stdout
    goes to stderr, and the process exits without waiting for threads.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_malloc_thresholds()
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    Finalize(None, _exit, exitpriority=-1000)
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()


def in_worker() -> bool:
    """Return whether this process works for another one and ignores Ctrl-C."""
    return shared_data() is not None or signal.getsignal(signal.SIGINT) is signal.SIG_IGN


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
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        with contextlib.suppress(Exception):
            ctypes.CDLL(None).fflush(None)  # buffers of C; Windows has no such library
        os.dup2(kept, 1)
        os.close(kept)


def _exit_with_parent(parent: int) -> None:
    """End this process when its parent is gone: a parent that is killed cannot stop it, and loky waits for minutes."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK)
    _exit()


def _exit() -> None:
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    os._exit(0)
