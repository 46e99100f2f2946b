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

from kpipe.core.metrics import evaluate
from kpipe.core.values import (
    Baseline,
    Check,
    Ensemble,
    Folds,
    ModelPredictions,
    Predictions,
    Reason,
    Score,
    Submission,
)
from kpipe.data.further_tables import file_hashes
from kpipe.problem.problem import Problem
from kpipe.runs.provenance import machine, versions
from kpipe.training.thresholds import cross_fit_thresholds

__all__ = ["GROUP", "RunResult", "inferred_reasons", "make_record", "predictions_table"]

_GUESS = "a guess: "
GROUP = "fold group"  # of oof.parquet: the number of a row's group, where folds keep groups whole


@dataclass(frozen=True)
class RunResult:
    """Everything that a run produced, before it is written.

    Attributes
    ----------
    csv : bytes
        The submission as it is written.
    """

    problem: Problem
    folds: Folds
    predictions: Predictions
    baseline: Baseline
    ensemble: Ensemble
    submission: Submission
    checks: tuple[Check, ...]
    csv: bytes


def make_record(
    result: RunResult,
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
    problem = result.problem
    source, tables, metric = problem.tables.source, problem.tables, problem.metric
    return {
        "schema": 1,
        "run_id": "",
        "slug": problem.slug,
        **_fields(problem),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": "complete",
        "data": {
            "origin": source.origin,
            "path": str(source.path),
            "files": file_hashes(tables),
            "rows": {"train": len(tables.train), "test": len(tables.test)},
        },
        "metric": {"name": metric.name, "greater_is_better": metric.greater_is_better},
        "inferred": {field: reason.text for field, reason in problem.reasons.items()},
        "guesses": [field for field, reason in problem.reasons.items() if reason.guess],
        **_scores(result),
        "models": [_model_record(result, model) for model in result.predictions.models],
        "left_out": dict(result.predictions.skipped),
        "checks": [{"name": c.name, "status": c.status, "detail": c.detail} for c in result.checks],
        "submission": {
            "file": "submission.csv",
            "rows": len(result.submission.frame),
            "sha256": hashlib.sha256(result.csv).hexdigest(),
            "sendable": result.submission.sendable,
            "text": _text_columns(result.submission.frame),
        },
        "seconds": round(seconds, 3),
        "peak_memory_mib": round(result.predictions.peak_memory_mib, 1),
        "seed": list(seeds),
        "folds": len(result.folds.valid),
        "device": device,
        "versions": versions(),
        **_again(call or {}),
        "command": list(command),
    }


def _again(call: Mapping[str, Any]) -> dict[str, Any]:
    """What making the run again takes, and what it was made of besides files and versions."""
    made, taken = call.get("inputs", {}), {name: call.get(name) for name in ("jobs", "threads")}
    return {
        "options": call.get("options"),
        "code": made.get("code"),
        "settings": made.get("settings"),
        "machine": {**machine(), **taken},
    }


def _text_columns(frame: pd.DataFrame) -> list[str]:
    """Columns that are to be read as text, whatever they look like."""
    return [str(name) for name in frame.columns if pd.api.types.is_string_dtype(frame[name])]


def _fields(problem: Problem) -> dict[str, Any]:
    """What was predicted and from what, as ``kpipe.run`` takes it again."""
    target = problem.targets[0] if len(problem.targets) == 1 else list(problem.targets)
    given = problem.competition
    own = {"id": problem.id, "target": target, "task": problem.task}
    return own | {"split": given.split, "drop": list(given.drop), "text": list(given.text)}


def inferred_reasons(record: Mapping[str, Any]) -> dict[str, Reason]:
    """Why each inferred field has its value, from a run's record.

    Parameters
    ----------
    record : mapping
        What ``run.json`` holds. Versions before 0.2 marked a guess by the words "a guess:" in the reason.

    Returns
    -------
    dict of str to Reason
        Empty where the record holds no reasons.
    """
    inferred, guesses = record.get("inferred"), record.get("guesses")
    named = set(map(str, guesses)) if isinstance(guesses, list) else set()
    reasons = {}
    for field, text in inferred.items() if isinstance(inferred, Mapping) else ():
        marked = str(text).startswith(_GUESS)
        reasons[str(field)] = Reason(text=str(text).removeprefix(_GUESS), guess=marked or str(field) in named)
    return reasons


def _scores(result: RunResult) -> dict[str, Any]:
    """The blend's score, with its standard error, rows and baseline."""
    score, below = _evaluate(result, result.ensemble.oof), _evaluate(result, result.baseline.oof)
    return {
        "score": _json(score.value),
        "standard_error": _json(score.standard_error),
        "rows": score.rows,
        "fold_scores": [_json(value) for value in score.folds],
        "baseline": _json(below.value),
        "baseline_standard_error": _json(below.standard_error),
        "baseline_name": result.baseline.name,
    }


def _model_record(result: RunResult, model: ModelPredictions) -> dict[str, Any]:
    score = _evaluate(
        result, cross_fit_thresholds(result.problem.metric, model.oof, result.predictions.y, result.folds)
    )
    return {
        "name": model.name,
        "score": _json(score.value),
        "standard_error": _json(score.standard_error),
        "fold_scores": [_json(value) for value in score.folds],
        "weight": round(result.ensemble.weights[model.name], 6),
        "seeds": list(model.seeds),
        "fits": {str(seed): list(folds) for seed, folds in model.fits.items()},
        "seconds": round(model.seconds, 3),
    }


def _evaluate(result: RunResult, predictions: np.ndarray) -> Score:
    problem = result.problem
    return evaluate(
        problem.metric, result.predictions.y, predictions, folds=result.folds.valid, groups=problem.group_values
    )


def _json(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def predictions_table(result: RunResult, which: Literal["oof", "test"]) -> pd.DataFrame:
    """Row, id where the file has one, target and group (out-of-fold), then the blend's and each model's outputs.

    Groups are numbers in the order of the file, in the column ``fold group``: runs are compared by them. Outputs are
    columns ``name``, or ``name/label`` for each class. A column of the file that has one of these names gets "(train)"
    or "(test)" behind it.
    """
    problem = result.problem
    frame = problem.tables.train if which == "oof" else problem.tables.test
    kept = [name for name in (problem.id, *problem.targets) if name in frame.columns]
    rows = pd.DataFrame({"row": np.arange(len(frame))})
    if which == "oof" and problem.groups is not None:
        rows[GROUP] = pd.factorize(frame[problem.groups], use_na_sentinel=False)[0]
    outputs = _outputs(result, which)
    taken = {*rows.columns, *outputs.columns}
    file = "train" if which == "oof" else "test"
    own = frame[kept].reset_index(drop=True).rename(columns=lambda name: f"{name} ({file})" if name in taken else name)
    return pd.concat([rows, own, outputs], axis=1)


def _outputs(result: RunResult, which: Literal["oof", "test"]) -> pd.DataFrame:
    labels = result.predictions.classes
    columns: dict[str, np.ndarray] = {}
    sources: list[tuple[str, Ensemble | ModelPredictions]] = [("blend", result.ensemble)]
    sources += [(model.name, model) for model in result.predictions.models]
    for name, values in sources:
        predicted = values.oof if which == "oof" else values.test
        names = _names_of_outputs(name, predicted.shape[1], labels, result.problem.targets)
        columns |= dict(zip(names, predicted.T, strict=True))
    return pd.DataFrame(columns)


def _names_of_outputs(name: str, count: int, labels: np.ndarray | None, targets: Sequence[str]) -> list[str]:
    """``name/label`` for classes, ``name/target`` for several targets, ``name`` for one number."""
    if count == 1:
        return [name]
    return [f"{name}/{part}" for part in (targets if labels is None else labels)]
