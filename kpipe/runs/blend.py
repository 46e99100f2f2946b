"""Read the predictions of several runs, to blend their models.

``kpipe.training`` fits the weights of the blend such that no row is scored by weights that were fitted to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from kpipe.core.request import RunRequest
from kpipe.core.values import Folds, ModelPredictions, Predictions
from kpipe.data.further_tables import file_hashes
from kpipe.errors import DataError, UsageError
from kpipe.problem.problem import Problem
from kpipe.runs.find import find_run
from kpipe.runs.loaded import LoadedRun, load_run
from kpipe.runs.oof import OofPredictions
from kpipe.runs.prediction_tables import VAULT_PREDICTIONS, output_columns
from kpipe.runs.recorded import recorded_files, recorded_vault
from kpipe.runs.run import Run, refuse_blend
from kpipe.runs.tables import read_parquet, to_numbers
from kpipe.training.folds import same_rows

__all__ = ["find_runs_to_blend", "predictions_of_runs", "request_of_blend"]

_SUFFIX = 6  # last characters of a run's id that are appended to the names of its models


def find_runs_to_blend(names: Sequence[str], out: Path) -> list[Run]:
    """The finished runs that some names stand for, each once.

    Parameters
    ----------
    names : sequence of str
        Folders of runs, or their ids, see ``find_run``.
    out : Path
        The folder that runs are written to, in which ids are looked up.

    Returns
    -------
    list of Run

    Raises
    ------
    UsageError
        If there are fewer than two runs, or one is itself a blend.
    """
    found = [find_run(name, out) for name in names]
    runs = list({run.record["run_id"]: run for run in found}.values())
    if len(runs) < 2:
        raise UsageError("A blend needs at least two runs.", code="missing-argument")
    for run in runs:
        refuse_blend(run)
    return runs


def request_of_blend(runs: Sequence[Run], *, out: Path, data: str | Path | None) -> RunRequest:
    """The request that defines the problem of a blend: the competition and the files of its first run.

    Parameters
    ----------
    runs : sequence of Run
        The runs to blend.
    out : Path
        The folder in which the new run is created.
    data : str or Path, optional
        Where the files are now; None for where the first run found them.

    Returns
    -------
    RunRequest

    Raises
    ------
    DataError
        If the record of the first run is broken.
    """
    record, place = runs[0].record, runs[0].path / "run.json"
    first = RunRequest.from_json(record["slug"], record.get("options"), place=place)
    all_rows = recorded_vault(record) is None
    return RunRequest(first.slug, **first.competition_options(), data=data or first.data, out=out, all_rows=all_rows)


def predictions_of_runs(problem: Problem, runs: Sequence[Run]) -> tuple[Folds, Predictions]:
    """The folds that several runs share, and the predictions of all their models, aligned by row.

    Parameters
    ----------
    problem : Problem
        The problem that all runs must have solved.
    runs : sequence of Run
        The runs to blend.

    Returns
    -------
    folds : Folds
    predictions : Predictions
        Models are named ``<model>@<end of the run's id>``.

    Raises
    ------
    UsageError
        If the runs differ in folds, targets, rows or classes, or one failed a check.
    DataError
        If a run used other files than the problem, or its tables are missing or broken.
    """
    locked = None if problem.locked is None else problem.locked.sha256
    for run in runs:
        _check_competition(run, problem.slug, file_hashes(problem.tables))
        if recorded_vault(run.record) != locked:
            raise UsageError(
                f"Cannot blend {run.record['run_id']}: runs with a vault and without, or with different vaults, are "
                "trained on different rows.",
                code="not-blendable",
            )
    loaded = [load_run(run) for run in runs]
    folds = _shared_folds(loaded)
    suffixes, rows = _suffixes(runs), len(problem.to_predict.tables.test)
    models = [
        model
        for run, suffix in zip(loaded, suffixes, strict=True)
        for model in _models(run, _checked_oof(run, problem), suffix, rows)
    ]
    if len({model.oof.shape for model in models}) > 1 or len(models[0].oof) != len(problem.y):
        raise UsageError("Cannot blend these runs: they predict different rows or targets.", code="not-blendable")
    return folds, Predictions(models=tuple(models), classes=problem.labels, y=problem.y)


def _check_competition(run: Run, slug: str, files: Mapping[str, str]) -> None:
    """Raise an error unless a run used these files of this competition and failed no check."""
    run_id = run.record["run_id"]
    failed = [check["name"] for check in run.record["checks"] if check["status"] == "fail"]
    if failed:
        raise UsageError(
            f"Cannot blend {run_id}: it failed the check {failed[0]!r}, which the blend would hide.",
            code="not-blendable",
        )
    if run.record["slug"] != slug:
        raise UsageError(
            f"Cannot blend {run_id}: it is a run of {run.record['slug']}, not of {slug}.", code="not-blendable"
        )
    used = recorded_files(run.record)
    # A file that only postprocess reads is not among ``files`` yet, and no model has seen it.
    if not used or {name: used.get(name) for name in files} != dict(files):
        raise DataError(
            f"{run_id} was trained on other files. Pass the files that it was trained on with --data.",
            code="other-data",
        )


def _shared_folds(runs: Sequence[LoadedRun]) -> Folds:
    folds = []
    for run in runs:
        if run.folds is None:
            raise DataError(f"{run.path}: {' '.join(run.missing)}", code="broken-run", file=str(run.path))
        folds.append(run.folds)
    if not all(same_rows(one, folds[0]) for one in folds[1:]):
        raise UsageError(
            "Cannot blend these runs: their folds differ, so one model may have been trained on rows on which another "
            f"is scored, and the score would be too optimistic. {_same_folds(runs, folds)}",
            code="not-blendable",
        )
    return replace(folds[0], refit=any(one.refit for one in folds))  # earlier versions did not store it


def _same_folds(runs: Sequence[LoadedRun], folds: Sequence[Folds]) -> str:
    """How to train runs with the same folds, with the number of folds of each run if that differs."""
    counts = [len(one.train) for one in folds]
    if len(set(counts)) == 1:
        return "Train them with the same --folds and the same first --seed."
    have = [f"{run.record['run_id']} has {count}" for run, count in zip(runs, counts, strict=True)]
    return (
        f"Of these runs, {', '.join(have[:-1])} and {have[-1]} folds (with --budget, kpipe may use more folds). "
        f"Train one of them again with --folds {counts[0]}, and with the same first --seed."
    )


def _checked_oof(run: LoadedRun, problem: Problem) -> OofPredictions:
    """A run's out-of-fold predictions. Raises an error unless they are of the problem's targets, classes and rows."""
    if run.oof is None:
        raise DataError(f"{run.path}: {' '.join(run.missing)}", code="broken-run", file=str(run.path))
    oof, run_id, targets, y = run.oof, run.record["run_id"], ", ".join(problem.targets), problem.y
    if oof.targets != problem.targets:
        raise UsageError(
            f"Cannot blend {run_id}: it predicts {', '.join(oof.targets)}, not {targets}.", code="not-blendable"
        )
    if oof.classes != (None if problem.labels is None else tuple(map(str, problem.labels))):
        raise UsageError(
            f"Cannot blend {run_id}: it predicts other classes of {targets}, or numbers instead of classes.",
            code="not-blendable",
        )
    all_rows = oof.y.shape == y.shape and np.array_equal(np.sort(oof.rows), np.arange(len(y)))
    if not (all_rows and np.allclose(_in_order(oof.y.astype(np.float64), oof.rows), y)):
        raise UsageError(
            f"Cannot blend {run_id}: it was scored on other rows or other values of {targets}, so the competition's "
            "module has changed since. Train it again.",
            code="not-blendable",
        )
    return oof


def _suffixes(runs: Sequence[Run]) -> list[str]:
    """The ends of the runs' ids, which make the names of their models unique; whole ids if two ends are equal."""
    ids = [run.record["run_id"] for run in runs]
    ends = [run_id[-_SUFFIX:] for run_id in ids]
    return ends if len(set(ends)) == len(ids) else ids


def _models(run: LoadedRun, oof: OofPredictions, suffix: str, rows: int) -> list[ModelPredictions]:
    """The predictions of a run's models, in the order of the files' rows."""
    vault = None if recorded_vault(run.record) is None else read_parquet(run.path / VAULT_PREDICTIONS)
    test = read_parquet(run.path / "test.parquet", rows=rows - (0 if vault is None else len(vault)))
    test = test if vault is None else pd.concat([test, vault], ignore_index=True)
    found = []
    for model in run.models:
        columns = output_columns(test, model.name)
        predicted = to_numbers("test.parquet", test[columns])
        alike = model.name in oof.models and oof.models[model.name].shape[1:] == predicted.shape[1:]
        if not alike or not columns or len(test) != rows or np.isnan(predicted).any():
            raise DataError(
                f"{run.path}: the predictions of {model.name} are missing or of other rows.",
                code="broken-run",
                file=str(run.path),
            )
        found.append(
            ModelPredictions(
                name=f"{model.name}@{suffix}",
                oof=_in_order(oof.models[model.name], oof.rows),
                test=predicted,
                seconds=model.seconds or 0.0,
                seeds=model.seeds,
            )
        )
    return found


def _in_order(oof: np.ndarray, rows: np.ndarray) -> np.ndarray:
    ordered = np.full_like(oof, np.nan)
    ordered[rows] = oof
    return ordered
