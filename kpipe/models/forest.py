"""The model ``forest``: extremely randomised trees, whose errors differ from boosting's, so that an ensemble gains.

References
----------
Geurts, Ernst and Wehenkel, "Extremely randomized trees", 2006.
"""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.pipeline import make_pipeline

from kpipe.core.values import Context
from kpipe.features import dummies

__all__ = ["forest"]

# One thread: several add up the trees' predictions in the order in which they finish, which changes the last bits.
_DEFAULTS: dict[str, Any] = {"n_estimators": 300, "max_features": 0.5, "n_jobs": 1}


def forest(context: Context, **options: Any) -> BaseEstimator:
    """scikit-learn's extremely randomised trees on numbers and one-hot encoded categories.

    Parameters
    ----------
    context : Context
        The context of the fit.
    **options
        Parameters of ``ExtraTreesClassifier`` or ``ExtraTreesRegressor``.

    Returns
    -------
    Pipeline
        Encoding, then the estimator.
    """
    settings = _DEFAULTS | {"random_state": context.seed}
    if context.task == "classification":
        return make_pipeline(dummies(), ExtraTreesClassifier(**settings | {"min_samples_leaf": 5} | options))
    return make_pipeline(dummies(), ExtraTreesRegressor(**settings | {"min_samples_leaf": 2} | options))
