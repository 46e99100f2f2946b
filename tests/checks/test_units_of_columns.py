"""Columns that test holds in another unit throughout are found, with the factor; shifted and later columns are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from kpipe.checks.folds import times_continue
from kpipe.checks.group_overlap import group_overlap
from kpipe.checks.odd_values import values_in_range
from kpipe.checks.units_of_columns import find_factor, two_digit_years
from tests.checks.prepared_tables import make_prepared
from tests.plants import Prepared


def heavy(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(3, 0.6, n).round(3)


def repeated(n: int, seed: int) -> np.ndarray:
    """Few values, as sums of a few have: only the very factor makes them alike."""
    return np.random.default_rng(seed).integers(5, 40, n) * 1.7


@pytest.mark.parametrize("make", [heavy, repeated])
@pytest.mark.parametrize("factor", [1000.0, 0.01, 30.4])
def test_a_column_in_another_unit_is_found_with_its_factor(
    make: Callable[[int, int], np.ndarray], factor: float
) -> None:
    train, test = pd.Series(make(800, 0)), pd.Series(make(500, 1) / factor)
    found = find_factor(train, test)
    assert found is not None
    assert found.value == pytest.approx(factor, rel=0.1)


@pytest.mark.parametrize(
    "test",
    [heavy(500, 1), heavy(500, 1) + 60, heavy(500, 1) * 1.3, np.arange(800.0, 1300.0), heavy(500, 1) ** 2],
    ids=["alike", "moved", "somewhat greater", "a counter that goes on", "another shape"],
)
def test_other_differences_are_no_unit(test: np.ndarray) -> None:
    assert find_factor(pd.Series(heavy(800, 0)), pd.Series(test)) is None


def test_a_counter_that_continues_is_no_unit() -> None:
    train, test = pd.Series(np.arange(1, 801)), pd.Series(np.arange(801, 1001))
    assert find_factor(train, test) is None
    assert times_continue(train.rename("day"), test.rename("day"))


def result(given: Prepared) -> tuple[str, str]:
    [found] = values_in_range(given.problem, given.folds)
    return found


def test_a_unit_of_all_rows_fails_and_is_no_group_of_its_own() -> None:
    rng = np.random.default_rng(0)
    days = [rng.integers(40, 5_000, n) for n in (600, 400)]
    given = make_prepared().with_column("n_days", days[0], (days[1] / 30.4).round().astype(int))
    status, text = result(given)
    assert status == "fail"
    assert "n_days is in another unit in all rows of test" in text
    assert "multiply them by" in text
    assert not any("n_days" in detail for _, detail in group_overlap(given.problem, given.folds))
    assert result(make_prepared().with_column("n_days", days[0], days[1]))[0] == "pass"


def test_years_of_two_digits_fail() -> None:
    rng = np.random.default_rng(0)
    built = [rng.integers(1872, 2011, n) for n in (600, 400)]
    status, text = result(make_prepared().with_column("built", built[0], built[1] % 100))
    assert status == "fail"
    assert "Add the century in clean" in text
    assert two_digit_years(pd.Series(built[0]), pd.Series(built[1])) is None
    assert two_digit_years(pd.Series(built[1]), pd.Series(rng.integers(200, 900, 400))) is None


def test_days_that_are_out_of_the_order_of_the_file_in_a_part_of_test_fail() -> None:
    dates = pd.Series(np.repeat(pd.date_range("2017-01-01", periods=1_000, freq="D").strftime("%Y-%m-%d"), 2))
    part = np.arange(800) % 4 == 0
    wrong = [
        f"{year}-{day}-{month}" if odd and int(day) <= 12 else f"{year}-{month}-{day}"
        for (year, month, day), odd in zip((date.split("-") for date in dates[1_200:]), part, strict=True)
    ]
    given = make_prepared(n=1_200, m=800)
    status, text = result(given.with_column("day", dates[:1_200].to_numpy(), np.array(wrong, dtype=object)))
    assert status == "fail"
    assert "if day and month are swapped" in text
    assert "fail" not in result(given.with_column("day", dates[:1_200].to_numpy(), dates[1_200:].to_numpy()))
