from __future__ import annotations

import pandas as pd
import pytest

from kpipe.data.dates import parse_dates


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
