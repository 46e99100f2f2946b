"""Real clusters of two workers each, one of Dask and one of Ray."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kpipe.core.packages import install_command
from kpipe.training.backends import connect_to_cluster

ROOT = Path(__file__).resolve().parents[3]


def wait_until(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "the cluster does not start"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, as for ``--cluster``."""
    distributed = pytest.importorskip("distributed", reason=install_command(extra="dask"))
    folder = tmp_path_factory.mktemp("dask")
    at = ["--scheduler-file", str(folder / "scheduler.json"), "--no-dashboard"]
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *at]
    workers = ["distributed.cli.dask_worker", *at, "--nworkers", "2", "--nthreads", "1"]
    started = []
    with open(folder / "log.txt", "wb") as log:
        for words in (scheduler, [*workers, "--local-directory", str(folder)]):
            started.append(subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, stdout=log, stderr=log))
            wait_until((folder / "scheduler.json").exists)
    address = json.loads((folder / "scheduler.json").read_text())["address"]
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield f"dask={address}"
    for process in reversed(started):
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a head node with two cores, as for ``--cluster``."""
    pytest.importorskip("ray", reason=install_command(extra="ray"))
    folder = tmp_path_factory.mktemp("ray")
    words = "start --head --num-cpus 2 --port 0 --include-dashboard=false --object-store-memory 100000000 --block"
    words += f" --disable-usage-stats --temp-dir {folder}"
    with open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", *words.split()], cwd=ROOT, stdout=log, stderr=log
        )
    found = wait_until(lambda: re.search(r"--address='([^']+)'", (folder / "log.txt").read_text()))
    yield f"ray={found[1]}"
    process.terminate()
    process.wait(30)


@pytest.fixture(params=["dask", "ray"])
def cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    address = request.getfixturevalue(request.param)
    with connect_to_cluster(address):
        yield address
