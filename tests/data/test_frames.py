from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.data import csv_reader
from kpipe.data.csv_reader import parse_csv
from kpipe.data.frames import to_frames
from kpipe.errors import UsageError
from tests.data.cells import column, read


@pytest.mark.parametrize(
    ("train", "test", "dtype"),
    [
        (("1", "2"), ("1.5",), "float64"),
        (("1", "2"), ("3", ""), "float64"),
        (("1", ""), ("3", "4"), "float64"),
        (("", ""), ("1.5",), "float64"),
        (("", ""), ("x",), "str"),
        (("", ""), ("True",), "boolean"),
        (("True", "False"), ("", "True"), "boolean"),
        (("True",), ("False",), "bool"),
        (("True",), ("yes",), "str"),
        (("True",), ("1",), "str"),
        (("007",), ("8", "9"), "str"),
        (("8", "9"), ("007",), "str"),
        (("9007199254740993",), ("1", ""), "str"),
        (("9007199254740993",), ("0.5",), "str"),
        (("18446744073709551615",), ("1",), "str"),
        (("a", "b", "c"), ("7", "8"), "str"),
    ],
)
def test_a_column_has_one_dtype_in_train_and_test(train: tuple[str, ...], test: tuple[str, ...], dtype: str) -> None:
    assert column(*train, other=test).dtype == dtype
    if dtype != "boolean" or any(train):
        assert column(*test, other=train).dtype == dtype


@pytest.mark.parametrize(("cells", "dtype"), [(("1", "2"), "int64"), (("True", "False"), "bool")])
def test_a_column_that_is_empty_in_test_keeps_trains_dtype(cells: tuple[str, ...], dtype: str) -> None:
    assert column(*cells, other=("", "")).dtype == dtype


@pytest.mark.parametrize("cells", [("1", "007"), ("NA", "1"), ("1e5", "2"), ("1.0", "2"), ("a_01", "b"), ("", "1")])
def test_ids_that_are_not_all_canonical_integers_keep_their_text(cells: tuple[str, ...]) -> None:
    train, test = read("id,a\n" + "".join(f"{cell},1\n" for cell in cells), "id,a\n5,1\n")
    assert train["id"].tolist() == list(cells)
    assert test["id"].tolist() == ["5"]


def test_an_id_column_declared_as_text_is_text() -> None:
    frames = to_frames({"train": parse_csv("train.csv", b"i,a\n1,5\nNA,6\n")}, ids=["i"], text=["i"])
    assert frames["train"]["i"].tolist() == ["1", "NA"]
    whole = to_frames({"train": parse_csv("train.csv", b"i,a\n1,5\n2,6\n")}, ids=["i"], text=["i"])
    assert whole["train"]["i"].tolist() == ["1", "2"]


def test_the_samples_placeholder_does_not_change_the_dtype_of_trains_target() -> None:
    contents = {"train": "id,y\n1,0\n2,1\n", "test": "id\n3\n", "sample": "id,y\n3,0.5\n"}
    frames = to_frames({name: parse_csv(name, text.encode()) for name, text in contents.items()}, ids=["id"], text=[])
    assert frames["train"]["y"].dtype == "int64"
    assert frames["sample"]["y"].dtype == "float64"
    assert frames["sample"]["id"].dtype == "int64"


@pytest.mark.parametrize(("count", "dtype"), [(63, "int64"), (64, "uint8")])
def test_64_pixels_are_uint8_and_63_are_not(count: int, dtype: str) -> None:
    header = ",".join(f"pixel{number}" for number in range(count))
    rows = "\n".join(",".join(str((row * 7 + number) % 256) for number in range(count)) for row in range(5))
    train, test = read(
        f"y,{header}\n" + "\n".join(f"{1000 + i},{r}" for i, r in enumerate(rows.split("\n"))), f"{header}\n{rows}"
    )
    assert (test.dtypes == dtype).all()
    assert train["y"].dtype == "int64"
    assert train.columns.tolist() == ["y", *header.split(",")]
    np.testing.assert_array_equal(train.drop(columns="y"), test)
    assert train.loc[4, "pixel3"] == (4 * 7 + 3) % 256


def test_pixels_that_hold_bytes_only_in_train_are_int64() -> None:
    header = ",".join(f"pixel{number}" for number in range(70))
    train, test = read(f"{header}\n{','.join(['1'] * 70)}\n", f"{header}\n{','.join(['300'] * 70)}\n")
    assert (train.dtypes == "int64").all()
    assert (test.dtypes == "int64").all()


def test_a_column_of_numbers_declared_as_text_is_text() -> None:
    train, _ = read("id,a\n1,5\n2,\n", "id,a\n3,6\n", text=["a"])
    assert train["a"].tolist()[0] == "5"
    assert train["a"].isna().tolist() == [False, True]
    with pytest.raises(UsageError, match=r"--text b: there is no such column\. The columns are: id, a"):
        read("id,a\n1,5\n", text=["b"])


def test_the_order_of_columns_is_that_of_the_file_and_changes_no_values() -> None:
    rows = [["id", "n", "f", "t", "b"], ["01", "1", "0.5", "x", "True"], ["2", "", "2", "", "False"]]
    forth, back = (
        read("\n".join(",".join(row[::step]) for row in rows), "\n".join(",".join(row[::step]) for row in rows))[0]
        for step in (1, -1)
    )
    assert back.columns.tolist() == rows[0][::-1]
    pd.testing.assert_frame_equal(forth, back[rows[0]])


WORDS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), max_size=12)


TEXT = st.one_of(WORDS.map(lambda word: f"x{word}y"), st.just(""), st.just("NA"))


COLUMNS = st.one_of(
    st.tuples(st.just("int64"), st.lists(st.integers(-(2**63), 2**63 - 1), min_size=4, max_size=4)),
    st.tuples(st.just("float64"), st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4)),
    st.tuples(st.just("bool"), st.lists(st.booleans(), min_size=4, max_size=4)),
    st.tuples(st.just("boolean"), st.permutations([True, False, None, None])),
    st.tuples(st.just("str"), st.lists(TEXT, min_size=3, max_size=3).map(lambda cells: ["x", *cells])),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(COLUMNS, min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.sampled_from([24, 1 << 20]),
)
def test_any_written_table_is_read_back_equal(columns: list, end: str, bom: bool, block: int) -> None:
    names = [f"c{number}" for number in range(len(columns))]
    text = io.StringIO()
    # Python 3.11's writer quotes a line feed only where lines end with one.
    quoting = csv.QUOTE_NONNUMERIC if end == "\r" else csv.QUOTE_MINIMAL
    writer = csv.writer(text, lineterminator=end, quoting=quoting)
    writer.writerow(names)
    writer.writerows(zip(*(values for _, values in columns), strict=True))
    with pytest.MonkeyPatch.context() as patch:  # the table must not depend on where blocks end
        patch.setattr(csv_reader, "_BLOCK", block)
        train, _ = read((b"\xef\xbb\xbf" if bom else b"") + text.getvalue().encode(), ids=())
    for name, (dtype, values) in zip(names, columns, strict=True):
        missing = ("",) if "" in values else ("", "NA")  # NA beside empty cells is a category
        expected = [np.nan if value in missing else value for value in values] if dtype == "str" else values
        pd.testing.assert_series_equal(train[name], pd.Series(expected, dtype=dtype, name=name), rtol=0, atol=0)


KAGGLES = """titanic spaceship-titanic house-prices-advanced-regression-techniques playground-series-s3e2
    playground-series-s3e25 playground-series-s3e26""".split()


@pytest.mark.parametrize("slug", KAGGLES)
def test_kaggles_files_have_the_values_that_pandas_reads(slug: str, kaggle_zip) -> None:
    with zipfile.ZipFile(kaggle_zip(slug)) as archive:
        raw = {name: archive.read(f"{name}.csv") for name in ("train", "test")}
    ours = to_frames({name: parse_csv(name, content) for name, content in raw.items()}, ids=[], text=[])
    assert all(ours["train"][label].dtype == ours["test"][label].dtype for label in ours["test"])
    for name, content in raw.items():
        theirs = pd.read_csv(io.BytesIO(content))
        assert ours[name].columns.tolist() == theirs.columns.tolist()
        for label in theirs.columns:
            pd.testing.assert_series_equal(
                ours[name][label].astype(object).where(ours[name][label].notna(), None),
                theirs[label].astype(object).where(theirs[label].notna(), None),
                check_dtype=False,
            )
