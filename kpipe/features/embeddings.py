"""Mean word vectors of texts, from local weights: the package ``wordllama``, or a folder.

Nothing is downloaded. A folder holds one table of vectors (``*.safetensors``) and ``tokenizer.json``, as models of
model2vec do.

References
----------
Miller, "WordLlama", 2024, https://github.com/dleemiller/WordLlama (MIT): the vectors of large language models' tokens,
reduced to 256 dimensions and trained for sentence similarity; the package ships them (16 MB).
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from kpipe.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["MeanWordVectors", "VectorFiles", "find_word_vectors"]

_MAX_TOKENS = 2_000  # of a text


class VectorFiles(NamedTuple):
    """The files of word vectors and their tokenizer, and the hash of the vectors if it is known."""

    vectors: Path
    tokenizer: Path
    sha256: str = ""


def find_word_vectors(folder: str = "") -> VectorFiles | None:
    """Find the files of word vectors in a folder, or in the installed package ``wordllama``.

    Parameters
    ----------
    folder : str, optional
        With one ``*.safetensors`` and ``tokenizer.json``; empty for the package.

    Returns
    -------
    VectorFiles or None
        None if no folder is given and the package is not installed.

    Raises
    ------
    UsageError
        If the folder lacks a file, or its weights are not one table of vectors.
    """
    if folder:
        vectors, tokenizer = sorted(Path(folder).glob("*.safetensors")), Path(folder) / "tokenizer.json"
        if len(vectors) != 1 or not tokenizer.is_file():
            raise UsageError(
                f"{folder} must hold one file *.safetensors and tokenizer.json; got {len(vectors)} *.safetensors, and "
                f"tokenizer.json {'exists' if tokenizer.is_file() else 'is missing'}.",
                code="file-not-found",
                file=str(folder),
            )
        _check_table(vectors[0])
        return VectorFiles(vectors[0], tokenizer)
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None or find_spec("tokenizers") is None:
        return None
    package = Path(spec.origin).parent
    files = VectorFiles(
        package / "weights" / "l2_supercat_256.safetensors",
        package / "tokenizers" / "l2_supercat_tokenizer_config.json",
    )
    return files if files.vectors.is_file() and files.tokenizer.is_file() else None


def _check_table(path: Path) -> None:
    """Raise UsageError for a file that holds anything but one table of vectors, without reading the numbers."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as opened:
            shapes = [opened.get_slice(name).get_shape() for name in opened.keys()]  # noqa: SIM118  # no iterator
    except (SafetensorError, OSError) as error:
        raise UsageError(
            f"{path} is not a plain weights file: {type(error).__name__}.", code="unusable-weights", file=str(path)
        ) from error
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise UsageError(
            f"{path} holds {len(shapes)} tensors: word vectors are one table. A text encoder is used if config.json "
            "next to it states its type, such as bert or roberta.",
            code="unusable-weights",
            file=str(path),
        )


class MeanWordVectors(TransformerMixin, BaseEstimator):
    """The mean vector of each text's tokens, scaled to length 1.

    Parameters
    ----------
    files : VectorFiles
        As ``find_word_vectors`` returns them.
    """

    def __init__(self, files: VectorFiles) -> None:
        self.files = files

    def fit(self, X: np.ndarray, y: object = None) -> Self:
        """Do nothing: the vectors are given.

        Parameters
        ----------
        X : ndarray of shape (n,)
            One string per row.
        y : ignored
            For scikit-learn's API.

        Returns
        -------
        self
        """
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the vectors of texts.

        Parameters
        ----------
        X : ndarray of shape (n,)
            One string per row.

        Returns
        -------
        ndarray of shape (n, dimensions)
            Float32; zeros for a text without tokens.
        """
        vectors, tokenizer = _load(self.files.vectors, self.files.tokenizer)
        tokens = [found.ids[:_MAX_TOKENS] for found in tokenizer.encode_batch(list(X), add_special_tokens=False)]
        means = np.zeros((len(tokens), vectors.shape[1]), dtype=np.float32)
        for row, ids in enumerate(tokens):
            if ids:
                means[row] = vectors[ids].mean(axis=0)
        return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9))


@cache
def _load(vectors: Path, tokenizer: Path) -> tuple[np.ndarray, Tokenizer]:
    """(tokens, dimensions) vectors and the tokenizer, loaded once per process."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a fit's threads are limited
    loaded = Tokenizer.from_file(str(tokenizer))
    loaded.no_padding()
    loaded.no_truncation()
    (table,) = load_file(vectors).values()
    return table.astype(np.float32), loaded
