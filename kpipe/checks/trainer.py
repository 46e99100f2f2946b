"""A problem, its folds and its models, and ways to refit them, for checks that do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kpipe.checks.interface import Finding, TrainedModels
from kpipe.core.values import Ensemble, Folds, Predictions
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.training.checkpoints import NO_STORE, FitStore
from kpipe.training.combine import combine
from kpipe.training.cross_validation import cross_validate

__all__ = ["ROUNDING", "ROWS_DIFFER", "RefitCheck", "Trainer", "changed_rows"]

ROUNDING = 1e-6  # standard deviations by which a prediction may differ and count as equal
ROWS_DIFFER = (
    "Not checked, because clean drops different rows when targets or columns are permuted, or its rows cannot be "
    "matched with those of the file. To enable this check, make clean keep all rows and a unique id column."
)


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """A problem, its folds and its models, and ways to fit them again.

    Attributes
    ----------
    problem : Problem
    folds : Folds
    models : mapping of str to Factory
    device : str
    jobs : int, optional
        Number of processes, as for a run.
    store : FitStore
        Where ``train_unaltered`` finds the fits of earlier runs and checks. Experiments never use it.
    """

    problem: Problem
    folds: Folds
    models: Mapping[str, Factory]
    device: str = "cpu"
    jobs: int | None = None
    store: FitStore = NO_STORE

    def train_unaltered(self) -> Predictions:
        """Cross-validate all models on the problem itself; fits of earlier runs and checks are reused.

        Returns
        -------
        Predictions
        """
        predictions = cross_validate(
            self.problem, self.folds, models=self.models, device=self.device, jobs=self.jobs, store=self.store
        )
        self.store.remove_oldest()
        return predictions

    def train(self, problem: Problem) -> Predictions:
        """Cross-validate all models on an altered problem.

        Parameters
        ----------
        problem : Problem

        Returns
        -------
        Predictions
        """
        return cross_validate(problem, self.folds, models=self.models, device=self.device, jobs=self.jobs)

    def train_fold(self, problem: Problem, fold: Folds) -> Predictions:
        """Fit all models on one fold, one at a time: some give other bytes with other numbers of threads.

        Parameters
        ----------
        problem : Problem
        fold : Folds
            A single fold.

        Returns
        -------
        Predictions
        """
        return cross_validate(problem, fold, models=self.models, device=self.device, jobs=1)

    def train_first_fold(self, problem: Problem) -> Predictions:
        """Fit all models on the first fold.

        Parameters
        ----------
        problem : Problem

        Returns
        -------
        Predictions
        """
        return self.train_fold(problem, Folds(train=self.folds.train[:1], valid=self.folds.valid[:1]))

    def train_last_fold(self) -> Predictions:
        """Fit all models on the last fold, in this process, which has fitted other folds before.

        Returns
        -------
        Predictions
        """
        return self.train_fold(self.problem, self.last_fold)

    @property
    def last_fold(self) -> Folds:
        """The last of the folds."""
        return Folds(train=self.folds.train[-1:], valid=self.folds.valid[-1:])

    def combine(self, problem: Problem, predictions: Predictions) -> Ensemble:
        """Combine the models' predictions as a run does.

        Parameters
        ----------
        problem : Problem
        predictions : Predictions

        Returns
        -------
        Ensemble
        """
        return combine(problem, self.folds, predictions)

    @cached_property
    def first_fold(self) -> Predictions:
        """Predictions of all models after fitting the first fold of the problem."""
        return self.train_first_fold(self.problem)


@dataclass(frozen=True)
class RefitCheck:
    """A check that refits models.

    Attributes
    ----------
    name : str
    step : str
        What is being done, for the progress display.
    function : callable
        Yields findings.
    """

    name: str
    step: str
    function: Callable[[Trainer, TrainedModels], Iterable[Finding]]


def changed_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rows whose predictions differ by more than rounding.

    Parameters
    ----------
    a, b : (n, k) array of float

    Returns
    -------
    (n,) array of bool
    """
    spread = max(float(np.nanstd(a, axis=0).max()), 1e-300)
    changed: np.ndarray = ~np.isclose(a, b, rtol=0.0, atol=ROUNDING * spread, equal_nan=True).all(axis=1)
    return changed
