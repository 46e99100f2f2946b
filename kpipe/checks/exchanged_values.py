"""Test rows in which two columns are swapped, or the day and month of a date."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpipe.checks.folds import times_continue
from kpipe.checks.statistics import two_proportion_z

__all__ = ["days_out_of_order", "exchanged_columns", "exchanged_days", "other_form_of_date"]

_MIN_ROWS = 10  # of test, in which two columns are exchanged
_MIN_SHARE = 0.003  # of test's dates that have another form
# Shares of train's rows in which a column exceeds another, at least, and is exceeded, at most; that share in test.
_ORDERED, _EVER, _VIOLATED = 0.9, 0.001, 0.01
_USUAL_BACK = 0.8  # share of such rows whose values, difference and ratio are usual once the two are exchanged back
_PAIRED_COLUMNS, _PAIRED_ROWS = 40, 5_000  # of which all pairs of columns are compared
_SIGNIFICANT = 5.0  # standard errors
_EARLY, _MIN_EARLY = 12, 0.25  # days that can be months, and the share of later days that a column of dates has
_NUMBERS = re.compile(r"^\s*(\d{1,2})[/.-](\d{1,2})[/.-]\d{2,4}\b")
_MOSTLY = 0.9  # share of the cells of a column of dates that have this form


def exchanged_columns(train: pd.DataFrame, test: pd.DataFrame) -> Iterator[str]:
    """Sentences about two columns of which one exceeds the other in train, but not in some rows of test.

    Parameters
    ----------
    train, test : DataFrame

    Yields
    ------
    str
        Only where both are usual once they are exchanged back.
    """
    names = [c for c in train if pd.api.types.is_float_dtype(train[c]) and pd.api.types.is_numeric_dtype(test[c])]
    names = [c for c in names if not times_continue(train[c], test[c])][:_PAIRED_COLUMNS]
    ours, theirs = (
        frame[names].iloc[:_PAIRED_ROWS].to_numpy(dtype=np.float64, na_value=np.nan) for frame in (train, test)
    )
    for number in range(len(names)):
        for other in range(number + 1, len(names)):
            for one, two in ((number, other), (other, number)):
                text = _exchanged(*(values[:, [one, two]] for values in (ours, theirs)))
                if text is not None:
                    yield text.format(names[one], names[two])


def _exchanged(train: np.ndarray, test: np.ndarray) -> str | None:
    """A sentence about two columns; None unless the second exceeds the first in rows of test where it should not."""
    train, test = (values[~np.isnan(values).any(axis=1)] for values in (train, test))
    if min(len(train), len(test)) <= 30:
        return None
    exceeds = float((train[:, 0] > train[:, 1]).mean())
    odd = test[test[:, 0] < test[:, 1]]
    if exceeds < _ORDERED or (train[:, 0] < train[:, 1]).mean() > _EVER:
        return None
    if len(odd) < max(_MIN_ROWS, _VIOLATED * len(test)) or not _usual_when_exchanged_back(train, odd):
        return None
    return (
        f"{{0}} exceeds {{1}} in {exceeds:.1%} of train's rows, but {{1}} exceeds {{0}} in {len(odd)} rows of test "
        f"({len(odd) / len(test):.1%}): the two may be swapped in these rows. Swap them back in clean."
    )


def _usual_when_exchanged_back(train: np.ndarray, odd: np.ndarray) -> bool:
    back = odd[:, ::-1]
    # Each column by itself, too: one that has merely fallen would get values that train does not have.
    forms = [(train[:, 0], back[:, 0]), (train[:, 1], back[:, 1]), (train[:, 0] - train[:, 1], back[:, 0] - back[:, 1])]
    if train.min() > 0 and odd.min() > 0:
        forms.append((train[:, 0] / train[:, 1], back[:, 0] / back[:, 1]))
    bounds = [np.quantile(ours, [0.005, 0.995]) for ours, _ in forms]
    usual = [(now >= low) & (now <= high) for (_, now), (low, high) in zip(forms, bounds, strict=True)]
    return bool(np.all(usual, axis=0).mean() >= _USUAL_BACK)


def other_form_of_date(train: pd.Series, test: pd.Series) -> str | None:
    """A sentence about dates of test that can only be day, then month, while train writes month, then day; or reversed.

    Parameters
    ----------
    train, test : Series

    Returns
    -------
    str or None
    """
    if pd.api.types.is_numeric_dtype(train) or pd.api.types.is_datetime64_any_dtype(train):
        return None
    ours = _two_numbers(train)
    if len(ours) < _MOSTLY * train.notna().sum() or not len(ours) or not len(theirs := _two_numbers(test)):
        return None
    for day, names in ((0, "day, then month"), (1, "month, then day")):
        month = 1 - day
        if (ours[:, day] > _EARLY).mean() > _MIN_EARLY and (ours[:, month] <= _EARLY).all():
            odd = np.flatnonzero(theirs[:, month] > _EARLY)
            if len(odd) >= max(3, _MIN_SHARE * len(theirs)):
                cell = test.dropna().astype(str).loc[lambda cells: cells.str.match(_NUMBERS)].iloc[odd[0]]
                return (
                    f"{train.name} is written as {names} in train, but {len(odd)} cells of test can only be the "
                    f"reverse, such as {cell!r}; others there are read wrongly. Parse each form of date with its own "
                    "format in clean."
                )
    return None


def _two_numbers(column: pd.Series) -> np.ndarray:
    """(n, 2) the first two numbers of the cells that look like dates of numbers."""
    cells = column.dropna().astype(str).str.extract(_NUMBERS).dropna()
    return cells.to_numpy(dtype=np.float64)


def days_out_of_order(column: str, train: pd.Series, test: pd.Series | None) -> str | None:
    """A sentence about dates of test that are in the order of the file only once day and month are exchanged.

    Parameters
    ----------
    column : str
    train, test : Series
        Its dates; None where test has none.

    Returns
    -------
    str or None
        None unless train is in order, and unambiguous dates of test are.
    """
    if test is None or train.isna().any() or test.isna().any() or not train.is_monotonic_increasing:
        return None
    early = (test.dt.day <= _EARLY).to_numpy()
    sure = test.reset_index(drop=True).mask(early)
    if len(sure.dropna()) < _MIN_ROWS or not sure.dropna().is_monotonic_increasing or sure.dropna().nunique() < 2:
        return None
    low, high = sure.ffill(), sure.bfill()
    exchanged = pd.to_datetime({"year": test.dt.year, "month": test.dt.day.where(early, 1), "day": test.dt.month})
    fits = [~((day.to_numpy() < low) | (day.to_numpy() > high)) for day in (test, exchanged)]
    outside = ~fits[0] & early
    odd = np.flatnonzero(outside & fits[1])
    if len(odd) < max(_MIN_ROWS, _MIN_SHARE * len(test)) or len(odd) < _USUAL_BACK * outside.sum():
        return None
    return (
        f"{column} is in the order of the file in train, and in test but for {len(odd)} rows (first: row {odd[0] + 1}, "
        f"{test.iloc[odd[0]]:%Y-%m-%d}) that fit if day and month are swapped. Parse the dates of these rows in clean "
        "with their own format."
    )


def exchanged_days(column: str, train: pd.Series, test: pd.Series | None) -> Iterator[str]:
    """A sentence about days from 1 to 12 that are more frequent in test, as when day and month are swapped.

    Parameters
    ----------
    column : str
    train, test : Series
        Its dates; None where test has none.

    Yields
    ------
    str
    """
    if test is None or train.isna().all() or test.isna().all():
        return
    shares = [float((part.dropna().dt.day <= _EARLY).mean()) for part in (train, test)]
    months = [set(part.dropna().dt.month) for part in (train, test)]
    z = two_proportion_z(shares[1], int(test.notna().sum()), shares[0], int(train.notna().sum()))
    if z > _SIGNIFICANT and 1 - shares[0] > _MIN_EARLY and len(months[1] - months[0]) + (shares[1] > 0.999) > 0:
        yield (
            f"{column} has days from 1 to 12 in {shares[1]:.0%} of test rows, but in {shares[0]:.0%} of train's: day "
            "and month may be swapped. Parse the dates of each file in clean with its own format."
        )
