"""Drop rows of train without a target, or with a code such as -999 for a missing one, and unify spellings of labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kpipe.core.values import Tables
from kpipe.errors import DataError
from kpipe.problem.competition import Competition, unchanged
from kpipe.problem.inference.id import infer_id
from kpipe.problem.inference.spelling import unify_spelling
from kpipe.problem.inference.target import infer_target
from kpipe.problem.target_labels import labels_to_unify

__all__ = ["drop_rows_without_target"]

_CODES = (-99, -999, -9999, -99999, -999999)  # often used for a missing number
_MIN_REPEATS, _MIN_VALUES = 2, 20  # a code occurs in at least 2 rows, beside more than 20 distinct other values


def drop_rows_without_target(competition: Competition, files: Tables) -> Tables:
    """Drop the rows of train in which no target is known, unless the competition's own clean may fill it.

    A single target's labels that differ only in spelling are unified before.

    Parameters
    ----------
    competition : Competition
        As its author wrote it.
    files : Tables
        With the ids of test and the sample submission matched.

    Returns
    -------
    Tables
        The same object if no row and no label has to change; else with notes in ``source``.

    Raises
    ------
    DataError
        If all known targets are equal, so that a word such as NA is probably the other class.
    """
    if competition.clean is not unchanged:
        return files
    spelled, tables = unify_spelling(competition, files)
    try:
        spelled = replace(spelled, **infer_id(spelled, tables)[0])  # type: ignore[arg-type]  # fields by name
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
    if len(targets) == 1 and tables.train[targets[0]].nunique() == 1:
        raise _error_of_one_class(tables.train[targets[0]], unknown)
    return _without_rows(files, tables, targets, unknown)


def _error_of_one_class(target: pd.Series, unknown: np.ndarray) -> DataError:
    first = int(np.flatnonzero(unknown)[0]) + 1
    return DataError(
        f"train.csv: the target {target.name!r} is missing in {unknown.sum()} of {len(unknown)} rows, first in row "
        f"{first}, and {target.dropna().iloc[0]} in all others. If a word such as NA is a class, read the column as "
        f"text: --text {target.name}.",
        code="target-missing",
        file="train.csv",
        column=target.name,
        row=first,
    )


def _without_rows(files: Tables, tables: Tables, targets: list[str], unknown: np.ndarray) -> Tables:
    train = files.train.loc[~unknown].reset_index(drop=True)
    names = dict(zip(files.train.columns, tables.train.columns, strict=True))
    train = train.assign(**{old: _narrow_dtype(train[old]) for old, new in names.items() if new in targets})
    these = f"the target {targets[0]!r} is" if len(targets) == 1 else "all targets are"
    rows = np.flatnonzero(unknown)
    places = ", ".join(str(row + 1) for row in rows[:3]) + ", ..." * (len(rows) > 3)
    extra = files.extra - int(unknown[len(unknown) - files.extra :].sum())
    return replace(files, train=train, extra=extra).with_notes(
        f"{len(rows)} of {len(unknown)} rows of train.csv are left out because {these} missing "
        f"(row{'s' * (len(rows) > 1)} {places})."
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
        f"The target {target!r} has labels that mean the same: {shown}. To keep them as different classes: --text "
        f"{target}."
    )
    changed = tables.train.assign(**{target: tables.train[target].replace(dict(spelled))})
    return replace(files, train=train).with_notes(note), replace(tables, train=changed)


def _code_of_missing(column: pd.Series) -> int | None:
    """Find a number such as -999 that occurs more than once, far below many other distinct values."""
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
    extra = int(known[len(known) - files.extra :].sum()) if files.extra else 0
    return replace(files, train=train, extra=extra).with_notes(
        f"{int((~known).sum()):,} of {len(known):,} rows of train.csv are left out because the target {target!r} is "
        f"{code} or empty in them, far below all other values: it seems to stand for a missing target. If {code} "
        "is a value, keep these rows with a competition module that has a clean (kpipe new)."
    )


def _narrow_dtype(column: pd.Series) -> pd.Series:
    """Convert whole floats to integers and boolean to bool: missing values, now dropped, required the wider dtype."""
    if column.isna().any():
        return column
    if column.dtype == "boolean":
        return column.astype(bool)
    if column.dtype.kind == "f" and bool((column % 1 == 0).all()) and bool((column.abs() < 2**53).all()):
        return column.astype(np.int64)
    return column
