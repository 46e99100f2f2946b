"""Infer which pretrained weights the models may use."""

from __future__ import annotations

from kpipe.core.values import Reason, Tables
from kpipe.data.pixels import picture_columns
from kpipe.models.picture_weights import find_picture_weights, why_no_torchvision
from kpipe.problem.competition import Competition
from kpipe.problem.inference.step import NOTHING, Step

__all__ = ["infer_weights"]


def infer_weights(competition: Competition, tables: Tables) -> Step:
    """The weights on this machine of a network for pictures, where the columns are pictures."""
    place = competition.weights
    if not (place is None or isinstance(place, str)):
        return NOTHING
    if not picture_columns(competition.columns or ()):
        return {"weights": {}}, None
    found, reason = find_picture_weights(place)
    if found is not None and place:
        from kpipe.models.nets.backbones import build_backbone

        build_backbone(found)  # says now, and not in every fit, what is wrong with the file
    if found is not None and (why := why_no_torchvision()):
        reason += f"; no vision-learner: {why}"
    return {"weights": {"pictures": found}}, Reason(text=reason)
