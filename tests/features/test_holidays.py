from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.features import holidays
from kpipe.features.holidays import HOLIDAY_OFFSETS, PublicHolidays, find_countries


@pytest.mark.parametrize(
    "labels",
    [
        ["Finland", "Norway", "Sweden"],
        ["Argentina", "Canada", "Estonia", "Japan", "Spain"],
        ["united states", "UNITED KINGDOM", "Czech Republic", "Türkiye"],
        ["DEU", "FRA", "Elsewhere"],
    ],
)
def test_labels_that_name_countries_are_found(labels: list[str]) -> None:
    assert list(find_countries(labels)) == [label for label in labels if label != "Elsewhere"]


@pytest.mark.parametrize("labels", [["north", "south"], ["TX", "NY", "CA"], ["DE"], ["Chad", "Bob", "Jim", "Ann"], []])
def test_other_labels_are_no_countries(labels: list[str]) -> None:
    assert find_countries(labels) == {}


def days_after(labels: list[str], dates: list[str]) -> list[set[int]]:
    """How many days before each date its country has a holiday."""
    column, when = pd.Series(labels, dtype="str"), pd.Series(pd.to_datetime(dates, format="ISO8601"))
    known = PublicHolidays.of(pd.Series(["Germany", "Japan"], dtype="str"))
    assert known is not None
    near = known.near(column, when)
    return [{HOLIDAY_OFFSETS[place] for place in np.flatnonzero(row)} for row in near]


def test_holidays_move_with_easter_and_differ_by_country() -> None:
    found = days_after(["Germany", "Germany", "Japan"], ["2019-04-22", "2021-04-05", "2019-04-22"])  # Easter Mondays
    assert [0 in near for near in found] == [True, True, False]
    assert -3 not in found[0]  # Good Friday lies before, not after
    assert 3 in found[0]


def test_holidays_of_the_year_before_and_after_count() -> None:
    assert {6, 7} <= days_after(["Germany"], ["2020-01-01"])[0]  # the two days of Christmas
    assert -1 in days_after(["Germany"], ["2019-12-31"])[0]


def test_hours_missing_and_distant_dates_and_unknown_labels_are_read() -> None:
    found = days_after(["Germany", "Germany", "Peru", "Germany"], ["2019-10-03 17:00", "", "2019-10-03", "2250-01-01"])
    assert 0 in found[0]
    assert found[1:] == [set(), set(), set()]


def test_without_the_package_no_label_is_a_country(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    holidays._known_names.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "holidays.registry", None)
    try:
        with caplog.at_level("WARNING", logger="kpipe"):
            assert find_countries(["Germany"]) == {}
    finally:
        holidays._known_names.cache_clear()
    assert "the package 'holidays' is not installed" in caplog.text
