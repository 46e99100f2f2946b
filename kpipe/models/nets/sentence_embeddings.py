"""The model ``sentence-embeddings``: a linear model on the vectors that a pretrained text encoder gives.

The encoder stays as it is and reads each text once, whatever the number of folds, seeds and runs; a fit then takes
seconds. Scores and costs: ``docs/decisions/0018-pretrained.md``.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler

from kpipe.core.packages import install_command
from kpipe.core.values import Context, Weights
from kpipe.data.cache import cache_folder
from kpipe.errors import UsageError
from kpipe.models.linear import linear_on_features
from kpipe.models.nets.feature_store import features_of
from kpipe.models.text import RawColumnsPipeline, RowText
from kpipe.models.text_weights import find_text_weights

if TYPE_CHECKING:
    from kpipe.models.nets.sentence_encoder import Encoder

__all__ = ["SentenceEmbeddings", "sentence_embeddings"]

_VERSION = 1  # of the vectors; increase it when they are computed otherwise


def sentence_embeddings(context: Context, *, weights: str | None = None, **options: Any) -> BaseEstimator:
    """A linear model on the vectors of a pretrained text encoder, for free text.

    Parameters
    ----------
    context : Context
        The context of the fit; its ``weights`` are used where none are given.
    weights : str or None, default=None
        A folder of Hugging Face's hub: ``config.json``, ``tokenizer.json`` and ``model.safetensors``.
    **options
        Parameters of scikit-learn's ``LogisticRegression`` (classification) or ``Ridge`` (regression).

    Returns
    -------
    RawColumnsPipeline
        One string per row, its vector, standardised, then the linear model.

    Raises
    ------
    UsageError
        If there are no weights.
    """
    encoder = SentenceEmbeddings(_choose(weights, context), device=context.device, threads=context.threads)
    head = linear_on_features(options, context, C=0.01)
    steps = [("text", RowText(labels=False)), ("vectors", encoder), ("scale", StandardScaler()), ("linear", head)]
    return RawColumnsPipeline(steps)


def _choose(place: str | None, context: Context) -> Weights:
    if place is None and "sentences" in context.weights:
        found, reason = context.weights["sentences"], "--weights none was given"
    else:
        found, reason = find_text_weights(place)
    if found is None:
        raise UsageError(
            f"There are no weights of a text encoder: {reason}. Give a folder of Hugging Face's hub with --weights; it "
            f"needs the package transformers: {install_command(extra='transformers')}.",
            code="unusable-weights",
        )
    return found


class SentenceEmbeddings(TransformerMixin, BaseEstimator):
    """The vectors that a pretrained text encoder gives.

    Parameters
    ----------
    weights : Weights
        Of the encoder.
    device, threads
        Where to compute; see ``kpipe.models.nets.machine.Machine``.
    """

    def __init__(self, weights: Weights, *, device: str = "cpu", threads: int = 1) -> None:
        self.weights = weights
        self.device = device
        self.threads = threads

    def fit(self, X: np.ndarray, y: object = None) -> Self:
        """Do nothing: the encoder stays as it is.

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
        """The vectors of texts, from kpipe's cache where an earlier fit has computed them.

        Parameters
        ----------
        X : ndarray of shape (n,)
            One string per row.

        Returns
        -------
        ndarray of shape (n, dimensions)
            Float32.
        """
        if not len(X):
            return self._compute([""])[:0].astype(np.float32)
        tokenizer = hashlib.sha256(Path(self.weights.path).with_name("tokenizer.json").read_bytes()).hexdigest()
        key = f"{_VERSION} {self.weights.sha256} {tokenizer} {self.weights.architecture} {self.device}"
        folder = cache_folder() / "features" / hashlib.sha256(key.encode()).hexdigest()[:32]
        rows = [str(text).encode("utf-8", "replace") for text in X]
        return features_of(rows, lambda places: self._compute(X[places]), folder).astype(np.float32)

    def _compute(self, texts: Any) -> np.ndarray:
        """(k,) strings → (k, dimensions) float16, as the store keeps them."""
        from kpipe.models.nets.machine import Machine
        from kpipe.models.nets.sentence_encoder import embed

        machine = Machine(device=self.device, threads=self.threads, bfloat16="auto")
        return embed(_encoder(self.weights), [str(text) for text in texts], machine=machine).astype(np.float16)


@lru_cache(maxsize=1)
def _encoder(weights: Weights) -> Encoder:
    """An encoder, once in each process."""
    from kpipe.models.nets.sentence_encoder import build_encoder

    return build_encoder(weights)
