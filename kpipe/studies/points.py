"""Points on a curve and in a plane, and nets trained on all of them and on five folds at once."""

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
from kpipe.models.validation import diverged

__all__ = ["FOLDS", "LR", "Fit", "Points", "circle", "curve", "fit", "plain_loop", "wave"]

FOLDS, LR = 5, 0.01
_FRESH = 10_000
_RECORDED = 400  # epochs at which the losses are kept, evenly on a logarithmic axis


@dataclass(frozen=True)
class Points:
    """Drawn points and fresh ones from the same source.

    inputs : (columns, n) float32. targets : (n,) float32, values or labels 0 and 1. fresh, fresh_targets : alike.
    fresh_truth : (10,000,) the best prediction there is for the fresh points: values, or probabilities of label 1.
    classes : whether targets are labels.
    """

    inputs: Tensor
    targets: Tensor
    fresh: Tensor
    fresh_targets: Tensor
    fresh_truth: Tensor
    classes: bool


def wave(x: Tensor) -> Tensor:
    """The curve of the notebook without its noise: 2x + 3 sin 3x + 1."""
    return 2 * x + 3 * torch.sin(3 * x) + 1


def curve(seed: int, n: int = 100) -> Points:
    """The notebook's regression: x = 1.5 randn, y = wave(x) + 2 randn."""
    torch.manual_seed(seed)
    x, noise = 1.5 * torch.randn(n), 2 * torch.randn(n)
    fresh, fresh_noise = 1.5 * torch.randn(_FRESH), 2 * torch.randn(_FRESH)
    truth = wave(fresh)
    return Points(x[None], wave(x) + noise, fresh[None], truth + fresh_noise, truth, classes=False)


def circle(seed: int, n: int = 200) -> Points:
    """The notebook's classification: 2.5 randn(2), label 1 within radius π, flipped mostly near the circle.

    A label at distance d from the origin is flipped with probability 0.3 · 0.49 / ((d - π)² + 0.49).
    """
    torch.manual_seed(seed)
    points, labels, _ = _labelled(n)
    fresh, fresh_labels, truth = _labelled(_FRESH)
    return Points(points, labels, fresh, fresh_labels, truth, classes=True)


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
    """A net trained on all points and, beside it, one on each fold's.

    epochs : (recorded,) numbers of steps made. train, oof : (recorded,) mean loss of the net of all points on these,
    and of the five on the points that each was not shown: squared error, or cross-entropy in nats.
    outputs : (n,) of the net of all points after the last step, and oof_outputs of the five; values or probabilities.
    path : (recorded, 2) slope and height at 0 of the net of all points, if it is a straight line; else empty.
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
        """(m,) values or probabilities of the net of all points, for (columns, m) inputs."""
        with torch.inference_mode():
            one = [layer[:1] for layer in self.weights]
            found = BatchedNets(one, inputs, hidden="none" if self.linear else "tanh").forward()[0, 0]
            ends: np.ndarray = (found.sigmoid() if self.classes else found).numpy().copy()
        return ends


def fit(points: Points, hidden: tuple[int, ...], *, epochs: int, linear: bool = False, seed: int) -> Fit:
    """Full-batch gradient descent from ``nn.Linear``'s own first weights, six nets side by side.

    Raises TrainingError if a loss is no longer a finite number.
    """
    torch.manual_seed(seed)
    sizes = (len(points.inputs), *hidden, 1)
    weights = [torch.stack(nets) for nets in zip(*(_first(sizes) for _ in range(FOLDS + 1)), strict=True)]
    shown = _shown(len(points.targets))
    kept = _kept(epochs)
    losses = torch.empty(len(kept), 2)
    path = np.empty((len(kept), 2))
    with torch.inference_mode():
        nets = BatchedNets(weights, points.inputs, hidden="none" if linear else "tanh")
        share = shown / shown.sum(dim=2, keepdim=True) * (1 if points.classes else 2)
        for epoch, row in _steps(epochs, kept):
            outputs = nets.forward()
            if row is not None:
                losses[row] = _mean_losses(outputs, points, shown)
                path[row] = float(nets.weights[0][0, 0, 0]), float(nets.weights[0][0, 0, -1])
            if epoch < epochs:
                _slope(outputs, points, nets.slopes[-1]).mul_(share)
                nets.descend(LR)
        ends = nets.forward().sigmoid() if points.classes else nets.forward()
        oof = ends[1:].masked_fill(shown[1:] > 0, 0).sum(dim=(0, 1))
    if not losses.isfinite().all():
        raise diverged(f"The loss of the net {hidden}", lr=LR)
    recorded = losses.numpy()
    straight = path if not hidden else path[:0]
    whole, out_of_fold = ends[0, 0].numpy().copy(), oof.numpy().copy()
    return Fit(
        hidden, linear, kept, recorded[:, 0], recorded[:, 1], whole, out_of_fold, weights, points.classes, straight
    )


def _first(sizes: tuple[int, ...]) -> list[Tensor]:
    """One net's layers, (outputs, inputs + 1) each, as ``nn.Linear`` draws them."""
    layers = [nn.Linear(inputs, outputs) for inputs, outputs in itertools.pairwise(sizes)]
    return [torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach() for layer in layers]


def _shown(n: int) -> Tensor:
    """(1 + folds, 1, n) float32: 1 where a net is shown a point. The first net is shown all."""
    shown = torch.ones(FOLDS + 1, 1, n)
    for fold, (_, held_out) in enumerate(KFold(FOLDS, shuffle=True, random_state=0).split(np.zeros(n)), start=1):
        shown[fold, 0, held_out] = 0
    return shown


def _kept(epochs: int) -> np.ndarray:
    """Numbers of steps after which losses are kept: 0, the last, and between them evenly on a logarithmic axis."""
    return np.unique(np.r_[0, np.geomspace(1, epochs, _RECORDED).round().astype(int)])


def _steps(epochs: int, kept: np.ndarray) -> list[tuple[int, int | None]]:
    rows = {int(epoch): row for row, epoch in enumerate(kept)}
    return [(epoch, rows.get(epoch)) for epoch in range(epochs + 1)]


def _slope(outputs: Tensor, points: Points, out: Tensor) -> Tensor:
    """Half the derivative of the squared error, or that of the cross-entropy after a sigmoid."""
    return torch.sub(outputs.sigmoid_() if points.classes else outputs, points.targets, out=out)


def _mean_losses(outputs: Tensor, points: Points, shown: Tensor) -> Tensor:
    """(2,): of the net of all points, and of the five on the points held out of each."""
    wanted = points.targets.expand_as(outputs)
    if points.classes:
        losses = nn.functional.binary_cross_entropy_with_logits(outputs, wanted, reduction="none")
    else:
        losses = (outputs - wanted) ** 2
    held_out = (losses[1:] * (1 - shown[1:])).sum() / points.targets.numel()
    return torch.stack([losses[0].mean(), held_out])


def plain_loop(points: Points, hidden: tuple[int, ...], *, seed: int) -> Callable[[int], Tensor]:
    """The loop everybody writes: ``nn.Sequential``, a loss, ``torch.optim.SGD``; called, it makes so many steps more.

    Gives the net's outputs (n,) before the last step; values or logits.
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
