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


@pytest.mark.parametrize(("share", "suffices"), [(1.0, False), (0.9, True)])
def test_fits_that_may_be_shortened_need_a_share_of_the_time_of_those_before(share: float, suffices: bool) -> None:
    made, rows = survivors(), np.arange(3)
    runner = TaskRunner(
        data=TrainingData(X=made.train, y=made.train["survived"].to_numpy(), X_test=made.test, outputs=2),
        pool=WorkerPool(n_parallel=2),
        checkpoints=NO_CHECKPOINTS,
        store=NO_STORE,
        on_fit_done=lambda fit: None,
        total=None,
        deadline=Deadline(100.0),
    )
    task = FitTask(model="m", fold=0, seed=1, threads=1, estimator=DummyClassifier(), train=rows, valid=rows)
    result = FitResult(valid=np.zeros((3, 2)), test=np.zeros((30, 2)), seconds=34.0, curves=np.zeros((2, 100, 2)))
    tasks = [replace(task, fold=fold) for fold in range(5)]  # three rounds
    assert runner.has_time_for(tasks, {(0, 0): result}, share=share) == suffices
