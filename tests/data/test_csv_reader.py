from __future__ import annotations

import contextlib
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
from kpipe.errors import DataError, UsageError

HEADER = "id,a\n"


def read(train: str | bytes, test: str | bytes = "id\n", *, ids=("id",), text=()) -> tuple[pd.DataFrame, pd.DataFrame]:
    files = {
        name: parse_csv(f"{name}.csv", content if isinstance(content, bytes) else content.encode())
        for name, content in (("train", train), ("test", test))
    }
    frames = to_frames(files, ids=ids, text=text)
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
        (("18446744073709551615", "2", ""), "str", ["18446744073709551615", "2", np.nan]),
        (("9007199254740992", "", "-1"), "float64", [2.0**53, np.nan, -1.0]),
        (("1e400", "x", "inf"), "str", ["1e400", "x", "inf"]),
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
def test_a_column_that_test_leaves_empty_does_not_change_trains_labels(cells: tuple[str, ...], dtype: str) -> None:
    assert column(*cells, other=("", "")).dtype == dtype


def test_a_few_numbers_in_test_do_not_outvote_trains_text() -> None:
    train, test = column("A/5 21171", "113803", "PC 17599", other=("330911",)), ("A/5 21171", "PC 17599", "SC 1")
    assert train.dtype == "str"
    with pytest.raises(DataError, match=r"test\.csv, line 4: 'a' must hold numbers; got 'SC 1'"):
        column("1", "2", "3", other=("4", "5", test[2]))


@pytest.mark.parametrize("cells", [("1", "007"), ("NA", "1"), ("1e5", "2"), ("1.0", "2"), ("a_01", "b"), ("", "1")])
def test_ids_that_are_not_all_canonical_integers_keep_their_text(cells: tuple[str, ...]) -> None:
    train, test = read("id,a\n" + "".join(f"{cell},1\n" for cell in cells), "id,a\n5,1\n")
    assert train["id"].tolist() == list(cells)
    assert test["id"].tolist() == ["5"]


def test_the_samples_placeholder_does_not_change_trains_labels() -> None:
    contents = {"train": "id,y\n1,0\n2,1\n", "test": "id\n3\n", "sample": "id,y\n3,0.5\n"}
    frames = to_frames({name: parse_csv(name, text.encode()) for name, text in contents.items()}, ids=["id"], text=[])
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
    with pytest.raises(UsageError, match=r"--text b\): there is no such column\. The columns are: id, a"):
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
    with pytest.raises(DataError, match=r"train\.csv, line 6: 'n' must hold numbers; got 'six'"):
        read(content, "id,text,n\n3,x,7\n")
    train, _ = read(content, "id,text,n\n3,x,y\n")
    assert train["text"][0] == "one\ntwo\n\nfour"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_line_named_is_the_one_an_editor_shows(end: str) -> None:
    head = end.join(["id,text,n", "", '1,"one', "", 'three",5', "2,x,6"])
    with pytest.raises(DataError, match=r"train\.csv, line 7: 'n' must hold numbers; got 'six'"):
        read(end.join([head, "3,y,six", ""]), "id,n\n4,7\n")
    with pytest.raises(DataError, match=r"train\.csv, line 8: 'n' must hold numbers; got 'six'"):
        read(end.join([head, '3,"y', 'z",six', ""]), "id,n\n4,7\n")
    with pytest.raises(DataError, match=r"train\.csv, line 7: the header has 3 cells, this row has 2"):
        read(end.join([head, "3,y"]))


def test_bytes_that_are_not_utf8_are_read_as_cp1252() -> None:
    train, _ = read("id,a\n1,Müller\n".encode("cp1252"))
    assert train["a"].tolist() == ["Müller"]


def test_a_column_without_a_name_is_called_as_pandas_calls_it() -> None:
    train, _ = read(",a\n0,x\n", ids=())
    assert train.columns.tolist() == ["Unnamed: 0", "a"]


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"a\nx", ["x"]),
        (b"a\nx\n\n\ny\n\n", ["x", "y"]),
        (b'a\nx\n""\ny\n', ["x", np.nan, "y"]),
        (b'"a"\r"x\ry"\rz', ["x\ny", "z"]),
        (b'a\n6" pipe\n"7"" pipe"\n', ['6" pipe', '7" pipe']),
        (b"\n\r\na\nx\x0cy\n", ["x\x0cy"]),
        ("a\nx\u2028y\n😀\n".encode(), ["x\u2028y", "😀"]),
        (b"a\n" + b"x" * 300_000, ["x" * 300_000]),
    ],
    ids=range(8),
)
def test_odd_files_of_one_column(content: bytes, values: list) -> None:
    pd.testing.assert_series_equal(read(content, ids=())[0]["a"], pd.Series(values, dtype="str", name="a"))


def test_a_row_longer_than_a_block_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", 16)
    long = "word " * 20
    assert read(f'id,"{long}"\n1,"{long}\n{long}"\n2,x\n')[0][long.strip()].tolist() == [f"{long}\n{long}", "x"]


@pytest.mark.parametrize("content", ["id,a", "id,a\n", "id,a\r", "\ufeffid,a\r\n\r\n"])
def test_a_header_alone_is_a_table_without_rows(content: str) -> None:
    parsed = parse_csv("train.csv", content.encode())
    assert (parsed.header, parsed.rows) == (["id", "a"], 0)


def test_a_name_that_a_column_without_one_would_get_is_refused_beside_it() -> None:
    with pytest.raises(DataError, match=r"line 1: the header names the column 'Unnamed: 1' twice"):
        read("Unnamed: 1,\n1,2\n")


def test_the_order_of_columns_is_the_files_and_changes_nothing_else() -> None:
    rows = [["id", "n", "f", "t", "b"], ["01", "1", "0.5", "x", "True"], ["2", "", "2", "", "False"]]
    forth, back = (
        read("\n".join(",".join(row[::step]) for row in rows), "\n".join(",".join(row[::step]) for row in rows))[0]
        for step in (1, -1)
    )
    assert back.columns.tolist() == rows[0][::-1]
    pd.testing.assert_frame_equal(forth, back[rows[0]])


BROKEN = {
    "a text that never ends": (
        b'id,a\n1,"x\ny"\n2,"cut sh',
        r"train\.csv, line 4: a quoted cell starts here and never ends",
    ),
    "a header that never ends": (b'id,"a\n1,x\n', r"train\.csv, line 1: a quoted cell starts here and never ends"),
    "nothing": (b"", r"train\.csv is empty"),
    "blank lines only": (b"\n\n", r"train\.csv is empty"),
    "a name twice": (b"id,a,a\n1,2,3\n", r"train\.csv, line 1: the header names the column 'a' twice"),
    "a cell too many": (b"id,a\n1,2\n3,4,5\n", r"train\.csv, line 3: the header has 2 cells, this row has 3"),
    "a cell too few after a text of two lines": (
        b'id,a\n1,"x\ny"\n3\n',
        r"train\.csv, line 4: the header has 2 cells, this row has 1",
    ),
    "NUL bytes": (b"id,a\n1,\x00\n", r"train\.csv contains NUL bytes"),
    "UTF-16": ("id,a\n1,2\n".encode("utf-16"), r"train\.csv contains NUL bytes.*UTF-16"),
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
    with pytest.raises(DataError, match=r"train\.csv, line 43: 'a' must hold numbers; got '8Z'"):
        read("id,a\n" + "\n".join(rows))


def test_tickets_of_numbers_and_text_in_both_files_are_text() -> None:
    assert column("113803", "A/5 21171", "17599", other=("330911", "SC 1")).dtype == "str"


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
def test_any_table_reads_back_as_it_was_written(columns: list, end: str, bom: bool, block: int) -> None:
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
        expected = [np.nan if value in ("", "NA") else value for value in values] if dtype == "str" else values
        pd.testing.assert_series_equal(train[name], pd.Series(expected, dtype=dtype, name=name), rtol=0, atol=0)


PIECES = st.sampled_from(
    [b"1", b"0.5", b"x", b",", b",", b"\n", b"\r", b'"', b" ", b"NA", b"True", b"\xff", b"\xc3\xa9"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=40).map(b"".join), st.sampled_from([4, 1 << 20]))
def test_any_bytes_are_a_table_or_refused_in_words(content: bytes, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reader, "_BLOCK", block)
        with contextlib.suppress(DataError):
            parsed = parse_csv("train.csv", content)
            header, rows = parsed.header, parsed.rows
            frame = to_frames({"train": parsed}, ids=[], text=[])["train"]
            assert frame.columns.tolist() == header
            assert len(frame) == rows


KAGGLES = """titanic spaceship-titanic house-prices-advanced-regression-techniques playground-series-s3e2
    playground-series-s3e25 playground-series-s3e26""".split()


@pytest.mark.parametrize("slug", KAGGLES)
def test_kaggles_files_hold_what_pandas_reads(slug: str, kaggle_zip) -> None:
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


@pytest.mark.parametrize(
    "value", [-(2**63), 2**63 - 1, 999_999_999_999_999_999, -999_999_999_999_999_999, 10**18, -10, 0]
)
def test_whole_numbers_of_every_length_are_whole_numbers(value: int) -> None:
    assert column(str(value), "5").tolist() == [value, 5]


@pytest.mark.parametrize("ids", [["i"], []])
@pytest.mark.parametrize("cells", [("0x2FFFFFFFF", "0x3FFFFFFFF"), ("0xF4240", "0xFFFFF"), ("0X174876E800", "5")])
def test_hexadecimals_keep_their_text_also_where_they_are_as_short_as_decimals(
    cells: tuple[str, ...], ids: list[str]
) -> None:
    content = "i,a\n" + "".join(f"{cell},1\n" for cell in cells)
    frames = to_frames({"train": parse_csv("train.csv", content.encode())}, ids=ids, text=[])
    assert frames["train"]["i"].tolist() == [*cells]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block", [32, 61, 1000])
def test_quoted_line_ends_survive_wherever_a_block_ends(block: int, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", block)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    cells = ["x" * (number % 7) + "\r\n" * (number % 4) + "y" for number in range(500)]
    writer.writerows([["i", "a"], *([number, cell] for number, cell in enumerate(cells))])
    assert parse_csv("train.csv", text.getvalue().encode()).columns["a"].to_pylist() == cells


def test_an_id_that_is_declared_as_text_is_text() -> None:
    frames = to_frames({"train": parse_csv("train.csv", b"i,a\n1,5\nNA,6\n")}, ids=["i"], text=["i"])
    assert frames["train"]["i"].tolist() == ["1", "NA"]
    whole = to_frames({"train": parse_csv("train.csv", b"i,a\n1,5\n2,6\n")}, ids=["i"], text=["i"])
    assert whole["train"]["i"].tolist() == ["1", "2"]
