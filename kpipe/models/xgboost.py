"""The model ``xgboost``: XGBoost's histogram trees.

References
----------
Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System", 2016, https://arxiv.org/abs/1603.02754.
Holzmüller et al., "Better by Default", 2024, https://arxiv.org/abs/2407.04491, table C.4: tuned defaults; ours learn
more slowly with smaller trees, for Kaggle's small and noisy tables.
"""

from __future__ import annotations

import contextlib
import inspect
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from kpipe.core.packages import install_command
from kpipe.core.values import Context, Loss
from kpipe.errors import UsageError
from kpipe.models.boosting_library import MEASURED_TREES, BoostingLibrary, Rows, first_metric, mean_step
from kpipe.models.boosting_pipelines import early_stopped_pipeline
from kpipe.models.factory import canonical_names, require_known
from kpipe.models.growth import ALL_TREES, Growth

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
# Other names of the parameters that have a default here: https://xgboost.readthedocs.io/en/stable/parameter.html
_ALIASES = {
    "eta": "learning_rate",
    "lambda": "reg_lambda",
    "seed": "random_state",
    "nthread": "n_jobs",
    "num_boost_round": "n_estimators",
    "alpha": "reg_alpha",
    "min_split_loss": "gamma",
}
# Parameters that XGBoost's estimators do not name and pass on, from the same page. XGBoost lists them nowhere.
_NATIVE = frozenset(
    """aft_loss_distribution aft_loss_distribution_scale disable_default_eval_metric feature_selector huber_slope
    lambdarank_bias_norm lambdarank_normalization lambdarank_num_pair_per_sample lambdarank_pair_method
    lambdarank_score_normalization lambdarank_unbiased max_cached_hist_node normalize_type num_class one_drop
    process_type quantile_alpha rate_drop refresh_leaf sample_type seed_per_iteration skip_drop top_k
    tweedie_variance_power updater validate_parameters""".split()
)


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
        If XGBoost is not installed, or has no such parameter.
    """
    try:
        from xgboost import XGBClassifier, XGBModel, XGBRegressor
    except ModuleNotFoundError as error:
        hint = install_command(extra="xgboost")
        raise UsageError(
            f"The model 'xgboost' needs a package that is not installed: {hint}.", code="missing-package"
        ) from error

    kind = XGBClassifier if context.task == "classification" else XGBRegressor
    known = {*inspect.signature(XGBRegressor).parameters, *inspect.signature(XGBModel).parameters, *_ALIASES, *_NATIVE}
    require_known("xgboost", options, known - {"kwargs"})
    defaults = _DEFAULTS | {
        "n_jobs": context.threads,
        "random_state": context.seed,
        "device": "cuda" if context.device == "cuda" else "cpu",
    }
    if context.task == "regression":
        defaults["objective"] = _OBJECTIVES[context.loss]
    return early_stopped_pipeline(
        kind,
        context,
        library=XGBoost(),
        defaults=defaults,
        options=canonical_names({"n_estimators": n_estimators, **options}, _ALIASES),
        adaptive=("learning_rate", "n_estimators"),
    )


@dataclass(frozen=True)
class XGBoost(BoostingLibrary):
    """How XGBoost is trained."""

    def fit(self, estimator: Any, X: pd.DataFrame, y: np.ndarray, growth: Growth = ALL_TREES) -> Any:
        with _stop_in_time(estimator, growth):
            return estimator.fit(X, y)

    def fit_early_stopped(
        self, estimator: Any, train: Rows, valid: Rows, *, patience: int, growth: Growth = ALL_TREES
    ) -> int:
        estimator.set_params(early_stopping_rounds=patience)
        with _stop_in_time(estimator, growth):
            estimator.fit(train.X, train.y, eval_set=[valid], verbose=False)
        return int(estimator.best_iteration) + 1

    def seconds_per_tree(self, estimator: Any, rows: Rows) -> float:
        from xgboost.callback import TrainingCallback

        moments: list[float] = []

        class Stopwatch(TrainingCallback):
            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                moments.append(time.monotonic())
                return False

        clone(estimator).set_params(n_estimators=MEASURED_TREES, callbacks=[Stopwatch()]).fit(*rows)
        return mean_step(moments)

    def validation_losses(self, estimator: Any) -> np.ndarray:
        return first_metric(estimator.evals_result())


@contextlib.contextmanager
def _stop_in_time(estimator: Any, growth: Growth) -> Iterator[None]:
    """Stop XGBoost when the time is up; afterwards, the estimator has only its own callbacks again."""
    if not growth.is_limited:
        yield
        return
    from xgboost.callback import TrainingCallback

    class WhileTimeRemains(TrainingCallback):
        over = False

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            self.over = growth.is_over()
            return False  # if it stopped the training here, the next callback would not record the best tree

        def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            return self.over

    given = estimator.get_params()["callbacks"]
    estimator.set_params(callbacks=[*(given or ()), WhileTimeRemains()])
    try:
        yield
    finally:
        estimator.set_params(callbacks=given)
