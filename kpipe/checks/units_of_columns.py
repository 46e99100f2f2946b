"""Columns that have another unit in all of test: all values are those of train times a factor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from kpipe.checks.statistics import ks_statistic

__all__ = ["Factor", "find_factor", "two_digit_years", "unit_of_column"]

_MIN_ROWS, _MIN_VALUES = 50, 20
_LEVELS = np.linspace(0.2, 0.8, 7)  # of the quantiles that are compared
_LEAST, _CERTAIN = 1.8, 5.0  # factors from which a column counts as scaled, and surely so
_STEADY = 0.2  # how far the logarithms of the ratios of quantiles may lie apart
# Kolmogorov-Smirnov statistics before and after conversion; its critical value at a level of 1 %, times the root of n.
_APART, _TOGETHER, _BY_CHANCE = 0.4, 0.03, 1.63
_POWERS = tuple(10.0**power for power in range(-6, 7))
_ROWS, _ZEROS = 5_000, 0.1  # rows that are used; difference between the shares of zeros
_CENTURY = 100


class Factor(NamedTuple):
    """The factor that converts test's values to those of train, and the medians of both."""

    value: float
    train: float
    test: float


def find_factor(train: pd.Series, test: pd.Series) -> Factor | None:
    """The factor by which test's values must be multiplied to be distributed as train's; None if there is none.

    Parameters
    ----------
    train, test : Series
        A column of numbers.

    Returns
    -------
    Factor or None

    Examples
    --------
    >>> grams = pd.Series(np.random.default_rng(0).lognormal(5, 1, 500))
    >>> f"{find_factor(grams, grams / 1000).value:.0f}"
    '1000'
    >>> find_factor(grams, grams + 300) is None
    True
    """
    if not all(pd.api.types.is_numeric_dtype(part) and not pd.api.types.is_bool_dtype(part) for part in (train, test)):
        return None
    (ours, zeros), (theirs, others) = (_positive(part) for part in (train, test))
    if (
        abs(zeros - others) > _ZEROS
        or min(len(ours), len(theirs)) < _MIN_ROWS
        or min(len(np.unique(ours)), len(np.unique(theirs))) < _MIN_VALUES
    ):
        return None
    ratios = np.log(np.quantile(ours, _LEVELS) / np.quantile(theirs, _LEVELS))
    factor = float(np.exp(np.median(ratios)))
    if max(factor, 1 / factor) < _LEAST or np.abs(ratios - np.median(ratios)).max() > _STEADY:
        return None
    ours, theirs = np.sort(ours), np.sort(theirs)
    # Where values repeat, as sums of a few do, only the very factor makes them alike.
    near = [one for one in (*_POWERS, *np.exp(ratios).tolist(), factor) if abs(np.log(one / factor)) <= _STEADY]
    factor = min(near, key=lambda one: _distance(ours, theirs * one) - _TOGETHER * (one in _POWERS))
    if ks_statistic(ours, theirs) < _APART or _distance(ours, theirs * factor) > _TOGETHER + _BY_CHANCE * np.sqrt(
        1 / len(ours) + 1 / len(theirs)
    ):
        return None
    return Factor(factor, float(np.median(ours)), float(np.median(theirs)))


def _distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The Kolmogorov-Smirnov statistic of sorted values, to four digits: conversion leaves a rounding error."""
    return ks_statistic(*(np.array([float(f"{value:.4g}") for value in values]) for values in (ours, theirs)))


def _positive(column: pd.Series) -> tuple[np.ndarray, float]:
    """The positive numbers of a column, none if others are negative, and the share of zeros."""
    rows = np.linspace(0, len(column) - 1, min(len(column), _ROWS)).astype(int)  # of the whole file: it may be in time
    values = column.iloc[rows].to_numpy(dtype=np.float64, na_value=np.nan)
    values = values[np.isfinite(values)]
    return values[values > 0] if (values >= 0).all() else values[:0], float((values == 0).mean()) if len(
        values
    ) else 0.0


def unit_of_column(column: str, factor: Factor) -> tuple[bool, str]:
    """Whether it is certain that a column of test has another unit, and a sentence about it.

    Parameters
    ----------
    column : str
    factor : Factor

    Returns
    -------
    tuple of (bool, str)
    """
    convert = f"multiply them by {factor.value:.3g}" if factor.value > 1 else f"divide them by {1 / factor.value:.3g}"
    return max(factor.value, 1 / factor.value) >= _CERTAIN, (
        f"{column} is in another unit in all rows of test: its median is {factor.test:.3g} there and "
        f"{factor.train:.3g} in train, and all quantiles differ by the same factor. Convert the values of test in "
        f"clean: {convert}."
    )


def two_digit_years(train: pd.Series, test: pd.Series) -> str | None:
    """A sentence about four-digit years in train that have two digits in test; None if there are none.

    Parameters
    ----------
    train, test : Series

    Returns
    -------
    str or None
    """
    if not all(pd.api.types.is_numeric_dtype(part) for part in (train, test)):
        return None
    ours, theirs = train.dropna(), test.dropna()
    if min(len(ours), len(theirs)) < _MIN_ROWS or ours.min() < 1_800 or ours.max() > 2_100 or ours.nunique() < 2:
        return None
    short = theirs[(theirs >= 0) & (theirs < _CENTURY)]
    if len(short) < 5 or not short.isin((ours % _CENTURY).unique()).mean() > 0.9:
        return None
    return (
        f"{train.name} has four-digit years in train ({ours.min():g} to {ours.max():g}), but two-digit years in "
        f"{len(short)} rows of test ({len(short) / len(test):.1%}), such as {short.iloc[0]:g}. Add the century in "
        "clean."
    )
