"""Infer the column whose rows must stay in one fold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpipe.core.values import Reason, Tables
from kpipe.core.wording import missing_column_message
from kpipe.data.column_names import words_of
from kpipe.data.dates import parse_dates
from kpipe.errors import DataError
from kpipe.features.automatic import AutomaticFeatures
from kpipe.problem.competition import Competition
from kpipe.problem.inference.splitter import comes_later, is_time
from kpipe.problem.inference.step import NOTHING, Step

__all__ = ["infer_groups"]

_SUBJECTS = {"patient", "patientid", "subject", "subjectid", "driver", "participant", "person", "volunteer"}
_MIN_SUBJECTS, _ROWS_OF_A_SUBJECT = 10, 1.15
_MAX_SHARED = 0.02  # of test rows may belong to groups of train if test was split off by group


def infer_groups(competition: Competition, tables: Tables) -> Step:
    """Find a column with several rows per value, whose values in test are new: such rows must stay in one fold.

    Raises
    ------
    DataError
        If the stated groups, or the column to split by, are missing from a file or have missing values.
    """
    if competition.groups is not None:
        _check_groups(tables.train, competition.groups)
        return NOTHING
    if competition.split is not None:
        return _groups_by(competition, competition.split, tables)
    if competition.splitter is not None or competition.columns is not None:
        return NOTHING
    for name, values in _candidates(competition, tables):
        known = float(tables.test[name].isin(values.unique()).mean())
        if known <= _MAX_SHARED:
            text = f"its values repeat, and {1 - known:.0%} of test's rows have a value that train lacks"
            return _groups(competition, name, values), Reason(text=text, guess=True)
    for name, values in _subjects(competition, tables):
        text = f"its name suggests subjects, {values.nunique():,} in all; test lacks it, and may have other subjects"
        return {"groups": name}, Reason(text=text, guess=True)
    return NOTHING


def _groups_by(competition: Competition, split: str, tables: Tables) -> Step:
    if split == "rows":
        return NOTHING
    for name, frame in (("train", tables.train), ("test", tables.test)):
        if split not in frame.columns:
            raise DataError(
                missing_column_message(f"{name}.csv", "the column to split by,", split, frame.columns),
                code="missing-column",
                file=f"{name}.csv",
                column=split,
            )
    if parse_dates(tables.train[split]) is not None or comes_later(tables.train[split], tables.test[split]):
        return NOTHING  # a time
    _check_groups(tables.train, split)
    return _groups(competition, split, tables.train[split]), Reason(text="the column to split by")


def _groups(competition: Competition, name: str, values: pd.Series) -> dict[str, object]:
    """The groups; numeric groups stay features, because a model can extrapolate to new numbers."""
    own = competition.columns is not None or competition.features is not None or competition.models is not None
    if own or not pd.api.types.is_numeric_dtype(values):
        return {"groups": name}
    return {"groups": name, "features": AutomaticFeatures(groups=name)}


def _candidates(competition: Competition, tables: Tables) -> Iterator[tuple[str, pd.Series]]:
    """Yield columns of labels or integers that identify entities with several rows each, in train and in test."""
    for name in tables.train.columns:
        values = tables.train[name]
        if name not in tables.test.columns or name == competition.id or values.dtype.kind in "fbM" or values.hasnans:
            continue
        if is_time(values, tables.test[name]):
            continue
        distinct, in_test = values.nunique(), tables.test[name].nunique()
        if (
            20 <= distinct <= len(values) / _ROWS_OF_A_SUBJECT
            and 5 <= in_test <= len(tables.test)
            and parse_dates(values) is None
        ):
            yield str(name), values


def _subjects(competition: Competition, tables: Tables) -> Iterator[tuple[str, pd.Series]]:
    """Yield columns that test lacks and whose names suggest a subject, such as a patient or driver."""
    known = {competition.id, *competition.targets, *competition.drop}
    for name in tables.train.columns:
        values = tables.train[name]
        if name in known or name in tables.test.columns or not words_of(str(name)) & _SUBJECTS or values.hasnans:
            continue
        if values.dtype.kind != "f" and _MIN_SUBJECTS <= values.nunique() <= len(values) / _ROWS_OF_A_SUBJECT:
            yield str(name), values


def _check_groups(train: pd.DataFrame, groups: str) -> None:
    if groups not in train.columns:
        raise DataError(
            missing_column_message("train.csv", "the groups column", groups, train.columns),
            code="missing-column",
            file="train.csv",
            column=groups,
        )
    missing = np.flatnonzero(train[groups].isna())
    if len(missing):
        raise DataError(
            f"train.csv: the groups column {groups!r} is missing in {len(missing)} of {len(train)} rows, "
            f"first in row {missing[0] + 1}. Assign groups to these rows in clean.",
            code="groups-missing",
            file="train.csv",
            column=groups,
            row=int(missing[0]) + 1,
        )
