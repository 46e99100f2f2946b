"""The pipeline: ``run`` leads from a competition's name to a validated submission.

    tables → problem → folds → models → predictions → ensemble → submission → forecast → checks → run

Each arrow stands for one value that a step passes to the next. Each step can be called, tested or replaced on its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from kpipe.checks import Checking, EarlyChecks, run_checks
from kpipe.checks.refit import Trainer, check_competition
from kpipe.core.devices import resolve_device
from kpipe.core.metrics import evaluate
from kpipe.core.request import RunRequest
from kpipe.core.run_names import check_run_name
from kpipe.core.values import Baseline, Check, Folds, Predictions, Tables
from kpipe.data import loading
from kpipe.data.further_tables import file_hashes
from kpipe.forecast.forecast import make_forecast
from kpipe.kaggle.download import KaggleDownloader
from kpipe.problem.competition import Competition
from kpipe.problem.problem import Problem, apply_request, define_problem
from kpipe.runs.blend import find_runs_to_blend, predictions_of_runs, request_of_blend
from kpipe.runs.expected_time import expected_time_of
from kpipe.runs.files import check_writable
from kpipe.runs.find import competition_folder, find_run
from kpipe.runs.fits import fit_store, fit_store_of_runs, keep_checks
from kpipe.runs.kept_code import keep_code, using_kept_code
from kpipe.runs.kept_models import MODELS
from kpipe.runs.parameters import parameters_of, write_parameters
from kpipe.runs.reproduce import Reproduction, compare_reproduction, request_to_reproduce
from kpipe.runs.request_file import describe_changes, describe_request
from kpipe.runs.rerun import RerunSpec
from kpipe.runs.result import RunResult
from kpipe.runs.resume import request_to_resume
from kpipe.runs.run import Run
from kpipe.runs.save import save_run
from kpipe.runs.store import key_of, open_run_folder
from kpipe.runs.vault import find_locked
from kpipe.submission import make_submission, rehearse, to_csv
from kpipe.training.baseline import predict_baseline
from kpipe.training.combine import combine, take_out_vault
from kpipe.training.cross_validation import cross_validate
from kpipe.training.deadline import RunClock
from kpipe.training.estimators import choose_models
from kpipe.training.fold_dates import describe_fold_dates
from kpipe.training.folds import make_folds, more_folds, note_on_folds
from kpipe.training.pool import n_parallel
from kpipe.training.task_runner import FitFinished

__all__ = [
    "Callbacks",
    "RunPlan",
    "blend_runs",
    "check",
    "conclude",
    "prepare",
    "read_competition",
    "reproduce",
    "resume",
    "run",
]

_LOG = logging.getLogger("kpipe")


@dataclass(frozen=True)
class RunPlan:
    """The plan of a run, which is reported before training.

    Attributes
    ----------
    problem : Problem
    models : tuple of str
        Names of the models, in the order in which they are trained.
    folds : int
        Number of folds.
    path : path
        The run's folder while it is unfinished.
    notes : tuple of str
        Messages for the user: about the data, unfinished runs, and changes since the run that is reproduced.
    """

    problem: Problem
    models: tuple[str, ...]
    folds: int
    path: Path
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """One sentence that describes the plan."""
        tables = self.problem.tables
        return (
            f"{self.problem.slug}: {len(tables.train):,} training rows, {len(tables.test):,} test row"
            f"{'s' * (len(tables.test) != 1)} ({tables.source.origin}: {tables.source.path}). "
            f"Training {', '.join(self.models)} on {self.folds} fold{'s' * (self.folds > 1)}, "
            f"scored by {self.problem.metric.name}."
        )


class Callbacks(TypedDict, total=False):
    """Arguments that ``resume`` and ``reproduce`` pass to ``run``: its callbacks and the command line."""

    on_start: Callable[[RunPlan], None]
    on_fit_done: Callable[[FitFinished], None]
    on_download: Callable[[int, int], None]
    on_step: Callable[[str], None]
    command: Sequence[str]


def run(
    request: RunRequest,
    *,
    on_start: Callable[[RunPlan], None] = lambda plan: None,
    on_fit_done: Callable[[FitFinished], None] = lambda fit: None,
    on_download: Callable[[int, int], None] = lambda done, size: None,
    on_step: Callable[[str], None] = lambda step: None,
    rerun: RerunSpec | None = None,
    command: Sequence[str] = (),
    spent: float = 0.0,
) -> Run:
    """Train and validate models for a competition, and write the submission.

    Parameters
    ----------
    request : RunRequest
        The options of the run. Fits that earlier runs in ``request.out`` have trained are reused, unless ``rerun``
        names the fits.
    on_start : callable
        Called with the plan before training.
    on_fit_done : callable
        Called with each fit that has finished.
    on_download : callable
        Called with the number of bytes downloaded so far, and in total, while Kaggle's files are downloaded.
    on_step : callable
        Called at the start of each step before and after training, with its description.
    rerun : RerunSpec, optional
        What a resumed or reproduced run takes over from the original run.
    command : sequence of str
        What the user typed, for the record.
    spent : float
        Seconds of the run, and of its budget, that have passed before: Python's own start.

    Returns
    -------
    Run

    Raises
    ------
    KpipeError
        If the arguments or the input are wrong, or training fails; the message says what to do.
    """
    clock = RunClock(request.budget, spent=spent)
    rerun = rerun or RerunSpec()
    check_writable(competition_folder(request.out, request.slug))
    problem = prepare(request, on_download=on_download, on_step=on_step)
    on_step("Making the folds, and rehearsing the submission with constant predictions")
    models = choose_models(problem, request.models, budget=request.budget)
    request = _with_more_folds(request, problem, rerun, n_models=len(models))
    folds = make_folds(problem, seed=request.seeds[0], n_folds=request.folds)
    device = resolve_device(request.device)
    baseline = rehearse(problem, folds)
    content = describe_request(problem, folds, request, models=list(models), device=device, rerun=rerun)
    with open_run_folder(request.out, problem.slug, content["key"], content) as folder:
        notes = (
            *problem.tables.source.notes,
            *describe_fold_dates(problem, folds),
            *note_on_folds(problem, folds, n_folds=request.folds),
            *describe_changes(folder, rerun),
            *rerun.notes,
        )
        keep_code(folder.path, problem.slug)
        store = fit_store(request, rerun)
        notes += (expected_time_of(request, problem, folds, models=models, content=content, store=store, clock=clock),)
        kept = EarlyChecks(keep_checks(store, content["key"]))
        on_start(RunPlan(problem, tuple(models), len(folds.train), folder.path, notes))
        kept.make(
            problem, folds, seconds=clock.seconds_to_check_tables()
        )  # while the process that workers are forked from is still importing
        predictions = cross_validate(
            problem.to_predict,
            folds,
            models=models,
            seeds=request.seeds,
            jobs=request.jobs,
            device=device,
            threads=folder.request["threads"],
            fits=rerun.fits,
            steps=rerun.steps,
            deadline=clock.training_deadline(),
            checkpoints=folder,
            store=store,
            keep=str((folder.path / MODELS).resolve()) if request.keep_models else "",
            on_fit_done=on_fit_done,
        )
        store.remove_oldest()
        on_step("Combining the models, and checking the result for leaks and mistakes")
        setting = {"seed": request.seeds[0], "threads": folder.request["threads"], "device": device}
        write_parameters(folder, parameters_of(models, predictions.models, problem, **setting))
        result = conclude(problem, folds, predictions, baseline, seconds=clock.elapsed(), kept=kept)
        return save_run(folder, result, began=clock.began, seeds=request.seeds, device=device, command=command)


def _with_more_folds(request: RunRequest, problem: Problem, rerun: RerunSpec, *, n_models: int) -> RunRequest:
    """The request of a new run with more folds, if its budget is long enough; they are recorded for later runs."""
    if request.budget is None or request.folds is not None or rerun != RerunSpec():
        return request
    parallel = n_parallel(n_models * len(request.seeds), jobs=request.jobs)
    return replace(request, folds=more_folds(problem, seconds=request.budget * parallel))


def resume(
    name: str,
    *,
    out: Path,
    slug: str | None = None,
    changes: Mapping[str, Any],
    spent: float = 0.0,
    **callbacks: Unpack[Callbacks],
) -> Run:
    """Resume an unfinished run with the request it was started with.

    Parameters
    ----------
    name : str
        The run's folder, or the key in the folder's name.
    out : path
        Folder that holds the runs; a key is looked up there.
    slug : str, optional
        The competition that the run must belong to.
    changes : mapping
        Options that replace those of the run: ``data``, ``jobs``, ``budget``.
    spent : float
        As for ``run``.
    **callbacks
        As for ``run``.

    Returns
    -------
    Run

    Raises
    ------
    UsageError
        If there is no such run, a process is using it, or its inputs have changed since it was started.
    """
    request, rerun = request_to_resume(name, out=out, slug=slug, changes=changes)
    return run(request, rerun=rerun, spent=spent, **callbacks)


def reproduce(name: str, *, out: Path, data: str | Path | None = None, **callbacks: Unpack[Callbacks]) -> Reproduction:
    """Repeat a finished run from scratch, and compare the submissions. If it is interrupted, the same call resumes it.

    Parameters
    ----------
    name : str
        A run's folder, or its id under ``out``.
    out : path
        Folder that holds the runs; the new run is written there, too.
    data : str or path, optional
        Where the files are now; by default, where the run read them.
    **callbacks
        As for ``run``.

    Returns
    -------
    Reproduction

    Raises
    ------
    UsageError
        If there is no such run, or its record does not say how it was made.
    DataError
        If its record is broken.
    """
    first = find_run(name, out)
    request, rerun = request_to_reproduce(first, out=out, data=data)
    with using_kept_code(first) as notes:
        return compare_reproduction(first, run(request, rerun=replace(rerun, notes=notes), **callbacks))


def blend_runs(
    names: Sequence[str],
    *,
    out: Path,
    data: str | Path | None = None,
    name: str | None = None,
    note: str | None = None,
    command: Sequence[str] = (),
) -> Run:
    """Combine the models of several runs, trained on the same rows and folds, into a new run.

    Parameters
    ----------
    names : sequence of str
        Folders of runs, or their ids under ``out``, where the new run is created.
    out : path
        Folder that holds the runs.
    data : str or path, optional
        A folder or zip of Kaggle's files; by default, where the first run read them.
    name, note : str, optional
        Of the new run.
    command : sequence of str
        What the user typed, for the record.

    Returns
    -------
    Run

    Raises
    ------
    UsageError
        If the runs cannot be blended with each other.
    DataError
        If the files are not those of the runs.
    """
    if name is not None:
        check_run_name(name)
    began, runs = time.perf_counter(), find_runs_to_blend(names, out)
    problem = prepare(request_of_blend(runs, out=out, data=data))
    folds, predictions = predictions_of_runs(problem, runs)
    inputs = {"files": file_hashes(problem.tables), "settings": {"blend": [run.record["run_id"] for run in runs]}}
    seeds = sorted({seed for model in predictions.models for seed in model.seeds})
    device, key = str(runs[0].record.get("device")), key_of(inputs)
    content = {"key": key, "inputs": inputs, "name": name, "note": note}
    with open_run_folder(out, problem.slug, key, content) as folder:
        result = conclude(problem, folds, predictions, predict_baseline(problem, folds))
        return save_run(folder, result, began=began, seeds=seeds, device=device, command=command)


def check(
    request: RunRequest,
    competition: Competition | None = None,
    *,
    on_download: Callable[[int, int], None] = lambda done, size: None,
    on_step: Callable[[str], None] = lambda step: None,
    on_check: Callable[[Check], None] = lambda check: None,
) -> tuple[Check, ...]:
    """Test a competition module for leaks and mistakes, as scikit-learn's ``check_estimator`` tests an estimator.

    Parameters
    ----------
    request : RunRequest
        Its competition, files, models, folds, device and jobs are used.
    competition : Competition, optional
        Used instead of the competition that the request's slug names.
    on_download : callable
        Called with the number of bytes downloaded so far, and in total.
    on_step : callable
        Called at the start of each step with its description.
    on_check : callable
        Called with the result of each check as soon as it is known.

    Returns
    -------
    tuple of Check

    Raises
    ------
    KpipeError
        If nothing can be checked, because the files cannot be read or the options are wrong.
    """
    problem = prepare(request, competition, on_download=on_download, on_step=on_step)
    trainer = Trainer(
        problem=problem,
        folds=make_folds(problem, n_folds=request.folds),
        models=choose_models(problem, request.models),
        device=resolve_device(request.device),
        jobs=request.jobs,
        store=fit_store_of_runs(request),
    )
    found = []
    for one in check_competition(trainer, on_step=on_step):
        on_check(one)
        found.append(one)
    return tuple(found)


def prepare(
    request: RunRequest,
    competition: Competition | None = None,
    *,
    on_download: Callable[[int, int], None] = lambda done, size: None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Problem:
    """Read and clean the files of a request, and infer every field that its competition leaves open.

    The rows of a vault, if one is in force in ``request.out``, are no longer in train (see ``Problem.vault``).

    Parameters
    ----------
    request : RunRequest
    competition : Competition, optional
        Used instead of the competition that the request's slug names.
    on_download : callable
        Called with the number of bytes downloaded so far, and in total.
    on_step : callable
        Called at the start of each step with its description.

    Returns
    -------
    Problem

    Raises
    ------
    KpipeError
        If there is no such competition, its files are missing, broken or contradict it, or its vault belongs to other
        files.
    """
    on_step(f"Reading the files of {request.slug}")
    asked, files = read_competition(request, competition, on_download=on_download)
    on_step(f"Inferring the problem from the files of {asked.slug}, of {len(files.train.columns):,} columns")
    return define_problem(asked, files, None if request.all_rows else find_locked(request.out, files, asked.slug))


def read_competition(
    request: RunRequest,
    competition: Competition | None = None,
    *,
    on_download: Callable[[int, int], None] = lambda done, size: None,
) -> tuple[Competition, Tables]:
    """Return the competition with the options that the request overrides, and its tables before cleaning.

    The parameters and errors are those of ``prepare``.
    """
    asked = apply_request(request, competition)
    choice = loading.FileChoice.of(request, asked.targets)
    return asked, loading.load(
        asked.slug,
        request.data,
        text=asked.text,
        id=asked.id,
        choice=choice,
        downloader=KaggleDownloader(),
        on_download=on_download,
    )


def conclude(
    problem: Problem, folds: Folds, predictions: Predictions, baseline: Baseline, **checking: Unpack[Checking]
) -> RunResult:
    """Combine the models' predictions, make the submission and the forecast, and run the checks.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    predictions : Predictions
        Where a vault is in force, its rows come after those of test.
    baseline : Baseline
    **checking
        As for ``run_checks``: the seconds that the run has taken so far, and where results are kept.

    Returns
    -------
    RunResult

    Raises
    ------
    SubmissionError
        If the predictions cannot be submitted.
    """
    ensemble = combine(problem.to_predict, folds, predictions)
    predictions, ensemble, vault = take_out_vault(problem, predictions, ensemble)
    submission = make_submission(problem, ensemble)
    score = evaluate(problem.metric, predictions.y, ensemble.oof, folds=folds.valid, groups=problem.blocks)
    start = time.perf_counter()
    forecast = make_forecast(problem, folds, predictions, ensemble, score)
    _LOG.info("forecast in %.2f s", time.perf_counter() - start)
    start = time.perf_counter()
    checks = run_checks(problem, folds, predictions, baseline, ensemble, submission, **checking)
    _LOG.info("checks: %d in %.2f s", len(checks), time.perf_counter() - start)
    csv = to_csv(submission)
    return RunResult(problem, folds, predictions, baseline, ensemble, submission, checks, csv, score, forecast, vault)
