"""Pipelines that put an encoding before a boosting library's estimator with early stopping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline, make_pipeline

from kpipe.core.values import Context
from kpipe.errors import UsageError
from kpipe.features import NativeCategories
from kpipe.models.boosting_library import BoostingLibrary
from kpipe.models.early_stopping import MAX_TREES, PATIENCE, Adaptive, EarlyStoppedClassifier, EarlyStoppedRegressor

__all__ = ["boosting_pipeline", "early_stopped_pipeline"]

_EXCLUSIVE = ("n_estimators", "early_stopping_rounds")  # only one of them may be given


def boosting_pipeline(
    estimator: BaseEstimator,
    context: Context,
    *,
    library: BoostingLibrary,
    encoding: BaseEstimator,
    early_stopping: bool,
    adaptive: Sequence[Adaptive] = (),
    patience: int = PATIENCE,
) -> Pipeline:
    """Make a pipeline of an encoding and an estimator, optionally with the number of trees chosen by early stopping.

    Parameters
    ----------
    estimator : estimator
        The library's estimator, unfitted.
    context : Context
        The context of the fit.
    library : BoostingLibrary
        How the estimator is trained.
    encoding : transformer
        Encodes the table for the library.
    early_stopping : bool
        Whether ``fit`` chooses the number of trees.
    adaptive : sequence of str
        Parameters of the estimator that ``fit`` adapts to the number of rows.
    patience : int
        Trees without an improvement after which growing stops.

    Returns
    -------
    Pipeline
        Encoding, then ``EarlyStoppedClassifier`` or ``EarlyStoppedRegressor``.
    """
    kind = EarlyStoppedClassifier if context.task == "classification" else EarlyStoppedRegressor
    return make_pipeline(
        encoding,
        kind(
            estimator,
            library=library,
            early_stopping=early_stopping,
            adaptive=tuple(adaptive),
            patience=patience,
            random_state=context.seed,
        ),
    )


def early_stopped_pipeline(
    kind: Any,
    context: Context,
    *,
    library: BoostingLibrary,
    defaults: Mapping[str, Any],
    options: Mapping[str, Any],
    adaptive: Sequence[Adaptive],
) -> Pipeline:
    """Make a pipeline of native categories and an estimator, with early stopping unless a number of trees is given.

    Parameters
    ----------
    kind : class
        The library's classifier or regressor.
    context : Context
        The context of the fit.
    library : BoostingLibrary
        How the estimator is trained.
    defaults : mapping of str to object
        Parameters of the estimator where the user gives none.
    options : mapping of str to object
        The user's parameters. ``n_estimators`` of None means early stopping, after ``early_stopping_rounds`` trees
        without an improvement.
    adaptive : sequence of str
        Parameters of the estimator that ``fit`` adapts to the number of rows where the user gives none.

    Returns
    -------
    Pipeline
        ``NativeCategories``, then ``EarlyStoppedClassifier`` or ``EarlyStoppedRegressor``.

    Raises
    ------
    UsageError
        If the user gives both a number of trees and ``early_stopping_rounds``.
    """
    given = {name: value for name, value in options.items() if name not in _EXCLUSIVE or value is not None}
    patience = given.pop("early_stopping_rounds", None)
    if patience is not None and "n_estimators" in given:
        raise UsageError(
            "n_estimators turns early stopping off: omit it, or omit early_stopping_rounds.", code="conflicting-options"
        )
    return boosting_pipeline(
        kind(**{**defaults, "n_estimators": MAX_TREES, **given}),
        context,
        library=library,
        encoding=NativeCategories(),
        early_stopping="n_estimators" not in given,
        adaptive=[name for name in adaptive if name not in given],
        patience=PATIENCE if patience is None else patience,
    )
