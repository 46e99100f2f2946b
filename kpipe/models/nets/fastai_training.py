"""fastai's ``Learner`` as functions: its optimizers, schedules and learning rate finder, with bounded threads.

Nothing of ``fastai.vision`` is used, which needs torchvision's operators. The data is in memory as it is and batches
are taken by index; with fastai's own DataLoader, an epoch of 33,600 digits takes several times longer.

References
----------
Howard and Gugger, "fastai: A Layered API for Deep Learning", 2020, https://arxiv.org/abs/2002.04688.
Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, https://arxiv.org/abs/1506.01186 (the finder).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import fastai.callback.schedule  # noqa: F401  # gives Learner its fit_one_cycle and lr_find
import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.optimizer import SGD, Adam
from torch import Tensor, nn

from kpipe.models.nets.loop import LossFunction, Trained
from kpipe.models.nets.machine import Machine, torch_session
from kpipe.models.validation import require, require_finite, require_one_of

__all__ = ["Batches", "LearningRates", "Schedule", "find_lr", "train_learner"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The calls of a ``Learner``: ``fit(epochs, lr)``, then ``fit_one_cycle(cycles, cycle_lr)``.

    Parameters
    ----------
    epochs, cycles : int, default=0
        Epochs at a constant learning rate, then epochs of one cycle; a call with 0 is left out.
    lr, cycle_lr : float, default=1e-3
        Learning rate of each call.
    optimizer : {"adam", "sgd"}, default="adam"
        fastai's.
    batch_size : int, default=256
        Rows per step.
    """

    epochs: int = 0
    lr: float = 1e-3
    cycles: int = 0
    cycle_lr: float = 1e-3
    optimizer: Literal["sgd", "adam"] = "adam"
    batch_size: int = 256

    def __post_init__(self) -> None:
        """Raise ValueError for a parameter out of range."""
        require(min(self.epochs, self.cycles) >= 0, "epochs and cycles must be 0 or more", (self.epochs, self.cycles))
        require(self.epochs + self.cycles >= 1, "epochs or cycles must be 1 or more", (self.epochs, self.cycles))
        require(min(self.lr, self.cycle_lr) > 0, "lr and cycle_lr must be above 0", (self.lr, self.cycle_lr))
        require(self.batch_size >= 2, "batch_size must be 2 or more", self.batch_size)
        require_one_of("optimizer", self.optimizer, ("sgd", "adam"))


@dataclass(frozen=True)
class LearningRates:
    """What ``Learner.lr_find`` finds.

    Parameters
    ----------
    lrs, losses : ndarray of shape (steps,)
        Learning rate and smoothed loss of each step.
    valley : float
        The learning rate that fastai suggests.
    """

    lrs: np.ndarray
    losses: np.ndarray
    valley: float


def train_learner(
    build: Callable[[], nn.Module],
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    loss: LossFunction,
    schedule: Schedule,
    machine: Machine,
    seed: int,
) -> Trained:
    """The weights of a network that fastai's ``Learner`` trained on all rows, and its smoothed training losses.

    The same arguments give the same bytes on the same machine.

    Parameters
    ----------
    build : callable
        Makes the network, with random weights; called under ``seed``.
    inputs : ndarray of shape (n, ...)
        The network gets batches of it as they are.
    targets : ndarray of shape (n,) or (n, k)
        As ``loss(outputs, targets)`` takes them.
    loss : callable
        (outputs, targets) → the mean loss.
    schedule : Schedule
        The calls of the ``Learner``.
    machine : Machine
        Where to train.
    seed : int
        For everything random.

    Returns
    -------
    Trained
        Weights and losses.

    Raises
    ------
    TrainingError
        If the loss is no longer a finite number.
    """
    with (
        torch_session(machine, seed=seed) as device,
        _quiet_learner(build, inputs, targets, loss, schedule, device) as learner,
    ):
        losses = []
        if schedule.epochs:
            learner.fit(schedule.epochs, lr=schedule.lr)
            losses += [epoch[0] for epoch in learner.recorder.values]
        if schedule.cycles:
            learner.fit_one_cycle(schedule.cycles, schedule.cycle_lr)
            losses += [epoch[0] for epoch in learner.recorder.values]
        require_finite(losses, lr=[schedule.lr] * schedule.epochs + [schedule.cycle_lr] * schedule.cycles)
        weights = {name: value.detach().cpu().numpy() for name, value in learner.model.state_dict().items()}
        return Trained(weights, np.array(losses, dtype=np.float64))


def find_lr(
    build: Callable[[], nn.Module],
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    loss: LossFunction,
    schedule: Schedule,
    machine: Machine,
    seed: int,
) -> LearningRates:
    """``Learner.lr_find``: the loss while the learning rate grows from 1e-7 to 10 in 100 steps, until it diverges.

    Parameters
    ----------
    build, inputs, targets, loss, schedule, machine, seed
        As for ``train_learner``; nothing that is trained is kept.

    Returns
    -------
    LearningRates
        Learning rates, losses and the suggestion.
    """
    with (
        torch_session(machine, seed=seed) as device,
        _quiet_learner(build, inputs, targets, loss, schedule, device) as learner,
    ):
        suggested = learner.lr_find(show_plot=False)
        lrs = np.array([float(value) for value in learner.recorder.lrs])
        losses = np.array([float(value) for value in learner.recorder.losses])
        return LearningRates(lrs[: len(losses)], losses, float(suggested.valley))


@contextmanager
def _quiet_learner(
    build: Callable[[], nn.Module],
    inputs: np.ndarray,
    targets: np.ndarray,
    loss: LossFunction,
    schedule: Schedule,
    device: torch.device,
) -> Iterator[Any]:
    """A ``Learner`` without progress bar and log, which leaves no file."""
    rows, wanted = torch.tensor(inputs, device=device), torch.tensor(targets, device=device)
    batches = Batches(rows, wanted, schedule.batch_size)
    no_batches = Batches(rows[:0], wanted[:0], schedule.batch_size)
    with tempfile.TemporaryDirectory() as folder:  # lr_find keeps the first weights in a file
        learner = Learner(
            DataLoaders(batches, no_batches, device=device),
            build().to(device),
            loss_func=loss,
            opt_func=SGD if schedule.optimizer == "sgd" else Adam,
            path=folder,
        )
        with learner.no_bar(), learner.no_logging():
            yield learner


class Batches:
    """What ``Learner`` needs of a DataLoader: batches in a new order each epoch, and their number.

    Parameters
    ----------
    rows : Tensor of shape (n, ...)
    targets : Tensor of shape (n,) or (n, k)
    size : int
        Rows of a batch, at the most.
    prepare : callable
        Rows of a batch → the network's input. By default, the rows themselves.
    """

    def __init__(
        self, rows: Tensor, targets: Tensor, size: int, prepare: Callable[[Tensor], Tensor] = lambda rows: rows
    ) -> None:
        self.dataset, self.targets, self.size, self.prepare = rows, targets, size, prepare

    def __len__(self) -> int:
        return math.ceil(len(self.dataset) / self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # drawn on the CPU, so that the order is the same on every device
        order = torch.randperm(len(self.dataset)).to(self.dataset.device)
        for batch in order.tensor_split(len(self)) if len(self) else ():
            yield self.prepare(self.dataset[batch]), self.targets[batch]
