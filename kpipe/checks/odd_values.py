"""A few rows of test that are written differently: placeholders, other units, other spellings, day and month exchanged.

Such rows are too few to move a whole column, but each is predicted from values that it does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

import numpy as np
import pandas as pd

from kpipe.checks.folds import goes_on
from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import list_names, two_proportion_z
from kpipe.core.values import Folds
from kpipe.data.column_types import is_free_text, is_pixel_table, to_numeric
from kpipe.data.dates import parse_dates
from kpipe.problem.problem import Problem
from kpipe.problem.vocabulary import labels_alike, plain_spelling

__all__ = ["TABLE_CHECKS", "labels_spelled_alike", "values_in_range"]

_ROWS = 20_000  # of each table, that are compared
_MIN_ROWS, _MIN_SHARE = 5, 0.003  # of test, from which odd values are reported
_SIGNIFICANT = 5.0  # standard errors
_FAR = 1.0  # interquantile ranges beyond which a value of test lies far outside of train
# Ratios of units in use: thousands, percent, inch, foot, mile, pound, ounce, gallon, minutes and hours, and their like.
_UNITS = (1000, 100, 10, 60, 3600, 2.54, 25.4, 3.28084, 0.453592, 28.3495, 1.609344, 3.78541, 1e6, 24)
_USUAL, _MIN_VALUES = 0.999, 20  # share of train's values with as many decimals, and different values of such a column
_MAX_FREE = 0.2  # share of a column's texts that may be different cells, for spellings to be compared
_EARLY, _MIN_EARLY = 12, 0.25  # days that can be months, and the share of later days that a column of dates has


def values_in_range(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Whether some rows of test have placeholders, units or spellings that train does not have.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    X, test = (_sample(frame) for frame in (problem.X, problem.X_test))
    if is_pixel_table(X) or len(test) < _MIN_ROWS:
        return
    found = [text for column in X for text in _odd_values(X[column], test[column])]
    if not found:
        yield "pass", "Test has no placeholder, unit or spelling that train does not have."
        return
    more = f" {len(found) - 3} more columns differ likewise." if len(found) > 3 else ""
    yield "warn", f"{' '.join(found[:3])}{more}"


def _sample(frame: pd.DataFrame) -> pd.DataFrame:
    if len(frame) <= _ROWS:
        return frame
    return frame.iloc[np.sort(np.random.default_rng(0).permutation(len(frame))[:_ROWS])]


def _odd_values(train: pd.Series, test: pd.Series) -> Iterator[str]:
    if pd.api.types.is_numeric_dtype(train) and pd.api.types.is_numeric_dtype(test):
        if not pd.api.types.is_bool_dtype(train) and not goes_on(train, test) and not train.is_unique:
            yield from _odd_numbers(train, test)
    elif (dates := parse_dates(train)) is not None:
        yield from _exchanged_days(str(train.name), dates, parse_dates(test))
    elif to_numeric(train) is None and not is_free_text(train):
        yield from _odd_spellings(train, test)


def _odd_numbers(train: pd.Series, test: pd.Series) -> Iterator[str]:
    ours, theirs = (part.to_numpy(dtype=np.float64, na_value=np.nan) for part in (train, test))
    ours, theirs = ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]
    if len(ours) < 30 or len(theirs) < _MIN_ROWS:
        return
    low, high = np.quantile(ours, [0.01, 0.99])
    width = max(high - low, 1e-12)
    far = theirs[
        (theirs < ours.min()) & (theirs < low - _FAR * width) | (theirs > ours.max()) & (theirs > high + _FAR * width)
    ]
    if len(far) < max(_MIN_ROWS, _MIN_SHARE * len(theirs)):
        yield from _repeated_value(str(train.name), ours, theirs)
        yield from _more_decimals(str(train.name), ours, theirs)
        return
    values, counts = np.unique(far, return_counts=True)
    share = f"{len(far)} rows of test ({len(far) / len(test):.1%})"
    if counts.max() >= 0.8 * len(far):
        yield (
            f"{train.name} is {values[counts.argmax()]:g} in {share}, far outside of train's {ours.min():g} to "
            f"{ours.max():g}: probably a placeholder. Convert it to a missing value in clean."
        )
        return
    yield (
        f"{train.name} lies far outside of train's {ours.min():g} to {ours.max():g} in {share}, such as "
        f"{', '.join(f'{value:g}' for value in values[:3])}{_unit(ours, far)}. Convert these values in clean."
    )


def _unit(ours: np.ndarray, far: np.ndarray) -> str:
    """The factor by which values that lie far outside resemble those of train; empty if none is known, or several."""
    low, high = np.quantile(ours, [0.02, 0.98])
    factors = [*_UNITS, *(1 / unit for unit in _UNITS)]
    fit = [factor for factor in factors if ((far / factor >= low) & (far / factor <= high)).mean() > 0.8]
    if len(fit) == 1:
        return f": perhaps another unit, as they fit when divided by {fit[0]:g}"
    return ": perhaps another unit" if fit else ""


def _repeated_value(column: str, ours: np.ndarray, theirs: np.ndarray) -> Iterator[str]:
    """A value outside of train's range that rows of test share, such as -1 where train starts at 0."""
    values, counts = np.unique(theirs[(theirs < ours.min()) | (theirs > ours.max())], return_counts=True)
    if len(values) and counts.max() >= max(2 * _MIN_ROWS, 2 * _MIN_SHARE * len(theirs)):
        value = values[counts.argmax()]
        usual = np.unique(theirs, return_counts=True)[1]
        if counts.max() > 5 * np.median(usual) and len(np.unique(ours)) > 20:
            yield (
                f"{column} is {value:g} in {counts.max()} rows of test ({counts.max() / len(theirs):.1%}), outside of "
                f"train's {ours.min():g} to {ours.max():g}: if it is a placeholder, convert it to a missing value in "
                "clean."
            )


def _more_decimals(column: str, ours: np.ndarray, theirs: np.ndarray) -> Iterator[str]:
    """Values of test with more decimals than train's: computed from others, as by a conversion of units."""
    decimals = next((d for d in range(4) if _share_with(ours, d) >= _USUAL), None)
    if decimals is None or len(np.unique(ours)) < _MIN_VALUES:
        return
    odd = theirs[np.round(theirs, decimals) != theirs]
    if max(2 * _MIN_ROWS, 2 * _MIN_SHARE * len(theirs)) <= len(odd) <= len(theirs) / 2:
        yield (
            f"{column} has more than {decimals} decimals in {len(odd)} rows of test ({len(odd) / len(theirs):.1%}), "
            f"such as {odd[0]:.6g}, but not in train: these values may be in another unit. Convert them in clean."
        )


def _share_with(numbers: np.ndarray, decimals: int) -> float:
    return float((np.round(numbers, decimals) == numbers).mean())


def _odd_spellings(train: pd.Series, test: pd.Series) -> Iterator[str]:
    known = pd.Index(train.dropna().astype(str).unique())
    if len(known) > _MAX_FREE * max(train.notna().sum(), 1):
        return
    cells = test.dropna().astype(str)
    new = cells[~cells.isin(known)]
    if len(new):
        plain = dict(zip(plain_spelling(known.to_series()), known, strict=True))
        meant = plain_spelling(new).map(plain).dropna()
        if len(meant) >= max(3, _MIN_SHARE * len(test)):
            yield (
                f"{train.name} is spelled differently in {len(meant)} rows of test ({len(meant) / len(test):.1%}): "
                f"{new[meant.index[0]]!r}, but {meant.iloc[0]!r} in train. Convert it in clean, such as with "
                ".str.strip().str.lower()."
            )


def _exchanged_days(column: str, train: pd.Series, test: pd.Series | None) -> Iterator[str]:
    """Days from 1 to 12 that are more frequent in test: where a file exchanges day and month, no later day is left."""
    if test is None or train.isna().all() or test.isna().all():
        return
    shares = [float((part.dropna().dt.day <= _EARLY).mean()) for part in (train, test)]
    months = [set(part.dropna().dt.month) for part in (train, test)]
    z = two_proportion_z(shares[1], int(test.notna().sum()), shares[0], int(train.notna().sum()))
    if z > _SIGNIFICANT and 1 - shares[0] > _MIN_EARLY and len(months[1] - months[0]) + (shares[1] > 0.999) > 0:
        yield (
            f"{column} has days from 1 to 12 in {shares[1]:.0%} of test rows, but in {shares[0]:.0%} of train's: day "
            "and month may be exchanged. Parse the dates of each file in clean with its own format."
        )


def labels_spelled_alike(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Whether two labels of the target probably mean the same, as those that differ only in case or blanks.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
        None where all labels differ.
    """
    twice = [] if problem.labels is None else [label for alike in labels_alike(problem.labels) for label in alike]
    if twice:
        counts = problem.tables.train[problem.targets[0]].astype(str).value_counts()
        shown = [f"{label!r} ({counts.get(label, 0)} rows)" for label in twice]
        yield (
            "fail",
            f"{problem.targets[0]} has labels that probably mean the same: {list_names(shown)}. They "
            f"count as different classes. Convert them to one label in clean, such as with "
            f"train[{quote(problem.targets[0])}].str.strip().str.lower().",
        )


TABLE_CHECKS = (
    TableCheck("values in range", values_in_range, optional=True),
    TableCheck("labels spelled alike", labels_spelled_alike),
)
