from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.data.numbers import NumberFormat, parse_numbers


def test_text_that_is_mostly_numbers_gives_them_with_nan_for_the_rest() -> None:
    numbers = parse_numbers(pd.Series([" ", "4+", "inf", *["1.5"] * 40], dtype="str"))
    assert numbers is not None
    assert numbers.dtype == np.float64
    assert numbers.tolist()[2:] == pytest.approx([np.nan, *[1.5] * 40], nan_ok=True)
    assert numbers.isna().sum() == 3


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["A/5 21171", "113803"], dtype="str"),
        pd.Series([1, 2]),
        pd.Series(pd.to_datetime(["2015-01-31"])),
        pd.Series(["1"] * 8 + ["x"] * 2, dtype="str"),
    ],
    ids=["labels", "numbers", "dates", "80 % numbers"],
)
def test_other_columns_give_none(column: pd.Series) -> None:
    assert parse_numbers(column) is None


def amounts(*cells: str | None) -> list[float] | None:
    column = pd.Series(cells, dtype="str")
    found = NumberFormat.of(column)
    return None if found is None else found.parse(column).tolist()


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "2"],
        ["1A", "2B", "3C"],
        ["10", "10a", "11", "11a"],
        ["007_", "008_"],
        ["18-24", "25-34", "65+"],
        ["192.168.1.1", "10.0.0.1"],
        ["1st", "2nd", "3rd"],
        ["non-stop", "1 stop", "2 stops"],
        ["320d", "528i"],
        ["C85", "E46"],
        ["3f", "9d", "4c"],
        ["5", "8Z", *map(str, range(100))],
        [None],
    ],
)
def test_labels_and_plain_numbers_are_no_written_numbers(cells: list[str | None]) -> None:
    assert amounts(*cells) is None


def test_units_of_one_kind_become_the_smallest() -> None:
    assert amounts("950", "12k", "1.2M") == [950, 12_000, 1_200_000]
    assert amounts("36 months", "3 years") == pytest.approx([36, 36])
    assert amounts("45 min", "2 h", "1 day") == [45, 120, 1440]
    assert amounts("57.05N", "12.1S") == [57.05, -12.1]


def test_the_column_decides_the_decimal_mark() -> None:
    assert amounts("1,234", "950", "12") == [1234, 950, 12]
    assert amounts("1,5", "1,234") == [1.5, 1.234]
    assert amounts("1.234 €", "12.500 €") == [1234, 12_500]
    assert amounts("1.234 kg", "12.5 kg") == [1.234, 12.5]
    assert amounts("1.234,56", "7") == [1234.56, 7]
    assert amounts("1 234,50", "7,00") == [1234.5, 7]


def test_a_few_other_cells_are_missing() -> None:
    cells = [f"{number} kmpl" for number in range(40)]
    found = amounts(*cells, "17.3 km/kg", None)
    assert found is not None
    np.testing.assert_array_equal(found, [*range(40), np.nan, np.nan])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20),
    st.sampled_from(["${:,}", "{:,} EUR", "{}%", "{:,} km", "{}_"]),
)
def test_any_whole_numbers_are_read_back(numbers: list[int], written: str) -> None:
    assert amounts(*(written.format(number) for number in numbers)) == numbers


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 10**5), min_size=1, max_size=20))
def test_any_durations_are_read_back(minutes: list[int]) -> None:
    assert amounts(*(f"{m // 60}h {m % 60}m" for m in minutes)) == minutes
    assert amounts(*(f"{m // 60 % 24:02}:{m % 60:02}" for m in minutes)) == [m % 1440 for m in minutes]


def test_units_of_different_systems_and_temperatures_are_converted() -> None:
    assert amounts("10 kg", "10 lb") == pytest.approx([22.0462262, 10])
    assert amounts("1 km", "1 mi") == pytest.approx([1, 1.609344])
    assert amounts("20 °C", "68°F", "0 °C") == pytest.approx([20, 20, 0])


def test_a_unit_that_some_cells_lack_is_the_same_if_the_numbers_are_similar() -> None:
    plain = [str(number) for number in range(20, 40)]
    assert amounts(*plain, *(f"{number} kg" for number in range(20, 40)))[-1] == 39  # type: ignore[index]
    assert amounts(*plain, *(f"{number}00 kg" for number in range(20, 40))) is None
    percent = amounts(*(f"0.{number}" for number in range(20, 40)), *(f"{number}%" for number in range(20, 40)))
    assert percent == pytest.approx([*range(20, 40), *range(20, 40)])


def test_different_currencies_are_recognised() -> None:
    column = pd.Series(["$5", "£6", "7 EUR", None])
    found = NumberFormat.of(column)
    assert found is not None
    assert found.currencies == ("$", "£", "€")
    assert found.parse_currencies(column).tolist()[:3] == ["$", "£", "€"]
    assert NumberFormat.of(pd.Series(["$5", "6 USD"])).currencies == ()  # type: ignore[union-attr]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 10**6), min_size=8, max_size=20, unique=True),
    st.sampled_from(
        ["Only ${:,.2f} left!", "RM{:,.2f}", "KSh {:,.2f}", "<b>{:,.2f}</b>", "{:,.2f} ± 0.3", "Score: {:.2f}/"]
    ),
)
def test_words_that_all_cells_have_around_a_number_are_passed_over(numbers: list[int], written: str) -> None:
    values = [number / 100 for number in numbers]
    assert amounts(*(written.format(value) for value in values)) == pytest.approx(values)


def test_labels_that_end_in_whole_numbers_stay_labels() -> None:
    assert amounts(*(f"Level {number}" for number in range(30))) is None
    assert amounts(*(f"A{number}" for number in range(100, 400))) is None
    assert amounts("1st", "2nd", "3rd", "1st", "2nd", "3rd", "4th", "5th") is None


def test_units_that_cannot_be_converted_are_recognised() -> None:
    column = pd.Series([*(f"{number}.5 kmpl" for number in range(9)), *(f"{number}.1 km/kg" for number in range(9))])
    found = NumberFormat.of(column)
    assert found is not None
    assert (found.further, found.currencies) == ("unit", ("km/kg", "kmpl"))
    assert found.parse_currencies(column).tolist()[-1] == "km/kg"
    assert found.parse(column).tolist()[:2] == [0.5, 1.5]


def test_of_ranges_among_numbers_the_mean_is_read() -> None:
    found = amounts(*map(str, range(1000, 1100)), "1133 - 1384", "2100 - 2850")
    assert found is not None
    assert found[-2:] == [1258.5, 2475]


def test_the_end_of_a_clock_says_whether_it_starts_with_hours() -> None:
    assert amounts("1:02:30", "59:30", "2:30") == pytest.approx([62.5, 59.5, 2.5])
    assert amounts("10:00", "22:20") == [600, 1340]


def test_units_of_area_pressure_and_energy_are_converted() -> None:
    assert amounts("2 acres", "43,560 sq ft") == pytest.approx([87_120, 43_560], rel=1e-4)
    assert amounts("20 C", "68 F") == pytest.approx([20, 20])
    assert amounts("1 mg", "500 mcg") == [1000, 500]
    assert amounts("1 MWh", "5 kWh") == [1000, 5]


def test_hexadecimals_are_numbers_and_hashes_are_not() -> None:
    assert amounts("0x1F", "0XFF") == [31, 255]
    assert amounts(f"0x{1:064x}", f"0x{2:064x}") is None


def test_a_comma_in_a_number_with_an_exponent_is_a_decimal_comma() -> None:
    assert amounts("1,234e+02", "5,678e+03") == pytest.approx([123.4, 5678])


def test_ratios_and_bare_fractions_are_no_numbers() -> None:
    assert amounts("1/2", "3/4", "5/8") is None
    assert amounts("1 1/2", "3/4", "2") == [1.5, 0.75, 2]
