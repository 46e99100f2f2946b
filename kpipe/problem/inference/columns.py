"""Infer the columns that models may use."""

from __future__ import annotations

from collections.abc import Hashable, Sequence, Set

import pandas as pd

from kpipe.core.values import Reason, Tables
from kpipe.core.wording import listed, missing_column_message
from kpipe.data.column_types import counts_rows, is_free_text
from kpipe.data.dates import parse_dates
from kpipe.data.pixels import FILE_COLUMNS
from kpipe.errors import DataError
from kpipe.features.automatic import AutomaticFeatures
from kpipe.problem.competition import Competition
from kpipe.problem.inference.step import NOTHING, Step

__all__ = ["infer_columns", "left_out_columns"]


def infer_columns(competition: Competition, tables: Tables, pictures: Sequence[str] = ()) -> Step:
    """Every column that train and test share, except id, groups, targets, dropped columns and row numbers.

    The columns of ``pictures`` are not in the tables; they come last.

    Raises
    ------
    DataError
        If a stated column is missing from a file, or no column is left.
    """
    if unknown := [name for name in competition.drop if name not in tables.train.columns]:
        raise DataError(
            missing_column_message("train.csv", "the column to drop,", unknown[0], tables.train.columns),
            code="missing-column",
            file="train.csv",
            column=unknown[0],
        )
    if competition.columns is not None:
        return _stated_columns(competition, tables, {*pictures})
    excluded = {competition.id, *competition.targets, *competition.drop}
    if not (isinstance(competition.features, AutomaticFeatures) and competition.features.groups == competition.groups):
        excluded.add(competition.groups)
    shared = [c for c in tables.train.columns if c in tables.test.columns and c not in excluded]
    row_numbers = [c for c in shared if _is_row_number(tables.train[c])]
    columns = [c for c in shared if c not in row_numbers]
    kind = _kind_of_id(competition, tables)
    if kind:
        columns = [str(competition.id), *columns]
    if not columns and not pictures:
        raise DataError("train.csv and test.csv share no column to learn from, besides the id.", code="no-features")
    lacking = [c for c in tables.train.columns if c not in tables.test.columns and c not in competition.targets]
    text = "the columns that train and test share" if columns else "the pictures"
    text += " and the pictures" if columns and pictures else ""
    text += f", except row numbers ({listed(row_numbers)})" if row_numbers else ""
    text += f"; the id is a {kind}, so it is a feature too" if kind else ""
    text += f"; test lacks {listed(lacking)}" if lacking else ""
    return {"columns": (*columns, *pictures)}, Reason(text=text, guess=bool(lacking))


def _kind_of_id(competition: Competition, tables: Tables) -> str:
    """What models can learn from the id itself: "date" or "text"; empty if it only identifies rows."""
    if any(competition.id not in frame.columns for frame in (tables.train, tables.test)):
        return ""
    ids = tables.train[competition.id]
    return "date" if parse_dates(ids) is not None else "text" if not tables.id_parts and is_free_text(ids) else ""


def left_out_columns(competition: Competition, tables: Tables) -> dict[str, str]:
    """Return the columns that models do not use, with the reasons.

    Parameters
    ----------
    competition : Competition
        With every field inferred.
    tables : Tables

    Returns
    -------
    dict of str to str
        Name → a clause such as "test.csv lacks it".
    """
    train, test = tables.train, tables.test
    columns = list(competition.columns or ())
    known = {*columns, competition.id, *competition.targets}
    reasons = {str(name): _why_left_out(competition, tables, name) for name in train.columns if name not in known}
    known |= {*train.columns}
    reasons |= {str(name): "train.csv lacks it" for name in test.columns if name not in known}
    if isinstance(competition.features, AutomaticFeatures):
        reasons |= {str(name): why for name, why in competition.features.left_out(train[columns]).items()}
    return reasons


def _why_left_out(competition: Competition, tables: Tables, name: Hashable) -> str:
    if name in FILE_COLUMNS:
        return "it describes the file of a picture, and not what it shows"
    if name in competition.drop:
        return "--drop names it"
    if name not in tables.test.columns:
        return "test.csv lacks it"
    if name == competition.groups:
        return "its values are groups, which are new in test: keep it with --split rows"
    return "it counts the rows" if _is_row_number(tables.train[name]) else "the competition's columns do not name it"


def _stated_columns(competition: Competition, tables: Tables, pictures: Set[str]) -> Step:
    columns = competition.columns or ()
    for name, frame in (("train", tables.train), ("test", tables.test)):
        missing = [column for column in columns if column not in frame.columns and column not in pictures]
        if missing:
            raise DataError(
                f"{name}.csv lacks the feature column{'s' * (len(missing) > 1)} {listed(map(repr, missing))}, "
                f"which {competition.slug} trains on.",
                code="missing-column",
                file=f"{name}.csv",
                column=missing[0],
            )
    if not competition.drop:
        return NOTHING
    return {"columns": tuple(column for column in columns if column not in competition.drop)}, None


def _is_row_number(column: pd.Series) -> bool:
    """Whether a column numbers the rows. It is decided on the whole table: the rows of a fold do not show it."""
    return pd.api.types.is_integer_dtype(column) and len(column) > 2 and counts_rows(column)
