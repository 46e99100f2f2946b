from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.data.column_types import is_categorical_integer, is_free_text, is_pixel_table, to_numeric


def test_free_text_has_several_words_and_mostly_different_cells() -> None:
    words = pd.Series([f"the {a} ship sails at dawn" for a in ("red", "blue", "old", "new")])
    assert is_free_text(words)
    assert not is_free_text(pd.Series(["the red ship sails at dawn"] * 10))
    assert not is_free_text(pd.Series(["Braund, Mr. Owen", "Allen, Mr. Will"]))
    assert not is_free_text(pd.Series([1.0, 2.0]))


def test_infinite_and_missing_numbers_are_nan() -> None:
    numbers = to_numeric(pd.Series([1.5, np.inf, None]))
    assert numbers is not None
    np.testing.assert_array_equal(numbers, [1.5, np.nan, np.nan])


def test_categorical_integers_are_far_apart_and_repeat() -> None:
    rng = np.random.default_rng(0)
    stores = pd.Series(rng.choice(rng.integers(0, 300_000, size=100), size=2000))
    assert is_categorical_integer(stores)
    assert not is_categorical_integer(stores + 0.5)
    assert not is_categorical_integer(pd.Series(rng.integers(0, 100, size=2000)))
    assert not is_categorical_integer(pd.Series(rng.integers(0, 300_000, size=2000)))


def test_a_table_of_pixels_has_bytes_in_every_column() -> None:
    pixels = pd.DataFrame({"a": [0, 255], "b": [7, 8]}, dtype="uint8")
    assert is_pixel_table(pixels)
    assert not is_pixel_table(pixels.assign(b=[7, 8]))
    assert not is_pixel_table(pixels[[]])
