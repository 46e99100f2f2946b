"""Categories that occur only in test, and columns that are missing more or less often in test than in train."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import two_proportion_z
from kpipe.core.values import Folds
from kpipe.data.column_types import is_free_text
from kpipe.data.dates import parse_dates
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "missingness_shift", "unseen_categories"]

_MIN_ROWS_PER_VALUE = 1.15  # of a column whose values count as categories
_MAX_UNSEEN = 0.05  # share of test rows that may have an unseen category, beyond that of validation rows
_UNEXPECTED = 3.5  # standard errors of that difference
# Shares of missing values differ if their difference is at least this large, and this many standard errors.
_MAX_DIFFERENCE, _SIGNIFICANT = 0.05, 5.0


def unseen_categories(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Check whether test has categories that do not occur in train, more often than validation rows have new ones.

    Free text and groups are left out. Names and tickets have new categories in any further rows: validation rows show
    how many are to be expected.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    train, test = problem.tables.train, problem.tables.test
    shares = {
        column: share
        for column in problem.columns
        if column != problem.groups
        and _is_categorical(train[column])
        and (share := float(_unseen(train[column], test[column]).mean())) > 0
    }
    if not shares:
        yield "pass", "Every category of test also occurs in train. Columns of dates or unique values are not compared."
        return
    excess = {
        column: share - (_unseen_in_validation(train[column], folds) if share > _MAX_UNSEEN else 0.0)
        for column, share in shares.items()
    }
    worst = max(shares, key=lambda column: (shares[column] > _MAX_UNSEEN, excess[column]))
    which = "1 column has" if len(shares) == 1 else f"{len(shares)} columns have"
    examples = test[worst][_unseen(train[worst], test[worst])].value_counts().index[:3]
    shown = f" (such as {', '.join(map(str, examples))})" if len(examples) else ""
    detail = (
        f"{which} categories in test that do not occur in train, above all {worst}: {shares[worst]:.1%} of test rows"
    )
    error = float(np.sqrt(shares[worst] * (1 - shares[worst]) * (1 / len(test) + 1 / len(train))))
    if shares[worst] <= _MAX_UNSEEN or excess[worst] <= max(_MAX_UNSEEN, _UNEXPECTED * error):
        expected = "" if shares[worst] <= _MAX_UNSEEN else "; validation rows have as many that are new to their fold"
        yield "pass", f"{detail}{shown}{expected}."
        return
    yield (
        "warn",
        f"{detail}{shown}. No model has seen these categories: if {worst} is spelled or encoded differently in the two "
        f"files, convert it in clean; if the categories are really new, drop it (--drop {quote(worst)}).",
    )


def _is_categorical(column: pd.Series) -> bool:
    """Whether a column holds text, no dates, and most of its values occur in more than one row."""
    if pd.api.types.is_numeric_dtype(column) or is_free_text(column):
        return False
    repeats = column.nunique() * _MIN_ROWS_PER_VALUE < max(column.notna().sum(), 1)
    return bool(repeats) and parse_dates(column) is None


def _unseen_in_validation(column: pd.Series, folds: Folds) -> float:
    """The share of validation rows whose category does not occur among the training rows of their fold."""
    pairs = zip(folds.train, folds.valid, strict=True)
    new = [_unseen(column.iloc[train], column.iloc[valid]).to_numpy() for train, valid in pairs]
    return float(np.concatenate(new).mean())


def _unseen(train: pd.Series, test: pd.Series) -> pd.Series:
    return ~test.isin(train.unique())


def missingness_shift(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Check whether columns have missing values as often in test as in train.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    shifts = sorted(_shifts(problem), reverse=True)
    if not shifts:
        yield "pass", "Every column has about the same share of missing values in test as in train."
        return
    shown = [
        f"{column} is missing in {train:.0%} of train rows and {test:.0%} of test rows"
        for _, column, train, test in shifts
    ]
    more = len(shown) - 3
    others = f"; and {more} more column{'s differ' if more > 1 else ' differs'}" if more > 0 else ""
    yield (
        "warn",
        f"{'; '.join(shown[:3])}{others}. What models learn from missing values does not apply to test. Find the cause "
        "(such as a file that was read wrongly, a failed join, or another placeholder) and fix it in clean, or drop "
        "these columns (--drop).",
    )


def _shifts(problem: Problem) -> Iterator[tuple[float, str, float, float]]:
    """(difference, column, share in train, share in test) of columns whose shares of missing values differ."""
    for column in problem.columns:
        train, test = problem.tables.train[column], problem.tables.test[column]
        if isinstance(train.dtype, np.dtype) and train.dtype.kind in "biu" and train.dtype == test.dtype:
            continue  # these have no missing values
        ours, theirs = float(train.isna().mean()), float(test.isna().mean())
        significant = abs(two_proportion_z(ours, len(train), theirs, len(test))) > _SIGNIFICANT
        if significant and abs(ours - theirs) > _MAX_DIFFERENCE:
            yield abs(ours - theirs), str(column), ours, theirs


TABLE_CHECKS = (
    TableCheck("unseen categories", unseen_categories),
    TableCheck("missingness shift", missingness_shift),
)
