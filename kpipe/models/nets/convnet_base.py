"""What the convolutional estimators share: their parameters, and training on rows of pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from kpipe.data.pixels import picture_columns
from kpipe.models.nets.estimators import RandomState, draw_seed, pixel_scale
from kpipe.models.validation import require, require_one_of

if TYPE_CHECKING:
    from kpipe.models.nets.convnet_layers import ConvNetwork
    from kpipe.models.nets.image_augmentation import ImageShape, Padding, RandomWarp
    from kpipe.models.nets.loop import LossFunction
    from kpipe.models.nets.machine import Machine

__all__ = ["ConvNet", "pixels_of"]

_MIN_SIDE = 5  # pixels: see ``_machine``
_PREDICTED_ROWS = 128  # at a time: they fit in a core's 2 MiB of cache, in half the time of 1024
_MIN_ROWS = 32  # fewer are repeated to this number: some CPUs sum a batch of few rows in another order


@dataclass(kw_only=True, eq=False, repr=False)  # writes __init__, also those of classes with further parameters
class ConvNet(BaseEstimator):
    """A few convolutions with batch normalisation, trained on images that are rotated, zoomed, shifted and distorted.

    Parameters
    ----------
    shape : tuple of int or None, default=None
        (height, width, channels) of one row of X, channels last; None: the image is square and grey.
    size : {"small", "large", "photo"}, default="small"
        Of the network; see ``kpipe.models.nets.convnet_layers.LAYERS``.
    lr, epochs, batch_size, weight_decay, min_steps
        Of AdamW with one cycle; see ``kpipe.models.nets.loop.Recipe``.
    rotation, zoom, shear, shift, elastic : float
        Largest changes of a training image; see ``kpipe.models.nets.image_augmentation.RandomWarp``. 0 in all of them,
        with ``first_size=1``, leaves images as they are.
    flip : bool, default=False
        Whether training mirrors every second image, and a prediction counts the mirror images too.
    padding : {"zeros", "reflection"}, default="zeros"
        What a changed image shows beyond its edges; see ``RandomWarp``.
    cutmix : float, default=0
        Share of the training steps in which a box of each image, and as much of its label, is that of another one.
    first_size : float, default=0.7
        Share of its height and width that a training image has in the first half of the training, in (0, 1].
    dropout : float, default=0
        Share of the last layer's inputs that a step leaves out, in [0, 1).
    test_time_augmentation : bool, default=True
        Whether a prediction is the mean over the image and the same shifted by one pixel to each side. False takes a
        fifth of the time; it is for columns that are not pixels, or where a pixel matters.
    random_state : int, RandomState or None, default=None
        The same int gives the same bytes on the same machine.
    device, threads
        Where to compute; see ``kpipe.models.nets.machine.Machine``.

    Attributes
    ----------
    shape_ : tuple of int
        (height, width, channels).
    scale_ : float
        By which inputs are divided, on the device: 255 for uint8, otherwise the largest absolute value in the training
        table, so that the same pixels as bytes, as floats to 255 or as floats to 1 are one table to the network.
    outputs_ : int
        Numbers that the network computes for a row.
    weights_ : dict of str to ndarray
        The network's weights by name.
    loss_curve_ : ndarray of shape (epochs,)
        Mean training loss of each epoch, of warped images.
    quick_ : bool
        Whether a time limit cut the training short; a prediction is then made from one view of the image.
    """

    keeps_time_limit: ClassVar[bool] = True

    shape: ImageShape | None = None
    size: Literal["small", "large", "photo"] = "small"
    lr: float = 0.01
    epochs: int = 16
    batch_size: int = 128
    weight_decay: float = 0.02
    rotation: float = 10.0
    zoom: float = 0.1
    shear: float = 0.0
    shift: float = 2.0
    elastic: float = 0.0
    flip: bool = False
    padding: Padding = "zeros"
    cutmix: float = 0.0
    first_size: float = 0.7
    dropout: float = 0.0
    test_time_augmentation: bool = True
    min_steps: int = 300
    random_state: RandomState = None
    device: str = "cpu"
    threads: int = 1
    raw: bool = field(init=False)  # whether it is to get the columns as they are, before the competition's features

    def _train(self, X: np.ndarray, targets: np.ndarray, loss: LossFunction) -> None:
        """Train a network on all rows; sets ``weights_`` and what it needs to predict."""
        from kpipe.models.nets.loop import Recipe, train

        require_one_of("size", self.size, ("small", "large", "photo"))
        require_one_of("padding", self.padding, ("zeros", "reflection"))
        require(0 < self.first_size <= 1, "first_size must be above 0 and at most 1", self.first_size)
        require(0 <= self.dropout < 1, "dropout must be at least 0 and below 1", self.dropout)
        self.shape_ = self._image_shape(X.shape[1])
        self.scale_ = pixel_scale(X)
        warp = self._warp()
        self.weights_, self.loss_curve_, self.quick_ = train(
            self._build,
            X,
            targets,
            loss=loss,
            recipe=Recipe(
                epochs=self.epochs,
                batch_size=self.batch_size,
                lr=self.lr,
                weight_decay=self.weight_decay,
                min_steps=self.min_steps,
                cutmix=self.cutmix,
            ),
            machine=self._machine(train=True),
            seed=draw_seed(self.random_state),
            augment=warp.at if warp or self.cutmix else None,  # cutmix needs images, not rows
            build_quick=partial(self._build, quick=True),
        )

    def _forward(self, X: Any) -> np.ndarray:
        """(n, views, outputs) float32 of each row as it is, shifted and mirrored."""
        check_is_fitted(self)
        from kpipe.models.nets.loop import forward

        X = validate_data(self, pixels_of(X), dtype=[np.float32, np.uint8], reset=False)
        padded = X if len(X) >= _MIN_ROWS else np.resize(X, (_MIN_ROWS, X.shape[1]))
        build = partial(self._build, quick=self.quick_)
        outputs = forward(build, self.weights_, padded, machine=self._machine(), batch_size=_PREDICTED_ROWS)
        return outputs[: len(X)]

    def _image_shape(self, features: int) -> ImageShape:
        """(height, width, channels), which must hold as many numbers as there are columns."""
        side = math.isqrt(features)
        shape = (side, side, 1) if self.shape is None else self.shape
        if math.prod(shape) != features:
            rule = "be a square number" if self.shape is None else f"fill shape={self.shape}"
            raise ValueError(
                f"The number of columns must {rule}, but X has {features}. "
                "Give shape=(height, width, channels), or remove columns that are not pixels."
            )
        return shape

    def _build(self, *, quick: bool = False) -> ConvNetwork:
        """The network; after a shortened training, time is better spent on training than on several views."""
        from kpipe.models.nets.convnet_layers import LAYERS, ConvNetwork
        from kpipe.models.nets.image_augmentation import SHIFTS

        views = self.test_time_augmentation and not quick
        return ConvNetwork(
            self.shape_,
            scale=self.scale_,
            layers=LAYERS[self.size],
            classes=self.outputs_,
            dropout=self.dropout,
            shifts=SHIFTS if views else SHIFTS[:1],
            padding=self.padding,
            flip=self.flip and views,
        )

    def _warp(self) -> RandomWarp:
        from kpipe.models.nets.image_augmentation import RandomWarp

        amounts = ("rotation", "zoom", "shear", "shift", "elastic", "flip", "padding", "first_size")
        return RandomWarp(shape=self.shape_, **{name: getattr(self, name) for name in amounts})

    def _machine(self, *, train: bool = False) -> Machine:
        from kpipe.models.nets.machine import Machine

        # On images of one pixel, torch 2.13's bfloat16 convolutions gave NaN in 3 of 180 trainings on the same numbers,
        # its float32 ones in none: they seem to read beyond their input.
        tiny = train and min(self.shape_[:2]) < _MIN_SIDE
        return Machine(device=self.device, threads=self.threads, bfloat16=False if tiny else "auto")


def pixels_of(X: Any) -> Any:
    """The pixels among the columns of a table; other input as it is.

    Parameters
    ----------
    X : array-like

    Returns
    -------
    array-like
    """
    pixels = picture_columns(X.columns) if isinstance(X, pd.DataFrame) else []
    return X[pixels] if pixels and len(pixels) < X.shape[1] else X
