"""A run made from runs: their models blended anew, with weights that are judged on rows they were not fitted on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kpipe.calls import options_from
from kpipe.errors import DataError, UsageError
from kpipe.leaderboard import run_named
from kpipe.pipeline import finish, read_asked, settled
from kpipe.report.reading import Facts, outputs_of, read
from kpipe.runs import Run, key_of, workspace
from kpipe.splitters import folds_from_frame
from kpipe.training import targets
from kpipe.values import Folds, ModelPredictions, Predictions

__all__ = ["combine"]

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
    runs = [run_named(name, Path(out)) for name in names]
    if len({run.record["run_id"] for run in runs}) < 2:
        raise UsageError("A blend needs at least two runs.")
    first = runs[0]
    options = options_from(first.record, first.path / "run.json")
    slug, fields = first.record["slug"], {name: options[name] for name in _FIELDS if name in options}
    asked, files = read_asked(slug, data=data or options.get("data"), **fields)
    competition, tables = settled(asked, files)
    for run in runs:
        _same_competition(run, slug, tables.source.files)
    facts = [read(run) for run in runs]
    folds = _folds(facts)
    y, labels = targets(competition, tables)
    models = [model for run, one in zip(runs, facts, strict=True) for model in _models(run, one, len(tables.test))]
    if len({model.oof.shape for model in models}) > 1 or len(models[0].oof) != len(y):
        raise UsageError("The runs' predictions are of other rows or other targets: they cannot be blended.")
    predictions = Predictions(models=tuple(models), classes=labels, y=y)
    made = {"files": dict(tables.source.files), "settings": {"blend": [run.record["run_id"] for run in runs]}}
    key = key_of(made)
    told: dict[str, Any] = {"seeds": _seeds(models), "device": str(first.record.get("device")), "command": command}
    with workspace(Path(out), slug, key, {"key": key, "made_of": made}) as space:
        return finish(space, competition, files, tables, folds, predictions, began=began, **told)


def _same_competition(run: Run, slug: str, files: Mapping[str, str]) -> None:
    failed = [check["name"] for check in run.record["checks"] if check["status"] == "fail"]
    if failed:
        raise UsageError(f"{run.record['run_id']} failed the check {failed[0]!r}, which a blend would hide: mend it.")
    if run.record["slug"] != slug:
        raise UsageError(f"{run.record['run_id']} is a run of {run.record['slug']}, not of {slug}: nothing to blend.")
    data = run.record.get("data")
    if not isinstance(data, dict) or data.get("files") != dict(files):
        raise DataError(
            f"{run.record['run_id']} was trained on other files than are there now: say with --data where they are."
        )


def _folds(facts: Sequence[Facts]) -> Folds:
    frames = [one.folds for one in facts if one.folds is not None]
    if len(frames) < len(facts):
        raise DataError(f"{facts[0].path}: folds.parquet is missing or broken.")
    if not all(frame.equals(frames[0]) for frame in frames[1:]):
        raise UsageError(
            "The runs have other folds: a row that one model is scored on has trained another, and the blend's score "
            "would flatter. Train them with the same --folds and the same first --seed."
        )
    return folds_from_frame(frames[0])


def _models(run: Run, facts: Facts, rows: int) -> list[ModelPredictions]:
    """A run's models with the end of its id, which tells the same model of two runs apart."""
    if facts.judged is None:
        raise DataError(f"{facts.path}: {' '.join(facts.missing)}")
    test = pd.read_parquet(run.path / "test.parquet")
    found = []
    for model in facts.models:
        columns = outputs_of(test, model.name)
        if model.name not in facts.judged.models or not columns or len(test) != rows:
            raise DataError(f"{facts.path}: the predictions of {model.name} are missing or of other rows.")
        found.append(
            ModelPredictions(
                name=f"{model.name}@{run.record['run_id'][-6:]}",
                oof=_in_order(facts.judged.models[model.name], facts.judged.rows),
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
