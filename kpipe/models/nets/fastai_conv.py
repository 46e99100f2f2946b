"""The model ``fastai-conv``: convolutions of stride 2, trained by fastai's ``Learner``.

Its score on digit-recognizer: see ``kpipe study digits-from-scratch``.

References
----------
Howard and Gugger, "Deep Learning for Coders with fastai and PyTorch", 2020, chapter 13: convolutions of stride 2 that
halve the image until one pixel is left.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from kpipe.core.values import Context
from kpipe.models.factory import require_classification, with_context
from kpipe.models.nets.estimators import NetClassifierMixin, RandomState, draw_seed, pixel_scale
from kpipe.models.nets.fastai_training import LearningRates, Schedule, find_lr, train_learner
from kpipe.models.nets.loop import forward
from kpipe.models.nets.machine import Machine
from kpipe.models.validation import require

__all__ = ["FastaiConv", "fastai_conv"]


def fastai_conv(context: Context, **options: Any) -> FastaiConv:
    """Stride-2 convolutions for tables of pixels, trained with fastai's Learner.

    Parameters
    ----------
    context : Context
        The context of the fit.
    **options
        Parameters of ``FastaiConv``.

    Returns
    -------
    FastaiConv
        Unfitted.

    Raises
    ------
    UsageError
        If the task is not classification.
    """
    require_classification("fastai-conv", context)
    return FastaiConv(**with_context(options, context))


class FastaiConv(NetClassifierMixin, BaseEstimator):
    """Convolutions of stride 2 that halve a square grey image, trained by fastai's ``Learner``.

    Parameters
    ----------
    channels : sequence of int, default=(16, 32, 64, 128)
        Of the convolutions; one more gives the classes.
    batch_norm : bool, default=True
        Whether each is followed by batch normalisation, besides ReLU.
    epochs, lr, cycles, cycle_lr, optimizer, batch_size
        See ``kpipe.models.nets.fastai_training.Schedule``. The defaults are ``fit_one_cycle(3, 0.01)``.
    random_state : int, RandomState or None, default=None
        The same int gives the same bytes on the same machine.
    device, threads
        Where to compute; see ``kpipe.models.nets.machine.Machine``.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels, sorted.
    scale_ : float
        By which inputs are divided: 255 for uint8, otherwise their largest absolute value.
    loss_curve_ : ndarray of shape (epochs + cycles,)
        Smoothed training losses.
    weights_ : dict of str to ndarray
        The network's weights by name.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int] = (16, 32, 64, 128),
        batch_norm: bool = True,
        epochs: int = 0,
        lr: float = 0.2,
        cycles: int = 3,
        cycle_lr: float = 0.01,
        optimizer: Literal["sgd", "adam"] = "adam",
        batch_size: int = 256,
        random_state: RandomState = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.channels = channels
        self.batch_norm = batch_norm
        self.epochs = epochs
        self.lr = lr
        self.cycles = cycles
        self.cycle_lr = cycle_lr
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.random_state = random_state
        self.device = device
        self.threads = threads

    def fit(self, X: Any, y: Any) -> Self:
        """Train on all rows.

        Parameters
        ----------
        X : array-like of shape (n, side * side)
            uint8 or numbers.
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
        X, codes = self._validate(X, y)
        self.weights_, self.loss_curve_, _ = train_learner(self._build, X, codes, **self._training_options())
        return self

    def lr_find(self, X: Any, y: Any) -> LearningRates:
        """The loss over growing learning rates; nothing that is trained is kept.

        Parameters
        ----------
        X : array-like of shape (n, side * side)
            As for ``fit``.
        y : array-like of shape (n,)
            Labels.

        Returns
        -------
        LearningRates
            Learning rates, losses and fastai's suggestion.
        """
        X, codes = self._validate(X, y)
        return find_lr(self._build, X, codes, **self._training_options())

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the labels.

        Parameters
        ----------
        X : array-like of shape (n, side * side)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, k)
            Float64, columns as in ``classes_``.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float32, np.uint8], reset=False)
        machine = Machine(device=self.device, threads=self.threads)
        return softmax(forward(self._build, self.weights_, X, machine=machine).astype(np.float64), axis=1)

    def _validate(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, dtype=[np.float32, np.uint8], ensure_min_samples=2)
        codes = self._encode_labels(y)
        side = math.isqrt(X.shape[1])
        require(side * side == X.shape[1], "the number of columns must be a square number", X.shape[1])
        self.scale_ = pixel_scale(X)
        return X, codes

    def _training_options(self) -> dict[str, Any]:
        schedule = Schedule(
            epochs=self.epochs,
            lr=self.lr,
            cycles=self.cycles,
            cycle_lr=self.cycle_lr,
            optimizer=self.optimizer,
            batch_size=self.batch_size,
        )
        machine = Machine(device=self.device, threads=self.threads)
        seed = draw_seed(self.random_state)
        return {"loss": nn.functional.cross_entropy, "schedule": schedule, "machine": machine, "seed": seed}

    def _build(self) -> nn.Module:
        return _HalvingNetwork(self.channels, scale=self.scale_, classes=len(self.classes_), batch_norm=self.batch_norm)


class _HalvingNetwork(nn.Module):
    """(rows, side * side) of any number type → (rows, classes) logits."""

    def __init__(self, channels: Sequence[int], *, scale: float, classes: int, batch_norm: bool) -> None:
        super().__init__()
        convolution = partial(nn.Conv2d, kernel_size=3, stride=2, padding=1)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise((1, *channels)):
            layers += [convolution(inputs, outputs, bias=not batch_norm)]
            layers += [nn.BatchNorm2d(outputs)] if batch_norm else []
            layers += [nn.ReLU()]
        self.scale = scale
        # pooling does nothing where one pixel is left, as of 28 × 28 after five convolutions
        self.layers = nn.Sequential(*layers, convolution(channels[-1], classes), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, rows: Tensor) -> Tensor:
        side = math.isqrt(rows.shape[1])
        logits: Tensor = self.layers(rows.float().div(self.scale).view(-1, 1, side, side))
        return logits
