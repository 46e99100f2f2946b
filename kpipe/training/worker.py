"""One fit of cross-validation: fit a model on one fold with one seed, predict, and measure time and memory.

A fit runs in this process, in a process of this machine or on a worker of a cluster; ``kpipe.training.pool`` decides.
Even if the model raises an exception, exits, prints or warns, the caller gets a FitResult or a TrainingError.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from threadpoolctl import threadpool_limits

from kpipe.core.time_limit import Steps, TimeLimit, limit_time
from kpipe.core.values import KeptFamily
from kpipe.errors import KpipeError, TrainingError
from kpipe.features.known_choices import choices_in
from kpipe.training.kept_families import kept_families
from kpipe.training.kept_models import save_model
from kpipe.training.learning_curves import extract_curves
from kpipe.training.memory import peak_memory_mib
from kpipe.training.processes import in_worker, stdout_to_stderr

__all__ = ["FitResult", "FitTask", "TrainingData", "fit", "fit_predict", "predict", "predict_quietly"]

_SEARCHED = 5_000  # rows in which missing values are looked for
_CLEAR = 0.01  # standard deviations: after a larger change of a prediction, no further batch is tried
_REPEATED_ROWS = 32  # test rows that are predicted a second time, in another order, and one of them alone

# A process runs one fit at a time: seeds, warnings, stdout and thread limits belong to the process.
_ONE_FIT = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """The data that all fits of a run share.

    Attributes
    ----------
    X : (n, columns) DataFrame
        Features of the training rows.
    y : (n,) or (n, targets)
        Coded labels or values.
    X_test : (m, columns) DataFrame
    outputs : int
        Number of columns of a model's predictions.
    """

    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame
    outputs: int


@dataclass(frozen=True, kw_only=True)
class FitTask:
    """A model to be fitted on one fold with one seed.

    Attributes
    ----------
    model : str
    fold : int
        The number after the last fold means a fit on all rows.
    seed : int
    threads : int
        CPU threads that the fit may use.
    estimator : BaseEstimator
    train, valid : arrays of int
        Positions of the training and validation rows.
    end : float, optional
        When the last fit of the model must have ended, by ``time.monotonic``. None: there is no limit.
    rounds : int
        How often fits of the model are still started until then, this fit included.
    shortened_end : float
        As ``end``, if the fits have to be shortened.
    stop : float
        When the fit is stopped and its work is lost, by ``time.monotonic``.
    may_be_alone : bool
        Whether the fits that follow may be left out.
    is_optional : bool
        Whether the run has predictions of another model, so that a fit of next to no use is left out.
    steps : tuple of (int, int)
        The steps of a shortened fit that is repeated.
    keep : str
        The folder in which the fitted model is kept; empty for none.
    choices : str
        The folder in which the fits of a run share their choices of features; empty for none.
    on_gpu : bool
        Whether the estimator computes on the GPU.
    """

    model: str
    fold: int
    seed: int
    threads: int
    estimator: BaseEstimator
    train: np.ndarray
    valid: np.ndarray
    end: float | None = None
    rounds: int = 1
    shortened_end: float = math.inf
    stop: float = math.inf
    may_be_alone: bool = False
    is_optional: bool = False
    steps: tuple[Steps, ...] = ()
    keep: str = ""
    choices: str = ""
    on_gpu: bool = False

    @property
    def key(self) -> str:
        """A name for the fit, unique within a run."""
        return f"{self.model}-seed{self.seed}-fold{self.fold}"

    @property
    def place(self) -> str:
        """What the model is fitted on, for messages: "fold 1", or "all rows" where none is left to validate."""
        return f"fold {self.fold + 1}" if len(self.valid) else "all rows"


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """The predictions of a fit, with its learning curves, time and memory.

    Attributes
    ----------
    valid, test : (rows, outputs) float
        Predictions of the task's validation rows and of all test rows.
    seconds : float
        Wall-clock time of fitting and predicting.
    curves : (2, 100, 2) float
        Learning curves, see ``kpipe.training.learning_curves``.
    batch_dependence : float
        The largest change of a test row's prediction when it is predicted together with other rows, in standard
        deviations of the predictions. Measured on the first fold only.
    process : int
        Id of the process that ran the fit.
    peak_memory_mib : float
        Peak memory of that process.
    resumed : bool
        Whether the result was read from a checkpoint.
    steps : tuple of (int, int)
        Where the fit was shortened: the steps that each of its networks planned and took.
    families : tuple of KeptFamily
        The families of features that the model uses.
    """

    valid: np.ndarray
    test: np.ndarray
    seconds: float
    curves: np.ndarray
    batch_dependence: float = 0.0
    process: int = 0
    peak_memory_mib: float = 0.0
    resumed: bool = False
    steps: tuple[Steps, ...] = ()
    families: tuple[KeptFamily, ...] = ()


def fit_predict(task: FitTask, data: TrainingData) -> FitResult:
    """Fit a model on the training rows of one fold; predict its validation rows and all test rows.

    Parameters
    ----------
    task : FitTask
    data : TrainingData

    Returns
    -------
    FitResult

    Raises
    ------
    TrainingError
        If the model fails, or its predictions are not finite numbers of the right shape.
    """
    limit = _time_limit(task, data)
    isolated = _isolated(f"Model {task.model!r} failed on {task.place}", task.threads)
    with isolated, limit_time(limit), choices_in(task.choices):
        start = time.perf_counter()
        estimator = _fitted(task, data)
        valid = _predict_valid(estimator, task, data)
        # A shallow copy: a column that a model adds to its input must not reach the next model.
        test = predict(estimator, data.X_test.copy(deep=False), data.outputs)
        seconds = time.perf_counter() - start
        batch_dependence = _batch_dependence(estimator, data, test) if task.fold == 0 else 0.0
        if task.keep:
            save_model(estimator, task.keep, task.key)
    _check_predictions(task, valid, (len(task.valid), data.outputs))
    _check_predictions(task, test, (len(data.X_test), data.outputs))
    return FitResult(
        valid=valid,
        test=test,
        seconds=seconds,
        curves=extract_curves(estimator),
        batch_dependence=batch_dependence,
        process=os.getpid(),
        peak_memory_mib=peak_memory_mib(),
        steps=tuple(limit.taken) if limit is not None and limit.shortened else (),
        families=kept_families(estimator),
    )


def fit(task: FitTask, data: TrainingData) -> Any:
    """Return the estimator of a task, fitted on its training rows in this process.

    Parameters
    ----------
    task : FitTask
    data : TrainingData

    Raises
    ------
    TrainingError
        If the model fails.
    """
    with _isolated(f"Model {task.model!r} failed", task.threads), limit_time(_time_limit(task, data)):
        return _fitted(task, data)


def predict_quietly(estimator: Any, X: pd.DataFrame, outputs: int, *, threads: int) -> np.ndarray:
    """Return the predictions of a fitted estimator, as ``predict`` does, whatever the model prints or raises.

    Parameters
    ----------
    estimator : fitted estimator
    X : (n, columns) DataFrame
    outputs : int
    threads : int
        CPU threads that it may use.

    Raises
    ------
    TrainingError
        If the model fails.
    """
    with _isolated("A model cannot predict", threads):
        return predict(estimator, X, outputs)


@contextlib.contextmanager
def _isolated(what: str, threads: int) -> Iterator[None]:
    """Run a model: its stdout and warnings go elsewhere, its threads are limited, its exception is a TrainingError."""
    try:
        # Warnings of libraries are for the author of the model; here they would disrupt the progress display.
        with _ONE_FIT, stdout_to_stderr(), threadpool_limits(threads), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except BaseException as error:  # sys.exit in a model would end the run with status 0
        if _is_kpipe_error(error) or (isinstance(error, KeyboardInterrupt) and not in_worker()):
            raise
        raise _failure(what, error) from None


def _fitted(task: FitTask, data: TrainingData) -> Any:
    return clone(task.estimator).fit(data.X.iloc[task.train], data.y[task.train])


def _time_limit(task: FitTask, data: TrainingData) -> TimeLimit | None:
    """The time limit of a fit that starts now; the time that its process took to start does not count."""
    rows = len(task.valid) + len(data.X_test) + 2 * _REPEATED_ROWS
    if task.end is None:
        return TimeLimit(math.inf, rows=rows, repeated=task.steps) if task.steps else None
    now = time.monotonic()
    full, shortened = ((end - now) / max(task.rounds, 1) for end in (task.end, min(task.end, task.shortened_end)))
    return TimeLimit(
        now + full,
        now + shortened,
        rows=rows,
        alone_end=min(task.end, task.shortened_end) if task.may_be_alone else None,
        stop=task.stop,
        is_optional=task.is_optional,
    )


def predict(estimator: Any, X: pd.DataFrame, outputs: int) -> np.ndarray:
    """Return the predictions of a fitted estimator, one column for each output.

    Parameters
    ----------
    estimator : fitted estimator
        Its probabilities are used where it has ``predict_proba``.
    X : (n, columns) DataFrame
    outputs : int
        Classes, or values per row.

    Returns
    -------
    (n, outputs) float64
        A class that the estimator was not fitted on has probability 0. If the estimator returns a wrong shape, its
        predictions are returned as they are.
    """
    if not hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict(X), dtype=np.float64).reshape(len(X), -1)
    given = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    classes = np.asarray(getattr(estimator, "classes_", range(outputs)), dtype=int)
    if len(classes) == 1 and given.shape == (len(X), 2):
        given = given[:, :1]  # LightGBM fitted on one class returns two columns, of which the first is that class
    if len(classes) == outputs or given.shape != (len(X), len(classes)):
        return given  # the caller reports a wrong shape
    probabilities = np.zeros((len(X), outputs))
    probabilities[:, classes] = given
    return probabilities


def _predict_valid(estimator: Any, task: FitTask, data: TrainingData) -> np.ndarray:
    if not len(task.valid):
        return np.empty((0, data.outputs))
    return predict(estimator, data.X.iloc[task.valid], data.outputs)


def _is_kpipe_error(error: BaseException) -> bool:
    """Whether kpipe itself defines the type of the error; other types may not survive pickling to another process."""
    return isinstance(error, KpipeError) and type(error).__module__ == KpipeError.__module__


def _failure(what: str, error: BaseException) -> TrainingError:
    """Return a TrainingError that names an exception and keeps its traceback as a note."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, MemoryError):
        reason += ". To use less memory, run one fit at a time: --jobs 1"
    failure = TrainingError(f"{what}: {reason}", code="fit-failed")
    failure.add_note(traceback.format_exc())
    return failure


def _batch_dependence(estimator: Any, data: TrainingData, test: np.ndarray) -> float:
    """Return the largest change of a test row's prediction when it is predicted with fewer rows, or alone.

    In standard deviations of the predictions; infinite if the model cannot predict these rows. The prediction for a
    row must not depend on the other rows. It does if the model uses a mean of the rows, refits a scaler, broadcasts
    wrong shapes, or returns cached predictions.
    """
    count = len(data.X_test)
    rows = np.random.default_rng(0).permutation(_repeated_rows(data.X_test))
    spread = test.std(axis=0).max() if test.shape == (count, data.outputs) else 0.0
    if count < 2 or not spread > 0:
        return 0.0
    largest = 0.0
    # Small batches lack some categories, which reveals features made from the categories of a batch, or their counts.
    for some in (rows, rows[:1], rows[: len(rows) // 3 + 1], rows[1:3]):
        if largest > _CLEAR:
            break
        try:
            again = predict(estimator, data.X_test.iloc[some], data.outputs)
        except Exception:  # the model fails on rows that it has predicted before
            return float("inf")
        change = np.abs(again - test[some]) if again.shape == (len(some), data.outputs) else np.array(np.inf)
        largest = max(largest, float(np.nan_to_num(change, nan=np.inf).max() / spread))  # NaN is no prediction either
    return largest


def _repeated_rows(X: pd.DataFrame) -> np.ndarray:
    """Rows spread evenly, half of them with missing values if possible: a model may fill these from other rows."""
    count = min(_REPEATED_ROWS, len(X))
    incomplete = np.flatnonzero(X.iloc[:_SEARCHED].isna().to_numpy().any(axis=1))
    among = [np.arange(len(X)), incomplete] if len(incomplete) > 0 else [np.arange(len(X))]
    picked = [
        rows[np.linspace(0, len(rows) - 1, min(count // len(among) + 1, len(rows))).astype(int)] for rows in among
    ]
    return np.unique(np.concatenate(picked))


def _check_predictions(task: FitTask, predictions: np.ndarray, shape: tuple[int, int]) -> None:
    where = f"Model {task.model!r}, {task.place}"
    if predictions.shape != shape:
        raise TrainingError(
            f"{where}: predictions must have the shape {shape}; got {predictions.shape}.", code="bad-predictions"
        )
    wrong = np.flatnonzero(~np.isfinite(predictions).all(axis=1))
    if len(wrong):
        raise TrainingError(
            f"{where}: {len(wrong)} of {len(predictions)} predictions are not finite numbers, the first for row "
            f"{wrong[0] + 1} of the predicted rows.",
            code="bad-predictions",
        )
