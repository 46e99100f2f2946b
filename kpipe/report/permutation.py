"""Permutation importance on validation rows, through the ensemble that was submitted.

The models that carry the ensemble are trained again on a fold (``kpipe.report.refit``), and predict validation rows of
the fold together: as they are, and with one column shuffled at a time. The predictions of the rows as they are must be
those of the run; the report says whether they are.

References
----------
Breiman, "Random forests", Machine Learning 45, 2001: importance by permutation.
Fisher, Rudin and Dominici, "All models are wrong, but many are useful", JMLR 20, 2019: on rows that the model was not
trained on.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from kpipe.core.metrics import Metric, output
from kpipe.core.values import Folds
from kpipe.errors import KpipeError, OutputError
from kpipe.problem.problem import Problem
from kpipe.report.partial_dependence import Dependence, partial_dependence
from kpipe.report.refit import Member, Members, RefittedEnsemble, choose_members, refit
from kpipe.runs.files import write_file
from kpipe.runs.loaded import LoadedRun
from kpipe.runs.oof import OofPredictions
from kpipe.runs.run import IMPORTANCE
from kpipe.training.deadline import Deadline

__all__ = ["ColumnImportance", "Importance", "permutation_importance", "save_importance"]

_MAX_PREDICTED = 40_000  # rows in a fold, all copies together
_MAX_ROWS, _MIN_ROWS = 1_000, 100  # validation rows of a fold that are shuffled
_REPEATS = 2  # shuffles of each column
_FOLD_SHARE = 1 / 2  # of the time, that training on one fold may take; predicting the copies takes as long
_MAX_COLUMNS = 200
_MAX_DEPENDENCES = 10  # columns whose partial dependence is computed
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
    """The permutation importance of each column for the ensemble.

    Parameters
    ----------
    members : tuple of Member
        The models that were trained again, with their weights, the heaviest first.
    columns : tuple of ColumnImportance
        The columns, the most important first.
    folds, rows : int
        How many folds the models were trained on, and how many validation rows they were scored on.
    score : float
        Of the rows without shuffling.
    correlation : float, optional
        Of the predictions without shuffling with those of the same models in the run; 1.0 where they are equal, None
        where they cannot be compared.
    share_of_rows : float
        The share of each fold's training rows that the models were trained on.
    dependence : tuple of Dependence
        How predictions depend on the most important columns.
    """

    members: tuple[Member, ...]
    columns: tuple[ColumnImportance, ...]
    folds: int
    rows: int
    score: float
    correlation: float | None
    share_of_rows: float = 1.0
    dependence: tuple[Dependence, ...] = ()


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
        The time to spend, approximately. Folds are added while there is time.

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
    if len(columns) > _MAX_COLUMNS:
        return f"the data has {len(columns)} columns, and shuffling more than {_MAX_COLUMNS} takes too long."
    folds = list(_existing_folds(run.folds, len(problem.X)))
    if not folds:
        return "no fold of the run can be used."
    members = choose_members(run, oof, seconds=seconds * _FOLD_SHARE, rows=len(folds[0][0]))
    if isinstance(members, str):
        return members
    try:
        return _measure(oof, problem, members, folds, Deadline(seconds))
    except KpipeError as error:
        return f"the models could not be trained again: {error}"


def save_importance(folder: Path, importance: Importance) -> None:
    """Keep the importance of the columns in a run's folder, for ``Run.importance``.

    Parameters
    ----------
    folder : Path
        Of the run; nothing is kept in one that cannot be written.
    importance : Importance
        Of the columns.
    """
    sink = io.BytesIO()
    pd.DataFrame([asdict(one) for one in importance.columns]).rename(columns={"value": "importance"}).to_parquet(sink)
    with contextlib.suppress(OutputError):
        write_file(folder / IMPORTANCE, sink.getvalue())


def _measure(
    oof: OofPredictions,
    problem: Problem,
    members: Members,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    deadline: Deadline,
) -> Importance | str:
    """The importance on the first fold, and on as many more as the time is likely to allow."""
    train, valid = folds[0]
    started = time.monotonic()
    first = refit(problem, members, train)
    found = [_predict_fold(problem, first, valid)]
    longest = time.monotonic() - started
    for train, valid in folds[1:]:
        if not deadline.has_time_for(longest):
            break
        started = time.monotonic()
        found.append(_predict_fold(problem, refit(problem, members, train), valid))
        longest = max(longest, time.monotonic() - started)
    importance = _importance(problem.metric, oof, members, list(problem.columns), found)
    if isinstance(importance, str):
        return importance
    top = [one.column for one in importance.columns if one.value > one.standard_error][:_MAX_DEPENDENCES]
    return replace(importance, dependence=partial_dependence(first.predict, problem.X.iloc[found[0].rows], top))


def _existing_folds(folds: Folds, rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The training and validation rows of the folds of a run whose rows all exist."""
    for train, valid in zip(folds.train, folds.valid, strict=True):
        if len(train) and len(valid) and max(train.max(), valid.max()) < rows:
            yield np.sort(train), np.sort(valid)


def _predict_fold(problem: Problem, ensemble: RefittedEnsemble, valid: np.ndarray) -> _Fold:
    rng = np.random.default_rng(0)
    most = max(_MAX_PREDICTED // (1 + problem.X.shape[1] * _REPEATS), _MIN_ROWS)
    rows = np.sort(rng.permutation(valid)[: min(most, _MAX_ROWS)])
    copies = _shuffled_copies(problem.X.iloc[rows], rng)
    predicted = ensemble.predict(pd.concat(copies, ignore_index=True))
    return _Fold(rows, predicted.reshape(len(copies), len(rows), -1))


def _shuffled_copies(frame: pd.DataFrame, rng: np.random.Generator) -> list[pd.DataFrame]:
    """The table as it is, and copies with one column shuffled."""
    return [frame] + [
        frame.assign(**{name: frame[name].iloc[rng.permutation(len(frame))].set_axis(frame.index)})
        for name in frame.columns
        for _ in range(_REPEATS)
    ]


def _importance(
    metric: Metric, oof: OofPredictions, members: Members, columns: Sequence[str], folds: Sequence[_Fold]
) -> Importance | str:
    rows = np.concatenate([fold.rows for fold in folds])
    places = pd.Series(np.arange(len(oof.rows)), index=oof.rows).reindex(rows)
    if places.isna().any():
        return "the folds name rows without a prediction."
    place = places.to_numpy(dtype=int)
    y, stored = oof.y[place], _stored(oof, members, place)
    predictions = np.concatenate([fold.predictions for fold in folds], axis=1)
    if metric.ordinal and predictions.shape[2] == 1 and oof.classes is not None:
        predictions, stored = _one_hot(predictions[..., 0], len(oof.classes)), None
    try:
        score = _score(metric, y, predictions[0])
    except ValueError as error:  # such as the AUC of rows of one class
        return f"{metric.name} is not defined on the {len(rows):,} validation rows that were predicted ({error})."
    found = [
        _column_importance(metric, y, predictions[0], str(name), predictions[1 + k * _REPEATS : 1 + (k + 1) * _REPEATS])
        for k, name in enumerate(columns)
    ]
    return Importance(
        members=members.members,
        columns=tuple(sorted(found, key=lambda column: -column.value)),
        folds=len(folds),
        rows=len(rows),
        score=score,
        correlation=None if stored is None else _correlation(predictions[0], stored),
        share_of_rows=members.rows,
    )


def _stored(oof: OofPredictions, members: Members, place: np.ndarray) -> np.ndarray | None:
    """What the same models predict in the run, with the same weights; None where it keeps no predictions of one."""
    if any(one.model.name not in oof.models for one in members.members):
        return None
    parts = [one.weight * oof.models[one.model.name][place] for one in members.members]
    return np.asarray(np.sum(parts, axis=0) / members.share)


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
