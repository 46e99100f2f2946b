"""The device that torch models train on, and the number of CPU cores.

torch is imported only where a driver shows that there may be an accelerator.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from kpipe.errors import UsageError

__all__ = ["DEVICES", "available_cores", "is_accelerator_possible", "resolve_device"]

DEVICES = ("auto", "cpu", "cuda", "mps")

# What the drivers of NVIDIA and AMD create; without any of them torch has no "cuda".
_DRIVERS = (Path("/proc/driver/nvidia"), Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))


def resolve_device(name: str) -> str:
    """Return the device that a name stands for.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}
        "auto" stands for the fastest device that is available.

    Returns
    -------
    {"cpu", "cuda", "mps"}

    Raises
    ------
    UsageError
        If the name is unknown, or torch finds no such device; the message lists the available ones.

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    if name not in DEVICES:
        raise UsageError(f"--device must be one of {', '.join(DEVICES)}; got {name!r}.", code="invalid-value")
    if name == "cpu" or (name == "auto" and not is_accelerator_possible()):
        return "cpu"
    available = _available()
    if name == "auto":
        return available[0]
    if name not in available:
        raise UsageError(
            f"--device {name}: torch finds no such device. Available: {', '.join(available)}.", code="invalid-value"
        )
    return name


def available_cores() -> int:
    """Return the number of CPU cores that this process may use.

    Returns
    -------
    int
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_accelerator_possible() -> bool:
    """Return whether a driver is installed, found without importing torch.

    Returns
    -------
    bool
    """
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return sys.platform == "win32" or any(path.exists() for path in _DRIVERS)


def _available() -> list[str]:
    """The devices that torch finds, fastest first."""
    import torch

    cuda = ["cuda"] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]
