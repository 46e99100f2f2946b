"""Infer how rows are split into folds."""

from __future__ import annotations

import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from kpipe.core.values import Reason, Splitter, Tables
from kpipe.data.dates import is_named_after_time, parse_dates
from kpipe.problem.competition import Competition
from kpipe.problem.inference.step import NOTHING, Step
from kpipe.problem.splitters import ByTime

__all__ = ["infer_splitter", "is_later"]

_FOLDS = 5


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
        return {"splitter": ByTime(column)}, Reason(text=text, guess=True)
    if classes:
        return {"splitter": StratifiedKFold(**settings)}, Reason(text="stratified by class", guess=True)
    return {"splitter": KFold(**settings)}, Reason(text="rows are assumed to be independent", guess=True)


def _time_of_test(competition: Competition, tables: Tables) -> str | None:
    """The column of dates by which nearly all of test comes after nearly all of train; or the stated one."""
    if competition.split is not None:
        return competition.split if competition.split != "rows" and competition.groups is None else None
    for name in competition.columns or ():
        train, test = parse_dates(tables.train[name]), parse_dates(tables.test[name])
        dated = train is not None and test is not None and test.quantile(0.01) >= train.quantile(0.99)
        if (dated or is_later(tables.train[name], tables.test[name])) and _can_be_split(tables.train, str(name)):
            return str(name)
    return None


def is_later(train: pd.Series, test: pd.Series) -> bool:
    """Whether a column of whole numbers is named after a time, and all its values in test are greater than in train."""
    whole = pd.api.types.is_integer_dtype(train) and pd.api.types.is_integer_dtype(test)
    return whole and is_named_after_time(train) and bool(test.min() > train.max())


def _can_be_split(train: pd.DataFrame, column: str) -> bool:
    try:
        return len(list(ByTime(column).split(train))) > 0
    except ValueError:
        return False
