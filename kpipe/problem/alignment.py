"""Align the rows of train, test and the sample submission before anything is inferred from them.

Ids that are built from columns or formatted differently are matched, a stub of a sample submission is extended, and
rows of train without a target are removed. The notes of the source mention each change.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.core.values import Tables
from kpipe.core.wording import listed
from kpipe.data.missing_words import CATEGORY_WORDS
from kpipe.errors import DataError
from kpipe.problem.categories import unify_categories
from kpipe.problem.competition import Competition, unchanged
from kpipe.problem.id_template import find_template
from kpipe.problem.inference.id import infer_id
from kpipe.problem.inference.spelling import unify_spelling
from kpipe.problem.joined_ids import join_id_columns
from kpipe.problem.pixel_columns import with_pixels, with_row_numbers, without_pixels
from kpipe.problem.unknown_targets import drop_rows_without_target

__all__ = ["align_rows"]

_MAX_STUB = 0.5  # of test's rows: a sample submission with more rows is incomplete, not a stub
_MAX_STUB_ROWS = 10  # of a stub whose ids are not in test
_MAX_NOTES = 5  # columns that get a note of their own about words that may mean a missing value


def align_rows(competition: Competition, files: Tables) -> Tables:
    """Match the ids of test and the sample submission, and drop rows of train without a target.

    Parameters
    ----------
    competition : Competition
        As its author wrote it.
    files : Tables
        The tables as they are in the files.

    Returns
    -------
    Tables
        The same object if nothing has to change; else with a note on each change in ``source``.
    """
    whole, files = files, without_pixels(files)
    has_pixels = files is not whole
    files, has_id = _align_ids(competition, _with_notes_on_words(files))
    if has_id:
        files = drop_rows_without_target(competition, with_row_numbers(files) if has_pixels else files)
    return with_pixels(files, whole) if has_pixels else files


def _align_ids(competition: Competition, files: Tables) -> tuple[Tables, bool]:
    """The tables with matched ids and categories, and whether there is an id."""
    if competition.clean is unchanged:  # a module's own clean gets the text unchanged
        files, notes = unify_categories(files)
        files = files.with_notes(*notes) if notes else files
    try:
        files = _with_one_id(competition, files)
        spelled, tables = unify_spelling(competition, files)
        changes, _ = infer_id(spelled, tables)
    except DataError:  # inference will refuse these tables with the reason, unless clean adds what they lack
        return files, False
    id = str(spelled.id or changes["id"])
    files = _match_ids(files, tables, id)
    return _extend_stub(files, unify_spelling(competition, files)[1], id=id), True


def _with_notes_on_words(files: Tables) -> Tables:
    """Add notes on columns with a category such as "None", which usually means a missing value."""
    notes, words = [], pa.array(CATEGORY_WORDS)
    for name in files.train.columns:
        if pd.api.types.is_string_dtype(files.train[name]):
            values = files.train[name]
            if pc.any(pc.is_in(pa.array(values, pa.string(), from_pandas=True), words)).as_py():
                rows = values.isin(CATEGORY_WORDS)
                word = values[rows].iloc[0]
                notes.append(
                    f"{name!r}: {word!r} is a category ({int(rows.sum()):,} rows of train.csv), not a missing value. "
                    "If it means missing, empty these cells."
                )
    if len(notes) > _MAX_NOTES:
        notes[_MAX_NOTES:] = [f"{len(notes) - _MAX_NOTES:,} more columns have such a category."]
    return files.with_notes(*notes) if notes else files


def _with_one_id(competition: Competition, files: Tables) -> Tables:
    """The tables with one id instead of several columns that identify rows in combination."""
    spelled, tables = unify_spelling(competition, files)
    joined = join_id_columns(files, tables, spelled.id)
    if joined is files:
        return files
    parts = listed(joined.id_parts)
    return joined.with_notes(
        f"{parts} together identify the rows of test.csv and of the sample submission: rows are matched by all of "
        f"them, joined into the id {joined.sample.columns[0]!r}. The submission has the sample's columns.",
    )


def _match_ids(files: Tables, tables: Tables, id: str) -> Tables:
    """The tables with ids formatted as in the sample submission, if a template of test's columns builds them."""
    wanted = tables.sample[id]
    if id in tables.test and (_is_within(wanted, tables.test[id]) or _is_within(tables.test[id], wanted)):
        return files
    if id not in tables.test and _counts_rows(wanted):
        return files
    template = find_template(files.test, wanted)
    if template is None:
        if id in tables.test or len(wanted) != len(files.test):
            return files  # the rehearsal refuses it
        return files.with_notes(
            f"Rows of test.csv and of the sample submission are matched by position: no column of test.csv holds the "
            f"ids of {id!r}, such as {wanted.iloc[0]}. If test.csv has them, name the column with --id.",
        )
    test, train = template.build(files.test), template.build(files.train)
    changed = replace(files, test=_with_ids(files.test, tables.test, id, test))
    if train is not None and (id in files.train or train.is_unique):
        changed = replace(changed, train=_with_ids(files.train, tables.train, id, train))
    changed = replace(changed, sample=files.sample.assign(**{id: wanted.astype(str)}))
    return changed.with_notes(f"The sample submission's {id!r} is matched with test.csv as {template}.")


def _with_ids(frame: pd.DataFrame, spelled: pd.DataFrame, id: str, ids: pd.Series | None) -> pd.DataFrame:
    """A file's table with new ids, under the file's own name for the id."""
    name = frame.columns[list(spelled.columns).index(id)] if id in spelled else id
    return frame.assign(**{str(name): ids})


def _is_within(ids: pd.Series, others: pd.Series) -> bool:
    return bool(ids.isin(others).all())


def _counts_rows(ids: pd.Series) -> bool:
    """Whether ids count up by one: such ids contain nothing but the position."""
    numbers = pd.to_numeric(ids, errors="coerce")
    return bool((numbers.diff().iloc[1:] == 1).all())


def _extend_stub(files: Tables, tables: Tables, *, id: str) -> Tables:
    """The sample submission extended to a row for each row of test, if it is a stub that shows only a few of them."""
    sample, test = tables.sample, tables.test
    if id not in test or len(sample) > _MAX_STUB * len(test) or not test[id].is_unique:
        return files
    shown = f"shows {len(sample)} of the {len(test)} ids of test.csv"
    if not _is_within(sample[id], test[id]):
        if len(sample) > _MAX_STUB_ROWS or sample[id].isin(test[id]).any():
            return files
        shown = f"has {len(sample)} rows, whose ids are not those of test.csv"
    rows = np.arange(len(test)) % len(sample)
    extended = files.sample.iloc[rows].reset_index(drop=True).assign(**{id: test[id].to_numpy()})
    for name in extended.columns:
        if name != id and name in test.columns and (name in files.id_parts or name not in tables.train.columns):
            extended[name] = test[name].to_numpy()
    return replace(files, sample=extended).with_notes(
        f"The sample submission is a stub: it {shown}. The submission has a row for each row of test.csv.",
    )
