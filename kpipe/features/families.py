"""Families of features that help on some tables only; ``kpipe.features.family_choice`` selects them.

Each family proposes candidates from the columns of a table, and computes the selected ones. A candidate is a tuple of
column names, in some families with an operation or the position of a digit. The dtype distinguishes columns of numbers,
labels and dates; text whose values hardly repeat is a title.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from kpipe.data.column_types import is_categorical_integer, is_mostly_distinct, is_title
from kpipe.features.interactions import category_codes, find_interactions
from kpipe.features.target_statistics import TargetStatistics
from kpipe.features.text import TextFeatures

__all__ = ["FAMILIES", "Candidate", "Family"]

Candidate = tuple[Hashable, ...]
Names = Sequence[Hashable]

_ROWS_PER_CATEGORY = 5  # on average; columns with fewer rows per value are not categories
_ROWS_PER_GROUP = 20  # on average, for means and ranks within a category
_MAX_CATEGORIES = 2_000
_MIN_NUMBERS = 12  # distinct values; a column with fewer is treated as a category
_SAME_SCALE = 30.0  # largest ratio of standard deviations at which sums and differences are informative
_MAX_COMBINED_NUMBERS, _MAX_COMBINED_CATEGORIES = 12, 8  # most important columns, which are combined
_DIGITS = 4  # positions before and after the decimal point
_MIN_PATTERN = 20  # rows in which a column is missing, and in which it is not
_LABELS_WITH_STATISTICS = 10  # columns with more labels have target statistics by default


class Family(ABC):
    """Features of one kind: the candidates that a table allows, and their values.

    Parameters
    ----------
    candidates : sequence of tuple
        The candidates to compute.
    random_state : int
        Seed of the inner splits of target statistics.
    """

    name: ClassVar[str]

    def __init__(self, candidates: Sequence[Candidate], *, random_state: int) -> None:
        self.candidates = list(candidates)
        self.random_state = random_state

    @staticmethod
    @abstractmethod
    def propose(X: pd.DataFrame, y: np.ndarray, *, random_state: int, important: Names = ()) -> list[Candidate]:
        """Return the candidates that a table allows.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Numbers, labels and dates.
        y : ndarray of shape (n,)
            Float values or class codes.
        random_state : int
            Seed of the samples.
        important : sequence
            Names of columns, the most important ones for a model first. Only these are combined if pairs are too many.

        Returns
        -------
        list of tuple
        """

    def fit_transform(self, X: pd.DataFrame, y: np.ndarray) -> dict[Candidate, np.ndarray]:
        """Fit the candidates, and return their values for the fitting rows.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            As for ``propose``.
        y : ndarray of shape (n,)
            The values of a row do not use its own target.

        Returns
        -------
        dict
            Candidate → float64 array of shape (n, features).
        """
        self._fit(X, y)
        return self.transform(X)

    @abstractmethod
    def transform(self, X: pd.DataFrame) -> dict[Candidate, np.ndarray]:
        """Return the values of the candidates for any rows; each row is computed independently of the others.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit_transform``.

        Returns
        -------
        dict
            Candidate → float64 array of shape (n, features).
        """

    def _fit(self, X: pd.DataFrame, y: np.ndarray) -> None:  # noqa: B027 - arithmetic within a row needs no fitting
        """Learn what ``transform`` needs."""


class _TargetStatisticsFamily(Family):
    """Target statistics of columns, or pairs of columns, treated as categories."""

    def fit_transform(self, X: pd.DataFrame, y: np.ndarray) -> dict[Candidate, np.ndarray]:
        self._statistics = TargetStatistics(self.random_state)
        return self._by_candidate(self._statistics.fit_transform(self._codes(X), y))

    def transform(self, X: pd.DataFrame) -> dict[Candidate, np.ndarray]:
        return self._by_candidate(self._statistics.transform(self._codes(X)))

    def _codes(self, X: pd.DataFrame) -> pd.DataFrame:
        return category_codes(X, self.candidates)

    def _by_candidate(self, values: np.ndarray) -> dict[Candidate, np.ndarray]:
        blocks = np.split(values, len(self.candidates), axis=1) if values.shape[1] else []
        return dict(zip(self.candidates, blocks, strict=False))


class Crosses(_TargetStatisticsFamily):
    """Target statistics of numbers that act as categories and of interacting pairs, screened by residuals."""

    name = "crosses"

    @staticmethod
    def propose(X: pd.DataFrame, y: np.ndarray, *, random_state: int, important: Names = ()) -> list[Candidate]:
        return list(find_interactions(_numbers_and_labels(X), y, random_state=random_state))


class Statistics(_TargetStatisticsFamily):
    """Target statistics of every column, numbers included, with a few to some thousand distinct values."""

    name = "target statistics"

    @staticmethod
    def propose(X: pd.DataFrame, y: np.ndarray, *, random_state: int, important: Names = ()) -> list[Candidate]:
        def has_statistics(name: Hashable) -> bool:  # by default, see AutomaticFeatures
            is_label = not pd.api.types.is_numeric_dtype(X[name])
            return is_categorical_integer(X[name]) or (is_label and X[name].nunique() > _LABELS_WITH_STATISTICS)

        return [(name,) for name in _categories(X) if not has_statistics(name)]


class Counts(Family):
    """The number of training rows with the same value."""

    name = "counts"

    @staticmethod
    def propose(X: pd.DataFrame, y: np.ndarray, *, random_state: int, important: Names = ()) -> list[Candidate]:
        return [(name,) for name in _categories(X)]

    def _fit(self, X: pd.DataFrame, y: np.ndarray) -> None:
        codes = category_codes(X, self.candidates)
        self._counts = [codes[name].value_counts() for name in codes]

    def transform(self, X: pd.DataFrame) -> dict[Candidate, np.ndarray]:
        codes = category_codes(X, self.candidates)
        columns = zip(self.candidates, codes, self._counts, strict=True)
        return {one: _column(np.log1p(codes[name].map(counts).fillna(0))) for one, name, counts in columns}


class GroupStatistics(Family):
    """A number relative to its category: the mean, the deviation from it (plain and standardised), and the rank."""

    name = "group statistics"

    @staticmethod
    def propose(X: pd.DataFrame, y: np.ndarray, *, random_state: int, important: Names = ()) -> list[Candidate]:
        categories = [name for name in _categories(X) if _n_distinct(X[name]) <= len(X) / _ROWS_PER_GROUP]
        numbers = _first(_numbers(X), _MAX_COMBINED_NUMBERS, important)
        return [
            (one, n) for one in _first(categories, _MAX_COMBINED_CATEGORIES, important) for n in numbers if one != n
        ]

    def _fit(self, X: pd.DataFrame, y: np.ndarray) -> None:
        self._groups = {candidate: _Groups.fit(*self._parts(X, candidate)) for candidate in self.candidates}

    def transform(self, X: pd.DataFrame) -> dict[Candidate, np.ndarray]:
        return {one: self._groups[one].transform(*self._parts(X, one)) for one in self.candidates}

    @staticmethod
    def _parts(X: pd.DataFrame, candidate: Candidate) -> tuple[np.ndarray, np.ndarray]:
        category, number = candidate
        return category_codes(X, [(category,)]).iloc[:, 0].to_numpy(), _floats(X[number])


class _Groups:
    """The sorted values of each category."""

    def __init__(self, categories: np.ndarray, order: np.ndarray, values: np.ndarray, places: np.ndarray) -> None:
        self.categories = categories  # sorted hashes of the categories
        self.values = values  # sorted distinct values
        self.keys = np.sort(places * (len(values) + 1) + order)
        self.starts = np.searchsorted(self.keys, np.arange(len(categories) + 1) * (len(values) + 1))
        found = values[order]
        counts = np.maximum(np.bincount(places, minlength=len(categories)), 1)
        self.means = np.bincount(places, found, minlength=len(categories)) / counts
        squares = np.bincount(places, (found - self.means[places]) ** 2, minlength=len(categories)) / counts
        self.spreads = np.where(squares > 0, np.sqrt(squares), np.nan)

    @classmethod
    def fit(cls, codes: np.ndarray, values: np.ndarray) -> _Groups:
        known = np.isfinite(values)
        categories, places = np.unique(codes[known], return_inverse=True)
        distinct, order = np.unique(values[known], return_inverse=True)
        return cls(categories, order, distinct, places)

    def transform(self, codes: np.ndarray, values: np.ndarray) -> np.ndarray:
        if not len(self.categories):
            return np.full((len(values), 4), np.nan)
        places = np.minimum(np.searchsorted(self.categories, codes), len(self.categories) - 1)
        known = self.categories[places] == codes
        means, spreads = (np.where(known, of[places], np.nan) for of in (self.means, self.spreads))
        key = places * (len(self.values) + 1) + np.searchsorted(self.values, values)
        below = np.searchsorted(self.keys, key) - self.starts[places]
        ranks = below / np.maximum(self.starts[places + 1] - self.starts[places], 1)
        ranks = np.where(known & np.isfinite(values), ranks, np.nan)
        return np.column_stack([means, values - means, (values - means) / spreads, ranks])


_OPERATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda one, other: one / np.where(other == 0, np.nan, other),
    "distance": np.hypot,
}
_OF_ONE_SCALE = ("+", "-", "distance")


class Arithmetic(Family):
    """Sums, differences, products, ratios and Euclidean distances of two numbers."""

    name = "arithmetic"

    @staticmethod
    def propose(X: pd.DataFrame, y: np.ndarray, *, random_state: int, important: Names = ()) -> list[Candidate]:
        numbers = _first(_numbers(X), _MAX_COMBINED_NUMBERS, important)
        spreads = {name: float(np.nanstd(_floats(X[name]))) for name in numbers}

        def allowed(one: Hashable, other: Hashable, operation: str) -> bool:
            low, high = sorted((spreads[one], spreads[other]))
            return operation not in _OF_ONE_SCALE or high <= _SAME_SCALE * low

        pairs = [(*pair, operation) for pair in combinations(numbers, 2) for operation in _OPERATIONS]
        return [candidate for candidate in pairs if allowed(*candidate)]

    def transform(self, X: pd.DataFrame) -> dict[Candidate, np.ndarray]:
        floats = {name: _floats(X[name]) for one, other, _ in self.candidates for name in (one, other)}
        return {
            (one, other, what): _column(_finite(_OPERATIONS[str(what)](floats[one], floats[other])))
            for one, other, what in self.candidates
        }


class Digits(Family):
    """Digits of numbers at positions before (0, 1, ...) or after (-1, -2, ...) the decimal point."""

    name = "digits"

    @staticmethod
    def propose(X: pd.DataFrame, y: np.ndarray, *, random_state: int, important: Names = ()) -> list[Candidate]:
        return [
            (name, position)
            for name in _numbers(X)
            for position in range(-_DIGITS, _DIGITS)
            if _n_distinct(pd.Series(_digit(_floats(X[name]), position))) > 2
        ]

    def transform(self, X: pd.DataFrame) -> dict[Candidate, np.ndarray]:
        return {(name, place): _column(_digit(_floats(X[name]), int(str(place)))) for name, place in self.candidates}


class DateDifferences(Family):
    """Days between two dates of a row."""

    name = "date differences"

    @staticmethod
    def propose(X: pd.DataFrame, y: np.ndarray, *, random_state: int, important: Names = ()) -> list[Candidate]:
        return list(combinations(_dates(X), 2))

    def transform(self, X: pd.DataFrame) -> dict[Candidate, np.ndarray]:
        # With and without a time zone, dates cannot be subtracted.
        dates = {name: pd.to_datetime(X[name], utc=True) for pair in self.candidates for name in pair}
        days = {pair: (dates[pair[0]] - dates[pair[1]]).dt.total_seconds() / 86_400 for pair in self.candidates}
        return {pair: _column(values) for pair, values in days.items()}


class MissingPatterns(Family):
    """The set of columns that are missing in a row: its frequency, its mean target, and its size."""

    name = "missing patterns"

    @staticmethod
    def propose(X: pd.DataFrame, y: np.ndarray, *, random_state: int, important: Names = ()) -> list[Candidate]:
        missing = X.isna().sum()
        names = tuple(
            name
            for name in X.columns.difference(_titles(X), sort=False)
            if _MIN_PATTERN <= missing[name] <= len(X) - _MIN_PATTERN
        )
        return [names] if len(names) > 1 else []

    def fit_transform(self, X: pd.DataFrame, y: np.ndarray) -> dict[Candidate, np.ndarray]:
        patterns = self._patterns(X)
        self._counts = patterns.value_counts()
        self._statistics = TargetStatistics(self.random_state)
        return self._features(X, patterns, self._statistics.fit_transform(patterns.to_frame(), y))

    def transform(self, X: pd.DataFrame) -> dict[Candidate, np.ndarray]:
        patterns = self._patterns(X)
        return self._features(X, patterns, self._statistics.transform(patterns.to_frame()))

    def _patterns(self, X: pd.DataFrame) -> pd.Series:
        missing = X[list(self.candidates[0])].isna().astype(np.uint8)
        return pd.util.hash_pandas_object(missing, index=False).astype(np.int64)

    def _features(self, X: pd.DataFrame, patterns: pd.Series, statistics: np.ndarray) -> dict[Candidate, np.ndarray]:
        counts = _column(np.log1p(patterns.map(self._counts).fillna(0)))
        n_missing = _column(X[list(self.candidates[0])].isna().sum(axis=1))
        return {self.candidates[0]: np.hstack([counts, n_missing, statistics])}


class Words(Family):
    """The words of titles and names (latent semantic analysis), and counts of characters and words.

    Free text has these features by default. Where nearly every row has a title of its own, it is of no other use.
    """

    name = "words"

    @staticmethod
    def propose(X: pd.DataFrame, y: np.ndarray, *, random_state: int, important: Names = ()) -> list[Candidate]:
        return [(name,) for name in X.columns if is_title(X[name])]

    def _fit(self, X: pd.DataFrame, y: np.ndarray) -> None:
        # A column that is a title in a sample may be free text, which is not among the columns, in all rows.
        known = [candidate for candidate in self.candidates if candidate[0] in X]
        self._texts = {one: TextFeatures.learn(X[one[0]], random_state=self.random_state) for one in known}

    def transform(self, X: pd.DataFrame) -> dict[Candidate, np.ndarray]:
        found = {one: text.transform(X[one[0]]) for one, text in self._texts.items()}
        return {one: np.column_stack(list(features.values())) for one, features in found.items()}


# In the order in which they are tried, each in addition to those that were kept before.
FAMILIES: dict[str, type[Family]] = {
    family.name: family
    for family in (
        Crosses,
        Statistics,
        Arithmetic,
        GroupStatistics,
        Counts,
        Digits,
        DateDifferences,
        MissingPatterns,
        Words,
    )
}


def _numbers_and_labels(X: pd.DataFrame) -> pd.DataFrame:
    return X.drop(columns=[*_dates(X), *_titles(X)])


def _titles(X: pd.DataFrame) -> list[Hashable]:
    """Columns of text whose values hardly repeat: only their words are of use."""
    other = (pd.api.types.is_numeric_dtype, pd.api.types.is_datetime64_any_dtype)
    texts = [name for name in X.columns if not any(is_other(X[name]) for is_other in other)]
    return [name for name in texts if is_mostly_distinct(X[name])]


def _dates(X: pd.DataFrame) -> list[Hashable]:
    return [name for name in X.columns if pd.api.types.is_datetime64_any_dtype(X[name])]


def _numbers(X: pd.DataFrame) -> list[Hashable]:
    """Columns of numbers with enough distinct values not to be categories."""
    numeric = [name for name in X.columns if pd.api.types.is_numeric_dtype(X[name])]
    return [name for name in numeric if _n_distinct(X[name]) >= _MIN_NUMBERS]


def _categories(X: pd.DataFrame) -> list[Hashable]:
    """Columns whose values repeat, except those with one or two distinct values."""
    most = min(_MAX_CATEGORIES, len(X) // _ROWS_PER_CATEGORY)
    return [name for name in _numbers_and_labels(X).columns if 2 < _n_distinct(X[name]) <= most]


def _first(names: list[Hashable], most: int, important: Names) -> list[Hashable]:
    """The most important names, in the order of the table, so that a pair has the same order in every sample."""
    ranks = {name: rank for rank, name in enumerate(important)}
    kept = sorted(names, key=lambda name: ranks.get(name, len(ranks)))[:most]
    return [name for name in names if name in kept]


def _n_distinct(column: pd.Series) -> int:
    return int(column.nunique())


def _floats(column: pd.Series) -> np.ndarray:
    return _finite(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _column(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)[:, None]


def _digit(values: np.ndarray, position: int) -> np.ndarray:
    # A float's decimals are rounded first: 0.29 * 100 is 28.999999999999996.
    digits: np.ndarray = np.floor(np.round(np.abs(values) * 10.0**-position, 6)) % 10
    return digits
