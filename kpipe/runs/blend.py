"""Read the predictions of several runs, to blend their models anew.

The ensemble's weights are fitted by ``kpipe.training``, so that no row is scored by weights that it was used to fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kpipe.core.request import COMPETITION_OPTIONS, RunRequest
from kpipe.core.values import Folds, ModelPredictions, Predictions
from kpipe.data.further_tables import file_hashes
from kpipe.errors import DataError, UsageError
from kpipe.problem.problem import Problem
from kpipe.runs.find import find_run
from kpipe.runs.loaded import LoadedRun, load_run
from kpipe.runs.run import Run, refuse_blend
from kpipe.runs.tables import output_columns
from kpipe.training.folds import folds_from_frame

__all__ = ["find_runs_to_blend", "predictions_of_runs", "request_of_blend"]

_END = 6  # characters of a run's id


def find_runs_to_blend(names: Sequence[str], out: Path) -> list[Run]:
    """The runs of some names, each once.

    Parameters
    ----------
    names : sequence of str
        Folders of runs, or their ids.
    out : path
        Folder of runs, in which an id is looked up.

    Returns
    -------
    list of Run

    Raises
    ------
    UsageError
        If there are fewer than two, or one is itself a blend.
    """
    found = [find_run(name, out) for name in names]
    runs = list({run.record["run_id"]: run for run in found}.values())
    if len(runs) < 2:
        raise UsageError("A blend needs at least two runs.")
    for run in runs:
        refuse_blend(run)
    return runs


def request_of_blend(runs: Sequence[Run], *, out: Path, data: str | Path | None) -> RunRequest:
    """The request that defines the problem of a blend: the competition and the files of its first run.

    Parameters
    ----------
    runs : sequence of Run
    out : path
        Folder in which the new run is created.
    data : str or path, optional
        Where the files are now; by default where the first run found them.

    Returns
    -------
    RunRequest

    Raises
    ------
    DataError
        If the record of the first run is broken.
    """
    record, place = runs[0].record, runs[0].path / "run.json"
    then = RunRequest.from_json(record["slug"], record.get("options"), place=place)
    options = {name: getattr(then, name) for name in COMPETITION_OPTIONS}
    return RunRequest(then.slug, **options, data=data or then.data, out=out)


def predictions_of_runs(problem: Problem, runs: Sequence[Run]) -> tuple[Folds, Predictions]:
    """The folds that several runs share, and the predictions of all their models.

    Parameters
    ----------
    problem : Problem
    runs : sequence of Run

    Returns
    -------
    tuple of Folds and Predictions
        Models are named ``<model>@<end of the run's id>``.

    Raises
    ------
    UsageError
        If the runs have other folds, targets, rows or labels, or one failed a check.
    DataError
        If a run used other files than the problem, or its tables are missing or broken.
    """
    for run in runs:
        _same_competition(run, problem.slug, file_hashes(problem.tables))
    loaded = [load_run(run) for run in runs]
    folds = _folds(loaded)
    for one in loaded:
        _same_truth(one, problem)
    ends, rows = _ends(runs), len(problem.tables.test)
    models = [model for one, end in zip(loaded, ends, strict=True) for model in _models(one, end, rows)]
    if len({model.oof.shape for model in models}) > 1 or len(models[0].oof) != len(problem.y):
        raise UsageError("The runs' predictions are of other rows or other targets: they cannot be blended.")
    return folds, Predictions(models=tuple(models), classes=problem.labels, y=problem.y)


def _same_competition(run: Run, slug: str, files: Mapping[str, str]) -> None:
    failed = [check["name"] for check in run.record["checks"] if check["status"] == "fail"]
    if failed:
        raise UsageError(f"{run.record['run_id']} failed the check {failed[0]!r}, which a blend would hide: mend it.")
    if run.record["slug"] != slug:
        raise UsageError(f"{run.record['run_id']} is a run of {run.record['slug']}, not of {slug}: nothing to blend.")
    data = run.record.get("data")
    then = data.get("files") if isinstance(data, dict) else None
    # What only postprocess asked for is not there yet, and the models never saw it.
    if not isinstance(then, dict) or {name: then.get(name) for name in files} != dict(files):
        raise DataError(
            f"{run.record['run_id']} was trained on other files than are there now: say with --data where they are."
        )


def _folds(facts: Sequence[LoadedRun]) -> Folds:
    frames = [one.folds for one in facts if one.folds is not None]
    if len(frames) < len(facts):
        raise DataError(f"{facts[0].path}: folds.parquet is missing or broken.")
    if not all(frame.equals(frames[0]) for frame in frames[1:]):
        raise UsageError(
            "The runs have other folds: a row that one model is scored on has trained another, and the blend's score "
            "would flatter. Train them with the same --folds and the same first --seed."
        )
    return folds_from_frame(frames[0])


def _same_truth(run: LoadedRun, problem: Problem) -> None:
    """Raise UsageError where a run predicted something else than what the blend is scored by."""
    if run.oof is None:
        raise DataError(f"{run.path}: {' '.join(run.missing)}")
    oof, name, targets, y = run.oof, run.record["run_id"], ", ".join(problem.targets), problem.y
    if oof.targets != problem.targets:
        raise UsageError(f"{name} predicts {', '.join(oof.targets)}, not {targets}: the runs cannot be blended.")
    if oof.classes != (None if problem.labels is None else tuple(map(str, problem.labels))):
        raise UsageError(
            f"{name} predicts other labels of {targets}, or values where the others predict labels: the runs cannot "
            "be blended."
        )
    whole = oof.y.shape == y.shape and np.array_equal(np.sort(oof.rows), np.arange(len(y)))
    if not (whole and np.allclose(_in_order(oof.y.astype(np.float64), oof.rows), y)):
        raise UsageError(
            f"{name} was scored on other values of {targets}, or on other rows: the competition's module has changed "
            "since. Train it again."
        )


def _ends(runs: Sequence[Run]) -> list[str]:
    """The ends of the runs' ids, which tell the same model of two runs apart; whole ids where the ends do not."""
    ids = [run.record["run_id"] for run in runs]
    short = [name[-_END:] for name in ids]
    return short if len(set(short)) == len(ids) else ids


def _models(facts: LoadedRun, end: str, rows: int) -> list[ModelPredictions]:
    """A run's models, with the end of its id in their names."""
    assert facts.oof is not None
    test = pd.read_parquet(facts.path / "test.parquet")
    found = []
    for model in facts.models:
        columns = output_columns(test, model.name)
        if model.name not in facts.oof.models or not columns or len(test) != rows:
            raise DataError(f"{facts.path}: the predictions of {model.name} are missing or of other rows.")
        found.append(
            ModelPredictions(
                name=f"{model.name}@{end}",
                oof=_in_order(facts.oof.models[model.name], facts.oof.rows),
                test=test[columns].to_numpy(dtype=np.float64),
                seconds=model.seconds or 0.0,
                seeds=model.seeds,
            )
        )
    return found


def _in_order(oof: np.ndarray, rows: np.ndarray) -> np.ndarray:
    ordered = np.full_like(oof, np.nan)
    ordered[rows] = oof
    return ordered
