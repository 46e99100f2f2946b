"""Cross-validation over model × fold × seed: one code path predicts the out-of-fold rows and the test rows.

With a budget, the models are trained in their order while the clock allows, judged by what their first folds took; what
time is left goes to further seeds. A model that is still training when the time is up is stopped and left out.

Tasks go through joblib, which runs them in processes of this machine or on whatever backend the caller has set
(``joblib.parallel_config(backend="dask")``). Each task may use ``cores / jobs`` threads, so that tasks do not fight.
"""

from __future__ import annotations

import contextlib
import logging
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline

from kpipe.core.metrics import Metric
from kpipe.core.values import Context, Folds, Loss, ModelPredictions, Predictions
from kpipe.core.values import Task as TaskKind
from kpipe.errors import KpipeError, TrainingError
from kpipe.models import CATALOG, model, unknown_model
from kpipe.models.per_target import PerTarget
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.training import backends as clusters
from kpipe.training.learning_curves import SHAPE
from kpipe.training.worker import (
    Data,
    Deadline,
    Result,
    Task,
    WorkerPool,
    compute,
    cores,
    memory_mib,
    peak_memory_mib,
    worker_pool,
)

__all__ = [
    "NO_CHECKPOINTS",
    "Checkpoints",
    "FitFinished",
    "Fits",
    "choose_models",
    "cross_validate",
    "estimator_for",
    "n_parallel",
    "threads_for",
]

_LOG = logging.getLogger("kpipe")

Fits = Mapping[str, Mapping[int, Sequence[int]]]  # model → seed → the folds that are fitted

_MOST_SEEDS = 6  # a budget buys so many seeds of a model; the mean of more gains less than it costs
_COUNTS = (20, 10_000)  # a target of whole numbers with more values than this, up to that, counts something


class Checkpoints(Protocol):
    """Where the results of finished tasks are kept, so that a killed run can go on."""

    def get(self, key: str, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, np.ndarray] | None:
        """The arrays kept under a key, float64 and finite, of these names and shapes; or None."""

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays under a key, whole or not at all."""


class _NoCheckpoints:
    def get(self, key: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Nothing was kept."""

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep nothing."""


NO_CHECKPOINTS: Checkpoints = _NoCheckpoints()


@dataclass(frozen=True, kw_only=True)
class FitFinished:
    """A task has ended: how far the run is. ``resumed`` tasks were found finished."""

    model: str
    fold: int
    seed: int
    seconds: float
    done: int
    total: int
    resumed: bool


def _silent(done: FitFinished) -> None:
    """Tell nobody."""


def choose_models(problem: Problem, names: Sequence[str] = (), *, budget: float | None = None) -> dict[str, Factory]:
    """The models of a run, by name.

    Parameters
    ----------
    problem : Problem
    names : sequence of str
        A name is looked up among the competition's own models first, then in the catalogue. By default the
        competition's default models.
    budget : float, optional
        Seconds of the run: with a budget, the models that the competition keeps for one come after the default ones.

    Returns
    -------
    dict of str to Factory

    Raises
    ------
    UsageError
        If there is no model of a name.
    """
    own = problem.models
    chosen = dict.fromkeys(names or [*problem.default, *(problem.budgeted if budget is not None else ())])
    for name in chosen:
        if name not in own and name not in CATALOG:
            raise unknown_model(name, list(dict.fromkeys([*own, *CATALOG])))
    return {name: own[name] if name in own else model(name) for name in chosen}


def cross_validate(
    problem: Problem,
    folds: Folds,
    *,
    models: Mapping[str, Factory],
    seeds: Sequence[int] = (0,),
    jobs: int | None = None,
    device: str = "cpu",
    threads: int | None = None,
    fits: Fits | None = None,
    deadline: Deadline | None = None,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
    on_fit_done: Callable[[FitFinished], None] | None = None,
) -> Predictions:
    """Out-of-fold and test predictions of every model, averaged over seeds (and for test rows over folds too).

    jobs : tasks at a time; default: one per core, and one in all on a GPU.
    threads : of each task; default: what cores there are, shared among the tasks at a time.
    fits : exactly these, instead of every seed and fold.
    clock : until when; what would not end in time is left out, and what is left of it goes to further seeds.
    parts : finished tasks are looked up and kept here.
    tell : called with each task that has ended.
    Raises TrainingError where every model fails, or the only one: it raises, or its predictions are not finite numbers
    of the right shape; or where the clock lets no fold of any model end.
    """
    clock = deadline or Deadline(None)
    runs = len(folds.train) + folds.refit
    total = len(models) * len(seeds) * runs if fits is None else sum(map(_count, fits.values()))
    lanes = n_parallel(total, jobs=jobs, device=device)
    threads = threads or threads_for(lanes)
    plan = _Plan(problem=problem, folds=folds, device=device, threads=threads, fits=fits)
    data = Data(X=problem.X, y=problem.y, X_test=problem.X_test, outputs=problem.n_outputs)
    where = worker_pool(lanes, data, clock=clock)
    crew = _TaskRunner(
        data=data,
        folds=folds,
        where=where,
        parts=checkpoints,
        tell=on_fit_done or _silent,
        total=total,
        clock=clock,
    )
    _LOG.info("plan: %s on %d folds, %d at a time; %s", ", ".join(models), runs, lanes, clock.said())
    found: dict[str, _Results] = {}
    left_out: dict[str, str] = {}
    for name, factory in models.items():
        try:
            tasks = list(plan.tasks(name, factory, seeds, data=data))
            results = crew.run(tasks, needed=not found)
        except TrainingError as error:
            if len(models) == 1:
                raise
            left_out[name] = f"it failed: {str(error).rstrip('.')}"
            _LOG.warning("%s was left out: %s", name, error)
            continue
        if results:
            found[name] = results
        if missing := len(tasks) - len(results):
            part = f"{name} ({missing} of {len(tasks)} fits)" if results else name
            left_out[part] = f"it would not have ended within the budget of {clock.budget or 0:g} s"
    if not found:
        raise TrainingError(_nothing_found(left_out))
    if clock.end is not None:
        _more_seeds(plan, crew, {name: models[name] for name in found}, found, seeds)
    return Predictions(
        models=tuple(_assemble(name, results, data, folds) for name, results in found.items()),
        classes=problem.labels,
        y=problem.y,
        left_out=left_out,
        peak_memory_mib=crew.peak_memory_mib(),
    )


_Results = dict[tuple[int, int], Result]  # (seed, fold) → result


def _nothing_found(left_out: Mapping[str, str]) -> str:
    if not left_out:
        return "No model was trained: none of the fits that were asked for is of a fold that there is."
    reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
    return f"No model was trained. {reasons}. Choose others with --model, or give a longer --budget."


def _more_seeds(
    plan: _Plan, crew: _TaskRunner, models: Mapping[str, Factory], found: dict[str, _Results], seeds: Sequence[int]
) -> None:
    """Train the models again with further seeds, in turn, while the clock allows; not those that seeds leave alike."""
    alike: set[str] = set()
    for round_ in range(1, _MOST_SEEDS):
        if not crew.clock.fits(0):
            return
        seed = max(seeds) + round_
        for name, factory in models.items():
            tasks = list(plan.tasks(name, factory, [seed], data=crew.data))
            complete = len(found[name]) == len(tasks) * len({of for of, _ in found[name]})
            if name in alike or not complete or not crew.fits(tasks, found[name]):
                continue
            crew.total += len(tasks)
            try:
                more = crew.run(tasks, needed=False)
            except TrainingError as error:
                _LOG.warning("%s with seed %d was left out: %s", name, seed, error)
                continue
            if more:
                first = next(iter(more))[1]
                if np.array_equal(more[seed, first].test, found[name][seeds[0], first].test):
                    alike.add(name)
                else:
                    found[name] |= more


def _count(fits: Mapping[int, Sequence[int]]) -> int:
    return sum(map(len, fits.values()))


def n_parallel(tasks: int, *, jobs: int | None, device: str) -> int:
    """How many of so many tasks go on at a time, here or on the cluster that is joblib's active backend."""
    cluster = clusters.active()
    most = cluster.lanes if cluster is not None else cores() if device == "cpu" else 1
    return min(jobs or most, tasks)


def threads_for(lanes: int) -> int:
    """CPU threads of each task where so many go on at a time."""
    cluster = clusters.active()
    return max(1, cores() // lanes) if cluster is None else cluster.threads_for(lanes)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What the tasks of every model have in common."""

    problem: Problem
    folds: Folds
    device: str
    threads: int
    fits: Fits | None = None

    def tasks(self, name: str, factory: Factory, seeds: Sequence[int], *, data: Data) -> Iterator[Task]:
        """A task for each seed and fold, and one for all rows where the test rows want it; or for what is to be had."""
        fits = None if self.fits is None else self.fits[name]
        steps = self.problem.is_ordinal
        task: TaskKind = "regression" if steps or self.problem.task == "regression" else "classification"
        n_classes = 0 if task == "regression" else 2 if data.y.ndim > 1 else data.outputs
        loss = "squared" if steps else _loss(self.problem.metric, data.y)
        for seed in seeds if fits is None else fits:
            context = Context(
                task=task,
                loss=loss,
                n_classes=n_classes,
                seed=seed,
                threads=self.threads,
                device=self.device,
            )
            estimator = estimator_for(self.problem, _made(name, factory, context))
            for fold in range(len(self.folds.train) + self.folds.refit):
                if fits is None or fold in fits[seed]:
                    yield Task(model=name, fold=fold, seed=seed, threads=self.threads, estimator=estimator)


def _made(name: str, factory: Factory, context: Context) -> BaseEstimator:
    try:
        return factory(context)
    except KpipeError:
        raise
    except Exception as error:
        told = TrainingError(f"Model {name!r} could not be made: {type(error).__name__}: {error}")
        told.add_note(traceback.format_exc())
        raise told from None


def _loss(metric: Metric, y: np.ndarray) -> Loss:
    """What regressions make small: the metric's own loss; of counts, squared errors are had by Poisson's likelihood."""
    if metric.loss != "squared" or metric.log_target or y.ndim > 1 or y.dtype.kind != "f":
        return metric.loss
    few, most = _COUNTS
    counts = y.min() >= 0 and y.max() <= most and bool((y % 1 == 0).all()) and len(np.unique(y)) > few
    return "poisson" if counts else "squared"


def estimator_for(problem: Problem, estimator: BaseEstimator) -> BaseEstimator:
    """The model behind the competition's features, on the scale of the target that the metric judges; one a target.

    An estimator with ``raw = True`` reads the columns as they are.
    """
    if problem.features is not None and not getattr(estimator, "raw", False):
        estimator = make_pipeline(clone(problem.features), estimator)
    if problem.metric.log_target:
        estimator = TransformedTargetRegressor(estimator, func=np.log1p, inverse_func=np.expm1, check_inverse=False)
    return PerTarget(estimator) if len(problem.targets) > 1 else estimator


@dataclass(kw_only=True)
class _TaskRunner:
    """Runs tasks, some at a time, and counts what has ended."""

    data: Data
    folds: Folds
    where: WorkerPool
    parts: Checkpoints
    tell: Callable[[FitFinished], None]
    total: int
    clock: Deadline
    done: int = 0
    memory: dict[int, float] = field(default_factory=dict)

    def run(self, tasks: Sequence[Task], *, needed: bool) -> _Results:
        """The results of all tasks; nothing where the clock has not the time, judged by the first tasks to end.

        needed : there is nothing better yet: where a first fold ends, go on to the last second, and give what ended.
        """
        results: _Results = {}
        first = min(self.where.count, len(tasks)) if self.clock.end is not None else len(tasks)
        # The first tasks may take their share of the time that is left: if they need more, so would all of them. Where
        # there is nothing better yet they may take half of it: the other half is for a model that is quicker.
        share = self.clock.share(2 if needed else -(-len(tasks) // self.where.count))
        for batch, clock, before in ((tasks[:first], share, 0), (tasks[first:], self.clock, first)):
            late = len(results) < before
            if batch and ((late and not (needed and results)) or not (needed or self.fits(batch, results))):
                break
            for task, result in self._each(batch, clock):
                results[task.seed, task.fold] = result
                self._count(task, result)
        self.total -= len(tasks) - len(results)
        if len(results) < len(tasks):
            _LOG.info("%s: %d of %d folds ended; %s", tasks[0].model, len(results), len(tasks), self.clock.said())
        kept = needed and not self.folds.refit
        return results if len(results) == len(tasks) or kept else {}

    def fits(self, tasks: Sequence[Task], results: Mapping[tuple[int, int], Result]) -> bool:
        """Whether tasks would end in time if each took as long as the longest one so far."""
        longest = max((result.seconds for result in results.values()), default=0.0)
        planned = longest * -(-len(tasks) // self.where.count)
        if planned and self.clock.end is not None:
            _LOG.info("plan: %s, %d fits in about %.0f s; %s", tasks[0].model, len(tasks), planned, self.clock.said())
        return self.clock.fits(planned)

    def _each(self, tasks: Sequence[Task], clock: Deadline) -> Iterator[tuple[Task, Result]]:
        waiting = []
        for task in tasks:
            rows, k = len(self._rows(task.fold)[1]), self.data.outputs
            shapes = {
                "valid": (rows, k),
                "test": (len(self.data.X_test), k),
                "seconds": (),
                "moved": (),
                "curves": SHAPE,
            }
            kept = self.parts.get(task.key, shapes)
            if kept is None:
                waiting.append(task)
            else:
                yield (
                    task,
                    Result(
                        valid=kept["valid"],
                        test=kept["test"],
                        seconds=float(kept["seconds"]),
                        curves=kept["curves"],
                        moved=float(kept["moved"]),
                        resumed=True,
                    ),
                )
        calls = [(task, *self._rows(task.fold)) for task in waiting]
        # Closed where a result cannot be kept: what is under way must not keep the run from ending.
        with contextlib.closing(compute(calls, self.data, lanes=self.where, clock=clock)) as ended:
            for number, result in ended:
                task = waiting[number]
                numbers = {"seconds": np.array(result.seconds), "moved": np.array(result.moved)}
                arrays = {"valid": result.valid, "test": result.test, "curves": result.curves}
                self.parts.put(task.key, {**arrays, **numbers})
                yield task, result

    def _rows(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Training and validation rows; of the fold after the last one all rows train."""
        if fold == len(self.folds.train):
            return np.arange(len(self.data.y)), np.arange(0)
        return self.folds.train[fold], self.folds.valid[fold]

    def _count(self, task: Task, result: Result) -> None:
        self.done += 1
        _LOG.info("%s %s in %.3f s", task.key, "found finished" if result.resumed else "finished", result.seconds)
        self.memory[result.process] = max(self.memory.get(result.process, 0.0), result.peak_memory_mib)
        self.tell(
            FitFinished(
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


def _assemble(name: str, results: _Results, data: Data, folds: Folds) -> ModelPredictions:
    """The mean over seeds; always added up in the same order, so that the bytes do not depend on which ended first."""
    summed = np.zeros((len(data.y), data.outputs))
    counted = np.zeros(len(data.y))
    for seed, fold in sorted(results):
        if fold < len(folds.valid):
            rows = folds.valid[fold]
            summed[rows] += results[seed, fold].valid
            counted[rows] += 1
    last = len(folds.valid)
    tests = [results[key].test for key in sorted(results) if key[1] == last or not folds.refit]
    with np.errstate(invalid="ignore"):
        oof = summed / counted[:, None]  # 0 / 0 is NaN: a row that no fold validated has no prediction
    seconds = sum(result.seconds for result in results.values())
    test, seeds = np.sum(tests, axis=0) / len(tests), tuple(sorted({seed for seed, _ in results}))
    moved = max(result.moved for result in results.values())
    fits = {seed: tuple(sorted(fold for of, fold in results if of == seed)) for seed in seeds}
    curves = {key: results[key].curves for key in sorted(results)}
    return ModelPredictions(
        name=name, oof=oof, test=test, seconds=seconds, seeds=seeds, moved=moved, fits=fits, curves=curves
    )
