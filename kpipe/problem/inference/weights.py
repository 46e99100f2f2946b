"""Infer which pretrained weights the models may use."""

from __future__ import annotations

from pathlib import Path

from kpipe.core.values import Reason, Tables, Weights
from kpipe.data.column_types import is_free_text
from kpipe.data.pixels import picture_columns
from kpipe.data.weights import NO_WEIGHTS, WeightsFile, describe
from kpipe.errors import UsageError
from kpipe.features.embeddings import find_word_vectors
from kpipe.models.picture_weights import find_picture_weights, why_no_torchvision
from kpipe.models.text_weights import UNUSABLE, find_text_weights
from kpipe.problem.competition import Competition
from kpipe.problem.inference.step import NOTHING, Step

__all__ = ["infer_weights"]


def infer_weights(competition: Competition, tables: Tables) -> Step:
    """The weights of a network where the columns are pictures; of an encoder and word vectors where they are text.

    Raises
    ------
    UsageError
        The path that the user gave has no suitable weights, or there is nothing to use them for.
    """
    place = competition.weights
    if not (place is None or isinstance(place, str)):
        return NOTHING
    columns = competition.columns or ()
    if not picture_columns(columns):
        return _of_text(place, any(is_free_text(tables.train[name]) for name in columns))
    found, reason = find_picture_weights(place)
    if found is not None and place:
        from kpipe.models.nets.backbones import build_backbone

        build_backbone(found)  # says now, and not in every fit, what is wrong with the file
    if found is not None and (why := why_no_torchvision()):
        reason += f"; no vision-learner: {why}"
    return {"weights": {"pictures": found}}, Reason(text=reason)


def _of_text(place: str | None, has_text: bool) -> Step:
    """The weights of an encoder, and the word vectors: either may be what the user gave."""
    if place == NO_WEIGHTS:
        return {"weights": {"text": None, "sentences": None}}, None
    if not has_text:
        if place:
            raise UsageError(
                f"--weights {place}: there are neither pictures nor free text to which weights could apply.",
                code="conflicting-options",
            )
        return {"weights": {}}, None
    encoder, reason = find_text_weights(place)
    if encoder is not None and place:
        from kpipe.models.nets.sentence_encoder import build_encoder

        build_encoder(encoder)  # says now, and not in every fit, what is wrong with the files
    vectors = _word_vectors(place if encoder is None else None)
    found = {"sentences": encoder, "text": vectors}
    reasons = [reason] if encoder is not None or reason.startswith(UNUSABLE) else []
    reasons += [str(vectors)] if vectors is not None else []
    weights = {kind: each for kind, each in found.items() if each is not None}
    return {"weights": weights}, Reason(text="; ".join(reasons)) if reasons else None


def _word_vectors(place: str | None) -> Weights | None:
    """The word vectors of a path, or else of the package wordllama."""
    given = Path(place).expanduser() if place else None
    files = find_word_vectors("" if given is None else str(given.parent if given.is_file() else given))
    if files is None:
        return None
    package = "" if place else "wordllama"
    origin = "--weights" if place else f"the package {package}"
    return describe(WeightsFile(files.vectors.resolve(), origin, package), "word vectors")
