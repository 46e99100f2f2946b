"""The interface of a check: a name, and the function that yields its findings.

A module of ``kpipe.checks`` lists its checks in ``TABLE_CHECKS`` or ``PREDICTION_CHECKS``; no other file names them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from kpipe.core.metrics import evaluate
from kpipe.core.values import Baseline, Check, Ensemble, Folds, Predictions, Score, Status
from kpipe.errors import KpipeError
from kpipe.problem.problem import Problem

__all__ = ["Finding", "PredictionCheck", "TableCheck", "TrainedModels", "run_check"]

_LOG = logging.getLogger("kpipe")

Finding = tuple[Status, str]
"""A status, and the sentences that explain it."""


@dataclass(frozen=True)
class TrainedModels:
    """The input of the checks of predictions.

    Attributes
    ----------
    problem : Problem
    folds : Folds
    predictions : Predictions
        Those of each model.
    baseline : Baseline
    ensemble : Ensemble
        The final predictions.
    """

    problem: Problem
    folds: Folds
    predictions: Predictions
    baseline: Baseline
    ensemble: Ensemble

    @cached_property
    def baseline_score(self) -> Score:
        """Score of the baseline's out-of-fold predictions."""
        problem = self.problem
        return evaluate(problem.metric, self.predictions.y, self.baseline.oof, groups=problem.blocks)


@dataclass(frozen=True)
class TableCheck:
    """A check of tables and folds, which needs no model.

    Attributes
    ----------
    name : str
        Name of the check in ``run.json``.
    function : callable
        Yields findings; none where the check does not apply.
    optional : bool
        Whether it is skipped when the checks have taken long (see ``kpipe.checks.run_checks``).
    every_column : bool
        Whether it needs all columns of a wide table; else a run gives it a sample.
    pictures : bool
        Whether it needs the pixels of pictures; else it gets the columns beside them, if there are any.
    """

    name: str
    function: Callable[[Problem, Folds], Iterable[Finding]]
    optional: bool = False
    every_column: bool = False
    pictures: bool = False


@dataclass(frozen=True)
class PredictionCheck:
    """A check of predictions.

    Attributes
    ----------
    name : str
        Name of the check in ``run.json``.
    function : callable
        Yields findings; none where the check does not apply.
    """

    name: str
    function: Callable[[TrainedModels], Iterable[Finding]]


def run_check(name: str, function: Callable[..., Iterable[Finding]], *arguments: object) -> Iterator[Check]:
    """The results of one check; an error in it becomes a warning, because it must not cost a finished training.

    Parameters
    ----------
    name : str
        Name of the check.
    function : callable
        Yields findings.
    *arguments
        What the function is called with.

    Yields
    ------
    Check
    """
    try:
        findings = list(function(*arguments))
    except KpipeError as error:
        findings = [("warn", f"This check could not be completed: {error}")]
    except Exception as error:  # a table that the check was not written for
        _LOG.exception("the check %s could not be completed", name)
        reason = f"{type(error).__name__}: {error}"
        findings = [
            ("warn", f"This check could not be completed ({reason}). Please report this; the log has the traceback.")
        ]
    for status, detail in findings:
        yield Check(name=name, status=status, detail=detail)
