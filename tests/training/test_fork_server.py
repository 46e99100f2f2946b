"""Workers of the command are forked from one process that has imported the libraries, and none of them is left."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kpipe.cli import head_start
from kpipe.cli.head_start import start_workers_early

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")

_SCRIPT = """
import json, sys

def look():
    import os, sys, time
    time.sleep(0.2)
    return os.getppid(), os.getpid(), "wave" in sys.modules, os.environ["OMP_NUM_THREADS"]

if __name__ == "__main__":
    from kpipe.training.fork_server import fork_workers_from_server, start_fork_server
    if sys.argv[2] == "forked":
        start_fork_server(["no_such_module", "wave"], threads=1)
    import joblib, time
    from kpipe.training.processes import start_worker
    start = fork_workers_from_server(start_worker)
    seen = joblib.Parallel(2, initializer=start)(joblib.delayed(look)() for _ in range(4))
    print(json.dumps([list(one) for one in zip(*seen)]), flush=True)
    time.sleep(float(sys.argv[1]))
"""


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("how", "kill"), [("forked", False), ("forked", True), ("started", True)])
def test_workers_end_with_the_command_and_forked_ones_share_the_imports_of_one_process(
    tmp_path: Path, how: str, kill: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    script, errors = tmp_path / "script.py", tmp_path / "errors"
    script.write_text(_SCRIPT)
    command = [sys.executable, str(script), "60" if kill else "0", how]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with (
        errors.open("w") as opened,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=opened, text=True, env=environment) as running,
    ):
        assert running.stdout is not None
        parents, workers, has_module, threads = json.loads(running.stdout.readline())
        if kill:
            running.send_signal(signal.SIGKILL)
    assert len({*workers}) <= 2  # on a busy machine, the first one does it all
    assert len({*parents}) == 1
    assert (running.pid in parents, any(has_module)) == ((False, True) if how == "forked" else (True, False))
    assert how == "started" or {*threads} == {"1"}
    ends = time.monotonic() + 30
    while any(map(is_running, {*parents, *workers})) and time.monotonic() < ends:
        time.sleep(0.1)
    assert not any(map(is_running, {*parents, *workers}))
    assert "Traceback" not in errors.read_text()


_ARRAYS = """
import numpy, sys

def total(values):
    return int(values[::1000].sum())

if __name__ == "__main__":
    from kpipe.training.fork_server import fork_workers_from_server, start_fork_server
    start_fork_server([], threads=1)
    import joblib
    from kpipe.training.processes import start_worker
    start = fork_workers_from_server(start_worker)
    arrays = [numpy.full(400_000, number) for number in range(6)]  # joblib maps arrays above 1 MB into memory
    parallel = joblib.Parallel(2, initializer=start, return_as="generator_unordered", batch_size=1)
    print(sum(parallel(joblib.delayed(total)(values) for values in arrays)))
"""


def test_large_arrays_reach_forked_workers_and_no_message_mentions_their_files(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_ARRAYS)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, timeout=120)
    assert (ran.stdout, ran.stderr) == (f"{400 * 15}\n", "")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The libraries of each fork server that would have been started."""
    found: list[list[str]] = []
    monkeypatch.setattr(head_start, "start_fork_server", lambda libraries, threads: found.append([*libraries]))
    monkeypatch.setattr(head_start, "available_cores", lambda: 2)
    monkeypatch.setattr(head_start, "is_accelerator_possible", lambda: False)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kpipe", "run", "titanic"])
    return found


def options(tmp_path: Path, **given: object) -> argparse.Namespace:
    usual = dict.fromkeys(("jobs", "budget", "cluster", "device", "resume", "fresh", "models"))
    return argparse.Namespace(**{**usual, "slug": "titanic", "out": tmp_path, **given})


def test_a_run_that_needs_workers_starts_them_early_with_the_libraries_of_its_models(
    tmp_path: Path, started: list[list[str]]
) -> None:
    for given in ({}, {"models": ["linear"]}, {"models": ["neural"]}, {"slug": "unknown"}, {"jobs": 1, "budget": 60.0}):
        start_workers_early(options(tmp_path, **given))
    assert ["torch" in libraries for libraries in started] == [True, False, True, True, True]


@pytest.mark.parametrize("given", [{"jobs": 1}, {"cluster": "ray=auto"}, {"device": "cuda"}, {"resume": "abc"}])
def test_a_run_without_workers_of_this_machine_starts_none(
    tmp_path: Path, started: list[list[str]], given: dict[str, object]
) -> None:
    start_workers_early(options(tmp_path, **given))
    assert started == []


def test_the_same_command_again_will_find_its_fits_and_starts_none(tmp_path: Path, started: list[list[str]]) -> None:
    folder = tmp_path / "titanic" / "20261127T000000Z-abc"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"command": ["kpipe", "run", "titanic"]}))
    start_workers_early(options(tmp_path))
    assert started == []
    start_workers_early(options(tmp_path, fresh=True))
    assert len(started) == 1


@pytest.mark.parametrize("record", ["{}", '{"command": null}', '{"command": [1]}', "[]", "[" * 100_000])
def test_a_run_without_a_command_that_can_be_read_is_no_earlier_call(
    tmp_path: Path, started: list[list[str]], record: str
) -> None:
    folder = tmp_path / "titanic" / "20261127T000000Z-abc"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(record)
    start_workers_early(options(tmp_path))
    assert len(started) == 1


def test_another_program_that_calls_the_command_starts_none(
    tmp_path: Path, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["pytest"])
    start_workers_early(options(tmp_path))
    assert started == []
