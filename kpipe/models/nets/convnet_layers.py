"""The network behind ``convnet``, in a module of its own, so that making an estimator does not load torch (180 MiB)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from kpipe.models.nets.image_augmentation import ImageShape, Padding, shift_images, to_images

__all__ = ["LAYERS", "ConvLayer", "ConvNetwork"]

_SQUARES, _MAX_SQUARES = (2, 4, 8), 20  # sides of the squares of pixels that are taken as one; most squares to a side


@dataclass(frozen=True)
class ConvLayer:
    """A 3 × 3 convolution, batch normalisation and ReLU.

    Parameters
    ----------
    channels : int
        Outputs of the convolution.
    pool : bool, default=False
        Whether maximum pooling halves the image before the normalisation.
    residual : bool, default=False
        Whether two such convolutions are added to their input, which has as many channels.
    """

    channels: int
    pool: bool = False
    residual: bool = False


LAYERS: dict[str, tuple[ConvLayer, ...]] = {
    "small": (ConvLayer(32, pool=True), ConvLayer(64), ConvLayer(64)),
    "large": (ConvLayer(32), ConvLayer(64, pool=True), ConvLayer(128), ConvLayer(128)),  # three times the time
    "photo": (
        *(ConvLayer(32), ConvLayer(64, pool=True), ConvLayer(64, residual=True)),
        *(ConvLayer(128, pool=True), ConvLayer(128, residual=True)),
    ),
}


class ConvNetwork(nn.Module):
    """Convolutions over squares of 2 × 2, 4 × 4 or 8 × 8 pixels, the maximum of each channel, and one linear layer.

    Four times the channels hold a square of pixels, so that the first convolution covers 6 × 6 pixels in steps of 2;
    one of 5 × 5 with stride 2 takes 1.6 times as long.
    Images of up to 160 pixels to a side take no longer than those of 40.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of a row.
    scale : float
        By which pixels are divided.
    layers : sequence of ConvLayer
        The convolutions.
    classes : int
        Number of outputs.
    dropout : float, default=0
        Share of the last layer's inputs that a step leaves out.
    shifts : sequence of (int, int)
        (across, down) of test-time augmentation.
    padding : {"zeros", "reflection"}, default="zeros"
        See ``shift_images``.
    flip : bool, default=False
        Whether test-time augmentation also mirrors each of them.
    """

    def __init__(
        self,
        shape: ImageShape,
        *,
        scale: float,
        layers: Sequence[ConvLayer],
        classes: int,
        dropout: float = 0.0,
        shifts: Sequence[tuple[int, int]],
        padding: Padding = "zeros",
        flip: bool = False,
    ) -> None:
        super().__init__()
        self.shape, self.scale, self.shifts, self.padding, self.flip = shape, scale, shifts, padding, flip
        self.square = next((each for each in _SQUARES if max(shape[:2]) <= _MAX_SQUARES * each), _SQUARES[-1])
        inputs = (self.square**2 * shape[2], *(layer.channels for layer in layers))
        body = nn.Sequential(
            *(part for count, layer in zip(inputs, layers, strict=False) for part in _modules(count, layer))
        )
        # channels last: 1.4 to 2 times as fast as torch's own order on one core
        self.body: nn.Module = body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(inputs[-1], classes)

    def forward(self, rows: Tensor) -> Tensor:
        """Logits of the images, in evaluation mode of each shift and of its mirror image.

        Parameters
        ----------
        rows : Tensor of shape (n, pixels) or (n, channels, height, width)
            Of any number type; images may be of another size than ``shape``.

        Returns
        -------
        Tensor of shape (n, classes) in training, (n, views, classes) in evaluation mode
            Float.
        """
        images = (to_images(rows, self.shape) if rows.ndim == 2 else rows).float() / self.scale
        if self.training:
            return self._logits(images)
        views = [shift_images(images, across=x, down=y, padding=self.padding) for x, y in self.shifts]
        views += [view.flip(3) for view in views] if self.flip else []
        return torch.stack([self._logits(view) for view in views], dim=1)

    def _logits(self, images: Tensor) -> Tensor:
        features = self._features(images)
        # not amax: its backward pass took a quarter of a step's time
        maxima = functional.max_pool2d(features, features.shape[2:])
        logits: Tensor = self.head(self.dropout(maxima.flatten(1)))
        return logits

    def _features(self, images: Tensor) -> Tensor:
        padded = functional.pad(images, (0, -images.shape[3] % self.square, 0, -images.shape[2] % self.square))
        squares = functional.pixel_unshuffle(padded, self.square).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.body(squares)
        return features


class _Residual(nn.Module):
    """The input plus the output of two convolutions on it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layer = ConvLayer(channels)
        self.body = nn.Sequential(*_modules(channels, layer), *_modules(channels, layer))

    def forward(self, images: Tensor) -> Tensor:
        added: Tensor = images + self.body(images)
        return added


def _modules(inputs: int, layer: ConvLayer) -> Iterator[nn.Module]:
    if layer.residual:
        yield _Residual(layer.channels)
        return
    yield nn.Conv2d(inputs, layer.channels, 3, padding=1, bias=False)
    if layer.pool:  # before the normalisation: the same result for a positive scale, a quarter of the numbers
        yield nn.MaxPool2d(2, ceil_mode=True)
    yield nn.BatchNorm2d(layer.channels)
    yield nn.ReLU(inplace=True)
