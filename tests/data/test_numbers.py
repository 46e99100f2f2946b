from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.data.numbers import parse_numbers


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
