"""The model ``catboost``: CatBoost's symmetric trees.

Early stopping is not used unless it is asked for: CatBoost chooses a learning rate that suits the number of trees and
of rows, and early stopping would cost several fits of the slowest of the three boosting libraries.

References
----------
Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features", 2018, https://arxiv.org/abs/1706.09516.
Holzmüller et al., "Better by Default", 2024, https://arxiv.org/abs/2407.04491, table C.5: tuned defaults; ours use
smaller trees, for Kaggle's small and noisy tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from kpipe.core.values import Context, Loss
from kpipe.features import NativeCategories, as_text, text_columns
from kpipe.models.boosting_library import BoostingLibrary, Rows, first_metric
from kpipe.models.boosting_pipelines import boosting_pipeline
from kpipe.models.factory import canonical_names, without_conflicts
from kpipe.models.growth import ALL_TREES, Growth

__all__ = ["CatBoost", "catboost"]

_CATEGORIES = 10_000  # kept of a column: CatBoost's target statistics shrink rare ones by themselves
_DEFAULTS: dict[str, Any] = {
    "iterations": 400,
    "depth": 6,
    "l2_leaf_reg": 4.0,
    "random_strength": 1.0,
    "bootstrap_type": "Bernoulli",
    "subsample": 0.8,
    "boosting_type": "Plain",
    "one_hot_max_size": 12,
    "max_ctr_complexity": 1,
    "allow_writing_files": False,
    "verbose": False,
}
# CatBoost refuses such pairs: a share of rows where the bootstrap draws none, and two switches of its output.
_CONFLICTS = (
    ("bootstrap_type", "Bayesian", ("subsample",)),
    ("bootstrap_type", "No", ("subsample",)),
    ("bagging_temperature", None, ("bootstrap_type", "subsample")),
    ("silent", None, ("verbose",)),
    ("logging_level", None, ("verbose",)),
)
# Counts keep the squared error: CatBoost's Poisson loss learned more slowly, and different losses suit an ensemble.
_LOSS_FUNCTIONS: dict[Loss, str] = {"squared": "RMSE", "absolute": "MAE", "poisson": "RMSE"}
_ABSOLUTE_RATE = 0.08  # for the absolute error CatBoost's own choice is always 0.03
# Other names of the parameters that have a default here: https://catboost.ai/docs/en/references/training-parameters/
_ALIASES = {
    "max_depth": "depth",
    "reg_lambda": "l2_leaf_reg",
    "eta": "learning_rate",
    "objective": "loss_function",
    "random_state": "random_seed",
    "verbose_eval": "verbose",
    **dict.fromkeys(("num_boost_round", "n_estimators", "num_trees"), "iterations"),
}


def catboost(
    context: Context, *, iterations: int | None = None, early_stopping_rounds: int | None = None, **options: Any
) -> BaseEstimator:
    """CatBoost's symmetric trees with its own target statistics of categories.

    Parameters
    ----------
    context : Context
        The context of the fit.
    iterations : int or None, default=None
        Number of trees; None takes 400.
    early_stopping_rounds : int or None, default=None
        Trees without an improvement on inner splits after which growing stops, at ``iterations`` at the latest; None
        grows all of them.
    **options
        CatBoost's own parameters, by any of their names.

    Returns
    -------
    Pipeline
        ``NativeCategories``, then ``EarlyStoppedClassifier`` or ``EarlyStoppedRegressor``.
    """
    from catboost import CatBoostClassifier, CatBoostRegressor

    settings = _DEFAULTS | {"thread_count": context.threads, "random_seed": context.seed}
    if context.task == "regression":
        settings["loss_function"] = _LOSS_FUNCTIONS[context.loss]
        settings["allow_const_label"] = True  # training rows of a fold may all have one value
        if context.loss == "absolute":
            settings["learning_rate"] = _ABSOLUTE_RATE
    given = canonical_names({"iterations": iterations, **options}, _ALIASES)
    settings = without_conflicts(settings, given, _CONFLICTS) | given
    return boosting_pipeline(
        (CatBoostClassifier if context.task == "classification" else CatBoostRegressor)(**settings),
        context,
        library=CatBoost(),
        encoding=NativeCategories(_CATEGORIES),
        early_stopping=early_stopping_rounds is not None,
        patience=early_stopping_rounds or 0,
    )


@dataclass(frozen=True)
class CatBoost(BoostingLibrary):
    """How CatBoost is trained."""

    trees: ClassVar[str] = "iterations"

    def prepare(self, X: pd.DataFrame) -> pd.DataFrame:
        # CatBoost takes categories as text, without missing values.
        text = as_text(X.select_dtypes("category"))
        return X.assign(**{str(name): column for name, column in text.items()})

    def fit(self, estimator: Any, X: pd.DataFrame, y: np.ndarray, growth: Growth = ALL_TREES) -> Any:
        return estimator.fit(X, y, cat_features=_categories(X), callbacks=_callbacks(estimator, growth))

    def fit_early_stopped(
        self, estimator: Any, train: Rows, valid: Rows, *, patience: int, growth: Growth = ALL_TREES
    ) -> int:
        estimator.fit(
            *train,
            cat_features=_categories(train.X),
            eval_set=tuple(valid),
            early_stopping_rounds=patience,
            callbacks=_callbacks(estimator, growth),
        )  # CatBoost keeps the trees up to the best one
        return int(estimator.tree_count_)

    def validation_losses(self, estimator: Any) -> np.ndarray:
        results = estimator.get_evals_result()
        return first_metric({name: values for name, values in results.items() if name != "learn"})

    def training_losses(self, estimator: Any) -> np.ndarray:
        return first_metric(estimator.get_evals_result())


def _categories(X: pd.DataFrame) -> list[str]:
    return [str(name) for name in text_columns(X)]


@dataclass(frozen=True)
class _WhileTimeRemains:
    growth: Growth

    def after_iteration(self, info: Any) -> bool:
        return not self.growth.is_over()


def _callbacks(estimator: Any, growth: Growth) -> list[_WhileTimeRemains] | None:
    """The callbacks that stop CatBoost when the time is up; on a GPU, CatBoost supports none."""
    is_possible = growth.is_limited and estimator.get_params().get("task_type") != "GPU"
    return [_WhileTimeRemains(growth)] if is_possible else None
