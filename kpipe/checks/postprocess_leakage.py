"""Whether ``postprocess`` uses the targets of the rows that are scored, or joins rows by position."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kpipe.checks.interface import Finding, PredictionCheck, TrainedModels
from kpipe.checks.perturbation import replace_values
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
    if count := _count_changed(once[order], apply_postprocess(competition, mean[order], again)):
        yield (
            "fail",
            f"{count:,} of {len(rows):,} rows change when predictions and rows are reordered together: postprocess "
            "joins rows by position. Join them by the id.",
        )
    else:
        yield "pass", "Out-of-fold predictions do not change when targets are shuffled, or when rows are reordered."


def _count_changed(a: np.ndarray, b: np.ndarray) -> int:
    differ = ~np.isclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)
    return int(differ.reshape(len(a), -1).any(axis=1).sum())


PREDICTION_CHECKS = (PredictionCheck("postprocess leakage", postprocess_leakage),)
