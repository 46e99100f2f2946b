"""Join further tables of a competition: ``stores.csv`` by its ``store_nbr``, a pair of tables to train and to test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from kpipe.core.values import Tables
from kpipe.core.wording import listed
from kpipe.data.column_names import match_names
from kpipe.data.further_tables import FurtherTables
from kpipe.errors import DataError
from kpipe.problem.competition import Competition, unchanged
from kpipe.problem.inference.text_columns import handles_columns_itself

__all__ = ["join_side_tables"]

_MOST_KEYS = 3  # columns that together identify the rows of a table, such as store and date
_MOST_FILES = 12  # whose headers are read; more files are hardly tables of one competition
_LEAST_KNOWN = 0.05  # of the rows of train and of test must have a row in the table
_MAX_RATIO = 2.0  # of these two shares; if it is larger, the table may describe train or test alone


class _Side(NamedTuple):
    """A table for train and one for test (often the same), and the columns that identify its rows."""

    train: str
    test: str
    keys: list[str]


def join_side_tables(competition: Competition, files: Tables) -> Tables:
    """Add the columns of further tables whose rows are identified by columns of train and test.

    A table is joined if the columns that it shares with train and test (three at most) are unique in it together and
    repeat in train, and if it has rows for similar shares of train's and of test's rows. Of a pair such as
    ``train_identity`` and ``test_identity``, each is joined to its side, also by the id.

    Parameters
    ----------
    competition : Competition
        As its author wrote it. Nothing is joined if its own code handles columns.
    files : Tables
        The tables as they are in the files.

    Returns
    -------
    Tables
        With a note on each joined table; the same object if there is none.
    """
    if (
        not isinstance(files.others, FurtherTables)
        or competition.clean is not unchanged
        or handles_columns_itself(competition)
    ):
        return files
    for side in list(_sides(files, files.others)):
        try:
            files = _join(files, side)
        except DataError:  # an unreadable file is not a table of the competition
            continue
    return files


def _sides(files: Tables, others: FurtherTables) -> Iterator[_Side]:
    """Yield the tables that may be joined, by their headers."""
    names = list(others)[:_MOST_FILES]
    shared = set(files.train.columns) & set(files.test.columns)
    for name in names:
        partner = name.replace("train", "test")
        if "test" in name and name.replace("test", "train") in names:
            continue
        keys = [column for column in others.header(name) if column in shared]
        if not 1 <= len(keys) <= _MOST_KEYS:
            continue
        if partner != name and partner in names:
            yield _Side(name, partner, keys)
        elif files.train.duplicated(keys).any():
            yield _Side(name, name, keys)


def _join(files: Tables, side: _Side) -> Tables:
    train, test = files.others[side.train], files.others[side.test]
    test = test.rename(columns=match_names([*test.columns], [*train.columns]))
    taken = {*files.train.columns, *files.test.columns, *files.sample.columns}
    new = [name for name in train.columns if name in test.columns and name not in taken]
    if not new or not set(side.keys) <= set(test.columns):
        return files
    frames = [(files.train, train), (files.test, test)]
    if not all(_can_be_joined(frame[side.keys], table[side.keys]) for frame, table in frames):
        return files
    shares = [float(_index(frame, side.keys).isin(_index(table, side.keys)).mean()) for frame, table in frames]
    if min(shares) < _LEAST_KNOWN or max(shares) > _MAX_RATIO * min(shares):
        return files
    joined = _alike(*(_rows(table[[*side.keys, *new]], frame, side.keys) for frame, table in frames))
    changed = [pd.concat([frame, columns], axis=1) for (frame, _), columns in zip(frames, joined, strict=True)]
    known = "" if min(shares) == 1 else f" (for {shares[0]:.0%} of train's rows and {shares[1]:.0%} of test's)"
    both = side.train if side.train == side.test else f"{side.train} and {side.test}"
    by = " and ".join(side.keys)
    note = f"{both}: joined by {by}{known}: {listed(new)}. To leave out a column: --drop COLUMN."
    return replace(files, train=changed[0], test=changed[1]).with_notes(note)


def _can_be_joined(values: pd.DataFrame, keys: pd.DataFrame) -> bool:
    """Whether keys are unique together, and have the types of the values that refer to them."""
    kinds = (pd.api.types.is_integer_dtype, pd.api.types.is_string_dtype, pd.api.types.is_bool_dtype)
    alike = all(any(kind(values[name]) and kind(keys[name]) for kind in kinds) for name in keys)
    return alike and not keys.duplicated().any()


def _index(frame: pd.DataFrame, keys: Sequence[str]) -> pd.Index:
    return pd.Index(frame[keys[0]]) if len(keys) == 1 else pd.MultiIndex.from_frame(frame[list(keys)])


def _rows(table: pd.DataFrame, frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """(n, further columns) the row of the table for each row of train or test; missing where there is none."""
    columns = table.drop(columns=list(keys)).set_axis(_index(table, keys), axis=0)
    flags = [str(name) for name in columns if pd.api.types.is_bool_dtype(columns[name].dtype)]
    columns = columns.assign(**{name: columns[name].astype("int64") for name in flags})  # bool cannot hold NaN
    return columns.reindex(_index(frame, keys)).set_axis(frame.index, axis=0)


def _alike(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables with equal dtypes; a column that is not numeric in one of them becomes text in both."""
    for name in train.columns:
        if train[name].dtype != test[name].dtype:
            both = train[name], test[name]
            numeric = all(map(pd.api.types.is_numeric_dtype, both))
            alike = [one.astype("float64") if numeric else one.astype("str") for one in both]
            train, test = train.assign(**{name: alike[0]}), test.assign(**{name: alike[1]})
    return train, test
