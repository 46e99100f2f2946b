"""Find the weights of a pretrained text encoder on this machine, in a folder in the format of Hugging Face's hub.

The folder holds ``config.json``, ``tokenizer.json`` and ``model.safetensors``; the package ``transformers`` builds the
network. Nothing is downloaded, and no code in the folder is run.
"""

from __future__ import annotations

from importlib.util import find_spec

from kpipe.core.packages import install_command
from kpipe.data.weights import NO_WEIGHTS, FoundWeights, WeightsFile, describe, files_at, files_on_machine
from kpipe.errors import UsageError

__all__ = ["UNUSABLE", "encoder_of", "find_text_weights"]

UNUSABLE = "none can be used"  # the start of the reason if there are weights, but none that this machine can use
# Networks that read a text in both directions, as ``config.json`` names them. Their code is part of transformers.
_ENCODERS = {
    *("albert", "bert", "camembert", "deberta-v2", "distilbert"),
    *("electra", "modernbert", "mpnet", "roberta", "xlm-roberta"),
}
_FILE = "model.safetensors"
_MAX_DEFAULT_BYTES = 300 << 20  # larger networks take most of an hour for some thousand texts on two cores


def find_text_weights(place: str | None = None) -> FoundWeights:
    """Find the weights of a network that encodes texts as numbers.

    Parameters
    ----------
    place : str, optional
        A file or folder, or "none". By default the usual places are searched for networks of at most 300 MiB.

    Returns
    -------
    FoundWeights
        The first that can be used on this machine, smaller files of a place first; none if ``place`` has no encoder.

    Raises
    ------
    UsageError
        If there is no file at ``place``, or an encoder that cannot be used.
    """
    if place == NO_WEIGHTS:
        return FoundWeights(None, "--weights none was given")
    refused = []
    for file in _files_at(place) if place else files_on_machine():
        kind = encoder_of(file)
        if not kind or (not place and file.path.stat().st_size > _MAX_DEFAULT_BYTES):
            continue
        if why := _why_not(file):
            refused.append(f"{file.path.name}: {why}")
            continue
        found = describe(file, kind)
        return FoundWeights(found, str(found))
    if place and refused:
        raise UsageError(
            f"{place} holds a text encoder that kpipe cannot use ({'; '.join(refused[:3])}).",
            code="unusable-weights",
            file=str(place),
        )
    return FoundWeights(None, f"{UNUSABLE} ({'; '.join(refused[:3])})" if refused else "none on this machine")


def _files_at(place: str) -> list[WeightsFile]:
    """The files of weights at a path; none if there are only others, such as a small table of word vectors."""
    try:
        return files_at(place)
    except UsageError as error:
        if error.code == "file-not-found":
            raise
        return []


def encoder_of(file: WeightsFile) -> str:
    """The kind of encoder that ``config.json`` beside a file of weights names; "" for anything else.

    Parameters
    ----------
    file : WeightsFile

    Returns
    -------
    str
    """
    kind = file.config.get("model_type")
    return kind if isinstance(kind, str) and kind in _ENCODERS else ""


def _why_not(file: WeightsFile) -> str:
    """Why the network cannot be used here; "" where it can."""
    folder = file.path.parent
    if file.path.name != _FILE:
        return f"only {_FILE} is read, which cannot hold code"
    if not (folder / "tokenizer.json").is_file():
        return "tokenizer.json is missing beside it"
    if (folder / "adapter_config.json").exists():
        return "it is an adapter of another network"
    missing = [name for name in ("transformers", "tokenizers") if find_spec(name) is None]
    return f"{missing[0]} is not installed: {install_command(extra='transformers')}" if missing else ""
