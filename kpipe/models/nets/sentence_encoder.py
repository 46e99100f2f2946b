"""Encode texts as vectors with a pretrained network of the package ``transformers``, read from local files only.

References
----------
Reimers and Gurevych, "Sentence-BERT", 2019, https://arxiv.org/abs/1908.10084: the mean of the tokens' vectors.
"""

from __future__ import annotations

import contextlib
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from kpipe.core.values import Weights
from kpipe.errors import UsageError
from kpipe.models.nets.machine import Machine, autocast, torch_session
from kpipe.models.picture_weights import why_no_torchvision

__all__ = ["Encoder", "build_encoder", "embed", "hide_broken_torchvision"]

_MAX_TOKENS = 256  # of a text, as sentence transformers are trained
_LENGTH_STEP = 16  # lengths are rounded up to a multiple of this number of tokens
_CPU_BATCH, _GPU_BATCH = 16, 128  # texts; every batch is full, since the last digits depend on its size
_OPTIONAL = ("pooler.", "position_ids")  # parts of a network that files of weights may lack
_MAX_GROWTH = 8  # times the size of the file: half precision becomes single, and layers may share their weights


class Encoder(NamedTuple):
    """A network in evaluation mode, and the tokenizer of its texts.

    Attributes
    ----------
    network : nn.Module
        A model of transformers, which maps token ids and their mask to one vector per token.
    tokenizer : tokenizers.Tokenizer
        Truncates long texts.
    padding : int
        The id of the token that pads short texts.
    """

    network: nn.Module
    tokenizer: Any
    padding: int


def build_encoder(weights: Weights) -> Encoder:
    """Load the encoder to which weights belong, and freeze it.

    Parameters
    ----------
    weights : Weights
        As ``find_text_weights`` returns them.

    Returns
    -------
    Encoder

    Raises
    ------
    UsageError
        If the files are damaged, or do not belong together.
    """
    folder = Path(weights.path).parent
    try:
        with hide_broken_torchvision():
            return _load(folder)
    except Exception as error:  # parsers raise any exception for damaged or hostile files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{folder} does not hold a text encoder of the kind {weights.architecture}: {reason:.200}.",
            code="unusable-weights",
            file=str(folder),
        ) from error


@contextlib.contextmanager
def hide_broken_torchvision() -> Iterator[None]:
    """Hide torchvision where it does not work: transformers imports it wherever it is installed."""
    hidden = bool(why_no_torchvision()) and "torchvision" not in sys.modules
    if hidden:
        sys.modules["torchvision"] = None  # type: ignore[assignment]  # importing it then raises ImportError
    try:
        yield
    finally:
        if hidden:
            del sys.modules["torchvision"]


def _load(folder: Path) -> Encoder:
    from tokenizers import Tokenizer
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    local = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(folder, **local)
    _check_size(config, folder)
    options = {"config": config, "use_safetensors": True, "dtype": torch.float32, "output_loading_info": True}
    network, report = AutoModel.from_pretrained(folder, **options, **local)
    if missing := [name for name in report["missing_keys"] if not any(part in name for part in _OPTIONAL)]:
        raise ValueError(f"model.safetensors lacks {len(missing)} tensors, such as {missing[0]}")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if tokenizer.get_vocab_size() > config.vocab_size:
        raise ValueError(
            f"tokenizer.json has {tokenizer.get_vocab_size():,} tokens, and the network {config.vocab_size:,}"
        )
    tokenizer.no_padding()
    tokenizer.enable_truncation(min(_MAX_TOKENS, getattr(config, "max_position_embeddings", _MAX_TOKENS) - 2))
    return Encoder(network.eval().requires_grad_(False), tokenizer, config.pad_token_id or 0)


def _check_size(config: Any, folder: Path) -> None:
    """Raise ValueError if the configuration describes a network that is much larger than its file of weights."""
    from transformers import AutoModel

    with torch.device("meta"):  # allocates no memory
        described = sum(each.numel() for each in AutoModel.from_config(config, trust_remote_code=False).parameters())
    if 4 * described > _MAX_GROWTH * (folder / "model.safetensors").stat().st_size:
        raise ValueError(f"config.json describes a network of {described:,} numbers, more than model.safetensors holds")


def embed(encoder: Encoder, texts: Sequence[str], *, machine: Machine) -> np.ndarray:
    """Return, for each text, the mean of its tokens' vectors.

    Parameters
    ----------
    encoder : Encoder
    texts : sequence of n str
    machine : Machine
        Where to compute.

    Returns
    -------
    ndarray of shape (n, dimensions)
        Float32. A row depends on no other text.
    """
    found: dict[int, np.ndarray] = {}
    with torch_session(machine, seed=0) as device, torch.inference_mode():
        network = encoder.network.to(device)
        size = _CPU_BATCH if device.type == "cpu" else _GPU_BATCH
        for rows, tokens, mask in _batches(encoder, texts, size):
            ids, is_token = torch.from_numpy(tokens).to(device), torch.from_numpy(mask).to(device)
            with autocast(machine, device):
                vectors = network(input_ids=ids, attention_mask=is_token).last_hidden_state.float()
            means = (vectors * is_token[..., None]).sum(1) / is_token.sum(1, keepdim=True).clamp(min=1)
            found.update(zip(rows, means.cpu().numpy(), strict=False))  # without the copies that fill the last batch
    return np.stack([found[row] for row in range(len(texts))])


def _batches(encoder: Encoder, texts: Sequence[str], size: int) -> list[tuple[list[int], np.ndarray, np.ndarray]]:
    """Batches (rows, token ids, mask) of texts of similar length; copies of its texts fill a batch up to ``size``."""
    by_length: dict[int, list[int]] = defaultdict(list)
    tokens = [each.ids or [encoder.padding] for each in encoder.tokenizer.encode_batch(list(texts))]
    for row, ids in enumerate(tokens):
        by_length[-(-len(ids) // _LENGTH_STEP) * _LENGTH_STEP].append(row)
    batches = []
    for length, rows in sorted(by_length.items()):
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            block, mask = np.full((size, length), encoder.padding), np.zeros((size, length), dtype=np.int64)
            for place, row in enumerate(np.resize(part, size)):
                block[place, : len(tokens[row])], mask[place, : len(tokens[row])] = tokens[row], 1
            batches.append((part, block, mask))
    return batches
