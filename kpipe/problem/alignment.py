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
from kpipe.problem.competition import Competition, unchanged
from kpipe.problem.id_template import find_template
from kpipe.problem.inference.id import infer_id
from kpipe.problem.inference.spelling import unify_spelling
from kpipe.problem.inference.target import infer_target
from kpipe.problem.joined_ids import join_id_columns
from kpipe.problem.levels import unify_levels
from kpipe.problem.pixels_apart import numbered, with_pixels, without_pixels
from kpipe.problem.target_labels import labels_to_unify

__all__ = ["align_rows"]

_MAX_STUB = 0.5  # of test's rows: a sample submission with more rows is incomplete, not a stub
_MOST_STUB_ROWS = 10  # of a stub whose ids are not in test
_CODES = (-99, -999, -9999, -99999, -999999)  # often used for a missing number
_MIN_REPEATS, _MIN_VALUES = 2, 20  # rows with such a code, and distinct values in other rows
_MOST_NOTES = 5  # columns that get a note of their own about words that may mean a missing value


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
        files = _drop_rows_without_target(competition, numbered(files) if has_pixels else files)
    return with_pixels(files, whole) if has_pixels else files


def _align_ids(competition: Competition, files: Tables) -> tuple[Tables, bool]:
    """The tables with matched ids and categories, and whether there is an id."""
    if competition.clean is unchanged:  # a module's own clean gets the text unchanged
        files, notes = unify_levels(files)
        for note in notes:
            files = _with_note(files, note)
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
                count = values.isin(CATEGORY_WORDS)
                word = values[count].iloc[0]
                notes.append(
                    f"{name!r}: {word!r} is a category ({int(count.sum()):,} rows of train.csv), not a missing value. "
                    f"If it means missing, empty these cells."
                )
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES:] = [f"{len(notes) - _MOST_NOTES:,} more columns have such a category."]
    for note in notes:
        files = _with_note(files, note)
    return files


def _with_one_id(competition: Competition, files: Tables) -> Tables:
    """The tables with one id instead of several columns that identify rows in combination."""
    spelled, tables = unify_spelling(competition, files)
    joined = join_id_columns(files, tables, spelled.id)
    if joined is files:
        return files
    parts = listed(joined.id_parts)
    return _with_note(
        joined,
        f"{parts} together identify the rows of test.csv and of the sample submission: rows are matched by all of "
        f"them, joined to the id {joined.sample.columns[0]!r}. The submission has the sample's columns.",
    )


def _match_ids(files: Tables, tables: Tables, id: str) -> Tables:
    """Test with ids formatted as in the sample submission, if a template of test's columns gives them."""
    wanted = tables.sample[id]
    if id in tables.test and (_is_within(wanted, tables.test[id]) or _is_within(tables.test[id], wanted)):
        return files
    if id not in tables.test and _counts_rows(wanted):
        return files
    template = find_template(files.test, wanted)
    if template is None:
        if id in tables.test or len(wanted) != len(files.test):
            return files  # the rehearsal refuses it
        return _with_note(
            files,
            f"Rows of test.csv and of the sample submission are matched by position: no column of test.csv holds the "
            f"ids of {id!r}, such as {wanted.iloc[0]}. If test.csv has them, name the column with --id.",
        )
    test, train = template.build(files.test), template.build(files.train)
    changed = replace(files, test=_with_ids(files.test, tables.test, id, test))
    if train is not None and (id in files.train or train.is_unique):
        changed = replace(changed, train=_with_ids(files.train, tables.train, id, train))
    changed = replace(changed, sample=files.sample.assign(**{id: wanted.astype(str)}))
    return _with_note(changed, f"The sample submission's {id!r} is matched with test.csv as {template}.")


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
        if len(sample) > _MOST_STUB_ROWS or sample[id].isin(test[id]).any():
            return files
        shown = f"has {len(sample)} rows, whose ids are not those of test.csv"
    rows = np.arange(len(test)) % len(sample)
    extended = files.sample.iloc[rows].reset_index(drop=True).assign(**{id: test[id].to_numpy()})
    for name in extended.columns:
        if name != id and name in test.columns and (name in files.id_parts or name not in tables.train.columns):
            extended[name] = test[name].to_numpy()
    return _with_note(
        replace(files, sample=extended),
        f"The sample submission is a stub: it {shown}. The submission has a row for each row of test.csv.",
    )


def _drop_rows_without_target(competition: Competition, files: Tables) -> Tables:
    """Train without rows in which no target is known, unless the competition's own clean may fill it."""
    if competition.clean is not unchanged:
        return files
    spelled, tables = unify_spelling(competition, files)
    try:
        spelled = replace(spelled, **infer_id(spelled, tables)[0])  # type: ignore[arg-type]  # one field a step
        spelled = replace(spelled, **infer_target(spelled, tables)[0])  # type: ignore[arg-type]
    except DataError:
        return files
    targets = [name for name in spelled.targets if name in tables.train]
    if len(targets) == 1 and targets[0] not in competition.text:
        files, tables = _with_unified_labels(files, tables, targets[0], id=str(spelled.id))
    if len(targets) == 1 and (code := _code_of_missing(tables.train[targets[0]])) is not None:
        return _without_code(files, tables, targets[0], code)
    unknown = tables.train[targets].isna().all(axis=1).to_numpy()
    if not unknown.any() or unknown.all():
        return files
    rows = np.flatnonzero(unknown)
    if len(targets) == 1 and tables.train[targets[0]].nunique() == 1:
        raise DataError(
            f"train.csv: the target {targets[0]!r} is missing in {len(rows)} of {len(unknown)} rows, first in row "
            f"{rows[0] + 1}, and {tables.train[targets[0]].dropna().iloc[0]} in all others. If a word such as NA is a "
            f"class, read the column as text: --text {targets[0]}.",
            code="target-missing",
            file="train.csv",
            column=targets[0],
            row=int(rows[0]) + 1,
        )
    train = files.train.loc[~unknown].reset_index(drop=True)
    names = dict(zip(files.train.columns, tables.train.columns, strict=True))
    train = train.assign(**{old: _whole(train[old]) for old, new in names.items() if new in targets})
    these = f"the target {targets[0]!r} is" if len(targets) == 1 else "all targets are"
    places = ", ".join(str(row + 1) for row in rows[:3]) + ", ..." * (len(rows) > 3)
    return _with_note(
        replace(files, train=train, extra=files.extra - int(unknown[len(unknown) - files.extra :].sum())),
        f"{len(rows)} of {len(unknown)} rows of train.csv are left out because {these} missing "
        f"(row{'s' * (len(rows) > 1)} {places}).",
    )


def _with_unified_labels(files: Tables, tables: Tables, target: str, *, id: str) -> tuple[Tables, Tables]:
    """Both tables with a single spelling of each label of the target."""
    spelled = labels_to_unify(tables.train[target], tables.sample.drop(columns=id, errors="ignore"))
    if not spelled:
        return files, tables
    name = str(files.train.columns[list(tables.train.columns).index(target)])
    train = files.train.assign(**{name: files.train[name].replace(dict(spelled))})
    shown = ", ".join(f"{old!r} as {new!r}" for old, new in list(spelled.items())[:3]) + ", ..." * (len(spelled) > 3)
    note = (
        f"The target {target!r} has labels that mean the same: {shown}. To keep each as a class of its own: "
        f"--text {target}."
    )
    changed = tables.train.assign(**{target: tables.train[target].replace(dict(spelled))})
    return _with_note(replace(files, train=train), note), replace(tables, train=changed)


def _code_of_missing(column: pd.Series) -> int | None:
    """A number such as -999 that repeats, far below many other distinct values."""
    if column.dtype.kind not in "if":
        return None
    for code in _CODES:
        others = column[(column != code) & column.notna()]
        if (column == code).sum() < _MIN_REPEATS or others.nunique() <= _MIN_VALUES:
            continue
        low, high = others.min(), others.max()
        if low > code and (low >= 0 or low - code > 2 * (high - low)):
            return code
    return None


def _without_code(files: Tables, tables: Tables, target: str, code: int) -> Tables:
    known = (tables.train[target] != code).to_numpy() & tables.train[target].notna().to_numpy()
    train = files.train.loc[known].reset_index(drop=True)
    return _with_note(
        replace(files, train=train, extra=int(known[len(known) - files.extra :].sum()) if files.extra else 0),
        f"{int((~known).sum()):,} of {len(known):,} rows of train.csv are left out because the target {target!r} is "
        f"{code} or empty in them, far below all other values: it seems to mean that the target is missing. If {code} "
        "is a value, keep these rows with a competition module that has a clean (kpipe new).",
    )


def _whole(column: pd.Series) -> pd.Series:
    """Floats as integers and boolean as bool, if only missing values, now dropped, required the wider dtype."""
    if column.isna().any():
        return column
    if column.dtype == "boolean":
        return column.astype(bool)
    if column.dtype.kind == "f" and bool((column % 1 == 0).all()) and bool((column.abs() < 2**53).all()):
        return column.astype(np.int64)
    return column


def _with_note(files: Tables, note: str) -> Tables:
    return replace(files, source=replace(files.source, notes=(*files.source.notes, note)))
