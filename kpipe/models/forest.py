"""Extremely randomised trees: a forest that boosting gains by in a blend, for its errors are others."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from kpipe.core.values import Context
from kpipe.features.encoders import dummies, encoded

__all__ = ["forest"]

_DEFAULTS: dict[str, Any] = {"n_estimators": 300, "max_features": 0.5}


def forest(context: Context, **options: Any) -> BaseEstimator:
    """scikit-learn's extremely randomised trees on numbers and dummies.

    options : of ``ExtraTreesClassifier`` or ``ExtraTreesRegressor``.

    References: Geurts, Ernst and Wehenkel, "Extremely randomized trees", 2006.
    """
    # One thread: scikit-learn adds up its trees' predictions in the order in which threads end, not to the same bytes.
    settings = _DEFAULTS | {"random_state": context.seed, "n_jobs": 1}
    if context.task == "classification":
        return encoded(dummies(), ExtraTreesClassifier(**settings | {"min_samples_leaf": 5} | options))
    return encoded(dummies(), ExtraTreesRegressor(**settings | {"min_samples_leaf": 2} | options))
