"""Metrics for regression.

References
----------
Kaggle's pages: RMSLE, https://www.kaggle.com/competitions/online-sales/overview/evaluation; RMSE of logarithms,
https://www.kaggle.com/competitions/house-prices-advanced-regression-techniques/overview/evaluation; median absolute
error, https://www.kaggle.com/competitions/playground-series-s3e25/overview/evaluation; R²,
https://www.kaggle.com/competitions/playground-series-s4e5/overview/evaluation; MAPE and SMAPE at their functions.
"""

from __future__ import annotations

import numpy as np
from sklearn import metrics as skm

from kpipe.core.metrics.metric import Metric, mean, root_mean

__all__ = ["METRICS"]


def _squared_errors(y: np.ndarray, values: np.ndarray) -> np.ndarray:
    return (values - y) ** 2


def _absolute_errors(y: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.abs(values - y)


def _squared_log1p_errors(y: np.ndarray, values: np.ndarray) -> np.ndarray:
    return (np.log1p(np.clip(values, 0, None)) - np.log1p(y)) ** 2


def _squared_log_errors(y: np.ndarray, values: np.ndarray) -> np.ndarray:
    # Predictions are clipped to 1 from below, as in the house-price chapter of "Dive into Deep Learning".
    return (np.log(np.clip(values, 1, None)) - np.log(y)) ** 2


def _absolute_relative_errors(y: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Fractions, not percentages: scikit-learn's MAPE, on whose scale Kaggle shows scores.

    A target of 0 counts as the distance from 1 to the next float, as in scikit-learn. For the scale:
    https://www.kaggle.com/competitions/playground-series-s5e1, where 0.066 ranked 250th.
    """
    return np.abs(values - y) / np.maximum(np.abs(y), np.finfo(float).eps)


def _symmetric_percentage_errors(y: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Percentages from 0 to 200, and 0 where truth and prediction are both 0: Kaggle's SMAPE.

    "We define SMAPE = 0 when the actual and predicted values are both 0" says
    https://www.kaggle.com/competitions/playground-series-s3e19/overview/evaluation, where 27.7 ranked 283rd.
    """
    size = (np.abs(y) + np.abs(values)) / 2
    return 100 * np.divide(np.abs(values - y), size, out=np.zeros(len(y)), where=size > 0)


METRICS = (
    Metric(
        name="rmse",
        function=root_mean(_squared_errors),
        losses=_squared_errors,
        root=True,
        needs="value",
        greater_is_better=False,
        aliases=(
            "root_mean_squared_error",
            "root_mean_square_error",
            "mcrmse",
            "mean_columnwise_root_mean_squared_error",
        ),
    ),
    Metric(
        name="rmsle",
        function=root_mean(_squared_log1p_errors),
        losses=_squared_log1p_errors,
        root=True,
        needs="value",
        greater_is_better=False,
        log_target=True,
        domain=0.0,
        aliases=("root_mean_squared_log_error", "root_mean_squared_logarithmic_error"),
    ),
    Metric(
        name="log_rmse",
        function=root_mean(_squared_log_errors),
        losses=_squared_log_errors,
        root=True,
        needs="value",
        greater_is_better=False,
        log_target=True,
        domain=1.0,
    ),
    Metric(
        name="mse",
        function=mean(_squared_errors),
        losses=_squared_errors,
        needs="value",
        greater_is_better=False,
        aliases=("mean_squared_error",),
    ),
    Metric(
        name="mae",
        function=mean(_absolute_errors),
        losses=_absolute_errors,
        needs="value",
        greater_is_better=False,
        loss="absolute",
        aliases=("mean_absolute_error",),
    ),
    Metric(
        name="median_ae",
        function=skm.median_absolute_error,
        needs="value",
        greater_is_better=False,
        quantile=True,
        loss="absolute",
        window=True,
        aliases=("median_absolute_error", "medae"),
    ),
    Metric(
        name="mape",
        function=mean(_absolute_relative_errors),
        losses=_absolute_relative_errors,
        needs="value",
        greater_is_better=False,
        loss="absolute",
        log_target=True,
        aliases=("mean_absolute_percentage_error",),
    ),
    Metric(
        name="smape",
        function=mean(_symmetric_percentage_errors),
        losses=_symmetric_percentage_errors,
        needs="value",
        greater_is_better=False,
        loss="absolute",
        log_target=True,
        aliases=("symmetric_mean_absolute_percentage_error",),
    ),
    Metric(
        name="r2",
        function=skm.r2_score,
        needs="value",
        greater_is_better=True,
        aliases=("r^2", "r_squared"),
    ),
)
