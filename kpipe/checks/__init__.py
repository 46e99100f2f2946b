"""Checks for leaks and mistakes, which are part of every run. Each passes, warns, fails or is skipped, and says why.

A module covers one family of mistakes and lists its checks in ``TABLE_CHECKS`` or ``PREDICTION_CHECKS``. Modules are
found in this folder, so adding a check means changing or adding one file. Checks look at tables, folds and predictions,
never at code. ``kpipe.checks.refit`` holds the checks that fit models again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Protocol, TypedDict, Unpack

from kpipe.checks.interface import TrainedModels, run_check
from kpipe.checks.predictions import real_data
from kpipe.checks.wide import describe_sample, sample_columns
from kpipe.core.values import Baseline, Check, Ensemble, Folds, Predictions, Submission
from kpipe.data.pixels import picture_columns
from kpipe.problem.pixel_columns import without_pixels
from kpipe.problem.problem import Problem

__all__ = ["Checking", "EarlyChecks", "modules_of_checks", "prediction_checks", "run_checks", "table_checks"]

# Share of a run's time that checks may take, the seconds that they always have, and the share of these after which no
# optional check starts: each takes less than the rest on the tables that were measured (see docs/checks.md).
_SHARE, _MIN_SECONDS, _STARTED = 0.1, 3.0, 0.6
_SKIPPED = "Skipped: the checks have used up their share of the run's time"
_SMALL = 1e6  # cells of train
# Modules whose checks come first, in the order in which run.json lists them; those of other modules follow.
_FIRST = (
    "cleaning",
    "cleaned_target",
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


class KeptChecks(Protocol):
    """Storage for the results of the checks of tables, for later runs with identical inputs."""

    def load(self) -> tuple[Check, ...] | None:
        """Return the results of an earlier run, or None."""

    def save(self, checks: Sequence[Check]) -> None:
        """Keep the results of this run."""


@dataclass
class EarlyChecks:
    """The checks of tables, made before training: their results, or those of an earlier run.

    Without a budget, large tables are checked at the end instead, when a tenth of the run's time is longer.

    Parameters
    ----------
    kept : KeptChecks or None
        Where results are kept for later runs.

    Attributes
    ----------
    found : tuple of Check or None
    are_final : bool
        Whether checks that were skipped stay so.
    """

    kept: KeptChecks | None
    found: tuple[Check, ...] | None = field(default=None, init=False)
    are_final: bool = field(default=True, init=False)

    def make(self, problem: Problem, folds: Folds, *, seconds: float | None = None) -> None:
        """Check the tables and folds now.

        Parameters
        ----------
        problem : Problem
        folds : Folds
        seconds : float, optional
            CPU seconds that the checks may take. By default, only small tables are checked, within the 3 s that checks
            always have.
        """
        small = len(problem.y) * len(problem.columns) <= _SMALL
        if (seconds is None and not small) or self.load() is not None:
            return
        self.save(tuple(table_checks(problem, folds, seconds=_MIN_SECONDS if seconds is None else seconds)))
        self.are_final = seconds is not None

    def load(self) -> tuple[Check, ...] | None:
        """Return the results that were made early, or those of an earlier run."""
        return self.found if self.found is not None or self.kept is None else self.kept.load()

    def save(self, checks: Sequence[Check]) -> None:
        """Keep results; for later runs, too, if no check was skipped.

        Parameters
        ----------
        checks : sequence of Check
        """
        self.found = tuple(checks)
        if self.kept is not None and _none_skipped(checks):
            self.kept.save(checks)


class Checking(TypedDict, total=False):
    """Settings with which ``run_checks`` saves time.

    Attributes
    ----------
    seconds : float
        How long the run has taken so far: the checks take a tenth of it at most.
    kept : EarlyChecks
        The checks that were made before training.
    """

    seconds: float
    kept: EarlyChecks


def run_checks(
    problem: Problem,
    folds: Folds,
    predictions: Predictions,
    baseline: Baseline,
    ensemble: Ensemble,
    submission: Submission,
    **checking: Unpack[Checking],
) -> tuple[Check, ...]:
    """Results of all checks that fit no further model, in a fixed order.

    They may take a tenth of the run's time, at least 3 s, measured as CPU time, so that other work on the machine does
    not decide which are skipped: optional ones are skipped once 60 % of it is used, those of tables once all of it is.
    Of a wide table, a sample of the columns is checked.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    predictions : Predictions
    baseline : Baseline
    ensemble : Ensemble
        The final predictions.
    submission : Submission
    **checking
        See ``Checking``.

    Returns
    -------
    tuple of Check
    """
    early = checking.get("kept") or EarlyChecks(None)
    found, seconds = early.load(), max(_SHARE * checking.get("seconds", math.inf), _MIN_SECONDS)
    if found is None:
        early.save(found := tuple(table_checks(problem, folds, seconds=seconds)))
    elif not early.are_final and seconds > _MIN_SECONDS:
        early.save(found := tuple(table_checks(problem, folds, seconds=seconds - _MIN_SECONDS, done=found)))
    return (
        *found,
        *prediction_checks(TrainedModels(problem, folds, predictions, baseline, ensemble)),
        *run_check("real data", real_data, submission),
    )


def table_checks(
    problem: Problem, folds: Folds, *, seconds: float = math.inf, done: Sequence[Check] = ()
) -> Iterator[Check]:
    """Results of the checks of tables and folds.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    seconds : float
        CPU seconds after which no check starts; optional ones start in the first 60 % of them. If they are limited, a
        sample of the columns of a wide table is checked.
    done : sequence of Check
        Results of earlier checks, of which only those that were skipped are made now.

    Yields
    ------
    Check
    """
    start = time.process_time()
    whole, pictured, problem = problem, bool(picture_columns(problem.columns)), _beside_pictures(problem)
    narrow = problem if math.isinf(seconds) else sample_columns(problem)
    again = {result.name for result in done if _is_skipped(result)}
    for module in modules_of_checks():
        for check in getattr(module, "TABLE_CHECKS", ()):
            if done and check.name not in again:
                yield from [result for result in done if result.name == check.name]
            elif time.process_time() - start > seconds * (_STARTED if check.optional else 1.0):
                yield _skipped(check.name, problem)
            elif check.every_column or (check.pictures and pictured):
                yield from run_check(check.name, check.function, whole, folds)
            elif narrow is problem:
                yield from run_check(check.name, check.function, problem, folds)
            else:
                for result in run_check(check.name, check.function, narrow, folds):
                    yield replace(result, detail=f"{result.detail} {describe_sample(problem, narrow)}")


def _beside_pictures(problem: Problem) -> Problem:
    """The problem with the columns beside pictures alone; without what describes the files of the pictures."""
    tables = without_pixels(problem.tables)
    if tables is problem.tables:
        return problem
    return replace(problem, tables=tables, columns=tuple(name for name in problem.columns if name in tables.train))


def prediction_checks(trained: TrainedModels) -> Iterator[Check]:
    """Results of the checks of predictions.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Check
    """
    for module in modules_of_checks():
        for check in getattr(module, "PREDICTION_CHECKS", ()):
            yield from run_check(check.name, check.function, trained)


def _none_skipped(checks: Sequence[Check]) -> bool:
    return not any(map(_is_skipped, checks))


def _is_skipped(check: Check) -> bool:
    """Whether there was no time for a check; others are skipped since they do not apply."""
    return check.detail.startswith(_SKIPPED)


def _skipped(name: str, problem: Problem) -> Check:
    detail = f"{_SKIPPED}. Run `kpipe check {problem.slug}` for it."
    return Check(name=name, status="skipped", detail=detail)


@cache
def modules_of_checks() -> tuple[ModuleType, ...]:
    """The modules of this folder, in the order in which their checks are listed.

    They are imported late, since some of them import this one.

    Returns
    -------
    tuple of module
    """
    found = sorted(module.name for module in iter_modules(__path__))
    names = [*_FIRST, *(name for name in found if name not in _FIRST)]
    return tuple(import_module(f"{__name__}.{name}") for name in names)
