from __future__ import annotations

import sys

import numpy as np
import pytest

from kpipe.training import memory
from kpipe.training.allocator import release_free_memory, set_malloc_thresholds
from kpipe.training.memory import current_memory_mib, peak_memory_mib


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not report the memory")
def test_the_peak_is_at_least_what_is_held_now_and_grows_with_it() -> None:
    before = peak_memory_mib()
    held = np.ones(2**24)  # 128 MiB
    assert peak_memory_mib() >= before
    assert peak_memory_mib() >= current_memory_mib() > held.nbytes / 2**20


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not report the memory")
def test_a_system_without_proc_reports_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_proc_status", lambda field: None)
    assert peak_memory_mib() > 1
    assert current_memory_mib() == peak_memory_mib()


def test_allocator_settings_never_fail() -> None:
    release_free_memory()
    set_malloc_thresholds()
