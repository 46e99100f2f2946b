from __future__ import annotations

import pytest

from kpipe.core.formatting import format_score, format_with_error


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.5, "0.5000"), (-0.05, "\N{MINUS SIGN}0.0500"), (-12345.6, "\N{MINUS SIGN}12,346"), (2e-5, "2.00e-05")],
)
def test_a_score_has_four_decimals_or_as_many_as_its_size_needs(value: float, written: str) -> None:
    assert format_score(value) == written


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_score_that_is_missing_or_not_finite_is_unknown(value: float | None) -> None:
    assert format_score(value) == "unknown"


def test_a_standard_error_has_as_many_decimals_as_its_score() -> None:
    assert format_with_error(12345.6, 5.4321) == "12,346 ± 5"
