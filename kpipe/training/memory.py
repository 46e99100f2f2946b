"""The current and peak memory of this process."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["current_memory_mib", "peak_memory_mib"]


def peak_memory_mib() -> float:
    """Return the peak memory of this process in MiB; 0 if the system does not report it."""
    # Linux's ru_maxrss starts with the parent's peak, which would be counted once per worker; VmHWM does not.
    if (kilobytes := _proc_status("VmHWM")) is not None:
        return kilobytes / 2**10
    if sys.platform == "win32":
        return 0.0  # the resource module is Unix's
    import resource

    # macOS counts in bytes, other systems in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def current_memory_mib() -> float:
    """Return the current memory of this process in MiB; its peak if the system does not report it."""
    kilobytes = _proc_status("VmRSS")
    return peak_memory_mib() if kilobytes is None else kilobytes / 2**10


def _proc_status(field: str) -> int | None:
    """Return a field of /proc/self/status in KiB; None if there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), None)
