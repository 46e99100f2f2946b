"""One training loop for the package's torch networks: small data, few cores, the same bytes for the same seed.

Read from top to bottom: how to train (``Recipe``), ``train``, ``forward``. All data is on the device, in its own dtype
(pixels as uint8), and batches are taken by index: there is no DataLoader and no worker. A step is one function of
tensors that stay where they are, which a GPU replays as a graph (``kpipe.models.nets.graphs``). Weights are returned as
NumPy arrays, so that a model that was fitted on a GPU can be unpickled without one, and two fits can be compared byte
for byte.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from kpipe.core.time_limit import current_limit
from kpipe.models.nets.graphs import Steps
from kpipe.models.nets.machine import Machine, autocast, torch_session
from kpipe.models.nets.mixing import cut_mix, mixed_loss
from kpipe.models.nets.optimizer import Optimizer, rate_tensor
from kpipe.models.nets.schedule import Schedule, plan_schedule
from kpipe.models.validation import require, require_finite

__all__ = ["Augment", "LossFunction", "Recipe", "Trained", "Weights", "forward", "train"]

Weights = dict[str, np.ndarray]
LossFunction = Callable[[Tensor, Tensor], Tensor]  # (outputs, targets) → the mean loss
Augment = Callable[[Tensor, torch.Generator], Tensor]  # (batch, generator) → batch, on the device
_MIXED = 30  # epochs: with 19, CutMix made photo-net worse, with 48 better (docs/decisions/0017-pictures.md)
_PREDICTED = 128  # rows at a time, where the time of a prediction is measured
_GPU_NUMBERS = 2**23  # inputs at a time of a prediction on a GPU, which few rows leave idle


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    epochs, batch_size : int
        How often all rows are shown, and rows per step.
    lr : float
        Highest learning rate of the cycle.
    optimizer : {"adamw", "sgd"}, default="adamw"
        "sgd" has Nesterov's momentum.
    weight_decay : float, default=0
        Decoupled decay of matrices and kernels; biases and norms have none.
    warmup : float, default=0.2
        Share of the steps in which the learning rate rises from ``lr / 10``; then it falls as a cosine to 0.
    min_steps : int, default=0
        Epochs are added until there are so many steps, so that a small table is learned too.
    momentum : float, default=0.9
        Of SGD, or the first beta of AdamW.
    averaging : float, default=0
        Decay per step of the exponential moving average of weights and statistics that ``train`` returns; 0 returns
        the last weights.
    cutmix : float, default=0
        Share of the steps in which images are mixed, see ``kpipe.models.nets.mixing``; the batches must be images.
        Fewer than 30 epochs mix none.

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
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError for a parameter out of range."""
        require(self.epochs >= 1, "epochs must be 1 or more", self.epochs)
        # batches of nearly equal size then hold 2 rows at least, which batch normalisation needs
        require(self.batch_size >= 3, "batch_size must be 3 or more", self.batch_size)
        require(self.lr > 0, "lr must be above 0", self.lr)
        require(self.weight_decay >= 0, "weight_decay must be 0 or more", self.weight_decay)
        require(0 < self.warmup < 1, "warmup must be between 0 and 1", self.warmup)
        require(0 <= self.averaging < 1, "averaging must be at least 0 and below 1", self.averaging)
        require(0 <= self.cutmix <= 1, "cutmix must be from 0 to 1", self.cutmix)

    def steps(self, rows: int) -> int:
        """The number of steps for a table.

        Parameters
        ----------
        rows : int
            Of the table.

        Returns
        -------
        int
            Whole epochs, and ``min_steps`` at least.
        """
        batches = self._batches(rows)
        return batches * max(self.epochs, math.ceil(self.min_steps / batches))

    def of(self, steps: int, rows: int) -> Recipe:
        """The recipe for a training of a given number of steps, which may be fewer than it specifies.

        Parameters
        ----------
        steps : int
            That are planned.
        rows : int
            Of the table.

        Returns
        -------
        Recipe
            Without CutMix where there are fewer than 30 epochs.
        """
        return self if steps >= _MIXED * self._batches(rows) else replace(self, cutmix=0.0)

    def _batches(self, rows: int) -> int:
        return math.ceil(rows / self.batch_size)


class Trained(NamedTuple):
    """What ``train`` returns.

    Parameters
    ----------
    weights : dict of str to ndarray
        Of the trained network, by name.
    losses : ndarray of shape (epochs,)
        The mean loss of each epoch's batches.
    quick : bool
        Whether predictions should be quick, since a time limit has shortened the training.
    """

    weights: Weights
    losses: np.ndarray
    quick: bool = False


def train(
    build: Callable[[], nn.Module],
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    loss: LossFunction,
    recipe: Recipe,
    machine: Machine,
    seed: int,
    augment: Callable[[float], Augment] | None = None,
    build_quick: Callable[[], nn.Module] | None = None,
) -> Trained:
    """The weights of a network that was trained on all rows.

    The same arguments give the same bytes on the same machine, and torch's global random state stays as it was. Where
    the fit has a time limit (``kpipe.core.time_limit``), fewer steps may be taken.

    Parameters
    ----------
    build : callable
        Makes the network, with random weights; called under ``seed``.
    inputs : ndarray of shape (n, ...)
        Of any dtype; the network gets batches of it as they are.
    targets : ndarray of shape (n,) or (n, k)
        As ``loss(outputs, targets)`` takes them.
    loss : callable
        (outputs, targets) → the mean loss.
    recipe : Recipe
        How to train.
    machine : Machine
        Where to train.
    seed : int
        For everything random.
    augment : callable or None, default=None
        Share of the training that is over → what is done with a batch then; equal ones do the same.
    build_quick : callable or None, default=None
        Makes a network with the same weights that predicts quickly, for trainings that are shortened.

    Returns
    -------
    Trained
        Weights and losses, and whether predictions should be quick.

    Raises
    ------
    TrainingError
        If the loss is no longer a finite number.
    """
    set_up = _SetUp(build, inputs, targets, loss, recipe, machine, seed, augment)
    schedule = _plan(set_up, build_quick or build)
    with torch_session(machine, seed=seed) as device:
        training = _Training(set_up._replace(recipe=recipe.of(schedule.steps, len(inputs))), device)
        losses, done = [], 0
        for epoch, batches, progresses in _epochs(len(inputs), recipe, schedule.steps, training.generator):
            training.total.zero_()
            first = done
            for batch, progress in zip(batches, progresses, strict=True):
                if schedule.is_over(done):
                    break
                training.step(batch, progress)
                done += 1
            if done == first:
                break
            losses.append(training.total.item() / (done - first))
            require_finite(losses[-1:], first_epoch=epoch, lr=recipe.lr)
        schedule.note(done)
        return Trained(training.weights(), np.array(losses), schedule.shortened)


class _SetUp(NamedTuple):
    """The arguments of ``train``."""

    build: Callable[[], nn.Module]
    inputs: np.ndarray
    targets: np.ndarray
    loss: LossFunction
    recipe: Recipe
    machine: Machine
    seed: int
    augment: Callable[[float], Augment] | None


class _Training:
    """A network that is trained step by step, on its device."""

    def __init__(self, set_up: _SetUp, device: torch.device) -> None:
        recipe = set_up.recipe
        self.set_up = set_up
        self.network = set_up.build().to(device).train()
        self.rows, self.wanted = _to_device(set_up.inputs, device), _to_device(set_up.targets, device)
        self.generator = torch.Generator(device=device).manual_seed(set_up.seed)
        self.optimizer = Optimizer(
            self.network, recipe.optimizer, weight_decay=recipe.weight_decay, momentum=recipe.momentum
        )
        self.averaged = copy.deepcopy(self.network) if recipe.averaging else self.network
        # what changes from step to step: the rows of the batch, the learning rate, and the sum of losses, which is left
        # on the device, since reading it would wait for the step
        self.batch = torch.zeros(min(recipe.batch_size, len(self.rows)), dtype=torch.int64, device=device)
        self.rate, self.total = rate_tensor(device), torch.zeros((), device=device)
        self.steps = Steps(device, self._changed(), inputs=[self.batch, self.rate], generators=[self.generator])

    def _changed(self) -> dict[str, list[Tensor]]:
        changed: dict[str, list[Tensor]] = {"weights": [*self.network.parameters()], "loss": [self.total]}
        changed |= {"statistics": [*self.network.buffers()], **self.optimizer.tensors()}
        if self.averaged is not self.network:
            changed["averages"] = [*self.averaged.state_dict().values()]
        return changed

    def step(self, batch: Tensor, progress: float) -> None:
        """Take one step on the rows of a batch, after this share of the training; adds their mean loss to ``total``."""
        recipe, augment = self.set_up.recipe, self.set_up.augment
        self.batch[: len(batch)].copy_(batch)
        self.rate.fill_(recipe.lr * _one_cycle(progress, recipe.warmup))
        now = augment(progress) if augment else None
        self.steps.take((len(batch), now), partial(self._step, len(batch), now))

    def _step(self, size: int, augment: Augment | None) -> None:
        """The step, which a graph may replay: it reads no number that changes, but ``batch`` and ``rate``."""
        batch = self.batch[:size]
        taken = self.rows.index_select(0, batch)
        augmented = augment(taken, self.generator) if augment else taken
        loss, recipe = self.set_up.loss, self.set_up.recipe
        if recipe.cutmix:
            augmented, kept = cut_mix(augmented, self.generator, share=recipe.cutmix)
            loss = partial(mixed_loss, loss, kept=kept)
        value = loss(_outputs(self.network, augmented, self.set_up.machine), self.wanted[batch])
        self.optimizer.descend(value, rate=self.rate)
        if recipe.averaging:
            _average(self.averaged, self.network, decay=recipe.averaging)
        self.total += value.detach()

    def weights(self) -> Weights:
        """The weights so far."""
        return {name: value.cpu().numpy() for name, value in self.averaged.state_dict().items()}


def _plan(set_up: _SetUp, build_quick: Callable[[], nn.Module]) -> Schedule:
    """The steps that the recipe specifies, or as many as the fit has time for, measured on a copy of the network."""
    steps = set_up.recipe.steps(len(set_up.inputs))
    if current_limit() is None:
        return Schedule(steps)
    machine, size = set_up.machine, min(set_up.recipe.batch_size, len(set_up.inputs))
    with torch_session(machine, seed=set_up.seed) as device:
        copied = _Training(set_up, device)
        batch, halves = torch.arange(size, device=device), itertools.cycle((0.25, 0.75))  # they may differ in time
        weights = copied.weights()

        def predict(build: Callable[[], nn.Module], rows: int) -> None:
            sample = np.resize(set_up.inputs[:rows], (rows, *set_up.inputs.shape[1:]))
            forward(build, weights, sample, machine=machine, batch_size=_PREDICTED)

        def step() -> None:
            copied.step(batch, next(halves))
            copied.total.item()  # waits for the device

        return plan_schedule(
            steps,
            step=step,
            predict=partial(predict, set_up.build),
            predict_quickly=partial(predict, build_quick),
        )


def forward(
    build: Callable[[], nn.Module], weights: Weights, inputs: np.ndarray, *, machine: Machine, batch_size: int = 1024
) -> np.ndarray:
    """The outputs of a network for every row, in evaluation mode.

    Parameters
    ----------
    build : callable
        Makes the network.
    weights : dict of str to ndarray
        As ``train`` returns them.
    inputs : ndarray of shape (n, ...)
        Of any dtype. Float32 sums differ in their last digits with the number of rows in a batch; float64 inputs
        compute in float64, where a row's outputs do not depend on other rows.
    machine : Machine
        Where to compute.
    batch_size : int, default=1024
        Rows computed at a time; bounds memory. On a GPU more, as long as they are few numbers.

    Returns
    -------
    ndarray of shape (n, ...)
        Float32, or float64 if ``inputs`` are float64.
    """
    with torch_session(machine, seed=0) as device, torch.inference_mode():
        network = _restore(build, weights).to(device).eval()
        if inputs.dtype == np.float64:
            network = network.double()
        size = batch_size
        if device.type == "cuda":
            size = max(size, _GPU_NUMBERS // max(1, math.prod(inputs.shape[1:])))
        parts = [_outputs(network, _to_device(part, device), machine) for part in _slices(inputs, size)]
        return torch.cat(parts).cpu().numpy()


def _epochs(
    rows: int, recipe: Recipe, steps: int, generator: torch.Generator
) -> Iterator[tuple[int, tuple[Tensor, ...], list[float]]]:
    """(epoch number from 1, its batches of row positions, share of the training before each): every row once per epoch.

    The sizes of batches differ by one row at most, since a small last one would disturb batch normalisation. The last
    epoch ends with the last of the steps.
    """
    batches = math.ceil(rows / recipe.batch_size)
    for epoch in range(math.ceil(steps / batches)):
        order = torch.randperm(rows, generator=generator, device=generator.device)
        of_epoch = range(epoch * batches, min((epoch + 1) * batches, steps))
        yield epoch + 1, order.tensor_split(batches)[: len(of_epoch)], [step / steps for step in of_epoch]


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
    with autocast(machine, batch.device):
        outputs: Tensor = network(batch)
    return outputs.float() if outputs.dtype == torch.bfloat16 else outputs


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, *, decay: float) -> None:
    """Move ``averaged`` a step towards ``network``: averages of floats, the last value of integers."""
    for kept, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _restore(build: Callable[[], nn.Module], weights: Weights) -> nn.Module:
    """The network with ``weights``; made on torch's "meta" device, which draws no random first weights."""
    with torch.device("meta"):
        network = build()
    # In the network's own memory format: pickled arrays lose it, and convolutions round differently in another one.
    # Not empty_like: of a tensor without memory it imports sympy, which takes 0.3 s.
    state = {
        name: torch.empty_strided(value.size(), value.stride(), dtype=value.dtype).copy_(torch.tensor(weights[name]))
        for name, value in network.state_dict().items()
    }
    network.load_state_dict(state, assign=True)
    return network


def _to_device(array: np.ndarray, device: torch.device) -> Tensor:
    # A copy, since torch warns about the read-only arrays that joblib's workers get. In row order, since frames are in
    # column order, torch.tensor keeps that, and taking a batch of digits from it was a tenth of a step.
    return torch.from_numpy(np.array(array, order="C")).to(device)


def _slices(inputs: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Rows in order, ``size`` at a time; one empty part if there are no rows."""
    for start in range(0, max(len(inputs), 1), size):
        yield inputs[start : start + size]
