"""Permutation importance on rows that the model did not see: a model of the run is fitted again, fold by fold.

A run keeps predictions and no models. So one model is trained again on a fold's training rows, by the code that trained
it, and is asked about the fold's validation rows as they are, and with one column shuffled at a time: they go to it as
test rows do. Its predictions of the rows as they are must be the run's own, which is checked and said.

References
----------
Breiman, "Random forests", Machine Learning 45, 2001: permuted columns. Fisher, Rudin and Dominici, "All models are
wrong, but many are useful", JMLR 20, 2019: on rows apart.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kpipe.core.devices import resolve_device
from kpipe.core.metrics import Metric, output
from kpipe.core.values import Folds, Tables
from kpipe.errors import KpipeError
from kpipe.problem.competition import Competition
from kpipe.runs.loaded import LoadedRun, Model, OofPredictions
from kpipe.training.cross_validation import choose_models, cross_validate
from kpipe.training.worker import Deadline

__all__ = ["Importance", "Line", "permuted"]

_PREDICTED = 40_000  # rows that a model is asked about in a fold, all shuffled copies together
_ROWS = 1_000  # of a fold's validation rows that are shuffled
_REPEATS = 2
_PART = 4  # of the time goes to training a fold, if it takes what it took; predicting the copies takes as long again
_MOST_COLUMNS = 200
_SAME = 1e-4  # apart, in standard deviations, are predictions that are called the same


@dataclass(frozen=True, kw_only=True)
class Line:
    """How much worse the score gets (in the metric's unit) with a column shuffled. error : its standard error."""

    column: str
    worse: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much worse a model's score gets with each column shuffled.

    lines : one a column, the most important first.
    agree : correlation of the refitted model's predictions with the run's own; None where they are not comparable.
    """

    model: str
    lines: tuple[Line, ...]
    folds: int
    rows: int
    score: float
    agree: float | None


def permuted(
    run: LoadedRun, oof: OofPredictions, competition: Competition, tables: Tables, *, seconds: float
) -> Importance | str:
    """The importance of each column, or why it is left out, as a sentence.

    seconds : about how long it may take: a model is chosen by what its folds took, and folds are added while time is.
    """
    columns = list(competition.columns or ())
    if run.folds is None:
        return "The folds are not in the run's folder."
    if not 1 < len(columns) <= _MOST_COLUMNS:
        return f"There are {len(columns)} columns: one by one, more than {_MOST_COLUMNS} say little and take long."
    model = _model(run, seconds)
    if model is None:
        return f"No model of the run trains a fold within {seconds / _PART:.0f} s. Give it longer with --budget."
    try:
        found = _refitted(run.folds, competition, tables, model, Deadline(seconds))
    except KpipeError as error:
        return f"{model.name} could not be trained again: {error}"
    assert isinstance(competition.metric, Metric)
    return _judged(competition.metric, oof, model, columns, found) if found else "No fold of the run can be used."


def _model(run: LoadedRun, seconds: float) -> Model | None:
    """The model with the greatest weight among those of which a fold was trained in a part of the time."""
    fits = max(len(run.items("fold_scores")), 1)
    quick = [m for m in run.models if (m.seconds or 0.0) / fits / max(len(m.seeds), 1) < seconds / _PART]
    return max((m for m in quick if m.weight), key=lambda m: m.weight or 0.0, default=None)


def _refitted(
    folds: pd.DataFrame, competition: Competition, tables: Tables, model: Model, clock: Deadline
) -> list[_Fold]:
    """Predictions of the first fold, and of as many more as the time is likely to allow."""
    found: list[_Fold] = []
    longest = 0.0
    for train, valid in _folds(folds, len(tables.train)):
        if found and not clock.fits(longest):
            break
        before = time.monotonic()
        found.append(_one_fold(competition, tables, model, train, valid))
        longest = max(longest, time.monotonic() - before)
    return found


def _folds(frame: pd.DataFrame, rows: int) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    for _, part in frame.groupby("fold", sort=True):
        is_train = (part["role"].astype(str) == "train").to_numpy()
        numbers = part["row"].to_numpy()
        inside = numbers.dtype.kind in "iu" and len(numbers) and numbers.min() >= 0 and numbers.max() < rows
        if inside and is_train.any() and not is_train.all():
            found.append((np.sort(numbers[is_train]), np.sort(numbers[~is_train])))
    return found


_Fold = tuple[np.ndarray, np.ndarray]  # rows, and (1 + columns × repeats, rows, k) predictions


def _one_fold(
    competition: Competition,
    tables: Tables,
    model: Model,
    train: np.ndarray,
    valid: np.ndarray,
) -> _Fold:
    columns = list(competition.columns or ())
    rng = np.random.default_rng(0)
    room = max(_PREDICTED // (1 + len(columns) * _REPEATS), 100)
    rows = np.sort(rng.permutation(valid)[: min(room, _ROWS)])
    asked = tables.train[columns].iloc[rows]
    copies = [asked] + [
        asked.assign(**{name: asked[name].iloc[rng.permutation(len(asked))].set_axis(asked.index)})
        for name in columns
        for _ in range(_REPEATS)
    ]
    everything = pd.concat(copies, ignore_index=True)
    given = cross_validate(
        competition,
        replace(tables, test=everything),
        Folds(train=(train,), valid=(valid,)),
        models=choose_models(competition, [model.name]),
        seeds=model.seeds[:1] or (0,),
        jobs=1,
        threads=1,  # as where folds are trained side by side; and on a busy machine two wait for each other
        device=resolve_device("auto"),
    )
    return rows, given.models[0].test.reshape(len(copies), len(rows), -1)


def _judged(
    metric: Metric, oof: OofPredictions, model: Model, columns: Sequence[str], found: Sequence[_Fold]
) -> Importance | str:
    rows = np.concatenate([rows for rows, _ in found])
    predicted = np.concatenate([values for _, values in found], axis=1)
    place = pd.Series(np.arange(len(oof.rows)), index=oof.rows).reindex(rows)
    if place.isna().any():
        return "The folds name rows that have no prediction."
    y = oof.y[place.to_numpy(dtype=int)]
    stored = oof.models.get(model.name)
    if metric.ordinal and predicted.shape[2] == 1 and oof.classes is not None:
        predicted = np.eye(len(oof.classes))[np.clip(predicted[..., 0].round(), 0, len(oof.classes) - 1).astype(int)]
        stored = None
    whole = _score(metric, y, predicted[0])
    sign = -1.0 if metric.greater_is_better else 1.0
    lines = []
    for number, name in enumerate(columns):
        copies = predicted[1 + number * _REPEATS : 1 + (number + 1) * _REPEATS]
        worse = [sign * (_score(metric, y, values) - whole) for values in copies]
        error = _error(metric, y, predicted[0], copies, worse)
        lines.append(Line(column=str(name), worse=float(np.mean(worse)), error=error))
    lines.sort(key=lambda line: -line.worse)
    agree = None if stored is None else _agreement(predicted[0], stored[place.to_numpy(dtype=int)])
    return Importance(model=model.name, lines=tuple(lines), folds=len(found), rows=len(rows), score=whole, agree=agree)


def _score(metric: Metric, y: np.ndarray, predicted: np.ndarray) -> float:
    return float(metric.function(y, output(metric, predicted)))


def _error(metric: Metric, y: np.ndarray, before: np.ndarray, copies: np.ndarray, worse: Sequence[float]) -> float:
    """Over rows, where the metric is a mean over them; else over the shuffles."""
    if metric.losses is None:
        return float(np.std(worse, ddof=1) / np.sqrt(len(worse)))
    own = metric.losses(y, output(metric, before))
    moved = np.mean([metric.losses(y, output(metric, values)) for values in copies], axis=0) - own
    error = float(moved.std(ddof=1) / np.sqrt(len(y)))
    return error / (2 * float(np.sqrt(own.mean()))) if metric.root and own.mean() > 0 else error


def _agreement(again: np.ndarray, stored: np.ndarray) -> float | None:
    if again.shape != stored.shape or np.isnan(stored).any() or stored.std() == 0 or again.std() == 0:
        return None
    if np.abs(again - stored).max() <= _SAME * stored.std():
        return 1.0
    return float(np.corrcoef(again.ravel(), stored.ravel())[0, 1])
