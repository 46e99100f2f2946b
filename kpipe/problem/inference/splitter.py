"""Infer how rows are split into folds."""

from __future__ import annotations

import re

import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from kpipe.core.values import Reason, Splitter, Tables
from kpipe.data.dates import is_named_after_time, parse_dates
from kpipe.features.automatic import AutomaticFeatures
from kpipe.problem.competition import Competition
from kpipe.problem.inference.step import NOTHING, Step
from kpipe.problem.splitters import ByTime

__all__ = ["comes_later", "infer_splitter", "is_time"]

_FOLDS = 5
_NAMES_OF_THINGS = re.compile(
    r"(?i)id$|id[_ ]|code|number|no$|nr$|group|user|customer|client|patient|store|shop|item|product"
)
_FIRST = 0.01  # of test may be earlier, and of train later


def infer_splitter(competition: Competition, tables: Tables) -> Step:
    """Choose a splitter that mirrors the split into train and test: by group, by time, or by row."""
    if competition.splitter is not None:
        return NOTHING
    settings = {"n_splits": _FOLDS, "shuffle": True, "random_state": 0}
    classes = competition.task == "classification" and len(competition.targets) == 1
    if competition.groups is not None:
        kind: type[Splitter] = StratifiedGroupKFold if classes else GroupKFold
        return {"splitter": kind(**settings)}, Reason(text=f"rows with the same {competition.groups} stay together")
    if (column := _time_of_test(competition, tables)) is not None:
        text = f"by {column}, test is later than train, so each fold validates rows that come after its training rows"
        found: dict[str, object] = {"splitter": ByTime(column)}
        if isinstance(competition.features, AutomaticFeatures):
            found["features"] = clone(competition.features).set_params(time=column)
        return found, Reason(text=text, guess=True)
    if classes:
        return {"splitter": StratifiedKFold(**settings)}, Reason(text="stratified by class", guess=True)
    return {"splitter": KFold(**settings)}, Reason(text="rows are assumed to be independent", guess=True)


def _time_of_test(competition: Competition, tables: Tables) -> str | None:
    """The column of dates or numbers by which nearly all of test comes after nearly all of train; or the stated one."""
    if competition.split is not None:
        return competition.split if competition.split != "rows" and competition.groups is None else None
    for name in competition.columns or ():
        if is_time(tables.train[name], tables.test[name]) and _can_be_split(tables.train, str(name)):
            return str(name)
    return None


def is_time(train: pd.Series, test: pd.Series) -> bool:
    """Whether a column holds times that are later in test: dates, numbers with a name of time, or numbers in order.

    Numbers without such a name are times where they grow from row to row and several rows share one, unless their name
    is that of an identifier: those of later customers are not later.
    """
    if not comes_later(train, test):
        return False
    if not pd.api.types.is_numeric_dtype(train) or is_named_after_time(train):
        return True
    repeats = train.nunique() <= len(train) / 1.15
    return repeats and train.is_monotonic_increasing and not _NAMES_OF_THINGS.search(str(train.name))


def comes_later(train: pd.Series, test: pd.Series) -> bool:
    """Whether nearly all dates or numbers of test are at least as great as nearly all of train."""
    if pd.api.types.is_bool_dtype(train):
        return False
    if not pd.api.types.is_numeric_dtype(train):
        dates, later = parse_dates(train), parse_dates(test)
        if dates is None or later is None:
            return False
        train, test = dates, later
    elif not pd.api.types.is_numeric_dtype(test) or train.max() == train.min():
        return False
    return bool(test.quantile(_FIRST) >= train.quantile(1 - _FIRST))


def _can_be_split(train: pd.DataFrame, column: str) -> bool:
    try:
        return len(list(ByTime(column).split(train))) > 0
    except ValueError:
        return False
