"""Recognise and parse the dates of a column; the formats are in ``kpipe.data.date_forms``."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.data.affixes import Affixes
from kpipe.data.date_forms import COUNTED_FORMS, FORMS, DateForm, NumberForm, number_forms_of
from kpipe.data.date_parts import NO_DATE, YEARS, Parts, count_from_1970, parts_of, to_dates, unknown_zones
from kpipe.data.date_words import in_english
from kpipe.data.matching import matches
from kpipe.data.strings import distinct_cells, to_strings

__all__ = ["DateFormat", "is_named_after_time", "parse_dates"]

_NAMES_OF_TIME = re.compile(r"(?i)week|day|month|year|date|time|step|hour|period|quarter|block")
_SAMPLED = 1000  # distinct cells that decide a column's format
_MIN_SHARE = 0.95  # of the distinct cells must be dates
_MONTH_OR_DAY = {
    "name of the month, year": "name of the month, day",
    "year, name of the month": "day, name of the month",
}


@dataclass(frozen=True)
class DateFormat:
    """The date format of a column, decided for all of its cells at once.

    Attributes
    ----------
    forms : tuple of DateForm or NumberForm
        The formats of its cells, the most frequent first.
    day_first : bool or None
        Whether 01/02/2015 is the first of February; None if the format is not ambiguous.
    is_certain : bool
        Whether the cells prove ``day_first``.
    to_utc : bool
        Whether cells have different offsets from UTC and are therefore converted to UTC.
    has_zones : bool
        Whether cells name a time zone.
    in_words : bool
        Whether cells contain words of languages other than English.
    affixes : Affixes or None
        Words around the date in nearly all cells.
    unknown_zones : tuple of str
        Zones with an unknown offset from UTC, if cells name several zones.
    """

    forms: tuple[DateForm | NumberForm, ...]
    day_first: bool | None = None
    is_certain: bool = True
    to_utc: bool = False
    has_zones: bool = False
    in_words: bool = False
    affixes: Affixes | None = None
    unknown_zones: tuple[str, ...] = ()

    @classmethod
    def of(cls, column: pd.Series) -> Self | None:
        """Determine a column's format; None if fewer than 95 % of its distinct cells are dates.

        Parameters
        ----------
        column : Series
            (n,) text or numbers. Text is tried against ``FORMS``, numbers against the entries of ``NUMBER_FORMS`` that
            match the column's name.

        Returns
        -------
        DateFormat or None
        """
        if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
            return None
        if pd.api.types.is_numeric_dtype(column):
            return cls._of_numbers(column)
        cells = distinct_cells(column, _SAMPLED)
        if not pc.any(pc.match_substring_regex(cells, r"\d")).as_py():
            return None  # no date is written without a digit
        if pc.all(pc.match_substring_regex(cells, r"^\d{5,19}$")).as_py():
            return cls._of_numbers(pd.Series(cells.to_pylist(), name=column.name).astype("float64").astype("int64"))
        return cls._of_cells(tuple(cells.to_pylist()))

    @classmethod
    @functools.lru_cache(maxsize=128)  # each check of a run parses the same columns
    def _of_cells(cls, distinct: tuple[str, ...]) -> Self | None:
        cells = pa.array(distinct, pa.string())
        if (found := cls._of_text(cells) or cls._of_words(cells)) is not None:
            return found
        if (affixes := Affixes.of(cells)) is None:
            return None
        bare = affixes.strip(cells)
        within = cls._of_text(bare) or cls._of_words(bare)
        return None if within is None else replace(within, affixes=affixes)

    @classmethod
    def _of_numbers(cls, column: pd.Series) -> Self | None:
        forms = number_forms_of(str(column.name))  # first: a table may have 100,000 columns of numbers
        numbers = column.dropna() if forms else column.iloc[:0]
        if not len(numbers):
            return None
        is_whole = numbers.dtype.kind != "f" or not bool((numbers % 1 != 0).any())
        lowest, highest = numbers.min(), numbers.max()
        for form in forms:
            if form.lowest <= lowest and highest <= form.highest:
                sampled = pd.Series(numbers.unique()[:_SAMPLED], name=numbers.name)
                if (is_whole or form.unit) and (found := cls._of_digits(form, sampled)) is not None:
                    return found
        return None

    @classmethod
    def _of_digits(cls, form: NumberForm, numbers: pd.Series) -> Self | None:
        """The format if all numbers are dates of a form."""
        if form.unit:
            return cls((form,))
        cells = pa.array(numbers.astype("int64").astype(str).to_numpy(dtype=object), pa.string())
        parts = parts_of(cells, (form,))
        found = cls((form,), *_day_first(parts, cells))
        if np.isnat(found._assemble(parts)).any():
            return None
        # 261218 may be 26 December 2018 or 18 December 2026: it is YYMMDD only if days vary more than years.
        is_open = form.name == "YYMMDD" and len(np.unique(parts["day"])) <= len(np.unique(parts["year"]))
        return None if is_open else found

    @classmethod
    def _of_words(cls, cells: pa.Array) -> Self | None:
        """The format of dates in other languages than English; Set 1, Set 2, ... do not stand for September."""
        english = in_english(cells)
        found = None if english is None else cls._of_text(english)
        if english is None or found is None or _is_one_month(parts_of(english, found.forms)):
            return None
        return replace(found, in_words=True)

    @classmethod
    def _of_text(cls, cells: pa.Array) -> Self | None:
        forms = _forms_of(cells)
        if not forms:
            return None
        parts = parts_of(cells, forms)
        if _has_no_years(parts, forms):
            forms = tuple(form for form in FORMS if form.name == _MONTH_OR_DAY[forms[0].name])
            parts = parts_of(cells, forms)
        day_first, is_certain = _day_first(parts, cells)
        offsets = parts["zone"][~np.isnan(parts["zone"])]
        zones = unknown_zones(cells, forms) if len(offsets) else ()
        found = cls(
            forms, day_first, is_certain, len(np.unique(offsets)) > 1, len(offsets) > 0, unknown_zones=tuple(zones)
        )
        dates = found._assemble(parts)
        if np.isnat(dates).mean() > 1 - _MIN_SHARE or _are_seasons(parts, forms):
            return None
        return found

    @property
    def description(self) -> str:
        """The format in words, such as "day and month, year (the day first)"."""
        order = "" if self.day_first is None else f" ({'the day' if self.day_first else 'the month'} first)"
        zone = ", converted to UTC" if self.to_utc else ""
        if self.unknown_zones:
            zone += f", those of the zone {' and '.join(self.unknown_zones)} as they are written"
        return " or ".join(form.name for form in self.forms) + order + zone

    def parse(self, column: pd.Series) -> pd.Series:
        """The dates of a column.

        Parameters
        ----------
        column : Series
            (n,) of the dtype that the format was found in.

        Returns
        -------
        Series
            (n,) datetime64[us] without a time zone; NaT where a value is missing or not a date.
        """
        form = self.forms[0]
        codes, cells = pd.factorize(column)
        if isinstance(form, NumberForm) and form.unit:
            dates = count_from_1970(np.asarray(cells), form.unit)
        else:
            text = pd.Series(cells).astype("int64") if isinstance(form, NumberForm) else pd.Series(cells)
            dates = self._parse_text(text.astype(str))
        return pd.Series(np.append(dates, NO_DATE)[codes], index=column.index, name=column.name)

    def _parse_text(self, text: pd.Series) -> np.ndarray:
        """(m,) datetime64[us] of (m,) distinct cells."""
        dates: np.ndarray = np.full(len(text), NO_DATE)
        if self.forms[0] is FORMS[0] and not self.has_zones:  # ten times as fast as the pattern
            found = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
            dates = found.where(found.dt.year.between(*YEARS)).to_numpy(dtype="M8[us]").copy()
        rows = np.flatnonzero(np.isnat(dates))
        cells = to_strings(text.iloc[rows])
        cells = cells if self.affixes is None else self.affixes.strip(cells)
        cells = (in_english(cells) or cells) if self.in_words else cells
        dates[rows] = self._assemble(parts_of(cells, self.forms))
        return dates

    def _assemble(self, parts: Parts) -> np.ndarray:
        """(n,) datetime64[us] of (n,) parts; NaT where they do not form a date."""
        first, second = parts["first"], parts["second"]
        day, month = (first, second) if self.day_first else (second, first)
        # A column may mix both orders: a cell that is valid in only one of them is read in that one.
        swapped = (month > 12) & (day <= 12)
        day, month = np.where(swapped, month, day), np.where(swapped, day, month)
        day = np.where(np.isnan(day), parts["day"], day)
        month = np.where(np.isnan(month), parts["month"], month)
        return to_dates(parts | {"day": day, "month": month}, to_utc=self.to_utc)  # type: ignore[operator]


def is_named_after_time(column: pd.Series) -> bool:
    """Whether a column's name suggests a time, such as ``week`` or ``date_block_num``.

    Parameters
    ----------
    column : Series

    Returns
    -------
    bool

    Examples
    --------
    >>> [is_named_after_time(pd.Series(name=name)) for name in ("WeekOfSale", "price")]
    [True, False]
    """
    return _NAMES_OF_TIME.search(str(column.name)) is not None


def parse_dates(column: pd.Series) -> pd.Series | None:
    """Parse a column of dates and times; None if fewer than 95 % of its distinct cells are dates.

    Parameters
    ----------
    column : Series
        (n,) of any dtype: text in one or more formats of ``kpipe.data.date_forms.FORMS``, or numbers such as 20150131
        in a column whose name suggests a time.

    Returns
    -------
    Series or None
        (n,) datetime64 without a time zone; NaT where a value is missing or not a date.

    Examples
    --------
    >>> parse_dates(pd.Series(["2015-01-31 10:00:00", None])).dt.hour.tolist()
    [10.0, nan]
    >>> parse_dates(pd.Series(["B/0/P"])) is None
    True
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return column if column.dt.tz is None else column.dt.tz_localize(None)
    found = DateFormat.of(column)
    if found is None:
        return None
    dates = found.parse(column)
    return dates if dates.notna().sum() >= _MIN_SHARE * column.notna().sum() else None


def _count(cells: pa.Array, form: DateForm) -> int:
    return int(pc.sum(pc.match_substring_regex(cells, form.pattern)).as_py() or 0)


def _forms_of(cells: pa.Array) -> tuple[DateForm, ...]:
    """The formats of the cells, the most frequent first."""
    hits = {form: count for form in FORMS if (count := _count(cells, form))}
    forms = tuple(sorted(hits, key=lambda form: -hits[form]))
    if len(cells) / 4 <= sum(hits.values()) < len(cells):  # the others may be day counts or timestamps
        forms += tuple(form for form in COUNTED_FORMS if _count(cells, form))
    return forms


def _has_no_years(parts: Parts, forms: tuple[DateForm, ...]) -> bool:
    """Whether the numbers beside months are days: all are at most 31, and some would be years in the future."""
    if forms[0].name not in _MONTH_OR_DAY or not (parts["digits"][~np.isnan(parts["digits"])] == 2).all():
        return False
    numbers = parts["year"][~np.isnan(parts["year"])]
    return bool(numbers.min() >= 1 and datetime.now(UTC).year % 100 < numbers.max() <= 31)


def _day_first(parts: Parts, cells: pa.Array) -> tuple[bool | None, bool]:
    """Whether the day comes before the month, and whether a cell proves that."""
    first, second = parts["first"], parts["second"]
    if np.isnan(first).all():
        return None, True
    days, months = int((first > 12).sum()), int((second > 12).sum())
    if days or months:
        return days > months, True
    # In monthly data, which has only the first day of each month, the constant number is the day.
    constant = [len(np.unique(part[~np.isnan(part)])) == 1 for part in (first, second)]
    if constant[0] != constant[1]:
        return constant[0], False
    return not matches(cells, "^[0-9]+/").any(), False


def _is_one_month(parts: Parts) -> bool:
    """Whether all dates without a year are of one month, so that its name may be another word."""
    months = parts["month"][~np.isnan(parts["month"])]
    return bool(np.isnan(parts["year"]).all() and len(np.unique(months)) == 1)


def _are_seasons(parts: Parts, forms: tuple[DateForm | NumberForm, ...]) -> bool:
    """Whether 2010-11 is a season and not a month: the second number is always that of the following year."""
    if forms[0].name != "year, month":
        return False
    return bool((parts["month"] == (parts["year"] + 1) % 100).all())
