"""The way of the data, written as code: ``run``.

    tables → features → folds → model → predictions → blend → submission → run folder

One value is handed on at each arrow, and each step can be called, tested or replaced alone.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kpipe.checks import run_checks
from kpipe.core.devices import resolve_device
from kpipe.core.metrics import Metric, check_domain, evaluate, get_metric
from kpipe.core.values import Ensemble, Folds, Predictions, Reason, Tables
from kpipe.data import loading
from kpipe.data.further_tables import file_hashes
from kpipe.errors import DataError, UsageError
from kpipe.kaggle.download import KaggleDownloader
from kpipe.models.baseline import baseline
from kpipe.problem.competition import Competition, find
from kpipe.problem.inference import adapt, asked_columns, resolve
from kpipe.problem.splitters import folds_to_frame
from kpipe.runs.calls import as_given, call_of, notes_on
from kpipe.runs.provenance import RerunSpec
from kpipe.runs.record import RunResult, make_record, predictions_table
from kpipe.runs.store import Run, RunFolder, workspace
from kpipe.submission import make_submission, positive, postprocessed, rehearse, to_csv
from kpipe.training.cross_validation import FitFinished, choose_models, cross_validate, targets
from kpipe.training.ensemble import fit_ensemble
from kpipe.training.folds import make_folds
from kpipe.training.learning_curves import curves_table
from kpipe.training.thresholds import apply_thresholds
from kpipe.training.worker import Deadline

__all__ = ["RunPlan", "decided", "finish", "load", "prepare", "read_asked", "run", "settled"]

_LOG = logging.getLogger("kpipe")


@dataclass(frozen=True)
class RunPlan:
    """What is about to be trained, told before it is."""

    competition: Competition
    tables: Tables
    models: tuple[str, ...]
    folds: int
    path: Path
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The same in words."""
        tables = self.tables
        return (
            f"{self.competition.slug}: {len(tables.train):,} rows to learn from, {len(tables.test):,} to predict "
            f"({tables.source.origin}: {tables.source.path}). Training {', '.join(self.models)} "
            f"on {self.folds} fold{'s' * (self.folds > 1)}, judged by {_metric(self.competition).name}."
        )


def run(
    slug: str,
    *,
    data: str | Path | None = None,
    models: Sequence[str] = (),
    budget: float | None = None,
    folds: int | None = None,
    seed: Sequence[int] = (0,),
    metric: str | None = None,
    target: str | Sequence[str] | None = None,
    id: str | None = None,
    text: Sequence[str] = (),
    split: str | None = None,
    drop: Sequence[str] = (),
    out: str | Path = "submissions",
    device: str = "auto",
    jobs: int | None = None,
    started: Callable[[RunPlan], None] | None = None,
    tell: Callable[[FitFinished], None] | None = None,
    downloading: Callable[[int, int], None] = lambda done, size: None,
    command: Sequence[str] = (),
    again: RerunSpec | None = None,
) -> Run:
    """From a competition's name to a proved submission with a score: the way of the data.

    data : folder or Kaggle's zip; default: see ``kpipe.load``.
    models : names; default: the competition's.
    budget : seconds for all of it; a model that would not end in time is left out, and what is left buys more seeds.
    folds, metric, target, id, text, split, drop : instead of what the competition says or the files show.
    seed : each model is trained once per seed, and averaged; the first seeds the folds.
    out : folder in which ``<slug>/<run id>/`` is made.
    device : "auto", "cpu", "cuda" or "mps", for torch models.
    jobs : model fits at a time; default: one per core.
    started, tell : called before training, and with each task that has ended.
    downloading : called with the bytes that are there and the bytes in all, where Kaggle's files are fetched.
    command : what the user typed, for the record.
    again : what is taken over from a run that is made again: see ``kpipe.runs.reproduce``.
    Raises KpipeError, with what to do.
    """
    began = time.perf_counter()
    again, seed = again or RerunSpec(), _seeds(seed)
    _refuse_text(models=models, text=text, drop=drop)
    fields: dict[str, Any] = {"metric": metric, "target": target, "id": id, "text": text, "split": split, "drop": drop}
    asked, read = read_asked(slug, data=data, downloading=downloading, **fields)
    options = {"data": as_given(data), "models": list(models), "budget": budget, "folds": folds, "seed": seed}
    options |= {**fields, "device": device, "jobs": jobs}
    competition, tables = settled(asked, read)
    chosen = choose_models(competition, models, budget=budget)
    fixed = make_folds(competition, tables, seed=seed[0], n_folds=folds)
    device = resolve_device(device)
    competition = _say_positive(competition, tables)
    _rehearse(competition, tables, fixed)
    call = call_of(competition, tables, fixed, models=list(chosen), device=device, options=options, again=again)
    with workspace(Path(out), slug, call["key"], call) as space:
        if started is not None:
            notes = (*tables.source.notes, *notes_on(space, again))
            started(RunPlan(competition, tables, tuple(chosen), len(fixed.train), space.path, notes))
        predictions = cross_validate(
            competition,
            tables,
            fixed,
            models=chosen,
            seeds=seed,
            jobs=jobs,
            device=device,
            threads=space.call["threads"],
            fits=again.fits,
            clock=Deadline(budget, spent=time.perf_counter() - began + _reserve(budget)),
            parts=space,
            tell=tell,
        )
        told = {"seeds": seed, "device": device, "command": command}
        return finish(space, competition, read, tables, fixed, predictions, began=began, **told)


def finish(
    space: RunFolder,
    competition: Competition,
    read: Tables,
    tables: Tables,
    folds: Folds,
    predictions: Predictions,
    *,
    began: float,
    **told: Any,
) -> Run:
    """From the models' predictions to a whole run: blended, decided, proved against the sample, checked and written.

    competition, tables : settled. read : the tables as they are in the files.
    began : when the run did, by ``time.perf_counter``. told : what else the record is told, see ``make_record``.
    """
    metric = _metric(competition)
    blended = decided(competition, tables, folds, predictions)
    submission = make_submission(competition, tables, blended, predictions.classes)
    start = time.perf_counter()
    checks = run_checks(competition, read, tables, folds, predictions, blended, submission)
    _LOG.info("checks: %d in %.2f s", len(checks), time.perf_counter() - start)
    csv = to_csv(submission)
    outcome = RunResult(competition, metric, tables, folds, predictions, blended, submission, checks, csv)
    return _save(space, outcome, seconds=time.perf_counter() - began, **told)


def decided(competition: Competition, tables: Tables, folds: Folds, predictions: Predictions) -> Ensemble:
    """What is submitted, and its out-of-fold twin: the models blended, thresholds set, the competition's last word."""
    metric = _metric(competition)
    decisions = apply_thresholds(metric, fit_ensemble(predictions, folds, metric), predictions.y, folds)
    return postprocessed(competition, tables, decisions)


def _refuse_text(**lists: object) -> None:
    """Raise UsageError for a text where a list of names is meant: its letters would be taken for them."""
    for option, names in lists.items():
        if isinstance(names, str):
            raise UsageError(f"{option} must be a list of names, such as [{names!r}], however: the text {names!r}.")


def _seeds(seed: Sequence[int]) -> tuple[int, ...]:
    """Each seed once. Raises UsageError where there is none."""
    if not seed:
        raise UsageError("seed must hold at least one number, such as (0,), however: it is empty.")
    return tuple(dict.fromkeys(seed))


def _say_positive(competition: Competition, tables: Tables) -> Competition:
    """Where one probability is asked for of two words, which of them it is that of, among the reasons."""
    labels = targets(competition, tables)[1]
    asked = asked_columns(competition, tables)
    if labels is None or len(labels) != 2 or len(asked) != 1 or labels.dtype.kind != "O":
        return competition
    if _metric(competition).needs != "probability":
        return competition
    label = labels[positive(labels, (competition.targets[0], asked[0]))]
    reason = Reason(text=f"{asked[0]} is the probability of {label}", guess=True)
    return replace(competition, inferred={**competition.inferred, "positive": reason})


def _reserve(budget: float | None) -> float:
    """Seconds of a budget that are kept for blending, checks and writing, and for Python to start and end."""
    return 0.0 if budget is None else min(0.3 * budget, 4.0 + 0.04 * budget)


def prepare(slug: str, **asked: Any) -> tuple[Competition, Tables]:
    """A competition with every field settled, and its cleaned tables. asked : as for ``read_asked``."""
    return settled(*read_asked(slug, **asked))


def read_asked(
    slug: str | Competition,
    *,
    data: str | Path | None = None,
    metric: str | None = None,
    target: str | Sequence[str] | None = None,
    id: str | None = None,
    text: Sequence[str] = (),
    split: str | None = None,
    drop: Sequence[str] = (),
    downloading: Callable[[int, int], None] = lambda done, size: None,
) -> tuple[Competition, Tables]:
    """A competition with the options that were given, and its tables as they are in the files."""
    competition = slug if isinstance(slug, Competition) else find(slug)
    several = target if isinstance(target, str) or target is None or len(target) > 1 else target[0]
    given = {"metric": metric and get_metric(metric), "target": several, "id": id, "split": split, "drop": tuple(drop)}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value}
    competition = replace(competition, **changes, text=(*competition.text, *text))
    return competition, load(competition.slug, data, text=competition.text, id=competition.id, on_download=downloading)


def load(
    slug: str,
    path: str | Path | None = None,
    *,
    text: Sequence[str] = (),
    id: str | None = None,
    on_download: Callable[[int, int], None] = lambda done, size: None,
) -> Tables:
    """A competition's tables: train, test and the sample submission, with their column types.

    Parameters
    ----------
    slug : str
        The competition's name on Kaggle.
    path : str or Path, optional
        A folder, Kaggle's zip, or "sample". Without it kpipe looks in ``KPIPE_DATA/<slug>``, a kernel's input folders
        and the cache of downloads, then asks Kaggle if there are credentials, and last takes the embedded sample.
    text : sequence of str
        Columns to read as text although they look like numbers.
    id : str, optional
        The id column, where it is known.
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
    return loading.load(slug, path, text=text, id=id, downloader=KaggleDownloader(), on_download=on_download)


def settled(competition: Competition, read: Tables) -> tuple[Competition, Tables]:
    """A competition with every field settled, and the cleaned tables."""
    cleaned = competition.clean(read)
    # Also the further tables that clean has read, whether it hands them on or not.
    cleaned = replace(cleaned, source=replace(cleaned.source, files=file_hashes(read)))
    _refuse_nested(cleaned)
    competition, tables = adapt(competition, cleaned)
    return resolve(competition, tables), tables


def _refuse_nested(tables: Tables) -> None:
    """Raise DataError for cells that hold several values: nothing can be counted or compared by them."""
    for name, frame in (("train", tables.train), ("test", tables.test)):
        for column in (column for column in frame if pd.api.types.is_object_dtype(frame[column])):
            for row, value in enumerate(frame[column], start=1):
                if isinstance(value, list | dict | set | np.ndarray):
                    raise DataError(
                        f"{name}.csv, column {column!r}, row {row}: after clean a cell must hold one value, however: "
                        f"a {type(value).__name__}. Make a column of each part, or text of all."
                    )


def _rehearse(competition: Competition, tables: Tables, folds: Folds) -> None:
    """Refuse before training what could be neither judged nor submitted after it."""
    y, labels = targets(competition, tables)
    rehearse(competition, tables, labels)
    metric, outputs = _metric(competition), len(competition.targets) if labels is None else len(labels)
    check_domain(metric, y)
    dummy = baseline(metric, y, folds, outputs=outputs)[1]
    evaluate(metric, y, dummy)
    if competition.postprocess is not None:
        rng = np.random.default_rng(0)
        rows = [rng.choice(np.flatnonzero(~np.isnan(dummy).any(axis=1)), len(frame)) for frame in (y, tables.test)]
        oof, test = (_plausible(metric, y[some], dummy.shape[1], rng) for some in rows)
        postprocessed(competition, tables, Ensemble(weights={}, oof=oof, test=test))


def _plausible(metric: Metric, y: np.ndarray, outputs: int, rng: np.random.Generator) -> np.ndarray:
    """(n, k) numbers that a model might give, for code that wants some."""
    if metric.task == "regression" or y.ndim > 1:
        return y.reshape(len(y), -1).astype(np.float64)
    return rng.dirichlet(np.ones(outputs), len(y))


def _metric(competition: Competition) -> Metric:
    assert isinstance(competition.metric, Metric)  # resolved
    return competition.metric


def _save(space: RunFolder, outcome: RunResult, **told: Any) -> Run:
    """Write everything, ``run.json`` last, and give the folder its name."""
    record = make_record(outcome, call=space.call, **told)
    space.write("submission.csv", outcome.csv)
    space.write_table("folds.parquet", folds_to_frame(outcome.folds))
    space.write_table("oof.parquet", predictions_table(outcome, "oof"))
    space.write_table("test.parquet", predictions_table(outcome, "test"))
    fitted = ((model.name, model.curves) for model in outcome.predictions.models)
    space.write_table("curves.parquet", curves_table(fitted))
    record["run_id"] = space.run_id(record["created"])
    space.write("run.json", (json.dumps(record, indent=2, allow_nan=False) + "\n").encode())
    return Run(path=space.finish(record["run_id"]), record=record)
