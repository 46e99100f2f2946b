"""How long a process has run, and how long it has waited for a processor.

Only the standard library is imported here.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["process_age", "seconds_waited"]

_STAT, _SCHEDULER = Path("/proc/self/stat"), Path("/proc/self/schedstat")
_STARTED = 19  # place of the start time among the fields of stat that follow the name of the program


def process_age() -> float:
    """Return the seconds since this process started; if the system does not report them, its CPU time."""
    worked = time.process_time()
    try:
        ticks = int(_STAT.read_text(encoding="utf-8").rpartition(")")[2].split()[_STARTED])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return worked
    return max(age, worked)


def seconds_waited() -> float | None:
    """Return the seconds that this process's main thread has waited for a CPU; None if unknown.

    Unlike wall-clock time, this does not grow while the process waits for a disk or a download.
    """
    try:
        return int(_SCHEDULER.read_text(encoding="utf-8").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None
