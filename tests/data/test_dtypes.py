from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kpipe.data.csv_reader import parse_csv
from kpipe.data.dtypes import cast_or_none
from kpipe.data.frames import to_frames
from tests.data.cells import column


@pytest.mark.parametrize(
    ("cells", "dtype", "values"),
    [
        (("1", "-2", "300"), "int64", [1, -2, 300]),
        (("1", "", "3"), "float64", [1.0, np.nan, 3.0]),
        (("1", "NA", "3"), "float64", [1.0, np.nan, 3.0]),
        (("1.5", "2", "1e3"), "float64", [1.5, 2.0, 1000.0]),
        ((" 1", "2 ", "3"), "int64", [1, 2, 3]),
        (("True", "False", "True"), "bool", [True, False, True]),
        (("True", "", "False"), "boolean", [True, pd.NA, False]),
        (("x", "", "None"), "str", ["x", np.nan, "None"]),
        (("007", "12", "1"), "str", ["007", "12", "1"]),
        (("-07", "12", "1"), "str", ["-07", "12", "1"]),
        (("0", "10", "0"), "int64", [0, 10, 0]),
        (("0.5", "0", "-0.5"), "float64", [0.5, 0.0, -0.5]),
        (("9007199254740993", "", "1"), "str", ["9007199254740993", np.nan, "1"]),
        (("9007199254740993", "2", "1"), "int64", [9007199254740993, 2, 1]),
        (("18446744073709551615", "2", ""), "str", ["18446744073709551615", "2", np.nan]),
        (("9007199254740992", "", "-1"), "float64", [2.0**53, np.nan, -1.0]),
        (("1e400", "x", "inf"), "str", ["1e400", "x", "inf"]),
        (("", "NA", "nan"), "float64", [np.nan] * 3),
        (("TRUE", "FALSE", "TRUE"), "str", ["TRUE", "FALSE", "TRUE"]),
    ],
)
def test_the_dtype_is_the_strictest_that_holds_every_cell(cells: tuple[str, ...], dtype: str, values: list) -> None:
    expected = pd.Series(values, dtype=dtype, name="a")
    pd.testing.assert_series_equal(column(*cells), expected)


@given(st.text(st.sampled_from("0123456789abcdefxXnNiItTyY+-._, ٣\t"), max_size=6))
@example("-Infinity")
@example("0x0FF")
@pytest.mark.parametrize("kind", [pa.uint8(), pa.int64(), pa.float64()], ids=str)
def test_a_cell_that_can_be_cast_is_cast(kind: pa.DataType, cell: str) -> None:
    cells = pa.chunked_array([[None, cell]], pa.string())
    try:
        wanted = cells.cast(kind)
    except pa.ArrowInvalid:
        wanted = None
    assert cast_or_none(cells, kind) == wanted or cell.lower().endswith("nan")


@pytest.mark.parametrize(
    "value", [-(2**63), 2**63 - 1, 999_999_999_999_999_999, -999_999_999_999_999_999, 10**18, -10, 0]
)
def test_integers_of_every_length_are_int64(value: int) -> None:
    assert column(str(value), "5").tolist() == [value, 5]


@pytest.mark.parametrize("ids", [["i"], []])
@pytest.mark.parametrize("cells", [("0x2FFFFFFFF", "0x3FFFFFFFF"), ("0xF4240", "0xFFFFF"), ("0X174876E800", "5")])
def test_hexadecimals_stay_text_even_if_they_are_as_short_as_decimals(cells: tuple[str, ...], ids: list[str]) -> None:
    content = "i,a\n" + "".join(f"{cell},1\n" for cell in cells)
    frames = to_frames({"train": parse_csv("train.csv", content.encode())}, ids=ids, text=[])
    assert frames["train"]["i"].tolist() == [*cells]
