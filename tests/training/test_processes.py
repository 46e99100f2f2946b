from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from kpipe.training.processes import in_worker
from tests.faulty.faults.competition import faulty
from tests.tables import survivors
from tests.training.models import cross_validate_models


def test_what_a_model_prints_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    cross_validate_models(survivors(), {"prints": faulty("prints")})
    out, err = capfd.readouterr()
    assert out == ""
    for words in ("I am a model", "I write", "I am a child"):
        assert err.count(words) == 5


def test_a_process_without_stdout_can_train() -> None:
    code = """
import os, sys
os.close(1)
sys.stdout = None
from kpipe.training.processes import stdout_to_stderr
with stdout_to_stderr():
    print("lost")
sys.stderr.write("done")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stderr == "done"


def test_only_a_process_that_ignores_ctrl_c_is_a_worker() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        assert not in_worker()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert in_worker()
    finally:
        signal.signal(signal.SIGINT, before)
