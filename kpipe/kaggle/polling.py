"""Poll Kaggle at growing intervals."""

from __future__ import annotations

import time
from collections.abc import Iterator

__all__ = ["poll"]

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 2.0, 20.0, 1.5  # seconds between two polls, and the factor by which they grow


def poll(seconds: float) -> Iterator[float]:
    """Yield the seconds waited so far, at growing intervals: the caller polls in each iteration of a loop.

    Parameters
    ----------
    seconds : float
        After how long to stop; the first poll takes place in any case.

    Yields
    ------
    float
        Seconds since the first poll.
    """
    began, pause, waited = time.monotonic(), _FIRST_PAUSE, 0.0
    while waited <= seconds:
        yield waited
        time.sleep(pause)
        pause = min(_GROWTH * pause, _LONGEST_PAUSE)
        waited = time.monotonic() - began
