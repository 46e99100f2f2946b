"""Ctrl-C: the first one ends the command, and further ones do not disturb it while it ends.

Only the standard library is imported: Ctrl-C may come while everything else is imported.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

__all__ = ["INTERRUPTED", "end_on_interrupt", "was_interrupted"]

INTERRUPTED = 130  # 128 + SIGINT: the exit status that shells expect after Ctrl-C

_PATIENCE = 5.0  # seconds after which another Ctrl-C ends the process at once
_AGAIN = 0.05  # seconds until an interrupt that a library has swallowed is raised again


class _Interrupts:
    """The handler of SIGINT."""

    def __init__(self) -> None:
        self.first: float | None = None  # when Ctrl-C was pressed
        self.ended = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.first is None:
            self.first = time.monotonic()
            raise KeyboardInterrupt
        if time.monotonic() - self.first > _PATIENCE and not self.ended:  # the command hangs
            with contextlib.suppress(OSError):
                os.write(2, b"Interrupted.\n")
            os._exit(INTERRUPTED)

    def unraisable(self, lost: Any) -> None:
        """Where a KeyboardInterrupt was raised in a callback, Python prints and forgets it: raise it again."""
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            if not self.ended:  # afterwards, Python reports a Ctrl-C that was pressed just before it is ignored
                sys.__unraisablehook__(lost)
        elif not self.ended:
            self.first = None
            again = threading.Timer(_AGAIN, _interrupt_main_thread)
            again.daemon = True
            again.start()


def _interrupt_main_thread() -> None:
    if hasattr(signal, "pthread_kill"):  # this also ends a system call
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:  # Windows
        _thread.interrupt_main()


_INTERRUPTS = _Interrupts()


def was_interrupted() -> bool:
    """Return whether Ctrl-C was pressed.

    Returns
    -------
    bool
    """
    return _INTERRUPTS.first is not None


@contextlib.contextmanager
def end_on_interrupt() -> Iterator[None]:
    """Handle Ctrl-C in a ``with`` block, after which the process must exit.

    Raises
    ------
    SystemExit
        With the status 130 if Ctrl-C was pressed, even if a library turned the KeyboardInterrupt into another error.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored, in a background job
        yield
        return
    signal.signal(signal.SIGINT, _INTERRUPTS)
    sys.unraisablehook = _INTERRUPTS.unraisable
    try:
        yield
    except BaseException as error:
        if isinstance(error, SystemExit) or not was_interrupted():
            raise
        with contextlib.suppress(OSError):
            os.write(2, b"Interrupted.\n")
        raise SystemExit(INTERRUPTED) from None
    finally:
        _INTERRUPTS.ended = True
        # Where a KeyboardInterrupt has left code that C ran from a string, as in an import, Python would end by killing
        # itself with SIGINT. Running any other string makes it forget that.
        exec("")
        # While Python ends, a Ctrl-C would print a traceback, or kill the process where handlers are gone already.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
