"""Join further tables of a competition: ``stores.csv`` by its ``store_nbr``, a pair of tables to train and to test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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

__all__ = ["join_side_tables", "notes_on_own_clean"]

_MAX_KEYS = 3  # columns that together identify the rows of a table, such as store and date
_MAX_FILES = 12  # whose headers are read; more files are hardly tables of one competition
_LEAST_KNOWN = 0.05  # of the rows of train and of test must have a row in the table
_MAX_NOTES = 3  # on tables that are not joined
_MAX_RATIO = 2.0  # of these two shares; if it is larger, the table may describe train or test alone


class _Side(NamedTuple):
    """A table for train and one for test (often the same), and the columns that identify its rows."""

    train: str
    test: str
    keys: list[str]

    @property
    def name(self) -> str:
        return self.train if self.train == self.test else f"{self.train} and {self.test}"


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
        With a note on each table that was joined, or was not although it shares columns with train and test.
    """
    if (
        not isinstance(files.others, FurtherTables)
        or competition.clean is not unchanged
        or handles_columns_itself(competition)
    ):
        return files
    refused: dict[str, str] = {}
    for side in list(_sides(files, files.others)):
        try:
            files, why = _join(files, side)
        except DataError:  # an unreadable file is not a table of the competition
            continue
        if why:
            refused[side.name] = why
    return files.with_notes(*_notes_on(refused, competition.slug)) if refused else files


def notes_on_own_clean(competition: Competition, files: Tables, cleaned: Tables) -> tuple[str, ...]:
    """Return notes on further tables that kpipe may have joined if the competition had no ``clean``.

    Parameters
    ----------
    competition : Competition
        As its author wrote it.
    files, cleaned : Tables
        Before and after ``clean``.

    Returns
    -------
    tuple of str
        Empty without a ``clean``, and for tables that it has read.
    """
    if not isinstance(files.others, FurtherTables) or competition.clean is unchanged:
        return ()
    others, notes = files.others, []
    for side in _sides(files, others):
        new = set(others.header(side.train)) - set(side.keys)
        used = others.was_read(side.train) or new & set(cleaned.train.columns)
        if not used and not _why_not_by(files, side):
            where = " and ".join(f"tables.others[{name!r}]" for name in dict.fromkeys((side.train, side.test)))
            notes.append(
                f"{side.name}: not joined, because this competition has a clean of its own, which does not read it. "
                f"To use it, join it there: {where}."
            )
    return tuple(notes[:_MAX_NOTES])


def _sides(files: Tables, others: FurtherTables) -> Iterator[_Side]:
    """Yield the tables that share columns with train and test, and have others, by their headers."""
    names = list(others)[:_MAX_FILES]
    shared = set(files.train.columns) & set(files.test.columns)
    known = {*files.train.columns, *files.test.columns, *files.sample.columns}
    for name in names:
        partner = name.replace("train", "test")
        if "test" in name and name.replace("test", "train") in names:
            continue
        header = others.header(name)
        keys = [column for column in header if column in shared]
        if keys and not known.issuperset(header):
            yield _Side(name, partner if partner in names else name, keys)


def _join(files: Tables, side: _Side) -> tuple[Tables, str]:
    """The tables with the columns of a further table, and why it was not joined; "" if it was, or adds nothing."""
    if why := _why_not_by(files, side):
        return files, why
    train, test = files.others[side.train], files.others[side.test]
    test = test.rename(columns=match_names([*test.columns], [*train.columns]))
    taken = {*files.train.columns, *files.test.columns, *files.sample.columns}
    new = [name for name in train.columns if name in test.columns and name not in taken]
    if not new or not set(side.keys) <= set(test.columns):
        return files, ""
    frames = [(files.train, train), (files.test, test)]
    if why := next(filter(None, (_why_no_keys(frame[side.keys], table[side.keys]) for frame, table in frames)), ""):
        return files, why
    shares = [float(_index(frame, side.keys).isin(_index(table, side.keys)).mean()) for frame, table in frames]
    known = f"for {shares[0]:.0%} of train's rows and {shares[1]:.0%} of test's"
    if min(shares) < _LEAST_KNOWN or max(shares) > _MAX_RATIO * min(shares):
        return files, f"it has rows {known}"
    joined = _alike(*(_rows(table[[*side.keys, *new]], frame, side.keys) for frame, table in frames))
    changed = [pd.concat([frame, columns], axis=1) for (frame, _), columns in zip(frames, joined, strict=True)]
    by, some = " and ".join(side.keys), "" if min(shares) == 1 else f" ({known})"
    note = f"{side.name}: joined by {by}{some}: {listed(new)}. To leave out a column: --drop COLUMN."
    return replace(files, train=changed[0], test=changed[1]).with_notes(note), ""


def _why_not_by(files: Tables, side: _Side) -> str:
    """Why the columns that a table shares with train and test cannot be its key; "" if they may be."""
    if len(side.keys) > _MAX_KEYS:
        return f"it shares {len(side.keys)} columns with train and test, and a key has {_MAX_KEYS} at most"
    if side.train == side.test and not files.train.duplicated(side.keys).any():
        return f"no two rows of train have the same {' and '.join(side.keys)}"
    return ""


def _why_no_keys(values: pd.DataFrame, keys: pd.DataFrame) -> str:
    """Why rows of a table cannot be found by its keys: repeated ones, or of other types than the values; else ""."""
    kinds = (pd.api.types.is_integer_dtype, pd.api.types.is_string_dtype, pd.api.types.is_bool_dtype)
    unlike = [str(name) for name in keys if not any(kind(values[name]) and kind(keys[name]) for kind in kinds)]
    if unlike:
        return f"{unlike[0]} does not hold whole numbers, or text, in both"
    if repeated := int(keys.duplicated(keep=False).sum()):
        return f"{repeated:,} of its {len(keys):,} rows have the same {' and '.join(map(str, keys))} as another row"
    return ""


def _notes_on(refused: Mapping[str, str], slug: str) -> Iterator[str]:
    """Notes on the tables that were not joined, and why."""
    how = f"To use it, join it in clean (for a module with clean: kpipe new {slug})."
    for name, why in list(refused.items())[:_MAX_NOTES]:
        yield f"{name}: not joined, because {why}. {how}"
    if further := list(refused)[_MAX_NOTES:]:
        yield f"Nor are these tables joined: {listed(further)}."


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
