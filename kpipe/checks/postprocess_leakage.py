"""Whether ``postprocess`` uses the targets of the rows that are scored, or joins rows by position."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, PredictionCheck, TrainedModels
from kpipe.checks.perturbation import replace_values
from kpipe.errors import KpipeError
from kpipe.problem.postprocessing import apply_postprocess
from kpipe.training.thresholds import cross_fit_thresholds

__all__ = ["PREDICTION_CHECKS", "postprocess_leakage"]


_SHUFFLES = 3  # of the targets: a threshold may be the same after one of them
_JITTER = 1e-7  # standard deviations that are added to the predictions, so that none are equal


def postprocess_leakage(trained: TrainedModels) -> Iterator[Finding]:
    """Whether ``postprocess`` depends on the targets, or on the order of rows; nothing if there is no ``postprocess``.

    ``postprocess`` is applied to out-of-fold predictions, which are scored: a threshold that it fits to their targets
    would be scored on the rows it was fitted on. The check passes it the plain mean of the models.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
    """
    problem, predictions = trained.problem, trained.predictions
    competition, tables = problem.competition, problem.tables
    if competition.postprocess is None:
        return
    rows = tables.train.drop(columns=list(problem.targets))
    rng = np.random.default_rng(0)
    order = rng.permutation(len(rows))
    reordered = rows.iloc[order].reset_index(drop=True)
    train_reordered = tables.train.iloc[order].reset_index(drop=True)

    mean = np.mean([model.oof for model in predictions.models], axis=0)
    mean = np.nan_to_num(cross_fit_thresholds(problem.metric, mean, predictions.y, trained.folds))
    mean = mean + _JITTER * mean.std() * rng.random(mean.shape)  # the order of ties would depend on that of the rows
    once = apply_postprocess(competition, mean, replace(tables, test=rows))
    shuffles = (
        replace_values(tables.train, problem.targets, rng.permutation(len(rows)), of=tables.train)
        for _ in range(_SHUFFLES)
    )
    without_targets = (
        apply_postprocess(competition, mean, replace(tables, train=train, test=rows)) for train in shuffles
    )
    if count := max(_count_changed(once, other) for other in without_targets):
        yield (
            "fail",
            f"{count:,} of {len(rows):,} out-of-fold rows change when the targets of train are shuffled: postprocess "
            "uses the targets of the rows that are scored. Remove that step; kpipe itself fits thresholds on other "
            "folds.",
        )
        return
    # Train is reordered too, so that what is fitted to its targets stays the same.
    again = replace(tables, train=train_reordered, test=reordered)
    count = _count_changed(once[order], apply_postprocess(competition, mean[order], again))
    if count := count or _changed_on_test(trained, rng):
        yield (
            "fail",
            f"{count:,} of {len(rows):,} rows change when predictions and rows are reordered together: postprocess "
            "joins rows by position. Join them by the id.",
        )
    elif count := _changed_by_gaps(trained, mean, rows, once):
        yield (
            "fail",
            f"{count:,} rows change when other rows lose the values of columns that have missing values: postprocess "
            "drops or fills rows by others, and joins the rest by position. Treat each row by itself, and join by id.",
        )
    elif count := _changed_by_absence(trained, mean, rows, once):
        yield (
            "warn",
            f"{count:,} rows change when half of the others are absent, as by ranks or shares of all rows that are "
            "predicted together: test rows may be another mixture than out-of-fold rows. Decide by what was learned "
            "from training rows, such as a fixed threshold.",
        )
    else:
        yield (
            "pass",
            "Out-of-fold predictions do not change when targets are shuffled, rows are reordered, or others have gaps.",
        )


def _changed_on_test(trained: TrainedModels, rng: np.random.Generator) -> int:
    """Number of test rows that change when they are reordered together with their predictions."""
    competition, tables = trained.problem.competition, trained.problem.tables
    mean = np.mean([model.test for model in trained.predictions.models], axis=0)
    mean = mean + _JITTER * mean.std() * rng.random(mean.shape)
    order = rng.permutation(len(mean))
    reordered = replace(tables, test=tables.test.iloc[order].reset_index(drop=True))
    once = apply_postprocess(competition, mean, tables)
    return _count_changed(once[order], apply_postprocess(competition, mean[order], reordered))


def _changed_by_gaps(trained: TrainedModels, mean: np.ndarray, rows: pd.DataFrame, once: np.ndarray) -> int:
    """Number of rows that change when every seventh of the others loses what some rows lack."""
    competition, tables = trained.problem.competition, trained.problem.tables
    columns = [c for c in rows if rows[c].isna().any() and c != trained.problem.id]
    blank = np.arange(len(rows)) % 7 == 3
    altered = rows.assign(**{str(c): rows[c].mask(blank) for c in columns})
    if not columns:
        return 0
    try:
        again = apply_postprocess(competition, mean, replace(tables, test=altered))
    except KpipeError:  # it may count on values in some of the columns
        return 0
    return _count_changed(once[~blank], again[~blank])


def _changed_by_absence(trained: TrainedModels, mean: np.ndarray, rows: pd.DataFrame, once: np.ndarray) -> int:
    """Number of rows that change when every second of the others is absent."""
    competition, tables = trained.problem.competition, trained.problem.tables
    kept = np.arange(0, len(rows), 2)
    try:
        fewer = replace(tables, test=rows.iloc[kept].reset_index(drop=True))
        again = apply_postprocess(competition, mean[kept], fewer)
    except KpipeError:  # it may count on certain rows
        return 0
    return _count_changed(once[kept], again)


def _count_changed(a: np.ndarray, b: np.ndarray) -> int:
    differ = ~np.isclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)
    return int(differ.reshape(len(a), -1).any(axis=1).sum())


PREDICTION_CHECKS = (PredictionCheck("postprocess leakage", postprocess_leakage),)
