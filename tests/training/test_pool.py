from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.dummy import DummyClassifier

from kpipe.core.devices import available_cores
from kpipe.errors import TrainingError
from kpipe.models import model
from kpipe.training.deadline import Deadline
from kpipe.training.pool import n_parallel, open_pool, run_fits, threads_for
from kpipe.training.worker import FitResult, FitTask, TrainingData
from tests.faulty.faults.competition import faulty, locked
from tests.tables import survivors
from tests.training.models import Broken, Exclusive, MeetsAnother, cross_validate_models

MODULES = ("kpipe", "kpipe.training.pool", "kpipe.training.cross_validation", "kpipe.pipeline")


def test_an_import_leaves_the_users_warning_filters_alone() -> None:
    """Filters of libraries that kpipe imports do not count: they are imported first."""
    code = """
import sys, warnings
from importlib import import_module
for module in sys.argv[1:]:
    import_module(module)
for module in sys.argv[1:]:
    for name in [name for name in sys.modules if name.startswith("kpipe")]:
        del sys.modules[name]
    before = list(warnings.filters)
    import_module(module)
    if warnings.filters != before:
        sys.exit(module)
"""
    subprocess.run([sys.executable, "-c", code, *MODULES], check=True)


@pytest.mark.parametrize("jobs", [1, 2])
def test_training_leaves_the_users_warning_filters_alone(jobs: int) -> None:
    before = list(warnings.filters)
    cross_validate_models(survivors(), {"linear": model("linear")}, jobs=jobs)
    with pytest.raises(TrainingError):
        cross_validate_models(survivors(), {"raises": faulty("raises")}, jobs=jobs)
    assert warnings.filters == before


def fits(count: int = 6, broken: int = -1) -> tuple[list[FitTask], TrainingData]:
    made, rows = survivors(), np.arange(80)
    data = TrainingData(X=made.train[["x"]], y=made.train["survived"].to_numpy(), X_test=made.test[["x"]], outputs=2)
    tasks = [
        FitTask(
            model="m",
            fold=fold,
            seed=0,
            threads=1,
            estimator=Broken() if fold == broken else DummyClassifier(strategy="prior"),
            train=rows[fold:],
            valid=rows[:10],
        )
        for fold in range(count)
    ]
    return tasks, data


@pytest.mark.parametrize("parallel", [1, 2])
@pytest.mark.parametrize("seconds", [None, 60.0])
def test_each_task_comes_with_its_own_result(parallel: int, seconds: float | None) -> None:
    tasks, data = fits()
    deadline = Deadline(seconds)
    pool = open_pool(parallel, data, deadline=deadline)
    found = {task.fold: result for task, result in run_fits(tasks, data, pool=pool, deadline=deadline)}
    assert sorted(found) == list(range(6))
    for fold, result in found.items():
        assert isinstance(result, FitResult)
        assert result.valid[0, 1] == pytest.approx(data.y[fold:].mean())


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_fit_that_fails_does_not_stop_the_others(parallel: int) -> None:
    tasks, data = fits(broken=1)
    deadline = Deadline(None)
    results = run_fits(tasks, data, pool=open_pool(parallel, data, deadline=deadline), deadline=deadline)
    ended = {task.fold: result for task, result in results}
    assert sorted(ended) == list(range(6))
    failed = {fold: str(result) for fold, result in ended.items() if isinstance(result, TrainingError)}
    assert failed == {1: "Model 'm' failed on fold 2: RuntimeError: the matrix is singular"}


def test_nothing_is_started_after_the_deadline() -> None:
    tasks, data = fits()
    deadline = Deadline(0.0)
    assert list(run_fits(tasks, data, pool=open_pool(2, data, deadline=deadline), deadline=deadline)) == []


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_closing_the_results_stops_the_other_fits_without_a_warning_or_a_traceback(seconds: float | None) -> None:
    tasks, data = fits(40)
    deadline = Deadline(seconds)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = run_fits(tasks, data, pool=open_pool(2, data, deadline=deadline), deadline=deadline)
        next(results)
        results.close()
    assert not caught


def test_fits_at_a_time_are_at_most_the_fits_there_are() -> None:
    assert n_parallel(3, jobs=8) == 3
    assert n_parallel(100, jobs=None) == available_cores()


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_fits_on_the_gpu_run_one_at_a_time_and_the_others_in_parallel(seconds: float | None, tmp_path: Path) -> None:
    made, data = fits(8)
    waits = [replace(task, estimator=MeetsAnother(str(tmp_path)), model="cpu") for task in made[:2]]
    alone = [replace(task, estimator=Exclusive(str(tmp_path)), model="gpu", on_gpu=True) for task in made[2:5]]
    deadline = Deadline(seconds)
    pool = open_pool(2, data, deadline=deadline)
    results = {task.fold: result for task, result in run_fits([*waits, *alone], data, pool=pool, deadline=deadline)}
    assert sorted(results) == [0, 1, 2, 3, 4]
    assert all(isinstance(result, FitResult) for result in results.values())
    assert pool.of(alone).n_parallel == 1
    assert pool.of(waits).n_parallel == open_pool(2, data, deadline=deadline, shares_gpu=True).of(alone).n_parallel == 2


def test_threads_of_simultaneous_fits_share_the_cores() -> None:
    assert threads_for(1) == available_cores()
    assert threads_for(10 * available_cores()) == 1


def test_a_model_that_cannot_be_sent_to_a_worker_is_reported_with_what_to_do() -> None:
    words = r"The model cannot be sent to another process: .*lock.*Run with --jobs 1"
    with pytest.raises(TrainingError, match=words):
        cross_validate_models(survivors(), {"locked": locked}, jobs=2)
    assert cross_validate_models(survivors(), {"locked": locked}, jobs=1)[0].models[0].name == "locked"


@pytest.mark.slow
def test_a_worker_that_is_killed_once_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    get_reusable_executor().shutdown(wait=True)  # workers of an earlier test lack the environment variable
    monkeypatch.setenv("FAULTS_MARK", str(tmp_path / "mark"))
    (tmp_path / "mark").touch()
    unharmed, _ = cross_validate_models(survivors(), {"killed-once": faulty("killed-once")}, jobs=2)
    (tmp_path / "mark").unlink()
    found, _ = cross_validate_models(survivors(), {"killed-once": faulty("killed-once")}, jobs=2)
    assert (tmp_path / "mark").exists()
    assert found.models[0].oof.tobytes() == unharmed.models[0].oof.tobytes()


def test_joblibs_active_backend_decides_where_fits_run() -> None:
    tasks, data = fits(2)
    with joblib.parallel_config(backend="threading"):
        deadline = Deadline(None)
        pool = open_pool(2, data, deadline=deadline)
        assert pool.cluster is None
        assert len(list(run_fits(tasks, data, pool=pool, deadline=deadline))) == 2
