"""The interface between early stopping and a boosting library; each library's module has a subclass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd

from kpipe.models.growth import ALL_TREES, Growth

__all__ = ["MEASURED_TREES", "BoostingLibrary", "Rows", "first_metric", "mean_step"]

MEASURED_TREES = 20  # trees whose time is measured: with fewer, a busy machine seems idle


class Rows(NamedTuple):
    """Features and targets of some rows."""

    X: pd.DataFrame
    y: np.ndarray


class BoostingLibrary:
    """How a boosting library is trained; stateless, so that estimators that contain one can be cloned and pickled.

    Attributes
    ----------
    trees : str
        The library's name for the number of trees.
    """

    trees: ClassVar[str] = "n_estimators"

    def prepare(self, X: pd.DataFrame) -> pd.DataFrame:
        """The table in the form that the library takes.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            As ``NativeCategories`` returns it.

        Returns
        -------
        DataFrame of shape (n, columns)
            By default the same table.
        """
        return X

    def params_by_size(self, n_rows: int) -> dict[str, Any]:
        """Defaults that follow the number of training rows.

        Parameters
        ----------
        n_rows : int
            Number of training rows.

        Returns
        -------
        dict of str to object
            Parameters of the library's estimator; by default none.
        """
        return {}

    def fit(self, estimator: Any, X: pd.DataFrame, y: np.ndarray, growth: Growth = ALL_TREES) -> Any:
        """Fit an estimator on all rows, with its own number of trees or as many as there is time for.

        Parameters
        ----------
        estimator : estimator
            The library's estimator, unfitted.
        X : DataFrame of shape (n, columns)
            As ``prepare`` returns it.
        y : ndarray of shape (n,)
            Class codes or values.
        growth : Growth
            Asked after each tree, if it is limited.

        Returns
        -------
        estimator
            The same object, fitted.

        Raises
        ------
        NotImplementedError
            If a subclass does not implement it.
        """
        raise NotImplementedError

    def fit_early_stopped(
        self, estimator: Any, train: Rows, valid: Rows, *, patience: int, growth: Growth = ALL_TREES
    ) -> int:
        """Fit the estimator until the loss on the inner validation rows no longer falls.

        Parameters
        ----------
        estimator : estimator
            The library's estimator; it is fitted in place.
        train, valid : Rows
            Inner training and validation rows.
        patience : int
            Trees without an improvement after which growing stops.
        growth : Growth
            Asked after each tree, if it is limited.

        Returns
        -------
        int
            The number of trees with the lowest loss.

        Raises
        ------
        NotImplementedError
            If the library is not used with early stopping.
        """
        raise NotImplementedError

    def seconds_per_tree(self, estimator: Any, rows: Rows) -> float:
        """Measure the seconds that one more tree of the estimator takes; with several classes, one tree for each.

        Parameters
        ----------
        estimator : estimator
            The library's estimator, unfitted; a clone is fitted.
        rows : Rows
            Training rows.

        Returns
        -------
        float
            0.0 for a library whose fits are not shortened to keep a time limit.
        """
        return 0.0

    def training_losses(self, estimator: Any) -> np.ndarray:
        """The loss on the training rows after each tree, where the library keeps it.

        Parameters
        ----------
        estimator : estimator
            The library's fitted estimator.

        Returns
        -------
        ndarray of shape (trees,)
            Empty where the library keeps none.
        """
        return np.empty(0)

    def validation_losses(self, estimator: Any) -> np.ndarray:
        """The loss on the inner validation rows after each tree.

        Parameters
        ----------
        estimator : estimator
            The library's estimator, fitted by ``fit_early_stopped``.

        Returns
        -------
        ndarray of shape (trees,)
            Float64.

        Raises
        ------
        NotImplementedError
            If the library is not used with early stopping.
        """
        raise NotImplementedError


def mean_step(moments: Sequence[float]) -> float:
    """The mean time from one moment to the next.

    Parameters
    ----------
    moments : sequence of float
        After each tree, by ``time.monotonic``; at least one.

    Returns
    -------
    float
        Seconds; 0.0 for a single moment.

    Examples
    --------
    >>> mean_step([3.0, 3.5, 5.0])
    1.0
    """
    return (moments[-1] - moments[0]) / max(len(moments) - 1, 1)


def first_metric(results: Mapping[str, Mapping[str, Sequence[float]]]) -> np.ndarray:
    """The values of the first metric on the first data set of a library's evaluation results.

    Parameters
    ----------
    results : mapping
        Data set → metric → one value per tree, as all three libraries keep it.

    Returns
    -------
    ndarray of shape (trees,)
        Float64; empty where there are no results.

    Examples
    --------
    >>> first_metric({"valid": {"l2": [0.5, 0.4]}}).tolist()
    [0.5, 0.4]
    """
    of_first: Mapping[str, Sequence[float]] = next(iter(results.values()), {})
    return np.array(next(iter(of_first.values()), []), dtype=np.float64)
