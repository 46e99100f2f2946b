"""Settings of glibc's memory allocator; other C libraries keep theirs."""

from __future__ import annotations

import contextlib
import ctypes

__all__ = ["release_free_memory", "set_malloc_thresholds"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def release_free_memory() -> None:
    """Return freed memory to the system, so that workers can use it.

    After the images of the digit recognizer have been read, glibc would keep 66 MiB.
    """
    with contextlib.suppress(Exception):  # other C libraries have no such function
        ctypes.CDLL(None).malloc_trim(0)


def set_malloc_thresholds() -> None:
    """Let glibc return blocks of 16 MiB and more when they are freed, and keep smaller ones for the next batch.

    By default, glibc keeps blocks of up to 32 MiB once one of that size has been freed, and returns smaller ones to the
    system after each batch.
    """
    with contextlib.suppress(Exception):  # other C libraries have no such function
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 16 * 2**20)
        libc.mallopt(_M_TRIM_THRESHOLD, 64 * 2**20)
