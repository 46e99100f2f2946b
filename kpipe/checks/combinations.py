"""Values derived from two or three columns: sums, differences, products, equality, categories, joint missingness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from kpipe.data.column_types import to_numeric

__all__ = [
    "Derived",
    "greatest_of_columns",
    "joint_categories",
    "number_columns",
    "number_pairs",
    "remainders",
    "text_pairs",
]

_NUMBERS, _SCREENED = 50, 300  # columns that are paired; rows of the screening
_MIN_SKILL = 0.95  # 2 AUC - 1, or the rank correlation, from which a pair of columns is examined
_MAX_CATEGORIES, _MAX_COLUMNS, _MAX_CELLS = 12, 24, 120  # categories of a column; columns; combinations of categories
# Rows, and share of errors removed, by which joint categories are screened.
_SCREENED_CELLS, _MIN_CELL_SKILL = 1_000, 0.9
_MISSING = (0.01, 0.99)  # shares of missing values between which the missingness of a column is examined
_MODULI = (3, 4, 6, 7, 8, 9, 11, 12, 13, 16, 24, 60)  # those of a decimal's last digits are among the parts of numbers
_BITS = 20  # binary digits of a whole number that are examined
_FLAGS, _MAX_FLAGS = 3, 12  # categories, and number, of columns of which four and five are joined
_TEXTS = 8
_COMBINATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "{} minus {}": lambda a, b: a - b,
    "{} plus {}": lambda a, b: a + b,
    "{} times {}": lambda a, b: a * b,
    "{} divided by {}": lambda a, b: a / b,
    "{1} divided by {0}": lambda a, b: b / a,
    "The absolute difference of {} and {}": lambda a, b: np.abs(a - b),
    "The sum of the squares of {} and {}": lambda a, b: a * a + b * b,
    "The greater of {} and {}": np.maximum,
    "The smaller of {} and {}": np.minimum,
}
_REMAINDERS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Whether {} minus {} is even": lambda a, b: (a - b) % 2,
    "The last digit of {} minus {}": lambda a, b: (a - b) % 10,
    "The last digit of {} plus {}": lambda a, b: (a + b) % 10,
}

Screen = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""The skill of each column of (rows, k) values on these rows."""


class Derived(NamedTuple):
    """Values derived from columns. subject : how a sentence about them begins. columns : those to drop or convert.

    codes : whether the values are categories, and not numbers.
    """

    subject: str
    columns: tuple[str, ...]
    values: np.ndarray
    codes: bool = False


def number_pairs(X: pd.DataFrame, skills: Screen, cells: Screen | None) -> Iterator[Derived]:
    """Differences, sums, products, ratios and remainders of two numeric or date columns that predict the target.

    Parameters
    ----------
    X : DataFrame
    skills : callable
        How well values order the target.
    cells : callable or None
        How well categories predict the class; None where the target is a number.

    Yields
    ------
    Derived
        All pairs are screened in some of the rows; only those that pass are yielded.
    """
    numbers = dict(number_columns(X))
    some = np.random.default_rng(1).permutation(len(X))[:_SCREENED]
    whole = {name for name, values in numbers.items() if np.array_equal(np.round(values[some]), values[some])}
    for one in numbers:
        others = [name for name in numbers if name > one]
        if others:
            few = np.column_stack([numbers[name][some] for name in others])
            yield from _screened(numbers, one, others, few, some, _COMBINATIONS, skills)
        others = [name for name in others if name in whole]
        if others and one in whole and cells is not None:
            few = np.column_stack([numbers[name][some] for name in others])
            yield from _screened(numbers, one, others, few, some, _REMAINDERS, cells)


def remainders(X: pd.DataFrame, cells: Screen) -> Iterator[Derived]:
    """Remainders and binary digits of integers that predict the class, as if every seventh number belonged to one.

    Parameters
    ----------
    X : DataFrame
    cells : callable
        How well categories predict the class.

    Yields
    ------
    Derived
        Those that pass a screening in some of the rows.
    """
    some = np.random.default_rng(4).permutation(len(X))[:_SCREENED_CELLS]
    for column, values in number_columns(X):
        if np.ptp(values[some]) < _MODULI[0] or not np.array_equal(np.round(values[some]), values[some]):
            continue
        table = np.column_stack([values[some] % modulus for modulus in _MODULI])
        good = np.flatnonzero(cells(table, some) >= _MIN_CELL_SKILL)
        if len(good):
            modulus = _MODULI[good[0]]
            yield Derived(f"The remainder of {column} by {modulus}", (column,), values % modulus, codes=True)
        bits = np.column_stack([values[some] // 2**place % 2 for place in range(1, _BITS)])
        for place in 1 + np.flatnonzero(cells(bits, some) >= _MIN_CELL_SKILL)[:1]:
            subject = f"Binary digit {place + 1} of {column}, from the right,"
            yield Derived(subject, (column,), values // 2**place % 2, codes=True)


def greatest_of_columns(X: pd.DataFrame, cells: Screen, classes: int) -> Iterator[Derived]:
    """Which of several adjacent columns is the largest: one column per class may hold the predictions of another model.

    Parameters
    ----------
    X : DataFrame
    cells : callable
        How well categories predict the class.
    classes : int
        Number of classes; of two, a difference of columns says the same.

    Yields
    ------
    Derived
        Those that pass a screening in some of the rows.
    """
    numbers = dict(number_columns(X)) if classes > 2 else {}
    some = np.random.default_rng(3).permutation(len(X))[:_SCREENED_CELLS]
    for start in range(len(numbers) - classes + 1):
        names = tuple(numbers)[start : start + classes]
        table = np.column_stack([numbers[name] for name in names])
        which = np.nan_to_num(table, nan=-np.inf).argmax(axis=1)
        if cells(which[some, None], some)[0] >= _MIN_CELL_SKILL:
            yield Derived(f"Which of {', '.join(names)} is greatest", names, which, codes=True)


def number_columns(X: pd.DataFrame, most: int = _NUMBERS) -> Iterator[tuple[str, np.ndarray]]:
    """Columns that hold numbers or dates, and more than two values.

    Parameters
    ----------
    X : DataFrame
    most : int
        Number of columns, at most.

    Yields
    ------
    tuple of (str, array)
        The name and the (n,) numbers.
    """
    found = 0
    for column in X:
        if found < most and X[column].nunique() > 2:
            values = to_numeric(X[column])
            if values is not None and not np.isnan(values).all():
                found += 1
                yield str(column), values


def _screened(
    numbers: Mapping[str, np.ndarray],
    one: str,
    others: list[str],
    few: np.ndarray,
    some: np.ndarray,
    ways: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]],
    screen: Screen,
) -> Iterator[Derived]:
    for words, combine in ways.items():
        with np.errstate(all="ignore"):
            table = combine(numbers[one][some][:, None], few)
        good = screen(np.nan_to_num(table, nan=0.0, posinf=1e300, neginf=-1e300), some) >= _MIN_SKILL
        for place in np.flatnonzero(good):
            two = others[place]
            with np.errstate(all="ignore"):
                values = combine(numbers[one], numbers[two])
            values = np.where(np.isfinite(values), values, np.nan)
            yield Derived(words.format(one, two), (one, two), values, codes=ways is _REMAINDERS)


def text_pairs(X: pd.DataFrame) -> Iterator[Derived]:
    """Whether the texts of two columns are equal, begin or end alike, or one is a part of the other.

    Parameters
    ----------
    X : DataFrame

    Yields
    ------
    Derived
    """
    texts = {
        str(c): np.array([str(cell).casefold() for cell in X[c]], dtype=object)
        for c in X
        if not pd.api.types.is_numeric_dtype(X[c]) and X[c].nunique() > 1
    }
    for one, two in combinations(list(texts)[:_TEXTS], 2):
        a, b = texts[one], texts[two]
        equal = a == b
        if equal.any() and not equal.all():
            yield Derived(f"Whether {one} equals {two}", (one, two), equal.astype(int), codes=True)
        for which, place in (("begin", slice(1)), ("end", slice(-1, None))):
            alike = np.array([x[place] == y[place] for x, y in zip(a, b, strict=True)])
            if alike.any() and not alike.all() and not np.array_equal(alike, equal):
                yield Derived(f"Whether {one} and {two} {which} alike", (one, two), alike.astype(int), codes=True)
        within = np.array([x in y or y in x for x, y in zip(a, b, strict=True)])
        if within.any() and not within.all() and not np.array_equal(within, equal):
            yield Derived(f"Whether {one} and {two} contain each other", (one, two), within.astype(int), codes=True)


def joint_categories(X: pd.DataFrame, cells: Screen) -> Iterator[Derived]:
    """A few columns with few categories, or their missing values, that together predict the class.

    Parameters
    ----------
    X : DataFrame
    cells : callable
        How well categories predict the class.

    Yields
    ------
    Derived
        Those that pass a screening in some of the rows.
    """
    columns = dict(sorted(_category_codes(X), key=lambda one: int(one[1].max()))[:_MAX_COLUMNS])
    some = np.random.default_rng(2).permutation(len(X))[:_SCREENED_CELLS]
    flags = [name for name, codes in columns.items() if codes.max() < _FLAGS][:_MAX_FLAGS]
    for size, of in ((2, list(columns)), (3, list(columns)), (4, flags), (5, flags)):
        made = [
            (names, joint)
            for names in combinations(of, size)
            if (joint := _join([columns[name] for name in names])) is not None
        ]
        if not made:
            continue
        good = cells(np.column_stack([joint[some] for _, joint in made]), some) >= _MIN_CELL_SKILL
        for place in np.flatnonzero(good):
            names, joint = made[place]
            plain = tuple(name.removeprefix("whether ").removesuffix(" is missing") for name in names)
            subject = " and ".join([", ".join(names[:-1]), names[-1]])
            yield Derived(f"The combination of {subject}", plain, joint, codes=True)


def _category_codes(X: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Codes of the columns of few categories, and of what is missing in each column."""
    for column in X:
        if 2 <= X[column].nunique() <= _MAX_CATEGORIES:
            yield str(column), pd.factorize(X[column], use_na_sentinel=False)[0]
    shares = X.isna().mean()
    for column in shares.index[(shares > _MISSING[0]) & (shares < _MISSING[1])]:
        yield f"whether {column} is missing", X[column].isna().to_numpy().astype(np.int64)


def _join(codes: list[np.ndarray]) -> np.ndarray | None:
    """One code for each combination; None for too many."""
    joint = codes[0]
    for more in codes[1:]:
        joint = joint * (int(more.max()) + 1) + more
    return joint if int(joint.max()) < _MAX_CELLS else None
