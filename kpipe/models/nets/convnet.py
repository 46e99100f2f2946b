"""The models ``convnet``, ``convnet-large`` and ``photo-net``: small convolutional networks for small images.

Their scores on Kaggle's digit-recognizer, their cost and what was tried: ``docs/digits.md``. From 600 rows: 0.977 ±
0.001 (3 seeds), 4 s.

Tried first (10 epochs, no test-time augmentation, 3 seeds, folds 0 to 2 of five, means ± standard error; options were
chosen on these rows, never on test.csv)::

    10 epochs, batches of 128, smoothing 0.1                  0.9943 ± 0.0002
    batches of 256                                            0.9943 ± 0.0002   log loss 0.053
      and smoothing 0.05                                      0.9941 ± 0.0002   log loss 0.041
      and smoothing 0                                         0.9927 ± 0.0003   log loss 0.024
      and 8 epochs                                            0.9935 ± 0.0001
        and weights averaged (0.99 a step)                    0.9936 ± 0.0001   rejected
        and rotation 15, zoom 0.15, shift 2.5, shear          0.9935 ± 0.0001   rejected
    600 rows: 300 steps of 128 rows, 150 of 256               0.978 ± 0.001, 0.974 ± 0.000

A step of 256 rows in bfloat16 and channels last takes 0.4 of the time in float32 and torch's own order of channels,
0.5 of float32 with channels last. For probabilities rather than labels, label_smoothing=0 is the better choice.

References
----------
Ioffe and Szegedy, "Batch Normalization", 2015, https://arxiv.org/abs/1502.03167.
Szegedy et al., "Rethinking the Inception Architecture", 2015, https://arxiv.org/abs/1512.00567 (label smoothing).
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from kpipe.core.values import Context
from kpipe.data.pixels import picture_columns
from kpipe.models.factory import require_classification, with_context
from kpipe.models.nets.estimators import NetClassifierMixin, RandomState, draw_seed, pixel_scale
from kpipe.models.validation import require, require_one_of

if TYPE_CHECKING:
    from kpipe.models.nets.convnet_layers import ConvNetwork
    from kpipe.models.nets.image_augmentation import ImageShape, RandomWarp
    from kpipe.models.nets.machine import Machine

__all__ = ["ConvNetClassifier", "convnet", "convnet_large", "photo_net"]

_MIN_SIDE = 5  # pixels: see ``_machine``
_PREDICTED_ROWS = 128  # at a time: they fit in a core's 2 MiB of cache, in half the time of 1024
_FEWEST_ROWS = 32  # fewer are repeated to this number: some CPUs sum a batch of few rows in another order


def convnet(context: Context, *, shape: ImageShape | None = None, **options: Any) -> ConvNetClassifier:
    """A small convolutional torch net for tables of pixels.

    Parameters
    ----------
    context : Context
        The context of the fit.
    shape : tuple of int or None, default=None
        (height, width, channels) of an image; None: images are square and grey.
    **options
        Further parameters of ``ConvNetClassifier``.

    Returns
    -------
    ConvNetClassifier
        Unfitted.

    Raises
    ------
    UsageError
        If the task is not classification.
    """
    require_classification("convnet", context)
    return ConvNetClassifier(shape=shape, **with_context(options, context))


def convnet_large(context: Context, *, shape: ImageShape | None = None, **options: Any) -> ConvNetClassifier:
    """The convnet with four times the weights, in four times the time.

    It trains longer than ``convnet``, on images that are distorted elastically too; ``docs/digits.md`` says how it was
    chosen.

    Parameters
    ----------
    context : Context
        The context of the fit.
    shape : tuple of int or None, default=None
        As for ``convnet``.
    **options
        Further parameters of ``ConvNetClassifier``.

    Returns
    -------
    ConvNetClassifier
        Unfitted.

    Raises
    ------
    UsageError
        If the task is not classification.
    """
    require_classification("convnet-large", context)
    longer: dict[str, Any] = {"size": "large", "epochs": 20, "dropout": 0.2}
    warped = {"rotation": 12.0, "shear": 0.1, "elastic": 1.0}
    return ConvNetClassifier(shape=shape, **with_context({**longer, **warped, **options}, context))


def photo_net(context: Context, *, shape: ImageShape | None = None, **options: Any) -> ConvNetClassifier:
    """A convolutional torch net with residual layers for small colour pictures.

    Parameters
    ----------
    context : Context
        The context of the fit.
    shape : tuple of int or None, default=None
        As for ``convnet``.
    **options
        Further parameters of ``ConvNetClassifier``.

    Returns
    -------
    ConvNetClassifier
        Unfitted.

    Raises
    ------
    UsageError
        If the task is not classification.
    """
    require_classification("photo-net", context)
    longer: dict[str, Any] = {"size": "photo", "epochs": 16, "min_steps": 600}
    seen = {"rotation": 0.0, "zoom": 0.15, "shift": 3.0, "flip": True}
    net = ConvNetClassifier(shape=shape, **with_context({**longer, **seen, **options}, context))
    net.raw = True  # it takes the pixels out of the competition's columns
    return net


class ConvNetClassifier(NetClassifierMixin, BaseEstimator):
    """A few convolutions with batch normalisation, trained on images that are rotated, zoomed, shifted and distorted.

    Parameters
    ----------
    shape : tuple of int or None, default=None
        (height, width, channels) of one row of X, channels last; None: the image is square and grey.
    size : {"small", "large", "photo"}, default="small"
        Of the network; see ``kpipe.models.nets.convnet_layers.LAYERS``.
    lr, epochs, batch_size, weight_decay, min_steps
        Of AdamW with one cycle; see ``kpipe.models.nets.loop.Recipe``.
    label_smoothing : float, default=0.1
        In [0, 1); share of a label that training gives to all classes alike. Predictions undo it.
    rotation, zoom, shear, shift, elastic : float
        Largest changes of a training image; see ``kpipe.models.nets.image_augmentation.RandomWarp``. 0 in all of them
        leaves images as they are.
    flip : bool, default=False
        Whether training mirrors every second image, and a prediction counts the mirror image too.
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
    classes_ : ndarray of shape (k,)
        Labels, sorted.
    shape_ : tuple of int
        (height, width, channels).
    scale_ : float
        By which inputs are divided, on the device: 255 for uint8, otherwise the largest absolute value in the training
        table, so that the same pixels as bytes, as floats to 255 or as floats to 1 are one table to the network.
    weights_ : dict of str to ndarray
        The network's weights by name.
    loss_curve_ : ndarray of shape (epochs,)
        Mean training loss of each epoch, with smoothed labels and of warped images.
    """

    raw: bool  # whether it is to get the columns as they are, before the competition's features

    def __init__(
        self,
        *,
        shape: ImageShape | None = None,
        size: Literal["small", "large", "photo"] = "small",
        lr: float = 0.01,
        epochs: int = 16,
        batch_size: int = 128,
        weight_decay: float = 0.02,
        label_smoothing: float = 0.1,
        rotation: float = 10.0,
        zoom: float = 0.1,
        shear: float = 0.0,
        shift: float = 2.0,
        elastic: float = 0.0,
        flip: bool = False,
        dropout: float = 0.0,
        test_time_augmentation: bool = True,
        min_steps: int = 300,
        random_state: RandomState = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.shape = shape
        self.size = size
        self.lr = lr
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.rotation = rotation
        self.zoom = zoom
        self.shear = shear
        self.shift = shift
        self.elastic = elastic
        self.flip = flip
        self.dropout = dropout
        self.test_time_augmentation = test_time_augmentation
        self.min_steps = min_steps
        self.random_state = random_state
        self.device = device
        self.threads = threads

    def fit(self, X: Any, y: Any) -> Self:
        """Train on all rows.

        Parameters
        ----------
        X : array-like of shape (n, height * width * channels)
            uint8 or numbers. Bytes stay bytes until a batch is on the device.
        y : array-like of shape (n,)
            Labels.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        TrainingError
            If the loss is no longer a finite number.
        """
        from torch.nn.functional import cross_entropy

        from kpipe.models.nets.loop import Recipe, train

        X, y = validate_data(self, _pixels_of(X), y, dtype=[np.float32, np.uint8], ensure_min_samples=2)
        require(0 <= self.label_smoothing < 1, "label_smoothing must be at least 0 and below 1", self.label_smoothing)
        require_one_of("size", self.size, ("small", "large", "photo"))
        require(0 <= self.dropout < 1, "dropout must be at least 0 and below 1", self.dropout)
        codes = self._encode_labels(y)
        self.shape_ = self._image_shape(X.shape[1])
        self.scale_ = pixel_scale(X)
        self.weights_, self.loss_curve_ = train(
            self._build,
            X,
            codes,
            loss=partial(cross_entropy, label_smoothing=self.label_smoothing),
            recipe=Recipe(
                epochs=self.epochs,
                batch_size=self.batch_size,
                lr=self.lr,
                weight_decay=self.weight_decay,
                min_steps=self.min_steps,
            ),
            machine=self._machine(train=True),
            seed=draw_seed(self.random_state),
            augment=self._warp() or None,
        )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the labels.

        Parameters
        ----------
        X : array-like of shape (n, height * width * channels)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, k)
            Float64, each row summing to 1; columns as in ``classes_``.
        """
        check_is_fitted(self)
        from kpipe.models.nets.loop import forward

        X = validate_data(self, _pixels_of(X), dtype=[np.float32, np.uint8], reset=False)
        padded = X if len(X) >= _FEWEST_ROWS else np.resize(X, (_FEWEST_ROWS, X.shape[1]))
        logits = forward(self._build, self.weights_, padded, machine=self._machine(), batch_size=_PREDICTED_ROWS)
        logits = logits[: len(X)]
        proba = softmax(logits.astype(np.float64), axis=-1).mean(axis=1)
        return _undo_smoothing(proba, smoothing=self.label_smoothing)

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

    def _build(self) -> ConvNetwork:
        from kpipe.models.nets.convnet_layers import LAYERS, ConvNetwork
        from kpipe.models.nets.image_augmentation import SHIFTS

        return ConvNetwork(
            self.shape_,
            scale=self.scale_,
            layers=LAYERS[self.size],
            classes=len(self.classes_),
            dropout=self.dropout,
            shifts=SHIFTS if self.test_time_augmentation and not self.flip else SHIFTS[:1],
            flip=self.flip and self.test_time_augmentation,
        )

    def _warp(self) -> RandomWarp:
        from kpipe.models.nets.image_augmentation import RandomWarp

        amounts = {name: getattr(self, name) for name in ("rotation", "zoom", "shear", "shift", "elastic", "flip")}
        return RandomWarp(shape=self.shape_, **amounts)

    def _machine(self, *, train: bool = False) -> Machine:
        from kpipe.models.nets.machine import Machine

        # On images of one pixel, torch 2.13's bfloat16 convolutions gave NaN in 3 of 180 trainings on the same numbers,
        # its float32 ones in none: they seem to read beyond their input.
        tiny = train and min(self.shape_[:2]) < _MIN_SIDE
        return Machine(device=self.device, threads=self.threads, bfloat16=False if tiny else "auto")


def _pixels_of(X: Any) -> Any:
    """The pixels among the columns of a table; other input as it is."""
    pixels = picture_columns(X.columns) if isinstance(X, pd.DataFrame) else []
    return X[pixels] if pixels and len(pixels) < X.shape[1] else X


def _undo_smoothing(proba: np.ndarray, *, smoothing: float) -> np.ndarray:
    """Probabilities of the labels from those of smoothed labels; the most probable one stays the most probable.

    Those that become 0 or less are set to 1e-4: a network that learned 0.91 cannot distinguish 0 from 0.0001.

    >>> _undo_smoothing(np.array([[0.95, 0.05], [0.5, 0.5]]), smoothing=0.1).round(3).tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    if not smoothing:
        return proba
    sharp = np.maximum((proba - smoothing / proba.shape[1]) / (1 - smoothing), 1e-4)
    unit: np.ndarray = sharp / sharp.sum(axis=1, keepdims=True)
    return unit
