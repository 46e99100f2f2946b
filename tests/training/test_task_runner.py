"""What fits into the time left, from the fits that have finished."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from kpipe.training.checkpoints import NO_CHECKPOINTS, NO_STORE
from kpipe.training.deadline import Deadline
from kpipe.training.pool import WorkerPool
from kpipe.training.task_runner import TaskRunner
from kpipe.training.worker import FitResult, FitTask, TrainingData
from tests.tables import survivors
from tests.training.models import Watched


def runner_for(budget: float, *, n_parallel: int = 2) -> TaskRunner:
    made = survivors()
    return TaskRunner(
        data=TrainingData(X=made.train, y=made.train["survived"].to_numpy(), X_test=made.test, outputs=2),
        pool=WorkerPool(n_parallel=n_parallel),
        checkpoints=NO_CHECKPOINTS,
        store=NO_STORE,
        on_fit_done=lambda fit: None,
        total=None,
        deadline=Deadline(budget),
    )


@pytest.mark.parametrize(("share", "suffices"), [(1.0, False), (0.9, True)])
def test_fits_that_may_be_shortened_need_a_share_of_the_time_of_those_before(share: float, suffices: bool) -> None:
    runner, rows = runner_for(100.0), np.arange(3)
    task = FitTask(model="m", fold=0, seed=1, threads=1, estimator=DummyClassifier(), train=rows, valid=rows)
    result = FitResult(valid=np.zeros((3, 2)), test=np.zeros((30, 2)), seconds=34.0, curves=np.zeros((2, 100, 2)))
    tasks = [replace(task, fold=fold) for fold in range(5)]  # three rounds
    assert runner.has_time_for(tasks, {(0, 0): result}, share=share) == suffices


@pytest.mark.parametrize(
    ("needed", "last", "again", "told"),
    [
        (True, True, False, [1, 1, 1]),
        (True, False, False, [0, 1, 1]),
        (False, False, False, [0, 1, 1]),
        (False, True, True, [0, 0, 0]),
    ],
    ids=["only model", "first model", "another model", "additional seed"],
)
def test_fits_get_the_time_at_which_they_are_stopped_unless_other_models_wait(
    needed: bool, last: bool, again: bool, told: list[int]
) -> None:
    rows = np.arange(6)
    task = FitTask(model="m", fold=0, seed=0, threads=1, estimator=Watched(), train=rows, valid=rows)
    tasks = [replace(task, fold=fold) for fold in range(3)]
    results = runner_for(600.0, n_parallel=1).run(tasks, needed=needed, last=last, again=again)
    assert [int(results[0, fold].valid[0, 1]) for fold in range(3)] == told


def test_workers_that_replace_others_do_not_add_to_the_peak_memory() -> None:
    runner, rows = runner_for(100.0), np.arange(3)
    task = FitTask(model="m", fold=0, seed=0, threads=1, estimator=DummyClassifier(), train=rows, valid=rows)
    result = FitResult(valid=np.zeros((3, 2)), test=np.zeros((30, 2)), seconds=1.0, curves=np.zeros((2, 100, 2)))
    for process, peak in {1: 4e4, 2: 3e4, 3: 5e4, 4: 1e4}.items():  # MiB
        runner._report(task, replace(result, process=process, peak_memory_mib=peak))
    assert 9e4 < runner.peak_memory_mib() < 11e4
