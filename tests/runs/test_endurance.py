"""A run can be killed anywhere: the same call goes on from what was finished, to the very bytes of an unbroken run."""

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

from tests.mortal import Mortals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and fork are Unix's")

QUICK = ["run", "titanic", "--data", "sample", "--model", "woman-child-group", "--jobs", "1"]
FILES = ("submission.csv", "oof.parquet", "test.parquet", "folds.parquet", "curves.parquet")
PASSING = ("run_id", "created", "seconds", "peak_memory_mib", "command")  # what no two runs share


@pytest.fixture
def mortals(tmp_path: Path) -> Iterator[Mortals]:
    with Mortals(tmp_path) as found:
        yield found


def finished(out: Path) -> list[Path]:
    return sorted(path for path in out.glob("titanic/*") if not path.name.startswith("."))


def record_of(run: Path) -> dict[str, Any]:
    record = json.loads((run / "run.json").read_text())
    models = [{name: value for name, value in model.items() if name != "seconds"} for model in record["models"]]
    return {name: value for name, value in record.items() if name not in PASSING} | {"models": models}


def assert_same(run: Path, unbroken: Path) -> None:
    for name in FILES:
        assert (run / name).read_bytes() == (unbroken / name).read_bytes(), name
    assert record_of(run) == record_of(unbroken)
    left = {str(path.relative_to(run)) for path in run.rglob("*")}
    assert left == {str(path.relative_to(unbroken)) for path in unbroken.rglob("*")}
    assert [path.name for path in run.parent.iterdir()] == [run.name]


def phase(log: str, out: Path) -> str:
    """Where a kill fell, by what the run had said."""
    if finished(out):
        return "ended"
    done = re.findall(r"^\[(\d+)/(\d+)\]", log, flags=re.MULTILINE)
    if done and done[-1][0] == done[-1][1]:
        return "writing"
    return "training" if done else "starting" if "Training" in log else "reading"


def damage(out: Path, rng: np.random.Generator) -> str:
    """What a power cut does to the file that was written last: cut short, emptied, full of zeros, a bit turned."""
    files = [path for path in out.rglob("*") if path.is_file() and not finished(out) and path.suffix != ".lock"]
    if not files or rng.random() < 0.5:
        return ""
    last = max(files, key=lambda path: path.stat().st_mtime_ns)
    content = bytearray(last.read_bytes())
    if not content:
        return ""
    how = str(rng.choice(["cut short", "emptied", "zeros", "a bit turned"]))
    place = int(rng.integers(len(content)))
    if how == "a bit turned":
        content[place] ^= 1 << int(rng.integers(8))
    else:
        content = {"cut short": content[:place], "emptied": bytearray(), "zeros": bytearray(len(content))}[how]
    last.write_bytes(content)
    return how


def killed(mortals: Mortals, call: list[str], folder: Path, *, kills: int, seed: int) -> Counter[str]:
    """So many kills at random moments, each run started again until it ends; every one is compared."""
    rng, told = np.random.default_rng(seed), Counter[str]()
    unbroken, began = folder / "unbroken", time.monotonic()
    assert mortals.run(*call, "--out", unbroken) == 0
    (whole,) = finished(unbroken)
    long = short = time.monotonic() - began  # of a run from its start, and of the last one that ended
    for number in range(10**6):
        out = folder / f"out-{number}"
        while not finished(out):
            left = told["kills"] < kills
            began = time.monotonic()
            after = rng.uniform(0, rng.choice([long, short])) if left else None
            ended = mortals.run(*call, "--out", out, after=after)
            took = time.monotonic() - began
            log = mortals.log.read_text()
            assert "Traceback" not in log
            told["fits found again"] += log.count("already finished")
            if ended == 0:
                short = took
            else:
                assert ended == -9, log
                told["kills"] += 1
                told[f"killed: {phase(log, out)}"] += 1
                if how := damage(out, rng):
                    told[f"damaged: {how}"] += 1
        assert_same(finished(out)[0], whole)
        told["runs"] += 1
        if told["kills"] >= kills:
            return told
    raise AssertionError("unreachable")


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_the_bytes_of_an_unbroken_one(
    mortals: Mortals, tmp_path: Path
) -> None:
    call = [*QUICK, "--folds", "3"]
    told = killed(mortals, call, tmp_path, kills=4, seed=0)
    assert told["kills"] == 4


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "kills"), [(1, 80), (2, 20)])
def test_a_hundred_kills_lose_nothing(jobs: int, kills: int, mortals: Mortals, tmp_path: Path, kaggle_zip) -> None:
    call = ["run", "titanic", "--data", str(kaggle_zip("titanic")), "--jobs", str(jobs)]
    call += ["--model", "linear", "--model", "woman-child-group"]
    began = time.monotonic()
    told = killed(mortals, call, tmp_path, kills=kills, seed=jobs)
    print(f"\n{jobs} at a time, {time.monotonic() - began:.0f} s:", json.dumps(dict(sorted(told.items()))))
    assert told["kills"] == kills
    assert told["fits found again"]
    phases = ("reading", "training", "writing") if jobs == 1 else ("training",)
    assert all(told[f"killed: {name}"] for name in phases), told


@pytest.mark.slow
@pytest.mark.parametrize("part", [pytest.param(9, id="here and there"), pytest.param(1, id="everywhere")])
def test_a_run_killed_before_any_change_of_a_file_goes_on(part: int, mortals: Mortals, tmp_path: Path) -> None:
    call = [*QUICK, "--folds", "2"]
    assert mortals.run(*call, "--out", tmp_path / "unbroken") == 0
    (whole,) = finished(tmp_path / "unbroken")
    at, ended = 0, -9
    while ended == -9:
        at += part
        out = tmp_path / f"at-{at}"
        ended = mortals.run(*call, "--out", out, at=at)
        if not finished(out):
            assert mortals.run(*call, "--out", out) == 0, mortals.log.read_text()
        if ended == -9 and (out / "titanic").exists() and len([*(out / "titanic").iterdir()]) > 1:
            assert mortals.run(*call, "--out", out) == 0  # it was killed after its end: the next run sweeps its lock
            finished(out)[-1].rename(tmp_path / f"next-{at}")
        assert_same(finished(out)[0], whole)
    assert ended == 0
    assert at > 20


@pytest.mark.slow
def test_two_processes_with_the_same_call_do_not_spoil_each_other(mortals: Mortals, tmp_path: Path) -> None:
    call = [*QUICK, "--folds", "2", "--out", tmp_path / "out"]
    with Mortals(tmp_path / "other") as others, ThreadPoolExecutor() as pool:
        ended = [pool.submit(each.run, *call) for each in (mortals, others)]
        assert [found.result() for found in ended] == [0, 0]
    one, two = finished(tmp_path / "out")
    assert record_of(one) == record_of(two)
    assert {(run / name).read_bytes() == (one / name).read_bytes() for run in (one, two) for name in FILES} == {True}
    assert len([*(tmp_path / "out" / "titanic").iterdir()]) == 2
