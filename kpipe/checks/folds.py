"""Whether folds separate training from validation rows, keep groups together, and validate on later rows."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.units_of_columns import find_factor, two_digit_years
from kpipe.core.values import Folds
from kpipe.data.date_forms import epoch_unit
from kpipe.data.dates import is_named_after_time, parse_dates
from kpipe.problem.problem import Problem

__all__ = [
    "TABLE_CHECKS",
    "disjoint_rows",
    "groups_together",
    "numbers_continue",
    "time_values",
    "times_continue",
    "validation_after_training",
]

# Share of validation rows, on average over the folds, for which later rows may be among the training rows.
_MAX_EARLIER = 0.05
_MIN_TIMES = 12  # different whole numbers that count as months or days
_MIN_SECONDS = 100  # different ones, of a column that says by nothing else that it counts them


def disjoint_rows(_: Problem, folds: Folds) -> Iterator[Finding]:
    """Check whether the training and the validation rows of each fold are disjoint.

    Parameters
    ----------
    folds : Folds

    Yields
    ------
    Finding
    """
    for number, (train, valid) in enumerate(zip(folds.train, folds.valid, strict=True), start=1):
        shared = np.intersect1d(train, valid)
        if len(shared):
            yield (
                "fail",
                f"Fold {number} trains on {len(shared)} of its validation rows (first: row {shared[0] + 1} of "
                "train.csv), so the score is too optimistic. Use a splitter whose training and validation rows are "
                "disjoint.",
            )
            return
    rows = len(np.unique(np.concatenate(folds.valid)))
    yield "pass", f"No fold trains on its validation rows; {rows} rows are validated."


def groups_together(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Whether each group is in the training or the validation rows of a fold, not in both; nothing without groups.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    by = problem.groups
    if by is None:
        return
    codes, groups = pd.factorize(problem.tables.train[by])
    for number, (train, valid) in enumerate(zip(folds.train, folds.valid, strict=True), start=1):
        split = np.intersect1d(codes[train], codes[valid])
        if len(split):
            rows = np.isin(codes[valid], split).sum()
            yield (
                "fail",
                f"Fold {number} validates {rows} rows of {len(split)} groups that it also trains on (first: {by} "
                f"{groups[split[0]]}), although rows with the same {by} must stay together. Use a splitter that keeps "
                "groups together, such as GroupKFold.",
            )
            return
    yield "pass", f"No {by} occurs in both the training and the validation rows of a fold."


def validation_after_training(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Check whether folds validate on later rows than they train on, where test comes after train; else nothing.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    column = next(_columns_by_which_test_is_later(problem), None)
    if column is None:
        return
    times = time_values(problem.tables.train[column])
    assert times is not None
    earlier = [float((times[v] < times[t].max()).mean()) for t, v in zip(folds.train, folds.valid, strict=True)]
    start = f"By {column}, test comes after train (which ends at {_format_time(times.max())})"
    if float(np.mean(earlier)) <= _MAX_EARLIER:
        yield "pass", f"{start}, and folds validate on later rows than they train on."
        return
    worst = int(np.argmax(earlier))
    end, begin = times[folds.train[worst]].max(), times[folds.valid[worst]].min()
    yield (
        "warn",
        f"{start}, but fold {worst + 1} trains on rows up to {_format_time(end)} and validates on rows from "
        f"{_format_time(begin)}, {earlier[worst]:.0%} of which are earlier. The score is too optimistic, because "
        f"models have seen later rows. Validate on later rows: --split {quote(column)}, or "
        f"splitter=ByTime({column!r}).",
    )


def _columns_by_which_test_is_later(problem: Problem) -> Iterator[str]:
    """Columns of times by which nearly all rows of test come after those of train."""
    for column in problem.tables.train.columns:
        if column in problem.targets or column not in problem.tables.test.columns:
            continue
        train, test = time_values(problem.tables.train[column]), time_values(problem.tables.test[column])
        if train is None or test is None or train.isna().all() or test.isna().all() or train.nunique() < 3:
            continue
        if test.quantile(0.01, interpolation="nearest") > train.quantile(0.99, interpolation="nearest"):
            yield str(column)


def time_values(column: pd.Series) -> pd.Series | None:
    """The values of a column as times that can be compared.

    Parameters
    ----------
    column : Series
        (n,) of any dtype.

    Returns
    -------
    Series or None
        (n,) dates, or whole numbers if the name of the column is one of a time; None if the column holds neither.
    """
    dates = parse_dates(column)
    if dates is None and pd.api.types.is_integer_dtype(column):
        counts_seconds = epoch_unit(column) is not None and column.nunique() > _MIN_SECONDS
        is_time = is_named_after_time(column) or counts_seconds or _are_calendar_numbers(column)
        return column if is_time else None
    return dates


def _are_calendar_numbers(column: pd.Series) -> bool:
    """Whether whole numbers are months or days, such as 201507, 2015212 and 20150731, whatever their name.

    >>> _are_calendar_numbers(pd.Series(range(201501, 201513)))
    True
    >>> _are_calendar_numbers(pd.Series(range(201501, 201514)))
    False
    >>> _are_calendar_numbers(pd.Series(range(2015001, 2015366)))
    True
    """
    if not 1_900 <= column.min() // 100 <= column.max() // 100 <= 21_001_231 or column.nunique() < _MIN_TIMES:
        return False
    texts = pd.Series(column.dropna().unique()).astype("int64").astype(str)
    size, sizes = int(texts.str.len().min()), texts.str.len().nunique()
    form = {6: "%Y%m", 7: "%Y%j", 8: "%Y%m%d"}.get(size)
    return sizes == 1 and form is not None and bool(pd.to_datetime(texts, format=form, errors="coerce").notna().all())


def times_continue(train: pd.Series, test: pd.Series) -> bool:
    """Whether a column holds times that continue in test: most of its times are after those of train, or before them.

    Parameters
    ----------
    train, test : Series
        The column in both tables.

    Returns
    -------
    bool
    """
    if numbers_continue(train, test):
        return True
    ours, theirs = time_values(train), time_values(test)
    if ours is None or theirs is None or ours.isna().all() or theirs.isna().all():
        return False
    if find_factor(train, test) is not None or two_digit_years(train, test) is not None:
        return False
    return bool(theirs.median() > ours.quantile(0.95) or theirs.median() < ours.quantile(0.05))


def numbers_continue(train: pd.Series, test: pd.Series) -> bool:
    """Whether numbers in test continue where train ends: a counter, or a time under another name.

    Parameters
    ----------
    train, test : Series
        The column in both tables.

    Returns
    -------
    bool

    Examples
    --------
    >>> numbers_continue(pd.Series(range(100)), pd.Series(range(100, 120)))
    True
    >>> numbers_continue(pd.Series(range(100)), pd.Series(range(5000, 5100)))
    False
    """
    numeric = all(pd.api.types.is_numeric_dtype(part) and part.dtype.kind in "iuf" for part in (train, test))
    if not numeric or not len(test) or train.nunique() < _MIN_TIMES or train.isna().any() or test.isna().any():
        return False
    gap = float(test.min()) - float(train.max())
    return bool(test.quantile(0.01) > train.quantile(0.99) and gap <= float(train.max()) - float(train.min()))


def _format_time(time: object) -> str:
    """A date without its time of day at midnight.

    >>> _format_time(pd.Timestamp("2015-07-31"))
    '2015-07-31'
    """
    return str(time).removesuffix(" 00:00:00")


TABLE_CHECKS = (
    TableCheck("training and validation rows disjoint", disjoint_rows),
    TableCheck("groups kept together", groups_together),
    TableCheck("validation after training", validation_after_training),
)
