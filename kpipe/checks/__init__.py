"""Checks for leaks and mistakes, which are part of every run. Each passes, warns or fails, and explains its result.

A module covers one family of mistakes and lists its checks in ``TABLE_CHECKS`` or ``PREDICTION_CHECKS``. Modules are
found in this folder, so adding a check means changing or adding one file. Checks look at tables, folds and predictions,
never at code. ``kpipe.checks.refit`` holds the checks that fit models again.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from kpipe.checks.interface import TrainedModels, run_check
from kpipe.checks.predictions import real_data
from kpipe.core.values import Baseline, Check, Ensemble, Folds, Predictions, Submission
from kpipe.problem.problem import Problem

__all__ = ["prediction_checks", "run_checks", "table_checks"]

# Modules whose checks come first, in the order in which run.json lists them; those of other modules follow.
_FIRST = (
    "cleaning",
    "folds",
    "duplicates",
    "near_duplicates",
    "target_leakage",
    "row_order",
    "column_alignment",
    "distribution_shift",
    "group_overlap",
    "adversarial",
    "metric_direction",
    "predictions",
    "postprocess_leakage",
)


def run_checks(
    problem: Problem,
    folds: Folds,
    predictions: Predictions,
    baseline: Baseline,
    ensemble: Ensemble,
    submission: Submission,
) -> tuple[Check, ...]:
    """Results of all checks that fit no further model, in a fixed order.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    predictions : Predictions
    baseline : Baseline
    ensemble : Ensemble
        The final predictions.
    submission : Submission

    Returns
    -------
    tuple of Check
    """
    return (
        *table_checks(problem, folds),
        *prediction_checks(TrainedModels(problem, folds, predictions, baseline, ensemble)),
        *run_check("real data", real_data, submission),
    )


def table_checks(problem: Problem, folds: Folds) -> Iterator[Check]:
    """Results of the checks of tables and folds.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Check
    """
    for module in _modules():
        for check in getattr(module, "TABLE_CHECKS", ()):
            yield from run_check(check.name, check.function, problem, folds)


def prediction_checks(trained: TrainedModels) -> Iterator[Check]:
    """Results of the checks of predictions.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Check
    """
    for module in _modules():
        for check in getattr(module, "PREDICTION_CHECKS", ()):
            yield from run_check(check.name, check.function, trained)


@cache
def _modules() -> tuple[ModuleType, ...]:
    """The modules of this folder; imported late, since some of them import this one."""
    found = sorted(module.name for module in iter_modules(__path__))
    names = [*_FIRST, *(name for name in found if name not in _FIRST)]
    return tuple(import_module(f"{__name__}.{name}") for name in names)
