"""Infer the transformer that is fitted inside each fold."""

from __future__ import annotations

from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from kpipe.core.values import Reason, Tables
from kpipe.data.column_types import is_pixel_table
from kpipe.data.pixels import picture_columns
from kpipe.features.automatic import AutomaticFeatures
from kpipe.features.columns import without_pictures
from kpipe.problem.competition import Competition
from kpipe.problem.inference.step import NOTHING, Step

__all__ = ["infer_features"]


def infer_features(competition: Competition, tables: Tables) -> Step:
    """``AutomaticFeatures``, except for pixels and for competitions that state their own models."""
    features = competition.features
    keeps_groups = isinstance(features, AutomaticFeatures) and features.groups is not None
    if (features is not None and not keeps_groups) or competition.models is not None:
        return NOTHING
    columns = tables.train[list(competition.columns or ())]
    if is_pixel_table(columns):
        return {"features": None}, None
    reason = Reason(text="dates, free text, high-cardinality categories and useless columns are handled in each fold")
    made = clone(features) if isinstance(features, AutomaticFeatures) else AutomaticFeatures()
    if picture_columns(columns.columns):
        return {"features": make_pipeline(FunctionTransformer(without_pictures), made)}, reason
    return {"features": made}, reason
