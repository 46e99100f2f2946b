"""Infer the target columns."""

from __future__ import annotations

from kpipe.core.values import Reason, Tables
from kpipe.errors import DataError
from kpipe.problem.competition import Competition, class_columns
from kpipe.problem.inference.id import submission_columns
from kpipe.problem.inference.step import NOTHING, Step

__all__ = ["infer_target"]


def infer_target(competition: Competition, tables: Tables) -> Step:
    """The columns of train that the sample submission asks for.

    Raises
    ------
    DataError
        If train lacks the stated target, or no column can be the target.
    """
    train = tables.train.columns
    wanted = submission_columns(competition, tables)
    if competition.target is not None:
        if missing := [name for name in competition.targets if name not in train]:
            raise DataError(f"train.csv lacks the target {missing[0]!r}. It has: {', '.join(map(str, train))}.")
        return NOTHING
    shared = [name for name in wanted if name in train]
    if len(shared) == 1 == len(wanted):
        return {"target": shared[0]}, Reason(text="the column that the sample submission shares with train")
    if len(shared) == len(wanted) > 1:
        return {"target": tuple(shared)}, Reason(text="the columns that the sample submission shares with train")
    only_in_train = [str(column) for column in train if column not in tables.test.columns and column != competition.id]
    empty_in_test = [str(c) for c in train if c != competition.id and _is_empty(tables, str(c))]
    for name in (*only_in_train, *empty_in_test):
        if class_columns(wanted, name, list(tables.train[name].dropna().unique())) is not None:
            return {"target": name}, Reason(text="the sample submission's columns are its classes")
    if len(only_in_train) == 1 == len(wanted):
        return {"target": only_in_train[0]}, Reason(text="the only column of train that test lacks", guess=True)
    if len(empty_in_test) == 1 == len(wanted):
        return {"target": empty_in_test[0]}, Reason(text="the only column of train that test leaves empty", guess=True)
    raise DataError(
        f"No target was found: the sample submission asks for {', '.join(wanted)}, but train.csv has "
        f"{', '.join(map(str, train))}. Name it with --target COLUMN."
    )


def _is_empty(tables: Tables, name: str) -> bool:
    """Whether test leaves a column empty that train fills."""
    return name in tables.test and bool(tables.test[name].isna().all()) and bool(tables.train[name].notna().any())
