"""Dates in a column, whichever way they are written; the forms are in ``kpipe.data.date_forms``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.data.date_forms import FORMS, NUMBER_FORMS, DateForm, NumberForm

__all__ = ["DateFormat", "distinct_cells", "is_named_after_time", "parse_dates"]

_NAMES_OF_TIME = re.compile(r"(?i)week|day|month|year|date|time|step|hour|period|quarter|block")
_SAMPLED = 1000  # different cells whose forms decide that of the column
_MIN_SHARE = 0.95  # of the different cells must be dates
_YEARS = (1500, 2200)  # others are placeholders such as 0000 and 9999
_MONTHS = pa.array("jan feb mar apr may jun jul aug sep oct nov dec".split())
_NO_DATE = np.datetime64("NaT", "us")

Parts = Mapping[str, np.ndarray]  # year, month, day, ... → (n,) float64, NaN where the form has none


@dataclass(frozen=True)
class DateFormat:
    """How a column writes its dates, decided for all of its cells at once.

    Attributes
    ----------
    forms : tuple of DateForm or NumberForm
        Those that its cells have, the most frequent first.
    day_first : bool or None
        Whether 01/02/2015 is the first of February; None where no cell leaves that open.
    is_certain : bool
        Whether a cell decides ``day_first``.
    to_utc : bool
        Whether cells have different offsets from UTC, so that each is converted to UTC.
    has_zones : bool
        Whether cells name a time zone.
    """

    forms: tuple[DateForm | NumberForm, ...]
    day_first: bool | None = None
    is_certain: bool = True
    to_utc: bool = False
    has_zones: bool = False

    @classmethod
    def of(cls, column: pd.Series) -> Self | None:
        """The format of a column's dates, or None if fewer than 95 % of its different cells are dates.

        Parameters
        ----------
        column : Series
            (n,) text or numbers. Text has any of the forms of ``FORMS``; of numbers those of ``NUMBER_FORMS`` that fit
            the column's name.

        Returns
        -------
        DateFormat or None
        """
        if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
            return None
        if pd.api.types.is_numeric_dtype(column):
            return cls._of_numbers(column.dropna())
        return cls._of_text(distinct_cells(column, _SAMPLED))

    @classmethod
    def _of_numbers(cls, numbers: pd.Series) -> Self | None:
        if not len(numbers) or (numbers.dtype.kind == "f" and bool((numbers % 1 != 0).any())):
            return None
        lowest, highest = numbers.min(), numbers.max()
        for form in NUMBER_FORMS:
            if form.lowest <= lowest and highest <= form.highest and form.columns.search(str(numbers.name)):
                found = cls((form,))
                sampled = pd.Series(numbers.unique()[:_SAMPLED], name=numbers.name)
                if bool(found.parse(sampled).notna().all()):
                    return found
        return None

    @classmethod
    def _of_text(cls, cells: pa.Array) -> Self | None:
        if not len(cells) or not pc.any(pc.match_substring_regex(cells, r"\d")).as_py():
            return None
        hits = {form: count for form in FORMS if (count := _count(cells, form))}
        forms = tuple(sorted(hits, key=lambda form: -hits[form]))
        if not forms:
            return None
        parts = _parts(cells, forms)
        day_first, is_certain = _day_first(parts, cells)
        offsets = parts["zone"][~np.isnan(parts["zone"])]
        found = cls(forms, day_first, is_certain, len(np.unique(offsets)) > 1, len(offsets) > 0)
        dates = found._assemble(parts)
        if np.isnat(dates).mean() > 1 - _MIN_SHARE or _are_seasons(parts, forms):
            return None
        return found

    @property
    def description(self) -> str:
        """The format in words, such as "day and month, year (the day first)"."""
        order = "" if self.day_first is None else f" ({'the day' if self.day_first else 'the month'} first)"
        zone = ", converted to UTC" if self.to_utc else ""
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
            dates = np.asarray(cells).astype(np.int64).astype(f"M8[{form.unit}]").astype("M8[us]")
        else:
            text = pd.Series(cells).astype("int64") if isinstance(form, NumberForm) else pd.Series(cells)
            dates = self._parse_text(text.astype(str))
        return pd.Series(np.append(dates, _NO_DATE)[codes], index=column.index, name=column.name)

    def _parse_text(self, text: pd.Series) -> np.ndarray:
        """(m,) datetime64[us] of different cells."""
        dates: np.ndarray = np.full(len(text), _NO_DATE)
        if self.forms[0] is FORMS[0] and not self.has_zones:  # ten times as fast as the pattern
            found = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
            dates = found.where(found.dt.year.between(*_YEARS)).to_numpy(dtype="M8[us]").copy()
        rows = np.flatnonzero(np.isnat(dates))
        cells = pa.array(text.iloc[rows].to_numpy(dtype=object), pa.string())
        dates[rows] = self._assemble(_parts(cells, self.forms))
        return dates

    def _assemble(self, parts: Parts) -> np.ndarray:
        """(n,) datetime64[us] of (n,) parts; NaT where they are no date."""
        first, second = parts["first"], parts["second"]
        day, month = (first, second) if self.day_first else (second, first)
        # With two formats in one column, a cell that can be read in one order only is read in that one.
        swapped = (month > 12) & (day <= 12)
        day, month = np.where(swapped, month, day), np.where(swapped, day, month)
        day = np.where(np.isnan(day), parts["day"], day)
        month = np.where(np.isnan(month), parts["month"], month)
        return _to_dates(parts | {"day": day, "month": month}, to_utc=self.to_utc)  # type: ignore[operator]


def is_named_after_time(column: pd.Series) -> bool:
    """Whether a column's name contains that of a time, such as ``week`` or ``date_block_num``.

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
    """The dates and times that a column holds, or None if fewer than 95 % of its different cells are dates.

    Parameters
    ----------
    column : Series
        (n,) of any dtype: text in one or more of the forms of ``kpipe.data.date_forms.FORMS``, or numbers such as
        20150131 in a column whose name speaks of time.

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


def distinct_cells(column: pd.Series, most: int) -> pa.Array:
    """Different cells of a column of text, from its whole length, without missing ones.

    Parameters
    ----------
    column : Series
        (n,) text.
    most : int
        Number of rows that are looked at.

    Returns
    -------
    pyarrow.Array
        At most ``most`` strings.
    """
    sampled = column.iloc[:: max(1, len(column) // most)].head(most).dropna() if len(column) > most else column.dropna()
    return pa.array(sampled.drop_duplicates().astype(str).to_numpy(dtype=object), pa.string())


def _count(cells: pa.Array, form: DateForm) -> int:
    return int(pc.sum(pc.match_substring_regex(cells, form.pattern)).as_py() or 0)


def _parts(cells: pa.Array, forms: tuple[DateForm | NumberForm, ...]) -> dict[str, np.ndarray]:
    """The parts of each cell by the first form that it has."""
    names = "year month day first second quarter week hour minute sec half zone digits".split()
    parts = {name: np.full(len(cells), np.nan) for name in names}
    open_ = np.ones(len(cells), dtype=bool)
    for form in forms:
        if not open_.any():
            break
        found = pc.extract_regex(cells, form.pattern)
        rows = open_ & found.is_valid().to_numpy(zero_copy_only=False)
        open_ &= ~rows
        for name, values in _numbers(found).items():
            parts[name] = np.where(rows, values, parts[name])
    return parts


def _numbers(found: pa.StructArray) -> dict[str, np.ndarray]:
    """The groups of a pattern as numbers."""
    texts = {field.name: pc.struct_field(found, field.name) for field in found.type}
    numbers = {}
    for name, text in texts.items():
        if name == "name":
            numbers["month"] = _floats(pc.index_in(pc.utf8_lower(text), _MONTHS)) + 1
        elif name == "half":
            numbers["half"] = np.where(_is(text, "(?i)^p"), 12.0, np.where(_is(text, "(?i)^a"), 0.0, np.nan))
        elif name == "zone":
            numbers["zone"] = _offsets(text)
        elif name == "sec":
            numbers["sec"] = _floats(pc.replace_substring(text, ",", "."))
        else:
            numbers[name] = _floats(text)
    if "year" in texts:
        numbers["digits"] = _floats(pc.utf8_length(texts["year"]))
    return numbers


def _floats(text: pa.Array) -> np.ndarray:
    if pa.types.is_string(text.type):
        text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    return np.asarray(text.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _is(text: pa.Array, pattern: str) -> np.ndarray:
    matches = pc.fill_null(pc.match_substring_regex(text, pattern), False)
    return np.asarray(matches.to_numpy(zero_copy_only=False), dtype=bool)


def _offsets(text: pa.Array) -> np.ndarray:
    """Minutes from UTC; NaN where a cell has no zone, 0 for the name of one."""
    found = pc.extract_regex(text, r"(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?$")
    hours, minutes = (_floats(pc.struct_field(found, name)) for name in ("hours", "minutes"))
    sign = np.where(_is(pc.struct_field(found, "sign"), "-"), -1, 1)
    named = np.where(_is(text, "."), 0.0, np.nan)
    return np.where(np.isnan(hours), named, sign * (60 * hours + np.nan_to_num(minutes)))


def _to_dates(parts: Parts, *, to_utc: bool) -> np.ndarray:
    """(n,) datetime64[us] of parts with year, month and day; what is missing of the rest is the first or 0."""
    year = np.where(parts["digits"] == 2, parts["year"] + 2000, parts["year"])
    month = np.where(np.isnan(parts["quarter"]), parts["month"], 3 * parts["quarter"] - 2)
    weeks = parts["week"]
    # The first week of a year is the one that holds 4 January.
    month, day = np.where(np.isnan(weeks), month, 1), np.where(np.isnan(weeks), np.nan_to_num(parts["day"], nan=1), 4)
    dates = _calendar_day(year, month, day)
    today = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "D")
    # A year of two digits is the latest one that is not in the future.
    late = (parts["digits"] == 2) & (dates > today)
    dates = np.where(late, _calendar_day(year - 100, month, day), dates)
    weekday = (dates.astype(np.int64) + 3) % 7
    dates = np.where(np.isnan(weeks), dates, dates + (7 * (np.nan_to_num(weeks) - 1) - weekday).astype("m8[D]"))
    hour = np.where(np.isnan(parts["half"]), parts["hour"], parts["hour"] % 12 + parts["half"])
    seconds = 3600 * np.nan_to_num(hour) + 60 * np.nan_to_num(parts["minute"]) + np.nan_to_num(parts["sec"])
    seconds = seconds - 60 * np.nan_to_num(parts["zone"]) if to_utc else seconds
    wrong = (hour > 24) | (parts["minute"] > 59) | (parts["sec"] >= 61) | (weeks < 1) | (weeks > 53)
    stamps = dates.astype("M8[us]") + np.round(seconds * 1e6).astype("m8[us]")
    return np.where(wrong, _NO_DATE, stamps)


def _calendar_day(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """(n,) datetime64[D]; NaT where the calendar has no such day."""
    possible = (year >= _YEARS[0]) & (year <= _YEARS[1]) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    year, month, day = (np.where(possible, part, 1).astype(np.int64) for part in (year, month, day))
    start = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    dates = start.astype("M8[D]") + (day - 1)
    return np.where(possible & (dates.astype("M8[M]") == start), dates, np.datetime64("NaT", "D"))


def _day_first(parts: Parts, cells: pa.Array) -> tuple[bool | None, bool]:
    """Whether the day comes before the month, and whether a cell decides that."""
    first, second = parts["first"], parts["second"]
    if np.isnan(first).all():
        return None, True
    days, months = int((first > 12).sum()), int((second > 12).sum())
    if days or months:
        return days > months, True
    # Of a month's first days only, as in monthly data, the number that never changes is the day.
    constant = [len(np.unique(part[~np.isnan(part)])) == 1 for part in (first, second)]
    if constant[0] != constant[1]:
        return constant[0], False
    return not _is(cells, "^[0-9]+/").any(), False


def _are_seasons(parts: Parts, forms: tuple[DateForm | NumberForm, ...]) -> bool:
    """Whether 2010-11 is a season and not a November: every number is that of the next year."""
    if forms[0].name != "year, month":
        return False
    return bool((parts["month"] == (parts["year"] + 1) % 100).all())
