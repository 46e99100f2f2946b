"""Whether anything is fitted on validation rows, or looked up for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TrainedModels
from kpipe.checks.perturbation import with_other_rows
from kpipe.checks.statistics import rank_correlation
from kpipe.checks.trainer import ROUNDING, ROWS_DIFFER, Trainer, changed_rows
from kpipe.core.values import Folds, Predictions
from kpipe.data.column_types import to_codes
from kpipe.errors import TrainingError
from kpipe.problem.problem import Problem

__all__ = ["validation_leakage"]

_RANDOM = (
    "Not checked: {} gives different predictions each time it is fitted, so the cause of a change cannot be "
    "determined. Make fits reproducible first (see the check reproducible fits)."
)
_COLUMNS = 200  # the first ones, among which the one that is least correlated with the target is taken
_FEW_SOURCES = 5  # rows whose columns all validation rows are given: no mean, mode or maximum stays what it was
# Share of equal rows whose predictions may differ; rows, and the rank correlation with the own target, of a look-up.
_FEW, _MIN_HELD, _LOOKED_UP = 0.02, 100, 0.5


def validation_leakage(trainer: Trainer, _: TrainedModels) -> Iterator[Finding]:
    """Whether a fold changes with the targets, or the columns, of its validation rows.

    Parameters
    ----------
    trainer : Trainer

    Yields
    ------
    Finding
    """
    held, rng = trainer.folds.valid[0], np.random.default_rng(0)
    count = len(trainer.problem.y)
    first = trainer.first_fold  # fitted before clean sees other rows: it may keep them where features find them
    for altered in ("targets", "columns"):
        rows = {"targets": np.arange(count), "columns": np.arange(count)}
        sources = rng.choice(held[:_FEW_SOURCES], len(held))
        rows[altered][held] = _reversed(trainer.problem.y, held, rng) if altered == "targets" else sources
        problem = with_other_rows(trainer.problem, **rows)
        if problem is None:
            yield "skipped", ROWS_DIFFER
            return
        again = trainer.train_first_fold(problem)
        for model, other in zip(first.models, again.models, strict=True):
            changed = changed_rows(model.test, other.test)
            if altered == "targets":  # with other columns, validation rows rightly have other predictions
                changed = np.concatenate([changed, changed_rows(model.oof[held], other.oof[held])])
            elif (looked_up := _looked_up(trainer.problem, problem, held, sources, other.oof[held])) is not None:
                yield "fail", f"{model.name} {looked_up}"
                return
            if changed.any():
                # Fitted again after the same alteration: what clean keeps elsewhere is then the same.
                random = _is_random(model.name, again, trainer.train_first_fold(problem))
                yield ("warn", _RANDOM.format(model.name)) if random else ("fail", _leak(model.name, changed, altered))
                return
    if (leak := _leak_of_most_rows(trainer, rng)) is not None:
        yield "fail", leak
        return
    yield (
        "pass",
        f"The models of fold 1 do not depend on the targets or columns of its {len(held):,} validation rows.",
    )


def _leak_of_most_rows(trainer: Trainer, rng: np.random.Generator) -> str | None:
    """What is wrong if models of the validation rows alone depend on the targets of all others; None if they do not.

    A selection of columns by the targets of all rows seldom changes with a fifth of them. So the targets of most rows
    are sorted by the column that is least correlated with them, which any such selection then takes.
    """
    few, held = trainer.folds.valid[0], trainer.folds.train[0]
    fold = Folds(train=(few,), valid=(held,))
    same = np.arange(len(trainer.problem.y))
    rows = same.copy()
    rows[_by_weakest_column(trainer.problem, held)] = _by_target(trainer.problem.y, held, rng)
    found = []
    for targets in (same, rows):  # cleaned just before the fit: what clean keeps belongs to it
        problem = with_other_rows(trainer.problem, targets=targets, columns=same)
        if problem is None:
            return None
        try:
            found.append(trainer.train_fold(problem, fold))
        except TrainingError:  # so few rows may lack a class
            return None
    one, two = found
    for model, other in zip(one.models, two.models, strict=True):
        changed = np.concatenate([changed_rows(model.test, other.test), changed_rows(model.oof[held], other.oof[held])])
        if changed.any():
            return _leak(model.name, changed, "targets")
    return None


def _by_weakest_column(problem: Problem, held: np.ndarray) -> np.ndarray:
    """The rows, in the order of the column that is least correlated with the target."""
    codes = to_codes(problem.X.iloc[held][list(problem.columns)[:_COLUMNS]]).fillna(0.0).to_numpy(dtype=np.float64)
    y = problem.y[held] if problem.y.ndim == 1 else problem.y[held, 0]
    varies = [place for place in range(codes.shape[1]) if np.ptp(codes[:, place])]
    if not varies or not np.ptp(y):
        return held
    correlations = [abs(rank_correlation(codes[:, place], y)) for place in varies]
    weakest = codes[:, varies[int(np.argmin(correlations))]]
    return np.asarray(held[np.argsort(weakest, kind="stable")])


def _by_target(y: np.ndarray, held: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows, in the order of their targets; equal ones in any order."""
    mixed = rng.permutation(held)
    return np.asarray(mixed[np.argsort((y if y.ndim == 1 else y[:, 0])[mixed], kind="stable")])


def _reversed(y: np.ndarray, held: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The validation rows, so that the greatest target goes to the row of the smallest: no choice survives that."""
    mixed = rng.permutation(len(held))
    order = mixed[np.argsort((y if y.ndim == 1 else y[:, 0])[held][mixed], kind="stable")]
    rows = held.copy()
    rows[order] = held[order[::-1]]
    return rows


def _looked_up(
    before: Problem, problem: Problem, held: np.ndarray, sources: np.ndarray, predictions: np.ndarray
) -> str | None:
    """What is wrong if rows that were given the columns of a few rows still get predictions of their own; else None."""
    X = problem.X.iloc[held]
    same = len(X.drop_duplicates()) <= len(np.unique(sources))
    mean = pd.DataFrame(predictions).groupby(sources).transform("mean").to_numpy()
    spread = np.abs(predictions - mean).max(axis=1)
    if same and (spread > ROUNDING * max(float(np.nanstd(predictions)), 1e-300)).mean() > _FEW:
        return (
            "gives different predictions for rows that are equal in all columns: something is looked up by the index "
            "or position of the row, or filled from neighbouring rows. Use only the row's columns."
        )
    y = before.y[held] if before.y.ndim == 1 else before.y[held, 0]
    deviation = (predictions - mean)[:, -1]
    correlation = abs(rank_correlation(deviation, y))
    if len(held) < _MIN_HELD or predictions.shape[1] > 2 or correlation < _LOOKED_UP:
        return None
    return (
        f"still orders validation rows by their own targets (rank correlation {correlation:.2f}) when all of them have "
        "the columns of a few others: the target is looked up by the id. Remove that lookup."
    )


def _is_random(name: str, one: Predictions, two: Predictions) -> bool:
    """Whether a model gives other predictions when it is fitted again on the same rows."""
    pairs = zip(one.models, two.models, strict=True)
    return any(model.name == name and bool(changed_rows(model.test, other.test).any()) for model, other in pairs)


def _leak(model: str, changed: np.ndarray, altered: str) -> str:
    return (
        f"{model} changes {changed.sum():,} of the {len(changed):,} predictions of fold 1 when only the {altered} of "
        "its validation rows change: something was fitted on the rows that are scored. Fit only in `features` or in "
        "the estimator, and only on the rows that are passed to `fit`."
    )
