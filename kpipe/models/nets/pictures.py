"""The network behind ``convnet``, and what is done to pictures: warps for training, small shifts for predicting.

Apart from the estimator, so that whoever only makes or sends one does not load torch (180 MiB).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["CROSS", "LAYERS", "Layer", "Network", "Warp", "shifted"]

Shape = tuple[int, int, int]

_SQUARE = 2  # pixels to a side that are taken as one
_WAVES = 4  # an elastic warp is made of cosines with 0 to 3 half waves across and down: folds of a quarter picture


@dataclass(frozen=True)
class Layer:
    """A 3 × 3 convolution of so many channels, batch norm and ReLU; ``pool`` halves the picture before the norm."""

    channels: int
    pool: bool = False


LAYERS: dict[str, tuple[Layer, ...]] = {
    "small": (Layer(32, pool=True), Layer(64), Layer(64)),
    "large": (Layer(32), Layer(64, pool=True), Layer(128), Layer(128)),  # three times the time
}

CROSS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))  # a picture where it is, and a pixel to each side


class Network(nn.Module):
    """Squares of 2 × 2 pixels as one of four times the channels; convolutions, the strongest of each, one linear layer.

    So the first convolution looks at 6 × 6 pixels in steps of 2; one of 5 × 5 with stride 2 takes 1.6 times as long.

    scale : what pixels are divided by. views : (across, down) shifts in which it looks at a picture that it is not
    trained on.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        scale: float,
        layers: Sequence[Layer],
        classes: int,
        dropout: float = 0.0,
        views: Sequence[tuple[int, int]],
    ) -> None:
        super().__init__()
        self.shape, self.scale, self.views = shape, scale, views
        inputs = (_SQUARE**2 * shape[2], *(layer.channels for layer in layers))
        body = nn.Sequential(
            *(part for count, layer in zip(inputs, layers, strict=False) for part in _parts(count, layer))
        )
        # channels last: 1.4 to 2 times as fast as torch's own order on one core
        self.body: nn.Module = body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(inputs[-1], classes)

    def forward(self, rows: Tensor) -> Tensor:
        """(rows, classes) logits in training; otherwise (rows, views, classes)."""
        pictures = _pictures(rows.float() / self.scale, self.shape)
        if self.training:
            return self._logits(pictures)
        seen = [self._logits(shifted(pictures, across=across, down=down)) for across, down in self.views]
        return torch.stack(seen, dim=1)

    def _logits(self, pictures: Tensor) -> Tensor:
        whole = functional.pad(pictures, (0, -pictures.shape[3] % _SQUARE, 0, -pictures.shape[2] % _SQUARE))
        squares = functional.pixel_unshuffle(whole, _SQUARE).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.body(squares)
        # not amax: its backward pass took a quarter of a step's time
        strongest = functional.max_pool2d(features, features.shape[2:])
        logits: Tensor = self.head(self.dropout(strongest.flatten(1)))
        return logits


def _parts(inputs: int, layer: Layer) -> Iterator[nn.Module]:
    yield nn.Conv2d(inputs, layer.channels, 3, padding=1, bias=False)
    if layer.pool:  # before the norm: the same result for a positive scale, a quarter of the numbers to norm
        yield nn.MaxPool2d(2, ceil_mode=True)
    yield nn.BatchNorm2d(layer.channels)
    yield nn.ReLU(inplace=True)


@dataclass(frozen=True, kw_only=True)
class Warp:
    """Rows of pixels, each picture turned, scaled, slanted, shifted and bent by its own random amount; empty edges 0.

    rotation : degrees. zoom, slant : shares. shift : pixels. Each is drawn evenly from minus to plus itself.
    elastic : pixels that a point is moved by smooth waves besides, standard deviation.

    A picture's warp is a few numbers times fixed maps (its coordinates, and cosines of low frequency): one product of
    matrices for a batch, and one look-up.

    References
    ----------
    Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks", ICDAR 2003 (elastic distortions).
    """

    shape: Shape
    rotation: float = 0.0
    zoom: float = 0.0
    slant: float = 0.0
    shift: float = 0.0
    elastic: float = 0.0

    def __bool__(self) -> bool:
        """Whether anything is done at all."""
        return any((self.rotation, self.zoom, self.slant, self.shift, self.elastic))

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """(n, pixels) of numbers → (n, pixels) float32."""
        height, width, _ = self.shape
        maps = _maps(height, width, waves=_WAVES if self.elastic else 0).to(rows.device)
        where = (self._amounts(len(rows), generator, maps=len(maps)) @ maps).reshape(-1, 2, height, width)
        pictures = _pictures(rows.float(), self.shape)
        warped = functional.grid_sample(pictures, where.permute(0, 2, 3, 1), align_corners=False)
        return warped.permute(0, 2, 3, 1).reshape(rows.shape)

    def _amounts(self, count: int, generator: torch.Generator, *, maps: int) -> Tensor:
        """(n, 2, maps): how much of each map a picture's two coordinates are made of, in half pictures."""
        height, width, _ = self.shape
        device = generator.device
        turn, size, narrow, lean, across, down = (
            2 * torch.rand(6, count, generator=generator, device=device) - 1
        ).unbind()
        angle, scale = turn * math.radians(self.rotation), 1 + size * self.zoom
        cosine, sine, wide = angle.cos(), angle.sin(), 1 + narrow * self.slant
        amounts = torch.empty(count, 2, maps, device=device)
        amounts[:, 0, 0], amounts[:, 0, 1] = scale * cosine, (lean * self.slant - scale * sine) * (height / width)
        amounts[:, 1, 0], amounts[:, 1, 1] = scale * wide * sine * (width / height), scale * wide * cosine
        amounts[:, 0, 2], amounts[:, 1, 2] = across * (2 * self.shift / width), down * (2 * self.shift / height)
        if self.elastic:
            bends = torch.randn(count, 2, maps - 3, generator=generator, device=device)
            pixel = torch.tensor([2 / width, 2 / height], device=device)[:, None]
            amounts[:, :, 3:] = bends * pixel * (self.elastic / math.sqrt(maps - 3))
        return amounts


@cache
def _maps(height: int, width: int, *, waves: int) -> Tensor:
    """(maps, height * width): across, down, one; then cosines of so many frequencies each way, without the flat one."""
    down, across = ((torch.arange(size) + 0.5) / size for size in (height, width))
    flat = [(2 * across - 1).expand(height, width), (2 * down - 1)[:, None].expand(height, width)]
    bent = [
        torch.outer(torch.cos(math.pi * i * down), torch.cos(math.pi * j * across))
        for i in range(waves)
        for j in range(waves)
        if i or j
    ]
    return torch.stack([*flat, torch.ones(height, width), *bent]).reshape(-1, height * width)


def shifted(pictures: Tensor, *, across: int, down: int) -> Tensor:
    """(n, channels, height, width) pictures moved by whole pixels to the right and down; empty edges 0.

    >>> shifted(torch.tensor([[[[1, 2], [3, 4]]]]), across=1, down=0).tolist()
    [[[[0, 1], [0, 3]]]]
    """
    return functional.pad(pictures, (across, -across, down, -down)) if across or down else pictures


def _pictures(rows: Tensor, shape: Shape) -> Tensor:
    """(rows, height * width * channels) → (rows, channels, height, width), the memory as it was."""
    return rows.reshape(-1, *shape).permute(0, 3, 1, 2)
