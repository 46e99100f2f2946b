"""The design matrix of the model ``calendar``: labels and series, calendar effects, and their interactions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.preprocessing import OneHotEncoder

from kpipe.features import as_text, soft_clip_scaler
from kpipe.features.holidays import PublicHolidays

__all__ = ["YEAR", "CalendarEffects"]

YEAR = 365.25  # days
_HARMONICS, _OWN_HARMONICS = 10, 3  # of the year: those that all series share, and those of each label
_MAX_LABELS, _MAX_SERIES = 2_000, 20_000  # different labels of a column, and different combinations of them
_FEW_NUMBERS = 12  # different values up to which a column of numbers is read as labels
_NEW_YEAR = 15  # days around the new year with an effect of their own: harmonics are too smooth for it


class CalendarEffects:
    """Encoder of the design matrix: columns of labels and series, of the calendar, and their products.

    Parameters
    ----------
    X : DataFrame of shape (n, columns)
        The columns beside the date.
    dates : Series of datetime64, shape (n,)
        The dates of the rows.
    """

    def __init__(self, X: pd.DataFrame, dates: pd.Series) -> None:
        self.numbers = [n for n in X if pd.api.types.is_numeric_dtype(X[n]) and X[n].nunique() > _FEW_NUMBERS]
        self.labels = [n for n in X if n not in self.numbers and X[n].nunique() <= _MAX_LABELS]
        self.is_hourly = dates.dt.hour.nunique() > 1
        self.has_seasons = (dates.max() - dates.min()).days >= 0.9 * YEAR
        texts = self._texts(X)
        self.series = OneHotEncoder(handle_unknown="ignore", max_categories=_MAX_SERIES).fit(_join_labels(texts))
        self.encoders = {n: OneHotEncoder(handle_unknown="ignore").fit(texts[[n]]) for n in texts}
        self.holidays = {n: found for n in texts if (found := PublicHolidays.of(texts[n])) is not None}
        self.scaler = soft_clip_scaler().fit(X[self.numbers]) if self.numbers else None

    def encode(self, X: pd.DataFrame, dates: pd.Series) -> sparse.csr_matrix:
        """Return the design matrix of rows.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns beside the date.
        dates : Series of datetime64, shape (n,)
            Missing ones have no effects of the calendar.

        Returns
        -------
        csr_matrix of shape (n, effects)
            Float64, without stored zeros.
        """
        texts = self._texts(X)
        labels = {name: encoder.transform(texts[[name]]).tocsr() for name, encoder in self.encoders.items()}
        # Rows of the same moment share their effects, which are computed once: otherwise, large tables would not fit.
        codes, moments = pd.factorize(dates, use_na_sentinel=False)
        shared, own = (sparse.csr_matrix(part)[codes] for part in self._calendar(pd.Series(moments)))
        parts = [*labels.values(), self.series.transform(_join_labels(texts)), shared]
        parts += [_products(encoded, own) for encoded in labels.values()]
        parts += [sparse.csr_matrix(found.near(texts[name], dates)) for name, found in self.holidays.items()]
        if self.scaler is not None:
            numbers = np.asarray(self.scaler.transform(X[self.numbers]), dtype=float)
            parts.append(sparse.csr_matrix(np.nan_to_num(numbers)))
        return sparse.hstack(parts, format="csr")

    def _texts(self, X: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({n: as_text(X[n].astype("str"), missing="missing") for n in self.labels}, index=X.index)

    def _calendar(self, dates: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """(n, k) effects of the calendar that all series share, and (n, m) those that each label has of its own."""
        weekdays = _one_hot(dates.dt.day_of_week, 7)
        hours = _one_hot(dates.dt.hour, 24 * self.is_hourly)
        workday = (dates.dt.day_of_week < 5).to_numpy(dtype=float)[:, None]
        shared, own = [weekdays, hours, hours * workday], [weekdays, hours]
        if self.has_seasons:
            waves = _harmonics(dates, _HARMONICS)
            shared += [waves, _new_year(dates)]
            own.append(waves[:, : 2 * _OWN_HARMONICS])
        return np.hstack(shared), np.hstack(own)


def _join_labels(texts: pd.DataFrame) -> pd.DataFrame:
    """The labels of each row as one string: its series."""
    joined = pd.Series("", index=texts.index, dtype="str")
    for name in texts.columns:
        joined = joined + "\x1f" + texts[name]
    return joined.to_frame("series")


def _products(labels: sparse.csr_matrix, effects: sparse.csr_matrix) -> sparse.csr_matrix:
    """(n, labels x effects) the effects of each row in its label's columns; none for an unknown label."""
    n_labels, n_effects = labels.shape[1], effects.shape[1]
    known = np.diff(labels.indptr).astype(bool)
    effects = sparse.diags(known.astype(float)).dot(effects).tocsr()
    effects.eliminate_zeros()
    label = np.zeros(len(known), dtype=np.int64)
    label[known] = labels.indices
    indices = effects.indices + n_effects * np.repeat(label, np.diff(effects.indptr))
    return sparse.csr_matrix((effects.data, indices, effects.indptr), shape=(len(known), n_labels * n_effects))


def _one_hot(values: pd.Series, count: int) -> np.ndarray:
    return (values.to_numpy(dtype=float)[:, None] == np.arange(count)).astype(float)


def _harmonics(dates: pd.Series, count: int) -> np.ndarray:
    angle = 2 * np.pi * dates.dt.day_of_year.to_numpy(dtype=float) / YEAR
    waves = [wave(k * angle) for k in range(1, count + 1) for wave in (np.sin, np.cos)]
    return np.nan_to_num(np.column_stack(waves))


def _new_year(dates: pd.Series) -> np.ndarray:
    """One column for each day within two weeks of the new year."""
    day = dates.dt.day_of_year.to_numpy(dtype=float)
    before = np.where(dates.dt.is_leap_year, 366, 365) - day  # 0 on the last day of the year
    nearest = np.where(before < _NEW_YEAR, -1 - before, np.where(day <= _NEW_YEAR, day - 1, np.nan))
    return (nearest[:, None] == np.arange(-_NEW_YEAR, _NEW_YEAR)).astype(float)
