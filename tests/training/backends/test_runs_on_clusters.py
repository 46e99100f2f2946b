"""Runs on real clusters: the same bytes as on this machine, also where workers are lost."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

import kpipe
from kpipe.core.packages import install_command
from kpipe.core.request import RunRequest
from kpipe.core.values import Predictions
from kpipe.errors import TrainingError, UsageError
from kpipe.models import model
from kpipe.pipeline import run
from kpipe.runs.rerun import RerunSpec
from kpipe.training.backends import active_cluster
from kpipe.training.deadline import Deadline
from kpipe.training.pool import open_pool, run_fits
from kpipe.training.worker import FitTask, TrainingData
from tests.conftest import KaggleZip
from tests.faulty.faults.competition import Slow, faulty
from tests.tables import survivors
from tests.training.backends.conftest import ROOT, wait_until
from tests.training.models import cross_validate_models

FILES = ("submission.csv", "oof.parquet", "test.parquet")


def trained(models: dict, **options: Any) -> Predictions:
    """Train with as many fits at a time as the cluster has workers."""
    return cross_validate_models(survivors(), models, **{"jobs": None} | options)[0]


class Watched(TrainingData):
    """Writes a line each time that it is unpickled."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with open(state["log"], "a") as log:
            log.write(f"{os.getpid()}\n")


@pytest.mark.slow
def test_a_run_on_a_cluster_gives_the_bytes_of_one_process(cluster: str, tmp_path: Path, kaggle_zip: KaggleZip) -> None:
    data, one_thread = kaggle_zip("titanic"), RerunSpec(threads=1)  # as each worker of the clusters has
    there = run(RunRequest("titanic", data=data, out=tmp_path / "there"), rerun=one_thread)
    with joblib.parallel_config(backend="loky"):
        here = run(RunRequest("titanic", data=data, out=tmp_path / "here", jobs=1), rerun=one_thread)
    for name in FILES:
        assert (there.path / name).read_bytes() == (here.path / name).read_bytes()
    assert there.score == here.score
    assert not there.record["left_out"]


@pytest.mark.slow
def test_a_lost_worker_changes_no_byte(cluster: str, tmp_path: Path) -> None:
    """Another process kills a worker (kill -9) while it trains."""
    pids = tmp_path / "pids"
    models = {"slow": slow_model(pids), "linear": model("linear")}
    kill = threading.Thread(target=lambda: os.kill(int(wait_until(lambda: read_words(pids))[0]), signal.SIGKILL))
    kill.start()
    found = trained(models)
    kill.join()
    with joblib.parallel_config(backend="loky"):
        alone = trained({"linear": model("linear")}, jobs=1, threads=1)
    assert [m.name for m in found.models] == ["slow", "linear"]
    assert found.models[1].oof.tobytes() == alone.models[0].oof.tobytes()
    fits = read_words(pids)
    assert len(fits) > 5  # of five folds, what was lost was done again
    assert len(set(fits)) > 2  # by a worker that took the lost one's place, too


@pytest.mark.slow
def test_the_data_is_sent_to_each_worker_once(cluster: str, tmp_path: Path) -> None:
    made = survivors()
    log = tmp_path / "unpickled"
    data = Watched(X=made.train[["x"]], y=made.train["survived"].to_numpy(), X_test=made.test[["x"]], outputs=2)
    object.__setattr__(data, "log", str(log))
    rows = np.arange(len(made.train))
    estimator = slow_model(tmp_path / "pids", 0.1)(None)
    task = FitTask(model="m", fold=1, seed=0, threads=1, estimator=estimator, train=rows, valid=rows)
    wait_until(lambda: n_workers() == 2)  # a worker that an earlier test has lost may not be back
    pool = open_pool(2, data, deadline=Deadline(None))
    for _ in range(3):  # as models do one after the other
        assert len(list(run_fits([task] * 8, data, pool=pool, deadline=Deadline(None)))) == 8
    workers = read_words(log)
    assert len(read_words(tmp_path / "pids")) == 24
    assert len(workers) == len(set(workers)) == 2
    assert len(pickle.dumps(task)) < 5000  # sent with each fit


@pytest.mark.slow
def test_a_model_that_never_ends_is_stopped_on_a_cluster_too(cluster: str) -> None:
    began = time.monotonic()
    found = trained({"endless": faulty("never-ends"), "quick": model("linear")}, deadline=Deadline(60.0))
    assert time.monotonic() - began < 75
    assert [m.name for m in found.models] == ["quick"]
    assert "budget of 60 s" in found.skipped["endless"]
    assert trained({"quick": model("linear")}).models[0].name == "quick"


@pytest.mark.slow
def test_a_model_that_kills_its_worker_every_time_is_skipped(cluster: str) -> None:
    found = trained({"killed": faulty("killed"), "raises": faulty("raises"), "quick": model("linear")})
    assert [m.name for m in found.models] == ["quick"]
    assert "Its worker process was killed" in found.skipped["killed"]
    assert "the matrix is singular" in found.skipped["raises"]


@pytest.mark.slow
def test_a_competition_that_workers_lack_is_reported_with_what_to_install(cluster: str, tmp_path: Path) -> None:
    code = (ROOT / "tests" / "faulty" / "faults" / "competition.py").read_text()
    folder = tmp_path / "only_here"
    folder.mkdir()
    (folder / "elsewhere.py").write_text(code)
    sys.path.insert(0, str(folder))
    try:
        import elsewhere  # type: ignore[import-not-found]

        with pytest.raises(
            TrainingError, match=r"No module named 'elsewhere'\. Install on the workers what is installed here"
        ):
            trained({"m": elsewhere.faulty("prints")})
    finally:
        sys.path.remove(str(folder))


@pytest.mark.slow
def test_the_command_accepts_a_cluster_and_prints_only_json_to_stdout(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for kind in ("dask", "ray"):
        words = ["run", "titanic", "--data", "sample", "--model", "linear", "--json", "--out", str(tmp_path)]
        words += ["--cluster", request.getfixturevalue(kind)]
        ended = subprocess.run([sys.executable, "-m", "kpipe", *words], capture_output=True, text=True, check=False)
        assert json.loads(ended.stdout)["models"][0]["name"] == "linear", ended.stderr


@pytest.mark.slow
def test_a_cluster_can_be_chosen_with_joblibs_parallel_config(dask: str, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.Client(dask.removeprefix("dask=")), joblib.parallel_config(backend="dask"):
        finished = kpipe.run("titanic", data="sample", models=["linear"], out=tmp_path)
    assert (finished.path / "log.txt").read_text().count("linear-seed0") == 5


@pytest.mark.slow
def test_a_budget_is_refused_where_workers_cannot_be_stopped() -> None:
    distributed = pytest.importorskip("distributed", reason=install_command(extra="dask"))
    here = distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0")
    with here, distributed.Client(here), joblib.parallel_config(backend="dask"):
        with pytest.raises(UsageError, match=r"--budget needs workers that can be stopped: .*, or omit --budget"):
            trained({"quick": model("linear")}, deadline=Deadline(60.0))
        assert trained({"quick": model("linear")}).models[0].name == "quick"


def n_workers() -> int:
    cluster = active_cluster()
    return 0 if cluster is None else cluster.n_workers


def read_words(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def slow_model(pids: Path, seconds: float = 1.5) -> Callable[[Any], Any]:
    return lambda context: Slow(str(pids), seconds)
