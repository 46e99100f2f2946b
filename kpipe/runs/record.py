"""What a finished run tells: ``run.json`` and the tables of its predictions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd

from kpipe.core.metrics import Metric, evaluate
from kpipe.core.values import Check, Ensemble, Folds, ModelPredictions, Predictions, Reason, Score, Submission, Tables
from kpipe.data.further_tables import file_hashes
from kpipe.models.baseline import baseline
from kpipe.problem.competition import Competition
from kpipe.runs.provenance import machine, versions
from kpipe.training.thresholds import cross_fit_thresholds

__all__ = ["GROUP", "RunResult", "make_record", "predictions_table"]

GROUP = "fold group"  # of oof.parquet: the number of a row's group, where folds keep groups whole


@dataclass(frozen=True)
class RunResult:
    """Everything a run gave."""

    competition: Competition
    metric: Metric
    tables: Tables
    folds: Folds
    predictions: Predictions
    blended: Ensemble
    submission: Submission
    checks: tuple[Check, ...]

    csv: bytes


def make_record(
    outcome: RunResult,
    *,
    seeds: Sequence[int],
    device: str,
    command: Sequence[str],
    seconds: float,
    call: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What ``run.json`` holds but for the run's id. NaN, which JSON lacks, becomes None.

    call : what ``call.json`` held: with it the run can be made again, and what has changed since can be named.
    """
    source, tables, metric = outcome.tables.source, outcome.tables, outcome.metric
    return {
        "schema": 1,
        "run_id": "",
        "slug": outcome.competition.slug,
        **_fields(outcome.competition),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": "complete",
        "data": {
            "origin": source.origin,
            "path": str(source.path),
            "files": file_hashes(tables),
            "rows": {"train": len(tables.train), "test": len(tables.test)},
        },
        "metric": {"name": metric.name, "greater_is_better": metric.greater_is_better},
        "inferred": {field: _said(reason) for field, reason in outcome.competition.inferred.items()},
        **_scores(outcome),
        "models": [_model_record(outcome, model) for model in outcome.predictions.models],
        "left_out": dict(outcome.predictions.left_out),
        "checks": [{"name": c.name, "status": c.status, "detail": c.detail} for c in outcome.checks],
        "submission": {
            "file": "submission.csv",
            "rows": len(outcome.submission.frame),
            "sha256": hashlib.sha256(outcome.csv).hexdigest(),
            "sendable": outcome.submission.sendable,
            "text": _text_columns(outcome.submission.frame),
        },
        "seconds": round(seconds, 3),
        "peak_memory_mib": round(outcome.predictions.peak_memory_mib, 1),
        "seed": list(seeds),
        "folds": len(outcome.folds.valid),
        "device": device,
        "versions": versions(),
        **_again(call or {}),
        "command": list(command),
    }


def _again(call: Mapping[str, Any]) -> dict[str, Any]:
    """What making the run again takes, and what it was made of besides files and versions."""
    made, taken = call.get("made_of", {}), {name: call.get(name) for name in ("jobs", "threads")}
    return {
        "options": call.get("options"),
        "code": made.get("code"),
        "settings": made.get("settings"),
        "machine": {**machine(), **taken},
    }


def _text_columns(frame: pd.DataFrame) -> list[str]:
    """Columns that are to be read as text, whatever they look like."""
    return [str(name) for name in frame.columns if pd.api.types.is_string_dtype(frame[name])]


def _fields(competition: Competition) -> dict[str, Any]:
    """What was predicted and from what, as ``kpipe.run`` takes it again."""
    target = competition.target if isinstance(competition.target, str) else list(competition.targets)
    own = {"id": competition.id, "target": target, "task": competition.task}
    return own | {"split": competition.split, "drop": list(competition.drop), "text": list(competition.text)}


def _said(reason: Reason) -> str:
    return f"a guess: {reason.text}" if reason.guess else reason.text


def _scores(outcome: RunResult) -> dict[str, Any]:
    """The blend's score, with its standard error, rows and baseline."""
    score = _evaluate(outcome, outcome.blended.oof)
    name, oof = baseline(outcome.metric, outcome.predictions.y, outcome.folds, outputs=outcome.blended.oof.shape[1])
    below = _evaluate(outcome, oof)
    return {
        "score": _json(score.value),
        "standard_error": _json(score.standard_error),
        "rows": score.rows,
        "fold_scores": [_json(value) for value in score.folds],
        "baseline": _json(below.value),
        "baseline_standard_error": _json(below.standard_error),
        "baseline_name": name,
    }


def _model_record(outcome: RunResult, model: ModelPredictions) -> dict[str, Any]:
    score = _evaluate(outcome, cross_fit_thresholds(outcome.metric, model.oof, outcome.predictions.y, outcome.folds))
    return {
        "name": model.name,
        "score": _json(score.value),
        "standard_error": _json(score.standard_error),
        "fold_scores": [_json(value) for value in score.folds],
        "weight": round(outcome.blended.weights[model.name], 6),
        "seeds": list(model.seeds),
        "fits": {str(seed): list(folds) for seed, folds in model.fits.items()},
        "seconds": round(model.seconds, 3),
    }


def _evaluate(outcome: RunResult, predictions: np.ndarray) -> Score:
    column = outcome.competition.groups
    groups = None if column is None else outcome.tables.train[column].to_numpy()
    return evaluate(outcome.metric, outcome.predictions.y, predictions, folds=outcome.folds.valid, groups=groups)


def _json(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def predictions_table(outcome: RunResult, which: Literal["oof", "test"]) -> pd.DataFrame:
    """Row, id where the file has one, target and group (out-of-fold), then the blend's and each model's outputs.

    Groups are numbers in the order of the file, in the column ``fold group``: runs are compared by them. Outputs are
    columns ``name``, or ``name/label`` for each class. A column of the file that has one of these names gets "(train)"
    or "(test)" behind it.
    """
    frame = outcome.tables.train if which == "oof" else outcome.tables.test
    kept = [name for name in (outcome.competition.id, *outcome.competition.targets) if name in frame.columns]
    rows = pd.DataFrame({"row": np.arange(len(frame))})
    if which == "oof" and outcome.competition.groups is not None:
        rows[GROUP] = pd.factorize(frame[outcome.competition.groups], use_na_sentinel=False)[0]
    outputs = _outputs(outcome, which)
    taken = {*rows.columns, *outputs.columns}
    file = "train" if which == "oof" else "test"
    own = frame[kept].reset_index(drop=True).rename(columns=lambda name: f"{name} ({file})" if name in taken else name)
    return pd.concat([rows, own, outputs], axis=1)


def _outputs(outcome: RunResult, which: Literal["oof", "test"]) -> pd.DataFrame:
    labels = outcome.predictions.classes
    columns: dict[str, np.ndarray] = {}
    sources: list[tuple[str, Ensemble | ModelPredictions]] = [("blend", outcome.blended)]
    sources += [(model.name, model) for model in outcome.predictions.models]
    for name, values in sources:
        predicted = values.oof if which == "oof" else values.test
        names = _names_of_outputs(name, predicted.shape[1], labels, outcome.competition.targets)
        columns |= dict(zip(names, predicted.T, strict=True))
    return pd.DataFrame(columns)


def _names_of_outputs(name: str, count: int, labels: np.ndarray | None, targets: Sequence[str]) -> list[str]:
    """``name/label`` for classes, ``name/target`` for several targets, ``name`` for one number."""
    if count == 1:
        return [name]
    return [f"{name}/{part}" for part in (targets if labels is None else labels)]
