"""When Python's cyclic garbage collector runs.

Importing the libraries makes a million objects, none of which is garbage; Python looks through them again and again
meanwhile, and a last time when it ends: 0.5 of the 1.2 s of the processor that ``import kpipe.pipeline`` takes. Only
the standard library is imported here.
"""

from __future__ import annotations

import atexit
import gc

__all__ = ["collect_as_usual", "collect_rarely"]

_USUAL = gc.get_threshold()
_RARELY = 200_000  # new objects, from which the youngest are looked through; 700 before Python 3.13


def collect_rarely() -> None:
    """Run the garbage collector rarely during imports, and not at all when this process ends.

    Only processes of kpipe's own call this: the command line, and the one that workers are forked from.
    """
    gc.set_threshold(_RARELY, *_USUAL[1:])
    atexit.register(gc.freeze)


def collect_as_usual() -> None:
    """Run the garbage collector as often as usual again, on the objects created from now on."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
