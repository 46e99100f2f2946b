"""One training loop for the package's torch networks: small data, few cores, the same bytes for the same seed.

Read from top to bottom: where to compute (``Machine``), how to train (``Recipe``), ``train``, ``forward``.
The data lies on the device as a whole, in the dtype it came in (pixels as uint8), and batches are taken by index: there
is no DataLoader and no worker. Weights leave as NumPy arrays, so that what was fitted on a GPU is unpickled without
one, and two fits can be compared byte for byte.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from kpipe.core.devices import resolve_device
from kpipe.errors import TrainingError

__all__ = ["Machine", "Recipe", "Trained", "Weights", "forward", "require", "resolve_device", "train"]

Weights = dict[str, np.ndarray]
Loss = Callable[[Tensor, Tensor], Tensor]
Augment = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a network computes.

    device : as for ``resolve_device``.
    threads : CPU threads torch may use while a network trains or predicts; before and after, what it was.
    bfloat16 : "auto" computes convolutions and products in bfloat16 where the processor has units for it.
    """

    device: str = "cpu"
    threads: int = 1
    bfloat16: bool | Literal["auto"] = False


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    optimizer : "adamw", or "sgd" with Nesterov's momentum.
    lr : highest learning rate of the cycle.
    warmup : share of the steps in which the learning rate climbs from ``lr / 10``; then it falls as a cosine to 0.
    min_steps : epochs are added until there are so many steps, so that a small table is learned too.
    momentum : of SGD, or the first beta of AdamW.
    averaging : decay a step of the exponential moving average of weights and statistics that is handed back; 0 hands
        back the last weights.

    References
    ----------
    Smith and Topin, "Super-Convergence", 2018, https://arxiv.org/abs/1708.07120 (one cycle).
    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, https://arxiv.org/abs/1711.05101 (AdamW).
    """

    epochs: int
    batch_size: int
    lr: float
    optimizer: Literal["adamw", "sgd"] = "adamw"
    weight_decay: float = 0.0
    warmup: float = 0.2
    min_steps: int = 0
    momentum: float = 0.9
    averaging: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError for a number out of range."""
        require(self.epochs >= 1, "epochs must be 1 or more", self.epochs)
        # batches of nearly one size hold 2 rows at least, which batch normalisation needs
        require(self.batch_size >= 3, "batch_size must be 3 or more", self.batch_size)
        require(self.lr > 0, "lr must be above 0", self.lr)
        require(self.weight_decay >= 0, "weight_decay must be 0 or more", self.weight_decay)
        require(0 < self.warmup < 1, "warmup must be between 0 and 1", self.warmup)
        require(0 <= self.averaging < 1, "averaging must be at least 0 and below 1", self.averaging)


class Trained(NamedTuple):
    """What ``train`` gives: the weights by name, and (epochs,) the mean loss of each epoch's batches."""

    weights: Weights
    losses: np.ndarray


def require(holds: bool, rule: str, value: object) -> None:
    """Raise ValueError with the rule and the value that breaks it, unless it holds."""
    if not holds:
        raise ValueError(f"{rule}, however: {value!r}.")


def train(
    build: Callable[[], nn.Module],
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    loss: Loss,
    recipe: Recipe,
    machine: Machine,
    seed: int,
    augment: Augment | None = None,
) -> Trained:
    """A network trained on all rows.

    build : makes the network, with random weights; called under ``seed``.
    inputs : (n, ...) of any dtype; the network gets batches of it as they are.
    targets : (n,) or (n, k), as ``loss(outputs, targets)`` wants them.
    augment : (batch, generator) → batch, on the device.

    The same arguments give the same bytes on the same machine, and torch's global random state stays as it was.

    Raises TrainingError if the loss is no longer a finite number.
    """
    with computing(machine, seed=seed) as device:
        network = build().to(device).train()
        rows, wanted = _on_device(inputs, device), _on_device(targets, device)
        generator = torch.Generator(device=device).manual_seed(seed)
        optimizer = _Optimizer(network, recipe)
        averaged = copy.deepcopy(network) if recipe.averaging else network
        losses = []
        for epoch, batches, rates in _epochs(len(rows), recipe, generator):
            total = torch.zeros((), device=device)
            for batch, rate in zip(batches, rates, strict=True):
                taken = rows.index_select(0, batch)
                shown = augment(taken, generator) if augment else taken
                value = loss(_outputs(network, shown, machine), wanted[batch])
                optimizer.descend(value, rate=rate)
                total += value.detach()  # left on the device: reading it would wait for the step
                if recipe.averaging:
                    _average(averaged, network, decay=recipe.averaging)
            losses.append(total.item() / len(batches))
            _check_finite(losses[-1], epoch=epoch, lr=recipe.lr)
        weights = {name: value.cpu().numpy() for name, value in averaged.state_dict().items()}
        return Trained(weights, np.array(losses))


def forward(
    build: Callable[[], nn.Module], weights: Weights, inputs: np.ndarray, *, machine: Machine, batch_size: int = 1024
) -> np.ndarray:
    """What the network gives for every row, in evaluation mode: (n, ...) float32, or float64 if ``inputs`` are that.

    batch_size : rows computed at a time; bounds memory. Float32 sums differ in the last digits from one number of rows
        to another; float64 inputs are for those who mind.
    """
    with computing(machine, seed=0) as device, torch.inference_mode():
        network = _restored(build, weights).to(device).eval()
        if inputs.dtype == np.float64:
            network = network.double()
        parts = [_outputs(network, _on_device(part, device), machine) for part in _slices(inputs, batch_size)]
        return torch.cat(parts).cpu().numpy()


@contextmanager
def computing(machine: Machine, *, seed: int) -> Iterator[torch.device]:
    """The device to compute on, with bounded threads and seeded random state; both are put back at the end."""
    device = torch.device(resolve_device(machine.device))
    threads = torch.get_num_threads()
    with _seeded(device, seed), torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        torch.set_num_threads(machine.threads)
        try:
            yield device
        finally:
            torch.set_num_threads(threads)


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """``torch.manual_seed`` would reseed devices that nobody asked for; this touches ``device`` and the processor."""
    mps_state = torch.mps.get_rng_state() if device.type == "mps" else None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        if mps_state is not None:
            torch.mps.manual_seed(seed)
        try:
            yield
        finally:
            if mps_state is not None:
                torch.mps.set_rng_state(mps_state)


def _epochs(
    rows: int, recipe: Recipe, generator: torch.Generator
) -> Iterator[tuple[int, tuple[Tensor, ...], list[float]]]:
    """(epoch number from 1, its batches of row positions, their learning rates): every row once an epoch.

    Batches differ in size by one row at most: a small last one would upset batch normalisation.
    """
    batches = math.ceil(rows / recipe.batch_size)
    epochs = max(recipe.epochs, math.ceil(recipe.min_steps / batches))
    rates = [recipe.lr * _one_cycle(step / (epochs * batches), recipe.warmup) for step in range(epochs * batches)]
    for epoch in range(epochs):
        order = torch.randperm(rows, generator=generator, device=generator.device)
        yield epoch + 1, order.tensor_split(batches), rates[epoch * batches : (epoch + 1) * batches]


def _one_cycle(progress: float, warmup: float) -> float:
    """Share of the highest learning rate at ``progress`` in [0, 1) of the training.

    >>> [round(_one_cycle(p, 0.2), 2) for p in (0.0, 0.1, 0.2, 0.6)]
    [0.1, 0.55, 1.0, 0.5]
    """
    if progress < warmup:
        return 0.1 + 0.9 * progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def _outputs(network: nn.Module, batch: Tensor, machine: Machine) -> Tensor:
    """(rows, ...) float32 or float64: a loss in bfloat16 would be too coarse."""
    with torch.autocast(batch.device.type, torch.bfloat16, enabled=_use_bfloat16(machine, batch.device)):
        outputs: Tensor = network(batch)
    return outputs.float() if outputs.dtype == torch.bfloat16 else outputs


def _use_bfloat16(machine: Machine, device: torch.device) -> bool:
    """Without units for it, as on most processors, bfloat16 is slower than float32."""
    if machine.bfloat16 != "auto":
        return machine.bfloat16
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.6 cannot tell
    return device.type == "cpu" and bool(capabilities.get("amx_bf16"))


class _Optimizer:
    """AdamW or SGD, by the functions that torch's classes call.

    The classes import torch._dynamo when the first one is made: 822 modules, 71 MiB and 1.2 s in every worker, for
    nothing (torch 2.13). Weight decay pulls matrices and kernels only: biases and norms (one dimension) are left alone.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        self.recipe = recipe
        parameters = list(network.parameters())
        self.groups = (
            ([p for p in parameters if p.ndim > 1], recipe.weight_decay),
            ([p for p in parameters if p.ndim <= 1], 0.0),
        )
        self.state: dict[Tensor, list[Tensor]] = {}

    def descend(self, loss: Tensor, *, rate: float) -> None:
        """One step against the gradient of ``loss``, with a learning rate."""
        for group, _ in self.groups:
            for parameter in group:
                parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own stubs
        with torch.no_grad():
            for group, decay in self.groups:
                self._step([p for p in group if p.grad is not None], rate=rate, decay=decay)

    def _step(self, parameters: list[Tensor], *, rate: float, decay: float) -> None:
        if not parameters:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        first = self.recipe.momentum
        how: dict[str, Any] = {"lr": rate, "weight_decay": decay, "maximize": False, "fused": True}
        if self.recipe.optimizer == "adamw":
            for p in parameters:
                if p not in self.state:
                    self.state[p] = [torch.zeros_like(p), torch.zeros_like(p), torch.zeros((), device=p.device)]
            means, squares, steps = (list(kept) for kept in zip(*(self.state[p] for p in parameters), strict=True))
            adamw(
                parameters,
                gradients,
                means,
                squares,
                [],
                steps,
                amsgrad=False,
                beta1=first,
                beta2=0.999,
                eps=1e-8,
                **how,
            )
        else:
            buffers: list[Tensor | None] = [self.state[p][0] if p in self.state else None for p in parameters]
            sgd(parameters, gradients, buffers, momentum=first, dampening=0.0, nesterov=True, **how)
            self.state |= {p: [b] for p, b in zip(parameters, buffers, strict=True) if b is not None}


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, *, decay: float) -> None:
    """Move ``averaged`` a step towards ``network``: averages of floats, the last of whole numbers."""
    for kept, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _check_finite(loss: float, *, epoch: int, lr: float) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss must stay a finite number, however: {loss} in epoch {epoch} with lr={lr:g}. "
            f"Use a smaller learning rate, such as lr={lr / 10:g}."
        )


def _restored(build: Callable[[], nn.Module], weights: Weights) -> nn.Module:
    """The network with ``weights``; made on torch's "meta" device, which draws no random numbers for the first ones."""
    with torch.device("meta"):
        network = build()
    network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()}, assign=True)
    return network


def _on_device(array: np.ndarray, device: torch.device) -> Tensor:
    # A copy, for torch warns about the read-only arrays that joblib's workers get; row by row, for frames lie column by
    # column in memory, torch.tensor keeps that, and to take a batch of digits from it was a tenth of a step.
    return torch.from_numpy(np.array(array, order="C")).to(device)


def _slices(inputs: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Rows in order, ``size`` at a time; one empty part if there are no rows."""
    for start in range(0, max(len(inputs), 1), size):
        yield inputs[start : start + size]
