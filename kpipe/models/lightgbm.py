"""The model ``boosting``: LightGBM's gradient-boosted trees.

References
----------
Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", 2017.
Holzmüller et al., "Better by Default", 2024, https://arxiv.org/abs/2407.04491, table C.3: tuned defaults; ours learn
more slowly with smaller trees, for Kaggle's small and noisy tables.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone, is_classifier

from kpipe.core.values import Context, Loss
from kpipe.errors import UsageError
from kpipe.models.boosting_library import MEASURED_TREES, BoostingLibrary, Rows, first_metric, mean_step
from kpipe.models.boosting_pipelines import early_stopped_pipeline
from kpipe.models.factory import canonical_names, require_known, without_conflicts
from kpipe.models.growth import ALL_TREES, Growth

__all__ = ["LightGBM", "boosting"]

_DEFAULTS: dict[str, Any] = {
    "learning_rate": 0.03,
    "min_child_samples": 20,
    "subsample": 0.8,
    "subsample_freq": 1,
    "colsample_bytree": 0.6,
    "reg_lambda": 1.0,
    "cat_smooth": 10.0,
    "min_data_per_group": 10,
    "verbosity": -1,
    # The same bytes in every run, whichever layout of its histograms LightGBM measures as the faster one.
    "deterministic": True,
    "force_row_wise": True,
}
# LightGBM refuses both ways of building histograms, and bags no rows where it samples them by their gradients.
_CONFLICTS = (
    ("force_col_wise", True, ("force_row_wise",)),
    ("boosting_type", "goss", ("subsample", "subsample_freq")),
    ("data_sample_strategy", "goss", ("subsample", "subsample_freq")),
)
_LAST = 40  # after the callbacks that keep the losses (20) and that stop early (30)
_OBJECTIVES: dict[Loss, str] = {"squared": "regression", "absolute": "regression_l1", "poisson": "poisson"}
# Other names of the parameters that are chosen here: https://lightgbm.readthedocs.io/en/stable/Parameters.html
_ALIASES = {
    **dict.fromkeys(("eta", "shrinkage_rate"), "learning_rate"),
    **dict.fromkeys(("num_leaf", "max_leaves", "max_leaf", "max_leaf_nodes"), "num_leaves"),
    **dict.fromkeys(("min_data_in_leaf", "min_data_per_leaf", "min_data", "min_samples_leaf"), "min_child_samples"),
    **dict.fromkeys(("bagging_fraction", "bagging", "sub_row"), "subsample"),
    "bagging_freq": "subsample_freq",
    **dict.fromkeys(("feature_fraction", "sub_feature"), "colsample_bytree"),
    **dict.fromkeys(("lambda_l2", "lambda", "l2_regularization"), "reg_lambda"),
    "verbose": "verbosity",
    "boosting": "boosting_type",
    **dict.fromkeys(("early_stopping_round", "early_stopping", "n_iter_no_change"), "early_stopping_rounds"),
    **dict.fromkeys(("objective_type", "app", "application", "loss"), "objective"),
    **dict.fromkeys(("seed", "random_seed"), "random_state"),
    **dict.fromkeys(("num_threads", "num_thread", "nthread", "nthreads"), "n_jobs"),
    **dict.fromkeys(("num_iterations", "num_iteration", "n_iter", "num_tree", "num_trees"), "n_estimators"),
    **dict.fromkeys(("num_round", "num_rounds", "nrounds", "num_boost_round", "max_iter"), "n_estimators"),
}


def boosting(context: Context, *, n_estimators: int | None = None, **options: Any) -> BaseEstimator:
    """LightGBM's gradient-boosted trees with native categories.

    Parameters
    ----------
    context : Context
        The context of the fit.
    n_estimators : int or None, default=None
        Number of trees; None lets early stopping choose it on inner splits.
    **options
        LightGBM's own parameters, by any of their names.

    Returns
    -------
    Pipeline
        ``NativeCategories``, then ``EarlyStoppedClassifier`` or ``EarlyStoppedRegressor``.

    Raises
    ------
    UsageError
        If LightGBM has no such parameter.
    """
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMClassifier if context.task == "classification" else LGBMRegressor
    require_known("boosting", options, _known_options(kind))
    given = canonical_names({"n_estimators": n_estimators, **options}, _ALIASES)
    if given.get("boosting_type") == "dart" and "n_estimators" not in given:
        raise UsageError("LightGBM cannot stop 'dart' early: give n_estimators too.", code="conflicting-options")
    defaults = _DEFAULTS | {"n_jobs": context.threads, "random_state": context.seed}
    if context.task == "regression":
        defaults["objective"] = _OBJECTIVES[context.loss]
    return early_stopped_pipeline(
        kind,
        context,
        library=LightGBM(),
        defaults=without_conflicts(defaults, given, _CONFLICTS),
        options=given,
        adaptive=("num_leaves", "learning_rate", "n_estimators"),
    )


def _known_options(kind: type) -> set[str]:
    """Every name of every parameter, as LightGBM itself lists them: it ignores any other with a warning."""
    from lightgbm.basic import _ConfigAliases

    _ConfigAliases.get("num_leaves")  # loads the names
    aliases = _ConfigAliases.aliases or {}
    every = {*aliases, *(name for names in aliases.values() for name in names)}
    return {*every, *_ALIASES, *_ALIASES.values(), *inspect.signature(kind).parameters} - {"kwargs"}


@dataclass(frozen=True)
class LightGBM(BoostingLibrary):
    """How LightGBM is trained."""

    def params_by_size(self, n_rows: int) -> dict[str, Any]:
        return {"num_leaves": 8 if n_rows < 2_000 else 15 if n_rows < 10_000 else 31 if n_rows < 50_000 else 63}

    def fit(self, estimator: Any, X: pd.DataFrame, y: np.ndarray, growth: Growth = ALL_TREES) -> Any:
        return estimator.fit(X, y, callbacks=[_while_time_remains(growth)] if growth.is_limited else None)

    def fit_early_stopped(
        self, estimator: Any, train: Rows, valid: Rows, *, patience: int, growth: Growth = ALL_TREES
    ) -> int:
        from lightgbm import early_stopping

        # A gain in the fifth decimal of the log loss is no improvement: the classes are nearly separated.
        min_delta = 1e-5 if is_classifier(estimator) else 0.0
        stop = early_stopping(patience, verbose=False, min_delta=min_delta)
        # LightGBM 4.7 renamed what 4.6, which Kaggle's image may have, calls eval_set.
        renamed = "eval_X" in inspect.signature(estimator.fit).parameters
        watched = {"eval_X": valid.X, "eval_y": valid.y} if renamed else {"eval_set": [valid]}
        callbacks = [stop, _while_time_remains(growth)] if growth.is_limited else [stop]
        estimator.fit(train.X, train.y, callbacks=callbacks, **watched)
        return int(estimator.best_iteration_)

    def seconds_per_tree(self, estimator: Any, rows: Rows) -> float:
        moments: list[float] = []
        short = clone(estimator).set_params(n_estimators=MEASURED_TREES)
        short.fit(*rows, callbacks=[lambda _: moments.append(time.monotonic())])
        return mean_step(moments)

    def validation_losses(self, estimator: Any) -> np.ndarray:
        return first_metric(estimator.evals_result_)


def _while_time_remains(growth: Growth) -> Callable[[Any], None]:
    """A callback that ends the training when the time is up, and keeps the trees up to the best one."""
    from lightgbm.callback import EarlyStopException

    losses: list[float] = []

    def after_tree(env: Any) -> None:
        for _, _, value, is_higher_better, *_ in (env.evaluation_result_list or [])[:1]:
            losses.append(-value if is_higher_better else value)
        if growth.is_over():
            best = int(np.argmin(losses)) if losses else env.iteration
            raise EarlyStopException(best, env.evaluation_result_list or [])

    after_tree.order = _LAST  # type: ignore[attr-defined]  # LightGBM sorts its callbacks by it
    return after_tree
