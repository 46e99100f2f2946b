"""Run the fits of one model after another within the budget, keep their results, and report each finished fit."""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kpipe.core.time_limit import Steps, keeps_time_limit
from kpipe.errors import KpipeError, TooFewStepsError, TrainingError
from kpipe.training import budget
from kpipe.training.checkpoints import NO_CHECKPOINTS, Checkpoints, FitStore, load_result, save_result
from kpipe.training.deadline import Deadline
from kpipe.training.kept_models import is_kept
from kpipe.training.memory import current_memory_mib, peak_memory_mib
from kpipe.training.pool import WorkerPool, run_fits
from kpipe.training.worker import FitResult, FitTask, TrainingData, fit_predict

__all__ = ["FitFinished", "FitResults", "TaskRunner"]

_LOG = logging.getLogger("kpipe")
# Seconds below which the first fits of a model are not started: on a busy machine, workers take longer to start, and to
# be stopped while they start (8 s beyond a deadline at a load of 20 on 2 cores).
_SHORTEST = 1.0

FitResults = Mapping[tuple[int, int], FitResult]  # (seed, fold) → result


@dataclass(frozen=True, kw_only=True)
class FitFinished:
    """A finished fit, and the progress of the run.

    Attributes
    ----------
    model : str
    fold, seed : int
    seconds : float
        Duration of the fit.
    done : int
        Fits that have finished.
    total : int or None
        Fits of the run; None under a budget, which decides how many there will be.
    resumed : bool
        Whether the fit had finished before: in this run before it was resumed, or in another run.
    """

    model: str
    fold: int
    seed: int
    seconds: float
    done: int
    total: int | None
    resumed: bool


@dataclass(kw_only=True)
class TaskRunner:
    """Runs tasks, several at a time, and counts the finished ones.

    Parameters
    ----------
    data : TrainingData
    pool : WorkerPool
    checkpoints : Checkpoints
        Finished fits of this run are looked up and kept here.
    store : FitStore
        Finished fits of all runs are looked up and kept here.
    on_fit_done : callable
        Called with a FitFinished for each fit.
    total : int or None
        Fits of the run, if their number is known.
    deadline : Deadline
    """

    data: TrainingData
    pool: WorkerPool
    checkpoints: Checkpoints
    store: FitStore
    on_fit_done: Callable[[FitFinished], None]
    total: int | None
    deadline: Deadline
    has_other: bool = field(default=False, init=False)  # whether some model predicts already
    n_reused: int = field(default=0, init=False)  # fits of other runs
    shortened: dict[str, tuple[Steps, ...]] = field(default_factory=dict, init=False)  # name of the fit → its steps
    _done: int = field(default=0, init=False)
    _worker_memory: dict[int, float] = field(default_factory=dict, init=False)  # process → peak, MiB

    def run(
        self, tasks: Sequence[FitTask], *, needed: bool, last: bool = False, again: bool = False
    ) -> dict[tuple[int, int], FitResult]:
        """Run the tasks of one model as far as the budget allows (see ``kpipe.training.budget``).

        Parameters
        ----------
        tasks : sequence of FitTask
        needed : bool
            Whether no model has finished yet.
        last : bool
            Whether no other model waits for its share of the time.
        again : bool
            Whether the model has finished before, with other seeds, so that its time is known.

        Returns
        -------
        dict of (seed, fold) to FitResult
            Of the fits that finished: all of them, some or none.

        Raises
        ------
        TrainingError
            If a fit fails.
        """
        n_parallel, limited = self.pool.of(tasks).n_parallel, self.deadline.is_limited
        elastic = limited and self.pool.cluster is None and bool(tasks) and keeps_time_limit(tasks[0].estimator)
        n_first = budget.n_first_fits(len(tasks), n_parallel, limited=limited)
        results: dict[tuple[int, int], FitResult] = {}
        shortened_end = self._end_if_shortened(others_wait=not (last or again))
        if needed or not self.deadline.has_passed():
            parts = budget.first_share(len(tasks), n_parallel, needed=needed, elastic=elastic)
            share = self.deadline.share(1 if needed and last else parts)
            # A model that needs more than its share is stopped if other models wait for theirs; otherwise it continues.
            stop = share.end if needed and last else None
            limited_tasks = self._with_limits(tasks, shortened_end, may_be_alone=needed, stop=stop)
            shortest = 0.0 if again else _SHORTEST
            self._run_until(share, limited_tasks[:n_first], results, shortest=shortest)
        rest = self._with_limits(tasks[n_first:], shortened_end, stop=None if again else self.deadline.end)
        if rest and self._is_worth_continuing(rest, results, n_first=n_first, needed=needed, elastic=elastic):
            self._run_until(self.deadline, rest, results)
        if len(results) < len(tasks):
            _LOG.info("%s: %d of %d fits finished; %s", tasks[0].model, len(results), len(tasks), self.deadline)
        return results

    def run_together(
        self, tasks: Sequence[FitTask]
    ) -> tuple[dict[str, dict[tuple[int, int], FitResult]], dict[str, KpipeError]]:
        """Run tasks of several models at once, without a limit, so that no worker waits for the last fit of a model.

        Parameters
        ----------
        tasks : sequence of FitTask

        Returns
        -------
        results : dict of str to dict of (seed, fold) to FitResult
            Of the fits that finished, by model. Those of others are missing if a worker process was lost, or a model
            cannot be sent to one.
        errors : dict of str to KpipeError
            The first error of each model that failed.
        """
        results: dict[str, dict[tuple[int, int], FitResult]] = {task.model: {} for task in tasks}
        errors: dict[str, KpipeError] = {}
        for task, result in self._results_until_lost(tasks):
            if isinstance(result, KpipeError):
                errors.setdefault(task.model, result)
            else:
                results[task.model][task.seed, task.fold] = result
                self._report(task, result)
        return results, errors

    def _results_until_lost(self, tasks: Sequence[FitTask]) -> Iterator[tuple[FitTask, FitResult | KpipeError]]:
        try:
            yield from self._results(tasks, self.deadline)
        except TrainingError as error:
            _LOG.warning("one model after another, since not all can be trained together: %s", error)

    def run_here(self, tasks: Sequence[FitTask]) -> dict[tuple[int, int], FitResult]:
        """Run quick tasks in this process, one after another, while there is time for one as long as the longest.

        Parameters
        ----------
        tasks : sequence of FitTask

        Returns
        -------
        dict of (seed, fold) to FitResult
            Of the fits that were run.
        """
        results: dict[tuple[int, int], FitResult] = {}
        for task in tasks:
            longest = max((result.seconds for result in results.values()), default=0.0)
            if not self.deadline.has_time_for(longest):
                break
            results[task.seed, task.fold] = result = fit_predict(task, self.data)
            self._report(task, result)
        return results

    def above(self, data: TrainingData, pool: WorkerPool) -> TaskRunner:
        """Return a runner for fits on other data that continues the count; it stores no checkpoints.

        Parameters
        ----------
        data : TrainingData
        pool : WorkerPool
        """
        runner = replace(self, data=data, pool=pool, checkpoints=NO_CHECKPOINTS)
        runner._done, runner._worker_memory = self._done, self._worker_memory
        return runner

    def has_time_for(self, tasks: Sequence[FitTask], results: FitResults, *, share: float = 1.0) -> bool:
        """Return whether tasks would finish in time if each took this share of the time of the longest result."""
        return self.deadline.has_time_for(share * self._seconds_for(tasks, results))

    def peak_memory_mib(self) -> float:
        """Return the peak memory in MiB: of this process before training, or of it and its workers while training.

        Of the workers, the largest count, as many as run at a time: the others were replaced or are replacements.
        """
        workers = sorted(memory for process, memory in self._worker_memory.items() if process != os.getpid())
        return max(peak_memory_mib(), current_memory_mib() + sum(workers[-self.pool.n_parallel :]))

    def _end_if_shortened(self, *, others_wait: bool) -> float:
        """When the fits of a model that starts now must have ended if they are shortened, by ``time.monotonic``."""
        if self.deadline.end is None:
            return math.inf
        left = self.deadline.seconds_left() or 0.0
        return self.deadline.end - left + budget.seconds_if_shortened(left, others_wait=others_wait)

    def _with_limits(
        self, tasks: Sequence[FitTask], shortened_end: float, *, stop: float | None, may_be_alone: bool = False
    ) -> list[FitTask]:
        """The tasks with their time limits, so that each leaves time for the fits that follow it."""
        if self.deadline.end is None or self.pool.cluster is not None:  # other machines have other clocks
            return [*tasks]
        parallel = self.pool.of(tasks).n_parallel
        rounds = budget.rounds_of(len(tasks), parallel)
        return [
            replace(
                task,
                end=self.deadline.end,
                rounds=rounds - number // parallel,
                shortened_end=shortened_end,
                stop=math.inf if stop is None else stop,
                may_be_alone=may_be_alone,
                is_optional=self.has_other,
            )
            for number, task in enumerate(tasks)
        ]

    def _is_worth_continuing(
        self, rest: Sequence[FitTask], results: FitResults, *, n_first: int, needed: bool, elastic: bool
    ) -> bool:
        seconds = self._seconds_for(rest, results)
        return budget.is_worth_continuing(
            first=n_first,
            finished=len(results),
            needed=needed,
            seconds=0.0 if elastic else seconds,  # elastic fits take no more than the time left
            left=self.deadline.seconds_left(),
        )

    def _seconds_for(self, tasks: Sequence[FitTask], results: FitResults) -> float:
        longest = max((result.seconds for result in results.values()), default=0.0)
        seconds = budget.seconds_for(len(tasks), self.pool.of(tasks).n_parallel, longest=longest)
        if seconds and self.deadline.is_limited:
            _LOG.info("plan: %s, %d fits in about %.0f s; %s", tasks[0].model, len(tasks), seconds, self.deadline)
        return seconds

    def _run_until(
        self,
        deadline: Deadline,
        tasks: Sequence[FitTask],
        results: dict[tuple[int, int], FitResult],
        *,
        shortest: float = 0.0,
    ) -> None:
        failed: list[KpipeError] = []
        for task, result in self._results(tasks, deadline, shortest):
            if isinstance(result, TooFewStepsError):
                _LOG.info("skipped %s: %s", task.key, result)
            elif isinstance(result, KpipeError):
                failed.append(result)
            else:
                results[task.seed, task.fold] = result
                self._report(task, result)
        if failed:
            raise failed[0]

    def _results(
        self, tasks: Sequence[FitTask], deadline: Deadline, shortest: float = 0.0
    ) -> Iterator[tuple[FitTask, FitResult | KpipeError]]:
        """Yield results from checkpoints, then those of new fits as they finish, if there is time for the shortest."""
        waiting = []
        for task in tasks:
            kept = None
            if not task.keep or is_kept(task.keep, task.key):
                kept = load_result(self.checkpoints, task, self.data)
            if kept is None and not task.keep and (kept := self.store.load(task, self.data)) is not None:
                self.n_reused += 1
            if kept is None:
                waiting.append(task)
            else:
                yield task, kept
        if not deadline.has_time_for(shortest):
            return
        # Closed if a result cannot be saved: fits that are running must not keep the run from ending.
        with contextlib.closing(run_fits(waiting, self.data, pool=self.pool, deadline=deadline)) as finished:
            for task, result in finished:
                if isinstance(result, FitResult):
                    self._keep(task, result)
                yield task, result

    def _keep(self, task: FitTask, result: FitResult) -> None:
        save_result(self.checkpoints, task, result)
        if not result.steps:  # later runs must not reuse a fit that a time limit has shortened
            self.store.save(task, self.data, result)

    def _report(self, task: FitTask, result: FitResult) -> None:
        self._done += 1
        if result.steps:
            self.shortened[task.key] = result.steps
        _LOG.info("%s finished in %.3f s%s", task.key, result.seconds, ", before this run" * result.resumed)
        peak = max(self._worker_memory.get(result.process, 0.0), result.peak_memory_mib)
        self._worker_memory[result.process] = peak
        self.on_fit_done(
            FitFinished(
                model=task.model,
                fold=task.fold,
                seed=task.seed,
                seconds=result.seconds,
                done=self._done,
                total=self.total,
                resumed=result.resumed,
            )
        )
