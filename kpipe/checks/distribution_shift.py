"""What the columns hide: levels that train lacks, other gaps in test, and test rows that are drawn differently."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

import numpy as np
import pandas as pd

from kpipe.checks.adversarial import adversarial_auc
from kpipe.checks.duplicates import surplus
from kpipe.core.values import Check, Status
from kpipe.data.column_types import is_pixel_table
from kpipe.data.dates import parse_dates
from kpipe.problem.problem import Problem

__all__ = ["drawn_alike", "gaps_alike", "levels_seen"]

_FEWEST_ROWS_PER_VALUE = 1.15  # of a column whose values repeat
# AUC from which train and test are said to be drawn differently.
_TOLD_APART = 0.6
# Shares of missing cells that are said to differ: by so much, and by so many standard errors.
_GAPS_APART, _CLEAR = 0.05, 5.0


def levels_seen(problem: Problem) -> Check:
    """Whether test has categories that train lacks."""
    unseen = {
        column: share
        for column in problem.columns
        if not pd.api.types.is_numeric_dtype(problem.tables.train[column])
        and _repeats(problem.tables.train[column])
        and parse_dates(problem.tables.train[column]) is None
        and (share := float((~problem.tables.test[column].isin(problem.tables.train[column].unique())).mean())) > 0
    }
    if not unseen:
        return Check(
            name="unseen categories",
            status="pass",
            detail="Every category of test that repeats in train is known from train.",
        )
    worst = max(unseen, key=lambda column: unseen[column])
    status: Status = "warn" if unseen[worst] > 0.05 else "pass"
    which = "1 column has" if len(unseen) == 1 else f"{len(unseen)} columns have"
    detail = f"{which} test rows with levels that train lacks, most {worst}: {unseen[worst]:.1%} of rows"
    strange = (
        problem.tables.test[worst][~problem.tables.test[worst].isin(problem.tables.train[worst].unique())]
        .value_counts()
        .index[:3]
    )
    detail += f" ({', '.join(map(str, strange))})." if len(strange) else "."
    if status == "warn":
        drop = quote(str(worst))
        detail += f" Nothing was learned of them: see whether {worst} is spelt alike in both files, or --drop {drop}."
    return Check(name="unseen categories", status=status, detail=detail)


def _repeats(column: pd.Series) -> bool:
    """Whether a text column's values mostly stand for more than one row."""
    return column.nunique() * _FEWEST_ROWS_PER_VALUE < max(column.notna().sum(), 1)


def gaps_alike(problem: Problem) -> Check:
    """Whether columns are as often missing in test as in train."""
    name = "missingness shift"
    apart = sorted(_gaps_apart(problem), reverse=True)
    if not apart:
        return Check(name=name, status="pass", detail="Every column is about as often missing in test as in train.")
    said = [
        f"{column} is missing in {train:.0%} of train's rows and {test:.0%} of test's"
        for *_, column, train, test in apart
    ]
    more = f"; and {len(said) - 3} more columns" if len(said) > 3 else ""
    detail = (
        f"{'; '.join(said[:3])}{more}: what models learn of a gap "
        "does not hold for test. See why (a file read wrongly, a join that missed), or drop them (--drop)."
    )
    return Check(name=name, status="warn", detail=detail)


def _gaps_apart(problem: Problem) -> Iterator[tuple[float, str, float, float]]:
    for column in problem.columns:
        train, test = problem.tables.train[column], problem.tables.test[column]
        if isinstance(train.dtype, np.dtype) and train.dtype.kind in "biu" and train.dtype == test.dtype:
            continue  # these have no gaps
        ours, theirs = float(train.isna().mean()), float(test.isna().mean())
        clear = abs(surplus(ours, len(train), theirs, len(test))) > _CLEAR
        if clear and abs(ours - theirs) > _GAPS_APART:
            yield abs(ours - theirs), str(column), ours, theirs


def drawn_alike(problem: Problem) -> Iterator[Check]:
    """Adversarial validation; nothing is said of tables too small for it, nor of pixels."""
    columns = list(problem.columns)
    if not columns or is_pixel_table(problem.tables.train[columns]):
        return
    by = problem.groups
    groups = (
        []
        if by is None or by not in problem.tables.test.columns
        else [problem.tables.train[by], problem.tables.test[by]]
    )
    found = adversarial_auc(problem.tables.train[columns], problem.tables.test[columns], groups=groups)
    if found is None:
        return
    auc, error, telling = found
    apart = auc > max(_TOLD_APART, 0.5 + 3 * error)
    detail = f"A classifier tells test rows from train rows with an AUC of {auc:.2f} (0.5: not at all)."
    if apart:
        detail += f" {', '.join(telling)} tell most. Validate on rows like test's (--split), or drop them (--drop)."
    yield Check(name="adversarial validation", status="warn" if apart else "pass", detail=detail)
