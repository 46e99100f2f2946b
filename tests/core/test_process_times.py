from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from kpipe.core import process_times
from kpipe.core.process_times import process_age, seconds_waited


def test_the_age_of_a_process_includes_the_start_of_python() -> None:
    code = "import time; time.sleep(0.3); from kpipe.core.process_times import process_age; print(process_age())"
    began = time.monotonic()
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 0.3 <= float(found.stdout) <= time.monotonic() - began + 0.1


def test_the_seconds_waited_only_grow() -> None:
    first = seconds_waited()
    assert first is None or 0.0 <= first <= (seconds_waited() or 0.0)


def test_without_readable_proc_files_the_age_of_a_process_is_its_cpu_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    odd = tmp_path / "odd"
    for text in (None, "", "1 (python) S"):
        if text is not None:
            odd.write_text(text)
        monkeypatch.setattr(process_times, "_STAT", odd)
        monkeypatch.setattr(process_times, "_SCHEDULER", odd)
        assert 0.0 < process_age() <= time.process_time()
        assert seconds_waited() is None
