from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpipe.features.automatic import AutomaticFeatures
from kpipe.features.number_pairs import NumberPairs


def fitted(cells: list[str | None]) -> NumberPairs | None:
    return NumberPairs.fit(pd.Series(cells, name="a", dtype="str"), random_state=0)


@given(
    st.lists(st.tuples(*[st.integers(0, 999)] * 2), min_size=20, unique=True), st.sampled_from(["/", "x", " - ", ":"])
)
def test_each_number_of_a_cell_is_a_feature(pairs: list[tuple[int, int]], mark: str) -> None:
    cells = [f"{first}{mark}{second}" for first, second in pairs]
    found = fitted(cells)
    assert found is not None
    values = found.transform(pd.Series([*cells, None, "unknown"], name="a", dtype="str"))
    assert list(values) == ["a: number 1", "a: number 2"]
    expected = [*map(float, [first for first, _ in pairs]), np.nan, np.nan]
    np.testing.assert_array_equal(values["a: number 1"], expected)


@pytest.mark.parametrize(
    "cells",
    [
        ["18-24", "25-34", "35-44"] * 10,
        [f"B{n}/{n}" for n in range(30)],
        [f"{n}" for n in range(30)],
        [f"{n}/{n}" if n % 2 else f"{n}" for n in range(30)],
        [None] * 30,
    ],
    ids=["few categories", "letters", "one number", "mixed", "missing"],
)
def test_other_columns_are_left_to_other_types(cells: list[str | None]) -> None:
    assert fitted(cells) is None


def test_blood_pressures_unseen_in_training_have_numbers_too() -> None:
    rng = np.random.default_rng(0)
    high = rng.integers(100, 180, size=300)
    table = pd.DataFrame({"pressure": [f"{n}/{n - 40}" for n in high]})
    features = AutomaticFeatures().fit(table.head(100), high[:100])
    found = features.transform(table.tail(200))
    np.testing.assert_array_equal(found["pressure: number 1"], high[100:])
