"""Automatic features for competitions without a module, fitted inside each fold.

The type of each column is inferred from the rows passed to ``fit``. The features are numbers and categories, which
every model of kpipe can encode.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from kpipe.core.time_limit import current_limit
from kpipe.data.column_types import (
    counts_rows,
    is_categorical_integer,
    is_free_text,
    is_mostly_distinct,
    is_title,
)
from kpipe.data.dates import parse_dates
from kpipe.data.numbers import parse_numbers
from kpipe.features.columns import text_columns
from kpipe.features.dates import DateFeatures
from kpipe.features.families import FAMILIES, Candidate
from kpipe.features.family_choice import Choice, Splits, choose_families
from kpipe.features.known_choices import choices_for
from kpipe.features.number_pairs import NumberPairs
from kpipe.features.one_hot import find_one_hot, one_hot_labels
from kpipe.features.parts import LabelParts
from kpipe.features.target_statistics import TargetStatistics
from kpipe.features.text import TextFeatures

__all__ = ["AutomaticFeatures"]


class _ColumnFeatures(Protocol):
    """Features of a column of a certain type, learned from the rows passed to ``fit``."""

    @classmethod
    def fit(cls, column: pd.Series, *, random_state: int) -> Self | None:
        """Return the fitted features of a column, or None if the column is of another type."""

    def transform(self, column: pd.Series) -> dict[str, np.ndarray]:
        """Return float64 features by name, of the same column in any rows."""


# To add a type of column, write a class like these in its own module, and add it here.
_COLUMN_TYPES: tuple[type[_ColumnFeatures], ...] = (DateFeatures, NumberPairs, TextFeatures)

_HIGH_CARDINALITY = 10  # categories from which a column also becomes target statistics
_MIN_ROWS_PER_LABEL = 3  # on average, for short labels; with fewer rows, they may be texts or identifiers
_SCREENED = 10_000  # first rows, which show the columns that may be useless
_COMPARED = 64  # first cells; only columns of text that agree in them are compared in full
_WIDE = 2_000  # columns from which groups of one-hot columns are not searched for
_SHARE_OF_CHOICE = 0.6  # of the time of a fit; the other models of its fold use the same choice
_SKIPPED = (2, 1)  # recorded as steps if there was no time to choose; no model has so few
_MIN_COUNTED = 3  # columns with missing values; from this number on, the missing values of a row are counted


class AutomaticFeatures(TransformerMixin, BaseEstimator):
    """Features of each column according to its type, fitted on the rows of one fold.

    - Constants, copies of another column, identifiers and row numbers are dropped. Parts, frequent words and numbers of
      identifiers are kept if several labels share them (see ``kpipe.features.parts``), and all words of titles if they
      lower the loss on inner splits.
    - Dates become year, month, day, weekday, day of the year, hour and days since the first.
    - Free text becomes the leading components of its words (latent semantic analysis), and counts of characters and
      words.
    - High-cardinality categories and categorical integers additionally become target statistics and frequencies. If
      most numeric columns are categorical integers, these become labels.
    - Further families of features (``kpipe.features.families``) are added if they lower the loss on inner splits.
    - Numbers stored as text become numbers; each of several numbers in a cell (121/81) becomes a feature.

    Parameters
    ----------
    random_state : int, default=0
        Seed for the inner splits of target statistics and for the components of free text.
    groups : str or None, default=None
        A numeric column whose values in test are new: it stays a number, because new values have no statistics.
    time : str or None, default=None
        The column of dates by which test comes after train. Its year is not a feature, because train has few years;
        days since the first date are.
    families : sequence of str or None, default=None
        Names of the feature families to try; None tries all.
    splits : Splits or None, default=None
        Inner splits by group or by time, on which families are chosen; None splits by row.

    Attributes
    ----------
    parts_ : dict
        Name of each column of identifiers → its fitted parts, which are treated as additional columns.
    typed_ : dict
        Name of each column of dates or free text → its fitted features.
    plain_ : list
        Names of the columns that are kept as numbers or labels.
    titles_ : list
        Names of the columns of short texts that are otherwise dropped as identifiers.
    numbers_as_text_, high_cardinality_, integers_as_labels_, with_missing_ : list
        The columns of ``plain_`` that are numbers stored as text; high-cardinality categories or categorical integers;
        categorical integers that become labels; and columns with missing values.
    frequencies_ : dict
        Name of each high-cardinality column → the number of rows of each category.
    statistics_ : TargetStatistics
        Fitted on the high-cardinality columns.
    one_hot_ : dict
        Name of each group of one-hot columns → its columns; families treat them as one column of labels.
    families_ : list of Family
        The fitted families that lower the loss on inner splits.
    choices_ : dict
        Name of each of these families → its ``Choice``.

    References
    ----------
    See ``kpipe.features.target_statistics`` and ``kpipe.features.text``.
    """

    def __init__(
        self,
        random_state: int = 0,
        groups: str | None = None,
        time: str | None = None,
        families: Sequence[str] | None = None,
        splits: Splits | None = None,
    ) -> None:
        self.random_state = random_state
        self.groups = groups
        self.time = time
        self.families = families
        self.splits = splits

    def fit(self, X: pd.DataFrame, y: Any = None) -> AutomaticFeatures:
        """Find the types of the columns, and learn their features.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            A table as ``kpipe.data`` reads it.
        y : array-like of shape (n,) or None
            The target; None gives no target statistics.

        Returns
        -------
        self
            The fitted transformer.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Any = None, **params: Any) -> pd.DataFrame:
        """Find the types of the columns, and return the features of the given rows.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            A table as ``kpipe.data`` reads it.
        y : array-like of shape (n,) or None
            The target; None gives no target statistics.
        **params
            Ignored; for scikit-learn's API.

        Returns
        -------
        DataFrame of shape (n, features)
            The target statistics of a row do not use its own target.
        """
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        labels = _short_labels(X)
        kept = (name for name in X.columns if name not in labels)
        self.parts_ = {name: parts for name in kept if (parts := _fit_parts(X[name])) is not None}
        given, X = X, self._with_parts(X)
        self._fit_types(X, labels)
        self.with_missing_ = [name for name in self.plain_ if X[name].isna().any()]
        self.frequencies_ = {name: X[name].value_counts() for name in self.high_cardinality_}
        self.statistics_ = TargetStatistics(self.random_state)
        statistics = self.statistics_.fit_transform(X[self.high_cardinality_], y)
        self.one_hot_ = find_one_hot(X[self.plain_]) if len(self.plain_) < _WIDE else {}
        features = self._features(X, statistics)
        self.choices_ = self._choose_families(given, y)
        self.families_ = [
            FAMILIES[name](choice.candidates, random_state=self.random_state) for name, choice in self.choices_.items()
        ]
        source = self._source(X) if self.families_ else X
        return _with_families(features, [family.fit_transform(source, np.asarray(y)) for family in self.families_])

    def _choose_families(self, X: pd.DataFrame, y: Any) -> dict[str, Choice]:
        families = FAMILIES if self.families is None else self.families
        if y is None or not families:
            return {}
        features = clone(self).set_params(families=())
        known = (_digest_of_table(X, np.asarray(y)), tuple(families), repr(features))
        limit = current_limit()
        if limit is not None and limit.repeated and limit.repeated[0] == _SKIPPED:
            limit.note(limit.repeated.pop(0), shortened=True)
            return {}
        is_limited = limit is not None and not limit.repeated
        found = choices_for(
            known,
            lambda: choose_families(
                lambda: clone(features).set_params(splits=None),
                X,
                np.asarray(y),
                families=families,
                random_state=self.random_state,
                splits=self.splits,
                seconds=_SHARE_OF_CHOICE * limit.seconds_left() if limit is not None and is_limited else math.inf,
            ),
        )
        if found is None and limit is not None:
            limit.note(_SKIPPED, shortened=True)
        return found or {}

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the features of any rows.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        DataFrame of shape (n, features)
            The same columns as after ``fit``.
        """
        check_is_fitted(self)
        X = self._with_parts(X)
        statistics = self.statistics_.transform(X[self.high_cardinality_])
        source = self._source(X) if self.families_ else X
        return _with_families(self._features(X, statistics), [family.transform(source) for family in self.families_])

    def source(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the columns from which families of features are computed.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        DataFrame of shape (n, columns)
            Informative numbers, labels and dates, titles, and a column of labels for each group of one-hot columns.
        """
        check_is_fitted(self)
        return self._source(self._with_parts(X))

    def _source(self, X: pd.DataFrame) -> pd.DataFrame:
        columns: dict[Any, Any] = {}
        for name in self.plain_:
            columns[name] = self._plain_column(X[name]) if name in self.numbers_as_text_ else X[name]
        for column, typed in self.typed_.items():
            if isinstance(typed, DateFeatures):
                columns[column] = typed.dates(X[column])
        columns |= {name: X[name] for name in self.titles_}
        for stem, names in self.one_hot_.items():
            _add(columns, {f"{stem} (label)": one_hot_labels(X, names)})
        return pd.DataFrame(columns, index=X.index)

    def left_out(self, X: pd.DataFrame) -> dict[Hashable, str]:
        """Return the columns that give no features, judged by all rows, with the reasons.

        Titles are not among them: whether their words are features is decided in each fold.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            A table as for ``fit``.

        Returns
        -------
        dict
            Name → a clause such as "it holds the same value in every row".
        """
        # A column that is useless in all rows is useless in the first: only such columns are examined in full.
        first = X.head(_SCREENED)
        suspects = {*_uninformative_columns(first), *_find_copies(first).values()}
        found = _uninformative_columns(X[[name for name in X.columns if name in suspects]])
        titles = _titles(X, found)
        return {name: why for name, why in found.items() if name not in titles and _fit_parts(X[name]) is None}

    @staticmethod
    def reads_parts(column: pd.Series) -> bool:
        """Whether a column of text is parsed for dates, numbers, words or parts, or is dropped as an identifier.

        Parameters
        ----------
        column : Series of shape (n,)
            Text.

        Returns
        -------
        bool
        """
        typed = any(kind.fit(column, random_state=0) is not None for kind in _COLUMN_TYPES)
        return typed or _identifies_rows(column)

    def _with_parts(self, X: pd.DataFrame) -> pd.DataFrame:
        """The table with the parts of identifiers as further columns."""
        if not self.parts_:
            return X
        columns: dict[str, Any] = {}
        for name, parts in self.parts_.items():
            _add(columns, parts.transform(X[name]), taken=set(map(str, X.columns)))
        return pd.concat([X, pd.DataFrame(columns, index=X.index)], axis=1)

    def _fit_types(self, X: pd.DataFrame, short_labels: frozenset[Hashable]) -> None:
        """Find the type of each column, and drop those without information."""
        uninformative = _uninformative_columns(X, short_labels)
        kept = [name for name in X.columns if name not in uninformative]
        candidates = [name for name in kept if name not in short_labels]
        self.typed_: dict[Hashable, _ColumnFeatures] = {}
        for column_type in _COLUMN_TYPES:
            for name in candidates:
                fitted = None if name in self.typed_ else column_type.fit(X[name], random_state=self.random_state)
                if fitted is not None:
                    self.typed_[name] = fitted
        labels = [name for name, typed in self.typed_.items() if getattr(typed, "is_label", False)]
        self.plain_ = [name for name in kept if name not in self.typed_ or name in labels]
        self.titles_ = _titles(X, uninformative)
        plain = {*self.plain_}
        text = [name for name in text_columns(X) if name in plain]
        self.numbers_as_text_ = [n for n in text if n not in short_labels and parse_numbers(X[n]) is not None]
        labels = [name for name in text if name not in self.numbers_as_text_]
        integers = [name for name in self.plain_ if name != self.groups and is_categorical_integer(X[name])]
        n_numbers = len(self.plain_) - len(labels)
        self.integers_as_labels_ = integers if 2 * len(integers) > n_numbers else []
        self.high_cardinality_ = [
            *(name for name in labels if name not in short_labels and X[name].nunique() > _HIGH_CARDINALITY),
            *integers,
        ]

    def _features(self, X: pd.DataFrame, statistics: np.ndarray) -> pd.DataFrame:
        columns: dict[str, Any] = {}
        _add(columns, {name: self._plain_column(X[name]) for name in self.plain_})
        for name, fitted in self.typed_.items():
            found = fitted.transform(X[name])
            _add(columns, {key: values for key, values in found.items() if key != f"{self.time}: year"})
        for name, frequencies in self.frequencies_.items():
            _add(columns, {f"{name}: rows": np.log1p(X[name].map(frequencies).fillna(0).to_numpy(dtype=float))})
        _add(columns, {f"statistic {number}": values for number, values in enumerate(statistics.T)})
        if len(self.with_missing_) >= _MIN_COUNTED:
            _add(columns, {"gaps": X[self.with_missing_].isna().sum(axis=1).to_numpy(dtype=float)})
        return pd.DataFrame(columns or {"nothing": np.zeros(len(X))}, index=X.index)

    def _plain_column(self, column: pd.Series) -> pd.Series | np.ndarray:
        if column.name in self.numbers_as_text_:
            numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
            return np.where(np.isfinite(numbers), numbers, np.nan)
        if not pd.api.types.is_numeric_dtype(column):
            return column
        if column.name in self.integers_as_labels_:
            return column.astype("Int64").astype("str")
        return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _add(columns: dict[str, Any], found: Mapping[Any, Any], *, taken: Container[str] = ()) -> None:
    """Add columns under unused names, so that a derived column never replaces one of the table."""
    for name, values in found.items():
        free = str(name)
        while free in columns or free in taken:
            free += " (derived)"
        columns[free] = values


def _short_labels(X: pd.DataFrame) -> frozenset[Hashable]:
    """Columns of at most 10 distinct labels without digits: not numbers, dates, free text or identifiers.

    A table may have 100,000 columns, and this test takes a tenth of the time of the tests for the other types.
    """
    return frozenset(n for n in X.columns if isinstance(X[n].dtype, pd.StringDtype) and _are_short_labels(X[n].array))


def _are_short_labels(cells: pd.api.extensions.ExtensionArray) -> bool:
    strings = pa.array(cells)
    labels = strings.unique().drop_null()
    if len(labels) > _HIGH_CARDINALITY or len(strings) - strings.null_count < _MIN_ROWS_PER_LABEL * len(labels):
        return False
    return not any(character.isdigit() for label in labels.to_pylist() for character in label)


def _with_families(features: pd.DataFrame, found: Sequence[Mapping[Candidate, np.ndarray]]) -> pd.DataFrame:
    """The table with the features of families as further columns."""
    if not found:
        return features
    columns: dict[str, Any] = {}
    for candidates in found:
        for candidate, values in candidates.items():
            name = " ".join(map(str, candidate))
            _add(
                columns, {f"{name}: {number}": column for number, column in enumerate(values.T)}, taken=features.columns
            )
    return pd.concat([features, pd.DataFrame(columns, index=features.index)], axis=1)


def _uninformative_columns(X: pd.DataFrame, labels: frozenset[Hashable] = frozenset()) -> dict[Hashable, str]:
    """Constants, copies of an earlier column, and columns that identify rows, with the reasons."""
    copies = _find_copies(X)
    reasons: dict[Hashable, str] = {}
    for name in X.columns:
        if _is_constant(X[name]):
            is_empty = X[name].isna().all()
            reasons[name] = "it is empty in every row" if is_empty else "it holds the same value in every row"
        elif name in copies:
            reasons[name] = f"it is a copy of {copies[name]}"
        elif name not in labels and _identifies_rows(X[name]):
            reasons[name] = _identifier(X[name])
    return reasons


def _titles(X: pd.DataFrame, uninformative: Iterable[Hashable]) -> list[Hashable]:
    """Columns of titles among those that identify rows; of copies, the first."""
    titles = [name for name in uninformative if is_title(X[name]) and _identifies_rows(X[name])]
    copies = _find_copies(X[titles])
    return [name for name in titles if name not in copies]


def _find_copies(X: pd.DataFrame) -> dict[Hashable, Hashable]:
    """Map each column that has the same values as an earlier one to the earlier one."""
    copies: dict[Hashable, Hashable] = {}
    alike: dict[Hashable, list[Hashable]] = {}
    for name in X.columns:
        alike.setdefault(_first_cells(X[name]), []).append(name)
    for names in (group for group in alike.values() if len(group) > 1):
        seen: dict[bytes, Hashable] = {}
        for other in names:
            first = seen.setdefault(_digest(X[other]), other)
            if first != other:
                copies[other] = first
    return copies


def _first_cells(column: pd.Series) -> Hashable:
    """A value that equal columns share: the first cells of text, or a hash of another column."""
    if isinstance(column.dtype, pd.StringDtype):
        return tuple(pa.array(column.array[:_COMPARED]).to_pylist())
    return _digest(column)


def _digest(column: pd.Series) -> bytes:
    """A hash of a column's values, equal for equal columns."""
    values = column.to_numpy() if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iufb" else None
    if values is None:
        return hashlib.blake2b(pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes()).digest()
    kind = b"float" if values.dtype.kind == "f" else b"int"  # pandas takes ten times as long to hash numbers
    whole = values.astype(np.float64 if kind == b"float" else np.int64)
    return kind + hashlib.blake2b(whole.tobytes()).digest()


def _digest_of_table(X: pd.DataFrame, y: np.ndarray) -> bytes:
    """A hash of a table's column names and values, and of the target."""
    parts = [repr(list(X.columns)).encode(), *(_digest(X[name]) for name in X.columns), y.tobytes()]
    return hashlib.blake2b(b"".join(parts)).digest()


def _is_constant(column: pd.Series) -> bool:
    """Whether all rows hold the same value, or all are missing."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iufb" and len(column):
        low, high = column.to_numpy().min(), column.to_numpy().max()
        if low == low:  # no value is missing
            return bool(low == high)
    return column.nunique(dropna=False) < 2


def _identifier(column: pd.Series) -> str:
    if pd.api.types.is_numeric_dtype(column):
        return "it counts the rows"
    example = str(column.dropna().iloc[0])[:40]
    return f"nearly every row has a value of its own, such as {example!r}, and the values share no parts"


def _fit_parts(column: pd.Series) -> LabelParts | None:
    """The parts of a column of text, if it identifies rows."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return None
    return LabelParts.fit(column) if column.nunique() > 1 and _identifies_rows(column) else None


def _identifies_rows(column: pd.Series) -> bool:
    """Whether a column only identifies rows: labels that are nearly all different, or a row number."""
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_float_dtype(column):
        return False
    if pd.api.types.is_integer_dtype(column):
        return counts_rows(column)
    if pd.api.types.is_numeric_dtype(column) or not is_mostly_distinct(column):
        return False
    return parse_numbers(column) is None and parse_dates(column) is None and not is_free_text(column)
