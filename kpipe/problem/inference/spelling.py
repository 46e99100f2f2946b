"""Unify the spelling of id and target columns, and derive columns from ids that contain a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from kpipe.core.values import Tables
from kpipe.data.column_names import plain_name
from kpipe.data.dates import parse_dates
from kpipe.problem.competition import Competition
from kpipe.problem.id_template import find_template
from kpipe.problem.inference.id import shared_ids

__all__ = ["PARTS_OF_IDS", "adapt_tables", "free_name", "unify_spelling"]

_PROBED = 200  # rows of test, whose ids show whether they are built from columns
PARTS_OF_IDS = ("group", "number", "group size")  # suffixes of columns that are derived from an id


def adapt_tables(competition: Competition, tables: Tables) -> tuple[Competition, Tables]:
    """Unify the spelling of the columns, and derive columns from ids that contain a group.

    ``id`` in test and ``ACTION`` in train become the sample submission's ``Id`` and ``Action``. Ids of the form
    ``gggg_pp`` give the columns "<id> group", "<id> number" and "<id> group size" (counted over train and test).

    Parameters
    ----------
    competition : Competition
        As its author wrote it.
    tables : Tables
        Cleaned tables.

    Returns
    -------
    tuple of Competition and Tables
    """
    competition, tables = unify_spelling(competition, tables)
    return competition, _add_groups_of_ids(competition, tables)


def unify_spelling(competition: Competition, tables: Tables) -> tuple[Competition, Tables]:
    """Rename id and targets in train and test as in the sample submission."""
    names = [str(name) for name in tables.sample.columns]
    renamed_columns: dict[str, str] = {}
    frames: dict[str, pd.DataFrame] = {}
    # A name that train and test share is a feature: it is not a target in another spelling.
    features = set(tables.train.columns) & set(tables.test.columns)
    for role, frame in (("train", tables.train), ("test", tables.test)):
        renamed = _spellings(frame, names, features)
        if role == "test" and names[0] not in [*frame.columns, *renamed.values()]:
            renamed |= dict.fromkeys(_columns_with_values(frame, tables.sample[names[0]])[:1], names[0])
            if names[0] not in frames["train"]:  # train's column of the same name is the id too
                frames["train"] = frames["train"].rename(columns=renamed)
        renamed_columns |= renamed
        frames[role] = frame.rename(columns=renamed)
    if not renamed_columns:
        return competition, tables
    target = tuple(renamed_columns.get(name, name) for name in competition.targets)
    changed: Sequence[str] | str | None = target[0] if len(target) == 1 else target or None
    id = competition.id and renamed_columns.get(competition.id, competition.id)
    return replace(competition, id=id, target=changed), replace(tables, train=frames["train"], test=frames["test"])


def _spellings(frame: pd.DataFrame, names: Sequence[str], features: set[str]) -> dict[str, str]:
    """Map a column to the one name that differs from it only in case, blanks and underscores."""
    taken, by_plain_name = set(names), dict[str, list[str]]()
    for column in frame.columns:  # each once: a table may have 100,000 columns, and a sample submission hundreds
        if column not in taken:
            by_plain_name.setdefault(plain_name(column), []).append(column)
    found = {}
    for name in names:
        close = by_plain_name.get(plain_name(name), [])
        close = close if name == names[0] else [column for column in close if column not in features]
        if len(close) == 1 and name not in frame.columns:
            found[close[0]] = name
    return found


def _columns_with_values(frame: pd.DataFrame, ids: pd.Series) -> list[str]:
    """Columns of a frame that hold exactly the ids of the sample submission."""
    wanted = set(ids.astype(str))
    return [c for c in frame.columns if frame[c].nunique() == len(wanted) and set(frame[c].astype(str)) == wanted]


def _add_groups_of_ids(competition: Competition, tables: Tables) -> Tables:
    id = competition.id or next(iter(shared_ids(tables)), None)
    stated = competition.columns is not None or competition.groups is not None or competition.models is not None
    if stated or id is None or tables.id_parts or any(id not in frame.columns for frame in (tables.train, tables.test)):
        return tables
    if parse_dates(tables.train[id]) is not None:
        return tables
    parts = [frame[id].astype(str).str.extract(r"^(.*\w)[_-](\d{1,4})$") for frame in (tables.train, tables.test)]
    if any(part.isna().any(axis=None) for part in parts):
        return tables
    sizes = pd.concat([part[0] for part in parts]).value_counts()
    if not 1.05 < sizes.mean() < len(tables.train) / 10 or _is_built_from_columns(tables.test, id):
        return tables
    group, number, size = (free_name(f"{id} {part}", tables) for part in PARTS_OF_IDS)
    frames = [
        frame.assign(**{group: part[0], number: part[1].astype(int), size: part[0].map(sizes)})
        for frame, part in zip((tables.train, tables.test), parts, strict=True)
    ]
    return replace(tables, train=frames[0], test=frames[1])


def _is_built_from_columns(test: pd.DataFrame, id: str) -> bool:
    """Whether ids repeat what other columns say, such as store and date, so that they hold no group of their own."""
    first = test.head(_PROBED)
    return find_template(first.drop(columns=id), first[id]) is not None


def free_name(name: str, tables: Tables) -> str:
    """A name for a derived column that no column of the files has.

    Parameters
    ----------
    name : str
        The name that it has if that is free.
    tables : Tables

    Returns
    -------
    str
    """
    while name in tables.train.columns or name in tables.test.columns:
        name += " (derived)"
    return name
