"""fastai's ``Learner`` under scikit-learn's API: its optimizers, schedules and learning rate finder, for pixels.

Nothing of ``fastai.vision`` is used, which needs torchvision's operators. The data lies in memory as it came and
batches are taken by index; with fastai's own DataLoader, an epoch of 33,600 digits takes several times longer.

What ``fastai-conv`` attains on digit-recognizer: see ``kpipe study digits-from-scratch``.

References
----------
Howard and Gugger, "fastai: A Layered API for Deep Learning", 2020, https://arxiv.org/abs/2002.04688, and their book's
chapter 13 (convolutions of stride 2 that halve the picture until one pixel is left).
Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, https://arxiv.org/abs/1506.01186 (the finder).
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

import fastai.callback.schedule  # noqa: F401  # gives Learner its fit_one_cycle and lr_find
import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.optimizer import SGD, Adam
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from kpipe.core.values import Context
from kpipe.errors import TrainingError
from kpipe.models.factory import require_classification, with_context
from kpipe.models.nets.loop import Machine, Weights, computing, forward, require

__all__ = ["FastaiConv", "Found", "Schedule", "fastai_conv", "find_lr", "learn"]

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What ``Learner`` does: ``fit(epochs, lr)``, then ``fit_one_cycle(cycles, cycle_lr)``; none of what is 0."""

    epochs: int = 0
    lr: float = 1e-3
    cycles: int = 0
    cycle_lr: float = 1e-3
    optimizer: Literal["sgd", "adam"] = "adam"
    batch_size: int = 256

    def __post_init__(self) -> None:
        """Raise ValueError for a number out of range."""
        require(min(self.epochs, self.cycles) >= 0, "epochs and cycles must be 0 or more", (self.epochs, self.cycles))
        require(self.epochs + self.cycles >= 1, "epochs or cycles must be 1 or more", (self.epochs, self.cycles))
        require(min(self.lr, self.cycle_lr) > 0, "lr and cycle_lr must be above 0", (self.lr, self.cycle_lr))
        require(self.batch_size >= 2, "batch_size must be 2 or more", self.batch_size)
        require(self.optimizer in ("sgd", "adam"), "optimizer must be 'sgd' or 'adam'", self.optimizer)


@dataclass(frozen=True)
class Found:
    """What ``lr_find`` tells. lrs, losses : (steps,), losses smoothed. valley : fastai's suggestion."""

    lrs: np.ndarray
    losses: np.ndarray
    valley: float


def learn(
    build: Callable[[], nn.Module],
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    loss: Loss,
    schedule: Schedule,
    machine: Machine,
    seed: int,
) -> tuple[Weights, np.ndarray]:
    """Weights of a network that fastai's ``Learner`` trained on all rows, and (epochs,) smoothed training losses.

    build : makes the network, with random weights; called under ``seed``. inputs : (n, ...), shown as they are.
    The same arguments give the same bytes on the same machine.
    Raises TrainingError if the loss is no longer a finite number.
    """
    with computing(machine, seed=seed) as device, _learner(build, inputs, targets, loss, schedule, device) as learner:
        values = []
        if schedule.epochs:
            learner.fit(schedule.epochs, lr=schedule.lr)
            values += [epoch[0] for epoch in learner.recorder.values]
        if schedule.cycles:
            learner.fit_one_cycle(schedule.cycles, schedule.cycle_lr)
            values += [epoch[0] for epoch in learner.recorder.values]
        losses = np.array(values, dtype=np.float64)
        if not np.isfinite(losses).all():
            first = int(np.flatnonzero(~np.isfinite(losses))[0])
            lr = schedule.lr if first < schedule.epochs else schedule.cycle_lr
            raise TrainingError(
                f"the loss must stay a finite number, however: {losses[first]} in epoch {first + 1} with lr={lr:g}. "
                f"Use a smaller learning rate, such as lr={lr / 10:g}."
            )
        return {name: value.detach().cpu().numpy() for name, value in learner.model.state_dict().items()}, losses


def find_lr(
    build: Callable[[], nn.Module],
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    loss: Loss,
    schedule: Schedule,
    machine: Machine,
    seed: int,
) -> Found:
    """``Learner.lr_find``: the loss while the learning rate grows from 1e-7 to 10 in 100 steps, until it diverges."""
    with computing(machine, seed=seed) as device, _learner(build, inputs, targets, loss, schedule, device) as learner:
        suggested = learner.lr_find(show_plot=False)
        lrs, losses = (
            np.array([float(v) for v in values]) for values in (learner.recorder.lrs, learner.recorder.losses)
        )
        return Found(lrs[: len(losses)], losses, float(suggested.valley))


class _learner:
    """A quiet ``Learner``: no bar, no log, no file left behind. Entered as a context."""

    def __init__(
        self,
        build: Callable[[], nn.Module],
        inputs: np.ndarray,
        targets: np.ndarray,
        loss: Loss,
        schedule: Schedule,
        device: torch.device,
    ) -> None:
        rows, wanted = torch.tensor(inputs, device=device), torch.tensor(targets, device=device)
        batches = _Batches(rows, wanted, schedule.batch_size)
        self.folder = tempfile.TemporaryDirectory()  # lr_find keeps the first weights in a file
        self.learner = Learner(
            DataLoaders(batches, _Batches(rows[:0], wanted[:0], schedule.batch_size), device=device),
            build().to(device),
            loss_func=loss,
            opt_func=SGD if schedule.optimizer == "sgd" else Adam,
            path=self.folder.name,
        )

    def __enter__(self) -> Any:
        self.quiet = (self.learner.no_bar(), self.learner.no_logging())
        for context in self.quiet:
            context.__enter__()
        return self.learner

    def __exit__(self, *error: object) -> None:
        for context in reversed(self.quiet):
            context.__exit__(*error)
        self.folder.cleanup()


class _Batches:
    """What ``Learner`` asks of a DataLoader: batches in a new order each epoch, and their number."""

    def __init__(self, rows: Tensor, wanted: Tensor, size: int) -> None:
        self.dataset, self.wanted, self.size = rows, wanted, size

    def __len__(self) -> int:
        return math.ceil(len(self.dataset) / self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # drawn on the CPU, so that the order is the same on every device
        order = torch.randperm(len(self.dataset)).to(self.dataset.device)
        for batch in order.tensor_split(len(self)) if len(self) else ():
            yield self.dataset[batch], self.wanted[batch]


def fastai_conv(context: Context, **options: Any) -> FastaiConv:
    """Convolutions of stride 2 for tables of pixels, trained by fastai's Learner.

    Parameters
    ----------
    context : Context
        The context of the fit.
    **options
        Parameters of ``FastaiConv``.

    Returns
    -------
    FastaiConv
        Unfitted.

    Raises
    ------
    UsageError
        If the task is not classification.
    """
    require_classification("fastai-conv", context)
    return FastaiConv(**with_context(options, context))


class FastaiConv(ClassifierMixin, BaseEstimator):
    """Convolutions of stride 2 that halve a square grey picture, trained by fastai's ``Learner``.

    Parameters
    ----------
    channels : of the convolutions; one more gives the classes.
    batch_norm : whether each is followed by batch normalisation, besides ReLU.
    epochs, lr, cycles, cycle_lr, optimizer, batch_size : see ``Schedule``. The defaults are ``fit_one_cycle(3, 0.01)``.
    random_state : int, RandomState or None.
    device, threads : where to compute; see ``kpipe.models.nets.loop.Machine``.

    Attributes
    ----------
    classes_ : (k,) labels, sorted. scale_ : what inputs are divided by: 255 for uint8, else their largest size.
    loss_curve_ : (epochs + cycles,) smoothed training losses. weights_ : name → array.

    Shape
    -----
    X : (n, side * side), uint8 or numbers.
    y : (n,) labels.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int] = (16, 32, 64, 128),
        batch_norm: bool = True,
        epochs: int = 0,
        lr: float = 0.2,
        cycles: int = 3,
        cycle_lr: float = 0.01,
        optimizer: Literal["sgd", "adam"] = "adam",
        batch_size: int = 256,
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.channels = channels
        self.batch_norm = batch_norm
        self.epochs = epochs
        self.lr = lr
        self.cycles = cycles
        self.cycle_lr = cycle_lr
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.random_state = random_state
        self.device = device
        self.threads = threads

    def fit(self, X: Any, y: Any) -> Self:
        """Train on all rows; the same ``random_state`` gives the same bytes on the same machine."""
        X, codes = self._checked(X, y)
        self.weights_, self.loss_curve_ = learn(self._build, X, codes, **self._how())
        return self

    def lr_find(self, X: Any, y: Any) -> Found:
        """The loss over growing learning rates; trains nothing that is kept."""
        X, codes = self._checked(X, y)
        return find_lr(self._build, X, codes, **self._how())

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, k) float64 probabilities; columns as in ``classes_``."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float32, np.uint8], reset=False)
        machine = Machine(device=self.device, threads=self.threads)
        return softmax(forward(self._build, self.weights_, X, machine=machine).astype(np.float64), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """(n,) labels: the likeliest."""
        likeliest = self.predict_proba(X).argmax(axis=1)  # first: it says so if there was no fit
        labels: np.ndarray = self.classes_[likeliest]
        return labels

    def _checked(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, dtype=[np.float32, np.uint8], ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        require(len(self.classes_) >= 2, "y must hold at least 2 classes", self.classes_.tolist())
        side = math.isqrt(X.shape[1])
        require(side * side == X.shape[1], "the number of columns must be a square number", X.shape[1])
        self.scale_ = 255.0 if X.dtype == np.uint8 else float(np.abs(X).max()) or 1.0
        return X, codes.astype(np.int64)

    def _how(self) -> dict[str, Any]:
        schedule = Schedule(
            epochs=self.epochs,
            lr=self.lr,
            cycles=self.cycles,
            cycle_lr=self.cycle_lr,
            optimizer=self.optimizer,
            batch_size=self.batch_size,
        )
        seed = int(check_random_state(self.random_state).randint(2**31))
        machine = Machine(device=self.device, threads=self.threads)
        return {"loss": nn.functional.cross_entropy, "schedule": schedule, "machine": machine, "seed": seed}

    def _build(self) -> nn.Module:
        return _Halving(self.channels, scale=self.scale_, classes=len(self.classes_), batch_norm=self.batch_norm)


class _Halving(nn.Module):
    """(rows, side * side) of any number type → (rows, classes) logits."""

    def __init__(self, channels: Sequence[int], *, scale: float, classes: int, batch_norm: bool) -> None:
        super().__init__()
        convolution = partial(nn.Conv2d, kernel_size=3, stride=2, padding=1)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise((1, *channels)):
            layers += [convolution(inputs, outputs, bias=not batch_norm)]
            layers += [nn.BatchNorm2d(outputs)] if batch_norm else []
            layers += [nn.ReLU()]
        self.scale = scale
        # pooling does nothing where one pixel is left, as of 28 × 28 after five convolutions
        self.layers = nn.Sequential(*layers, convolution(channels[-1], classes), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, rows: Tensor) -> Tensor:
        side = math.isqrt(rows.shape[1])
        logits: Tensor = self.layers(rows.float().div(self.scale).view(-1, 1, side, side))
        return logits
