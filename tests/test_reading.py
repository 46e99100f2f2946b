from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.errors import DataError, UsageError
from kpipe.reading import parse, settle

HEADER = "id,a\n"


def read(train: str | bytes, test: str | bytes = "id\n", *, ids=("id",), text=()) -> tuple[pd.DataFrame, pd.DataFrame]:
    files = {
        name: parse(f"{name}.csv", content if isinstance(content, bytes) else content.encode())
        for name, content in (("train", train), ("test", test))
    }
    frames = settle(files, ids=ids, text=text)
    return frames["train"], frames["test"]


def column(*cells: str, other: tuple[str, ...] = ()) -> pd.Series:
    """Train's column "a" of these cells, beside test's of the others."""
    train = HEADER + "".join(f"{number},{cell}\n" for number, cell in enumerate(cells))
    test = HEADER + "".join(f"{number + 100},{cell}\n" for number, cell in enumerate(other))
    return read(train, test if other else "id\n1\n")[0]["a"]


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
        (("x", "", "None"), "str", ["x", np.nan, np.nan]),
        (("007", "12", "1"), "str", ["007", "12", "1"]),
        (("-07", "12", "1"), "str", ["-07", "12", "1"]),
        (("0", "10", "0"), "int64", [0, 10, 0]),
        (("0.5", "0", "-0.5"), "float64", [0.5, 0.0, -0.5]),
        (("9007199254740993", "", "1"), "str", ["9007199254740993", np.nan, "1"]),
        (("9007199254740993", "2", "1"), "int64", [9007199254740993, 2, 1]),
        (("", "NA", "nan"), "float64", [np.nan] * 3),
        (("TRUE", "FALSE", "TRUE"), "str", ["TRUE", "FALSE", "TRUE"]),
    ],
)
def test_a_type_is_the_strictest_that_holds_every_cell(cells: tuple[str, ...], dtype: str, values: list) -> None:
    expected = pd.Series(values, dtype=dtype, name="a")
    pd.testing.assert_series_equal(column(*cells), expected)


@pytest.mark.parametrize(
    ("train", "test", "dtype"),
    [
        (("1", "2"), ("1.5",), "float64"),
        (("1", "2"), ("",), "int64"),
        (("", ""), ("1.5",), "float64"),
        (("", ""), ("x",), "str"),
        (("True", "False"), ("",), "bool"),
        (("007",), ("8", "9"), "str"),
        (("True",), ("yes",), "str"),
    ],
)
def test_train_decides_its_type_together_with_test(train: tuple[str, ...], test: tuple[str, ...], dtype: str) -> None:
    assert column(*train, other=test).dtype == dtype


@pytest.mark.parametrize("cells", [("1", "007"), ("NA", "1"), ("1e5", "2"), ("1.0", "2"), ("a_01", "b"), ("", "1")])
def test_ids_that_are_not_all_canonical_integers_keep_their_text(cells: tuple[str, ...]) -> None:
    train, test = read("id,a\n" + "".join(f"{cell},1\n" for cell in cells), "id,a\n5,1\n")
    assert train["id"].tolist() == list(cells)
    assert test["id"].tolist() == ["5"]


def test_the_samples_placeholder_does_not_change_trains_labels() -> None:
    contents = {"train": "id,y\n1,0\n2,1\n", "test": "id\n3\n", "sample": "id,y\n3,0.5\n"}
    frames = settle({name: parse(name, text.encode()) for name, text in contents.items()}, ids=["id"], text=[])
    assert frames["train"]["y"].dtype == "int64"
    assert frames["sample"]["y"].dtype == "float64"
    assert frames["sample"]["id"].dtype == "int64"


@pytest.mark.parametrize(("count", "dtype"), [(63, "int64"), (64, "uint8")])
def test_many_columns_of_bytes_are_pixels(count: int, dtype: str) -> None:
    header = ",".join(f"p{number}" for number in range(count))
    rows = "\n".join(",".join(str((row * 7 + number) % 256) for number in range(count)) for row in range(5))
    train, test = read(
        f"y,{header}\n" + "\n".join(f"{1000 + i},{r}" for i, r in enumerate(rows.split("\n"))), f"{header}\n{rows}"
    )
    assert (test.dtypes == dtype).all()
    assert train["y"].dtype == "int64"
    assert train.columns.tolist() == ["y", *header.split(",")]
    np.testing.assert_array_equal(train.drop(columns="y"), test)
    assert train.loc[4, "p3"] == (4 * 7 + 3) % 256


def test_bytes_in_train_alone_are_no_pixels() -> None:
    header = ",".join(f"p{number}" for number in range(70))
    train, test = read(f"{header}\n{','.join(['1'] * 70)}\n", f"{header}\n{','.join(['300'] * 70)}\n")
    assert (train.dtypes == "int64").all()
    assert (test.dtypes == "int64").all()


def test_text_that_looks_like_numbers_is_text_where_it_is_declared() -> None:
    train, _ = read("id,a\n1,5\n2,\n", "id,a\n3,6\n", text=["a"])
    assert train["a"].tolist()[0] == "5"
    assert train["a"].isna().tolist() == [False, True]
    with pytest.raises(UsageError, match=r"--text b\): there is no such column\. There are: id, a"):
        read("id,a\n1,5\n", text=["b"])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_and_boms_of_every_kind(end: str, bom: bytes, last: bool) -> None:
    body = end.join(["id,a", "1,x", '2,"y, z"', '3,"say ""hi"""', "4,é"]) + (end if last else "")
    train, _ = read(bom + body.encode())
    assert train.columns.tolist() == ["id", "a"]
    assert train["a"].tolist() == ["x", "y, z", 'say "hi"', "é"]


def test_text_over_several_lines_is_one_cell_and_lines_are_still_counted() -> None:
    content = 'id,text,n\n1,"one\ntwo\n\nfour",5\n2,plain,six\n'
    with pytest.raises(DataError, match=r"train\.csv, line 6: 'n' must hold numbers, however: 'six'"):
        read(content, "id,text,n\n3,x,7\n")
    train, _ = read(content, "id,text,n\n3,x,y\n")
    assert train["text"][0] == "one\ntwo\n\nfour"


def test_bytes_that_are_not_utf8_are_read_as_cp1252() -> None:
    train, _ = read("id,a\n1,Müller\n".encode("cp1252"))
    assert train["a"].tolist() == ["Müller"]


def test_a_column_without_a_name_is_called_as_pandas_calls_it() -> None:
    train, _ = read(",a\n0,x\n", ids=())
    assert train.columns.tolist() == ["Unnamed: 0", "a"]


BROKEN = {
    "nothing": (b"", r"train\.csv is empty"),
    "blank lines only": (b"\n\n", r"train\.csv is empty"),
    "a name twice": (b"id,a,a\n1,2,3\n", r"train\.csv, line 1: the column 'a' stands twice"),
    "a cell too many": (b"id,a\n1,2\n3,4,5\n", r"train\.csv, line 3: 2 cells are expected.*however: 3"),
    "a cell too few after a text of two lines": (b'id,a\n1,"x\ny"\n3\n', r"train\.csv, line 4: .*however: 1"),
    "NUL bytes": (b"id,a\n1,\x00\n", r"train\.csv holds NUL bytes"),
    "UTF-16": ("id,a\n1,2\n".encode("utf-16"), r"train\.csv holds NUL bytes.*UTF-16"),
    "infinity": (b"id,a\n1,2.5\n2,-Infinity\n", r"train\.csv, line 3: 'a' must hold finite numbers.*'-Infinity'"),
    "a number beyond floats": (b"id,a\n1,2.5\n2,1e999\n", r"train\.csv, line 3: 'a' must hold finite numbers.*'1e999'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_naming_the_line(case: str) -> None:
    content, words = BROKEN[case]
    with pytest.raises(DataError, match=words):
        read(content)


def test_one_stray_text_among_many_numbers_is_refused_also_in_train_alone() -> None:
    rows = [f"{number},{number * 2}" for number in range(300)]
    rows[41] = "41,8Z"
    with pytest.raises(DataError, match=r"train\.csv, line 43: 'a' must hold numbers, however: '8Z'"):
        read("id,a\n" + "\n".join(rows))


def test_tickets_of_numbers_and_text_in_both_files_are_text() -> None:
    assert column("113803", "A/5 21171", "17599", other=("330911", "SC 1")).dtype == "str"


CELLS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), min_size=1, max_size=12)
COLUMNS = st.one_of(
    st.tuples(st.just("int64"), st.lists(st.integers(-(2**63), 2**63 - 1), min_size=4, max_size=4)),
    st.tuples(st.just("float64"), st.lists(st.floats(-1e300, 1e300).map(lambda x: x + 0.5), min_size=4, max_size=4)),
    st.tuples(st.just("bool"), st.lists(st.booleans(), min_size=4, max_size=4)),
    st.tuples(st.just("str"), st.lists(CELLS.map(lambda x: f"x{x}y"), min_size=4, max_size=4)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(COLUMNS, min_size=1, max_size=5), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_any_table_reads_back_as_it_was_written(columns: list, end: str, bom: bool) -> None:
    names = [f"c{number}" for number in range(len(columns))]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(names)
    writer.writerows(zip(*([repr(v) if k == "float64" else v for v in values] for k, values in columns), strict=True))
    train, _ = read((b"\xef\xbb\xbf" if bom else b"") + text.getvalue().encode(), ids=())
    for name, (kind, values) in zip(names, columns, strict=True):
        if kind == "float64" and all(float(v).is_integer() and "e" not in repr(v) for v in values):
            kind = "float64"
        assert train[name].dtype == kind
        assert train[name].tolist() == values


@pytest.mark.parametrize("slug", ["titanic", "spaceship-titanic", "playground-series-s3e2", "playground-series-s3e26"])
def test_kaggles_files_hold_what_pandas_reads(slug: str, kaggle_zip) -> None:
    import zipfile

    with zipfile.ZipFile(kaggle_zip(slug)) as archive:
        raw = {name: archive.read(f"{name}.csv") for name in ("train", "test")}
    ours = settle({name: parse(name, content) for name, content in raw.items()}, ids=[], text=[])
    for name, content in raw.items():
        theirs = pd.read_csv(io.BytesIO(content))
        assert ours[name].columns.tolist() == theirs.columns.tolist()
        for label in theirs.columns:
            pd.testing.assert_series_equal(
                ours[name][label].astype(object).where(ours[name][label].notna(), None),
                theirs[label].astype(object).where(theirs[label].notna(), None),
                check_dtype=False,
            )


@pytest.mark.parametrize(
    "value", [-(2**63), 2**63 - 1, 999_999_999_999_999_999, -999_999_999_999_999_999, 10**18, -10, 0]
)
def test_whole_numbers_of_every_length_are_whole_numbers(value: int) -> None:
    assert column(str(value), "5").tolist() == [value, 5]
