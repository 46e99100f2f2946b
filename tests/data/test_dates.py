from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.data.dates import DateFormat, parse_dates


@pytest.mark.parametrize(
    ("cells", "day"),
    [
        (["2015-01-31", "2015-02-01"], 31),
        (["2015-01-31 23:10:05", None], 31),
        (["2015-01-31T23:10:05Z", "2015-02-01T00:00:00Z"], 31),
        (["1/31/15", "2/1/15"], 31),
        (["31/01/2015", "01/02/2015"], 31),
        (["31.01.2015 10:00", "01.02.2015 10:00"], 31),
    ],
)
def test_every_form_of_date_is_recognised(cells: list[str | None], day: int) -> None:
    found = parse_dates(pd.Series(cells, dtype="str"))
    assert found is not None
    assert (found.iloc[0].year, found.iloc[0].month, found.iloc[0].day) == (2015, 1, day)


@pytest.mark.parametrize(
    "cells", [["B/0/P", "F/1/S"], ["2015-01-31", "never"], ["1.5", "2.5"], ["2015-13-45", "2015-99-99"], [None, None]]
)
def test_a_column_with_one_cell_that_is_not_a_date_holds_no_dates(cells: list[str | None]) -> None:
    assert parse_dates(pd.Series(cells, dtype="str")) is None


def test_integers_are_dates_only_if_the_columns_name_says_so() -> None:
    assert parse_dates(pd.Series([20150131, 20150201], name="date")) is not None
    assert parse_dates(pd.Series([20150131, 20150201], name="area")) is None
    assert parse_dates(pd.Series([20159999, 20150201], name="date")) is None


def dates_of(*cells: str | None) -> list[str] | None:
    found = parse_dates(pd.Series(cells, dtype="str", name="d"))
    return None if found is None else [str(date) for date in found]


def test_a_few_bad_cells_among_dates_are_missing() -> None:
    cells = [f"2015-01-{day:02}" for day in range(1, 29)]
    found = dates_of(*cells, "0000-00-00")
    assert found is not None
    assert found[-1] == "NaT"
    assert dates_of(*cells[:5], "0000-00-00") is None


def test_the_column_decides_whether_the_day_comes_first() -> None:
    assert dates_of("01/02/2015", "13/02/2015") == ["2015-02-01 00:00:00", "2015-02-13 00:00:00"]
    assert dates_of("01/02/2015", "02/13/2015") == ["2015-01-02 00:00:00", "2015-02-13 00:00:00"]
    assert dates_of("01/02/2015", "01/03/2015") == ["2015-02-01 00:00:00", "2015-03-01 00:00:00"]  # months' first days
    assert dates_of("01.02.2015", "03.04.2015") == ["2015-02-01 00:00:00", "2015-04-03 00:00:00"]
    format = DateFormat.of(pd.Series(["01/02/2015", "03/04/2015"], dtype="str"))
    assert format is not None
    assert (format.day_first, format.is_certain) == (False, False)


def test_two_forms_in_one_column_are_both_read() -> None:
    assert dates_of("2015-01-31", "31/01/2015", "31-Jan-15") == ["2015-01-31 00:00:00"] * 3


def test_different_offsets_are_converted_to_utc_and_one_offset_keeps_the_hour() -> None:
    mixed = dates_of("2015-01-31T10:00:00+02:00", "2015-01-31T10:00:00Z")
    assert mixed == ["2015-01-31 08:00:00", "2015-01-31 10:00:00"]
    assert dates_of("2015-01-31T10:00:00+02:00") == ["2015-01-31 10:00:00"]


@pytest.mark.parametrize(
    "cells",
    [
        ["2009-10", "2010-11"],
        ["1.2.3", "10.20.30"],
        ["A1", "B2"],
        ["12", "13"],
        ["Set 1", "Set 2"],
        ["5 out", "30 out"],
    ],
)
def test_seasons_versions_and_labels_are_no_dates(cells: list[str]) -> None:
    assert dates_of(*cells) is None


FORMS = ["%Y-%m-%d", "%Y/%m/%d", "%d-%b-%Y", "%B %d, %Y", "%d%b%Y:%H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%a, %d %b %Y"]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.datetimes(datetime(1950, 1, 1), datetime(2025, 1, 1)), min_size=1, max_size=30),
    st.sampled_from([*FORMS, "%y-%m-%d"]),
)
def test_any_dates_in_any_form_are_read_back(dates: list[datetime], form: str) -> None:
    dates = [datetime(2001, 1, 31), *dates]  # a day above 12 says whether days come first
    if form == "%y-%m-%d":
        form = "%m/%d/%y"
        dates = [date.replace(year=2000 + date.year % 20, day=min(date.day, 28)) for date in dates]
    text = pd.Series([date.strftime(form) for date in dates], dtype="str", name="d")
    expected = [datetime.strptime(cell, form) for cell in text]
    found = parse_dates(text)
    assert found is not None
    assert found.tolist() == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dates(date(1950, 1, 1), date(2025, 1, 1)), min_size=2, max_size=30), st.data())
def test_a_part_of_a_column_is_read_as_in_the_whole(dates: list[date], data: st.DataObject) -> None:
    column = pd.Series([day.strftime("%d/%m/%Y") for day in [date(2001, 1, 31), *dates]], dtype="str")
    format = DateFormat.of(column)
    assert format is not None
    rows = data.draw(st.lists(st.sampled_from(range(len(column))), min_size=1))
    pd.testing.assert_series_equal(format.parse(column.iloc[rows]), format.parse(column).iloc[rows])


def test_names_of_months_are_those_of_cldr() -> None:
    dates = pytest.importorskip("babel.dates")
    known = "de fr es pt it nl pl ru sv da nb tr cs uk id ro ar bg ca el et fi he hu lt lv ms sk sl sr"
    for language in known.split():
        for width in ("wide", "abbreviated"):
            names = dates.get_month_names(width, "format", language)
            found = parse_dates(pd.Series([f"13 {names[month]} 2015" for month in range(1, 13)]))
            assert found is not None, (language, width)
            assert found.dt.month.tolist() == list(range(1, 13)), (language, width)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("as of 2015-01-31", "2015-01-31"),
        ("Week of Jan 31, 2015", "2015-01-31"),
        ("Sat 31/01/2015", "2015-01-31"),
        ("31.01.2015 Saturday", "2015-01-31"),
        ("2015/01/31(土)", "2015-01-31"),
        ("January 31, 2015 (New Zealand)", "2015-01-31"),
        ("31.01.2015 um 10:00 Uhr", "2015-01-31 10:00"),
        ("10:00 AM · Jan 31, 2015", "2015-01-31 10:00"),
        ("31\xa0Jan\xa02015", "2015-01-31"),
        ("31|01|2015", "2015-01-31"),
        ("31/1/2558", "2015-01-31"),
        ("31 ม.ค. 2558", "2015-01-31"),
        ("民國104年1月31日", "2015-01-31"),
        ("令和元年5月31日", "2019-05-31"),
        ("H27.1.31", "2015-01-31"),
        ("31 gener 2015", "2015-01-31"),
    ],
)
def test_words_around_a_date_and_other_eras(written: str, read: str) -> None:
    assert dates_of(written) == [str(pd.Timestamp(read))]


def test_zones_that_are_not_known_are_named() -> None:
    found = DateFormat.of(pd.Series(["2015-01-31 10:00 UTC", "2015-02-28 10:00 ICT"]))
    assert found is not None
    assert found.unknown_zones == ("ICT",)
    assert "ICT as they are written" in found.description
    alike = DateFormat.of(pd.Series(["2015-01-31 10:00 IST", "2015-02-28 10:00 IST"]))
    assert alike is not None
    assert alike.unknown_zones == ()


def test_days_of_months_are_no_years() -> None:
    cells = [f"{day} {month}" for month in ("Jan", "Feb") for day in range(1, 29)]
    assert dates_of(*cells)[:2] == ["2000-01-01 00:00:00", "2000-01-02 00:00:00"]  # type: ignore[index]
    assert dates_of("15-Mar", "16-Mar", "18-Apr")[0] == "2015-03-01 00:00:00"  # type: ignore[index]


def test_dates_that_a_spreadsheet_counted_are_read_beside_others() -> None:
    cells = [f"2015-01-{day:02}" for day in range(1, 20)]
    found = dates_of(*cells, "42035", "20150131")
    assert found is not None
    assert found[-2:] == ["2015-01-31 00:00:00"] * 2


@pytest.mark.parametrize(
    ("number", "name", "read"),
    [
        (31012015, "date", "2015-01-31"),
        (1312015, "sale_date", "2015-01-31"),
        (42035.5, "date", "2015-01-31 12:00"),
        (1422698400.5, "ts", "2015-01-31 10:00:00.5"),
        (42035, "distance", None),
        (31012015, "area", None),
    ],
)
def test_numbers_in_a_column_called_a_date(number: float, name: str, read: str | None) -> None:
    found = parse_dates(pd.Series([number], name=name))
    assert (None if found is None else found[0]) == (None if read is None else pd.Timestamp(read))


def test_six_digits_whose_years_differ_as_much_as_their_days_stay_numbers() -> None:
    assert parse_dates(pd.Series([150101, 150214, 150331], name="date")) is not None
    assert parse_dates(pd.Series([101015, 110216, 250316], name="date")) is None  # DDMMYY
