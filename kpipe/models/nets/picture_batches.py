"""Prepare pictures as input of a pretrained network: enlarged, in colour, in batches of one size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kpipe.models.nets.machine import Machine, autocast, torch_session

__all__ = ["network_outputs", "to_pictures"]


def to_pictures(rows: Tensor, *, shape: tuple[int, int, int], size: tuple[int, int]) -> Tensor:
    """Rows of bytes as pictures between 0 and 1.

    Parameters
    ----------
    rows : Tensor of shape (n, height * width * channels)
        uint8, channels last.
    shape : tuple of int
        (height, width, channels) of a row.
    size : tuple of int
        (height, width) of the result.

    Returns
    -------
    Tensor of shape (n, 3, *size)
        Float32. Grey pictures have three equal channels; several pictures, as channels of one, lie side by side.
    """
    pictures = _side_by_side(rows.view(-1, *shape).permute(0, 3, 1, 2).float() / 255)
    if pictures.shape[1] == 1:
        pictures = pictures.expand(-1, 3, -1, -1)
    if tuple(pictures.shape[2:]) != size:
        pictures = F.interpolate(pictures, size=size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
    return pictures.contiguous(memory_format=torch.channels_last)


def _side_by_side(pictures: Tensor) -> Tensor:
    """(n, 1 or 3, height, width * pictures): a row's channels in threes, or one by one, beside each other."""
    rows, channels, height, width = pictures.shape
    each = 3 if channels % 3 == 0 else 1
    apart = pictures.reshape(rows, channels // each, each, height, width)
    return apart.permute(0, 2, 3, 1, 4).reshape(rows, each, height, width * (channels // each))


def network_outputs(
    build: Callable[[], nn.Module],
    rows: np.ndarray,
    *,
    shape: tuple[int, int, int],
    size: tuple[int, int],
    machine: Machine,
    batch_size: int,
) -> np.ndarray:
    """The outputs of a network, averaged over each picture and its mirror image.

    Parameters
    ----------
    build : callable
        Makes the network, in evaluation mode.
    rows : ndarray of shape (n, height * width * channels)
        uint8.
    shape, size : tuple of int
        See ``to_pictures``.
    machine : Machine
        Where to compute.
    batch_size : int
        Pictures at a time: the last batch is filled up to it, so that the outputs of a row depend on no other row.

    Returns
    -------
    ndarray of shape (n, outputs)
        Float32.
    """
    with torch_session(machine, seed=0) as device, torch.inference_mode():
        network = nn.utils.convert_conv2d_weight_memory_format(build().to(device), torch.channels_last)
        parts = []
        for start in range(0, len(rows), batch_size):
            part = rows[start : start + batch_size]
            full = torch.from_numpy(np.resize(part, (batch_size, part.shape[1]))).to(device)
            pictures = to_pictures(full, shape=shape, size=size)
            with autocast(machine, device):
                found = network(pictures) + network(pictures.flip(3))
            parts.append((found.float() / 2).cpu().numpy()[: len(part)])
        return np.concatenate(parts)
