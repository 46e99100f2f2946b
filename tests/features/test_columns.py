from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.features import as_text, numeric_columns, text_columns, to_floats

TABLE = pd.DataFrame(
    {
        "port": pd.Series(["S", None], dtype="str"),
        "deck": pd.Categorical(["A", None]),
        "alone": [True, False],
        "asleep": pd.array([True, None], dtype="boolean"),
        "age": [1.5, np.nan],
    }
)


def test_a_column_is_either_text_or_numeric() -> None:
    assert text_columns(TABLE) == ["port", "deck"]
    assert numeric_columns(TABLE) == ["alone", "asleep", "age"]


def test_missing_numbers_become_nan_and_booleans_0_and_1() -> None:
    np.testing.assert_array_equal(to_floats(TABLE[["alone", "asleep", "age"]]), [[1, 1, 1.5], [0, np.nan, np.nan]])


def test_a_table_of_pixels_becomes_float32() -> None:
    assert to_floats(pd.DataFrame({"a": [0, 255]}, dtype="uint8")).dtype == np.float32
    assert to_floats(pd.DataFrame(index=range(2))).dtype == np.float64


def test_text_has_a_string_for_missing_values() -> None:
    assert as_text(TABLE[["port", "deck"]]).iloc[1].tolist() == ["(missing)", "(missing)"]
    assert as_text(TABLE["age"], missing="").tolist() == ["1.5", ""]
