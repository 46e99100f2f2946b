"""The honesty checks that run with every run. Each ends pass, warn or fail, with its evidence in a sentence.

A module for each thing that can lie: ``splitting`` (the folds), ``columns`` (the tables), ``predicting`` (the numbers).
They look at values and behaviour, never at code. ``kpipe.conformance`` adds those that fit models of their own.
"""

from __future__ import annotations

import numpy as np

from kpipe.checks.columns import drawn_alike, levels_seen
from kpipe.checks.predicting import beats_baseline, not_constant, real_data, rows_on_their_own
from kpipe.checks.splitting import classes_trained, copies_apart, folds_apart, folds_mirror_test
from kpipe.competition import Competition
from kpipe.metrics import Metric
from kpipe.values import Blend, Check, Folds, Predictions, Submission, Tables

__all__ = ["run_checks"]


def run_checks(
    competition: Competition,
    tables: Tables,
    folds: Folds,
    predictions: Predictions,
    blended: Blend,
    submission: Submission,
) -> tuple[Check, ...]:
    """All cheap checks, in a fixed order."""
    assert isinstance(competition.metric, Metric)  # resolved
    return (
        folds_apart(folds),
        copies_apart(competition, tables, folds),
        beats_baseline(competition.metric, predictions, blended, folds, groups=_groups(competition, tables)),
        not_constant(blended),
        rows_on_their_own(predictions),
        *classes_trained(predictions, folds),
        levels_seen(competition, tables),
        folds_mirror_test(competition, tables, folds),
        *drawn_alike(competition, tables),
        real_data(submission),
    )


def _groups(competition: Competition, tables: Tables) -> np.ndarray | None:
    return None if competition.groups is None else tables.train[competition.groups].to_numpy()
