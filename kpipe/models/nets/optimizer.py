"""AdamW and SGD, by the functions that torch's optimizer classes call.

Making the first object of such a class imports torch._dynamo: 822 modules, 71 MiB and 1.2 s in every worker, for
nothing (torch 2.13).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

__all__ = ["Optimizer"]

_BETA2, _EPSILON = 0.999, 1e-8  # of AdamW, as torch.optim.AdamW has them


class Optimizer:
    """The steps of ``torch.optim.AdamW`` or of ``torch.optim.SGD`` with Nesterov's momentum, to the byte.

    Matrices and kernels have weight decay; biases and norms (one dimension) have none.

    Parameters
    ----------
    network : Module
        Its parameters are trained in place.
    kind : {"adamw", "sgd"}
        Which of the two.
    weight_decay : float
        Of parameters with two dimensions or more.
    momentum : float
        Of SGD, or the first beta of AdamW.
    """

    def __init__(
        self, network: nn.Module, kind: Literal["adamw", "sgd"], *, weight_decay: float, momentum: float
    ) -> None:
        self.kind, self.momentum = kind, momentum
        parameters = list(network.parameters())
        self.groups = (
            ([p for p in parameters if p.ndim > 1], weight_decay),
            ([p for p in parameters if p.ndim <= 1], 0.0),
        )
        self.state: dict[Tensor, list[Tensor]] = {}

    def descend(self, loss: Tensor, *, rate: float) -> None:
        """One step against the gradient of a loss.

        Parameters
        ----------
        loss : Tensor of shape ()
            Computed by the network.
        rate : float
            The learning rate of this step.
        """
        for group, _ in self.groups:
            for parameter in group:
                parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own stubs
        step = self._step_adamw if self.kind == "adamw" else self._step_sgd
        with torch.no_grad():
            for group, decay in self.groups:
                parameters: list[Tensor] = [p for p in group if p.grad is not None]
                if parameters:
                    step(parameters, [p.grad for p in parameters if p.grad is not None], rate, decay)

    def _step_adamw(self, parameters: list[Tensor], gradients: list[Tensor], rate: float, decay: float) -> None:
        for p in parameters:
            if p not in self.state:
                self.state[p] = [torch.zeros_like(p), torch.zeros_like(p), torch.zeros((), device=p.device)]
        means, squares, steps = (list(kept) for kept in zip(*(self.state[p] for p in parameters), strict=True))
        adamw(
            parameters, gradients, means, squares, [], steps, amsgrad=False, beta1=self.momentum, beta2=_BETA2,
            eps=_EPSILON, lr=rate, weight_decay=decay, maximize=False, fused=True,
        )  # fmt: skip

    def _step_sgd(self, parameters: list[Tensor], gradients: list[Tensor], rate: float, decay: float) -> None:
        buffers: list[Tensor | None] = [self.state[p][0] if p in self.state else None for p in parameters]
        sgd(
            parameters, gradients, buffers, momentum=self.momentum, dampening=0.0, nesterov=True, lr=rate,
            weight_decay=decay, maximize=False, fused=True,
        )  # fmt: skip
        self.state |= {p: [b] for p, b in zip(parameters, buffers, strict=True) if b is not None}
