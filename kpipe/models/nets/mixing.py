"""CutMix: a box of each image, and the same share of its label, come from another image.

References
----------
Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", 2019,
https://arxiv.org/abs/1905.04899.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["cut_mix", "mixed_loss"]


def cut_mix(images: Tensor, generator: torch.Generator, *, share: float) -> tuple[Tensor, Tensor]:
    """Replace a box of each image by that of the image before it, and return the share of an image that is unchanged.

    The box is the same for all images of a batch. No value is copied from the device to the host.

    Parameters
    ----------
    images : Tensor of shape (n, channels, height, width)
        A batch in random order.
    generator : Generator
        Draws the box; on the device of the images.
    share : float
        Probability of a box.

    Returns
    -------
    mixed : Tensor of shape (n, channels, height, width)
        Like ``images``.
    kept : Tensor of shape ()
        Float, 1 where there is no box.

    Examples
    --------
    >>> pair = torch.tensor([0.0, 1.0]).repeat_interleave(16).reshape(2, 1, 4, 4)
    >>> mixed, kept = cut_mix(pair, torch.Generator().manual_seed(0), share=1.0)
    >>> bool(mixed[1].mean() == kept)
    True
    """
    device = images.device
    happens, area, top, left = torch.rand(4, generator=generator, device=device).unbind()
    inside = happens < share
    for axis, offset in ((2, top), (3, left)):
        side = images.shape[axis]
        length = (area.sqrt() * side).floor()
        start = (offset * (side - length + 1)).floor()
        places = torch.arange(side, device=device)
        along = (places >= start) & (places < start + length)
        inside = inside & (along[:, None] if axis == 2 else along)
    return torch.where(inside, images.roll(1, 0), images), 1 - inside.float().mean()


def mixed_loss(loss: Callable[[Tensor, Tensor], Tensor], outputs: Tensor, targets: Tensor, *, kept: Tensor) -> Tensor:
    """The mean loss of mixed images: that of their own targets and that of the image before, by their shares.

    Parameters
    ----------
    loss : callable
        (outputs, targets) → the mean loss.
    outputs, targets : Tensor of shape (n, ...)
    kept : Tensor of shape ()
        As ``cut_mix`` returns it.

    Returns
    -------
    Tensor of shape ()
    """
    return kept * loss(outputs, targets) + (1 - kept) * loss(outputs, targets.roll(1, 0))
