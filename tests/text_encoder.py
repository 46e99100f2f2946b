"""A tiny text encoder with the words of ``tests.word_vectors``, as Hugging Face's hub has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.word_vectors import COLD, WARM

CONFIG: dict[str, Any] = {
    **{"model_type": "bert", "vocab_size": 15, "hidden_size": 16, "intermediate_size": 32},
    **{"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64, "pad_token_id": 0},
}


def write_tokenizer(folder: Path) -> None:
    """``tokenizer.json``: a token for each of the words, between [CLS] and [SEP]."""
    tokenizers = pytest.importorskip("tokenizers")
    words = {word: number for number, word in enumerate(["[UNK]", "[CLS]", "[SEP]", *WARM, *COLD])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    made.save(str(folder / "tokenizer.json"))


def write_encoder(folder: Path, *, config: dict[str, Any] | None = None, without: str = "") -> Path:
    """A folder with an encoder of random weights; ``without``: the beginning of the tensors' names that it lacks."""
    from kpipe.models.nets.sentence_encoder import hide_broken_torchvision

    folder.mkdir(parents=True, exist_ok=True)
    with hide_broken_torchvision(), torch.random.fork_rng(devices=[]):
        transformers = pytest.importorskip("transformers")
        torch.manual_seed(0)
        network = transformers.BertModel(transformers.BertConfig(**CONFIG))
    write_tokenizer(folder)
    kept = {name: each for name, each in network.state_dict().items() if not without or not name.startswith(without)}
    save_file(kept, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG | (config or {})))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder
