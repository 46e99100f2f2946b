"""Settings of glibc's memory allocator; other C libraries keep theirs."""

from __future__ import annotations

import contextlib
import ctypes

__all__ = ["release_free_memory", "set_malloc_thresholds"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def release_free_memory() -> None:
    """Return freed memory to the system, so that workers can use it.

    glibc holds on to 66 MiB of what reading the digits needed.
    """
    with contextlib.suppress(Exception):  # other C libraries have no such function
        ctypes.CDLL(None).malloc_trim(0)


def set_malloc_thresholds() -> None:
    """Let glibc return blocks of 16 MiB and more when they are freed, and keep smaller ones for the next batch.

    By default it keeps tables of up to 32 MiB after the first one is freed, and returns batches page by page.
    """
    with contextlib.suppress(Exception):  # other C libraries have no such function
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 16 * 2**20)
        libc.mallopt(_M_TRIM_THRESHOLD, 64 * 2**20)
