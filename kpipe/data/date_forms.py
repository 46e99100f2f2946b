"""Date formats, each as a regular expression. To add one, add an entry to ``FORMS``."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import pandas as pd

__all__ = ["COUNTED_FORMS", "FORMS", "NUMBER_FORMS", "DateForm", "NumberForm", "epoch_unit", "number_forms_of"]

_MONTH = r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_DAY_NAME = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}"
_WEEKDAY = rf"(?:{_DAY_NAME}\.?,?\s+)?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|[ºª])?"
_ANY_YEAR = r"(?P<year>\d{4}|\d{2})"
_CLOCK = r"(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2})(?:[:.](?P<sec>\d{2}(?:[.,]\d+)?))?)?\s*(?P<half>[ap]\.?\s?m\.?)?"
_ZONE = (
    r"\s*(?P<zone>z|(?:utc|gmt)?\s?[+-]\d{1,2}:?(?:\d{2})?|[a-z]+/[a-z_]+(?:/[a-z_]+)?|[a-z]{3,4})?"
    r"(?:\s*\([\w ]+\)|\[[\w/]+\])?"
)
_AT = r"(?:(?:at|um|à|kl\.?|klo|om|alle|ore|a las|o)\s+)?"
# 2020-01-01_3 and 2020-01-01|3 are a day and the number of a shop, not a time.
_BEFORE_TIME = rf"(?:t|[\s,:]+{_AT}|\s*[@·]\s*{_AT}|\s+[|_]\s+)"
_TIME = rf"(?:{_BEFORE_TIME}{_CLOCK}(?:\s*uhr)?{_ZONE})?"
_BEFORE = rf"{_CLOCK}{_ZONE}[\s,·]+"


class DateForm(NamedTuple):
    """A format of dates as text.

    Attributes
    ----------
    name : str
        Shown to the user.
    pattern : str
        A case-insensitive RE2 expression. Its groups are year, month or name (of a month), day, or first and second
        (day and month in an order that is decided per column), dayofmonth (for dates without a year), yearday,
        semester, quarter, week, weekday, hour, minute, sec, half (am or pm), zone, excel (a day count) and epoch
        (seconds).
    """

    name: str
    pattern: str


class NumberForm(NamedTuple):
    """A format of dates as whole numbers.

    Attributes
    ----------
    name : str
        Shown to the user.
    lowest, highest : int
        The range of the numbers.
    pattern : str
        For the number's digits, as in ``DateForm``; "" if the number counts ``unit``.
    unit : str
        What the number counts since 1970: "s", "ms", "us" or "ns"; or "excel" for days since 1899-12-30.
    columns : re.Pattern
        Must match the column's name.
    """

    name: str
    lowest: int
    highest: int
    pattern: str
    unit: str
    columns: re.Pattern[str]


def _form(name: str, pattern: str) -> DateForm:
    suffix = rf"(?:[\s,]+\(?{_DAY_NAME}\.?\)?)?(?:\s*\([^\d()]*\))?"  # a weekday, a country
    return DateForm(name, rf"""(?i)^\s*['"(\[]?{_WEEKDAY}{pattern}{suffix}['")\]]?\s*$""")


_YEAR_MONTH_DAY = r"(?P<year>\d{4})[-/._年 ]\s?(?P<month>\d{1,2})[-/._月 ]\s?(?P<day>\d{1,2})[日.]?"
_FIRST_SECOND_YEAR = rf"(?P<first>\d{{1,2}})[-/.|](?P<second>\d{{1,2}})[-/.|]{_ANY_YEAR}"
_DAY_NAME_YEAR = rf"{_DAY}(?:\s+of)?[-/ ,.]*{_MONTH}[-/ ,.']*{_ANY_YEAR}"

FORMS = (
    _form("year, month, day", rf"{_YEAR_MONTH_DAY}{_TIME}"),
    _form("day and month, year", rf"{_FIRST_SECOND_YEAR}{_TIME}"),
    _form("day and month, year, blanks", r"(?P<first>\d{1,2})[ _](?P<second>\d{1,2})[ _](?P<year>\d{4})"),
    _form("day, name of the month, year", rf"{_WEEKDAY}{_DAY_NAME_YEAR}{_TIME}"),
    _form("name of the month, day, year", rf"{_WEEKDAY}{_MONTH}[-/ .]*{_DAY}[-/ ,]+'?{_ANY_YEAR}{_TIME}"),
    _form("weekday, month, day, time, year", rf"{_WEEKDAY}{_MONTH}\s+{_DAY}\s+{_CLOCK}{_ZONE}\s+(?P<year>\d{{4}})"),
    _form("year, name of the month, day", rf"(?P<year>\d{{4}})[-/ ,.]*{_MONTH}[-/ ,.]*{_DAY}\.?{_TIME}"),
    _form("time, year, month, day", rf"{_BEFORE}{_YEAR_MONTH_DAY}"),
    _form("time, day and month, year", rf"{_BEFORE}{_FIRST_SECOND_YEAR}"),
    _form("time, day, name of the month, year", rf"{_BEFORE}{_DAY_NAME_YEAR}"),
    _form("time, name of the month, day, year", rf"{_BEFORE}{_MONTH}[-/ .]*{_DAY}[-/ ,]+{_ANY_YEAR}"),
    _form("year, month", r"(?P<year>\d{4})[-/._m年](?P<month>\d{1,2})月?"),
    _form("year, day of the year", r"(?P<year>\d{4})[-/.](?P<yearday>\d{3})"),
    _form("month, year", r"(?P<month>\d{1,2})[-/](?P<year>\d{4})"),
    _form("name of the month, year", rf"{_MONTH}[-/ .,']*{_ANY_YEAR}"),
    _form("year, name of the month", rf"{_ANY_YEAR}[-/ ]?{_MONTH}"),
    _form("year, quarter", r"(?:fy)?(?P<year>\d{4})[-/_ ]*q(?P<quarter>[1-4])"),
    _form("quarter, year", rf"(?:q(?P<quarter>[1-4])|(?P<quarter2>[1-4])\.?\s?q)[-/_, ']*(?:fy)?{_ANY_YEAR}"),
    _form("year, half", r"(?P<year>\d{4})[-/_ ]*[hs](?P<semester>[12])"),
    _form("half, year", rf"[hs](?P<semester>[12])[-/_, ']*{_ANY_YEAR}"),
    _form(
        "year, week",
        r"(?P<year>\d{4})[-/_ ]*(?:w|wk|week|kw|cw)[-_ ]?(?P<week>\d{1,2})(?:-(?P<weekday>[1-7]))?",
    ),
    _form("week, year", r"(?:w|wk|week|kw|cw)[-_. ]*(?P<week>\d{1,2})[-/_, ]+(?P<year>\d{4})"),
    _form(
        "digits of year, month, day, time",
        rf"(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}})[-_t ](?P<hour>\d{{2}}):?(?P<minute>\d{{2}}):?"
        rf"(?P<sec>\d{{2}})?{_ZONE}",
    ),
    _form(
        "digits of year, month, day, time in UTC",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?P<hour>\d{2})(?P<minute>\d{2})(?P<sec>\d{2})(?P<zone>z)",
    ),
    _form(
        "year, month, day, time between dashes",
        r"(?P<year>\d{4})[-_](?P<month>\d{1,2})[-_](?P<day>\d{1,2})[-_| ](?P<hour>\d{2})[-_:](?P<minute>\d{2})"
        r"(?:[-_:](?P<sec>\d{2}))?",
    ),
    _form("name of the month, day", rf"{_MONTH}[-/ .,]*(?P<dayofmonth>\d{{1,2}})(?:st|nd|rd|th)?"),
    _form("day, name of the month", rf"(?P<dayofmonth>\d{{1,2}})(?:st|nd|rd|th)?[-/ .,]*{_MONTH}"),
)

COUNTED_FORMS = (
    _form("digits of year, month, day", r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"),
    _form("days since 1900 as in Excel", r"(?P<excel>\d{5}(?:\.\d+)?)"),
    _form("seconds since 1970", r"(?P<epoch>\d{9,10}(?:\.\d+)?)"),
)
"""Formats of numbers in a column of written dates: a spreadsheet or program has converted some of its cells."""

_OF_TIME = re.compile(
    r"(?i)date|time|stamp|epoch|unix|month|period|day|hour|created|updated|(_|^)(at|dt|ts|ym|ymd)(_|$)"
    r"|birth|dob|since|joined|expir|issued|sold|posted|publish|releas|visit|arriv|depart|start|begin|signup|regist"
)
_OF_DATES = re.compile(r"(?i)date|(_|^)dt(_|$)")
_OF_HOURS = re.compile(r"(?i)hour|time|stamp|date|(_|^)(dt|ts)(_|$)")
_Y, _M, _D = r"^(?P<year>\d{4})", r"(?P<month>\d{2})", r"(?P<day>\d{2})"
_H = r"(?P<hour>\d{2})"

# Seconds since 1970 are dates from 1980 to 2100 if the column's name suggests a time, else from 1990 to 2035.
_SECONDS, _UNNAMED_SECONDS = (315_532_800, 4_102_444_800), (631_152_000, 2_051_222_400)


def _since_1970(name: str, unit: str, per_second: int) -> NumberForm:
    lowest, highest = (seconds * per_second for seconds in _SECONDS)
    return NumberForm(f"{name} since 1970", lowest, highest, "", unit, _OF_TIME)


NUMBER_FORMS = (
    NumberForm("YYYYMMDD", 19000101, 21001231, rf"{_Y}{_M}{_D}$", "", _OF_TIME),
    NumberForm("YYYYMM", 190001, 210012, rf"{_Y}{_M}$", "", _OF_TIME),
    NumberForm(
        "day and month, YYYY",
        1011920,
        31122049,
        r"^(?P<first>\d{1,2})(?P<second>\d{2})(?P<year>19[2-9]\d|20[0-4]\d)$",
        "",
        _OF_DATES,
    ),
    NumberForm("YYMMDDHH", 10000000, 99123123, rf"^(?P<year>\d{{2}}){_M}{_D}{_H}$", "", _OF_HOURS),
    NumberForm("YYYYMMDDHH", 1900010100, 2100123123, rf"{_Y}{_M}{_D}{_H}$", "", _OF_HOURS),
    NumberForm("YYYYMMDDHHMM", 190001010000, 210012312359, rf"{_Y}{_M}{_D}{_H}(?P<minute>\d{{2}})$", "", _OF_HOURS),
    NumberForm(
        "YYYYMMDDHHMMSS",
        19000101000000,
        21001231235959,
        rf"{_Y}{_M}{_D}{_H}(?P<minute>\d{{2}})(?P<sec>\d{{2}})$",
        "",
        _OF_HOURS,
    ),
    NumberForm("YYYYDDD", 1900001, 2100366, rf"{_Y}(?P<yearday>\d{{3}})$", "", _OF_TIME),
    NumberForm("YYMMDD", 101, 991231, rf"^(?P<year>\d{{1,2}}){_M}{_D}$", "", _OF_DATES),
    NumberForm("days since 1900 as in Excel", 25_569, 55_153, "", "excel", _OF_DATES),
    _since_1970("seconds", "s", 1),
    _since_1970("milliseconds", "ms", 1_000),
    _since_1970("microseconds", "us", 1_000_000),
    _since_1970("nanoseconds", "ns", 1_000_000_000),
)


def number_forms_of(column: str) -> list[NumberForm]:
    """The number formats that may be dates in a column of this name.

    Parameters
    ----------
    column : str

    Returns
    -------
    list of NumberForm

    Examples
    --------
    >>> number_forms_of("price")
    []
    """
    return [form for form in NUMBER_FORMS if form.columns.search(column)]


def epoch_unit(numbers: pd.Series) -> Literal["s", "ms"] | None:
    """The unit in which numbers count time since 1970, if all of them lie in the years 1990 to 2035.

    Parameters
    ----------
    numbers : Series
        (n,) numbers; the column may have any name.

    Returns
    -------
    {"s", "ms"} or None
    """
    lowest, highest = numbers.min(), numbers.max()
    units: dict[Literal["s", "ms"], int] = {"s": 1, "ms": 1_000}
    first, last = _UNNAMED_SECONDS
    return next((unit for unit, size in units.items() if first * size <= lowest and highest <= last * size), None)
