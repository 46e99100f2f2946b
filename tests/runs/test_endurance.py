"""A run can be killed anywhere: the same command resumes it and ends with the bytes of an uninterrupted run."""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.killable import KillableRuns

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and fork are Unix's")

QUICK = ["run", "titanic", "--data", "sample", "--model", "woman-child-group", "--jobs", "1"]
FILES = ("submission.csv", "oof.parquet", "test.parquet", "folds.parquet", "curves.parquet")
VOLATILE = ("run_id", "created", "seconds", "peak_memory_mib", "command", "fits")  # differ between any two runs


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[KillableRuns]:
    with KillableRuns(tmp_path) as found:
        yield found


def finished(out: Path) -> list[Path]:
    return sorted(path for path in out.glob("titanic/*") if not path.name.startswith("."))


def record_of(run: Path) -> dict[str, Any]:
    record = json.loads((run / "run.json").read_text())
    models = [{name: value for name, value in model.items() if name != "seconds"} for model in record["models"]]
    return {name: value for name, value in record.items() if name not in VOLATILE} | {"models": models}


def assert_same(run: Path, uninterrupted: Path) -> None:
    for name in FILES:
        assert (run / name).read_bytes() == (uninterrupted / name).read_bytes(), name
    assert record_of(run) == record_of(uninterrupted)
    left = {str(path.relative_to(run)) for path in run.rglob("*")}
    assert left == {str(path.relative_to(uninterrupted)) for path in uninterrupted.rglob("*")}
    assert [path.name for path in run.parent.iterdir()] == [run.name]


def phase(log: str, out: Path) -> str:
    """What a run was doing when it was killed, by its log."""
    if finished(out):
        return "ended"
    done = re.findall(r"^\[(\d+)/(\d+)\]", log, flags=re.MULTILINE)
    if done and done[-1][0] == done[-1][1]:
        return "writing"
    return "training" if done else "starting" if "Training" in log else "reading"


def damage(out: Path, rng: np.random.Generator) -> str:
    """Damage the file that was written last, as a power cut does; return how."""
    files = [path for path in out.rglob("*") if path.is_file() and not finished(out) and path.suffix != ".lock"]
    if not files or rng.random() < 0.5:
        return ""
    last = max(files, key=lambda path: path.stat().st_mtime_ns)
    content = bytearray(last.read_bytes())
    if not content:
        return ""
    how = str(rng.choice(["truncated", "emptied", "zeros", "a bit flipped"]))
    place = int(rng.integers(len(content)))
    if how == "a bit flipped":
        content[place] ^= 1 << int(rng.integers(8))
    else:
        content = {"truncated": content[:place], "emptied": bytearray(), "zeros": bytearray(len(content))}[how]
    last.write_bytes(content)
    return how


def killed(killable: KillableRuns, call: list[str], folder: Path, *, kills: int, seed: int) -> Counter[str]:
    """Kill runs at random moments, start each again until it ends, and compare all with an uninterrupted one."""
    rng, counts = np.random.default_rng(seed), Counter[str]()
    uninterrupted, began = folder / "uninterrupted", time.monotonic()
    assert killable.run(*call, "--out", uninterrupted) == 0
    (expected,) = finished(uninterrupted)
    long = short = time.monotonic() - began  # of a run from its start, and of the last one that ended
    for number in range(10**6):
        out = folder / f"out-{number}"
        while not finished(out):
            left = counts["kills"] < kills
            began = time.monotonic()
            after = rng.uniform(0, rng.choice([long, short])) if left else None
            ended = killable.run(*call, "--out", out, after=after)
            took = time.monotonic() - began
            log = killable.log.read_text()
            assert "Traceback" not in log
            counts["fits found again"] += log.count("already finished")
            if ended == 0:
                short = took
            else:
                assert ended == -9, log
                counts["kills"] += 1
                counts[f"killed: {phase(log, out)}"] += 1
                if how := damage(out, rng):
                    counts[f"damaged: {how}"] += 1
        assert_same(finished(out)[0], expected)
        counts["runs"] += 1
        if counts["kills"] >= kills:
            return counts
    raise AssertionError("unreachable")


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_the_bytes_of_an_uninterrupted_run(
    killable: KillableRuns, tmp_path: Path
) -> None:
    call = [*QUICK, "--folds", "3"]
    counts = killed(killable, call, tmp_path, kills=4, seed=0)
    assert counts["kills"] == 4


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "kills"), [(1, 80), (2, 20)])
def test_a_hundred_kills_change_nothing(
    jobs: int, kills: int, killable: KillableRuns, tmp_path: Path, kaggle_zip
) -> None:
    call = ["run", "titanic", "--data", str(kaggle_zip("titanic")), "--jobs", str(jobs)]
    call += ["--model", "linear", "--model", "woman-child-group"]
    began = time.monotonic()
    counts = killed(killable, call, tmp_path, kills=kills, seed=jobs)
    print(f"\n{jobs} at a time, {time.monotonic() - began:.0f} s:", json.dumps(dict(sorted(counts.items()))))
    assert counts["kills"] == kills
    assert counts["fits found again"]
    phases = ("reading", "training", "writing") if jobs == 1 else ("training",)
    assert all(counts[f"killed: {name}"] for name in phases), counts


@pytest.mark.slow
@pytest.mark.parametrize("step", [pytest.param(9, id="every ninth change"), pytest.param(1, id="every change")])
def test_a_run_killed_before_any_file_operation_is_resumed(step: int, killable: KillableRuns, tmp_path: Path) -> None:
    call = [*QUICK, "--folds", "2"]
    assert killable.run(*call, "--out", tmp_path / "uninterrupted") == 0
    (expected,) = finished(tmp_path / "uninterrupted")
    at, ended = 0, -9
    while ended == -9:
        at += step
        out = tmp_path / f"at-{at}"
        ended = killable.run(*call, "--out", out, at=at)
        if not finished(out):
            assert killable.run(*call, "--out", out) == 0, killable.log.read_text()
        if ended == -9 and (out / "titanic").exists() and len([*(out / "titanic").iterdir()]) > 1:
            assert killable.run(*call, "--out", out) == 0  # killed after its end: the next run removes its lock
            finished(out)[-1].rename(tmp_path / f"next-{at}")
        assert_same(finished(out)[0], expected)
    assert ended == 0
    assert at > 20


@pytest.mark.parametrize(
    ("times", "step"),
    [(1, 13), (2, 17), pytest.param(1, 1, marks=pytest.mark.slow), pytest.param(2, 1, marks=pytest.mark.slow)],
)
def test_ctrl_c_while_a_run_is_saved_loses_nothing(
    times: int, step: int, killable: KillableRuns, tmp_path: Path
) -> None:
    call = [*QUICK, "--folds", "2"]
    assert killable.run(*call, "--out", tmp_path / "uninterrupted") == 0
    (expected,) = finished(tmp_path / "uninterrupted")
    at, ended = 1, 130
    while ended == 130:
        out = tmp_path / f"at-{at}"
        ended = killable.run(*call, "--out", out, at=at, since="submission.csv", interrupts=times)
        log = killable.log.read_text()
        assert "Traceback" not in log
        if ended == 130:
            assert log.splitlines()[-1].startswith("Interrupted."), log
        if not finished(out):
            assert killable.run(*call, "--out", out) == 0, killable.log.read_text()
            assert "already finished" in killable.log.read_text()  # nothing is trained again
        left = [*(out / "titanic").iterdir(), *finished(out)[0].glob("request.json"), *finished(out)[0].glob("check*")]
        if ended == 130 and len(left) > 1:
            assert killable.run(*call, "--out", out) == 0  # interrupted after its end: the next run tidies up
            finished(out)[-1].rename(tmp_path / f"next-{at}")
        assert_same(finished(out)[0], expected)
        at += step
    assert ended == 0
    assert at > 10


@pytest.mark.slow
def test_two_processes_with_the_same_command_do_not_disturb_each_other(killable: KillableRuns, tmp_path: Path) -> None:
    call = [*QUICK, "--folds", "2", "--out", tmp_path / "out"]
    with KillableRuns(tmp_path / "other") as others, ThreadPoolExecutor() as pool:
        ended = [pool.submit(each.run, *call) for each in (killable, others)]
        assert [found.result() for found in ended] == [0, 0]
    one, two = finished(tmp_path / "out")
    assert record_of(one) == record_of(two)
    assert {(run / name).read_bytes() == (one / name).read_bytes() for run in (one, two) for name in FILES} == {True}
    assert len([*(tmp_path / "out" / "titanic").iterdir()]) == 2
