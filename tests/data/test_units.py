from __future__ import annotations

from kpipe.data.units import common_unit, normal_unit


def test_units_in_any_spelling_are_one() -> None:
    assert {normal_unit(unit) for unit in ("Month", " months", "MONTHS.")} == {"month"}


def test_units_are_multiples_of_the_smallest() -> None:
    assert common_unit({"year", "month"}) == {"year": 12.0, "month": 1.0}
    assert common_unit({"m", "k", ""}) == {"m": 1e6, "k": 1e3, "": 1.0}
    assert common_unit({"%", ""}) is None  # the numbers decide: 51 % may be 0.51


def test_units_that_cannot_be_compared_give_none() -> None:
    assert common_unit({"bed", "rk"}) is None
    assert common_unit({"z", ""}) is None
    assert common_unit({"kg", "cm"}) is None


def test_counts_are_plain_numbers_whatever_their_smallest_unit() -> None:
    assert common_unit({"m", "k"}) == {"m": 1e6, "k": 1e3}
    assert common_unit({"k"}) == {"k": 1.0}  # a unit of all cells may be anything
