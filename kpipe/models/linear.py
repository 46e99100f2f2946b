"""The model ``linear``: logistic or ridge regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.pipeline import make_pipeline

from kpipe.core.values import Context
from kpipe.features import dummies

__all__ = ["linear", "linear_on_features"]

# Ridge chooses among these by leave-one-out errors on the rows it is fitted on (generalised cross-validation).
_ALPHAS = np.logspace(-2, 4, 25)


def linear(context: Context, *, scaler: BaseEstimator | None = None, **options: Any) -> BaseEstimator:
    """Logistic or ridge regression on scaled numbers and one-hot encoded categories.

    Parameters
    ----------
    context : Context
        The context of the fit.
    scaler : transformer or None, default=None
        For the numbers; None takes ``kpipe.features.soft_clip_scaler()``.
    **options
        Parameters of scikit-learn's ``LogisticRegression`` (classification) or ``RidgeCV`` (regression).

    Returns
    -------
    Pipeline
        Encoding, then the estimator.
    """
    return make_pipeline(dummies(scaler), _estimator(context, options))


def _estimator(context: Context, options: dict[str, Any]) -> BaseEstimator:
    if context.task == "regression":
        return RidgeCV(**{"alphas": _ALPHAS} | options)
    return LogisticRegression(**{"max_iter": 1000, "random_state": context.seed} | options)


def linear_on_features(options: dict[str, Any], context: Context, *, C: float) -> BaseEstimator:
    """Logistic or ridge regression on the standardised features of a pretrained network, which are many.

    Parameters
    ----------
    options : dict
        Parameters of scikit-learn's ``LogisticRegression`` (classification) or ``Ridge`` (regression).
    context : Context
        The context of the fit.
    C : float
        The inverse of the strength of regularisation in classification, unless ``options`` has one.

    Returns
    -------
    LogisticRegression or Ridge
    """
    if context.task == "regression":
        return Ridge(**{"alpha": 300.0, "random_state": context.seed} | options)
    defaults = {"C": C, "max_iter": 300, "tol": 1e-3, "random_state": context.seed}
    return LogisticRegression(**defaults | options)
