"""One task of cross-validation: fit a model on one fold with one seed, predict, and say what it cost.

Everything here can be sent to another process: joblib does, and so would Dask or Ray.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from threadpoolctl import threadpool_limits

from kpipe.errors import KpipeError, TrainingError

__all__ = [
    "Data",
    "Result",
    "Task",
    "cores",
    "fit_predict",
    "ignore_interrupts",
    "memory_mib",
    "peak_memory_mib",
    "predict",
]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One model, to be fitted on one fold with one seed, within a number of CPU threads."""

    model: str
    fold: int
    seed: int
    threads: int
    estimator: BaseEstimator

    @property
    def key(self) -> str:
        """A name for the task's results, unique within a run."""
        return f"{self.model}-seed{self.seed}-fold{self.fold}"


@dataclass(frozen=True, kw_only=True)
class Data:
    """What every task shares: features and coded target of train, features of test, the number of outputs."""

    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame
    outputs: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a task gives: predictions (rows, k) of its validation and test rows, and what it cost where."""

    valid: np.ndarray
    test: np.ndarray
    seconds: float
    process: int = 0
    peak_memory_mib: float = 0.0
    resumed: bool = False


def fit_predict(number: int, task: Task, data: Data, train: np.ndarray, valid: np.ndarray) -> tuple[int, Result]:
    """Fit one model on one fold's training rows; predict its validation rows and all test rows."""
    try:
        # A warning of a library is for whoever writes the model; here it would stand between progress lines.
        with threadpool_limits(task.threads), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            estimator = clone(task.estimator).fit(data.X.iloc[train], data.y[train])
            predicted = [predict(estimator, X, data.outputs) for X in (data.X.iloc[valid], data.X_test)]
            seconds = time.perf_counter() - start
    except KpipeError:
        raise
    except Exception as error:
        told = TrainingError(f"Model {task.model!r} failed on fold {task.fold + 1}: {type(error).__name__}: {error}")
        told.add_note(traceback.format_exc())
        raise told from None
    for rows, prediction in zip((len(valid), len(data.X_test)), predicted, strict=True):
        _check_predictions(task, prediction, (rows, data.outputs))
    valid_predicted, test_predicted = predicted
    return number, Result(
        valid=valid_predicted,
        test=test_predicted,
        seconds=seconds,
        process=os.getpid(),
        peak_memory_mib=peak_memory_mib(),
    )


def predict(estimator: Any, X: pd.DataFrame, outputs: int) -> np.ndarray:
    """(n, k) float64; a class that the fold did not train on has probability 0."""
    if not hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict(X), dtype=np.float64).reshape(len(X), -1)
    given = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    classes = np.asarray(getattr(estimator, "classes_", range(outputs)), dtype=int)
    if len(classes) == 1 and given.shape == (len(X), 2):
        given = given[:, :1]  # LightGBM that saw one class gives two columns, of which the first is that class
    if len(classes) == outputs or given.shape != (len(X), len(classes)):
        return given  # a wrong shape is named by the check that follows
    probabilities = np.zeros((len(X), outputs))
    probabilities[:, classes] = given
    return probabilities


def _check_predictions(task: Task, predictions: np.ndarray, shape: tuple[int, int]) -> None:
    if predictions.shape != shape:
        raise TrainingError(
            f"Model {task.model!r}, fold {task.fold + 1}: predictions must have the shape {shape}, "
            f"however: {predictions.shape}."
        )
    wrong = np.flatnonzero(~np.isfinite(predictions).all(axis=1))
    if len(wrong):
        raise TrainingError(
            f"Model {task.model!r}, fold {task.fold + 1}: {len(wrong)} of {len(predictions)} predictions are not "
            f"finite numbers, first for row {wrong[0] + 1} of those predicted."
        )


def peak_memory_mib() -> float:
    """The most memory that this process has held, MiB; 0 where the system does not tell."""
    # Linux's ru_maxrss starts with the parent's peak, which would be counted once per worker: VmHWM does not.
    if (kilobytes := _proc_status("VmHWM")) is not None:
        return kilobytes / 2**10
    if sys.platform == "win32":
        return 0.0  # the resource module is Unix's
    import resource

    # macOS counts in bytes, other systems in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def memory_mib() -> float:
    """The memory that this process holds now, MiB; where the system does not tell, the most that it has held."""
    kilobytes = _proc_status("VmRSS")
    return peak_memory_mib() if kilobytes is None else kilobytes / 2**10


def _proc_status(field: str) -> int | None:
    """A number of KiB from Linux's account of this process, or None."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), None)


def ignore_interrupts() -> None:
    """For workers: Ctrl-C reaches the whole group, but only the first process is to speak; it ends the rest."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
