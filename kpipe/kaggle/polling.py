"""Poll Kaggle at growing intervals."""

from __future__ import annotations

import time
from collections.abc import Iterator

__all__ = ["poll"]

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 2.0, 20.0, 1.5  # seconds between two polls, and the factor by which they grow


def poll(seconds: float) -> Iterator[float]:
    """Seconds waited so far, at growing intervals, for a loop that polls each time and leaves when the work is done.

    Parameters
    ----------
    seconds : float
        How long to wait; there is always one poll.

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
