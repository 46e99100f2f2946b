"""Whether ``clean`` leaves the target unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from kpipe.checks.cleaning import differing, format_value
from kpipe.checks.interface import Finding, TableCheck
from kpipe.core.values import Folds
from kpipe.problem.competition import unchanged
from kpipe.problem.inference.spelling import unify_spelling
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "target_unchanged"]

# Columns that show whether clean reordered rows, and the share of equal cells in one of them if it did not.
_COMPARED, _SAME = 20, 0.999


def target_unchanged(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Check whether ``clean`` leaves the target unchanged; yield a finding only if it does not.

    Predictions are scored and submitted on the scale and with the labels of the cleaned target.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
        One for each target that changed.
    """
    if problem.competition.clean is unchanged:
        return
    raw_train = unify_spelling(problem.competition, problem.files)[1].train
    for target in problem.targets:
        pair = _matched_targets(target, problem.id, raw_train, problem.tables.train)
        if pair is None:
            continue
        raw, now = pair
        changed = np.flatnonzero(differing(*_as_numbers(raw, now)))
        if len(changed):
            first = changed[0]
            status, effect = _effect_of_labels(raw, now) if problem.task == "classification" else _OTHER_SCALE
            yield (
                status,
                f"clean changes {target} in {len(changed):,} of {len(raw):,} rows "
                f"(row {first + 1}: {format_value(raw.iloc[first])} became {format_value(now.iloc[first])}): {effect}",
            )


_OTHER_SCALE: Finding = (
    "fail",
    "scores and submissions would be on the changed scale. Leave the target unchanged; for a metric on logarithms, "
    "kpipe trains models on logarithms by itself.",
)


def _matched_targets(
    target: str, id: str | None, raw: pd.DataFrame, now: pd.DataFrame
) -> tuple[pd.Series, pd.Series] | None:
    """The target before and after, row by row: by id if there is one, else by position."""
    if target not in raw.columns or target not in now.columns:
        return None
    if id is not None and all(id in frame and frame[id].is_unique for frame in (raw, now)):
        before, after = raw.set_index(id)[target], now.set_index(id)[target]
        shared = before.index.intersection(after.index)
        return before.loc[shared].reset_index(drop=True), after.loc[shared].reset_index(drop=True)
    return (raw[target], now[target]) if len(raw) == len(now) and _same_order(raw, now, target) else None


def _same_order(raw: pd.DataFrame, now: pd.DataFrame, target: str) -> bool:
    """Whether rows have kept their order: an unchanged column shows it; without one, targets of other counts do."""
    kept = [column for column in raw.columns if column in now.columns and column != target]
    same = [1 - float(differing(raw[column], now[column]).mean()) for column in kept[:_COMPARED]]
    moved = raw[target].value_counts().to_dict() == now[target].value_counts().to_dict()
    return max(same) > _SAME if same else not moved


def _as_numbers(raw: pd.Series, now: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Both as numbers if both can be: True is 1, "1" is 1."""
    numbers = [pd.to_numeric(column.astype(object), errors="coerce").astype("float64") for column in (raw, now)]
    both = all(number.notna().equals(column.notna()) for number, column in zip(numbers, (raw, now), strict=True))
    return (numbers[0], numbers[1]) if both else (raw, now)


def _effect_of_labels(raw: pd.Series, now: pd.Series) -> Finding:
    """Labels that trade places invert the submission; new labels are what the submission would hold."""
    mapping: Mapping[object, set[object]] = now.groupby(raw.to_numpy()).agg(set).to_dict()
    if set(map(str, raw.unique())) & set(map(str, now.unique())):
        return "fail", "labels were swapped, so the submission would be wrong. Leave the target unchanged."
    if all(len(names) == 1 for names in mapping.values()):
        return (
            "warn",
            "the submission would contain the new labels, but Kaggle expects those of the file. Leave the target "
            "unchanged.",
        )
    return "fail", "labels were split or merged, but Kaggle expects those of the file. Leave the target unchanged."


TABLE_CHECKS = (TableCheck("target unchanged by clean", target_unchanged, every_column=True),)
