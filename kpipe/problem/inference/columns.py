"""Infer the columns that models may see."""

from __future__ import annotations

import pandas as pd

from kpipe.core.values import Reason, Tables
from kpipe.data.dates import parse_dates
from kpipe.errors import DataError
from kpipe.problem.competition import Competition
from kpipe.problem.inference.step import NOTHING, Step

__all__ = ["infer_columns"]


def infer_columns(competition: Competition, tables: Tables) -> Step:
    """Every column that train and test share, except id, groups, targets, dropped columns and row numbers.

    Raises
    ------
    DataError
        If a stated column is missing from a file, or no column is left.
    """
    if competition.columns is not None:
        return _stated(competition, tables)
    if unknown := [name for name in competition.drop if name not in tables.train.columns]:
        raise DataError(
            f"train.csv lacks the column {unknown[0]!r}, which is to be dropped. "
            f"It has: {', '.join(tables.train.columns)}."
        )
    excluded = {competition.id, competition.groups, *competition.targets, *competition.drop}
    shared = [c for c in tables.train.columns if c in tables.test.columns and c not in excluded]
    row_numbers = [c for c in shared if _is_row_number(tables.train[c])]
    columns = [c for c in shared if c not in row_numbers]
    dated = competition.id in tables.train.columns and parse_dates(tables.train[competition.id]) is not None
    if dated and competition.id in tables.test.columns:
        columns = [str(competition.id), *columns]
    if not columns:
        raise DataError("train.csv and test.csv share no column to learn from, besides the id.")
    lacking = [c for c in tables.train.columns if c not in tables.test.columns and c not in competition.targets]
    text = "the columns that train and test share"
    text += f", except row numbers ({', '.join(row_numbers)})" if row_numbers else ""
    text += "; the id is a date, so it is a feature too" if dated else ""
    text += f"; test lacks {', '.join(map(str, lacking))}" if lacking else ""
    return {"columns": tuple(columns)}, Reason(text=text, guess=bool(lacking))


def _stated(competition: Competition, tables: Tables) -> Step:
    columns = competition.columns or ()
    for name, frame in (("train", tables.train), ("test", tables.test)):
        missing = [column for column in columns if column not in frame.columns]
        if missing:
            raise DataError(
                f"{name}.csv lacks the feature column{'s' * (len(missing) > 1)} {', '.join(map(repr, missing))}, "
                f"which {competition.slug} trains on."
            )
    if not competition.drop:
        return NOTHING
    return {"columns": tuple(column for column in columns if column not in competition.drop)}, None


def _is_row_number(column: pd.Series) -> bool:
    """Whether a column numbers the rows. A sample of rows would not show this: it is decided before folds are made."""
    return pd.api.types.is_integer_dtype(column) and len(column) > 2 and bool((column.diff().iloc[1:] == 1).all())
