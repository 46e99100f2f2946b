"""Results of finished fits, kept so that a run that was killed can be resumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from kpipe.training.learning_curves import CURVES_SHAPE
from kpipe.training.worker import FitResult, FitTask, TrainingData

__all__ = ["NO_CHECKPOINTS", "Checkpoints", "load_result", "save_result"]


class Checkpoints(Protocol):
    """Where arrays of finished fits are kept; a run's folder is one."""

    def get(self, key: str, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, np.ndarray] | None:
        """Return the arrays kept under a key, float64 and finite, of these names and shapes; or None."""

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays under a key, all of them or none."""


class _NoCheckpoints:
    def get(self, key: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Return None: nothing is kept."""

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep nothing."""


NO_CHECKPOINTS: Checkpoints = _NoCheckpoints()


def load_result(checkpoints: Checkpoints, task: FitTask, data: TrainingData) -> FitResult | None:
    """Return the result of a fit that finished in an earlier process, or None.

    Parameters
    ----------
    checkpoints : Checkpoints
    task : FitTask
    data : TrainingData
        Decides the shapes that the arrays must have.
    """
    shapes: dict[str, tuple[int, ...]] = {
        "valid": (len(task.valid), data.outputs),
        "test": (len(data.X_test), data.outputs),
        "seconds": (),
        "batch_dependence": (),
        "curves": CURVES_SHAPE,
    }
    kept = checkpoints.get(task.key, shapes)
    if kept is None:
        return None
    return FitResult(
        valid=kept["valid"],
        test=kept["test"],
        seconds=float(kept["seconds"]),
        batch_dependence=float(kept["batch_dependence"]),
        curves=kept["curves"],
        resumed=True,
    )


def save_result(checkpoints: Checkpoints, task: FitTask, result: FitResult) -> None:
    """Keep the result of a finished fit.

    Parameters
    ----------
    checkpoints : Checkpoints
    task : FitTask
    result : FitResult

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    numbers = {"seconds": np.array(result.seconds), "batch_dependence": np.array(result.batch_dependence)}
    arrays = {"valid": result.valid, "test": result.test, "curves": result.curves}
    checkpoints.put(task.key, {**arrays, **numbers})
