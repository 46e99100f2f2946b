"""The parts of written dates as numbers, and the dates that these parts make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.data.date_forms import DateForm, NumberForm
from kpipe.data.matching import first_known, matches, named_groups, to_floats

__all__ = ["NO_DATE", "YEARS", "Parts", "count_from_1970", "parts_of", "to_dates", "unknown_zones"]

YEARS = (1500, 2200)  # years outside are placeholders such as 0000 and 9999
NO_DATE = np.datetime64("NaT", "us")
_BUDDHIST, _BUDDHIST_0 = (2443, 2643), 543  # years of the Buddhist era, as in Thai data, and its offset
_MONTHS = pa.array("jan feb mar apr may jun jul aug sep oct nov dec".split())
_NO_YEAR = 2000  # for dates without a year; a leap year, so that 29 February is a date
# Offsets from UTC in minutes; other zone names are ignored.
_ZONES = {
    **{"utc": 0, "gmt": 0, "z": 0, "wet": 0, "bst": 60, "west": 60, "cet": 60, "cest": 120, "eet": 120, "eest": 180},
    **{"msk": 180, "jst": 540, "kst": 540, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420},
    **{"mdt": -360, "pst": -480, "pdt": -420, "akst": -540, "akdt": -480, "hst": -600},
}
_COUNTED = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3, "excel": 86_400e6}  # microseconds
_EXCEL_1970 = 25_569

Parts = Mapping[str, np.ndarray]  # year, month, day, ... → (n,) float64, NaN where the format has no such part


def parts_of(cells: pa.Array, forms: tuple[DateForm | NumberForm, ...]) -> dict[str, np.ndarray]:
    """Read the parts of each cell by the first format that matches it.

    Parameters
    ----------
    cells : pyarrow.Array
        (n,) strings.
    forms : tuple of DateForm or NumberForm
        The formats to try, in this order.

    Returns
    -------
    dict of str to ndarray
        (n,) float64 for each part that any format has, such as ``year``; NaN where a cell has no such part.
    """
    names = "year month day first second dayofmonth yearday semester quarter week weekday hour minute sec half zone"
    names += " digits excel epoch"
    parts = {name: np.full(len(cells), np.nan) for name in names.split()}
    unmatched = np.ones(len(cells), dtype=bool)
    for form in forms:
        if not unmatched.any():
            break
        found = pc.extract_regex(cells, form.pattern)
        rows = unmatched & found.is_valid().to_numpy(zero_copy_only=False)
        unmatched &= ~rows
        for name, values in _numbers(found).items():
            parts[name] = np.where(rows, values, parts[name])
    return parts


def unknown_zones(cells: pa.Array, forms: tuple[DateForm, ...]) -> list[str]:
    """Return up to three names of zones with an unknown offset, if cells name several zones.

    Parameters
    ----------
    cells : pyarrow.Array
        (n,) strings.
    forms : tuple of DateForm
        The formats of the cells.

    Returns
    -------
    list of str
    """
    names: set[str] = set()
    for form in forms:
        found = pc.extract_regex(cells, form.pattern).drop_null()
        if any(field.name == "zone" for field in found.type):
            names |= {name.strip() for name in pc.unique(pc.struct_field(found, "zone")).to_pylist() if name}
    unknown = sorted(name for name in names if name.lower() not in _ZONES and not re.search(r"\d", name))
    return unknown[:3] if len(names) > 1 else []


def to_dates(parts: Parts, *, to_utc: bool) -> np.ndarray:
    """Assemble dates; missing parts of the time are 0.

    Parameters
    ----------
    parts : mapping of str to ndarray
        (n,) float64 each, as ``parts_of`` returns them, with the year, month and day.
    to_utc : bool
        Whether offsets from UTC are subtracted.

    Returns
    -------
    ndarray
        (n,) datetime64[us]; NaT where the parts do not form a date.
    """
    hour = np.where(np.isnan(parts["half"]), parts["hour"], parts["hour"] % 12 + parts["half"])
    seconds = 3600 * np.nan_to_num(hour) + 60 * np.nan_to_num(parts["minute"]) + np.nan_to_num(parts["sec"])
    seconds = seconds - 60 * np.nan_to_num(parts["zone"]) if to_utc else seconds
    wrong = (hour > 24) | (parts["minute"] > 59) | (parts["sec"] >= 61)
    stamps = _to_days(parts).astype("M8[us]") + np.round(seconds * 1e6).astype("m8[us]")
    stamps = np.where(wrong, NO_DATE, stamps)
    stamps = np.where(np.isnan(parts["excel"]), stamps, count_from_1970(parts["excel"], "excel"))
    return np.where(np.isnan(parts["epoch"]), stamps, count_from_1970(parts["epoch"], "s"))


def count_from_1970(counts: np.ndarray, unit: str) -> np.ndarray:
    """Convert counts since 1970, or days as Excel counts them, to dates.

    Parameters
    ----------
    counts : ndarray
        (n,) numbers.
    unit : str
        ``s``, ``ms``, ``us``, ``ns`` or ``excel`` (days).

    Returns
    -------
    ndarray
        (n,) datetime64[us]; NaT where a count is missing.
    """
    if counts.dtype.kind in "iu" and unit != "excel":
        return counts.astype(np.int64).astype(f"M8[{unit}]").astype("M8[us]")
    counts = counts.astype(np.float64) - (_EXCEL_1970 if unit == "excel" else 0)
    micros = np.round(np.nan_to_num(counts) * _COUNTED[unit]).astype(np.int64).astype("M8[us]")
    return np.where(np.isnan(counts), NO_DATE, micros)


def _numbers(found: pa.StructArray) -> dict[str, np.ndarray]:
    """The groups of a pattern as numbers."""
    texts = named_groups(found)
    numbers = {}
    for name, text in texts.items():
        if name == "name":
            numbers["month"] = to_floats(pc.index_in(pc.utf8_lower(text), _MONTHS)) + 1
        elif name == "half":
            numbers["half"] = np.where(matches(text, "(?i)^p"), 12.0, np.where(matches(text, "(?i)^a"), 0.0, np.nan))
        elif name == "zone":
            numbers["zone"] = _offsets(text)
        elif name == "sec":
            numbers["sec"] = to_floats(pc.replace_substring(text, ",", "."))
        else:
            numbers[name] = to_floats(text)
    if "quarter2" in numbers:
        numbers["quarter"] = first_known(numbers["quarter"], numbers.pop("quarter2"))
    if "year" in texts:
        numbers["digits"] = to_floats(pc.utf8_length(texts["year"]))
    return numbers


def _offsets(text: pa.Array) -> np.ndarray:
    """Offsets from UTC in minutes; NaN for cells without a zone, 0 for zones with an unknown offset."""
    found = pc.extract_regex(text, r"(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?$")
    hours, minutes = (to_floats(pc.struct_field(found, name)) for name in ("hours", "minutes"))
    sign = np.where(matches(pc.struct_field(found, "sign"), "-"), -1, 1)
    known = pc.index_in(pc.utf8_lower(pc.utf8_trim_whitespace(text)), pa.array(list(_ZONES)))
    minutes_of = np.array([*_ZONES.values(), 0.0])
    named = np.where(matches(text, "."), minutes_of[pc.fill_null(known, -1).to_numpy(zero_copy_only=False)], np.nan)
    return np.where(np.isnan(hours), named, sign * (60 * hours + np.nan_to_num(minutes)))


def _to_days(parts: Parts) -> np.ndarray:
    """(n,) datetime64[D] of parts; the first day of a month, a week or a quarter."""
    year = np.where(parts["digits"] == 2, parts["year"] + 2000, parts["year"])
    year = np.where((year >= _BUDDHIST[0]) & (year <= _BUDDHIST[1]), year - _BUDDHIST_0, year)
    year = np.where(np.isnan(parts["dayofmonth"]), year, _NO_YEAR)
    weeks, yeardays = parts["week"], parts["yearday"]
    # ISO 8601: the first week of a year is the one with 4 January.
    counted = np.where(np.isnan(weeks), np.where(np.isnan(yeardays), np.nan, 1.0), 4.0)
    january = np.where(np.isnan(counted), np.nan, 1.0)
    month = first_known(january, parts["month"], 3 * parts["quarter"] - 2, 6 * parts["semester"] - 5)
    day = first_known(counted, parts["day"], parts["dayofmonth"], np.ones(len(month)))
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


def _calendar_day(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """(n,) datetime64[D]; NaT where the calendar has no such day."""
    possible = (year >= YEARS[0]) & (year <= YEARS[1]) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    year, month, day = (np.where(possible, part, 1).astype(np.int64) for part in (year, month, day))
    start = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    dates = start.astype("M8[D]") + (day - 1)
    return np.where(possible & (dates.astype("M8[M]") == start), dates, np.datetime64("NaT", "D"))
