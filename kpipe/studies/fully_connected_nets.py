"""Generated points on a curve and in a plane, and nets trained on all of them and on five folds in parallel."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.model_selection import KFold
from torch import Tensor, nn

from kpipe.models.teaching.batched_nets import BatchedNets
from kpipe.models.validation import divergence_error

__all__ = ["FOLDS", "LR", "Fit", "Points", "circle", "curve", "fit", "plain_loop", "wave"]

FOLDS, LR = 5, 0.01
_TEST_POINTS = 10_000
_RECORDED = 400  # epochs at which the losses are recorded, evenly spaced on a logarithmic axis


@dataclass(frozen=True)
class Points:
    """Training and test points from the same distribution.

    Parameters
    ----------
    inputs : Tensor
        (columns, n) float32.
    targets : Tensor
        (n,) float32: values, or labels 0 and 1.
    test_inputs, test_targets : Tensor
        The same of 10,000 test points.
    test_truth : Tensor
        (10,000,) the best possible predictions of the test points: values, or probabilities of label 1.
    classes : bool
        Whether the targets are labels.
    """

    inputs: Tensor
    targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor
    test_truth: Tensor
    classes: bool


def wave(x: Tensor) -> Tensor:
    """The curve of the notebook without its noise: 2x + 3 sin 3x + 1.

    Parameters
    ----------
    x : Tensor
        Any shape.

    Returns
    -------
    Tensor
        The same shape.
    """
    return 2 * x + 3 * torch.sin(3 * x) + 1


def curve(seed: int, n: int = 100) -> Points:
    """The points of the notebook's regression: x = 1.5 randn, y = wave(x) + 2 randn.

    Parameters
    ----------
    seed : int
        Of torch's random numbers.
    n : int
        The number of training points.

    Returns
    -------
    Points
    """
    torch.manual_seed(seed)
    x, noise = 1.5 * torch.randn(n), 2 * torch.randn(n)
    test, test_noise = 1.5 * torch.randn(_TEST_POINTS), 2 * torch.randn(_TEST_POINTS)
    truth = wave(test)
    return Points(x[None], wave(x) + noise, test[None], truth + test_noise, truth, classes=False)


def circle(seed: int, n: int = 200) -> Points:
    """The points of the notebook's classification: 2.5 randn(2), with label 1 within the radius π.

    A label at distance d from the origin is flipped with probability 0.3 · 0.49 / ((d - π)² + 0.49).

    Parameters
    ----------
    seed : int
        Of torch's random numbers.
    n : int
        The number of training points.

    Returns
    -------
    Points
    """
    torch.manual_seed(seed)
    points, labels, _ = _labelled(n)
    test, test_labels, truth = _labelled(_TEST_POINTS)
    return Points(points, labels, test, test_labels, truth, classes=True)


def _labelled(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """(2, n) points, their labels, and the probability of label 1."""
    points = 2.5 * torch.randn(n, 2)
    distance = points.norm(dim=1)
    flipped = 0.3 * 0.49 / ((distance - math.pi) ** 2 + 0.49)
    inside = (distance < math.pi).float()
    labels = torch.where(torch.rand(n) < flipped, 1 - inside, inside)
    return points.T.contiguous(), labels, torch.where(inside > 0, 1 - flipped, flipped)


@dataclass(frozen=True)
class Fit:
    """A net trained on all points, and one on the training points of each fold.

    Parameters
    ----------
    hidden : tuple of int
        The sizes of the hidden layers.
    linear : bool
        Whether the hidden layers have no activation function.
    epochs : ndarray
        (recorded,) numbers of steps.
    train, oof : ndarray
        (recorded,) mean training loss of the net of all points, and out-of-fold loss of the nets of the folds: squared
        error, or cross-entropy in nats.
    outputs, oof_outputs : ndarray
        (n,) predictions after the last step, of the net of all points and out-of-fold: values or probabilities.
    weights : list of Tensor
        (1 + folds, outputs, inputs + 1) for each layer.
    classes : bool
        Whether the net predicts probabilities.
    path : ndarray
        (recorded, 2) slope and intercept of the net of all points, if it is a straight line; else empty.
    """

    hidden: tuple[int, ...]
    linear: bool
    epochs: np.ndarray
    train: np.ndarray
    oof: np.ndarray
    outputs: np.ndarray
    oof_outputs: np.ndarray
    weights: list[Tensor]
    classes: bool
    path: np.ndarray

    def predict(self, inputs: Tensor) -> np.ndarray:
        """Predict with the net of all points.

        Parameters
        ----------
        inputs : Tensor
            (columns, m).

        Returns
        -------
        ndarray
            (m,) values or probabilities.
        """
        with torch.inference_mode():
            one = [layer[:1] for layer in self.weights]
            found = BatchedNets(one, inputs, hidden="none" if self.linear else "tanh").forward()[0, 0]
            predictions: np.ndarray = (found.sigmoid() if self.classes else found).numpy().copy()
        return predictions


def fit(points: Points, hidden: tuple[int, ...], *, epochs: int, linear: bool = False, seed: int) -> Fit:
    """Train six nets in parallel by full-batch gradient descent, from the initial weights of ``nn.Linear``.

    Parameters
    ----------
    points : Points
        The data.
    hidden : tuple of int
        The sizes of the hidden layers.
    epochs : int
        The number of steps.
    linear : bool
        Whether to leave out the activation functions.
    seed : int
        Of the initial weights.

    Returns
    -------
    Fit

    Raises
    ------
    TrainingError
        If a loss is not finite.
    """
    torch.manual_seed(seed)
    sizes = (len(points.inputs), *hidden, 1)
    weights = [torch.stack(nets) for nets in zip(*(_first(sizes) for _ in range(FOLDS + 1)), strict=True)]
    trained_on = _trained_on(len(points.targets))
    recorded = _recorded_epochs(epochs)
    losses = torch.empty(len(recorded), 2)
    path = np.empty((len(recorded), 2))
    with torch.inference_mode():
        nets = BatchedNets(weights, points.inputs, hidden="none" if linear else "tanh")
        share = trained_on / trained_on.sum(dim=2, keepdim=True) * (1 if points.classes else 2)
        for epoch, row in _steps(epochs, recorded):
            outputs = nets.forward()
            if row is not None:
                losses[row] = _mean_losses(outputs, points, trained_on)
                path[row] = float(nets.weights[0][0, 0, 0]), float(nets.weights[0][0, 0, -1])
            if epoch < epochs:
                _slope(outputs, points, nets.slopes[-1]).mul_(share)
                nets.descend(LR)
        outputs = nets.forward().sigmoid() if points.classes else nets.forward()
        oof = outputs[1:].masked_fill(trained_on[1:] > 0, 0).sum(dim=(0, 1))
    if not losses.isfinite().all():
        raise divergence_error(f"The loss of the net {hidden}", lr=LR)
    train, validation = losses.numpy().T
    straight = path if not hidden else path[:0]
    whole, out_of_fold = outputs[0, 0].numpy().copy(), oof.numpy().copy()
    return Fit(hidden, linear, recorded, train, validation, whole, out_of_fold, weights, points.classes, straight)


def _first(sizes: tuple[int, ...]) -> list[Tensor]:
    """One net's layers, (outputs, inputs + 1) each, as ``nn.Linear`` draws them."""
    layers = [nn.Linear(inputs, outputs) for inputs, outputs in itertools.pairwise(sizes)]
    return [torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach() for layer in layers]


def _trained_on(n: int) -> Tensor:
    """(1 + folds, 1, n) float32: 1 where a net is trained on a point. The first net is trained on all points."""
    trained_on = torch.ones(FOLDS + 1, 1, n)
    for fold, (_, validation) in enumerate(KFold(FOLDS, shuffle=True, random_state=0).split(np.zeros(n)), start=1):
        trained_on[fold, 0, validation] = 0
    return trained_on


def _recorded_epochs(epochs: int) -> np.ndarray:
    """The numbers of steps after which losses are recorded: 0, the last, and others evenly on a logarithmic axis."""
    return np.unique(np.r_[0, np.geomspace(1, epochs, _RECORDED).round().astype(int)])


def _steps(epochs: int, recorded: np.ndarray) -> list[tuple[int, int | None]]:
    rows = {int(epoch): row for row, epoch in enumerate(recorded)}
    return [(epoch, rows.get(epoch)) for epoch in range(epochs + 1)]


def _slope(outputs: Tensor, points: Points, out: Tensor) -> Tensor:
    """Half the derivative of the squared error, or that of the cross-entropy after a sigmoid."""
    return torch.sub(outputs.sigmoid_() if points.classes else outputs, points.targets, out=out)


def _mean_losses(outputs: Tensor, points: Points, trained_on: Tensor) -> Tensor:
    """(2,): the training loss of the net of all points, and the out-of-fold loss."""
    wanted = points.targets.expand_as(outputs)
    if points.classes:
        losses = nn.functional.binary_cross_entropy_with_logits(outputs, wanted, reduction="none")
    else:
        losses = (outputs - wanted) ** 2
    validation = (losses[1:] * (1 - trained_on[1:])).sum() / points.targets.numel()
    return torch.stack([losses[0].mean(), validation])


def plain_loop(points: Points, hidden: tuple[int, ...], *, seed: int) -> Callable[[int], Tensor]:
    """The usual training loop of ``nn.Sequential``, a loss and ``torch.optim.SGD``.

    Parameters
    ----------
    points : Points
        The data.
    hidden : tuple of int
        The sizes of the hidden layers.
    seed : int
        Of the initial weights.

    Returns
    -------
    callable
        Takes a number of steps, makes them, and returns the outputs (n,) before the last one: values or logits.
    """
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise((len(points.inputs), *hidden, 1)):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    net = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(net.parameters(), lr=LR)
    loss = nn.BCEWithLogitsLoss() if points.classes else nn.MSELoss()
    rows, wanted = points.inputs.T.contiguous(), points.targets[:, None]

    def steps(number: int) -> Tensor:
        for _ in range(number):
            optimizer.zero_grad()
            outputs = net(rows)
            loss(outputs, wanted).backward()
            optimizer.step()
        return outputs.detach()[:, 0]

    return steps
