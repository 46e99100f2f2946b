"""Whole commands in which a model, a worker or the disk fails: the rest is trained, and finished fits are kept."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.tables import survivors, write

FAULTY = Path(__file__).resolve().parents[1] / "faulty"


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = survivors(n=200, m=60)
    luck = np.random.default_rng(1).random(200) < 0.15
    made.train["survived"] = made.train["survived"].where(~luck, 1 - made.train["survived"])
    return write(made, tmp_path_factory.mktemp("faults"))


def command(data: Path, out: Path, *models: str, jobs: int = 2) -> list[str]:
    named = [word for name in models for word in ("--model", name)]
    where = ["--data", str(data), "--out", str(out), "--jobs", str(jobs)]
    return [sys.executable, "-m", "kpipe", "run", "faults", *where, *named]


def run_command(words: list[str], *, limits: tuple[int, int] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        env={**os.environ, "KPIPE_COMPETITIONS": str(FAULTY)},
        preexec_fn=None if limits is None else partial(resource.setrlimit, limits[0], (limits[1], limits[1])),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


REASONS = {
    "killed": r"Its worker process was killed \(SIGKILL\(-9\)\), most likely because memory ran out",
    "raises": r"Model 'raises' failed on fold \d: RuntimeError: the matrix is singular",
    "leaves": r"Model 'leaves' failed on fold \d: SystemExit: 0",
    "leaves-at-once": r"Its worker process was killed \(EXIT\(0\)\), by the model or a library that it calls",
    "crashes": r"Its worker process was killed \(SIGSEGV\(-11\)\), by the model or a library that it calls",
    "raises-what-cannot-be-pickled": r"failed on fold \d: Unpicklable: 1 is not 2",
    "interrupts": r"failed on fold \d: KeyboardInterrupt",
    "not-made": r"could not be created: ValueError: no such option",
    "locked": r"The model cannot be sent to another process: .*lock",
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", REASONS)
def test_a_model_that_fails_is_skipped_and_the_others_are_trained(fault: str, data: Path, tmp_path: Path) -> None:
    run = run_command([*command(data, tmp_path, fault, "sound"), "--json"])
    record = json.loads(run.stdout)
    assert run.returncode == 0, run.stderr
    assert [m["name"] for m in record["models"]] == ["sound"]
    assert re.search(REASONS[fault], record["left_out"][fault])
    assert (record["status"], record["rows"]) == ("complete", 200)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["killed", "crashes", "leaves"])
def test_a_run_whose_only_model_fails_ends_with_an_error_message_and_without_a_submission(
    fault: str, data: Path, tmp_path: Path
) -> None:
    run = run_command(command(data, tmp_path, fault))
    assert run.returncode == 1
    assert re.search(f"^Error: {REASONS[fault]}", run.stderr, re.MULTILINE)
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.rglob("submission.csv"))


@pytest.mark.slow
def test_a_model_that_needs_more_memory_than_there_is_is_skipped(data: Path, tmp_path: Path) -> None:
    run = run_command([*command(data, tmp_path, "hogs", "sound"), "--json"], limits=(resource.RLIMIT_AS, 6 * 2**30))
    record = json.loads(run.stdout)
    assert run.returncode == 0, run.stderr
    assert re.search(r"failed on fold \d: \w*MemoryError: .* --jobs 1", record["left_out"]["hogs"])


@pytest.mark.slow
def test_prints_and_threads_of_a_model_disturb_neither_the_json_nor_the_end(data: Path, tmp_path: Path) -> None:
    run = run_command([*command(data, tmp_path, "prints", "leaves-a-thread"), "--json"])
    assert {m["name"] for m in json.loads(run.stdout)["models"]} == {"prints", "leaves-a-thread"}
    assert run.stderr.count("I am a child") == 5


@pytest.mark.slow
def test_a_model_that_never_ends_and_ignores_signals_is_stopped_by_the_budget(data: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    run = run_command([*command(data, tmp_path, "sound", "never-ends"), "--budget", "40s", "--json"])
    assert time.monotonic() - began < 60
    record = json.loads(run.stdout)
    assert list(record["left_out"]) == ["never-ends"]
    assert record["left_out"]["never-ends"].startswith("it would not finish within the budget of 40 s: its ")
    assert not subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, check=False).stdout


def in_mounts(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script whose mounts only it can see."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("mounts need root")
    return run_command(["unshare", "-m", "sh", "-c", script, "sh", *words])


@pytest.mark.slow
def test_after_a_full_disk_the_same_command_resumes_the_run(data: Path, tmp_path: Path) -> None:
    script = """mount -t tmpfs -o size=40k tmpfs "$0" || exit 9
        "$@"; echo "status $?"; mount -o remount,size=10m "$0"; "$@"; echo "status $?" """
    words = command(data, tmp_path, "sound", "prints")
    run = in_mounts(script.replace("$0", str(tmp_path)), *words)
    assert re.findall(r"status (\d)", run.stdout) == ["1", "0"], run.stderr
    assert re.search(r"Error: .* cannot be written: No space left on device\. .*Finished fits are kept", run.stderr)
    assert "already finished" in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout.count("Submission: ") == 1


@pytest.mark.slow
def test_a_read_only_folder_is_reported_before_training(data: Path, tmp_path: Path) -> None:
    script = """mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" || exit 9
        "$@"; echo "status $?" """
    run = in_mounts(script.replace("$0", str(tmp_path)), *command(data, tmp_path, "sound"))
    assert "status 1" in run.stdout, run.stderr
    assert re.search(r"Error: .* cannot be written: Read-only file system\. .*--out DIR", run.stderr)
    assert "[1/" not in run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("budget", [[], ["--budget", "1h"]])
def test_a_result_that_cannot_be_written_ends_the_run_at_once(
    budget: list[str], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while other fits are running: here they take an hour."""
    monkeypatch.setenv("FAULTS_MARK", str(tmp_path / "mark"))
    words = [*command(data, tmp_path / "out", "slow-but-once"), *budget]
    run = run_command(words, limits=(resource.RLIMIT_FSIZE, 1024))
    assert run.returncode == 1
    assert re.search(r"Error: .* cannot be written: File too large", run.stderr)
    assert "Traceback" not in run.stderr
    assert "Warning" not in run.stderr


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_workers_exit_when_their_parent_process_is_killed(data: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "KPIPE_COMPETITIONS": str(FAULTY)}
    nowhere = subprocess.DEVNULL
    main = subprocess.Popen(command(data, tmp_path, "never-ends"), env=environment, stdout=nowhere, stderr=nowhere)
    until = time.monotonic() + 120
    while len(workers := _workers_of(main.pid)) < 2:
        assert time.monotonic() < until
        time.sleep(0.2)
    time.sleep(5)  # they have started a fit
    main.kill()
    main.wait()
    until = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < until, "workers outlived their parent"
        time.sleep(0.2)


def _workers_of(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if f"PPid:\t{parent}\n" in status.read_text():
                found.append(int(status.parent.name))
        except OSError:
            continue
    return [pid for pid in found if b"LokyProcess" in Path(f"/proc/{pid}/cmdline").read_bytes()]
