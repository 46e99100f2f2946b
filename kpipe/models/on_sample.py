"""The model ``quick-linear``, and the wrapper that fits an estimator on a sample of the rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from kpipe.core.values import Context
from kpipe.models.linear import linear

__all__ = ["OnSample", "quick_linear"]

_MAX_CELLS, _MIN_ROWS = 500_000, 300  # of a sample: 640 rows of 784 pixels


def quick_linear(context: Context, *, rows: int = 2_000, **options: Any) -> OnSample:
    """The model linear, fitted on a sample of the rows: for budgets of seconds.

    Parameters
    ----------
    context : Context
        The context of the fit.
    rows : int, default=2000
        The size of the sample.
    **options
        Options of ``linear``.

    Returns
    -------
    OnSample
        Unfitted.
    """
    return OnSample(linear(context, **options), rows=rows, random_state=context.seed)


def _gives_probabilities(wrapper: OnSample) -> bool:
    return hasattr(wrapper.estimator, "predict_proba")


class OnSample(BaseEstimator):
    """An estimator that is fitted on a random sample of the rows.

    Parameters
    ----------
    estimator : estimator
        A classifier or a regressor.
    rows : int, default=2000
        The size of the sample, at most; fewer of a wide table. It always holds a row of each class.
    random_state : int, default=0
        Seed of the sample.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone.
    """

    def __init__(self, estimator: BaseEstimator, *, rows: int = 2_000, random_state: int = 0) -> None:
        self.estimator = estimator
        self.rows = rows
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit a clone on the sample.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Features.
        y : ndarray of shape (n,) or (n, targets)
            Labels or values.

        Returns
        -------
        self
            The fitted estimator.
        """
        rows = min(self.rows, max(_MAX_CELLS // X.shape[1], _MIN_ROWS))
        chosen = np.random.default_rng(self.random_state).permutation(len(X))[:rows]
        if hasattr(self, "predict_proba"):
            chosen = np.union1d(chosen, np.unique(y, return_index=True)[1])
        chosen = np.sort(chosen)
        self.estimator_ = clone(self.estimator).fit(X.iloc[chosen], np.asarray(y)[chosen])
        return self

    def __sklearn_tags__(self) -> Tags:
        """Those of the estimator: ``is_classifier`` is true of a classifier on a sample."""
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
        return tags

    @property
    def classes_(self) -> np.ndarray:
        """The labels of the fitted estimator."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.classes_)

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator]  # scikit-learn is not typed
    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Probabilities of the labels.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, k)
            Columns as in ``classes_``.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(X))

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Labels or values.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,) or (n, targets)
            As the estimator predicts them.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(X))
