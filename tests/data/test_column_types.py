from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.data.column_types import is_categorical_integer, is_free_text
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
def test_dates_are_read_as_they_are_written(cells: list[str | None], day: int) -> None:
    found = parse_dates(pd.Series(cells, dtype="str"))
    assert found is not None
    assert (found.iloc[0].year, found.iloc[0].month, found.iloc[0].day) == (2015, 1, day)


@pytest.mark.parametrize(
    "cells", [["B/0/P", "F/1/S"], ["2015-01-31", "never"], ["1.5", "2.5"], ["2015-13-45", "2015-99-99"], [None, None]]
)
def test_what_is_no_date_in_one_row_is_no_column_of_dates(cells: list[str | None]) -> None:
    assert parse_dates(pd.Series(cells, dtype="str")) is None


def test_numbers_are_dates_only_where_their_name_says_so() -> None:
    assert parse_dates(pd.Series([20150131, 20150201], name="date")) is not None
    assert parse_dates(pd.Series([20150131, 20150201], name="area")) is None
    assert parse_dates(pd.Series([20159999, 20150201], name="date")) is None


def test_prose_is_several_words_and_mostly_different() -> None:
    words = pd.Series([f"the {a} ship sails at dawn" for a in ("red", "blue", "old", "new")])
    assert is_free_text(words)
    assert not is_free_text(pd.Series(["the red ship sails at dawn"] * 10))
    assert not is_free_text(pd.Series(["Braund, Mr. Owen", "Allen, Mr. Will"]))
    assert not is_free_text(pd.Series([1.0, 2.0]))


def test_codes_are_whole_numbers_far_apart_that_repeat() -> None:
    rng = np.random.default_rng(0)
    codes = pd.Series(rng.choice(rng.integers(0, 300_000, size=100), size=2000))
    assert is_categorical_integer(codes)
    assert not is_categorical_integer(codes + 0.5)
    assert not is_categorical_integer(pd.Series(rng.integers(0, 100, size=2000)))
    assert not is_categorical_integer(pd.Series(rng.integers(0, 300_000, size=2000)))
