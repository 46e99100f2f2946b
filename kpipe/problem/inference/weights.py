"""Infer which pretrained weights the models may use."""

from __future__ import annotations

from pathlib import Path

from kpipe.core.values import Reason, Tables
from kpipe.data.column_types import is_free_text
from kpipe.data.pixels import picture_columns
from kpipe.data.weights import NO_WEIGHTS, WeightsFile, describe
from kpipe.errors import UsageError
from kpipe.features.embeddings import find_word_vectors
from kpipe.models.picture_weights import find_picture_weights, why_no_torchvision
from kpipe.problem.competition import Competition
from kpipe.problem.inference.step import NOTHING, Step

__all__ = ["infer_weights"]


def infer_weights(competition: Competition, tables: Tables) -> Step:
    """The weights of a network where the columns are pictures, and word vectors where they are free text.

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
        return _word_vectors(place, any(is_free_text(tables.train[name]) for name in columns))
    found, reason = find_picture_weights(place)
    if found is not None and place:
        from kpipe.models.nets.backbones import build_backbone

        build_backbone(found)  # says now, and not in every fit, what is wrong with the file
    if found is not None and (why := why_no_torchvision()):
        reason += f"; no vision-learner: {why}"
    return {"weights": {"pictures": found}}, Reason(text=reason)


def _word_vectors(place: str | None, has_text: bool) -> Step:
    if place == NO_WEIGHTS:
        return {"weights": {"text": None}}, None
    if not has_text:
        if place:
            raise UsageError(
                f"--weights {place}: there are neither pictures nor free text that weights could be for.",
                code="conflicting-options",
            )
        return {"weights": {}}, None
    given = Path(place).expanduser() if place else None
    files = find_word_vectors("" if given is None else str(given.parent if given.is_file() else given))
    if files is None:
        return {"weights": {}}, None
    package = "" if place else "wordllama"
    origin = "--weights" if place else f"the package {package}"
    found = describe(WeightsFile(files.vectors.resolve(), origin, package), "word vectors")
    return {"weights": {"text": found}}, Reason(text=str(found))
