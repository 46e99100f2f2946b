"""AdamW, Adam and SGD, computed by the functions that torch's optimizer classes call.

The first object of such a class imports torch._dynamo, which nothing here needs: 822 modules, 71 MiB and 1.2 s in every
worker (torch 2.13).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

__all__ = ["Optimizer", "rate_tensor"]

_BETA2, _EPSILON = 0.999, 1e-8  # of Adam and AdamW, as torch has them


class Optimizer:
    """Give the same parameters, to the byte, as ``torch.optim.AdamW``, ``Adam`` or ``SGD`` (with Nesterov momentum).

    Its state consists of tensors that are updated in place, so that a step can be recorded as a CUDA graph.

    Parameters
    ----------
    network : Module
        Its parameters are trained in place.
    kind : {"adamw", "adam", "sgd"}
        The method.
    weight_decay : float
        Decoupled from the gradient in AdamW, added to it in Adam and SGD.
    momentum : float
        The momentum of SGD, or the first beta of the others.
    decay_all : bool, default=False
        Whether weight decay applies to biases and norms (one dimension), too, and not only to matrices and kernels.
    """

    def __init__(
        self,
        network: nn.Module,
        kind: Literal["adamw", "adam", "sgd"],
        *,
        weight_decay: float,
        momentum: float,
        decay_all: bool = False,
    ) -> None:
        self.kind, self.momentum = kind, momentum
        parameters = list(network.parameters())
        self.groups = (
            ([p for p in parameters if decay_all or p.ndim > 1], weight_decay),
            ([p for p in parameters if not decay_all and p.ndim <= 1], 0.0),
        )
        self.state: dict[Tensor, dict[str, Tensor]] = {p: self._first_state(p) for p in parameters}

    def _first_state(self, parameter: Tensor) -> dict[str, Tensor]:
        if self.kind == "sgd":
            return {"momenta": torch.zeros_like(parameter)} if self.momentum else {}
        means, squares = torch.zeros_like(parameter), torch.zeros_like(parameter)
        return {"means": means, "squares": squares, "steps": torch.zeros((), device=parameter.device)}

    def tensors(self) -> dict[str, list[Tensor]]:
        """The state by name: one tensor for each parameter."""
        states = list(self.state.values())
        return {name: [state[name] for state in states] for name in (states[0] if states else ())}

    def descend(self, loss: Tensor, *, rate: Tensor) -> None:
        """Make one step against the gradient of a loss.

        Parameters
        ----------
        loss : Tensor of shape ()
            Computed by the network.
        rate : Tensor of shape ()
            The learning rate of this step, as ``rate_tensor`` makes it.
        """
        for parameter in self.state:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own stubs
        step = self._step_sgd if self.kind == "sgd" else self._step_adam
        with torch.no_grad():
            for group, decay in self.groups:
                parameters: list[Tensor] = [p for p in group if p.grad is not None]
                if parameters:
                    step(parameters, [p.grad for p in parameters if p.grad is not None], rate, decay)

    def _step_adam(self, parameters: list[Tensor], gradients: list[Tensor], rate: Tensor, decay: float) -> None:
        states = [self.state[p] for p in parameters]
        means, squares, steps = ([state[name] for state in states] for name in ("means", "squares", "steps"))
        descend = adamw if self.kind == "adamw" else adam
        descend(
            parameters, gradients, means, squares, [], steps, amsgrad=False, beta1=self.momentum, beta2=_BETA2,
            eps=_EPSILON, lr=rate, weight_decay=decay, maximize=False, fused=True,
        )  # fmt: skip

    def _step_sgd(self, parameters: list[Tensor], gradients: list[Tensor], rate: Tensor, decay: float) -> None:
        momenta = [self.state[p].get("momenta") for p in parameters]
        sgd(
            parameters, gradients, momenta, momentum=self.momentum, dampening=0.0, nesterov=self.momentum > 0,
            lr=rate,  # type: ignore[arg-type]  # torch's kernels take a tensor, its annotation says float
            weight_decay=decay, maximize=False, fused=True,
        )  # fmt: skip


def rate_tensor(device: torch.device) -> Tensor:
    """A tensor for the learning rate, to be set before each step.

    Parameters
    ----------
    device : device
        Of the network.

    Returns
    -------
    Tensor of shape ()
        On a CUDA device in float32, as torch's kernels require; otherwise on the CPU in float64, which is exact.
    """
    if device.type == "cuda":
        return torch.zeros((), device=device)
    return torch.zeros((), dtype=torch.float64)
