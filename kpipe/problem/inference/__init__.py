"""Infer the fields that a competition's author left open, from its files: one module per field.

A step receives the tables and the competition, including the fields that earlier steps have inferred. It returns the
fields that it infers, with the reason. If the files do not prove a value, ``Reason.guess`` is True.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import pandas as pd

from kpipe.core.values import Reason, Tables
from kpipe.data.pixels import picture_columns
from kpipe.problem.competition import Competition
from kpipe.problem.inference.columns import infer_columns
from kpipe.problem.inference.features import infer_features
from kpipe.problem.inference.groups import infer_groups
from kpipe.problem.inference.id import infer_id
from kpipe.problem.inference.metric import infer_metric
from kpipe.problem.inference.models import infer_models
from kpipe.problem.inference.splitter import infer_splitter
from kpipe.problem.inference.step import Step
from kpipe.problem.inference.target import infer_target
from kpipe.problem.inference.task import infer_task
from kpipe.problem.inference.weights import infer_weights
from kpipe.problem.pixel_columns import without_pixels

__all__ = ["infer"]

_STEPS: Mapping[str, Callable[[Competition, Tables], Step]] = {
    "id": infer_id,
    "target": infer_target,
    "task": infer_task,
    "metric": infer_metric,
    "groups": infer_groups,
    "columns": infer_columns,
    "features": infer_features,
    "splitter": infer_splitter,
    "weights": infer_weights,
    "models": infer_models,
}
_WITH_PIXELS = {"features", "weights", "models"}  # steps that need the columns of pixels


def infer(
    competition: Competition, tables: Tables, vault: pd.DataFrame | None = None
) -> tuple[Competition, dict[str, Reason]]:
    """Infer every open field of a competition, and return the reasons.

    Parameters
    ----------
    competition : Competition
        As its author wrote it; a field that is None is open.
    tables : Tables
        Cleaned tables.
    vault : DataFrame, optional
        Rows of train that are locked away; they may be between train and test in time.

    Returns
    -------
    Competition
        The same with every field set.
    dict of str to Reason
        Field → reason, in the order of inference.

    Raises
    ------
    DataError
        If the files contradict the competition, or a field cannot be inferred from them.
    UsageError
        If the competition's metric does not fit its task.
    """
    reasons: dict[str, Reason] = {}
    small = without_pixels(tables)
    pictures = () if small is tables else tuple(picture_columns(tables.train.columns))
    steps: Mapping[str, Callable[[Competition, Tables], Step]] = {
        **_STEPS,
        "metric": partial(infer_metric, has_pictures=bool(pictures)),
        "columns": partial(infer_columns, pictures=pictures),
        "splitter": partial(infer_splitter, vault=vault),
    }
    for field, step in steps.items():
        changes, reason = step(competition, tables if field in _WITH_PIXELS else small)
        competition = replace(competition, **changes)  # type: ignore[arg-type]  # one field a step
        if reason is not None:
            reasons[field] = reason
    return competition, reasons
