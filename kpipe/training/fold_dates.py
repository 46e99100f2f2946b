"""Describe for the user which dates folds by time train on and validate."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpipe.core.values import Folds
from kpipe.problem.blocks import time_column
from kpipe.problem.problem import Problem
from kpipe.problem.splitters import ByTime
from kpipe.problem.times import read_times

__all__ = ["describe_fold_dates", "fold_dates"]


def describe_fold_dates(problem: Problem, folds: Folds) -> tuple[str, ...]:
    """Describe folds by time: how test relates to train, the dates of each fold, and how to choose other folds.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Returns
    -------
    tuple of str
        Empty for other folds.
    """
    if time_column(problem.splitter) is None:
        return ()
    lines = []
    if "splitter" in problem.reasons:
        lines.append(f"Folds are inferred: {problem.reasons['splitter'].text} (--split rows, or --split COLUMN).")
    if dates := fold_dates(problem, folds):
        lines.append(f"Folds by time: {'; '.join(dates)}.")
    if folds.refit:
        lines.append("Models for the test rows are retrained on all rows of train.")
    return tuple(lines)


def fold_dates(problem: Problem, folds: Folds) -> list[str]:
    """Describe the dates of each fold of ``ByTime``, such as "1 trains up to 2018-12-31 and validates ...".

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Returns
    -------
    list of str
        Empty for other folds.
    """
    if not isinstance(problem.splitter, ByTime):
        return []
    return list(_spans(read_times(problem.tables.train, problem.splitter.column), folds))


def _spans(times: pd.Series, folds: Folds) -> Iterator[str]:
    for number, (train, valid) in enumerate(zip(folds.train, folds.valid, strict=True), start=1):
        end, (first, last) = times.iloc[train].max(), (times.iloc[valid].min(), times.iloc[valid].max())
        dates = f"{_format(first)} to {_format(last)}" if first != last else _format(first)
        yield f"{number} trains up to {_format(end)} and validates {dates}"


def _format(time: pd.Timestamp | float) -> str:
    """A date, without the time if that is midnight, or a number."""
    return str(time.floor("s")).removesuffix(" 00:00:00") if isinstance(time, pd.Timestamp) else f"{time:g}"
