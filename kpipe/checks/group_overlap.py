"""Whether values of small groups recur from training to validation rows as often as from train to test."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import chain, combinations, pairwise
from shlex import quote
from typing import NamedTuple

import numpy as np
import pandas as pd

from kpipe.checks.folds import time_values, times_continue
from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import hash_values, two_proportion_z
from kpipe.checks.units_of_columns import find_factor
from kpipe.core.values import Folds
from kpipe.data.column_types import to_numeric
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "group_overlap"]

# A column counts as one of groups (a ticket, a family, a price) if it has so many rows per value, at least and at most,
# and at least so many values.
_MIN_ROWS_PER_VALUE, _MAX_ROWS_PER_VALUE, _MIN_VALUES = 1.15, 200.0, 20
# Shares of rows with known values may differ by this much, or by this many standard errors of as many values.
_MAX_DIFFERENCE, _SIGNIFICANT = 0.15, 3.5
# Overlap by construction: many validation rows share groups with training rows, test rows never do, and both tables
# have at least so many groups.
_SHARED, _NONE, _MIN_GROUPS = 0.5, 0.005, 50
# Parts of texts and numbers: of columns with at least so many values per row, at most so many; most have the part.
_FEW, _TEXTS, _NUMBERS, _MAXIMUM = 0.2, 6, 40, 0.8
_PATTERNS = {
    "first part": r"^([^\W_]{2,})[\W_]",
    "last part": r"[\W_]([^\W_]{2,})\W*$",
    "middle part": r"[\W_]([^\W_]{2,})[\W_]",
    "number": r"(\d{2,})",
    "long number": r"(\d{4,})",
    "beginning": r"^(.{4,})[\W_]+[^\W_]+\W*$",
    "end": r"^\W*[^\W_]+[\W_]+(.{4,})$",
}
# Columns that are joined in pairs: at most so many, with so many values, most of train's rows with values of test.
_JOINED, _MIN_JOINED, _KNOWN = 8, 5, 0.9
# By which numbers are divided: the whole part may name a group.
_DROPPED = {1: "its decimals", 10: "its last digit", 100: "its last two digits", 1_000: "its last three digits"}
_CELLS = 1_000  # per column, of a grid on which neighbouring rows may be of one place
_MAX_EXACT = 2.0**53  # float64 holds all integers below it
_ROWS = 10_000  # of a large table that are used, on average


class _Overlap(NamedTuple):
    """Shares of validation rows and of test rows whose value of a column occurs among the training rows."""

    differs: bool
    difference: float
    column: str
    validation: float
    test: float
    by_construction: bool = False


def group_overlap(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Check whether the folds share values of groups (tickets, families, prices, days) as train and test do.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    overlaps = sorted(_overlaps(problem, folds, _columns(problem, folds)), reverse=True)
    if not any(overlap.differs for overlap in overlaps):
        overlaps = sorted(_overlaps_of_derived_groups(problem, folds), reverse=True) or overlaps
    if not overlaps:
        yield "pass", "No column has values that repeat in small groups."
        return
    first = overlaps[0]
    detail = (
        f"For {first.validation:.0%} of validation rows the value of {first.column} also occurs among the training "
        f"rows of their fold; for test rows it is {first.test:.0%}."
    )
    if not first.differs:
        yield "pass", detail
        return
    others = [overlap.column for overlap in overlaps[1:] if overlap.differs]
    detail += f" Other such columns: {', '.join(others[:3])}." if others else ""
    yield "fail" if first.by_construction else "warn", f"{detail} {_advice(problem, first)}"


def _overlaps_of_derived_groups(problem: Problem, folds: Folds) -> Iterator[_Overlap]:
    """The suspicious overlaps of groups that no column holds as it is: parts of columns, pairs, and places."""
    made = _overlaps(problem, folds, chain(_parts(problem), _pairs(problem)))
    yield from (one for one in made if one.differs and one.validation > one.test)
    numbers = _numbers(problem)
    for among in (True, False):
        columns = [column for column, lies_among in numbers.items() if lies_among == among]
        made = _overlaps(problem, folds, _parts_of_numbers(problem, columns))
        yield from (one._replace(by_construction=among) for one in made if one.by_construction)
    yield from (one for one in _overlaps(problem, folds, _places(problem)) if one.by_construction)


def _advice(problem: Problem, overlap: _Overlap) -> str:
    if overlap.validation <= overlap.test:
        return "The score is too pessimistic: split by row (--split rows), or by another column."
    if overlap.column not in problem.tables.train.columns:
        return (
            "The score is too optimistic: extract it into a column in clean, and keep its rows in one fold (groups=)."
        )
    return (
        "The score is too optimistic: keep rows with the same "
        f"{overlap.column} in one fold (--split {quote(overlap.column)})."
    )


_Column = tuple[str, pd.Series, pd.Series]  # a name, its values in train, and those in test


def _overlaps(problem: Problem, folds: Folds, columns: Iterator[_Column]) -> Iterator[_Overlap]:
    """The overlap of each column of groups.

    Validation and test rows are compared with the same training rows, those of each fold. If folds are by time, they
    are compared with those of the last fold and with all of train.
    """
    train = problem.tables.train
    pairs = list(zip(folds.train, folds.valid, strict=True))[-1 if folds.refit else 0 :]
    roles = [(_mask(fitted, len(train)), _mask(valid, len(train))) for fitted, valid in pairs]
    for name, ours, theirs in columns:
        codes = _encode(ours, theirs)
        if codes is not None:
            yield _overlap(name, codes, roles, by_time=folds.refit)


def _columns(problem: Problem, folds: Folds) -> Iterator[_Column]:
    """The columns that both tables have, without times if folds are by time: later rows have other dates."""
    train, test = problem.tables.train, problem.tables.test
    for column in train.columns:
        if column in (problem.id, *problem.targets) or column not in test.columns:
            continue
        if folds.refit and time_values(train[column]) is not None:
            continue
        if find_factor(train[column], test[column]) is None:  # values in range names those in another unit
            yield str(column), train[column], test[column]


def _parts(problem: Problem) -> Iterator[_Column]:
    """Parts of texts that may name a group, such as a person within a code; in train and in test."""
    train, test = problem.tables.train, problem.tables.test
    columns = [c for c in train if c not in (*problem.targets, problem.groups) and c in test.columns]
    texts = [
        c for c in columns if not pd.api.types.is_numeric_dtype(train[c]) and train[c].nunique() > _FEW * len(train)
    ]
    for column in [c for c in texts if time_values(train[c]) is None and to_numeric(train[c]) is None][:_TEXTS]:
        cells = [frame[column].astype("string").str.casefold() for frame in (train, test)]
        for which, pattern in _PATTERNS.items():
            ours, theirs = (text.str.extract(pattern, expand=False) for text in cells)
            if ours.notna().mean() > _MAXIMUM:
                yield f"the {which} of {column}", ours, theirs
        ours, theirs = (text.str.findall(r"\w+").map(sorted, na_action="ignore").str.join(" ") for text in cells)
        yield f"{column}, ignoring case and word order,", ours, theirs


def _numbers(problem: Problem) -> dict[Hashable, bool]:
    """Columns of numbers that may name groups, and whether test's lie among train's; else a quantity has drifted."""
    train, test = problem.tables.train, problem.tables.test
    columns = [c for c in train if c not in (problem.id, *problem.targets, problem.groups) and c in test.columns]
    numbers = [c for c in columns if all(pd.api.types.is_numeric_dtype(frame[c]) for frame in (train, test))]
    numbers = [c for c in numbers if train[c].nunique() > _FEW * len(train) and not times_continue(train[c], test[c])]
    return {
        column: bool(train[column].quantile(0.05) <= test[column].median() <= train[column].quantile(0.95))
        for column in numbers[:_NUMBERS]
        if find_factor(train[column], test[column]) is None
    }


def _parts_of_numbers(problem: Problem, columns: Sequence[Hashable]) -> Iterator[_Column]:
    """Numbers without their decimals or last digits, which may name a group: 1042.3 and 104203 for patient 1042."""
    train, test = problem.tables.train, problem.tables.test
    for column in columns:
        is_float = pd.api.types.is_float_dtype(train[column])
        for unit in list(_DROPPED)[:1] if is_float else list(_DROPPED)[1:]:
            ours, theirs = (_to_integers(frame[column].astype("float64") // unit) for frame in (train, test))
            yield f"{column} without {_DROPPED[unit]}", ours, theirs


def _places(problem: Problem) -> Iterator[_Column]:
    """Two neighbouring columns on a grid: rows in one cell may be of one place, measured several times."""
    train, test = problem.tables.train, problem.tables.test
    names = [c for c in problem.columns if pd.api.types.is_float_dtype(train[c]) and c != problem.groups]
    names = [c for c in names if train[c].nunique() > _FEW * len(train) and train[c].notna().all()]
    for one, two in list(pairwise(names))[:_NUMBERS]:
        ours, theirs = (
            _cells(frame[one], train[one]) + 2 * _CELLS * _cells(frame[two], train[two]) for frame in (train, test)
        )
        yield f"{one} and {two}, rounded,", _to_integers(ours), _to_integers(theirs)


def _cells(column: pd.Series, train: pd.Series) -> pd.Series:
    """The place of each number in the range of train, in whole cells."""
    cells = (column - train.min()) * _CELLS / max(float(np.ptp(train)), 1e-300)
    return cells.round().rename(None)


def _to_integers(numbers: pd.Series) -> pd.Series:
    """Whole numbers as Int64; infinite ones, and those too large to be exact, are missing."""
    return numbers.where(numbers.abs() < _MAX_EXACT).astype("Int64")


def _pairs(problem: Problem) -> Iterator[_Column]:
    """Two columns joined, which may name a group that neither names: a street and a number, a name and a birthday."""
    train, test = problem.tables.train, problem.tables.test
    columns = [
        c
        for c in problem.columns
        if c != problem.groups
        and not pd.api.types.is_float_dtype(train[c])
        and _MIN_JOINED <= train[c].nunique() <= len(train) / _MIN_ROWS_PER_VALUE
        # Where test lacks values, it is no reference for how often pairs repeat; and groups are compared as columns.
        and float(train[c].isin(test[c].unique()).mean()) >= _KNOWN
    ]
    columns.sort(key=lambda c: -train[c].nunique())
    for one, two in combinations(columns[:_JOINED], 2):
        ours, theirs = (frame[one].astype(str) + " " + frame[two].astype(str) for frame in (train, test))
        yield f"{one} and {two} together", ours, theirs


class _Codes(NamedTuple):
    """The values of a column as codes, without missing values.

    rows : positions in train of the rows that are used. identifies : whether values may be names: text, whole numbers.
    """

    rows: np.ndarray
    train: np.ndarray
    test: np.ndarray
    n_values: int
    identifies: bool


def _overlap(column: str, codes: _Codes, roles: list[tuple[np.ndarray, np.ndarray]], *, by_time: bool) -> _Overlap:
    in_validation, in_test = [], []
    for fitted, valid in roles:
        rows = valid[codes.rows]
        if not rows.any():  # all of the fold's values are missing, or none is in the sample
            continue
        known = _mask(codes.train[fitted[codes.rows]], codes.n_values)
        in_validation.append(float(known[codes.train[rows]].mean()))
        in_test.append(float((_mask(codes.train, codes.n_values) if by_time else known)[codes.test].mean()))
    validation, test = (float(np.mean(shares)) if shares else 0.0 for shares in (in_validation, in_test))
    # Rows with the same value are known together or not at all: there are as many observations as values.
    values = [int(_mask(some, codes.n_values).sum()) for some in (codes.train, codes.test)]
    significant = abs(two_proportion_z(validation, values[0], test, values[1])) > _SIGNIFICANT
    difference = abs(validation - test)
    differs = bool(significant and difference > _MAX_DIFFERENCE)
    # Test has groups of the same kind, and none of train's: whoever made the files separated them by this column.
    by_construction = (
        differs
        and not by_time
        and codes.identifies
        and validation >= _SHARED
        and test <= _NONE
        and min(values) >= _MIN_GROUPS
        and len(codes.test) >= _MIN_ROWS_PER_VALUE * values[1]
    )
    return _Overlap(differs, difference, column, validation, test, by_construction)


def _mask(positions: np.ndarray, length: int) -> np.ndarray:
    """True at the positions."""
    mask = np.zeros(length, dtype=bool)
    mask[positions] = True
    return mask


def _encode(train: pd.Series, test: pd.Series) -> _Codes | None:
    """The codes of a column; None if its values do not repeat in small groups."""
    few = pd.api.types.is_bool_dtype(train) or train.dtype in (np.uint8, np.int8)
    if few or not train.notna().any() or not test.notna().any():
        return None
    both = pd.concat([train, test], ignore_index=True)
    kept = np.flatnonzero(_sample_values(both))
    codes, distinct = pd.factorize(both.iloc[kept])
    present = codes >= 0
    kept, codes = kept[present], codes[present]
    split = int(np.searchsorted(kept, len(train)))
    values = int((np.bincount(codes[:split], minlength=len(distinct)) > 0).sum())
    if values < _MIN_VALUES or split == len(kept):
        return None
    if not _MIN_ROWS_PER_VALUE <= split / values <= _MAX_ROWS_PER_VALUE:
        return None
    identifies = not pd.api.types.is_float_dtype(train) and time_values(train) is None
    return _Codes(kept[:split], codes[:split], codes[split:], len(distinct), identifies)


def _sample_values(column: pd.Series) -> np.ndarray:
    """Which rows to use: in a large column of numbers, all rows of some of the values, so that groups stay whole."""
    if len(column) <= 2 * _ROWS or not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "iuf":
        return np.ones(len(column), dtype=bool)
    return np.asarray(hash_values(column) % np.uint64(1 << 20) < np.uint64((1 << 20) * 2 * _ROWS // len(column)))


TABLE_CHECKS = (TableCheck("group overlap matches test", group_overlap),)
