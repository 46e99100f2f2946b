"""The nets of the study of two targets: the notebook's variants, their training, and its speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kpipe.models.teaching.batched_nets import BatchedNets
from kpipe.models.teaching.two_targets import draw, learn
from kpipe.studies.titanic_table import NotebookTable

__all__ = [
    "EPOCHS",
    "MAIN_VARIANT",
    "REPETITIONS",
    "VARIANTS",
    "Rows",
    "Trained",
    "Variant",
    "initial_weights",
    "rmse",
    "speed_table",
    "to_rows",
    "train",
    "train_on_age_only",
    "train_sequentially",
]

EPOCHS, _SIZES = 30, (11, 10, 10, 2)
MAIN_VARIANT = "B, lr 0.1"  # used for the plot and the timing: it has the notebook's best RMSE
REPETITIONS = 5  # repetitions of the timing


@dataclass(frozen=True)
class Variant:
    """The initial weights and learning rate of a set of nets, and their published results.

    Weights are ``(rand - shift) / outputs * scale``, biases ``(rand - 0.5) * constants``.

    Parameters
    ----------
    shift, scale, constants : float
        Parameters of the initial weights.
    lr : float
        The learning rate.
    accuracy, rmse : float, optional
        The best published results over all runs and epochs; None where the notebook gives none.
    """

    shift: float
    scale: float
    constants: float
    lr: float
    accuracy: float | None = None
    rmse: float | None = None


VARIANTS = {
    "A, lr 4": Variant(0.3, 4, 0.1, 4, 0.5956, 13.894),
    "B, lr 4": Variant(0.5, 6, 0.5, 4, 0.8371, 13.419),
    "B, lr 0.03": Variant(0.5, 6, 0.5, 0.03, 0.7921, 13.495),
    "B, lr 0.1": Variant(0.5, 6, 0.5, 0.1, 0.7978, 12.553),
    "C, lr 0.05": Variant(0.75, 8, 0.75, 0.05, 0.6404, 30.713),
    "D, lr 0.07": Variant(1, 10, 1, 0.07),
    "E, lr 0.005": Variant(0.1, 2, 0.05, 0.005, 0.4045, 23.536),
    "E, lr 0.01": Variant(0.1, 2, 0.05, 0.01, 0.4045, 15.426),
    "E, lr 0.03": Variant(0.1, 2, 0.05, 0.03, 0.4045, 13.523),
    "F, lr 0.01": Variant(0.1, 1, 1, 0.01, 0.5955, 26.606),
}


@dataclass(frozen=True)
class Rows:
    """The notebook's rows as tensors.

    Parameters
    ----------
    inputs : Tensor
        (11, n).
    targets : Tensor
        (2, n): Survived and Age.
    trained : int
        Number of training rows, which come first.
    """

    inputs: Tensor
    targets: Tensor
    trained: int

    @property
    def validation_targets(self) -> np.ndarray:
        """(2, n - trained) targets of the validation rows."""
        targets: np.ndarray = self.targets[:, self.trained :].numpy()
        return targets

    def astype(self, dtype: torch.dtype) -> Rows:
        """The rows in another precision.

        Parameters
        ----------
        dtype : torch.dtype
            Of inputs and targets.

        Returns
        -------
        Rows
        """
        return Rows(self.inputs.to(dtype), self.targets.to(dtype), self.trained)


def to_rows(table: NotebookTable) -> Rows:
    """The rows of the notebook's table, with all columns but Age as inputs.

    Parameters
    ----------
    table : NotebookTable
        The table.

    Returns
    -------
    Rows
        The training rows, then the validation rows, in float32.
    """
    order = np.concatenate([table.train, table.valid])
    targets = np.stack([table.survived, table.age])[:, order]
    inputs = np.ascontiguousarray(table.X[order, 1:].T)
    return Rows(torch.tensor(inputs, dtype=torch.float32), torch.tensor(targets, dtype=torch.float32), len(table.train))


@dataclass(frozen=True)
class Trained:
    """All runs of a variant.

    Parameters
    ----------
    losses : ndarray
        (runs, epochs) training losses before each step.
    predicted : ndarray
        (runs, epochs, 2, validation rows) predictions after each step.
    """

    losses: np.ndarray
    predicted: np.ndarray


def initial_weights(variant: Variant, nets: int) -> list[Tensor]:
    """The initial weights of a variant's nets.

    Parameters
    ----------
    variant : Variant
        The variant.
    nets : int
        How many.

    Returns
    -------
    list of Tensor
        (nets, outputs, inputs + 1) for each layer.
    """
    return draw(nets, _SIZES, shift=variant.shift, scale=variant.scale, constants=variant.constants)


def train(variant: Variant, weights: Sequence[Tensor], rows: Rows, *, epochs: int) -> Trained:
    """Train all nets of a variant.

    Parameters
    ----------
    variant : Variant
        The variant.
    weights : sequence of Tensor
        Initial weights.
    rows : Rows
        The data.
    epochs : int
        The number of steps.

    Returns
    -------
    Trained
    """
    losses, predicted, _ = learn(weights, rows.inputs, rows.targets[:, : rows.trained], lr=variant.lr, epochs=epochs)
    return Trained(losses.numpy(), predicted.numpy())


def train_sequentially(
    weights: Sequence[Tensor], rows: Rows, *, lr: float, epochs: int
) -> tuple[list[list[float]], list[Tensor]]:
    """Train the nets in the notebook's loop, with torch's own gradients.

    Parameters
    ----------
    weights : sequence of Tensor
        Initial weights.
    rows : Rows
        The data.
    lr : float
        The learning rate.
    epochs : int
        The number of steps.

    Returns
    -------
    list of list of float
        The losses of each net.
    list of Tensor
        (epochs, validation rows, 2) predictions of each net.
    """
    inputs, validation, targets = (
        part.T.contiguous()
        for part in (rows.inputs[:, : rows.trained], rows.inputs[:, rows.trained :], rows.targets[:, : rows.trained])
    )
    losses: list[list[float]] = []
    predictions: list[Tensor] = []
    for net in range(len(weights[0])):
        layers = [layer[net, :, :-1].T.clone().requires_grad_() for layer in weights]
        biases = [layer[net, 0, -1].clone().requires_grad_() for layer in weights]
        losses.append([])
        predicted = []
        for _ in range(epochs):
            loss = (_outputs(layers, biases, inputs) - targets).abs().mean()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own stubs
            _step([*layers, *biases], lr)
            with torch.no_grad():
                predicted.append(_outputs(layers, biases, validation))
            losses[-1].append(loss.item())
        predictions.append(torch.stack(predicted))
    return losses, predictions


def _step(parameters: Sequence[Tensor], lr: float) -> None:
    with torch.no_grad():
        for parameter in parameters:
            assert parameter.grad is not None
            parameter.sub_(parameter.grad * lr)
            parameter.grad.zero_()


def _outputs(layers: Sequence[Tensor], biases: Sequence[Tensor], rows: Tensor) -> Tensor:
    """(n, columns) → (n, 2): the notebook's net."""
    for number, (layer, bias) in enumerate(zip(layers, biases, strict=True)):
        rows = (rows.relu() if number else rows) @ layer + bias
    return torch.stack([rows[:, 0].sigmoid(), rows[:, 1].relu()], dim=1)


def speed_table(weights: Sequence[Tensor], rows: Rows, *, epochs: int) -> pd.DataFrame:
    """Compare training the nets in parallel and one after another.

    Parameters
    ----------
    weights : sequence of Tensor
        Initial weights.
    rows : Rows
        The data.
    epochs : int
        The number of steps.

    Returns
    -------
    DataFrame
        Seconds, ratios, and the differences between the predictions in float64 and float32.
    """
    lr = VARIANTS[MAIN_VARIANT].lr
    differences = {dtype: _difference(weights, rows, dtype, lr, epochs) for dtype in (torch.float64, torch.float32)}
    targets = rows.targets[:, : rows.trained]
    slow, fast = [], []
    for _ in range(REPETITIONS):
        slow.append(_seconds(lambda: train_sequentially(weights, rows, lr=lr, epochs=epochs)))
        fast.append(_seconds(lambda: learn(weights, rows.inputs, targets, lr=lr, epochs=epochs)))
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    measures = {
        "nets": len(weights[0]),
        "epochs": epochs,
        "threads": torch.get_num_threads(),
        "one after another, seconds": statistics.median(slow),
        "in parallel, seconds": statistics.median(fast),
        "speedup, median": statistics.median(ratios),
        "speedup, smallest": min(ratios),
        "speedup, largest": max(ratios),
        "largest difference of a prediction, float64": float(differences[torch.float64].max()),
        "largest difference, float32, first epoch": float(differences[torch.float32][0]),
        "largest difference, float32, last epoch": float(differences[torch.float32][-1]),
    }
    return pd.DataFrame({"measure": list(measures), "value": [float(value) for value in measures.values()]})


def _difference(weights: Sequence[Tensor], rows: Rows, dtype: torch.dtype, lr: float, epochs: int) -> Tensor:
    """(epochs,): the largest difference of a prediction between both ways to train."""
    same, converted = [layer.to(dtype) for layer in weights], rows.astype(dtype)
    _, ours, _ = learn(same, converted.inputs, converted.targets[:, : rows.trained], lr=lr, epochs=epochs)
    theirs = torch.stack(train_sequentially(same, converted, lr=lr, epochs=epochs)[1]).transpose(2, 3)
    return (ours - theirs).abs().amax(dim=(0, 2, 3))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def train_on_age_only(rows: Rows, *, nets: int, epochs: int) -> pd.DataFrame:
    """Train nets with the single target Age, the output ``100 * sigmoid``, and the same hidden layers and loss.

    Parameters
    ----------
    rows : Rows
        The data.
    nets : int
        The number of nets.
    epochs : int
        The number of steps.

    Returns
    -------
    DataFrame
        The RMSE on the validation rows for each learning rate.
    """
    age, lines = rows.targets[1, : rows.trained], []
    for lr in (0.001, 0.01, 0.1):
        with torch.inference_mode():
            weights = draw(nets, (11, 10, 10, 1), shift=0.5, scale=6, constants=0.5)
            together = BatchedNets(weights, rows.inputs, hidden="relu", trained=rows.trained, one_constant=True)
            errors = np.empty((nets, epochs))
            for epoch in range(epochs):
                share = together.forward()[:, 0, : rows.trained].sigmoid()
                together.slopes[-1][:, 0] = (100 * share - age).sign() * 100 * share * (1 - share) / rows.trained
                together.descend(lr)
                predicted = 100 * together.forward()[:, 0, rows.trained :].sigmoid().numpy()
                errors[:, epoch] = rmse(predicted, rows.validation_targets[1])
        lines.append({
            "lr": lr,
            "nets": nets,
            "best RMSE": errors.min(),
            "published": 13.9,
            "median RMSE, last epoch": float(np.median(errors[:, -1])),
        })  # fmt: skip
    return pd.DataFrame(lines)


def rmse(predicted: np.ndarray | float, true: np.ndarray) -> np.ndarray:
    """The root mean squared error over the last axis.

    Parameters
    ----------
    predicted : ndarray or float
        (..., n) predictions.
    true : ndarray
        (n,) true values.

    Returns
    -------
    ndarray
    """
    root: np.ndarray = np.sqrt(((predicted - true) ** 2).mean(axis=-1))
    return root
