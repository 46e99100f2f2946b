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
    assert list(values)[:2] == ["a: number 1", "a: number 2"]
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
    found = fitted(cells)
    assert found is None or found.is_label


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        ([f"${n}K - ${n + 50}K" for n in range(30)], [*range(30)]),
        ([f"{n},000 to {n},500" for n in range(1, 31)], [1000.0 * n for n in range(1, 31)]),
        ([f"{n}.5 out of 5 stars" for n in range(30)], [n + 0.5 for n in range(30)]),
        ([f"{n}bhp @ 4000rpm" for n in range(30)], [*range(30)]),
        ([f"[{n}, {n + 5})" for n in range(30)], [*range(30)]),
        ([f"{n}.0.1.1" for n in range(30)], [*range(30)]),
    ],
)
def test_amounts_between_marks_and_words_are_numbers(cells: list[str | None], numbers: list[float] | None) -> None:
    found = fitted(cells)
    values = None if found is None else found.transform(pd.Series(cells, name="a"))["a: number 1"].tolist()
    assert values == numbers


def test_two_numbers_of_a_ratio_have_it_too() -> None:
    cells = [f"{n}/{n + 1}" for n in range(30)]
    found = fitted(cells)
    assert found is not None
    values = found.transform(pd.Series([*cells, "1/0"], name="a"))["a: ratio"]
    np.testing.assert_array_equal(values, [*(n / (n + 1) for n in range(30)), np.nan])


def test_blood_pressures_unseen_in_training_have_numbers_too() -> None:
    rng = np.random.default_rng(0)
    high = rng.integers(100, 180, size=300)
    table = pd.DataFrame({"pressure": [f"{n}/{n - 40}" for n in high]})
    features = AutomaticFeatures().fit(table.head(100), high[:100])
    found = features.transform(table.tail(200))
    np.testing.assert_array_equal(found["pressure: number 1"], high[100:])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Level {0}", {"number 1": 1}),
        ("{0}.0.3 and up", {"number 1": 1, "number 2": 0, "number 3": 3}),
        ("4.5 ({0})", {"number 1": 4.5, "number 2": 1}),
    ],
)
def test_labels_that_differ_in_their_numbers_alone_keep_them_as_features(
    written: str, expected: dict[str, float]
) -> None:
    column = pd.Series([written.format(number) for number in range(1, 40)], name="x")
    found = NumberPairs.fit(column, random_state=0)
    assert found is not None
    assert found.is_label
    values = found.transform(column)
    assert {name: values[f"x: {name}"][0] for name in expected} == expected


def test_each_of_several_texts_around_numbers_has_a_code() -> None:
    column = pd.Series([f"{'NS'[number % 2]}{number}.5" for number in range(40)], name="lat")
    found = NumberPairs.fit(column, random_state=0)
    assert found is not None
    values = found.transform(column)
    assert set(values["lat: form"]) == {0.0, 1.0}
    assert values["lat: number 1"][:2].tolist() == [0.5, 1.5]


def test_codes_with_leading_zeros_and_cabins_are_no_numbers() -> None:
    assert NumberPairs.fit(pd.Series([f"A{number:05}" for number in range(40)]), random_state=0) is None
    cabins = [f"{deck}{number}" for deck in "ABCDEFG" for number in range(20)]
    assert NumberPairs.fit(pd.Series([*cabins, "T", "B57 B59 B63 B66"]), random_state=0) is None
