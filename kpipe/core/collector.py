"""How often Python's cyclic garbage collector runs.

Importing the libraries creates a million objects, none of which is garbage. By default, Python scans them again and
again during the import, and once more at exit: 0.5 of the 1.2 s of CPU time that ``import kpipe.pipeline`` takes. Only
the standard library is imported here.
"""

from __future__ import annotations

import atexit
import gc

__all__ = ["collect_as_usual", "collect_rarely"]

_USUAL = gc.get_threshold()
_RARELY = 200_000  # new objects that trigger a collection; the default is 700 before Python 3.13


def collect_rarely() -> None:
    """Run the garbage collector rarely during imports, and not at all when this process ends.

    Only kpipe's own processes call this: the command line, and the process that workers are forked from.
    """
    gc.set_threshold(_RARELY, *_USUAL[1:])
    atexit.register(gc.freeze)


def collect_as_usual() -> None:
    """Run the garbage collector as often as usual again, but only on objects created from now on."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
