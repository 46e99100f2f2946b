"""Find pretrained weights for pictures on this machine whose network can be built here.

The network is identified by the name of the file, as torch hub and the packages name it (``resnet18-f37072fd.pth``), or
by ``config.json`` beside it (timm's models of Hugging Face's hub). Nothing is downloaded.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec

from kpipe.data.weights import NO_WEIGHTS, FoundWeights, WeightsFile, describe, files_at, files_on_machine
from kpipe.errors import UsageError

__all__ = ["find_picture_weights", "has_plain_layout", "why_no_torchvision"]

# kpipe builds these from the shapes of their tensors, without another library.
_RESIDUAL = re.compile(r"(?:wide_)?resnet\d+(?:_\d)?|resnext\d+_\w+")
_LITE = re.compile(r"efficientnet[-_]?lite(\d)")
# Vision transformers whose positions are those of one size of pictures; timm says so itself.
_TORCHVISION_ONE_SIZE = ("vit_", "maxvit_")
_ONE_SIZE_ONLY = "it takes pictures of one size only"
_HUB_NAME = re.compile(r"([a-z][a-z0-9_]*?)(?:_rwightman|_lc_swag|_swag)?-[0-9a-f]{8}")


def find_picture_weights(place: str | None = None) -> FoundWeights:
    """Find the weights of a network for pictures.

    Parameters
    ----------
    place : str, optional
        A file or folder, or "none". By default the usual places are searched.

    Returns
    -------
    FoundWeights
        The first whose network can be built on this machine, smaller files of a place first.

    Raises
    ------
    UsageError
        At ``place`` there are no such weights.
    """
    if place == NO_WEIGHTS:
        return FoundWeights(None, "--weights none was given")
    refused = []
    for file in files_at(place) if place else files_on_machine():
        name = architecture_of(file)
        if why := _why_not(name):
            refused.append(f"{file.path.name}: {why}")
            continue
        found = describe(file, name)
        return FoundWeights(found, str(found))
    if place:
        raise UsageError(
            f"{place} holds no weights that kpipe can use for pictures ({'; '.join(refused[:3])}). Name the file as "
            "torch hub does, such as resnet18-f37072fd.pth, or keep the config.json of Hugging Face's hub beside it.",
            code="unusable-weights",
            file=str(place),
        )
    return FoundWeights(None, f"none can be used ({'; '.join(refused[:3])})" if refused else "none on this machine")


def architecture_of(file: WeightsFile) -> str:
    """The name of a network, from ``config.json`` or the name of the file; "" where neither says it.

    Examples
    --------
    >>> from pathlib import Path
    >>> [architecture_of(WeightsFile(Path(name), "")) for name in ("resnet18-f37072fd.pth", "best.pth")]
    ['resnet18', '']
    """
    stem = file.path.stem.lower()
    stated = file.config.get("architecture")
    if isinstance(stated, str) and re.fullmatch(r"[a-z]\w*", stated):
        return stated
    if lite := _LITE.search(stem):
        return f"efficientnet-lite{lite[1]}"
    if named := _HUB_NAME.fullmatch(stem):
        return named[1]
    return stem if has_plain_layout(stem) else ""


def has_plain_layout(architecture: str) -> bool:
    """Whether a network is a plain residual one, whose layers follow from the shapes of its tensors.

    Parameters
    ----------
    architecture : str

    Returns
    -------
    bool
    """
    return _RESIDUAL.fullmatch(architecture) is not None


@lru_cache(maxsize=1)
def why_no_torchvision() -> str:
    """Why torchvision, and with it ``fastai.vision``, cannot be used; "" where it can.

    Returns
    -------
    str
    """
    if find_spec("torchvision") is None:
        return "torchvision is not installed"
    try:
        import torchvision  # noqa: F401  # builds of torch for CPUs lack the operators that it needs
    except (ImportError, RuntimeError, OSError) as error:
        return f"torchvision does not work here ({str(error).splitlines()[0]})" if str(error) else "torchvision fails"
    return ""


def _why_not(architecture: str) -> str:
    """Why the network cannot be built here; "" where it can."""
    if not architecture:
        return "unknown network"
    if has_plain_layout(architecture):
        return ""
    if _LITE.fullmatch(architecture):
        missing = find_spec("efficientnet_lite_pytorch") is None
        return "the package efficientnet-lite-pytorch is not installed" if missing else ""
    if why := why_no_torchvision():
        return why
    from torchvision import models

    if architecture in models.list_models(module=models):  # those that classify; others find objects or parts
        return _ONE_SIZE_ONLY if architecture.startswith(_TORCHVISION_ONE_SIZE) else ""
    if find_spec("timm") is None:
        return f"torchvision has no such classifier as {architecture}, and timm is not installed"
    import timm

    if not timm.is_model(architecture):
        return f"neither torchvision nor timm has a classifier {architecture}"
    return _ONE_SIZE_ONLY if getattr(timm.get_pretrained_cfg(architecture), "fixed_input_size", False) else ""
