"""The stacking layer: models ("stackers") whose features are the predictions of a run's other models.

A stacker is cross-validated on the folds of the run. The stacker of a fold is fitted on the out-of-fold predictions of
the other folds' rows, and predicts validation rows and test rows from the predictions of the fold's own models: it has
seen no target of a row that it is scored on (Wolpert 1992). One trace of these targets is left: the out-of-fold
predictions that it is fitted on were made by models that had trained on the fold. Stackers are therefore small, and an
ensemble takes them only where they improve it on other rows (``kpipe.training.ensemble``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor

from kpipe.core.values import Context, Folds
from kpipe.models import model
from kpipe.models.stackers import LinearPool, LogLinearPool
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.training.averaging import average_fits, predictions_by_fold
from kpipe.training.cross_fitting import can_cross_fit, rows_to_fit_on
from kpipe.training.task_runner import FitResults
from kpipe.training.worker import FitResult, FitTask, TrainingData

__all__ = ["QUICK_STACKERS", "STACKERS", "StackingLayer", "build_stacker", "make_layer"]

_SMALLEST = 1e-6  # lower probabilities are clipped before the logarithm is taken
_MINIMUM = 100  # rows: with fewer, a layer adds more noise than it removes error
_MAX_NUMBERS = 50_000_000  # in the layer's table: 400 MB, of which workers have copies
_PROBED = 32  # test rows whose predictions are checked for batch dependence


def stack_linear(context: Context) -> BaseEstimator:
    """Return a linear or log-linear opinion pool with one weight for each model."""
    return LogLinearPool(context.n_classes) if context.task == "classification" else LinearPool()


def stack_boosting(context: Context) -> BaseEstimator:
    """Return LightGBM with small trees, which learns which model to trust for which rows."""
    options = {"num_leaves": 8, "min_child_samples": 40, "colsample_bytree": 0.5, "reg_lambda": 5.0}
    return model("boosting", learning_rate=0.05, **options)(context)


STACKERS: Mapping[str, Factory] = {"stack-linear": stack_linear, "stack-boosting": stack_boosting}
QUICK_STACKERS = frozenset({"stack-linear"})  # a second or two, even for a million rows


@dataclass(frozen=True, kw_only=True)
class StackingLayer:
    """The table that stackers are trained on: a row for each row of train, then one for each fold and row of test.

    Attributes
    ----------
    data : TrainingData
    trained, predicted : tuple of f arrays of int
        The rows of the table that the stacker of a fold is fitted on, and those that it predicts: the fold's
        validation rows, then test as the fold's models predict it.
    test_rows : int
    """

    data: TrainingData
    trained: tuple[np.ndarray, ...]
    predicted: tuple[np.ndarray, ...]
    test_rows: int

    def tasks(self, name: str, estimator: BaseEstimator, context: Context) -> list[FitTask]:
        """Return the fits of a stacker, one for each fold.

        Parameters
        ----------
        name : str
        estimator : BaseEstimator
        context : Context
            Seed and threads of the fits.
        """
        return [
            FitTask(
                model=name,
                fold=fold,
                seed=context.seed,
                threads=context.threads,
                estimator=estimator,
                train=train,
                valid=predicted,
            )
            for fold, (train, predicted) in enumerate(zip(self.trained, self.predicted, strict=True))
        ]

    def split(self, result: FitResult) -> FitResult:
        """Return the result of one of these fits with the predictions for test apart from those for validation rows.

        Parameters
        ----------
        result : FitResult
        """
        valid, test = np.split(result.valid, [len(result.valid) - self.test_rows])
        return replace(result, valid=valid, test=test)


def make_layer(
    problem: Problem, folds: Folds, models: Mapping[str, FitResults], data: TrainingData
) -> StackingLayer | None:
    """Return the stacking layer above some models.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    models : mapping of str to FitResults
        With the fits of every fold.
    data : TrainingData
        What they were fitted on.

    Returns
    -------
    StackingLayer or None
        None for fewer than two models or 100 rows, for several targets, for folds in time (whose few blocks differ too
        much), where a fold leaves no other rows to fit on, and where the table would not fit into memory.
    """
    if len(models) < 2 or problem.y.ndim > 1 or folds.refit:
        return None
    height = len(problem.y) + len(folds.valid) * len(data.X_test)
    if height * len(models) * data.outputs > _MAX_NUMBERS:
        return None
    oof = np.stack([average_fits(name, fits, data, folds).oof for name, fits in models.items()])
    known = ~np.isnan(oof).any(axis=(0, 2))
    if known.sum() < _MINIMUM or not can_cross_fit(folds, known):
        return None
    rows, size = len(problem.y), len(data.X_test)
    tests = np.stack([predictions_by_fold(fits, np.arange(size)) for fits in models.values()])
    parts = (oof, *np.moveaxis(tests, 1, 0))
    table = np.concatenate([_features(problem, part) for part in parts])
    width = table.shape[1] // len(models)
    frame = pd.DataFrame(table, columns=[f"{name} {k}" for name in models for k in range(width)])
    probed = frame.iloc[rows : rows + min(size, _PROBED)]
    return StackingLayer(
        data=TrainingData(X=frame, y=problem.y, X_test=probed, outputs=data.outputs),
        trained=tuple(np.flatnonzero(mask) for mask in rows_to_fit_on(folds, known)),
        predicted=tuple(
            np.append(valid, np.arange(rows + fold * size, rows + (fold + 1) * size))
            for fold, valid in enumerate(folds.valid)
        ),
        test_rows=size,
    )


def build_stacker(factory: Factory, problem: Problem, context: Context) -> BaseEstimator:
    """Return the unfitted estimator of a stacker, on the metric's scale of the target.

    Parameters
    ----------
    factory : callable
        Context → estimator.
    problem : Problem
    context : Context
    """
    estimator = factory(context)
    if problem.metric.log_target:
        return TransformedTargetRegressor(estimator, func=np.log1p, inverse_func=np.expm1, check_inverse=False)
    return estimator


def _features(problem: Problem, predictions: np.ndarray) -> np.ndarray:
    """(n, models * k) what stackers see of predictions (models, n, k): values, logarithms or log odds."""
    if problem.metric.log_target:
        predictions = np.log1p(np.maximum(predictions, 0.0))
    elif problem.task == "classification" and not problem.is_ordinal:
        predictions = np.log(np.clip(predictions, _SMALLEST, None))
        if predictions.shape[2] == 2:
            predictions = predictions[:, :, 1:] - predictions[:, :, :1]
    return np.moveaxis(predictions, 0, 1).reshape(predictions.shape[1], -1)
