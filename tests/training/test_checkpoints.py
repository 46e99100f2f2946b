from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from sklearn.dummy import DummyRegressor

from kpipe.runs.store import RunFolder
from kpipe.training.checkpoints import NO_CHECKPOINTS, load_result, save_result
from kpipe.training.task_runner import FitFinished
from kpipe.training.worker import FitTask, TrainingData, fit_predict
from tests.tables import prices, survivors
from tests.training.models import counted, cross_validate_models


def test_a_finished_fit_is_not_repeated_unless_its_checkpoint_is_damaged(tmp_path: Path) -> None:
    done: list[FitFinished] = []
    (tmp_path / "fits").mkdir()
    options = {"checkpoints": RunFolder(tmp_path), "on_fit_done": done.append}
    models = {"m": partial(counted, folder=str(tmp_path / "fits"))}
    first, _ = cross_validate_models(survivors(), models, **options)
    assert len(list((tmp_path / "fits").iterdir())) == 5
    next((tmp_path / "checkpoints").iterdir()).write_bytes(b"torn")
    second, _ = cross_validate_models(survivors(), models, **options)
    assert len(list((tmp_path / "fits").iterdir())) == 6
    assert first.models[0].oof.tobytes() == second.models[0].oof.tobytes()
    assert [fit.resumed for fit in done].count(True) == 4


def test_a_checkpoint_gives_back_the_result_of_its_fit(tmp_path: Path) -> None:
    made, rows = prices(), np.arange(80)
    data = TrainingData(X=made.train[["x"]], y=made.train["price"].to_numpy(), X_test=made.test[["x"]], outputs=1)
    estimator = DummyRegressor()
    task = FitTask(model="m", fold=0, seed=0, threads=1, estimator=estimator, train=rows[:60], valid=rows[60:])
    result, folder = fit_predict(task, data), RunFolder(tmp_path)
    assert load_result(folder, task, data) is None
    save_result(folder, task, result)
    kept = load_result(folder, task, data)
    assert kept is not None
    assert kept.resumed
    assert (kept.seconds, kept.batch_dependence) == (result.seconds, result.batch_dependence)
    for name in ("valid", "test", "curves"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(result, name))
    save_result(NO_CHECKPOINTS, task, result)
    assert load_result(NO_CHECKPOINTS, task, data) is None
