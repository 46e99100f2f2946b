"""Code that the nets' scikit-learn estimators share; it does not import torch, so that making an estimator is fast."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets

from kpipe.models.validation import require

__all__ = ["NetClassifierMixin", "RandomState", "draw_seed", "pixel_scale"]

RandomState = int | np.random.RandomState | None


def draw_seed(random_state: RandomState) -> int:
    """A seed for torch, drawn from scikit-learn's ``random_state``.

    Parameters
    ----------
    random_state : int, RandomState or None
        An int always gives the same seed.

    Returns
    -------
    int
        At least 0 and below 2**31.
    """
    return int(check_random_state(random_state).randint(2**31))


def pixel_scale(X: np.ndarray) -> float:
    """The number by which pixels are divided, so that bytes and floats of any scale become the same inputs.

    Parameters
    ----------
    X : ndarray of shape (n, pixels)
        The training table.

    Returns
    -------
    float
        255 for uint8, otherwise the largest absolute value, or 1 if all are 0.
    """
    return 255.0 if X.dtype == np.uint8 else float(np.abs(X).max()) or 1.0


class NetClassifierMixin(ClassifierMixin):
    """Encode labels as class codes in ``fit``, and derive ``predict`` from ``predict_proba``."""

    classes_: np.ndarray

    def _encode_labels(self, y: np.ndarray) -> np.ndarray:
        """(n,) int64 class codes; sets ``classes_``."""
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        require(len(self.classes_) >= 2, "y must hold at least 2 classes", self.classes_.tolist())
        return codes.astype(np.int64)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable labels.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Labels, of the same type as the ``y`` of ``fit``.
        """
        codes = self.predict_proba(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[codes]
        return labels
