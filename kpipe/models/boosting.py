"""Gradient-boosted trees: LightGBM, with the competition's text columns as native categories."""

from __future__ import annotations

from typing import Any

from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import BaseEstimator

from kpipe.features import NativeCategories, encoded
from kpipe.values import Context

__all__ = ["boosting"]

# A fixed number of trees: to stop early would choose on rows that are then reported, or cost rows to train on.
_DEFAULTS: dict[str, Any] = {
    "n_estimators": 300,
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_child_samples": 10,
    "subsample": 0.8,
    "subsample_freq": 1,
    "colsample_bytree": 0.6,
    "reg_lambda": 1.0,
    "cat_smooth": 10.0,
    "min_data_per_group": 10,
}


def boosting(context: Context, **options: Any) -> BaseEstimator:
    """LightGBM with few leaves and slow learning, for tables of hundreds to some ten thousand rows.

    options : LightGBM's own parameters.
    """
    settings = _DEFAULTS | options
    kind = LGBMRegressor if context.task == "regression" else LGBMClassifier
    estimator = kind(
        **settings,
        random_state=context.seed,
        n_jobs=context.threads,
        # The same bytes at every run, whatever LightGBM measures as the faster layout of its histograms.
        deterministic=True,
        force_row_wise=True,
        verbosity=-1,
    )
    return encoded(NativeCategories(), estimator)
