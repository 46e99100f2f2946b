from __future__ import annotations

import contextlib
import csv
import io
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.data import csv_reader
from kpipe.data.csv_reader import parse_csv
from kpipe.data.frames import to_frames
from kpipe.errors import DataError
from tests.data.cells import notes_on, read
from tests.hostile import CSVS, MANY, PLAIN


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
def test_every_kind_of_line_end_is_read_with_and_without_a_byte_order_mark(end: str, bom: bytes, last: bool) -> None:
    body = end.join(["id,a", "1,x", '2,"y, z"', '3,"say ""hi"""', "4,é"]) + (end if last else "")
    train, _ = read(bom + body.encode())
    assert train.columns.tolist() == ["id", "a"]
    assert train["a"].tolist() == ["x", "y, z", 'say "hi"', "é"]


def test_a_quoted_cell_may_span_lines_and_line_numbers_stay_right() -> None:
    content = 'id,text,n\n1,"one\ntwo\n\nfour",5\n2,plain,six\n'
    assert "train.csv, line 6: 'n' holds numbers except in 1 cell ('six')" in notes_on(content, "id,text,n\n3,x,7\n")[0]
    train, _ = read(content, "id,text,n\n3,x,y\n")
    assert train["text"][0] == "one\ntwo\n\nfour"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_error_names_the_line_that_an_editor_shows(end: str) -> None:
    head = end.join(["id,text,n", "", '1,"one', "", 'three",5', "2,x,6"])
    assert notes_on(end.join([head, "3,y,six", ""]), "id,n\n4,7\n")[0].startswith(
        "train.csv, line 7: 'n' holds numbers"
    )
    two = end.join([head, '3,"y', 'z",six', ""])
    assert notes_on(two, "id,n\n4,7\n")[0].startswith("train.csv, line 8: 'n' holds numbers")
    with pytest.raises(DataError, match=r"train\.csv, line 7: the header has 3 cells, this row has 2"):
        read(end.join([head, "3,y"]))


def test_bytes_that_are_not_utf8_are_read_as_cp1252() -> None:
    train, _ = read("id,a\n1,Müller\n".encode("cp1252"))
    assert train["a"].tolist() == ["Müller"]


def test_a_column_without_a_name_gets_the_name_that_pandas_gives_it() -> None:
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
def test_unusual_files_of_one_column_are_read(content: bytes, values: list) -> None:
    pd.testing.assert_series_equal(read(content, ids=())[0]["a"], pd.Series(values, dtype="str", name="a"))


def test_a_row_longer_than_a_block_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", 16)
    long = "word " * 20
    assert read(f'id,"{long}"\n1,"{long}\n{long}"\n2,x\n')[0][long.strip()].tolist() == [f"{long}\n{long}", "x"]


@pytest.mark.parametrize("content", ["id,a", "id,a\n", "id,a\r", "\ufeffid,a\r\n\r\n"])
def test_a_file_with_only_a_header_has_no_rows(content: str) -> None:
    parsed = parse_csv("train.csv", content.encode())
    assert (parsed.header, parsed.rows) == (["id", "a"], 0)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("a,a,a", ["a", "a.1", "a.2"]),
        ("a,a,a.1", ["a", "a.2", "a.1"]),
        ("Unnamed: 1,,x", ["Unnamed: 1", "Unnamed: 1.1", "x"]),
    ],
)
def test_columns_of_one_name_get_numbers_and_a_note_says_so(names: str, expected: list[str]) -> None:
    parsed = parse_csv("train.csv", f"{names}\n1,2,3\n".encode())
    assert parsed.header == expected
    assert "a" not in expected or "train.csv repeats column names" in parsed.notes[0]


def test_column_names_that_python_or_pandas_use_internally_are_kept() -> None:
    names = ["__class__", "__index_level_0__", "index", "level_0", "self", "a\nb", "", "0"]
    text = io.StringIO()
    pd.DataFrame([range(8), range(8)], columns=names).to_csv(text, index=False)
    frame = to_frames({"train": parse_csv("train.csv", text.getvalue().encode())}, ids=[], text=[])["train"]
    assert frame.columns.tolist() == [*names[:6], "Unnamed: 6", "0"]
    assert (frame == np.arange(8)).all(axis=None)


@pytest.mark.parametrize("name", ["\x1b[2Ja", "a\x07", "a\x9b31m", "\x00a"])
def test_a_column_name_with_control_characters_is_refused(name: str) -> None:
    with pytest.raises(
        DataError, match=r"^train\.csv(, line 1: the column name .* contains control characters| contains NUL)"
    ) as said:
        parse_csv("train.csv", f"id,{name}\n1,2\n".encode())
    assert str(said.value).isprintable()


def test_a_header_of_200_000_columns_is_checked_within_seconds_and_a_longer_one_refused() -> None:
    start = time.process_time()
    csv_reader.unique_names("train.csv", [f"c{number}" for number in range(200_000)])
    assert time.process_time() - start < 5  # each name compared with all before it took 60 s
    with pytest.raises(DataError, match=r"line 1: the header has 200,001 columns; kpipe reads at most 200,000"):
        parse_csv("train.csv", b"," * 200_000 + b"\n")


def test_a_repeated_byte_order_mark_changes_no_dtype() -> None:
    twice = b"\xef\xbb\xbf" * 2 + b"id,a\n007,1\n"
    frame = to_frames({"train": parse_csv("train.csv", twice)}, ids=["id"], text=[])["train"]
    assert frame.to_dict("list") == {"id": ["007"], "a": [1]}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block", [32, 61, 1000])
def test_quoted_line_ends_are_kept_wherever_a_block_ends(block: int, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", block)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    cells = ["x" * (number % 7) + "\r\n" * (number % 4) + "y" for number in range(500)]
    writer.writerows([["i", "a"], *([number, cell] for number, cell in enumerate(cells))])
    assert parse_csv("train.csv", text.getvalue().encode()).columns["a"].to_pylist() == cells


MALFORMED = {
    "a quoted cell that never ends": (
        b'id,a\n1,"x\ny"\n2,"cut sh',
        r"train\.csv, line 4: a quoted cell starts here and never ends",
    ),
    "a header that never ends": (b'id,"a\n1,x\n', r"train\.csv, line 1: a quoted cell starts here and never ends"),
    "an empty file": (b"", r"train\.csv is empty"),
    "blank lines only": (b"\n\n", r"train\.csv is empty"),
    "a cell too many": (b"id,a\n1,2\n3,4,5\n", r"train\.csv, line 3: the header has 2 cells, this row has 3"),
    "a cell too few after a cell of two lines": (
        b'id,a\n1,"x\ny"\n3\n',
        r"train\.csv, line 4: the header has 2 cells, this row has 1",
    ),
    "NUL bytes": (b"id,a\n1,\x00\n", r"train\.csv contains NUL bytes"),
    "UTF-16 cut short": (
        "id,a\n1,2\n".encode("utf-16")[:-1],
        r"train\.csv cannot be read as UTF-16: .*Save it as UTF-8",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file_is_refused_with_an_error_that_names_the_line(case: str) -> None:
    content, words = MALFORMED[case]
    with pytest.raises(DataError, match=words):
        read(content)


def check_cells(content: bytes, block: int) -> None:
    """Assert a DataError, or the cells that Python's own reader finds, and as many rows and columns in the frame."""
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(DataError):
        patch.setattr(csv_reader, "_BLOCK", block)
        files = {"train": parse_csv("train.csv", content), "test": parse_csv("test.csv", content)}
        train = files["train"]
        rows = [cells for cells in csv_reader._reader(train.content, train.dialect) if cells][1:]
        assert [list(cells) for cells in zip(*(c.to_pylist() for c in train.columns.values()), strict=True)] == rows
        frame = to_frames(files, ids=train.header[:1], text=[])["train"]
        assert frame.columns.tolist() == train.header
        assert len(frame) == len(rows)


@PLAIN
@given(CSVS, st.sampled_from([4, 16, 1 << 20]))
def test_any_csv_gives_the_cells_that_pythons_reader_gives_or_a_data_error(content: bytes, block: int) -> None:
    check_cells(content, block)


@pytest.mark.slow
@MANY
@given(CSVS, st.sampled_from([4, 16, 1 << 20]))
def test_any_of_many_csvs_gives_the_cells_that_pythons_reader_gives_or_a_data_error(content: bytes, block: int) -> None:
    check_cells(content, block)


SIMPLE_PIECES = st.sampled_from(
    [b"1", b"0.5", b"x", b",", b",", b"\n", b"\r", b'"', b" ", b"NA", b"True", b"\xff", b"\xc3\xa9"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(SIMPLE_PIECES, max_size=40).map(b"".join), st.sampled_from([4, 1 << 20]))
def test_any_bytes_give_a_table_or_a_data_error(content: bytes, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reader, "_BLOCK", block)
        with contextlib.suppress(DataError):
            parsed = parse_csv("train.csv", content)
            header, rows = parsed.header, parsed.rows
            frame = to_frames({"train": parsed}, ids=[], text=[])["train"]
            assert frame.columns.tolist() == header
            assert len(frame) == rows
