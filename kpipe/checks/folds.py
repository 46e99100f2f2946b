"""Whether the folds tell the truth: rows apart, groups whole, time forward, and known values as often as in test.

``near`` looks for copies of rows on both sides of a fold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from shlex import quote

import numpy as np
import pandas as pd

from kpipe.checks.duplicates import mixed, surplus
from kpipe.core.values import Check, Folds, Predictions
from kpipe.data.dates import parse_dates
from kpipe.problem.problem import Problem

__all__ = ["classes_trained", "folds_apart", "folds_mirror_test", "groups_whole", "time_forward"]

# A column counts as one that repeats (a ticket, a group, a price) when it has so many rows per value, at least and at
# most, and so many values.
_FEWEST_ROWS_PER_VALUE, _MOST_ROWS_PER_VALUE, _FEWEST_VALUES = 1.15, 200.0, 20
# Shares of rows whose value was seen in fitting may differ by so much before the folds are said to mirror test badly,
# where chance does not explain it: by standard errors, of as many values as there are.
_SHARE_APART, _CLEAR = 0.15, 3.5
_ROWS = 10_000  # of a table that are looked at, on average, where it is large
_FUTURE = 0.05  # of the validated rows, on average, for which later rows may be trained on
_TIMES = re.compile(r"(?i)week|day|month|year|date|time|step|hour|period|quarter|block")


def folds_apart(folds: Folds) -> Check:
    """Whether a fold validates rows that it trains on."""
    name = "training and validation rows disjoint"
    for number, (train, valid) in enumerate(zip(folds.train, folds.valid, strict=True), start=1):
        shared = np.intersect1d(train, valid)
        if len(shared):
            detail = (
                f"Fold {number} validates {len(shared)} rows that it trains on, first row {shared[0] + 1} of "
                "train.csv: the score is from memory. Use a splitter whose two parts do not meet."
            )
            return Check(name=name, status="fail", detail=detail)
    rows = len(np.unique(np.concatenate(folds.valid)))
    return Check(name=name, status="pass", detail=f"No fold validates a row it trains on; {rows} rows are validated.")


def groups_whole(problem: Problem, folds: Folds) -> Iterator[Check]:
    """Whether the folds keep groups whole; said only where the competition has groups."""
    name, by = "groups kept together", problem.groups
    if by is None:
        return
    codes, groups = pd.factorize(problem.tables.train[by])
    for number, (train, valid) in enumerate(zip(folds.train, folds.valid, strict=True), start=1):
        parted = np.intersect1d(codes[train], codes[valid])
        if len(parted):
            rows = np.isin(codes[valid], parted).sum()
            detail = (
                f"Fold {number} validates {rows} rows of {len(parted)} groups that it also trains on, first {by} "
                f"{groups[parted[0]]}, although the rows of one {by} are to stay together. Use a splitter that heeds "
                "groups, as GroupKFold does."
            )
            yield Check(name=name, status="fail", detail=detail)
            return
    yield Check(name=name, status="pass", detail=f"No {by} stands on both sides of a fold.")


def time_forward(problem: Problem, folds: Folds) -> Iterator[Check]:
    """Whether folds train on later rows than they validate although test lies after train; said only where it does."""
    name = "validation after training"
    column = next(_later(problem), None)
    if column is None:
        return
    times = _times(problem.tables.train[column])
    assert times is not None
    ahead = [float((times[v] < times[t].max()).mean()) for t, v in zip(folds.train, folds.valid, strict=True)]
    apart = f"By {column}, test lies after train (which ends at {_when(times.max())})"
    if float(np.mean(ahead)) <= _FUTURE:
        yield Check(name=name, status="pass", detail=f"{apart}, and folds validate later rows than they train on.")
        return
    worst = int(np.argmax(ahead))
    detail = (
        f"{apart}, but fold {worst + 1} trains on rows up to {_when(times[folds.train[worst]].max())} and validates "
        f"rows from {_when(times[folds.valid[worst]].min())}, {ahead[worst]:.0%} of them earlier: the score knows "
        f"the future. Validate what comes later: --split {quote(str(column))}, or splitter=ByTime({str(column)!r})."
    )
    yield Check(name=name, status="warn", detail=detail)


def _later(problem: Problem) -> Iterator[str]:
    """Columns of dates, or of whole numbers called a time, by which nearly all of test comes after train."""
    for column in problem.tables.train.columns:
        if column in problem.targets or column not in problem.tables.test.columns:
            continue
        train, test = _times(problem.tables.train[column]), _times(problem.tables.test[column])
        if train is None or test is None or train.isna().all() or test.isna().all() or train.nunique() < 3:
            continue
        if test.quantile(0.01, interpolation="nearest") > train.quantile(0.99, interpolation="nearest"):
            yield str(column)


def _times(column: pd.Series) -> pd.Series | None:
    dates = parse_dates(column)
    if dates is None and pd.api.types.is_integer_dtype(column) and _TIMES.search(str(column.name)):
        return column
    return dates


def _when(time: object) -> str:
    """A day where it is no time of day.

    >>> _when(pd.Timestamp("2015-07-31"))
    '2015-07-31'
    """
    return str(time).removesuffix(" 00:00:00")


def folds_mirror_test(problem: Problem, folds: Folds) -> Check:
    """Whether values that repeat (tickets, groups, prices, days) are as often known in validation as in test."""
    name = "group overlap matches test"
    apart = sorted(_shares_apart(problem, folds), reverse=True)
    if not apart:
        return Check(name=name, status="pass", detail="No column repeats values in small groups.")
    wrong, _, column, validated, tested = apart[0]
    detail = (
        f"Of {column}, {validated:.0%} of the validated rows have a value known from the rows trained on; "
        f"in test it is {tested:.0%}."
    )
    if not wrong:
        return Check(name=name, status="pass", detail=detail)
    others = [entry[2] for entry in apart[1:] if entry[0]]
    detail += f" So it is with {', '.join(others[:3])}." if others else ""
    if validated > tested:
        detail += (
            f" The score knows more than test will: keep rows of one {column} together (--split {quote(str(column))})."
        )
    else:
        detail += " The score knows less than test will: split by row (--split rows), or by another column."
    return Check(name=name, status="warn", detail=detail)


def _shares_apart(problem: Problem, folds: Folds) -> Iterator[tuple[bool, float, str, float, float]]:
    """(apart?, by how much, column, share of validated rows, share of test rows whose value is known from fitting).

    Both are held against the same fitted rows, those of each fold; where folds are of time, against those of the last
    and of all of train, and columns of time are left out: what comes later has other dates.
    """
    pairs = list(zip(folds.train, folds.valid, strict=True))[-1 if folds.refit else 0 :]
    roles = [
        (_mask(fitted, len(problem.tables.train)), _mask(valid, len(problem.tables.train))) for fitted, valid in pairs
    ]
    for column in problem.tables.train.columns:
        if column in (problem.id, *problem.targets) or column not in problem.tables.test.columns:
            continue
        if folds.refit and _times(problem.tables.train[column]) is not None:
            continue
        coded = _codes(problem.tables.train[column], problem.tables.test[column])
        if coded is None:
            continue
        rows, train, test, levels = coded
        validated, tested = [], []
        for fitted, valid in roles:
            known = _mask(train[fitted[rows]], levels)
            validated.append(float(known[train[valid[rows]]].mean()) if valid[rows].any() else 0.0)
            tested.append(float((_mask(train, levels) if folds.refit else known)[test].mean()))
        ours, theirs = float(np.mean(validated)), float(np.mean(tested))
        # Rows of one value are known together or not at all: there are as many observations as values.
        values = [int(_mask(codes, levels).sum()) for codes in (train, test)]
        clear = abs(surplus(ours, values[0], theirs, values[1])) > _CLEAR
        difference = abs(ours - theirs)
        yield bool(clear and difference > _SHARE_APART), difference, str(column), ours, theirs


def _mask(places: np.ndarray, length: int) -> np.ndarray:
    """True at the places."""
    mask = np.zeros(length, dtype=bool)
    mask[places] = True
    return mask


def _codes(train: pd.Series, test: pd.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray, int] | None:
    """(rows of train that are looked at, their codes, test's codes, how many there are), but for gaps.

    None where a column does not repeat values.
    """
    few = pd.api.types.is_bool_dtype(train) or train.dtype in (np.uint8, np.int8)
    if few or not train.notna().any() or not test.notna().any():
        return None
    both = pd.concat([train, test], ignore_index=True)
    kept = np.flatnonzero(_some_values(both))
    codes, levels = pd.factorize(both.iloc[kept])
    there = codes >= 0
    kept, codes = kept[there], codes[there]
    split = int(np.searchsorted(kept, len(train)))
    values = int((np.bincount(codes[:split], minlength=len(levels)) > 0).sum())
    if values < _FEWEST_VALUES or split == len(kept):
        return None
    if not _FEWEST_ROWS_PER_VALUE <= split / values <= _MOST_ROWS_PER_VALUE:
        return None
    return kept[:split], codes[:split], codes[split:], len(levels)


def _some_values(column: pd.Series) -> np.ndarray:
    """Which rows to look at: of a large column of numbers all rows of some of the values, so that groups stay whole."""
    if len(column) <= 2 * _ROWS or not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "iuf":
        return np.ones(len(column), dtype=bool)
    return np.asarray(mixed(column) % np.uint64(1 << 20) < np.uint64((1 << 20) * 2 * _ROWS // len(column)))


def classes_trained(predictions: Predictions, folds: Folds) -> Iterator[Check]:
    """Whether every fold trains on every class; said only where one does not."""
    if predictions.classes is None:
        return
    codes = np.arange(len(predictions.classes))
    absent = [np.setdiff1d(codes, predictions.y[train]) for train in folds.train]
    labels = [str(predictions.classes[code]) for code in np.unique(np.concatenate(absent))]
    if labels:
        folds_without = sum(len(codes) > 0 for codes in absent)
        named = ", ".join(labels[:5])
        detail = f"{folds_without} folds train on no row of {named}, which has too few: they give it no chance."
        yield Check(name="classes in training rows", status="warn", detail=detail)
