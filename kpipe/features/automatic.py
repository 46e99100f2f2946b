"""Features for a table that nobody wrote a module for, fitted inside the fold.

What columns hold is seen in the fitting rows; what comes out are numbers and short labels, which every model's encoding
takes: ``number_columns`` and ``text_columns`` of ``kpipe.features``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import TargetEncoder
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from kpipe.data.column_types import is_categorical_integer, is_free_text
from kpipe.data.dates import parse_dates
from kpipe.data.numbers import parse_numbers

__all__ = ["AutomaticFeatures"]

_MANY_LEVELS = 10  # from which a label also becomes statistics of the target
_MOST_CLASSES = 10  # up to which those are one number a class
_TOPICS, _WORDS = 32, 20_000  # dimensions of prose, and words at the most
_ALL_DIFFERENT = 0.95  # share of different labels from which a column of labels names rows
_GAPPY = 3  # columns with gaps from which the gaps of a row are counted


class AutomaticFeatures(TransformerMixin, BaseEstimator):
    """Each column by what it holds; fitted on the rows of one fold.

    Left out: constants, copies of another column, labels and row numbers that are different in (nearly) every row.
    Dates become year, month, day, weekday, hour and days since the first; prose becomes the strongest dimensions of its
    words (latent semantic analysis) and its length; labels of many levels, and whole numbers that look like codes, also
    become statistics of the target, made inside for the rows that are fitted on, and how frequent they are. Where most
    numbers are codes, they are labels.

    random_state : of the inner splits of target statistics, and of the dimensions of prose.

    References: Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical Attributes", 2001 (target
    statistics; scikit-learn's ``TargetEncoder``). Deerwester et al., "Indexing by Latent Semantic Analysis", 1990.
    """

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any = None) -> AutomaticFeatures:
        """See ``fit_transform``."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Any = None, **params: Any) -> pd.DataFrame:
        """What the columns hold, and the features of the rows that were fitted on."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self._sort(X)
        self.starts_ = {name: _dates(X, name).min() for name in self.dates_}
        self.words_ = {name: self._topics(X[name]) for name in self.prose_}
        self.gappy_ = [name for name in self.plain_ if X[name].isna().any()]
        self.counts_ = {name: X[name].value_counts() for name in self.coded_}
        self.statistics_: TargetEncoder | None = None
        within = None
        if self.coded_ and y is not None and _fits_statistics(y):
            self.statistics_ = _statistics(y, self.random_state)
            within = self.statistics_.fit_transform(_labels(X[self.coded_]), y)
        return self._made(X, within)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """The features of other rows."""
        check_is_fitted(self)
        within = None if self.statistics_ is None else self.statistics_.transform(_labels(X[self.coded_]))
        return self._made(X, within)

    def _sort(self, X: pd.DataFrame) -> None:
        """Which columns are dates, prose, labels of many levels; and which say nothing."""
        kept = [name for name in _telling(X) if not _names_rows(X[name])]
        self.dates_ = [name for name in kept if parse_dates(X[name]) is not None]
        self.prose_ = [name for name in kept if name not in self.dates_ and is_free_text(X[name])]
        self.plain_ = [name for name in kept if name not in (*self.dates_, *self.prose_)]
        labels = [name for name in self.plain_ if not pd.api.types.is_numeric_dtype(X[name])]
        self.spelt_ = [name for name in labels if parse_numbers(X[name]) is not None]
        labels = [name for name in labels if name not in self.spelt_]
        codes = [name for name in self.plain_ if is_categorical_integer(X[name])]
        numbers = len(self.plain_) - len(labels)
        self.codes_as_labels_ = codes if 2 * len(codes) > numbers else []
        self.coded_ = [name for name in labels if X[name].nunique() > _MANY_LEVELS] + codes

    def _topics(self, column: pd.Series) -> Pipeline:
        text = _plain_text(column)
        often = 2 if text.str.lower().str.findall(r"\w\w+").explode().duplicated().any() else 1
        words = TfidfVectorizer(sublinear_tf=True, min_df=often, max_features=_WORDS, strip_accents="unicode")
        counted = words.fit_transform(text)
        dimensions = min(_TOPICS, max(1, counted.shape[1] - 1))
        return make_pipeline(words, TruncatedSVD(dimensions, random_state=self.random_state).fit(counted))

    def _made(self, X: pd.DataFrame, within: np.ndarray | None) -> pd.DataFrame:
        columns: dict[Hashable, Any] = {name: self._plain_column(X[name]) for name in self.plain_}
        for name in self.dates_:
            columns.update(_parts(_dates(X, name), str(name), self.starts_[name]))
        for name in self.prose_:
            columns.update(_of_prose(X[name], self.words_[name]))
        for name in self.coded_:
            columns[f"{name}: rows"] = np.log1p(X[name].map(self.counts_[name]).fillna(0).to_numpy(dtype=float))
        if within is not None:
            columns |= {f"statistic {number}": values for number, values in enumerate(within.T)}
        if len(self.gappy_) >= _GAPPY:
            columns["gaps"] = X[self.gappy_].isna().sum(axis=1).to_numpy(dtype=float)
        if not columns:
            columns = {"nothing": np.zeros(len(X))}
        return pd.DataFrame({str(name): values for name, values in columns.items()}, index=X.index)

    def _plain_column(self, column: pd.Series) -> pd.Series | np.ndarray:
        if column.name in self.spelt_:
            numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
            return np.where(np.isfinite(numbers), numbers, np.nan)
        if not pd.api.types.is_numeric_dtype(column):
            return column
        if column.name in self.codes_as_labels_:
            return column.astype("Int64").astype("str")
        return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _telling(X: pd.DataFrame) -> Iterator[Hashable]:
    """The columns that are neither constant nor a copy of one before."""
    seen: set[bytes] = set()
    for name in X.columns:
        values = X[name]
        if values.nunique(dropna=False) < 2:
            continue
        key = pd.util.hash_pandas_object(values, index=False).to_numpy().tobytes()
        if key not in seen:
            seen.add(key)
            yield name


def _names_rows(column: pd.Series) -> bool:
    """Whether a column only says which row this is: labels that are nearly all different, or a row number."""
    present = column.dropna()
    if pd.api.types.is_integer_dtype(column):
        return len(present) > 1 and bool((present.diff().iloc[1:] == 1).all())
    if pd.api.types.is_numeric_dtype(column) or parse_numbers(column) is not None:
        return False
    if parse_dates(column) is not None or is_free_text(column):
        return False
    return present.nunique() > _ALL_DIFFERENT * max(len(present), 1)


def _dates(X: pd.DataFrame, name: Hashable) -> pd.Series:
    """Dates of rows, whatever their form; what is none where the fitted rows had dates is missing."""
    found = parse_dates(X[name])
    return pd.to_datetime(X[name].astype(str), errors="coerce", format="mixed") if found is None else found


def _parts(dates: pd.Series, name: str, start: pd.Timestamp) -> Iterator[tuple[str, np.ndarray]]:
    since = (dates - start).dt.total_seconds() / 86_400
    yield f"{name}: days", since.to_numpy(dtype=float)
    for part in ("year", "month", "day", "day_of_week", "day_of_year", "hour"):
        yield f"{name}: {part}", getattr(dates.dt, part).to_numpy(dtype=float)


def _of_prose(column: pd.Series, words: Pipeline) -> dict[str, np.ndarray]:
    text = _plain_text(column)
    topics = {f"{column.name}: topic {n}": values for n, values in enumerate(words.transform(text).T)}
    return topics | {
        f"{column.name}: letters": text.str.len().to_numpy(dtype=float),
        f"{column.name}: words": text.str.count(r"\S+").to_numpy(dtype=float),
        f"{column.name}: capitals": text.str.count(r"[A-Z]").to_numpy(dtype=float),
        f"{column.name}: marks": text.str.count(r"[!?#@]").to_numpy(dtype=float),
    }


def _plain_text(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), "").astype(str)


def _labels(frame: pd.DataFrame) -> np.ndarray:
    """Labels as text, with a level for what is missing: TargetEncoder takes no mixture of text and NaN."""
    return frame.astype(object).where(frame.notna(), "(missing)").astype(str).to_numpy(dtype=object)


def _statistics(y: Any, seed: int) -> TargetEncoder:
    continuous = np.asarray(y).dtype.kind == "f"
    kind = "continuous" if continuous else type_of_target(np.asarray(y))
    if TargetEncoder().get_params()["random_state"] is None:  # before scikit-learn 1.9
        return TargetEncoder(target_type=kind, random_state=seed)
    splitter = KFold if continuous else StratifiedKFold
    return TargetEncoder(target_type=kind, cv=splitter(5, shuffle=True, random_state=seed))


def _fits_statistics(y: Any) -> bool:
    codes = np.asarray(y)
    if codes.ndim > 1:
        return False
    if codes.dtype.kind == "f":
        return True
    levels, rows = np.unique(codes, return_counts=True)
    return 2 <= len(levels) <= _MOST_CLASSES and rows.min() >= 2
