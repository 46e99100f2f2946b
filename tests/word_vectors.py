"""Made-up word vectors: a folder as ``find_word_vectors`` reads it, without any package that ships weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

WARM, COLD = ("kov", "lup", "mis", "ner", "qat", "ruj"), ("bex", "dol", "fig", "hyz", "wim", "zac")


def made_up_vectors(folder: Path) -> Path:
    """Vectors of twelve words of two kinds: words of a kind have the same one."""
    tokenizers = pytest.importorskip("tokenizers")
    words = {word: number for number, word in enumerate(["[UNK]", *WARM, *COLD])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    vectors = np.array([[0.0, 0.0], *[[1.0, 0.0]] * len(WARM), *[[0.0, 1.0]] * len(COLD)], dtype=np.float16)
    save_file({"embeddings": vectors}, folder / "model.safetensors")
    return folder
