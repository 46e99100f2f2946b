"""Infer how rows are split into folds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from kpipe.core.values import Reason, Splitter, Tables
from kpipe.data.date_forms import epoch_unit
from kpipe.data.dates import is_named_after_time, parse_dates
from kpipe.features.automatic import AutomaticFeatures
from kpipe.problem.competition import Competition
from kpipe.problem.inference.step import NOTHING, Step
from kpipe.problem.inference.time_layout import Layout, layout_after, layout_between
from kpipe.problem.splitters import ByTime
from kpipe.problem.times import TimeColumn, read_times

__all__ = ["comes_later", "infer_splitter", "is_time"]

_FOLDS = 5
_NAMES_OF_THINGS = re.compile(
    r"(?i)id$|id[_ ]|code|number|no$|nr$|group|user|customer|client|patient|store|shop|item|product"
)
_PARTS = {"year": (1900, 2100), "month": (1, 12), "day": (1, 31), "hour": (0, 24)}
_MIN_TIMES = 3  # distinct times
_OUTLIERS = 0.01  # share of test that may be earlier, and of train that may be later
_APART = (
    0.5  # share of train before, or of test after, the time at which they meet: a count may be 0 in nearly all rows
)


def infer_splitter(competition: Competition, tables: Tables, vault: pd.DataFrame | None = None) -> Step:
    """Choose a splitter that mirrors the split into train and test: by group, by time, or by row."""
    if competition.splitter is not None:
        return NOTHING
    settings = {"n_splits": _FOLDS, "shuffle": True, "random_state": 0}
    classes = competition.task == "classification" and len(competition.targets) == 1
    if competition.groups is not None:
        kind: type[Splitter] = StratifiedGroupKFold if classes else GroupKFold
        return {"splitter": kind(**settings)}, Reason(text=f"rows with the same {competition.groups} stay together")
    if (layout := _layout(competition, tables, vault)) is not None:
        found: dict[str, object] = {"splitter": layout.splitter}
        column = layout.splitter.column if isinstance(layout.splitter, ByTime) else None
        if isinstance(competition.features, AutomaticFeatures) and isinstance(column, str):
            found["features"] = clone(competition.features).set_params(time=column)
        return found, Reason(text=layout.text, guess=True)
    if classes:
        return {"splitter": StratifiedKFold(**settings)}, Reason(text="stratified by class", guess=True)
    return {"splitter": KFold(**settings)}, Reason(text="rows are assumed to be independent", guess=True)


def _layout(competition: Competition, tables: Tables, vault: pd.DataFrame | None) -> Layout | None:
    """The layout of test relative to train in time, by the first column that shows one, or by the stated column."""
    if competition.split == "rows" or (competition.split is not None and competition.groups is not None):
        return None
    columns = _time_columns(competition, tables) if competition.split is None else (competition.split,)
    for column in columns:
        found = _layout_by(column, tables, vault)
        if found is not None and _can_be_split(found.splitter, tables.train):
            return found
    if competition.split is None:
        return None
    text = f"by {competition.split}, each fold validates rows that come after its training rows"
    return Layout(ByTime(competition.split), text)


def _time_columns(competition: Competition, tables: Tables) -> Iterator[TimeColumn]:
    """Yield shared columns that may be times: dates first, then columns of year and month, then numbers."""
    train, test = tables.train, tables.test
    names = [name for name in train.columns if name in test.columns and name not in competition.targets]
    dates = dict.fromkeys(str(name) for name in names if parse_dates(train[name]) is not None)
    yield from dates
    names = [str(name) for name in names if name != competition.id or name in (competition.columns or ())]
    if (parts := _calendar_parts(names, train, test)) is not None:
        yield parts
    numbers = [name for name in names if name not in dates and pd.api.types.is_numeric_dtype(train[name])]
    yield from (name for name in numbers if is_time(train[name], test[name]))


def _calendar_parts(names: Sequence[str], train: pd.DataFrame, test: pd.DataFrame) -> tuple[str, ...] | None:
    """Columns of whole numbers that are called year, month and, if there are such, day and hour."""
    found: list[str] = []
    for part, (low, high) in _PARTS.items():
        named = [name for name in names if name.lower() == part]
        values = pd.concat([train[named[0]], test[named[0]]]) if named else None
        if values is None or values.dtype.kind not in "iu" or not values.between(low, high).all():
            break
        found.append(named[0])
    return tuple(found) if len(found) > 1 else None


def _layout_by(column: TimeColumn, tables: Tables, vault: pd.DataFrame | None) -> Layout | None:
    try:
        train, test = (read_times(frame, column) for frame in (tables.train, tables.test))
        # The final run also trains on a vault's rows: without them, the gap before test would seem longer than it is.
        whole = train if vault is None else pd.concat([train, read_times(vault, column)], ignore_index=True)
    except ValueError:
        return None
    are_dates = [pd.api.types.is_datetime64_any_dtype(times) for times in (train, test)]
    if train.nunique() < _MIN_TIMES or are_dates[0] != are_dates[1]:
        return None
    if comes_later(whole, test):
        return layout_after(column, train, test, end=whole.max())
    return layout_between(column, whole, test) if are_dates[0] else None


def is_time(train: pd.Series, test: pd.Series) -> bool:
    """Whether a column holds times that are later in test: dates, or numbers that look like times.

    Numbers are times if the column's name suggests a time, if they are seconds since 1970, or if they increase from row
    to row with several rows per number. Names of identifiers are excluded: a greater customer number is not a time.
    """
    if pd.api.types.is_numeric_dtype(train) and not is_named_after_time(train):
        # Before the quantiles below, which take ten times as long: a table may have 100,000 such columns.
        if _NAMES_OF_THINGS.search(str(train.name)):
            return False
        in_order = train.is_monotonic_increasing and train.nunique() <= len(train) / 1.15
        if not in_order and epoch_unit(train) is None:
            return False
    return comes_later(train, test)


def comes_later(train: pd.Series, test: pd.Series) -> bool:
    """Whether nearly all dates or numbers of test are at or after nearly all of train."""
    if pd.api.types.is_bool_dtype(train):
        return False
    if not pd.api.types.is_numeric_dtype(train):
        dates, later = parse_dates(train), parse_dates(test)
        if dates is None or later is None:
            return False
        train, test = dates, later
    elif not pd.api.types.is_numeric_dtype(test) or train.max() == train.min():
        return False
    end = train.quantile(1 - _OUTLIERS)
    return bool(test.quantile(_OUTLIERS) >= end and max((train < end).mean(), (test > end).mean()) >= _APART)


def _can_be_split(splitter: Splitter, train: pd.DataFrame) -> bool:
    try:
        return len(list(splitter.split(train))) > 0
    except ValueError:
        return False
