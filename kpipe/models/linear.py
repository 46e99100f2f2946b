"""The model ``linear``: logistic or ridge regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline

from kpipe.core.values import Context
from kpipe.features import dummies

__all__ = ["linear"]

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
