"""fastai's ``vision_learner`` with a network whose weights lie on this machine.

``fastai.vision`` is imported where it is called, since it needs torchvision.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

import fastai.callback.schedule  # noqa: F401  # gives Learner its fine_tune
import numpy as np
import torch
from fastai.data.core import DataLoaders
from torch import Tensor, nn

from kpipe.models.nets.fastai_training import Batches
from kpipe.models.nets.image_augmentation import RandomWarp
from kpipe.models.nets.loop import Trained, Weights
from kpipe.models.nets.machine import Machine, autocast, torch_session
from kpipe.models.nets.picture_batches import to_pictures
from kpipe.models.validation import require_finite

__all__ = ["FineTuning", "fine_tune", "restore"]


class FineTuning(NamedTuple):
    """The call of fastai's ``fine_tune``: epochs of the head alone and of all layers, learning rate, rows a step."""

    freeze_epochs: int
    epochs: int
    lr: float
    batch_size: int


def fine_tune(
    backbone: nn.Module,
    rows: np.ndarray,
    targets: np.ndarray,
    *,
    shape: tuple[int, int, int],
    size: tuple[int, int],
    warp: RandomWarp,
    plan: FineTuning,
    machine: Machine,
    seed: int,
) -> Trained:
    """The weights of a network that ``vision_learner`` fine-tuned, and its training losses.

    Parameters
    ----------
    backbone : Backbone
        Its weights are changed.
    rows : ndarray of shape (n, height * width * channels)
        uint8.
    targets : ndarray of shape (n,)
        Class codes.
    shape, size : tuple of int
        See ``to_pictures``.
    warp : RandomWarp
        Of training pictures.
    plan : FineTuning
    machine : Machine
        Where to train.
    seed : int
        For everything random.

    Returns
    -------
    Trained

    Raises
    ------
    TrainingError
        If the loss is no longer a finite number.
    """
    from fastai.vision.learner import vision_learner

    with torch_session(machine, seed=seed) as device, tempfile.TemporaryDirectory() as folder:
        generator = torch.Generator(device=device).manual_seed(seed)

        def pictures(batch: Tensor) -> Tensor:
            return to_pictures(warp(batch, generator), shape=shape, size=size)

        # A copy, since torch warns about the read-only arrays that workers get.
        data = torch.from_numpy(np.array(rows, order="C")).to(device), torch.from_numpy(targets).to(device)
        batches = Batches(*data, plan.batch_size, pictures)
        learner = vision_learner(
            DataLoaders(batches, Batches(data[0][:0], data[1][:0], plan.batch_size, pictures), device=device),
            lambda pretrained: _as_architecture(backbone),
            n_out=int(targets.max()) + 1,
            custom_head=_head(backbone, int(targets.max()) + 1),
            normalize=False,  # the backbone does
            loss_func=nn.functional.cross_entropy,
            path=folder,
        )
        learner.model.to(device)
        learner.model.forward = _in_bfloat16(learner.model.forward, machine, device)
        with learner.no_bar(), learner.no_logging():
            learner.fine_tune(plan.epochs, plan.lr, freeze_epochs=plan.freeze_epochs)
        losses = [epoch[0] for epoch in learner.recorder.values]
        require_finite(losses, lr=plan.lr)
        weights = {name: value.detach().cpu().numpy() for name, value in learner.model.state_dict().items()}
        return Trained(weights, np.array(losses, dtype=np.float64))


def restore(backbone: nn.Module, weights: Weights, *, classes: int) -> nn.Module:
    """The network with the weights of ``fine_tune``, in evaluation mode.

    Parameters
    ----------
    backbone : Backbone
        As given to ``fine_tune``.
    weights : dict of str to ndarray
    classes : int

    Returns
    -------
    nn.Module
        Pictures between 0 and 1 → (n, classes) logits.
    """
    from fastai.vision.learner import create_vision_model

    head = _head(backbone, classes)
    network: nn.Module = create_vision_model(lambda pretrained: _as_architecture(backbone), classes, custom_head=head)
    network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return network.eval()


def _head(backbone: nn.Module, classes: int) -> nn.Module:
    """The head of fastai, made here since fastai fails where convolutions have layers inside, as in EfficientNet."""
    from fastai.vision.learner import create_head

    with torch.inference_mode():
        maps = _LastMap(backbone.eval())(torch.zeros(1, 3, 64, 64)).shape[1]
    return create_head(maps, classes)


def _as_architecture(backbone: nn.Module) -> nn.Module:
    """What fastai expects of a network: a body, then a pooling layer, at which it is cut."""
    return nn.Sequential(_LastMap(backbone), nn.AdaptiveAvgPool2d(1))


def _in_bfloat16(
    forward: Callable[[Tensor], Tensor], machine: Machine, device: torch.device
) -> Callable[[Tensor], Tensor]:
    def computed(pictures: Tensor) -> Tensor:
        with autocast(machine, device):
            return forward(pictures).float()

    return computed


class _LastMap(nn.Module):
    """Pictures between 0 and 1 → the last map of a backbone."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.backbone.body(self.backbone.normalize(pictures))[-1]
        return found
