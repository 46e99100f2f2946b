"""Which device torch models train on, found out without importing torch where no accelerator can be there."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from kpipe.errors import UsageError

__all__ = ["DEVICES", "available_cores", "resolve_device"]

DEVICES = ("auto", "cpu", "cuda", "mps")

# What the drivers of NVIDIA and AMD put up; without one of them torch sees no "cuda".
_DRIVERS = (Path("/proc/driver/nvidia"), Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))


def resolve_device(name: str) -> str:
    """One of "cpu", "cuda" or "mps" from a device's name; "auto" takes the fastest there is.

    Raises UsageError for a name that is not one, or a device that is not there, saying what is.

    >>> resolve_device("cpu")
    'cpu'
    """
    if name not in DEVICES:
        raise UsageError(f"--device must be one of {', '.join(DEVICES)}, however: {name!r}.")
    if name == "cpu" or (name == "auto" and not _accelerator_possible()):
        return "cpu"
    found = _available()
    if name == "auto":
        return found[0]
    if name not in found:
        raise UsageError(f"--device {name}: torch finds no such device here. Available: {', '.join(found)}.")
    return name


def available_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _accelerator_possible() -> bool:
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return sys.platform == "win32" or any(path.exists() for path in _DRIVERS)


def _available() -> list[str]:
    import torch

    cuda = ["cuda"] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]
