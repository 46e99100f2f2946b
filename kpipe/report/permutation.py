"""Permutation importance on validation rows: a model of the run is trained again, fold by fold.

A run keeps predictions, not models. So one of its models is trained again on the training rows of a fold, by the code
that trained it, and predicts the validation rows of the fold: as they are, and with one column shuffled at a time. All
these copies are predicted like test rows. The predictions of the rows as they are must equal the run's own; the report
says whether they do.

References
----------
Breiman, "Random forests", Machine Learning 45, 2001: importance by permutation.
Fisher, Rudin and Dominici, "All models are wrong, but many are useful", JMLR 20, 2019: on rows that the model was not
trained on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kpipe.core.devices import resolve_device
from kpipe.core.metrics import Metric, output
from kpipe.core.values import Folds
from kpipe.errors import KpipeError
from kpipe.problem.problem import Problem
from kpipe.runs.loaded import LoadedModel, LoadedRun
from kpipe.runs.oof import OofPredictions
from kpipe.training.cross_validation import cross_validate
from kpipe.training.deadline import Deadline
from kpipe.training.estimators import choose_models
from kpipe.training.stacking import STACKERS

__all__ = ["ColumnImportance", "Importance", "permutation_importance"]

_MOST_PREDICTED = 40_000  # rows in a fold, all copies together
_MOST_ROWS, _FEWEST_ROWS = 1_000, 100  # validation rows of a fold that are shuffled
_REPEATS = 2  # shuffles of each column
_FOLD_SHARE = 1 / 4  # of the time, that training the model on one fold may take; predicting the copies takes as long
_MOST_COLUMNS = 200
_EQUAL = 1e-4  # standard deviations, below which predictions count as equal


@dataclass(frozen=True, kw_only=True)
class ColumnImportance:
    """How much worse the score becomes when a column is shuffled.

    Parameters
    ----------
    column : str
        The name.
    value : float
        In units of the metric, positive where the score becomes worse.
    standard_error : float
        The standard error of ``value``.
    """

    column: str
    value: float
    standard_error: float


@dataclass(frozen=True, kw_only=True)
class Importance:
    """The permutation importance of each column for one model.

    Parameters
    ----------
    model : str
        The name of the model.
    columns : tuple of ColumnImportance
        The columns, the most important first.
    folds, rows : int
        How many folds the model was trained on, and how many validation rows it was scored on.
    score : float
        Of the rows without shuffling.
    correlation : float, optional
        Of the predictions without shuffling with the run's own; 1.0 where they are equal, None where they
        cannot be compared.
    """

    model: str
    columns: tuple[ColumnImportance, ...]
    folds: int
    rows: int
    score: float
    correlation: float | None


@dataclass(frozen=True)
class _Fold:
    """(n,) rows of train, and (1 + columns * repeats, n, k) predictions of them: as they are, then shuffled."""

    rows: np.ndarray
    predictions: np.ndarray


def permutation_importance(
    run: LoadedRun, oof: OofPredictions, problem: Problem, *, seconds: float
) -> Importance | str:
    """The permutation importance of each column.

    Parameters
    ----------
    run : LoadedRun
        The run.
    oof : OofPredictions
        Its out-of-fold predictions.
    problem : Problem
        Its problem.
    seconds : float
        The time to spend, approximately. The model with the largest weight that trains quickly enough is
        chosen, and folds are added while there is time.

    Returns
    -------
    Importance or str
        The importance, or why it was not computed, as a sentence.
    """
    columns = list(problem.columns)
    if seconds <= 0:
        return "it is turned off (--no-importance)."
    if run.folds is None:
        return "the run's folder has no folds."
    if len(columns) < 2:
        return "the data has a single column."
    if len(columns) > _MOST_COLUMNS:
        return f"the data has {len(columns)} columns, and shuffling more than {_MOST_COLUMNS} takes too long."
    model = _choose_model(run, seconds)
    if model is None:
        limit = seconds * _FOLD_SHARE
        return f"no model of the run trains on a fold within {limit:.0f} s. Allow more time with --budget."
    try:
        folds = _predict_folds(run.folds, problem, model, Deadline(seconds))
    except KpipeError as error:
        return f"{model.name} could not be trained again: {error}"
    return _importance(problem.metric, oof, model, columns, folds)


def _choose_model(run: LoadedRun, seconds: float) -> LoadedModel | None:
    """The model with the largest weight among those that trained quickly enough on a fold; no stacker has columns."""
    folds = max(len(run.items("fold_scores")), 1)
    of_columns = [m for m in run.models if m.name not in STACKERS]
    quick = [m for m in of_columns if (m.seconds or 0.0) / folds / max(len(m.seeds), 1) < seconds * _FOLD_SHARE]
    return max((m for m in quick if m.weight), key=lambda m: m.weight or 0.0, default=None)


def _predict_folds(folds: Folds, problem: Problem, model: LoadedModel, deadline: Deadline) -> list[_Fold]:
    """Predictions of the first fold, and of as many more as the time is likely to allow."""
    found: list[_Fold] = []
    longest = 0.0
    for train, valid in _existing_folds(folds, len(problem.X)):
        if found and not deadline.has_time_for(longest):
            break
        started = time.monotonic()
        found.append(_predict_fold(problem, model, train, valid))
        longest = max(longest, time.monotonic() - started)
    return found


def _existing_folds(folds: Folds, rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The training and validation rows of the folds of a run whose rows all exist."""
    for train, valid in zip(folds.train, folds.valid, strict=True):
        if len(train) and len(valid) and max(train.max(), valid.max()) < rows:
            yield np.sort(train), np.sort(valid)


def _predict_fold(problem: Problem, model: LoadedModel, train: np.ndarray, valid: np.ndarray) -> _Fold:
    rng = np.random.default_rng(0)
    most = max(_MOST_PREDICTED // (1 + problem.X.shape[1] * _REPEATS), _FEWEST_ROWS)
    rows = np.sort(rng.permutation(valid)[: min(most, _MOST_ROWS)])
    copies = _shuffled_copies(problem.X.iloc[rows], rng)
    found = cross_validate(
        replace(problem, tables=replace(problem.tables, test=pd.concat(copies, ignore_index=True))),
        Folds(train=(train,), valid=(valid,)),
        models=choose_models(problem, [model.name]),
        seeds=model.seeds[:1] or (0,),
        jobs=1,
        threads=1,  # as where folds are trained side by side, and two threads on a busy machine wait for each other
        device=resolve_device("auto"),
    )
    return _Fold(rows, found.models[0].test.reshape(len(copies), len(rows), -1))


def _shuffled_copies(frame: pd.DataFrame, rng: np.random.Generator) -> list[pd.DataFrame]:
    """The table as it is, and copies with one column shuffled."""
    return [frame] + [
        frame.assign(**{name: frame[name].iloc[rng.permutation(len(frame))].set_axis(frame.index)})
        for name in frame.columns
        for _ in range(_REPEATS)
    ]


def _importance(
    metric: Metric, oof: OofPredictions, model: LoadedModel, columns: Sequence[str], folds: Sequence[_Fold]
) -> Importance | str:
    if not folds:
        return "no fold of the run can be used."
    rows = np.concatenate([fold.rows for fold in folds])
    places = pd.Series(np.arange(len(oof.rows)), index=oof.rows).reindex(rows)
    if places.isna().any():
        return "the folds name rows without a prediction."
    place = places.to_numpy(dtype=int)
    y, stored = oof.y[place], oof.models.get(model.name)
    predictions = np.concatenate([fold.predictions for fold in folds], axis=1)
    if metric.ordinal and predictions.shape[2] == 1 and oof.classes is not None:
        predictions, stored = _one_hot(predictions[..., 0], len(oof.classes)), None
    found = [
        _column_importance(metric, y, predictions[0], str(name), predictions[1 + k * _REPEATS : 1 + (k + 1) * _REPEATS])
        for k, name in enumerate(columns)
    ]
    return Importance(
        model=model.name,
        columns=tuple(sorted(found, key=lambda column: -column.value)),
        folds=len(folds),
        rows=len(rows),
        score=_score(metric, y, predictions[0]),
        correlation=None if stored is None else _correlation(predictions[0], stored[place]),
    )


def _one_hot(values: np.ndarray, classes: int) -> np.ndarray:
    """(..., n) values on the scale of codes → (..., n, classes)."""
    return np.asarray(np.eye(classes)[np.clip(values.round(), 0, classes - 1).astype(int)])


def _column_importance(
    metric: Metric, y: np.ndarray, predictions: np.ndarray, column: str, shuffled: np.ndarray
) -> ColumnImportance:
    sign = -1.0 if metric.greater_is_better else 1.0
    before = _score(metric, y, predictions)
    changes = [sign * (_score(metric, y, values) - before) for values in shuffled]
    error = _standard_error(metric, y, predictions, shuffled, changes)
    return ColumnImportance(column=column, value=float(np.mean(changes)), standard_error=error)


def _score(metric: Metric, y: np.ndarray, predictions: np.ndarray) -> float:
    return float(metric.function(y, output(metric, predictions)))


def _standard_error(
    metric: Metric, y: np.ndarray, predictions: np.ndarray, shuffled: np.ndarray, changes: Sequence[float]
) -> float:
    """The standard error over rows where the metric is a mean of losses, else over the shuffles."""
    if metric.losses is None:
        return float(np.std(changes, ddof=1) / np.sqrt(len(changes)))
    before = metric.losses(y, output(metric, predictions))
    after = np.mean([metric.losses(y, output(metric, values)) for values in shuffled], axis=0)
    error = float((after - before).std(ddof=1) / np.sqrt(len(y)))
    return error / (2 * float(np.sqrt(before.mean()))) if metric.root and before.mean() > 0 else error


def _correlation(predictions: np.ndarray, stored: np.ndarray) -> float | None:
    if predictions.shape != stored.shape or np.isnan(stored).any() or stored.std() == 0 or predictions.std() == 0:
        return None
    if np.abs(predictions - stored).max() <= _EQUAL * stored.std():
        return 1.0
    return float(np.corrcoef(predictions.ravel(), stored.ravel())[0, 1])
