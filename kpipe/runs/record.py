"""The record of a finished run: the content of ``run.json``."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from kpipe.core.metrics import evaluate
from kpipe.core.values import ModelPredictions, Reason, Score, Step
from kpipe.data.further_tables import file_hashes
from kpipe.forecast.forecast import Forecast
from kpipe.problem.problem import Problem
from kpipe.runs.provenance import machine, versions
from kpipe.runs.result import RunResult
from kpipe.training.clipping import clip_to_bounds
from kpipe.training.thresholds import cross_fit_thresholds

__all__ = ["inferred_reasons", "make_record"]

_GUESS = "a guess: "  # how kpipe 0.1 marked a guess


def make_record(
    result: RunResult,
    *,
    seeds: Sequence[int],
    device: str,
    command: Sequence[str],
    seconds: float,
    request: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of ``run.json``, with an empty ``run_id``. NaN, which JSON does not have, becomes None.

    Parameters
    ----------
    result : RunResult
        Everything that the run produced.
    seeds : sequence of int
        The seeds that were asked for.
    device : str
        The device that was used.
    command : sequence of str
        What the user typed.
    seconds : float
        How long the run took.
    request : mapping, optional
        The content of ``request.json``, which a reproduction of the run starts from.

    Returns
    -------
    dict
        JSON types.
    """
    problem, predictions = result.problem, result.predictions
    return {
        "schema": 1,
        "run_id": "",
        **{name: (request or {}).get(name) for name in ("name", "note")},
        "slug": problem.slug,
        **_competition_fields(problem),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": "complete",
        "data": _data(problem),
        "metric": {"name": problem.metric.name, "greater_is_better": problem.metric.greater_is_better},
        "inferred": {field: reason.text for field, reason in problem.reasons.items()},
        "guesses": [field for field, reason in problem.reasons.items() if reason.guess],
        "conversions": dict(problem.conversions),
        "columns_left_out": dict(problem.left_out),
        "weights": {kind: asdict(found) for kind, found in problem.weights.items() if found is not None},
        "vault": None
        if problem.locked is None
        else {"rows": len(problem.locked.rows), "sha256": problem.locked.sha256},
        **_scores(result),
        "clipped": _clipped(result),
        "forecast": _forecast(result.forecast),
        "models": [_model_record(result, model) for model in predictions.models],
        "left_out": dict(predictions.skipped),
        "fallback": predictions.fallback or None,
        "plan": [_step(step) for step in (*predictions.steps, *result.ensemble.steps)],
        "fits": {"all": predictions.n_fits, "reused": predictions.n_reused},
        "shortened": {name: [list(of_net) for of_net in steps] for name, steps in predictions.shortened.items()},
        "families": _families(result),
        "checks": [{"name": c.name, "status": c.status, "detail": c.detail} for c in result.checks],
        "submission": _submission(result),
        "seconds": round(seconds, 3),
        "peak_memory_mib": round(predictions.peak_memory_mib, 1),
        "seed": list(seeds),
        "folds": len(result.folds.valid),
        "device": device,
        "versions": versions(),
        **_provenance(request or {}),
        "command": list(command),
    }


def _provenance(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a reproduction needs, and the run's inputs besides files and versions."""
    inputs, parallelism = request.get("inputs", {}), {name: request.get(name) for name in ("jobs", "threads")}
    return {
        "key": request.get("key"),
        "options": request.get("options"),
        "kpipe_toml": request.get("kpipe_toml"),
        "code": inputs.get("code"),
        "settings": inputs.get("settings"),
        "machine": {**machine(), **parallelism},
    }


def _data(problem: Problem) -> dict[str, Any]:
    tables = problem.tables
    return {
        "origin": tables.source.origin,
        "path": str(tables.source.path),
        "files": file_hashes(tables),
        "rows": {"train": len(tables.train), "test": len(tables.test)},
        "extra_rows": tables.extra,
        "notes": list(tables.source.notes),
    }


def _submission(result: RunResult) -> dict[str, Any]:
    frame = result.submission.frame
    text = [str(name) for name in frame.columns if pd.api.types.is_string_dtype(frame[name])]  # to be read as text
    return {
        "file": "submission.csv",
        "rows": len(frame),
        "sha256": hashlib.sha256(result.csv).hexdigest(),
        "sendable": result.submission.sendable,
        "text": text,
        "encoding": result.submission.encoding,
    }


def _competition_fields(problem: Problem) -> dict[str, Any]:
    """The options that a run of the same problem needs."""
    target = problem.targets[0] if len(problem.targets) == 1 else list(problem.targets)
    given = problem.competition
    own = {"id": problem.id, "target": target, "task": problem.task}
    return own | {"split": given.split, "drop": list(given.drop), "text": list(given.text)}


def inferred_reasons(record: Mapping[str, Any]) -> dict[str, Reason]:
    """Why each inferred field has its value, from a run's record.

    Parameters
    ----------
    record : mapping
        The content of ``run.json``, of any version of kpipe.

    Returns
    -------
    dict of str to Reason
        Empty if the record holds no reasons.
    """
    inferred, guesses = record.get("inferred"), record.get("guesses")
    named = set(map(str, guesses)) if isinstance(guesses, list) else set()
    reasons = {}
    for field, text in inferred.items() if isinstance(inferred, Mapping) else ():
        marked = str(text).startswith(_GUESS)
        reasons[str(field)] = Reason(text=str(text).removeprefix(_GUESS), guess=marked or str(field) in named)
    return reasons


def _scores(result: RunResult) -> dict[str, Any]:
    """The score of the ensemble, with its standard error, its number of rows and the baseline."""
    score, below = result.score, _evaluate(result, result.baseline.oof)
    return {
        "score": _json(score.value),
        "standard_error": _json(score.standard_error),
        "rows": score.rows,
        "fold_scores": [_json(value) for value in score.folds],
        "baseline": _json(below.value),
        "baseline_standard_error": _json(below.standard_error),
        "baseline_name": result.baseline.name,
    }


def _clipped(result: RunResult) -> dict[str, dict[str, float]]:
    """Target → its lower bound, and the number of predictions that were raised to it, if there are any."""
    clipped, bounds = result.ensemble.clipped, result.problem.lower_bounds
    if clipped is None or bounds is None:
        return {}
    counts = zip(result.problem.targets, bounds, *(part.sum(axis=0) for part in clipped), strict=True)
    return {
        name: {"lower": float(lower), "oof": int(oof), "test": int(test)}
        for name, lower, oof, test in counts
        if oof or test
    }


def _forecast(forecast: Forecast) -> dict[str, Any]:
    """What to expect on the leaderboard."""
    numbers = {name: _json(getattr(forecast, name)) for name in ("value", "low", "high")}
    return {**numbers, "parts": _finite(forecast.parts)}


def _finite(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _finite(part) if isinstance(part, Mapping) else _json(part) if isinstance(part, float) else part
        for name, part in parts.items()
    }


def _model_record(result: RunResult, model: ModelPredictions) -> dict[str, Any]:
    oof = cross_fit_thresholds(result.problem.metric, model.oof, result.predictions.y, result.folds)
    score = _evaluate(result, clip_to_bounds(result.problem, oof))
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


def _step(step: Step) -> dict[str, Any]:
    """The gain from one step of a budget's plan."""
    numbers = {name: _json(getattr(step, name)) for name in ("gain", "standard_error", "seconds")}
    return {"step": step.name, **numbers, "used": step.used}


def _families(result: RunResult) -> list[dict[str, Any]]:
    """The families of features that each fold's models use; ``fold`` counts from 0, as ``fits`` does."""
    return [
        {
            "fold": fold,
            "target": result.problem.targets[family.output],
            "family": family.name,
            "features": family.candidates,
            "strongest": list(family.strongest),
            "gain": _json(family.gain),
            "standard_error": _json(family.standard_error),
        }
        for fold, families in result.predictions.families.items()
        for family in families
    ]


def _evaluate(result: RunResult, predictions: np.ndarray) -> Score:
    problem = result.problem
    return evaluate(problem.metric, result.predictions.y, predictions, folds=result.folds.valid, groups=problem.blocks)


def _json(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
