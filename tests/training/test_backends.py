"""The same run on a Dask and on a Ray cluster, two workers each: the same bytes, whatever becomes of a worker."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

import kpipe
from kpipe.core.values import Predictions
from kpipe.errors import TrainingError, UsageError
from kpipe.models import model
from kpipe.runs.provenance import RerunSpec
from kpipe.training import backends as clusters
from kpipe.training.cross_validation import cross_validate
from kpipe.training.folds import make_folds
from kpipe.training.worker import Data, Deadline, Task, compute, worker_pool
from tests.conftest import KaggleZip
from tests.faulty.faults.competition import Slow, faulty
from tests.tables import problem_of, survivors

ROOT = Path(__file__).resolve().parents[2]
FILES = ("submission.csv", "oof.parquet", "test.parquet")
LOCAL = RerunSpec(threads=1)  # as each worker below has


def _until(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "the cluster does not start"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a scheduler with two workers is."""
    distributed = pytest.importorskip("distributed", reason="pip install 'kaggle-kpipe[dask]'")
    folder = tmp_path_factory.mktemp("dask")
    at = ["--scheduler-file", str(folder / "scheduler.json"), "--no-dashboard"]
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *at]
    workers = ["distributed.cli.dask_worker", *at, "--nworkers", "2", "--nthreads", "1"]
    started = []
    with open(folder / "log.txt", "wb") as log:
        for words in (scheduler, [*workers, "--local-directory", str(folder)]):
            started.append(subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, stdout=log, stderr=log))
            _until((folder / "scheduler.json").exists)
    address = json.loads((folder / "scheduler.json").read_text())["address"]
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield f"dask={address}"
    for process in reversed(started):
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a head node with two cores is."""
    pytest.importorskip("ray", reason="pip install 'kaggle-kpipe[ray]'")
    folder = tmp_path_factory.mktemp("ray")
    words = "start --head --num-cpus 2 --port 0 --include-dashboard=false --object-store-memory 100000000 --block"
    words += f" --disable-usage-stats --temp-dir {folder}"
    with open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", *words.split()], cwd=ROOT, stdout=log, stderr=log
        )
    found = _until(lambda: re.search(r"--address='([^']+)'", (folder / "log.txt").read_text()))
    yield f"ray={found[1]}"
    process.terminate()
    process.wait(30)


@pytest.fixture(params=["dask", "ray"])
def cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    address = request.getfixturevalue(request.param)
    with clusters.opened(address):
        yield address


def validated(models: dict, **options: Any) -> Predictions:
    made = survivors()
    competition = problem_of(made)
    return cross_validate(competition, make_folds(competition), models=models, **options)


class Watched(Data):
    """Leaves a line for each time that it is unpickled."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with open(state["log"], "a") as log:
            log.write(f"{os.getpid()}\n")


@pytest.mark.slow
def test_a_run_on_a_cluster_gives_the_bytes_of_one_process(cluster: str, tmp_path: Path, kaggle_zip: KaggleZip) -> None:
    options: dict[str, Any] = {"data": kaggle_zip("titanic"), "again": LOCAL}
    there = kpipe.run("titanic", out=tmp_path / "there", **options)
    with joblib.parallel_config(backend="loky"):
        here = kpipe.run("titanic", out=tmp_path / "here", jobs=1, **options)
    for name in FILES:
        assert (there.path / name).read_bytes() == (here.path / name).read_bytes()
    assert there.score == here.score
    assert not there.record["left_out"]


@pytest.mark.slow
def test_a_worker_that_is_lost_changes_no_byte(cluster: str, tmp_path: Path) -> None:
    """kill -9, by somebody else and in mid-run, of a worker that trains."""
    pids = tmp_path / "pids"
    models = {"slow": _slow(pids), "linear": model("linear")}
    kill = threading.Thread(target=lambda: os.kill(int(_until(lambda: _read(pids))[0]), signal.SIGKILL))
    kill.start()
    found = validated(models)
    kill.join()
    with joblib.parallel_config(backend="loky"):
        alone = validated({"linear": model("linear")}, jobs=1, threads=1)
    assert [m.name for m in found.models] == ["slow", "linear"]
    assert found.models[1].oof.tobytes() == alone.models[0].oof.tobytes()
    fits = _read(pids)
    assert len(fits) > 5  # of five folds, what was lost was done again
    assert len(set(fits)) > 2  # by a worker that took the lost one's place, too


@pytest.mark.slow
def test_the_data_goes_to_each_worker_once(cluster: str, tmp_path: Path) -> None:
    made = survivors()
    log = tmp_path / "unpickled"
    data = Watched(X=made.train[["x"]], y=made.train["survived"].to_numpy(), X_test=made.test[["x"]], outputs=2)
    object.__setattr__(data, "log", str(log))
    rows = np.arange(len(made.train))
    task = Task(model="m", fold=1, seed=0, threads=1, estimator=_slow(tmp_path / "pids", 0.1)(None))
    _until(lambda: _workers() == 2)  # one that was lost a test ago may not be back
    lanes = worker_pool(2, data, clock=Deadline(None))
    for _ in range(3):  # as models do one after the other
        assert len(list(compute([(task, rows, rows)] * 8, data, lanes=lanes, clock=Deadline(None)))) == 8
    workers = _read(log)
    assert len(_read(tmp_path / "pids")) == 24
    assert len(workers) == len(set(workers)) == 2
    assert len(pickle.dumps((task, rows, rows))) < 5000  # what goes with each task


@pytest.mark.slow
def test_a_model_that_never_ends_is_stopped_on_a_cluster_too(cluster: str) -> None:
    began = time.monotonic()
    found = validated({"endless": faulty("never-ends"), "quick": model("linear")}, clock=Deadline(60.0))
    assert time.monotonic() - began < 75
    assert [m.name for m in found.models] == ["quick"]
    assert "budget of 60 s" in found.left_out["endless"]
    assert validated({"quick": model("linear")}).models[0].name == "quick"


@pytest.mark.slow
def test_a_model_that_kills_its_worker_again_and_again_is_left_out(cluster: str) -> None:
    found = validated({"killed": faulty("killed"), "raises": faulty("raises"), "quick": model("linear")})
    assert [m.name for m in found.models] == ["quick"]
    assert "Its worker process was killed" in found.left_out["killed"]
    assert "the matrix is singular" in found.left_out["raises"]


@pytest.mark.slow
def test_a_competition_that_workers_do_not_have_is_told_with_what_to_install(cluster: str, tmp_path: Path) -> None:
    code = (ROOT / "tests" / "faulty" / "faults" / "competition.py").read_text()
    folder = tmp_path / "only_here"
    folder.mkdir()
    (folder / "elsewhere.py").write_text(code)
    sys.path.insert(0, str(folder))
    try:
        import elsewhere  # type: ignore[import-not-found]

        with pytest.raises(TrainingError, match=r"No module named 'elsewhere'\. Install there what is installed here"):
            validated({"m": elsewhere.faulty("prints")})
    finally:
        sys.path.remove(str(folder))


@pytest.mark.slow
def test_the_command_takes_a_cluster_and_its_stdout_stays_json(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    for kind in ("dask", "ray"):
        words = ["run", "titanic", "--data", "sample", "--model", "linear", "--json", "--out", str(tmp_path)]
        words += ["--cluster", request.getfixturevalue(kind)]
        run = subprocess.run([sys.executable, "-m", "kpipe", *words], capture_output=True, text=True, check=False)
        assert json.loads(run.stdout)["models"][0]["name"] == "linear", run.stderr


@pytest.mark.slow
def test_joblibs_own_way_to_name_a_cluster_works(dask: str, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.Client(dask.removeprefix("dask=")), joblib.parallel_config(backend="dask"):
        run = kpipe.run("titanic", data="sample", models=["linear"], out=tmp_path)
    assert (run.path / "log.txt").read_text().count("linear-seed0") == 5


def test_a_worker_with_another_version_of_a_library_is_refused_by_name() -> None:
    call = pickle.dumps(str)
    assert clusters._do(call, clusters._own_versions(), None) == ""
    with pytest.raises(TrainingError, match=r"this worker has numpy \S+, not 0\.1"):
        clusters._do(call, {**clusters._own_versions(), "numpy": "0.1"}, None)


@pytest.mark.slow
def test_a_budget_is_refused_where_workers_cannot_be_stopped() -> None:
    distributed = pytest.importorskip("distributed", reason="pip install 'kaggle-kpipe[dask]'")
    here = distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
    with here, distributed.Client(here), joblib.parallel_config(backend="dask"):
        with pytest.raises(UsageError, match=r"A budget needs workers that can be stopped: .* or give no budget"):
            validated({"quick": model("linear")}, clock=Deadline(60.0))
        assert validated({"quick": model("linear")}).models[0].name == "quick"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("dask", "A cluster must be dask=ADDRESS, ray=ADDRESS or ray=auto, however: 'dask'"),
        ("spark=here", "A cluster must be dask=ADDRESS, ray=ADDRESS or ray=auto, however: 'spark=here'"),
    ],
)
def test_an_address_that_is_none_is_told_with_what_it_may_be(address: str, words: str) -> None:
    with pytest.raises(UsageError, match=words), clusters.opened(address):
        pass


@pytest.mark.parametrize(("kind", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_library_that_is_not_installed_is_told_with_its_extra(
    kind: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(UsageError, match=rf"pip install 'kaggle-kpipe\[{kind}\]'"),
        clusters.opened(f"{kind}=127.0.0.1:1"),
    ):
        pass


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="pip install 'kaggle-kpipe[dask]'")
    monkeypatch.setattr(clusters, "_CONNECTING", 1.0)
    where = clusters.opened("dask=tcp://127.0.0.1:1")
    with pytest.raises(UsageError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:1"), where:
        pass


def _workers() -> int:
    found = clusters.active()
    return 0 if found is None else found.lanes


def _read(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def _slow(pids: Path, seconds: float = 1.5) -> Callable[[Any], Any]:
    return lambda context: Slow(str(pids), seconds)
