"""Cross-validation over model × fold × seed: one code path predicts the out-of-fold rows and the test rows.

Tasks go through joblib, which runs them in processes of this machine or on whatever backend the caller has set
(``joblib.parallel_config(backend="dask")``). Each task may use ``cores / jobs`` threads, so that tasks do not fight.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Protocol

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline

from kpipe.competition import Competition, Factory
from kpipe.errors import DataError, TrainingError
from kpipe.metrics import Metric
from kpipe.models import model
from kpipe.tasks import Data, Result, Task, cores, fit_predict, ignore_interrupts, memory_mib, peak_memory_mib
from kpipe.values import Context, Folds, ModelPredictions, Predictions, Tables

__all__ = ["NOTHING_KEPT", "Done", "Parts", "choose_models", "cross_validate", "estimator_for", "targets"]

_LOG = logging.getLogger("kpipe")


class Parts(Protocol):
    """Where the results of finished tasks are kept, so that a killed run can go on."""

    def get(self, key: str) -> Mapping[str, np.ndarray] | None:
        """The arrays kept under a key, or None."""

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays under a key, whole or not at all."""


class _NothingKept:
    def get(self, key: str) -> None:
        """Nothing was kept."""

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep nothing."""


NOTHING_KEPT: Parts = _NothingKept()


@dataclass(frozen=True, kw_only=True)
class Done:
    """A task has ended: how far the run is. ``resumed`` tasks were found finished."""

    model: str
    fold: int
    seed: int
    seconds: float
    done: int
    total: int
    resumed: bool


def _silent(done: Done) -> None:
    """Tell nobody."""


def targets(competition: Competition, tables: Tables) -> tuple[np.ndarray, np.ndarray | None]:
    """The target as models see it: codes 0..k-1 and their labels (k,), sorted; or values and None."""
    y = tables.train[str(competition.target)]
    if competition.task == "regression":
        return _numbers(y), None
    labels = np.sort(y.unique()) if y.dtype.kind in "iufb" else np.array(sorted(y.unique(), key=str), dtype=object)
    codes = {label: code for code, label in enumerate(labels)}
    return y.map(codes).to_numpy(dtype=np.int64), labels


def _numbers(y: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(y):
        raise DataError(f"train.csv: the target {y.name!r} must hold numbers for a regression, however: {y.iloc[0]!r}.")
    return y.to_numpy(dtype=np.float64)


def choose_models(competition: Competition, names: Sequence[str] = ()) -> dict[str, Factory]:
    """The models of a run: the named ones (the competition's own first, then the catalogue's), or the default ones."""
    own = dict(competition.models or {})
    chosen = list(dict.fromkeys(names)) or list(competition.default or own)
    return {name: own[name] if name in own else model(name) for name in chosen}


def cross_validate(
    competition: Competition,
    tables: Tables,
    folds: Folds,
    *,
    models: Mapping[str, Factory],
    seeds: Sequence[int] = (0,),
    jobs: int | None = None,
    device: str = "cpu",
    budget: float | None = None,
    parts: Parts = NOTHING_KEPT,
    tell: Callable[[Done], None] | None = None,
) -> Predictions:
    """Out-of-fold and test predictions of every model, averaged over seeds (and for test rows over folds too).

    jobs : tasks at a time; default: one per core, and one in all on a GPU.
    budget : seconds; a model that would not end in time is left out, but never the first one.
    parts : finished tasks are looked up and kept here.
    tell : called with each task that has ended.
    Raises TrainingError where a model fails or its predictions are not finite numbers of the right shape.
    """
    y, labels = targets(competition, tables)
    data = Data(
        X=_features(competition, tables.train),
        y=y,
        X_test=_features(competition, tables.test),
        outputs=_outputs(labels),
    )
    total = len(models) * len(seeds) * len(folds.train)
    lanes = min(jobs or (cores() if device == "cpu" else 1), total)
    crew = _Crew(data=data, folds=folds, lanes=lanes, parts=parts, tell=tell or _silent, total=total)
    clock = _Clock(budget)
    found: list[ModelPredictions] = []
    left_out: dict[str, str] = {}
    for name, factory in models.items():
        tasks = list(
            _tasks(
                name,
                factory,
                competition,
                folds,
                seeds,
                outputs=data.outputs,
                threads=max(1, cores() // lanes),
                device=device,
            )
        )
        results = crew.run(tasks, clock if found else _Clock(None))
        if results is None:
            left_out[name] = f"it would not have ended within the budget of {budget:g} s"
        else:
            found.append(_assemble(name, results, data, folds))
    return Predictions(
        models=tuple(found), classes=labels, y=y, left_out=left_out, peak_memory_mib=crew.peak_memory_mib()
    )


def _features(competition: Competition, frame: pd.DataFrame) -> pd.DataFrame:
    assert competition.columns is not None  # resolved
    return frame[list(competition.columns)]


def _outputs(labels: np.ndarray | None) -> int:
    return 1 if labels is None else len(labels)


def _tasks(
    name: str,
    factory: Factory,
    competition: Competition,
    folds: Folds,
    seeds: Sequence[int],
    *,
    outputs: int,
    threads: int,
    device: str,
) -> Iterator[Task]:
    assert competition.task is not None  # resolved
    for seed in seeds:
        n_classes = outputs if competition.task == "classification" else 0
        context = Context(task=competition.task, n_classes=n_classes, seed=seed, threads=threads, device=device)
        estimator = estimator_for(competition, factory(context))
        for fold in range(len(folds.train)):
            yield Task(model=name, fold=fold, seed=seed, threads=threads, estimator=estimator)


def estimator_for(competition: Competition, estimator: BaseEstimator) -> BaseEstimator:
    """The model behind the competition's features, on the scale of the target that the metric judges."""
    if competition.features is not None:
        estimator = make_pipeline(clone(competition.features), estimator)
    if isinstance(competition.metric, Metric) and competition.metric.log_target:
        return TransformedTargetRegressor(estimator, func=np.log1p, inverse_func=np.expm1, check_inverse=False)
    return estimator


class _Clock:
    """Whether work fits into what is left of a budget in seconds; None: everything does."""

    def __init__(self, budget: float | None) -> None:
        self.end = None if budget is None else time.monotonic() + budget

    def fits(self, seconds: float) -> bool:
        return self.end is None or time.monotonic() + seconds <= self.end


@dataclass(kw_only=True)
class _Crew:
    """Runs tasks, ``lanes`` at a time, and counts what has ended."""

    data: Data
    folds: Folds
    lanes: int
    parts: Parts
    tell: Callable[[Done], None]
    total: int
    done: int = 0
    memory: dict[int, float] = field(default_factory=dict)

    def run(self, tasks: Sequence[Task], clock: _Clock) -> dict[tuple[int, int], Result] | None:
        """(seed, fold) → result; None where the clock has not the time, judged by the first tasks to end."""
        results: dict[tuple[int, int], Result] = {}
        first = self.lanes if clock.end is not None else len(tasks)
        for batch in (tasks[:first], tasks[first:]):
            if batch and not clock.fits(self._estimate(results, len(batch))):
                self.total -= len(tasks) - len(results)
                return None
            for task, result in self._each(batch):
                results[task.seed, task.fold] = result
                self._count(task, result)
        return results

    def _estimate(self, results: Mapping[tuple[int, int], Result], tasks: int) -> float:
        longest = max((result.seconds for result in results.values()), default=0.0)
        return longest * -(-tasks // self.lanes)

    def _each(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        waiting = []
        for task in tasks:
            kept = self.parts.get(task.key)
            if kept is None:
                waiting.append(task)
            else:
                yield (
                    task,
                    Result(valid=kept["valid"], test=kept["test"], seconds=float(kept["seconds"]), resumed=True),
                )
        for number, result in self._compute(waiting):
            task = waiting[number]
            self.parts.put(task.key, {"valid": result.valid, "test": result.test, "seconds": np.array(result.seconds)})
            yield task, result

    def _compute(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        calls = [
            joblib.delayed(fit_predict)(
                number, task, self.data, self.folds.train[task.fold], self.folds.valid[task.fold]
            )
            for number, task in enumerate(tasks)
        ]
        parallel = joblib.Parallel(
            n_jobs=self.lanes,
            return_as="generator_unordered",
            pre_dispatch="all",
            batch_size=1,
            initializer=ignore_interrupts,
        )
        try:
            yield from parallel(calls)
        except BrokenProcessPool as error:
            raise TrainingError(
                "A worker process was killed, most likely because memory ran out. "
                "Run again with --jobs 1: what was finished is kept."
            ) from error

    def _count(self, task: Task, result: Result) -> None:
        self.done += 1
        _LOG.info("%s %s in %.3f s", task.key, "found finished" if result.resumed else "finished", result.seconds)
        self.memory[result.process] = max(self.memory.get(result.process, 0.0), result.peak_memory_mib)
        self.tell(
            Done(
                model=task.model,
                fold=task.fold,
                seed=task.seed,
                seconds=result.seconds,
                done=self.done,
                total=self.total,
                resumed=result.resumed,
            )
        )

    def peak_memory_mib(self) -> float:
        """Of this process alone, before training, or of all together while training, whichever is more."""
        workers = sum(memory for process, memory in self.memory.items() if process != os.getpid())
        return max(peak_memory_mib(), memory_mib() + workers)


def _assemble(name: str, results: Mapping[tuple[int, int], Result], data: Data, folds: Folds) -> ModelPredictions:
    """The mean over seeds; always added up in the same order, so that the bytes do not depend on which ended first."""
    summed = np.zeros((len(data.y), data.outputs))
    counted = np.zeros(len(data.y))
    test = np.zeros((len(data.X_test), data.outputs))
    for seed, fold in sorted(results):
        rows = folds.valid[fold]
        summed[rows] += results[seed, fold].valid
        counted[rows] += 1
        test += results[seed, fold].test
    with np.errstate(invalid="ignore"):
        oof = summed / counted[:, None]  # 0 / 0 is NaN: a row that no fold validated has no prediction
    seconds = sum(result.seconds for result in results.values())
    return ModelPredictions(name=name, oof=oof, test=test / len(results), seconds=seconds)
