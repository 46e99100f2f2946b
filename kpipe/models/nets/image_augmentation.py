"""Random warps of training images, and the shifts of test-time augmentation.

References
----------
Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks", ICDAR 2003 (elastic distortions).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["SHIFTS", "ImageShape", "Padding", "RandomWarp", "SizedWarp", "shift_images", "to_images"]

ImageShape = tuple[int, int, int]  # height, width, channels
Padding = Literal["zeros", "reflection"]

SHIFTS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))  # (across, down) of test-time augmentation: none, then a pixel each

_MIN_PIXELS = 16  # to a side of an image that was made smaller
_WAVES = 4  # an elastic warp consists of cosines with 0 to 3 half waves across and down: folds of a quarter image


@dataclass(frozen=True, kw_only=True)
class RandomWarp:
    """Rows of pixels as images, each rotated, zoomed, sheared, shifted and distorted.

    An image's warp is a few numbers times fixed maps (its coordinates, and cosines of low frequency): one matrix
    product per batch, and one look-up, which can make the image smaller at no cost. Nothing is copied from the host to
    the device, so that a training step can be recorded (``kpipe.models.nets.graphs``).

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of a row.
    rotation : float, default=0
        Degrees, at the most.
    zoom, shear : float, default=0
        Shares, at the most. ``shear`` also changes the aspect ratio.
    shift : float, default=0
        Pixels, at the most.
    elastic : float, default=0
        Standard deviation in pixels of a smooth displacement of each point.
    flip : bool, default=False
        Whether every second image is mirrored, left to right.
    padding : {"zeros", "reflection"}, default="zeros"
        What lies outside an image: nothing, as around a digit, or its mirror image, as suits a photograph.
    first_size : float, default=1.0
        Share of its height and width that an image has in the first half of the training.
    """

    shape: ImageShape
    rotation: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    elastic: float = 0.0
    flip: bool = False
    padding: Padding = "zeros"
    first_size: float = 1.0

    def __bool__(self) -> bool:
        """Whether the warp changes anything."""
        return any((self.rotation, self.zoom, self.shear, self.shift, self.elastic, self.flip, self.first_size < 1))

    def at(self, progress: float) -> SizedWarp:
        """The warp at a time of the training.

        Parameters
        ----------
        progress : float
            Share of the training that is over, in [0, 1].

        Returns
        -------
        SizedWarp
            Equal to others that do the same; of smaller images in the first half, if ``first_size`` says so.
        """
        height, width = (self._first_side(side) if progress < 0.5 else side for side in self.shape[:2])
        return SizedWarp(self, height, width)

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The warped images, of full size.

        Parameters
        ----------
        rows : Tensor of shape (n, pixels)
            Of any number type.
        generator : Generator
            Of the random amounts, on the device of the rows.

        Returns
        -------
        Tensor of shape (n, channels, height, width)
            Float32.
        """
        return self.at(1.0)(rows, generator)

    def _first_side(self, side: int) -> int:
        """An even number of pixels, since the network takes squares of two by two; small images keep theirs."""
        smaller = 2 * round(self.first_size * side / 2)
        return smaller if smaller >= _MIN_PIXELS else side

    def amounts(self, count: int, generator: torch.Generator, *, maps: int, device: torch.device) -> Tensor:
        """The share of each map in the two coordinates of images, in half images.

        Parameters
        ----------
        count : int
            Number of images.
        generator : Generator
            Of the random amounts.
        maps : int
            Number of maps.
        device : device
            Of the images.

        Returns
        -------
        Tensor of shape (count, 2, maps)
            Float32.
        """
        height, width, _ = self.shape
        turn, size, aspect, lean, across, down = (
            2 * torch.rand(6, count, generator=generator, device=device) - 1
        ).unbind()
        angle, scale = turn * math.radians(self.rotation), 1 + size * self.zoom
        cosine, sine, wide = angle.cos(), angle.sin(), 1 + aspect * self.shear
        amounts = torch.empty(count, 2, maps, device=device)
        amounts[:, 0, 0], amounts[:, 0, 1] = scale * cosine, (lean * self.shear - scale * sine) * (height / width)
        amounts[:, 1, 0], amounts[:, 1, 1] = scale * wide * sine * (width / height), scale * wide * cosine
        amounts[:, 0, 2], amounts[:, 1, 2] = across * (2 * self.shift / width), down * (2 * self.shift / height)
        if self.elastic:
            displacements = torch.randn(count, 2, maps - 3, generator=generator, device=device)
            for axis, side in enumerate((width, height)):
                amounts[:, axis, 3:] = displacements[:, axis] * (2 / side) * (self.elastic / math.sqrt(maps - 3))
        if self.flip:
            mirrored = torch.rand(count, generator=generator, device=device) < 0.5
            amounts[:, 0] = torch.where(mirrored[:, None], -amounts[:, 0], amounts[:, 0])
        return amounts


@dataclass(frozen=True)
class SizedWarp:
    """A random warp to images of one size.

    Parameters
    ----------
    warp : RandomWarp
        The amounts.
    height, width : int
        Of the warped images.
    """

    warp: RandomWarp
    height: int
    width: int

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The warped images: (n, pixels) → (n, channels, height, width) float32; see ``RandomWarp``."""
        waves = _WAVES if self.warp.elastic else 0
        maps = _coordinate_maps(self.height, self.width, waves=waves, device=rows.device)
        amounts = self.warp.amounts(len(rows), generator, maps=len(maps), device=rows.device)
        where = (amounts @ maps).reshape(-1, 2, self.height, self.width)
        images = to_images(rows.float(), self.warp.shape)
        places = where.permute(0, 2, 3, 1)
        return functional.grid_sample(images, places, padding_mode=self.warp.padding, align_corners=False)


@cache
def _coordinate_maps(height: int, width: int, *, waves: int, device: torch.device) -> Tensor:
    """(maps, height * width): across, down, one; then cosines of ``waves`` frequencies each way but the constant.

    Kept on the device, since a recorded step refers to them.
    """
    down, across = ((torch.arange(size) + 0.5) / size for size in (height, width))
    linear = [(2 * across - 1).expand(height, width), (2 * down - 1)[:, None].expand(height, width)]
    cosines = [
        torch.outer(torch.cos(math.pi * i * down), torch.cos(math.pi * j * across))
        for i in range(waves)
        for j in range(waves)
        if i or j
    ]
    return torch.stack([*linear, torch.ones(height, width), *cosines]).reshape(-1, height * width).to(device)


def shift_images(images: Tensor, *, across: int, down: int, padding: Padding = "zeros") -> Tensor:
    """Images shifted by whole pixels to the right and down.

    Parameters
    ----------
    images : Tensor of shape (n, channels, height, width)
        Of any number type.
    across, down : int
        Pixels.
    padding : {"zeros", "reflection"}, default="zeros"
        What comes in from outside: 0, or the pixels at the edge again.

    Returns
    -------
    Tensor of shape (n, channels, height, width)
        Of the same type.

    Examples
    --------
    >>> shift_images(torch.tensor([[[[1, 2], [3, 4]]]]), across=1, down=0).tolist()
    [[[[0, 1], [0, 3]]]]
    >>> shift_images(torch.tensor([[[[1, 2], [3, 4]]]]), across=1, down=0, padding="reflection").tolist()
    [[[[1, 1], [3, 3]]]]
    """
    if padding == "reflection":
        rows, columns = (torch.arange(side, device=images.device) for side in images.shape[2:])
        rows, columns = (rows - down).clamp(0, len(rows) - 1), (columns - across).clamp(0, len(columns) - 1)
        return images.index_select(2, rows).index_select(3, columns)
    return functional.pad(images, (across, -across, down, -down)) if across or down else images


def to_images(rows: Tensor, shape: ImageShape) -> Tensor:
    """Rows of pixels as images, without a copy.

    Parameters
    ----------
    rows : Tensor of shape (n, height * width * channels)
        Channels last.
    shape : tuple of int
        (height, width, channels).

    Returns
    -------
    Tensor of shape (n, channels, height, width)
        A view.
    """
    return rows.reshape(-1, *shape).permute(0, 3, 1, 2)
