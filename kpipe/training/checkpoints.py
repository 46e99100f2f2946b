"""Save the results of finished fits, so that a killed run can be resumed, and later runs can reuse the fits.

A run's folder stores ``Checkpoints`` under the names of its fits. A ``FitStore`` serves all runs: its keys are hashes
of everything that the predictions of a fit depend on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from kpipe.training.kept_families import FAMILIES_SHAPE, families_from_array, families_to_array
from kpipe.training.learning_curves import CURVES_SHAPE
from kpipe.training.worker import FitResult, FitTask, TrainingData

__all__ = [
    "NO_CHECKPOINTS",
    "NO_STORE",
    "Checkpoints",
    "FitStore",
    "load_result",
    "result_from_arrays",
    "result_shapes",
    "result_to_arrays",
    "save_result",
]


class Checkpoints(Protocol):
    """Storage for the arrays of a run's finished fits, such as the run's folder."""

    def get(self, key: str, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, np.ndarray] | None:
        """Return the arrays of a key if they have these names and shapes and are float64 and finite; else None."""

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Save arrays under a key, all of them or none."""


class _NoCheckpoints:
    def get(self, key: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Return None: nothing is stored."""

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep nothing."""


class FitStore(Protocol):
    """Storage for the results of fits of all runs."""

    def load(self, task: FitTask, data: TrainingData) -> FitResult | None:
        """Return the result of an identical fit of an earlier run, or None."""

    def save(self, task: FitTask, data: TrainingData, result: FitResult) -> None:
        """Save the result of a fit; do nothing if that is impossible."""

    def remove_oldest(self) -> None:
        """Remove the least recently used results until the store is within its size limit."""


class _NoStore:
    def load(self, task: FitTask, data: TrainingData) -> None:
        """Return None: nothing is stored."""

    def save(self, task: FitTask, data: TrainingData, result: FitResult) -> None:
        """Keep nothing."""

    def remove_oldest(self) -> None:
        """Remove nothing."""


_MAX_NETS = 64  # networks of one fit whose steps are saved: at most one per target
NO_CHECKPOINTS: Checkpoints = _NoCheckpoints()
NO_STORE: FitStore = _NoStore()


def result_shapes(task: FitTask, data: TrainingData) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the arrays that store the result of a fit.

    Parameters
    ----------
    task : FitTask
    data : TrainingData
    """
    return {
        "valid": (len(task.valid), data.outputs),
        "test": (len(data.X_test), data.outputs),
        "seconds": (),
        "batch_dependence": (),
        "curves": CURVES_SHAPE,
        "steps": (_MAX_NETS, 2),
        "families": FAMILIES_SHAPE,
    }


def load_result(checkpoints: Checkpoints, task: FitTask, data: TrainingData) -> FitResult | None:
    """Return the result of a fit that finished in an earlier process, or None.

    Parameters
    ----------
    checkpoints : Checkpoints
    task : FitTask
    data : TrainingData
        Determines the expected shapes.
    """
    kept = checkpoints.get(task.key, result_shapes(task, data))
    return None if kept is None else result_from_arrays(kept)


def result_to_arrays(result: FitResult) -> dict[str, np.ndarray]:
    """Convert a result to float64 arrays with the names of ``result_shapes``.

    Parameters
    ----------
    result : FitResult
    """
    numbers = {"seconds": np.array(result.seconds), "batch_dependence": np.array(result.batch_dependence)}
    steps = np.zeros((_MAX_NETS, 2))
    steps[: len(result.steps)] = result.steps or 0
    others = {"curves": result.curves, "steps": steps, "families": families_to_array(result.families)}
    return {"valid": result.valid, "test": result.test, **others, **numbers}


def result_from_arrays(arrays: Mapping[str, np.ndarray]) -> FitResult:
    """Convert stored arrays back to the result of a fit.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        As ``result_to_arrays`` returns them.
    """
    return FitResult(
        valid=arrays["valid"],
        test=arrays["test"],
        seconds=float(arrays["seconds"]),
        batch_dependence=float(arrays["batch_dependence"]),
        curves=arrays["curves"],
        resumed=True,
        steps=tuple((int(planned), int(taken)) for planned, taken in arrays["steps"] if planned),
        families=families_from_array(arrays["families"]),
    )


def save_result(checkpoints: Checkpoints, task: FitTask, result: FitResult) -> None:
    """Save the result of a finished fit.

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
    checkpoints.put(task.key, result_to_arrays(result))
