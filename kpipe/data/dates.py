"""Recognise and parse the dates of a column; the formats are in ``kpipe.data.date_forms``."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.data.affixes import Affixes
from kpipe.data.date_forms import COUNTED_FORMS, FORMS, DateForm, NumberForm, number_forms_of
from kpipe.data.date_words import in_english

__all__ = ["DateFormat", "distinct_cells", "is_named_after_time", "parse_dates", "to_strings"]

_NAMES_OF_TIME = re.compile(r"(?i)week|day|month|year|date|time|step|hour|period|quarter|block")
_SAMPLED = 1000  # distinct cells that decide a column's format
_MIN_SHARE = 0.95  # of the distinct cells must be dates
_YEARS = (1500, 2200)  # years outside are placeholders such as 0000 and 9999
_BUDDHIST, _BUDDHIST_0 = (2443, 2643), 543  # years of the Buddhist era, as in Thai data, and its offset
_MONTHS = pa.array("jan feb mar apr may jun jul aug sep oct nov dec".split())
_MONTH_OR_DAY = {
    "name of the month, year": "name of the month, day",
    "year, name of the month": "day, name of the month",
}
_NO_YEAR = 2000  # for dates without a year; a leap year, so that 29 February is a date
# Offsets from UTC in minutes; other zone names are ignored.
_ZONES = {
    **{"utc": 0, "gmt": 0, "z": 0, "wet": 0, "bst": 60, "west": 60, "cet": 60, "cest": 120, "eet": 120, "eest": 180},
    **{"msk": 180, "jst": 540, "kst": 540, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420},
    **{"mdt": -360, "pst": -480, "pdt": -420, "akst": -540, "akdt": -480, "hst": -600},
}
_COUNTED = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3, "excel": 86_400e6}  # microseconds
_EXCEL_1970 = 25_569
_OTHER_DIGITS = r"[\x{ff10}-\x{ff19}\x{0660}-\x{0669}\x{06f0}-\x{06f9}]"
_OTHER_BLANKS = r"[\x{a0}\x{2007}-\x{200a}\x{202f}]"
_ASCII = {start + digit: str(digit) for start in (0xFF10, 0x660, 0x6F0) for digit in range(10)}
_ASCII |= {0xFF00 + ord(mark) - 0x20: mark for mark in "%,.-+/:"}
_NO_DATE = np.datetime64("NaT", "us")

Parts = Mapping[str, np.ndarray]  # year, month, day, ... → (n,) float64, NaN where the format has no such part


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
        if (found := cls._of_text(cells) or cls._of_words(cells)) is not None:
            return found
        affixes = Affixes.of(cells)
        bare = cells if affixes is None else affixes.strip(cells)
        within = None if affixes is None else cls._of_text(bare) or cls._of_words(bare)
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
        parts = _parts(cells, (form,))
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
        if english is None or found is None or _is_one_month(_parts(english, found.forms)):
            return None
        return replace(found, in_words=True)

    @classmethod
    def _of_text(cls, cells: pa.Array) -> Self | None:
        forms = _forms_of(cells)
        if not forms:
            return None
        parts = _parts(cells, forms)
        if _has_no_years(parts, forms):
            forms = tuple(form for form in FORMS if form.name == _MONTH_OR_DAY[forms[0].name])
            parts = _parts(cells, forms)
        day_first, is_certain = _day_first(parts, cells)
        offsets = parts["zone"][~np.isnan(parts["zone"])]
        zones = _unknown_zones(cells, forms) if len(offsets) else ()
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
            dates = _count_from_1970(np.asarray(cells), form.unit)
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
        cells = to_strings(text.iloc[rows])
        cells = cells if self.affixes is None else self.affixes.strip(cells)
        cells = (in_english(cells) or cells) if self.in_words else cells
        dates[rows] = self._assemble(_parts(cells, self.forms))
        return dates

    def _assemble(self, parts: Parts) -> np.ndarray:
        """(n,) datetime64[us] of (n,) parts; NaT where they are no date."""
        first, second = parts["first"], parts["second"]
        day, month = (first, second) if self.day_first else (second, first)
        # A column may mix both orders: a cell that is valid in only one of them is read in that one.
        swapped = (month > 12) & (day <= 12)
        day, month = np.where(swapped, month, day), np.where(swapped, day, month)
        day = np.where(np.isnan(day), parts["day"], day)
        month = np.where(np.isnan(month), parts["month"], month)
        return _to_dates(parts | {"day": day, "month": month}, to_utc=self.to_utc)  # type: ignore[operator]


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


def distinct_cells(column: pd.Series, most: int) -> pa.Array:
    """Distinct cells of a column of text, sampled evenly over its length, without missing ones.

    Parameters
    ----------
    column : Series
        (n,) text.
    most : int
        The number of rows that are sampled.

    Returns
    -------
    pyarrow.Array
        At most ``most`` strings.
    """
    sampled = column.iloc[:: max(1, len(column) // most)].head(most) if len(column) > most else column
    if isinstance(sampled.dtype, pd.StringDtype):  # twenty times as fast: a table may have 100,000 columns
        return _with_ascii_digits(pc.unique(pa.array(sampled.array, pa.string())).drop_null())
    return to_strings(sampled.dropna().drop_duplicates())


def to_strings(cells: pd.Series) -> pa.Array:
    """Convert cells to strings in which full-width and Arabic digits, marks and blanks are ASCII.

    Parameters
    ----------
    cells : Series
        (n,) text or numbers.

    Returns
    -------
    pyarrow.Array
    """
    return _with_ascii_digits(pa.array(cells.astype(str).to_numpy(dtype=object), pa.string()))


def _with_ascii_digits(strings: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(strings, _OTHER_BLANKS)).as_py():
        strings = pc.replace_substring_regex(strings, _OTHER_BLANKS, " ")
    if pc.any(pc.match_substring_regex(strings, _OTHER_DIGITS)).as_py():
        return pa.array([text.translate(_ASCII) for text in strings.to_pylist()], pa.string())
    return strings


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


def _parts(cells: pa.Array, forms: tuple[DateForm | NumberForm, ...]) -> dict[str, np.ndarray]:
    """The parts of each cell, read by the first format that matches."""
    names = "year month day first second dayofmonth yearday semester quarter week weekday hour minute sec half zone"
    names += " digits excel epoch"
    parts = {name: np.full(len(cells), np.nan) for name in names.split()}
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
    if "quarter2" in numbers:
        numbers["quarter"] = _first_of(numbers["quarter"], numbers.pop("quarter2"))
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
    """Offsets from UTC in minutes; NaN for cells without a zone, 0 for zones with an unknown offset."""
    found = pc.extract_regex(text, r"(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?$")
    hours, minutes = (_floats(pc.struct_field(found, name)) for name in ("hours", "minutes"))
    sign = np.where(_is(pc.struct_field(found, "sign"), "-"), -1, 1)
    known = pc.index_in(pc.utf8_lower(pc.utf8_trim_whitespace(text)), pa.array(list(_ZONES)))
    minutes_of = np.array([*_ZONES.values(), 0.0])
    named = np.where(_is(text, "."), minutes_of[pc.fill_null(known, -1).to_numpy(zero_copy_only=False)], np.nan)
    return np.where(np.isnan(hours), named, sign * (60 * hours + np.nan_to_num(minutes)))


def _unknown_zones(cells: pa.Array, forms: tuple[DateForm, ...]) -> list[str]:
    """Up to three names of zones with an unknown offset, if cells name several zones."""
    names: set[str] = set()
    for form in forms:
        found = pc.extract_regex(cells, form.pattern).drop_null()
        if any(field.name == "zone" for field in found.type):
            names |= {name.strip() for name in pc.unique(pc.struct_field(found, "zone")).to_pylist() if name}
    unknown = sorted(name for name in names if name.lower() not in _ZONES and not re.search(r"\d", name))
    return unknown[:3] if len(names) > 1 else []


def _first_of(*numbers: np.ndarray) -> np.ndarray:
    """(n,) the first number that is not missing."""
    return functools.reduce(lambda first, second: np.where(np.isnan(first), second, first), numbers)


def _to_dates(parts: Parts, *, to_utc: bool) -> np.ndarray:
    """(n,) datetime64[us] from parts with year, month and day; missing parts of the time are 0."""
    hour = np.where(np.isnan(parts["half"]), parts["hour"], parts["hour"] % 12 + parts["half"])
    seconds = 3600 * np.nan_to_num(hour) + 60 * np.nan_to_num(parts["minute"]) + np.nan_to_num(parts["sec"])
    seconds = seconds - 60 * np.nan_to_num(parts["zone"]) if to_utc else seconds
    wrong = (hour > 24) | (parts["minute"] > 59) | (parts["sec"] >= 61)
    stamps = _to_days(parts).astype("M8[us]") + np.round(seconds * 1e6).astype("m8[us]")
    stamps = np.where(wrong, _NO_DATE, stamps)
    stamps = np.where(np.isnan(parts["excel"]), stamps, _count_from_1970(parts["excel"], "excel"))
    return np.where(np.isnan(parts["epoch"]), stamps, _count_from_1970(parts["epoch"], "s"))


def _to_days(parts: Parts) -> np.ndarray:
    """(n,) datetime64[D] of parts; the first day of a month, a week or a quarter."""
    year = np.where(parts["digits"] == 2, parts["year"] + 2000, parts["year"])
    year = np.where((year >= _BUDDHIST[0]) & (year <= _BUDDHIST[1]), year - _BUDDHIST_0, year)
    year = np.where(np.isnan(parts["dayofmonth"]), year, _NO_YEAR)
    weeks, yeardays = parts["week"], parts["yearday"]
    # ISO 8601: the first week of a year is the one with 4 January.
    counted = np.where(np.isnan(weeks), np.where(np.isnan(yeardays), np.nan, 1.0), 4.0)
    january = np.where(np.isnan(counted), np.nan, 1.0)
    month = _first_of(january, parts["month"], 3 * parts["quarter"] - 2, 6 * parts["semester"] - 5)
    day = _first_of(counted, parts["day"], parts["dayofmonth"], np.ones(len(month)))
    dates = _calendar_day(year, month, day)
    today = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "D")
    # A two-digit year is the latest year that is not in the future.
    late = (parts["digits"] == 2) & (dates > today)
    dates = np.where(late, _calendar_day(year - 100, month, day), dates)
    weekday = (dates.astype(np.int64) + 3) % 7
    days = 7 * (np.nan_to_num(weeks) - 1) - weekday + np.nan_to_num(parts["weekday"], nan=1) - 1
    days = np.where(np.isnan(weeks), np.nan_to_num(yeardays, nan=1) - 1, days)
    shifted = dates + days.astype("m8[D]")
    wrong = (weeks < 1) | (weeks > 53) | (yeardays < 1) | (yeardays > 366)
    return np.where(wrong, np.datetime64("NaT", "D"), shifted)


def _count_from_1970(counts: np.ndarray, unit: str) -> np.ndarray:
    """(n,) datetime64[us] of seconds or other units since 1970, or of Excel's days."""
    if counts.dtype.kind in "iu" and unit != "excel":
        return counts.astype(np.int64).astype(f"M8[{unit}]").astype("M8[us]")
    counts = counts.astype(np.float64) - (_EXCEL_1970 if unit == "excel" else 0)
    micros = np.round(np.nan_to_num(counts) * _COUNTED[unit]).astype(np.int64).astype("M8[us]")
    return np.where(np.isnan(counts), _NO_DATE, micros)


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
    # In monthly data, which has only the first day of each month, the constant number is the day.
    constant = [len(np.unique(part[~np.isnan(part)])) == 1 for part in (first, second)]
    if constant[0] != constant[1]:
        return constant[0], False
    return not _is(cells, "^[0-9]+/").any(), False


def _is_one_month(parts: Parts) -> bool:
    """Whether all dates without a year are of one month, so that its name may be another word."""
    months = parts["month"][~np.isnan(parts["month"])]
    return bool(np.isnan(parts["year"]).all() and len(np.unique(months)) == 1)


def _are_seasons(parts: Parts, forms: tuple[DateForm | NumberForm, ...]) -> bool:
    """Whether 2010-11 is a season and not a month: the second number is always that of the following year."""
    if forms[0].name != "year, month":
        return False
    return bool((parts["month"] == (parts["year"] + 1) % 100).all())
