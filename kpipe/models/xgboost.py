"""The model ``xgboost``: XGBoost's histogram trees.

References
----------
Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System", 2016, https://arxiv.org/abs/1603.02754.
Holzmüller et al., "Better by Default", 2024, https://arxiv.org/abs/2407.04491, table C.4: tuned defaults; ours learn
more slowly with smaller trees, for Kaggle's small and noisy tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from kpipe.core.packages import install_command
from kpipe.core.values import Context, Loss
from kpipe.errors import UsageError
from kpipe.models.boosting_library import BoostingLibrary, Rows, first_metric
from kpipe.models.early_stopping import early_stopped_pipeline
from kpipe.models.factory import canonical_names

__all__ = ["XGBoost", "xgboost"]

_DEFAULTS: dict[str, Any] = {
    "learning_rate": 0.04,
    "max_depth": 5,
    "min_child_weight": 5,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "reg_lambda": 2.0,
    "max_cat_to_onehot": 10,
    "tree_method": "hist",
    "enable_categorical": True,
    "verbosity": 0,
}
_OBJECTIVES: dict[Loss, str] = {
    "squared": "reg:squarederror",
    "absolute": "reg:absoluteerror",
    "poisson": "count:poisson",
}
# Of the parameters that have a default here: https://xgboost.readthedocs.io/en/stable/parameter.html
_ALIASES = {
    "eta": "learning_rate",
    "lambda": "reg_lambda",
    "seed": "random_state",
    "nthread": "n_jobs",
    "num_boost_round": "n_estimators",
}


def xgboost(context: Context, *, n_estimators: int | None = None, **options: Any) -> BaseEstimator:
    """XGBoost's histogram trees with native categories.

    Parameters
    ----------
    context : Context
        The context of the fit.
    n_estimators : int or None, default=None
        Number of trees; None lets early stopping choose it on inner splits.
    **options
        XGBoost's own parameters, by any of their names.

    Returns
    -------
    Pipeline
        ``NativeCategories``, then ``EarlyStoppedClassifier`` or ``EarlyStoppedRegressor``.

    Raises
    ------
    UsageError
        If XGBoost is not installed.
    """
    try:
        from xgboost import XGBClassifier, XGBRegressor
    except ModuleNotFoundError as error:
        hint = install_command(extra="xgboost")
        raise UsageError(f"The model 'xgboost' needs a package that is not installed: {hint}.") from error

    defaults = _DEFAULTS | {
        "n_jobs": context.threads,
        "random_state": context.seed,
        "device": "cuda" if context.device == "cuda" else "cpu",
    }
    if context.task == "regression":
        defaults["objective"] = _OBJECTIVES[context.loss]
    return early_stopped_pipeline(
        XGBClassifier if context.task == "classification" else XGBRegressor,
        context,
        library=XGBoost(),
        defaults=defaults,
        options=canonical_names({"n_estimators": n_estimators, **options}, _ALIASES),
        adaptive=("learning_rate", "n_estimators"),
    )


@dataclass(frozen=True)
class XGBoost(BoostingLibrary):
    """How XGBoost is trained."""

    def fit_early_stopped(self, estimator: Any, train: Rows, valid: Rows, *, patience: int) -> int:
        estimator.set_params(early_stopping_rounds=patience)
        estimator.fit(train.X, train.y, eval_set=[valid], verbose=False)
        return int(estimator.best_iteration) + 1

    def validation_losses(self, estimator: Any) -> np.ndarray:
        return first_metric(estimator.evals_result())
