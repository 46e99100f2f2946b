"""Words, categories and decimals that only train has and that reveal the target: added after it was known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from shlex import quote

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import list_names
from kpipe.core.values import Folds
from kpipe.data.column_types import is_pixel_table, to_numeric
from kpipe.data.dates import parse_dates
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "values_of_train_only"]

_ROWS, _COLUMNS = 20_000, 100  # of each table, that are used
_EXPECTED = 16.0  # rows of test that should have a word, at train's rate: chance leaves all out once in 9 million times
_PURE = 0.99  # share of a word's rows that are in its class
_SURPRISE, _MIN_SHARE = 40.0, 0.02  # -log of the probability of such rows; share of train's rows that they are
_MAX_DECIMALS = 6  # of test
_MIN_CLASSES = 2  # whose words are found, from which it is sure


def values_of_train_only(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Values, words or decimals that many rows of train have and none of test, all in one class; nothing without.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    X, test, y = problem.X, problem.X_test, problem.tables.train[problem.targets[0]]
    if problem.labels is None or len(problem.targets) > 1 or is_pixel_table(X):
        return
    rows = np.sort(np.random.default_rng(0).permutation(len(X))[:_ROWS])
    X, y = X.iloc[rows], y.iloc[rows]
    test = test.iloc[np.sort(np.random.default_rng(0).permutation(len(test))[:_ROWS])]
    codes, labels = pd.factorize(y, sort=True)
    for column in list(X)[:_COLUMNS]:
        found = _telling(X[column], test[column], codes)
        if sum(count for _, count, _ in found) < _MIN_SHARE * len(X):
            continue
        shown = list_names([f"{word} ({count:,} rows, all {labels[code]})" for word, count, code in found])
        # Over time, categories come and go; and groups that test does not share have words of their own.
        by_time_or_group = folds.refit or problem.groups is not None
        whole = test[column].isna().all()  # what train has instead was not known when test was made
        sure = (len({code for _, _, code in found}) >= _MIN_CLASSES or whole) and not by_time_or_group
        yield (
            "fail" if sure else "warn",
            f"{column} reveals {problem.targets[0]} in rows of train by values that no row of test has: "
            f"{shown.replace('more column', 'more value')}. They were probably added after the target was known: "
            f"remove them in clean, or drop the column (--drop {quote(str(column))}).",
        )
        return


def _telling(train: pd.Series, test: pd.Series, codes: np.ndarray) -> list[tuple[str, int, int]]:
    """(what, number of rows, class) of what rows of one class have in train, and no row of test."""
    if test.isna().all():
        return _telling_rows({"a value": train.notna().to_numpy()}, len(test), codes)
    if pd.api.types.is_float_dtype(train) and pd.api.types.is_numeric_dtype(test):
        return _telling_rows(_more_decimals(train, test), len(test), codes)
    if pd.api.types.is_numeric_dtype(train) or not _is_text(train):
        return []
    return [(repr(word), count, code) for word, count, code in _telling_words(train, test, codes)]


def _more_decimals(train: pd.Series, test: pd.Series) -> dict[str, np.ndarray]:
    """Which rows of train have more decimals than any of test: rows computed from others, as by SMOTE."""
    ours, theirs = (part.to_numpy(dtype=np.float64, na_value=np.nan) for part in (train, test))
    for decimals in range(_MAX_DECIMALS):
        if np.array_equal(np.round(theirs, decimals), theirs, equal_nan=True):
            odd = np.isfinite(ours) & (np.round(ours, decimals) != ours)
            return {f"more than {decimals} decimal{'s' * (decimals != 1)}": odd}
    return {}


def _telling_rows(rows: Mapping[str, np.ndarray], n_test: int, codes: np.ndarray) -> list[tuple[str, int, int]]:
    """The kinds of rows that are frequent enough to be expected in test, too, and whose rows are all of one class."""
    shares = np.bincount(codes) / len(codes)
    found = []
    for what, which in rows.items():
        count, of_class = int(which.sum()), np.bincount(codes[which], minlength=len(shares))
        code = int(of_class.argmax())
        expected = count * n_test / len(codes)
        # Without them the class may be rare: it is their rows that make it frequent.
        others = max((np.sum(codes == code) - of_class[code]) / max(len(codes) - count, 1), 1 / len(codes))
        surprise = -count * np.log(min(others, shares[code]))
        if expected >= _EXPECTED and of_class[code] >= _PURE * count and surprise >= _SURPRISE:
            found.append((what, count, code))
    return found


def _is_text(column: pd.Series) -> bool:
    return to_numeric(column) is None and parse_dates(column) is None


def _telling_words(train: pd.Series, test: pd.Series, codes: np.ndarray) -> list[tuple[str, int, int]]:
    """(word, number of rows, class) of the words of train that test lacks, and that are in rows of one class."""
    ours, theirs = [_words(cell) for cell in train], Counter(word for cell in test for word in _words(cell))
    counts = [Counter[str]() for _ in range(int(codes.max()) + 1)]
    for words, code in zip(ours, codes, strict=True):
        counts[code].update(words)
    total = sum(counts, Counter[str]())
    least = _EXPECTED * len(train) / max(len(test), 1)
    shares = np.bincount(codes) / len(codes)
    found = []
    for word, count in total.items():
        if count < least or theirs[word]:
            continue
        code = int(np.argmax([of_class[word] for of_class in counts]))
        if counts[code][word] >= _PURE * count and -count * np.log(shares[code]) >= _SURPRISE:
            found.append((word, count, code))
    return sorted(found, key=lambda one: -one[1])


def _words(cell: object) -> set[str]:
    """The cell in small letters, and its words."""
    if not isinstance(cell, str):
        return set()
    text = cell.strip().casefold()
    return {text, *re.findall(r"[^\W\d_]{2,}|\w*\d\w*", text)}


TABLE_CHECKS = (TableCheck("values of train only", values_of_train_only),)
