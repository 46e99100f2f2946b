"""A run made from runs: their models blended anew, with weights that are judged on rows they were not fitted on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kpipe.core.values import Folds, ModelPredictions, Predictions
from kpipe.data.further_tables import file_hashes
from kpipe.errors import DataError, UsageError
from kpipe.pipeline import finish, read_asked, settled
from kpipe.problem.competition import Competition
from kpipe.problem.splitters import folds_from_frame
from kpipe.runs.calls import options_from
from kpipe.runs.find import find_run
from kpipe.runs.loaded import LoadedRun, load_run
from kpipe.runs.run import Run, refuse_blend
from kpipe.runs.store import key_of, open_run_folder
from kpipe.runs.tables import output_columns
from kpipe.training.cross_validation import targets

__all__ = ["combine"]

_END = 6  # characters of a run's id
_FIELDS = ("metric", "target", "id", "text", "split", "drop")


def combine(
    names: Sequence[str],
    *,
    out: str | Path = "submissions",
    data: str | Path | None = None,
    command: Sequence[str] = (),
) -> Run:
    """A new run of all models of several runs, trained on the same rows and folds.

    names : runs' folders, or their ids under ``out``, where the new run is made.
    data : folder or Kaggle's zip; default: where the first run found it.
    Raises UsageError where the runs do not fit each other, DataError where the files are not those of the runs.
    """
    began = time.perf_counter()
    named = [find_run(name, Path(out)) for name in names]
    runs = list({run.record["run_id"]: run for run in named}.values())
    if len(runs) < 2:
        raise UsageError("A blend needs at least two runs.")
    for run in runs:
        refuse_blend(run)
    first = runs[0]
    options = options_from(first.record, first.path / "run.json")
    slug, fields = first.record["slug"], {name: options[name] for name in _FIELDS if name in options}
    asked, files = read_asked(slug, data=data or options.get("data"), **fields)
    competition, tables = settled(asked, files)
    for run in runs:
        _same_competition(run, slug, file_hashes(tables))
    facts = [load_run(run) for run in runs]
    folds = _folds(facts)
    y, labels = targets(competition, tables)
    for one in facts:
        _same_truth(one, competition, y, labels)
    ends = _ends(runs)
    models = [model for one, end in zip(facts, ends, strict=True) for model in _models(one, end, len(tables.test))]
    if len({model.oof.shape for model in models}) > 1 or len(models[0].oof) != len(y):
        raise UsageError("The runs' predictions are of other rows or other targets: they cannot be blended.")
    predictions = Predictions(models=tuple(models), classes=labels, y=y)
    made = {"files": file_hashes(tables), "settings": {"blend": [run.record["run_id"] for run in runs]}}
    key = key_of(made)
    told: dict[str, Any] = {"seeds": _seeds(models), "device": str(first.record.get("device")), "command": command}
    with open_run_folder(Path(out), slug, key, {"key": key, "made_of": made}) as space:
        return finish(space, competition, files, tables, folds, predictions, began=began, **told)


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


def _same_truth(facts: LoadedRun, competition: Competition, y: np.ndarray, labels: np.ndarray | None) -> None:
    """Raise UsageError where a run predicted something else than what the blend is judged by."""
    if facts.oof is None:
        raise DataError(f"{facts.path}: {' '.join(facts.missing)}")
    judged, name, asked = facts.oof, facts.record["run_id"], ", ".join(competition.targets)
    if judged.targets != competition.targets:
        raise UsageError(f"{name} predicts {', '.join(judged.targets)}, not {asked}: nothing to blend.")
    if judged.classes != (None if labels is None else tuple(map(str, labels))):
        raise UsageError(
            f"{name} predicts other labels of {asked}, or values where others are labels: nothing to blend."
        )
    whole = judged.y.shape == y.shape and np.array_equal(np.sort(judged.rows), np.arange(len(y)))
    if not (whole and np.allclose(_in_order(judged.y.astype(np.float64), judged.rows), y)):
        raise UsageError(
            f"{name} is judged by other values of {asked} than are there now, or by other rows: the competition's "
            "module has changed since. Train it again."
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


def _seeds(models: Sequence[ModelPredictions]) -> tuple[int, ...]:
    return tuple(sorted({seed for model in models for seed in model.seeds}))
