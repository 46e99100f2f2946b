"""Many small nets of one shape, trained as one batch: one matrix product per layer for all of them.

In a step of a small net, the calls take longer than the arithmetic. Here, the nets are contiguous in memory (features ×
rows, the constants as one more column of the weights), every buffer is allocated once, and gradients are written out by
hand, as in the notebooks. ``kpipe study titanic-two-targets`` (ReLU, 100 nets) and ``kpipe study fully-connected``
(tanh, 6 nets) measure the gain over training one net after another.

References
----------
Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", 1986 (the gradients).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

__all__ = ["BatchedNets"]

Hidden = Literal["relu", "tanh", "none"]


class BatchedNets:
    """R nets of one shape over one table, their outputs and their steps of gradient descent.

    To be used under ``torch.inference_mode()``. Before ``descend``, fill ``slopes[-1]``, of shape (R, outputs,
    trained), with the derivative of each net's loss by its outputs.

    Parameters
    ----------
    weights : sequence of Tensor
        One of shape (R, outputs, inputs + 1) per layer, the last column the constants; trained in place.
    inputs : Tensor of shape (columns, n)
        Rows as columns, of the weights' dtype.
    hidden : {"relu", "tanh", "none"}
        The activation between the layers; "none" leaves one linear function.
    trained : int or None, default=None
        How many rows, the first ones, are trained on; None for all.
    one_constant : bool, default=False
        Whether a layer's outputs share their constant, as in the notebook; its column holds it ``outputs`` times.

    Examples
    --------
    >>> nets = BatchedNets([torch.ones(5, 1, 3)], torch.zeros(2, 7), hidden="relu")
    >>> nets.forward().shape, bool((nets.forward() == 1).all())
    (torch.Size([5, 1, 7]), True)
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        inputs: Tensor,
        *,
        hidden: Hidden,
        trained: int | None = None,
        one_constant: bool = False,
    ) -> None:
        nets, rows = len(weights[0]), inputs.shape[1]
        trained = rows if trained is None else trained
        self.weights, self.one_constant = list(weights), one_constant
        self.activate, self.backpropagate = _ACTIVATIONS[hidden]
        self.inputs = torch.cat([inputs, inputs.new_ones(1, rows)])
        below = [inputs.new_ones(nets, w.shape[2], rows) for w in self.weights[1:]]  # the last row stays 1
        self.values = [inputs.new_empty(nets, w.shape[1], rows) for w in self.weights]
        self.below, self.activated = below, [b[:, :-1] for b in below]
        self.slopes = [inputs.new_empty(nets, w.shape[1], trained) for w in self.weights]
        self.gradients = [torch.empty_like(w) for w in self.weights]
        # Views, created once: creating a view takes as long as a small product.
        self.learned = [b[:, :-1, :trained] for b in below]
        self.below_learned = [b[:, :, :trained].transpose(1, 2) for b in below]
        self.inputs_learned = self.inputs[:, :trained].T
        self.backward = [w[:, :, :-1].transpose(1, 2) for w in self.weights]
        # All nets have the same inputs, so that their first layers are one matrix.
        self.flat_weights, self.flat_values, self.flat_slopes, self.flat_gradients = (
            first.view(-1, first.shape[2]) for first in (weights[0], self.values[0], self.slopes[0], self.gradients[0])
        )

    def forward(self) -> Tensor:
        """The outputs of the last layer.

        Returns
        -------
        Tensor of shape (R, outputs, n)
            A buffer that the next call overwrites, and that the caller may overwrite.
        """
        torch.mm(self.flat_weights, self.inputs, out=self.flat_values)
        for layer, weights in enumerate(self.weights[1:]):
            self.activate(self.values[layer], self.activated[layer])
            torch.bmm(weights, self.below[layer], out=self.values[layer + 1])
        return self.values[-1]

    def descend(self, lr: float) -> None:
        """One step of gradient descent from the derivatives in ``slopes[-1]``.

        Parameters
        ----------
        lr : float
            Learning rate.
        """
        for layer in range(len(self.weights) - 1, 0, -1):
            torch.bmm(self.backward[layer], self.slopes[layer], out=self.slopes[layer - 1])
            self.backpropagate(self.slopes[layer - 1], self.learned[layer - 1])
            if self.one_constant:
                torch.bmm(self.slopes[layer], self.below_learned[layer - 1], out=self.gradients[layer])
            else:
                self.weights[layer].baddbmm_(self.slopes[layer], self.below_learned[layer - 1], alpha=-lr)
        if not self.one_constant:
            self.flat_weights.addmm_(self.flat_slopes, self.inputs_learned, alpha=-lr)
            return
        torch.mm(self.flat_slopes, self.inputs_learned, out=self.flat_gradients)
        for weights, gradient in zip(self.weights, self.gradients, strict=True):
            gradient[:, :, -1] = gradient[:, :, -1].sum(dim=1, keepdim=True)
            weights.add_(gradient, alpha=-lr)


def _relu(values: Tensor, out: Tensor) -> None:
    torch.clamp_min(values, 0, out=out)


def _relu_slopes(slopes: Tensor, activated: Tensor) -> None:
    torch.ops.aten.threshold_backward.grad_input(slopes, activated, 0, grad_input=slopes)


def _tanh(values: Tensor, out: Tensor) -> None:
    torch.tanh(values, out=out)


def _tanh_slopes(slopes: Tensor, activated: Tensor) -> None:
    torch.ops.aten.tanh_backward.grad_input(slopes, activated, grad_input=slopes)


def _none(values: Tensor, out: Tensor) -> None:
    out.copy_(values)


def _none_slopes(slopes: Tensor, activated: Tensor) -> None:
    """The identity: the derivatives are unchanged."""


_ACTIVATIONS: dict[Hidden, tuple[Callable[[Tensor, Tensor], None], Callable[[Tensor, Tensor], None]]] = {
    "relu": (_relu, _relu_slopes),
    "tanh": (_tanh, _tanh_slopes),
    "none": (_none, _none_slopes),
}
