"""The path of the data, written as code: ``run``.

    tables → problem → folds → models → predictions → ensemble → submission → checks → run

One value is handed on at each arrow, and each step can be called, tested or replaced on its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from kpipe.checks import run_checks
from kpipe.checks.refit import Trainer, check_competition
from kpipe.core.devices import resolve_device
from kpipe.core.request import RunRequest
from kpipe.core.values import Baseline, Check, Folds, Predictions, Tables
from kpipe.data import loading
from kpipe.data.further_tables import file_hashes
from kpipe.kaggle.download import KaggleDownloader
from kpipe.problem.competition import Competition, find
from kpipe.problem.problem import Problem, apply_request, define_problem
from kpipe.runs.blend import find_runs_to_blend, predictions_of_runs, request_of_blend
from kpipe.runs.find import find_run
from kpipe.runs.reproduce import Reproduction, compare_reproduction, request_to_reproduce
from kpipe.runs.request_file import describe_changes, describe_request
from kpipe.runs.rerun import RerunSpec
from kpipe.runs.result import RunResult
from kpipe.runs.resume import request_to_resume
from kpipe.runs.run import Run
from kpipe.runs.save import save_run
from kpipe.runs.store import key_of, open_run_folder
from kpipe.submission import make_submission, rehearse, to_csv
from kpipe.training.baseline import predict_baseline
from kpipe.training.budget import reserved_seconds
from kpipe.training.combine import combine
from kpipe.training.cross_validation import cross_validate
from kpipe.training.deadline import Deadline
from kpipe.training.estimators import choose_models
from kpipe.training.folds import make_folds
from kpipe.training.task_runner import FitFinished

__all__ = [
    "Callbacks",
    "RunPlan",
    "blend_runs",
    "check",
    "conclude",
    "load",
    "prepare",
    "read_competition",
    "reproduce",
    "resume",
    "run",
]

_LOG = logging.getLogger("kpipe")


@dataclass(frozen=True)
class RunPlan:
    """What is about to be trained.

    Attributes
    ----------
    models : tuple of str
    folds : int
        Number of folds.
    path : path
        The folder in which the run works.
    notes : tuple of str
        Sentences on unfinished runs, and on what has changed since a reproduced one.
    """

    problem: Problem
    models: tuple[str, ...]
    folds: int
    path: Path
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The plan in words."""
        tables = self.problem.tables
        return (
            f"{self.problem.slug}: {len(tables.train):,} training rows, {len(tables.test):,} test rows "
            f"({tables.source.origin}: {tables.source.path}). Training {', '.join(self.models)} "
            f"on {self.folds} fold{'s' * (self.folds > 1)}, scored by {self.problem.metric.name}."
        )


class Callbacks(TypedDict, total=False):
    """What ``run`` calls while it works, and what the user typed."""

    on_start: Callable[[RunPlan], None]
    on_fit_done: Callable[[FitFinished], None]
    on_download: Callable[[int, int], None]
    command: Sequence[str]


def run(
    request: RunRequest,
    *,
    on_start: Callable[[RunPlan], None] = lambda plan: None,
    on_fit_done: Callable[[FitFinished], None] = lambda fit: None,
    on_download: Callable[[int, int], None] = lambda done, size: None,
    rerun: RerunSpec | None = None,
    command: Sequence[str] = (),
) -> Run:
    """From a competition's name to a validated submission with a score: the path of the data.

    Parameters
    ----------
    request : RunRequest
        Everything that the user asks for.
    on_start : callable
        Called with the plan before training.
    on_fit_done : callable
        Called with each fit that has finished.
    on_download : callable
        Called with the bytes that have arrived and the bytes in all, while Kaggle's files are downloaded.
    rerun : RerunSpec, optional
        What a resumed or reproduced run takes over.
    command : sequence of str
        What the user typed, for the record.

    Returns
    -------
    Run

    Raises
    ------
    KpipeError
        If the call or the input is wrong, or the work failed; the message says what to do.
    """
    began = time.perf_counter()
    rerun = rerun or RerunSpec()
    problem = prepare(request, on_download=on_download)
    models = choose_models(problem, request.models, budget=request.budget)
    folds = make_folds(problem, seed=request.seeds[0], n_folds=request.folds)
    device = resolve_device(request.device)
    baseline = rehearse(problem, folds)
    content = describe_request(problem, folds, request, models=list(models), device=device, rerun=rerun)
    with open_run_folder(request.out, problem.slug, content["key"], content) as folder:
        notes = (*problem.tables.source.notes, *describe_changes(folder, rerun))
        on_start(RunPlan(problem, tuple(models), len(folds.train), folder.path, notes))
        predictions = cross_validate(
            problem,
            folds,
            models=models,
            seeds=request.seeds,
            jobs=request.jobs,
            device=device,
            threads=folder.request["threads"],
            fits=rerun.fits,
            deadline=Deadline(request.budget, spent=time.perf_counter() - began + reserved_seconds(request.budget)),
            checkpoints=folder,
            on_fit_done=on_fit_done,
        )
        result = conclude(problem, folds, predictions, baseline)
        return save_run(folder, result, began=began, seeds=request.seeds, device=device, command=command)


def resume(
    name: str,
    *,
    out: Path,
    slug: str | None = None,
    changes: Mapping[str, Any],
    **callbacks: Unpack[Callbacks],
) -> Run:
    """Resume an unfinished run with the request it was started with.

    Parameters
    ----------
    name : str
        Its folder, or the key in the folder's name.
    out : path
        Folder of runs, in which a key is looked up.
    slug : str, optional
        The competition that the run must be of.
    changes : mapping
        Options that replace those of the run: ``data``, ``jobs``, ``budget``.
    **callbacks
        As for ``run``.

    Returns
    -------
    Run

    Raises
    ------
    UsageError
        If there is no such run, a process works on it, or its inputs have changed since it was started.
    """
    request, rerun = request_to_resume(name, out=out, slug=slug, changes=changes)
    return run(request, rerun=rerun, **callbacks)


def reproduce(name: str, *, out: Path, data: str | Path | None = None, **callbacks: Unpack[Callbacks]) -> Reproduction:
    """Make a finished run again from nothing, and compare the bytes. If it is killed, the same call resumes it.

    Parameters
    ----------
    name : str
        A run's folder, or its id under ``out``.
    out : path
        Folder of runs, in which the second run works too.
    data : str or path, optional
        Where the files are now; by default where they were.
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
    return compare_reproduction(first, run(request, rerun=rerun, **callbacks))


def blend_runs(names: Sequence[str], *, out: Path, data: str | Path | None = None, command: Sequence[str] = ()) -> Run:
    """A new run of all models of several runs that were trained on the same rows and folds.

    Parameters
    ----------
    names : sequence of str
        Folders of runs, or their ids under ``out``, where the new run is created.
    out : path
        Folder of runs.
    data : str or path, optional
        Folder or Kaggle's zip; by default where the first run found it.
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
    began = time.perf_counter()
    runs = find_runs_to_blend(names, out)
    problem = prepare(request_of_blend(runs, out=out, data=data))
    folds, predictions = predictions_of_runs(problem, runs)
    files = file_hashes(problem.tables)
    inputs = {"files": files, "settings": {"blend": [run.record["run_id"] for run in runs]}}
    seeds = sorted({seed for model in predictions.models for seed in model.seeds})
    device, key = str(runs[0].record.get("device")), key_of(inputs)
    with open_run_folder(out, problem.slug, key, {"key": key, "inputs": inputs}) as folder:
        result = conclude(problem, folds, predictions, predict_baseline(problem, folds))
        return save_run(folder, result, began=began, seeds=seeds, device=device, command=command)


def check(
    competition: str | Competition,
    *,
    on_step: Callable[[str], None] = lambda step: None,
    on_check: Callable[[Check], None] = lambda check: None,
    **options: Any,
) -> tuple[Check, ...]:
    """Test a competition module for leaks and mistakes, as scikit-learn's ``check_estimator`` tests an estimator.

    Parameters
    ----------
    competition : str or Competition
        A slug, or a competition that is being written.
    on_step : callable
        Called with what is being done.
    on_check : callable
        Called with each check as it ends.
    **options
        As for ``kpipe.run``: data, models, folds, device, jobs, metric, target, id, text, split, drop. Models that are
        defined in a test's own module need ``jobs=1``: other processes cannot import them.

    Returns
    -------
    tuple of Check

    Raises
    ------
    KpipeError
        If there is nothing to check: files that cannot be read, or a call that is wrong.

    Examples
    --------
    In a test of your own module::

        def test_my_competition_is_honest():
            assert [c for c in kpipe.check("my-competition", data="my.zip") if c.status == "fail"] == []
    """
    own = find(competition) if isinstance(competition, str) else competition
    request = RunRequest(own.slug, **options)
    problem = prepare(request, own)
    trainer = Trainer(
        problem=problem,
        folds=make_folds(problem, n_folds=request.folds),
        models=choose_models(problem, request.models),
        device=resolve_device(request.device),
        jobs=request.jobs,
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
) -> Problem:
    """The problem of a request: its competition with every field determined, its files read and cleaned.

    Parameters
    ----------
    request : RunRequest
    competition : Competition, optional
        Instead of the one that is found by the request's slug.
    on_download : callable
        Called with the bytes that have arrived and the bytes in all.

    Returns
    -------
    Problem

    Raises
    ------
    KpipeError
        If there is no such competition, or its files are missing, broken, or contradict it.
    """
    return define_problem(*read_competition(request, competition, on_download=on_download))


def read_competition(
    request: RunRequest,
    competition: Competition | None = None,
    *,
    on_download: Callable[[int, int], None] = lambda done, size: None,
) -> tuple[Competition, Tables]:
    """The competition of a request with what the request replaces, and the tables as they are in the files.

    The parameters and errors are those of ``prepare``.
    """
    asked = apply_request(request, competition)
    choice = loading.FileChoice(request.train, request.test, request.sample, tuple(request.extra), asked.targets)
    return asked, loading.load(
        asked.slug,
        request.data,
        text=asked.text,
        id=asked.id,
        choice=choice,
        downloader=KaggleDownloader(),
        on_download=on_download,
    )


def load(
    slug: str,
    path: str | Path | None = None,
    *,
    text: Sequence[str] = (),
    id: str | None = None,
    train: str | None = None,
    test: str | None = None,
    sample: str | None = None,
    extra: Sequence[str] = (),
    on_download: Callable[[int, int], None] = lambda done, size: None,
) -> Tables:
    """A competition's tables: train, test and the sample submission, with their column types.

    Parameters
    ----------
    slug : str
        The competition's name on Kaggle.
    path : str or Path, optional
        A folder, Kaggle's zip, a table, or "sample". Without it kpipe looks in ``KPIPE_DATA/<slug>``, a kernel's input
        folders, the cache of downloads and the current folder, then asks Kaggle if there are credentials, and last
        takes the embedded sample.
    text : sequence of str
        Columns to read as text although they look like numbers.
    id : str, optional
        The id column, where it is known.
    train, test, sample : str, optional
        Files with these roles: names in the folder or zip, or paths. By default judged by their names.
    extra : sequence of str
        Further training files, whose rows every fold trains on and none validates.
    on_download : callable
        Called with the number of bytes downloaded so far, and in all (0 where Kaggle does not say).

    Returns
    -------
    Tables
        The dtypes of a column are the same in train and test.

    Raises
    ------
    DataError
        A file is missing, broken, or contradicts the others; the message names file, line and column.
    RemoteError
        Kaggle does not give the files.
    """
    choice = loading.FileChoice(train, test, sample, tuple(extra))
    return loading.load(
        slug, path, text=text, id=id, choice=choice, downloader=KaggleDownloader(), on_download=on_download
    )


def conclude(problem: Problem, folds: Folds, predictions: Predictions, baseline: Baseline) -> RunResult:
    """From the models' predictions to what a run records: ensemble, submission and checks.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    predictions : Predictions
    baseline : Baseline

    Returns
    -------
    RunResult

    Raises
    ------
    SubmissionError
        If the predictions cannot be submitted.
    """
    ensemble = combine(problem, folds, predictions)
    submission = make_submission(problem, ensemble)
    start = time.perf_counter()
    checks = run_checks(problem, folds, predictions, baseline, ensemble, submission)
    _LOG.info("checks: %d in %.2f s", len(checks), time.perf_counter() - start)
    return RunResult(problem, folds, predictions, baseline, ensemble, submission, checks, to_csv(submission))
