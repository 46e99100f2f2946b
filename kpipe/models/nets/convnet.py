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

Smaller images first (folds 0 and 1, 16,800 rows, one seed, CPU seconds of training on an EPYC 9005 in bfloat16; the
standard error of a difference is about 6 mistakes)::

    16 epochs of 28 × 28 pixels                               74 mistakes, 101 s
    16 epochs, the first half of them of 20 × 20              71            77
      and the first 60 %, batches of 256, lr=0.015            76            67    rejected
      and the first 60 %, of 18 × 18                          89            65    rejected
    14 epochs, the first 60 % of 20 × 20                      85            59    rejected
    12 epochs of 28 × 28                                      80            73    rejected
    12 epochs, the first half of them of 20 × 20              73            58    rejected
      on all rows (six folds): 0.9950 ± 0.0003, where 16 epochs of 28 × 28 had 0.9955

A step of 256 rows in bfloat16 and channels last takes 0.4 of the time in float32 and torch's own order of channels,
0.5 of float32 with channels last. For probabilities rather than labels, label_smoothing=0 is the better choice.

References
----------
Ioffe and Szegedy, "Batch Normalization", 2015, https://arxiv.org/abs/1502.03167.
Szegedy et al., "Rethinking the Inception Architecture", 2015, https://arxiv.org/abs/1512.00567 (label smoothing).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from kpipe.core.values import Context
from kpipe.models.factory import require_classification, with_context
from kpipe.models.nets.convnet_base import ConvNet, pixels_of
from kpipe.models.nets.estimators import NetClassifierMixin
from kpipe.models.validation import require, require_one_of

if TYPE_CHECKING:
    from kpipe.models.nets.image_augmentation import ImageShape
    from kpipe.models.nets.loop import LossFunction

__all__ = ["ConvNetClassifier", "ConvNetRegressor", "convnet", "convnet_large", "photo_net"]


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
    """The convnet with four times the weights and training time.

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
    longer: dict[str, Any] = {"size": "large", "epochs": 20, "first_size": 1.0, "dropout": 0.2}
    warped = {"rotation": 12.0, "shear": 0.1, "elastic": 1.0}
    return ConvNetClassifier(shape=shape, **with_context({**longer, **warped, **options}, context))


def photo_net(
    context: Context, *, shape: ImageShape | None = None, **options: Any
) -> ConvNetClassifier | ConvNetRegressor:
    """A convolutional torch net with residual layers for small colour pictures.

    Parameters
    ----------
    context : Context
        The context of the fit.
    shape : tuple of int or None, default=None
        As for ``convnet``.
    **options
        Further parameters of ``ConvNetClassifier``, or of ``ConvNetRegressor`` for numbers.

    Returns
    -------
    ConvNetClassifier or ConvNetRegressor
        Unfitted.
    """
    longer: dict[str, Any] = {"size": "photo", "epochs": 16, "first_size": 1.0, "min_steps": 600}
    seen = {"rotation": 0.0, "zoom": 0.15, "shift": 3.0, "flip": True, "padding": "reflection"}
    chosen = {**longer, **seen, **options}
    net: ConvNetClassifier | ConvNetRegressor
    if context.task == "regression":
        loss = "absolute" if context.loss == "absolute" else "squared"
        net = ConvNetRegressor(shape=shape, **with_context({"loss": loss, **chosen}, context))
    else:
        net = ConvNetClassifier(shape=shape, **with_context({"cutmix": 0.5, **chosen}, context))
    net.raw = True  # it takes the pixels out of the competition's columns
    return net


@dataclass(kw_only=True, eq=False, repr=False)
class ConvNetClassifier(NetClassifierMixin, ConvNet):
    """Labels by a ``ConvNet``.

    Parameters are those of ``ConvNet``, and this.

    Parameters
    ----------
    label_smoothing : float, default=0.1
        In [0, 1); share of a label that training gives to all classes alike. Predictions undo it.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels, sorted.
    """

    label_smoothing: float = 0.1

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

        X, y = validate_data(self, pixels_of(X), y, dtype=[np.float32, np.uint8], ensure_min_samples=2)
        require(0 <= self.label_smoothing < 1, "label_smoothing must be at least 0 and below 1", self.label_smoothing)
        codes = self._encode_labels(y)
        self.outputs_ = len(self.classes_)
        self._train(X, codes, partial(cross_entropy, label_smoothing=self.label_smoothing))
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
        proba = softmax(self._forward(X).astype(np.float64), axis=-1).mean(axis=1)
        return _undo_smoothing(proba, smoothing=self.label_smoothing)

    def joint(self) -> ConvNetRegressor:
        """One network for several targets that are 0 or 1.

        Returns
        -------
        ConvNetRegressor
            Unfitted; it predicts the probability of each.
        """
        return _for_several(self, "logistic")


@dataclass(kw_only=True, eq=False, repr=False)
class ConvNetRegressor(RegressorMixin, ConvNet):
    """Numbers by a ``ConvNet``: one, or several at once.

    Parameters are those of ``ConvNet``, and this.

    Parameters
    ----------
    loss : {"squared", "absolute", "logistic"}, default="squared"
        What training minimises, on targets in units of their standard deviations; "logistic" is for probabilities.

    Attributes
    ----------
    target_centre_, target_spread_ : ndarray of shape (targets,)
        Mean and standard deviation of y in the training table; 0 and 1 for probabilities.
    """

    loss: Literal["squared", "absolute", "logistic"] = "squared"

    def __sklearn_tags__(self) -> Any:
        """scikit-learn's description of the estimator: it takes several targets."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Train on all rows.

        Parameters
        ----------
        X : array-like of shape (n, height * width * channels)
            uint8 or numbers.
        y : array-like of shape (n,) or (n, targets)
            Numbers; with the logistic loss from 0 to 1.

        Returns
        -------
        self
            The fitted regressor.

        Raises
        ------
        TrainingError
            If the loss is no longer a finite number.
        """
        from torch.nn import functional

        require_one_of("loss", self.loss, ("squared", "absolute", "logistic"))
        options: dict[str, Any] = {"y_numeric": True, "multi_output": True, "ensure_min_samples": 2}
        X, y = validate_data(self, pixels_of(X), y, dtype=[np.float32, np.uint8], **options)
        self._is_flat = y.ndim == 1
        targets = y.reshape(len(y), -1).astype(np.float64)
        logistic = self.loss == "logistic"
        self.outputs_ = targets.shape[1]
        self.target_centre_ = np.zeros(self.outputs_) if logistic else targets.mean(axis=0)
        spread = targets.std(axis=0)
        self.target_spread_ = np.where(logistic or spread == 0, 1.0, spread)
        losses: dict[str, LossFunction] = {
            "squared": functional.mse_loss,
            "absolute": functional.l1_loss,
            "logistic": functional.binary_cross_entropy_with_logits,
        }
        self._train(X, ((targets - self.target_centre_) / self.target_spread_).astype(np.float32), losses[self.loss])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicted values, or probabilities.

        Parameters
        ----------
        X : array-like of shape (n, height * width * channels)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,) or (n, targets)
            Float64.
        """
        outputs = self._forward(X).astype(np.float64)
        values: np.ndarray = expit(outputs).mean(axis=1) if self.loss == "logistic" else outputs.mean(axis=1)
        values = values * self.target_spread_ + self.target_centre_
        return values[:, 0] if self._is_flat else values

    def joint(self) -> ConvNetRegressor:
        """One network for several targets.

        Returns
        -------
        ConvNetRegressor
            Unfitted, with the same parameters.
        """
        return _for_several(self, self.loss)


def _for_several(net: ConvNet, loss: Literal["squared", "absolute", "logistic"]) -> ConvNetRegressor:
    options = {name: value for name, value in net.get_params().items() if name != "label_smoothing"}
    return ConvNetRegressor(**{**options, "loss": loss})


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
