"""Cross-validation over models, folds and seeds: one code path predicts out-of-fold rows and test rows.

With a budget, models are trained in the given order while time remains. Any time left is spent on additional seeds
(``kpipe.training.budget``), and finally on stacking models (``kpipe.training.stacking``). A fit that is still running
at the deadline is stopped, and its model is skipped.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kpipe.core.values import Folds, KeptFamily, ModelPredictions, Predictions, Step
from kpipe.errors import KpipeError, TrainingError
from kpipe.features.known_choices import folder_of_choices, share_choices
from kpipe.models import Model, model
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.training.averaging import average_fits
from kpipe.training.budget import Shortage, additional_seeds, seconds_for, stacking_seconds, too_short_for_all
from kpipe.training.checkpoints import NO_CHECKPOINTS, NO_STORE, Checkpoints, FitStore
from kpipe.training.deadline import Deadline
from kpipe.training.ensemble import smooth_losses, weigh
from kpipe.training.estimators import build_estimator, make_context, shortest_share, uses_gpu
from kpipe.training.pool import n_parallel, open_pool, threads_for
from kpipe.training.stacking import QUICK_STACKERS, STACKERS, build_stacker, make_layer
from kpipe.training.steps import measure_steps
from kpipe.training.task_runner import FitFinished, FitResults, TaskRunner
from kpipe.training.worker import FitResult, FitTask, TrainingData, fit_predict

__all__ = ["NO_SHORTENED", "Fits", "ShortenedFits", "count_fits", "cross_validate"]

_LOG = logging.getLogger("kpipe")
_QUICK = "quick-linear"  # the model that is trained first where little time is left, in this process
_SOON = 2.0  # seconds on an idle machine in which workers may not even start
_QUICK_CELLS = 3e7  # cells of the rows that a fold predicts, at most, for the quick model
_TOO_SHORT = f"there was time for so few steps that {_QUICK} predicts better"
_MIN_WEIGHT = 0.005  # in the ensemble, from which a model is trained with additional seeds first
_CONSTANT = "constant"  # the model whose predictions are submitted where the budget is too short for any other

Fits = Mapping[str, Mapping[int, Sequence[int]]]  # model → seed → the folds that are fitted
ShortenedFits = Mapping[str, Sequence[Sequence[int]]]  # name of a fit → (planned, taken) steps of its networks
NO_SHORTENED: ShortenedFits = {}


@share_choices()
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
    steps: ShortenedFits = NO_SHORTENED,
    deadline: Deadline | None = None,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
    store: FitStore = NO_STORE,
    keep: str = "",
    on_fit_done: Callable[[FitFinished], None] = lambda fit: None,
) -> Predictions:
    """Return out-of-fold and test predictions of every model, averaged over seeds.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    models : mapping of str to Factory
        As ``choose_models`` returns them.
    seeds : sequence of int
        Each model is trained once per seed.
    jobs : int, optional
        Number of fits to run in parallel. By default one per core or cluster worker, of which one uses the GPU.
    device : str
        "cpu", "cuda" or "mps".
    threads : int, optional
        CPU threads of each fit. By default the cores are shared equally.
    fits : mapping, optional
        Exactly the fits to train, as model → seed → folds. By default every fold with every seed.
    steps : mapping
        Name of a fit → the steps of its networks, for fits to repeat that a budget had shortened.
    deadline : Deadline, optional
        Models that would not finish in time are skipped, and the time left is spent on additional seeds.
    checkpoints : Checkpoints
        Storage for finished fits of this run.
    store : FitStore
        Storage for finished fits of all runs.
    keep : str
        The folder in which fitted models are saved, except stackers; every fit is then trained anew. "" saves none.
    on_fit_done : callable
        Called with each fit that has finished.

    Returns
    -------
    Predictions
        Predictions for test rows are means over folds and seeds or, with ``folds.refit``, over the fits on all rows.

    Raises
    ------
    TrainingError
        If all models fail.

    Notes
    -----
    A budget always ends with a submission. If no model finishes a fold in time, a linear model is trained on a sample
    of the rows. For large tables the predictions are constant instead, and ``fallback`` says so.
    """
    deadline, total = deadline or Deadline(None), count_fits(models, seeds, folds, fits)
    planned = deadline.is_limited and fits is None
    parallel = n_parallel(total, jobs=jobs)
    plan = _Plan(problem, folds, models, device=device, threads=threads or threads_for(parallel), fits=fits, keep=keep)
    plan = replace(plan, steps=steps)
    plan.check_options(seeds[0])
    data = TrainingData(X=problem.X, y=problem.y, X_test=problem.X_test, outputs=problem.n_outputs)
    runner = TaskRunner(
        data=data,
        pool=open_pool(parallel, data, deadline=deadline, shares_gpu=jobs is not None),
        checkpoints=checkpoints,
        store=store,
        on_fit_done=on_fit_done,
        total=None if planned else total,
        deadline=deadline,
    )
    _LOG.info("plan: %s on %d folds, %d at a time; %s", ", ".join(models), plan.n_fits, parallel, deadline)
    quick = _train_quick(plan, runner, seeds[0]) if planned else {}
    first = _add_folds(plan, runner, quick) if quick and not deadline.has_time_for(_SOON * deadline.slowness) else {}
    results, skipped, short = _train_models(plan, runner, seeds, first)
    fallback, stackers = "", {}
    if quick and _is_best(plan, quick, results, data):
        results, skipped = _add_folds(plan, runner, quick), skipped | dict.fromkeys(results, _TOO_SHORT)
    elif not results:
        results, fallback = _train_constant(plan, runner, seeds[0], short)
    else:
        if planned:
            _train_additional_seeds(plan, runner, results, seeds)
        stackers = _train_stackers(plan, runner, results, seeds[0], skipped)
    base = [average_fits(name, of_model, data, folds) for name, of_model in results.items()]
    above = [replace(average_fits(name, of_model, data, folds), stacked=True) for name, of_model in stackers.items()]
    return Predictions(
        models=(*base, *above),
        classes=problem.labels,
        y=problem.y,
        skipped=skipped,
        fallback=fallback,
        peak_memory_mib=runner.peak_memory_mib(),
        steps=_measure_steps(plan, base, _averaged(results, seeds, data, folds)) if planned else (),
        n_reused=runner.n_reused,
        shortened={key: steps for key, steps in runner.shortened.items() if key.rpartition("-seed")[0] in results},
        families=_families_by_fold(results),
    )


def count_fits(models: Collection[str], seeds: Sequence[int], folds: Folds, fits: Fits | None = None) -> int:
    """Return the number of fits of a run.

    Parameters
    ----------
    models, seeds, folds, fits
        As for ``cross_validate``.
    """
    if fits is None:
        return len(models) * len(seeds) * (len(folds.train) + folds.refit)
    return sum(len(numbers) for by_seed in fits.values() for numbers in by_seed.values())


@dataclass(frozen=True)
class _Plan:
    """The fits of each model, and the settings that they share."""

    problem: Problem
    folds: Folds
    models: Mapping[str, Factory]
    device: str
    threads: int
    fits: Fits | None
    steps: ShortenedFits = field(default_factory=dict)
    keep: str = ""

    @property
    def n_fits(self) -> int:
        """Number of fits of a model per seed: one per fold, and one on all rows with ``folds.refit``."""
        return len(self.folds.train) + self.folds.refit

    @property
    def base(self) -> list[str]:
        """The models that learn from the columns."""
        return [name for name in self.models if name not in STACKERS]

    @property
    def stackers(self) -> list[str]:
        """The models that learn from the predictions of the others."""
        asked = self.models if self.fits is None else self.fits
        return [name for name in self.models if name in STACKERS and name in asked]

    def is_last(self, name: str) -> bool:
        """Whether no other model waits for a share of the time; further configurations get what this one leaves."""
        return all(other in self.problem.budgeted for other in self.base[self.base.index(name) + 1 :])

    def check_options(self, seed: int) -> None:
        """Raise UsageError for unknown options of a model, before other models are trained."""
        context = make_context(self.problem, seed=seed, threads=self.threads, device=self.device)
        for name, factory in self.models.items():
            if isinstance(factory, Model) and factory.options:
                build_estimator(name, factory, self.problem, context)

    def tasks(self, name: str, seeds: Sequence[int]) -> Iterator[FitTask]:
        """Yield the fits of a model with each seed; only those in ``self.fits``, if that is given."""
        fits = None if self.fits is None else self.fits[name]
        for seed in seeds if fits is None else fits:
            context = make_context(self.problem, seed=seed, threads=self.threads, device=self.device)
            estimator = build_estimator(name, self.models[name], self.problem, context)
            on_gpu = uses_gpu(estimator, self.device)
            for fold in range(self.n_fits):
                if fits is None or fold in fits[seed]:
                    train, valid = self._rows(fold)
                    task = FitTask(
                        model=name,
                        fold=fold,
                        seed=seed,
                        threads=self.threads,
                        estimator=estimator,
                        on_gpu=on_gpu,
                        train=train,
                        valid=valid,
                        keep=self.keep,
                        choices=folder_of_choices(),
                    )
                    yield replace(task, steps=tuple((first, last) for first, last in self.steps.get(task.key, ())))

    def _rows(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the training and validation rows; the number after the last fold means a fit on all rows."""
        if fold == len(self.folds.train):
            return np.arange(len(self.problem.y)), np.arange(0)
        return self.folds.train[fold], self.folds.valid[fold]


_Results = dict[str, FitResults]  # model → (seed, fold) → result


def _train_models(
    plan: _Plan, runner: TaskRunner, seeds: Sequence[int], finished: _Results
) -> tuple[_Results, dict[str, str], dict[str, Shortage]]:
    """Return the results of finished models, the reasons why others were skipped, and shortages of time."""
    found: _Results = {**finished}
    skipped: dict[str, str] = {}
    short: dict[str, Shortage] = {}
    done, errors = _train_together(plan, runner, seeds)
    for name in plan.base:
        left, needed = runner.deadline.seconds_left() or 0.0, not found
        try:
            tasks = list(plan.tasks(name, seeds))
            if name in errors:
                raise errors[name]
            rest = [task for task in tasks if (task.seed, task.fold) not in done.get(name, {})]
            results = {**done.get(name, {}), **runner.run(rest, needed=needed, last=plan.is_last(name))}
        except TrainingError as error:
            if len(plan.base) == 1:
                raise
            skipped[name] = f"it failed: {str(error).rstrip('.')}"
            _LOG.warning("skipped %s: %s", name, error)
            continue
        complete = len(results) == len(tasks)
        # Some folds of one model are better than no model. With refit, they give no predictions for test rows.
        if results and (complete or not (found or plan.folds.refit)):
            found[name], runner.has_other = results, True
        if not complete:
            part = f"{name} ({len(tasks) - len(results)} of {len(tasks)} fits)" if name in found else name
            short[name] = Shortage(
                budget=runner.deadline.budget or 0.0,
                left=left,
                fits=len(tasks),
                n_parallel=runner.pool.of(tasks).n_parallel,
                longest=max((result.seconds for result in results.values()), default=0.0),
                needed=needed,
            )
            skipped[part] = str(short[name])
    if not found and not (short and runner.deadline.is_limited):
        raise _no_model(skipped)
    return found, skipped, short


def _train_together(
    plan: _Plan, runner: TaskRunner, seeds: Sequence[int]
) -> tuple[dict[str, dict[tuple[int, int], FitResult]], dict[str, KpipeError]]:
    """The results of the fits of all models, or of some, if nothing limits them; and the errors of those that failed.

    The last models come first: they tend to take longest, and with short fits at the end no worker waits for long.
    """
    if runner.deadline.is_limited or runner.pool.cluster is not None:
        return {}, {}
    tasks: list[FitTask] = []
    for name in reversed(plan.base):
        with contextlib.suppress(TrainingError):  # which is raised again where the model's turn comes
            tasks += list(plan.tasks(name, seeds))
    return runner.run_together(tasks)


def _train_quick(plan: _Plan, runner: TaskRunner, seed: int) -> FitResults:
    """The results of a quick model, in this process while workers start: of one fold, and of all rows for a refit.

    Empty if the model fails, or if predicting would take long because the tables are large.
    """
    test = plan.problem.X_test
    if (len(test) + len(plan.folds.valid[0])) * test.shape[1] > _QUICK_CELLS:
        return {}
    try:
        tasks = _quick_tasks(plan, seed)[: 1 + plan.folds.refit]
        fitted = {(task.seed, task.fold): fit_predict(task, runner.data) for task in tasks}
        runner.has_other = True
        return fitted
    except TrainingError as error:
        _LOG.warning("skipped %s: %s", _QUICK, error)
        return {}


def _quick_tasks(plan: _Plan, seed: int) -> list[FitTask]:
    quick = replace(plan, models={_QUICK: model(_QUICK)}, fits=None, keep="")
    return sorted(quick.tasks(_QUICK, [seed]), key=lambda task: len(task.valid) > 0)  # a fit on all rows first


def _add_folds(plan: _Plan, runner: TaskRunner, quick: FitResults) -> _Results:
    """The results of the quick model on further folds, too, while time remains."""
    tasks = [task for task in _quick_tasks(plan, next(iter(quick))[0]) if (task.seed, task.fold) not in quick]
    try:
        return {_QUICK: {**quick, **runner.run_here(tasks)}}
    except TrainingError as error:
        _LOG.warning("%s: fewer folds: %s", _QUICK, error)
        return {_QUICK: quick}


def _is_best(plan: _Plan, quick: FitResults, results: _Results, data: TrainingData) -> bool:
    """Whether the quick model predicts better than all others, each of which had time for a part of its training."""
    if not all(result.steps for of_model in results.values() for result in of_model.values()):
        return False
    losses, y = smooth_losses(plan.problem.metric), plan.problem.y
    means = []
    own = average_fits(_QUICK, quick, data, plan.folds).oof
    for name, of_model in results.items():
        oof = average_fits(name, of_model, data, plan.folds).oof
        rows = ~np.isnan(own).any(axis=1) & ~np.isnan(oof).any(axis=1)
        if not rows.any():  # they have predicted other folds
            return False
        means.append(float(losses(y[rows], oof[rows]).mean() - losses(y[rows], own[rows]).mean()))
    return min(means, default=1.0) > 0


def _train_constant(plan: _Plan, runner: TaskRunner, seed: int, short: Mapping[str, Shortage]) -> tuple[_Results, str]:
    """The results of a constant, and why they are submitted."""
    fallback = too_short_for_all(short)
    _LOG.warning(fallback)
    constant = replace(plan, models={_CONSTANT: model(_CONSTANT)}, fits=None, keep="")
    fitted = {(task.seed, task.fold): fit_predict(task, runner.data) for task in constant.tasks(_CONSTANT, [seed])}
    return {_CONSTANT: fitted}, fallback


def _no_model(skipped: Mapping[str, str]) -> TrainingError:
    if not skipped:
        return TrainingError(
            "No model was trained: the requested fits do not belong to folds of this run.", code="no-model-trained"
        )
    reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
    return TrainingError(
        f"No model was trained. {reasons}. Choose other models with --model, or a longer --budget.",
        code="no-model-trained",
    )


def _train_additional_seeds(plan: _Plan, runner: TaskRunner, results: _Results, seeds: Sequence[int]) -> None:
    """Train models with additional seeds while time remains: those with a weight in the ensemble, then the others."""
    candidates = [name for name in results if name in plan.models and _is_complete(plan, results[name])]
    whole = runner.deadline
    layer = stacking_seconds(whole.seconds_left(), boosting=_seconds_of_boosting(plan, runner, results))
    runner.deadline = whole.before(layer if plan.stackers else 0.0)
    for names in _with_weight_and_without(plan, runner.data, {name: results[name] for name in candidates}):
        _train_seeds_in_turn(plan, runner, names, results, seeds)
    runner.deadline = whole


def _with_weight_and_without(plan: _Plan, data: TrainingData, results: _Results) -> tuple[list[str], list[str]]:
    """The models with a weight in the ensemble so far, and those without."""
    if len(results) < 2:
        return list(results), []
    models = tuple(average_fits(name, of_model, data, plan.folds) for name, of_model in results.items())
    weights = weigh(Predictions(models=models, classes=None, y=data.y), plan.folds, plan.problem.metric)
    with_weight = [name for name, weight in weights.items() if weight >= _MIN_WEIGHT]
    return with_weight, [name for name in results if name not in with_weight]


def _train_seeds_in_turn(
    plan: _Plan, runner: TaskRunner, names: Sequence[str], results: _Results, seeds: Sequence[int]
) -> None:
    """Add results of additional seeds; models that do not depend on the seed are skipped."""
    candidates = list(names)
    for seed in additional_seeds(seeds):
        trained = 0
        for name in list(candidates):
            more: FitResults = (
                {} if runner.deadline.has_passed() else _train_seed(plan, runner, name, seed, results[name])
            )
            if not more:
                continue
            trained += 1
            first = next(iter(more))[1]
            if np.array_equal(more[seed, first].test, results[name][seeds[0], first].test):
                candidates.remove(name)
            else:
                results[name] = {**results[name], **more}
        if not trained:
            break


def _seconds_of_boosting(plan: _Plan, runner: TaskRunner, results: _Results) -> float:
    """Wall-clock seconds that all folds of boosting take with one seed; infinite if it has not been trained."""
    longest = max((result.seconds for result in results.get("boosting", {}).values()), default=math.inf)
    return seconds_for(plan.n_fits, runner.pool.n_parallel, longest=longest)


def _train_seed(plan: _Plan, runner: TaskRunner, name: str, seed: int, results: FitResults) -> FitResults:
    """Return the results of a model with one more seed; empty if the time is too short for all fits, or one fails."""
    tasks = list(plan.tasks(name, [seed]))
    if not runner.has_time_for(tasks, results, share=shortest_share(plan.models[name])):
        return {}
    try:
        more = runner.run(tasks, needed=False, again=True)
    except TrainingError as error:
        _LOG.warning("skipped %s with seed %d: %s", name, seed, error)
        return {}
    return more if len(more) == len(tasks) else {}


def _is_complete(plan: _Plan, results: FitResults) -> bool:
    return len(results) == plan.n_fits * len({seed for seed, _ in results})


def _train_stackers(plan: _Plan, runner: TaskRunner, results: _Results, seed: int, skipped: dict[str, str]) -> _Results:
    """Return the results of the stackers on the folds of the run; ``skipped`` gets the reasons of those without."""
    found: _Results = {}
    complete = {name: of_model for name, of_model in results.items() if _is_complete(plan, of_model)}
    layer = make_layer(plan.problem, plan.folds, complete, runner.data) if plan.stackers else None
    if layer is None:
        if plan.stackers and not runner.deadline.is_limited:  # without a budget, there are stackers only if named
            skipped.update(dict.fromkeys(plan.stackers, "it needs other models' predictions for every fold"))
        return found
    pool = open_pool(runner.pool.n_parallel, layer.data, deadline=runner.deadline, shares_gpu=runner.pool.shares_gpu)
    above = runner.above(layer.data, pool)
    context = make_context(plan.problem, seed=seed, threads=plan.threads, device=plan.device)
    for name in plan.stackers:
        tasks = layer.tasks(name, build_stacker(plan.models[name], plan.problem, context), context)
        try:
            # A worker may have to start first, which takes longer than the fits of a quick stacker.
            fitted = above.run_here(tasks) if name in QUICK_STACKERS else above.run(tasks, needed=False)
        except TrainingError as error:
            _LOG.warning("skipped %s: %s", name, error)
            skipped[name] = f"it failed: {str(error).rstrip('.')}"
            continue
        if len(fitted) == len(tasks):
            found[name] = {key: layer.split(result) for key, result in fitted.items()}
        else:
            skipped[name] = "the time left did not suffice for its fits"
    return found


def _families_by_fold(results: _Results) -> dict[int, tuple[KeptFamily, ...]]:
    """The families of features of each fold: all models that use families of a fold use the same."""
    found = [(fold, result.families) for of_model in results.values() for (_, fold), result in of_model.items()]
    return {fold: families for fold, families in sorted(found, key=lambda one: one[0]) if families}


def _averaged(results: _Results, seeds: Sequence[int], data: TrainingData, folds: Folds) -> list[ModelPredictions]:
    """The predictions of each model with these seeds alone."""
    return [
        average_fits(name, {key: result for key, result in of_model.items() if key[0] in seeds}, data, folds)
        for name, of_model in results.items()
    ]


def _measure_steps(
    plan: _Plan, models: Sequence[ModelPredictions], first: Sequence[ModelPredictions]
) -> tuple[Step, ...]:
    """Measure the gain of further configurations and additional seeds; ``first``: models with the first seeds."""
    default = [one for one in first if one.name not in plan.problem.budgeted]
    steps = {"default models": default, "further configurations": first, "additional seeds": models}
    return measure_steps(steps, plan.problem.y, plan.folds, plan.problem.metric)
