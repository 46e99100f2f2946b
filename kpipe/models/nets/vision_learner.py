"""The model ``vision-learner``: fastai's ``vision_learner`` fine-tunes a pretrained network.

First its new head is trained, then the whole network with lower learning rates for its first layers (``fine_tune``). It
needs torchvision, which ``fastai.vision`` imports, and minutes per fold on CPUs: ``docs/decisions/0018-pretrained.md``.

References
----------
Howard and Gugger, "fastai: A Layered API for Deep Learning", 2020, https://arxiv.org/abs/2002.04688.
Howard and Ruder, "Universal Language Model Fine-tuning", 2018, https://arxiv.org/abs/1801.06146 (discriminative rates).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from kpipe.core.values import Context, Weights
from kpipe.data.pixels import picture_columns, picture_shape
from kpipe.errors import UsageError
from kpipe.models.factory import require_classification, with_context
from kpipe.models.nets.estimators import NetClassifierMixin, RandomState, draw_seed
from kpipe.models.nets.pretrained import choose_weights, seen_size
from kpipe.models.picture_weights import why_no_torchvision
from kpipe.models.validation import require

if TYPE_CHECKING:
    from torch import nn

    from kpipe.models.nets.image_augmentation import ImageShape
    from kpipe.models.nets.machine import Machine

__all__ = ["VisionLearner", "vision_learner"]

_PREDICTED_ROWS = 32  # at a time, always: the last digits depend on the number


def vision_learner(context: Context, *, weights: str | None = None, **options: Any) -> VisionLearner:
    """A pretrained network fine-tuned with fastai's vision_learner, for pictures.

    Parameters
    ----------
    context : Context
        The context of the fit; its ``weights`` are used where none are given.
    weights : str or None, default=None
        A file or folder of weights.
    **options
        Further parameters of ``VisionLearner``.

    Returns
    -------
    VisionLearner
        Unfitted.

    Raises
    ------
    UsageError
        If the task is not classification, torchvision does not work here, or there are no weights.
    """
    require_classification("vision-learner", context)
    if why := why_no_torchvision():
        raise UsageError(
            f"The model 'vision-learner' needs torchvision, but {why}. Choose another model.", code="model-unsuitable"
        )
    return VisionLearner(choose_weights(weights, context), **with_context(options, context))


class VisionLearner(NetClassifierMixin, BaseEstimator):
    """fastai's ``vision_learner``, fine-tuned on pictures that are mirrored, zoomed and shifted at random.

    Parameters
    ----------
    weights : Weights
        Of the network.
    side : int, default=0
        Pixels of the longer side of the network's input pictures; 0 for 128, and for larger pictures their own
        size, up to 224.
    freeze_epochs, epochs, lr
        Of fastai's ``fine_tune``: epochs of the head alone, then of all layers, and the head's learning rate.
    batch_size : int, default=64
        Pictures a step.
    zoom, shift : float
        Largest changes of a training picture, as shares of its size.
    random_state : int, RandomState or None, default=None
        The same int gives the same bytes on the same machine.
    device, threads
        Where to compute; see ``kpipe.models.nets.machine.Machine``.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels, sorted.
    shape_ : tuple of int
        (height, width, channels) of the pictures in the table.
    weights_ : dict of str to ndarray
        The fine-tuned network's weights by name.
    loss_curve_ : ndarray of shape (epochs,)
        Smoothed training loss at the end of each epoch in which all layers are trained.
    """

    raw = True  # it takes the pixels out of the competition's columns
    shape_: ImageShape
    weights_: dict[str, np.ndarray]
    loss_curve_: np.ndarray

    def __init__(
        self,
        weights: Weights,
        *,
        side: int = 0,
        freeze_epochs: int = 1,
        epochs: int = 3,
        lr: float = 2e-3,
        batch_size: int = 64,
        zoom: float = 0.15,
        shift: float = 0.08,
        random_state: RandomState = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.weights = weights
        self.side = side
        self.freeze_epochs = freeze_epochs
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.zoom = zoom
        self.shift = shift
        self.random_state = random_state
        self.device = device
        self.threads = threads

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Fine-tune on all rows.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            With the pixels of pictures.
        y : array-like of shape (n,)
            Labels.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        UsageError
            If there are no columns of a picture.
        TrainingError
            If the loss is no longer a finite number.
        """
        from kpipe.models.nets.fastai_vision import FineTuning, fine_tune
        from kpipe.models.nets.image_augmentation import RandomWarp

        shape = picture_shape(picture_columns(X.columns))
        if shape is None:
            raise UsageError(
                "The model 'vision-learner' needs pictures, but the table has none. Choose another model.",
                code="model-unsuitable",
            )
        require(self.epochs >= 1, "epochs must be 1 or more", self.epochs)
        require(self.batch_size >= 2, "batch_size must be 2 or more", self.batch_size)
        codes = self._encode_labels(np.asarray(y))
        self.shape_ = shape
        self.weights_, self.loss_curve_, _ = fine_tune(
            self._build_backbone(),
            self._rows(X),
            codes,
            shape=shape,
            size=seen_size(shape, self.side),
            warp=RandomWarp(
                shape=shape, zoom=self.zoom, shift=self.shift * max(shape[:2]), flip=True, padding="reflection"
            ),
            plan=FineTuning(self.freeze_epochs, self.epochs, self.lr, self.batch_size),
            machine=self._machine(),
            seed=draw_seed(self.random_state),
        )
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Probabilities of the labels: those of the mean over a picture and its mirror image.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, k)
            Float64, columns as in ``classes_``.
        """
        check_is_fitted(self)
        from kpipe.models.nets.picture_batches import network_outputs

        rows = self._rows(X)
        if not len(rows):
            return np.zeros((0, len(self.classes_)))
        size, machine = seen_size(self.shape_, self.side), self._machine()
        logits = network_outputs(
            self._build, rows, shape=self.shape_, size=size, machine=machine, batch_size=_PREDICTED_ROWS
        )
        probabilities: np.ndarray = softmax(logits.astype(np.float64), axis=1)
        return probabilities

    def _rows(self, X: pd.DataFrame) -> np.ndarray:
        return np.ascontiguousarray(X[picture_columns(X.columns)], dtype=np.uint8)

    def _build_backbone(self) -> nn.Module:
        from kpipe.models.nets.backbones import build_backbone

        return build_backbone(self.weights)

    def _build(self) -> nn.Module:
        """The fine-tuned network."""
        from kpipe.models.nets.fastai_vision import restore

        return restore(self._build_backbone(), self.weights_, classes=len(self.classes_))

    def _machine(self) -> Machine:
        from kpipe.models.nets.machine import Machine

        return Machine(device=self.device, threads=self.threads, bfloat16="auto")
