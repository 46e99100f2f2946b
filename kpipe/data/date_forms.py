"""The ways to write a date: one pattern a form. A new form is one entry of ``FORMS``."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["FORMS", "NUMBER_FORMS", "DateForm", "NumberForm"]

_MONTH = r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,?\s+)?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_ANY_YEAR = r"(?P<year>\d{4}|\d{2})"
_CLOCK = r"(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2})(?:[:.](?P<sec>\d{2}(?:[.,]\d+)?))?)?\s*(?P<half>[ap]\.?m\.?)?"
_ZONE = r"\s*(?P<zone>z|(?:utc|gmt)?\s?[+-]\d{2}:?(?:\d{2})?|[a-z]{3,4})?(?:\s*\([\w ]+\))?"
_TIME = rf"(?:(?:t|[\s,:]+){_CLOCK}{_ZONE})?"


class DateForm(NamedTuple):
    """One way to write dates.

    Attributes
    ----------
    name : str
        Said to the user.
    pattern : str
        A regular expression of RE2, without regard to case. Its groups are year, month or name (of a month), day, or
        first and second (day and month in an order that the column decides), quarter, week, hour, minute, sec, half
        (am or pm) and zone.
    """

    name: str
    pattern: str


class NumberForm(NamedTuple):
    """One way to write a date as a whole number.

    Attributes
    ----------
    name : str
        Said to the user.
    lowest, highest : int
        The range of such numbers.
    pattern : str
        Of the number's digits, as in ``DateForm``; "" where it counts ``unit``.
    unit : str
        What is counted since 1970: "s", "ms", "us" or "ns".
    columns : re.Pattern
        What a column's name must contain.
    """

    name: str
    lowest: int
    highest: int
    pattern: str
    unit: str
    columns: re.Pattern[str]


def _form(name: str, pattern: str) -> DateForm:
    return DateForm(name, rf"(?i)^\s*{pattern}\s*$")


FORMS = (
    _form("year, month, day", rf"(?P<year>\d{{4}})[-/.年](?P<month>\d{{1,2}})[-/.月](?P<day>\d{{1,2}})日?{_TIME}"),
    _form("day and month, year", rf"(?P<first>\d{{1,2}})[-/.](?P<second>\d{{1,2}})[-/.]{_ANY_YEAR}{_TIME}"),
    _form("day, name of the month, year", rf"{_WEEKDAY}{_DAY}(?:\s+of)?[-/ ,.]*{_MONTH}[-/ ,.']*{_ANY_YEAR}{_TIME}"),
    _form("name of the month, day, year", rf"{_WEEKDAY}{_MONTH}[-/ .]*{_DAY}[-/ ,]+'?{_ANY_YEAR}{_TIME}"),
    _form("weekday, month, day, time, year", rf"{_WEEKDAY}{_MONTH}\s+{_DAY}\s+{_CLOCK}{_ZONE}\s+(?P<year>\d{{4}})"),
    _form("year, name of the month, day", rf"(?P<year>\d{{4}})[-/ ]{_MONTH}[-/ ]{_DAY}{_TIME}"),
    _form("year, month", r"(?P<year>\d{4})[-/.m年](?P<month>\d{1,2})月?"),
    _form("month, year", r"(?P<month>\d{1,2})[-/](?P<year>\d{4})"),
    _form("name of the month, year", rf"{_MONTH}[-/ .,']*{_ANY_YEAR}"),
    _form("year, name of the month", rf"{_ANY_YEAR}[-/ ]?{_MONTH}"),
    _form("year, quarter", r"(?P<year>\d{4})[-/ ]?q(?P<quarter>[1-4])"),
    _form("quarter, year", rf"q(?P<quarter>[1-4])[-/ ']*{_ANY_YEAR}"),
    _form("year, week", r"(?P<year>\d{4})-?w(?P<week>\d{1,2})"),
    _form(
        "digits of year, month, day, time",
        rf"(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}})[t ](?P<hour>\d{{2}}):?(?P<minute>\d{{2}}):?"
        rf"(?P<sec>\d{{2}})?{_ZONE}",
    ),
)

_OF_TIME = re.compile(
    r"(?i)date|time|stamp|epoch|unix|month|period|day|hour|created|updated|(_|^)(at|dt|ts|ym|ymd)(_|$)"
)
_OF_HOURS = re.compile(r"(?i)hour|time|stamp|date|(_|^)(dt|ts)(_|$)")
_Y, _M, _D = r"^(?P<year>\d{4})", r"(?P<month>\d{2})", r"(?P<day>\d{2})"
_H = r"(?P<hour>\d{2})"

NUMBER_FORMS = (
    NumberForm("YYYYMMDD", 19000101, 21001231, rf"{_Y}{_M}{_D}$", "", _OF_TIME),
    NumberForm("YYYYMM", 190001, 210012, rf"{_Y}{_M}$", "", _OF_TIME),
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
    NumberForm("seconds since 1970", 315_532_800, 4_102_444_800, "", "s", _OF_TIME),
    NumberForm("milliseconds since 1970", 315_532_800_000, 4_102_444_800_000, "", "ms", _OF_TIME),
    NumberForm("microseconds since 1970", 315_532_800_000_000, 4_102_444_800_000_000, "", "us", _OF_TIME),
    NumberForm("nanoseconds since 1970", 315_532_800_000_000_000, 4_102_444_800_000_000_000, "", "ns", _OF_TIME),
)
