"""Ctrl-C in real processes: one line, status 130, never a traceback, however often it is pressed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kpipe import competitions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals of Unix")


@pytest.fixture
def run(tmp_path: Path) -> list[str]:
    """The command of a run with two models of two seconds a fit, of which the second is trained by two workers."""
    slow = tmp_path / "competitions" / "slow"
    folder = competitions.folder("titanic")
    assert folder is not None
    shutil.copytree(folder / "sample", slow / "sample")
    (slow / "competition.py").write_text(SLOW)
    return [sys.executable, "-m", "kpipe", "run", "slow", "--out", str(tmp_path / "out"), "--folds", "3"]


SLOW = """
import time
from kpipe import Competition
from sklearn.dummy import DummyClassifier


class Slow(DummyClassifier):
    def fit(self, X, y):
        time.sleep(0.3 if len(X) else 0)
        return super().fit(X, y)


def slow(context):
    return Slow()


competition = Competition(slug="slow", target="Survived", models={"slow": slow})
"""


# Python imports sitecustomize when it starts, before any other module.
SITE = """
import os, sys

class Speaker:
    def find_spec(name, path=None, target=None):
        if name in ("pandas", "sklearn"):
            os.write(2, f"importing {name}\\n".encode())

sys.meta_path.insert(0, Speaker)
"""


def press(command: list[str], tmp_path: Path, *, when: str, times: int, apart: float) -> tuple[int, list[str]]:
    """Press Ctrl-C several times, after a line of stderr; the status, and the lines from there."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    environment = os.environ | {
        "KPIPE_COMPETITIONS": str(tmp_path / "competitions"),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH")))),
    }
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    assert process.stderr is not None
    for line in process.stderr:
        if when in line:
            break
    for _ in range(times):
        try:
            os.killpg(process.pid, signal.SIGINT)
        except ProcessLookupError:
            break
        time.sleep(apart)
    rest = process.communicate(timeout=60)[1]
    return process.returncode, [
        line for line in rest.splitlines() if not re.match(r"\[\d|slow: |THIS IS|importing ", line)
    ]


@pytest.mark.parametrize(("when", "jobs"), [("[1/3]", 1), ("Training", 2), ("[1/3]", 2)])
def test_pressed_five_times_a_run_ends_with_one_line_and_can_be_resumed(
    when: str, jobs: int, run: list[str], tmp_path: Path
) -> None:
    status, lines = press([*run, "--jobs", str(jobs)], tmp_path, when=when, times=5, apart=0.02)
    assert status == 130, lines
    assert len(lines) == 1, lines
    assert lines[0].startswith("Interrupted. "), lines
    if when == "[1/3]":
        (partial,) = (tmp_path / "out" / "slow").iterdir()
        assert lines == [f"Interrupted. Finished fits are kept in {partial}. Run the same command again to resume."]


@pytest.mark.parametrize("library", ["pandas", "sklearn"])
def test_pressed_during_the_imports_a_command_ends_with_one_line(library: str, run: list[str], tmp_path: Path) -> None:
    status, lines = press(run, tmp_path, when=f"importing {library}", times=3, apart=0.01)
    assert (status, lines) == (130, ["Interrupted."])


PLACES = """
import gc, signal, sys, threading, time, weakref
from kpipe.cli.interrupts import end_on_interrupt
with end_on_interrupt():
    {body}
"""


def ended(body: str) -> tuple[int, str]:
    code = PLACES.format(body=body.replace("\n", "\n    "))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "body",
    [
        # The first one is still handled when the second comes.
        "try:\n    signal.raise_signal(2)\nfinally:\n    signal.raise_signal(2)\n    time.sleep(0.1)",
        # A library makes another exception of it.
        "try:\n    signal.raise_signal(2)\nexcept KeyboardInterrupt:\n    raise ImportError('numpy')",
        # Code that runs from a string raises it, as imports do: Python would kill itself with SIGINT at the end.
        "exec('signal.raise_signal(2)')",
        # It comes within a callback of the garbage collector, where Python prints and forgets it.
        "class Late:\n    def __del__(self): signal.raise_signal(2)\nLate()\ntime.sleep(10)",
    ],
)
def test_wherever_it_comes_the_process_ends_with_one_line(body: str) -> None:
    assert ended(body) == (130, "Interrupted.\n")


def test_after_the_command_has_ended_ctrl_c_changes_nothing() -> None:
    assert ended("import atexit\natexit.register(signal.raise_signal, 2)\nsys.exit(1)") == (1, "")


def test_errors_without_ctrl_c_keep_their_traceback() -> None:
    status, err = ended("raise ValueError('a bug')")
    assert status == 1
    assert err.endswith("ValueError: a bug\n")
