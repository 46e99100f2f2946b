"""Pretrained networks without their classifier: pictures to features.

Weights are read without running code: safetensors, or torch's files with ``weights_only=True``. Plain residual networks
are built from the shapes of their tensors, so that they need torch alone; EfficientNet-Lite comes from the package
``efficientnet-lite-pytorch``, other networks from torchvision or timm.

References
----------
He et al., "Deep Residual Learning for Image Recognition", 2016, https://arxiv.org/abs/1512.03385.
Tan and Le, "EfficientNet", 2019, https://arxiv.org/abs/1905.11946; Lite: without squeeze and excitation, with ReLU6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kpipe.core.values import Weights
from kpipe.data.weights import WeightsFile
from kpipe.errors import UsageError
from kpipe.models.picture_weights import has_plain_layout

__all__ = ["Backbone", "build_backbone", "read_tensors"]

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # TensorFlow's, from which EfficientNet-Lite was converted
_CLASSIFIER = re.compile(r"(_?fc|classifier|head|heads)(\.|$)|.*num_batches_tracked$")  # tensors that need not fit
_NESTED = ("state_dict", "model_state_dict", "model")  # keys under which training scripts store the tensors

Tensors = Mapping[str, Tensor]


class Backbone(nn.Module):
    """(n, 3, height, width) float pictures between 0 and 1 → (n, features).

    Parameters
    ----------
    body : nn.Module
        Normalized pictures → a list of (n, channels, height, width) maps.
    normalization : pair of tuples
        Mean and standard deviation of each channel, as in the network's training.

    Notes
    -----
    The features are the means of each map over its pixels: those of the last map, and where the body gives it, of the
    last one at twice its resolution, whose features are less specific to the network's own classes.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, body: nn.Module, normalization: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
        super().__init__()
        self.body = body
        for name, values in zip(("mean", "deviation"), normalization, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)

    def normalize(self, pictures: Tensor) -> Tensor:
        """The pictures as the body expects them."""
        return (pictures - self.mean) / self.deviation

    def forward(self, pictures: Tensor) -> Tensor:
        """The features of pictures."""
        return torch.cat([each.mean(dim=(2, 3)) for each in self.body(self.normalize(pictures))], dim=1)


def build_backbone(weights: Weights) -> Backbone:
    """The network of some weights, in evaluation mode and with all its parameters frozen.

    Parameters
    ----------
    weights : Weights

    Returns
    -------
    Backbone

    Raises
    ------
    UsageError
        The file is no file of tensors, or they do not fit the network that its name says.
    """
    path = Path(weights.path)
    tensors = read_tensors(path)
    try:
        body, normalization = _body(weights.architecture, tensors, path)
    except (RuntimeError, KeyError, ValueError, TypeError, IndexError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{path} does not hold the weights of {weights.architecture}: {why:.200}.",
            code="unusable-weights",
            file=str(path),
        ) from error
    return Backbone(body, normalization).eval().requires_grad_(False)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a file of weights, by name. Nothing in the file is run.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to Tensor
        On the CPU.

    Raises
    ------
    UsageError
        The file holds something else, or is damaged.
    """
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            found: Any = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a parser of a damaged or hostile file raises
        raise UsageError(
            f"{path} is not a plain weights file: {type(error).__name__}. kpipe reads safetensors, and torch's files "
            "that hold tensors alone.",
            code="unusable-weights",
            file=str(path),
        ) from error
    for name in _NESTED:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not found or not all(isinstance(each, Tensor) for each in found.values()):
        raise UsageError(
            f"{path} does not hold a dictionary of named tensors, as weights files do.",
            code="unusable-weights",
            file=str(path),
        )
    return {str(name).removeprefix("module."): tensor for name, tensor in found.items()}


def _body(architecture: str, tensors: Tensors, path: Path) -> tuple[nn.Module, Any]:
    if has_plain_layout(architecture):
        return _loaded(_ResidualBody(tensors), tensors), _IMAGENET
    if architecture.startswith("efficientnet-lite"):
        from efficientnet_lite_pytorch import EfficientNet

        return _LiteBody(_loaded(EfficientNet.from_name(architecture), tensors)), _HALF
    from torchvision import models

    if architecture in models.list_models():
        network: Any = _loaded(models.get_model(architecture, weights=None), tensors)
        return _LastMap(_without_classifier(network)), _IMAGENET
    import timm

    network = _loaded(timm.create_model(architecture, pretrained=False), tensors)
    network.reset_classifier(0, "")
    return _LastMap(network), _timm_normalization(WeightsFile(path, "").config)


def _loaded(network: nn.Module, tensors: Tensors) -> nn.Module:
    """The network with the tensors; those of its classifier may lack or have another number of classes."""
    own = network.state_dict()
    needed = {name for name in own if not _CLASSIFIER.match(name)}
    wrong = [name for name in sorted(needed) if name not in tensors or tensors[name].shape != own[name].shape]
    if wrong:
        raise ValueError(f"{len(wrong)} of {len(needed)} tensors are missing or of another shape, such as {wrong[0]}")
    own.update({name: tensors[name] for name in needed})
    network.load_state_dict(own)
    return network


def _without_classifier(network: nn.Module) -> nn.Module:
    """A network of torchvision up to its classifier, by the names that torchvision gives its parts."""
    for classifier in ("fc", "head", "heads"):
        if hasattr(network, classifier):
            setattr(network, classifier, nn.Identity())
            return network
    for body in ("features", "layers"):
        if hasattr(network, body):
            return cast(nn.Module, getattr(network, body))
    network.classifier = nn.Identity()
    return network


def _timm_normalization(config: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of timm's ``config.json``; ImageNet's where it has none."""
    stated = config.get("pretrained_cfg", config)
    pair = [stated.get(name) if isinstance(stated, dict) else None for name in ("mean", "std")]
    if all(
        isinstance(each, list) and len(each) == 3 and all(isinstance(x, int | float) for x in each) for each in pair
    ):
        return tuple(map(float, pair[0] or ())), tuple(map(float, pair[1] or ()))
    return _IMAGENET


class _LastMap(nn.Module):
    """A network that ends with one map, whatever its library calls it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> list[Tensor]:
        found = self.network(pictures)
        if found.ndim == 3:  # (n, tokens, channels) of a transformer
            found = found.transpose(1, 2)[..., None]
        return [found if found.ndim == 4 else found[..., None, None]]


class _LiteBody(nn.Module):
    """EfficientNet-Lite, up to its pooling."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        strides = [_stride(block) for block in network._blocks]
        self.halving = max(number for number, stride in enumerate(strides) if stride > 1)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        network = self.network
        found = network._swish(network._bn0(network._conv_stem(pictures)))
        maps = []
        for number, block in enumerate(network._blocks):
            if number == self.halving:
                maps.append(found)
            found = block(found)
        return [*maps, network._swish(network._bn1(network._conv_head(found)))]


def _stride(block: Any) -> int:
    stride = block._depthwise_conv.stride
    return int(stride[0] if isinstance(stride, tuple | list) else stride)


class _ResidualBody(nn.Module):
    """A residual network with the names of torchvision's, of as many blocks and channels as the tensors have."""

    def __init__(self, tensors: Tensors) -> None:
        super().__init__()
        stem = tensors["conv1.weight"]
        self.conv1 = _convolution(stem, inputs=stem.shape[1], stride=2)
        self.bn1 = nn.BatchNorm2d(stem.shape[0])
        inputs = stem.shape[0]
        for stage in range(1, 5):
            blocks: list[nn.Module] = []
            while f"layer{stage}.{len(blocks)}.conv1.weight" in tensors:
                prefix = f"layer{stage}.{len(blocks)}."
                own = {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
                block = _Block(own, inputs=inputs, stride=2 if stage > 1 and not blocks else 1)
                blocks.append(block)
                inputs = block.outputs
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        found = F.max_pool2d(F.relu(self.bn1(self.conv1(pictures))), 3, stride=2, padding=1)
        maps = []
        for stage in range(1, 5):
            found = getattr(self, f"layer{stage}")(found)
            maps.append(found)
        return maps[-2:]


class _Block(nn.Module):
    """Two or three convolutions, added to their input: that of 3 x 3 pixels, or the first of two, has the stride."""

    def __init__(self, tensors: Tensors, *, inputs: int, stride: int) -> None:
        super().__init__()
        kernels = [tensors[f"conv{i}.weight"] for i in (1, 2, 3) if f"conv{i}.weight" in tensors]
        halving = 0 if len(kernels) == 2 else 1
        self.count, channels = len(kernels), inputs
        for i, kernel in enumerate(kernels):
            own = _convolution(kernel, inputs=channels, stride=stride if i == halving else 1)
            self.add_module(f"conv{i + 1}", own)
            self.add_module(f"bn{i + 1}", nn.BatchNorm2d(kernel.shape[0]))
            channels = kernel.shape[0]
        self.outputs = channels
        self.downsample = nn.Sequential()
        if "downsample.0.weight" in tensors:
            own = _convolution(tensors["downsample.0.weight"], inputs=inputs, stride=stride)
            self.downsample = nn.Sequential(own, nn.BatchNorm2d(channels))

    def forward(self, inputs: Tensor) -> Tensor:
        found = inputs
        for i in range(1, self.count + 1):
            found = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(found))
            if i < self.count:
                found = F.relu(found)
        return F.relu(found + self.downsample(inputs))


def _convolution(kernel: Tensor, *, inputs: int, stride: int) -> nn.Conv2d:
    """A convolution without bias whose weights have the shape of ``kernel``."""
    outputs, per_group, side, _ = kernel.shape
    groups = max(1, inputs // per_group)
    return nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, groups=groups, bias=False)
