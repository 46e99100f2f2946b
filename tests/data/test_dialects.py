from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.data.csv_reader import parse_csv
from kpipe.data.dialects import sniff_dialect
from kpipe.data.formats import parse_table
from kpipe.data.frames import to_frames
from kpipe.data.tidying import tidy
from kpipe.errors import DataError

COLUMNS = {
    "id": [1, 2, 3, 4],
    "x": [0.5, -1.25, 1e-7, 12345.678],
    "n": [1, -20, 300, 4000],
    "t": ["plain", "with, comma", 'say "hi"; or | not', "ünï 여름"],
    "g": ["a", "b", "", "a"],
}


def read(raw: bytes, name: str = "train.csv") -> pd.DataFrame:
    return to_frames({"train": tidy(parse_table(name, raw))}, ids=["id"], text=[])["train"]


def expected() -> pd.DataFrame:
    frame = pd.DataFrame(COLUMNS)
    return frame.assign(g=frame["g"].replace("", np.nan), t=frame["t"].astype("str")).astype({"g": "str"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_is_read_back_equal_whatever_separates_its_cells(
    delimiter: str, decimal: str, encoding: str, end: str
) -> None:
    if delimiter == decimal:
        pytest.skip("commas cannot be both")
    text = pd.DataFrame(COLUMNS).to_csv(index=False, sep=delimiter, decimal=decimal, lineterminator=end)
    pd.testing.assert_frame_equal(read(text.encode(encoding)), expected())


def test_a_delimiter_at_the_end_of_each_row_makes_no_column() -> None:
    for ends in ("id,x,z\n1,2,3,\n4,5,6,\n", "id;x;z\r\n1;2;3;\r\n4;5;6;\r\n", "id,x,z,\n1,2,3,\n4,5,6,\n"):
        assert read(ends.encode()).to_dict("list") == {"id": [1, 4], "x": [2, 5], "z": [3, 6]}


def test_empty_rows_at_the_end_go_and_a_note_counts_them() -> None:
    file = tidy(parse_csv("train.csv", b"id,x\n1,2\n3,4\n,\n,\n"))
    assert file.rows == 2
    assert file.notes == ("train.csv: the last 2 rows are empty and are ignored.",)


def test_the_line_in_which_excel_states_the_delimiter_is_no_header() -> None:
    assert read(b"sep=;\r\nid;x\r\n1;0,5\r\n").to_dict("list") == {"id": [1], "x": [0.5]}
    assert parse_csv("a.csv", b"sep=;\nid;x\n1;2\n").line(0) == 3


def test_r_names_rows_in_a_cell_without_a_header() -> None:
    written = b'"id","x"\n"1",10,0.5\n"2",20,0.6\n"3",30,0.7\n'  # write.table(frame, sep = ",")
    assert read(written).columns.tolist() == ["Unnamed: 0", "id", "x"]
    written = b'"","id","x"\n"1",10,0.5\n"2",20,NA\n'  # write.csv(frame)
    assert read(written).columns.tolist() == ["Unnamed: 0", "id", "x"]


def test_thousands_are_no_decimal_commas_where_decimals_have_points() -> None:
    assert read(b"id;a;b\n1;1,234;0.5\n2;2,345;0.7\n")["a"].tolist() == ["1,234", "2,345"]
    assert read(b"id;a;b\n1;1,234;x\n2;2,34;y\n")["a"].tolist() == [1.234, 2.34]


def test_other_delimiters_in_texts_change_nothing() -> None:
    content = "id,text\n" + "".join(f"{n},a;b|c\td;e\n" for n in range(30))
    assert sniff_dialect(content.encode()).delimiter == ","
    assert sniff_dialect(b"id,question; options,answer\n1,a;b,c\n2,d;e,f\n").delimiter == ","
    assert sniff_dialect(b"id;price, EUR;x\n1;2,5;3\n2;4,5;6\n").delimiter == ";"
    assert sniff_dialect(b"text\na;b\nc;d\n").delimiter == ","


def test_a_whole_file_is_never_to_be_downloaded_again() -> None:
    for content in (b'id,a\n1,"x\n2,y\n', b"id,a\n1,2,3\n4,5\n"):
        with pytest.raises(DataError, match=r"train\.csv, line 2: ") as said:
            parse_csv("train.csv", content)
        assert "download" not in str(said.value)


CELLS = st.one_of(
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda value: round(value, 6)),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=8),
)
WRITERS: dict[str, Any] = {
    "pandas": lambda frame: ("a.csv", frame.to_csv(index=False).encode()),
    "Excel": lambda frame: ("a.csv", frame.to_csv(index=False, sep=";", lineterminator="\r\n").encode("utf-8-sig")),
    "Unicode text": lambda frame: ("a.csv", frame.to_csv(index=False, sep="\t").encode("utf-16")),
    "polars": lambda frame: ("a.csv", pl.from_pandas(frame).write_csv().encode()),
    "R": lambda frame: ("a.csv", frame.to_csv(index=False, quoting=2, na_rep="NA").encode()),
    "parquet": lambda frame: ("a.parquet", frame.to_parquet()),
    "JSON": lambda frame: ("a.json", frame.to_json(orient="records", double_precision=15).encode()),
    "JSON lines": lambda frame: ("a.jsonl", frame.to_json(orient="records", lines=True, double_precision=15).encode()),
}


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(sorted(WRITERS)))
def test_any_table_is_read_back_equal_from_every_writer(data: st.DataObject, writer: str) -> None:
    n = data.draw(st.integers(2, 6))
    text = st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), min_size=1, max_size=8
    )
    frame = pd.DataFrame(
        {
            "id": range(n),
            "whole": data.draw(st.lists(st.integers(-(2**53), 2**53), min_size=n, max_size=n)),
            "part": data.draw(
                st.lists(st.integers(-(10**6), 10**6).map(lambda k: k / 64 + 0.5**7), min_size=n, max_size=n)
            ),
            "text": ["x" + cell for cell in data.draw(st.lists(text, min_size=n, max_size=n))],
        }
    ).astype({"text": "str"})
    name, raw = WRITERS[writer](frame)
    pd.testing.assert_frame_equal(read(raw, name), frame, check_exact=True)


def test_a_parquet_table_keeps_every_type(tmp_path) -> None:
    frame = pd.DataFrame(
        {
            "id": ["007", "008", "009"],
            "flag": [True, False, True],
            "maybe": pd.array([True, None, False], dtype="boolean"),
            "day": pd.to_datetime(["2020-01-01", None, "2020-02-01"]),
            "moment": pd.to_datetime(["2020-01-01 10:30", None, "2020-02-01 00:00"]),
            "level": pd.Categorical(["a", "b", None]),
            "single": np.array([0.1, 0.2, np.nan], dtype=np.float32),
        }
    )
    for name, write in (("a.parquet", frame.to_parquet), ("a.feather", frame.to_feather)):
        buffer = io.BytesIO()
        write(buffer)
        found = read(buffer.getvalue(), name)
        assert found["id"].tolist() == ["007", "008", "009"]
        assert found["flag"].dtype == "bool"
        assert found["maybe"].dtype == "boolean"
        assert found["day"].dropna().tolist() == ["2020-01-01", "2020-02-01"]
        assert found["moment"].dropna().tolist() == ["2020-01-01 10:30:00", "2020-02-01 00:00:00"]
        assert found["level"].dropna().tolist() == ["a", "b"]
        assert found["single"].dropna().tolist() == [0.1, 0.2]


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.json", "a.jsonl"])
@pytest.mark.parametrize("raw", [b"", b"PAR1", b"id,a\n1,2\n", b"[1, 2]", b'{"a": {"b"', b"\x00" * 100])
def test_a_file_whose_format_contradicts_its_name_is_refused_with_an_explanation(name: str, raw: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.\w+"):
        parse_table(name, raw)


def test_a_small_parquet_that_unfolds_to_much_is_refused() -> None:
    buffer = io.BytesIO()
    pd.DataFrame({"a": np.zeros(100_000_000, dtype=np.int8)}).to_parquet(buffer, compression="zstd")
    with pytest.raises(DataError, match=r"a\.parquet unfolds from .* it may be designed to exhaust memory"):
        parse_table("a.parquet", buffer.getvalue())


def test_an_excel_workbook_is_read_or_the_package_named() -> None:
    try:
        import openpyxl
    except ImportError:
        with pytest.raises(DataError, match=r"a\.xlsx is an Excel workbook. To read it: pip install .*\[excel\]"):
            parse_table("a.xlsx", b"PK")
        return
    book = openpyxl.Workbook()
    for row in (["id", "x", "day"], [1, 0.5, pd.Timestamp("2020-01-01").to_pydatetime()], [2, None, None], [None] * 3):
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    found = read(buffer.getvalue(), "a.xlsx")
    assert found["id"].tolist() == [1, 2]
    assert found["day"].dropna().tolist() == ["2020-01-01"]


@pytest.mark.parametrize("damage", [lambda sheet: sheet[: len(sheet) // 2], lambda sheet: b"no XML", None])
def test_a_damaged_workbook_is_refused_in_words(damage: Callable[[bytes], bytes] | None) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["id", "x"], *([number, number / 7] for number in range(50))):
        book.active.append(row)
    whole, damaged = io.BytesIO(), io.BytesIO()
    book.save(whole)
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(damaged, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in archive.namelist():
            is_sheet = name.endswith("sheet1.xml") and damage is not None
            copy.writestr(name, damage(archive.read(name)) if is_sheet else archive.read(name))
        start = copy.getinfo("xl/worksheets/sheet1.xml").header_offset + 60
    content = bytearray(damaged.getvalue())
    if damage is None:  # the compressed bytes
        content[start : start + 60] = bytes(60)
    with pytest.raises(DataError, match=r"a\.xlsx cannot be read as xlsx: .* Check the file, or save it as CSV"):
        parse_table("a.xlsx", bytes(content))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    "above",
    ["Report of sales\n\n", "# exported 2020\n# by me, and others\n", "Sales 2020{d}{d}\n", "\r\nSales\r\n\r\n"],
)
def test_titles_and_comments_above_the_header_are_left_out_and_reported(above: str, delimiter: str) -> None:
    text = above.format(d=delimiter) + "id,x,t\n1,0.5,a\n2,1.5,b\n3,oops,b\n4,1.5,a\n".replace(",", delimiter)
    file = tidy(parse_csv("train.csv", text.encode()))
    lines = above.count("\n")
    assert (file.header, file.rows) == (["id", "x", "t"], 4)
    assert f"train.csv: the header is on line {lines + 1}; the lines above it are ignored." in file.notes
    assert file.place(2) == f"train.csv, line {lines + 4}"


@pytest.mark.parametrize("text", ["#id,x\n1,2\n3,4\n5,6\n", "x\n1\n2\n3\n", "note\nhello, 1\nhow, are\nyou, x\n"])
def test_a_first_line_that_may_be_the_header_is_one(text: str) -> None:
    assert sniff_dialect(text.encode()).lines_before == 0


def test_a_header_that_is_repeated_among_the_rows_is_left_out_and_lines_stay_right() -> None:
    file = tidy(parse_csv("train.csv", b"id,x\n1,2\nid,x\n3,4\n"))
    assert file.columns["x"].to_pylist() == ["2", "4"]
    assert file.notes == ("train.csv, line 3: the header is repeated, in 1 rows in all; they are ignored.",)
    assert file.line(1) == 4


@pytest.mark.parametrize("rows", ["Total,,9\n", "Sum,8,9\nMean,2,2.5\n", ",Total:,9\n"])
def test_totals_at_the_end_are_left_out_and_reported(rows: str) -> None:
    body = "".join(f"{n},{n},{n}.5\n" for n in range(1, 6))
    file = tidy(parse_csv("train.csv", f"id,n,x\n{body}{rows}".encode()))
    assert file.rows == 5
    assert "train.csv, line 7: the last " in file.notes[-1]


@pytest.mark.parametrize("last", ["total,5", "sum,5"])
def test_a_last_row_with_a_word_that_is_a_category_stays(last: str) -> None:
    file = tidy(parse_csv("train.csv", f"kind,x\ntotal,1\nsum,2\nnet,3\ntotal,1\nsum,2\nnet,3\n{last}\n".encode()))
    assert file.rows == 7


def test_a_long_text_in_the_first_row_does_not_hide_the_delimiter_at_the_end_of_each_row() -> None:
    before = csv.field_size_limit(131_072)  # Python's default, whatever was read before
    try:
        file = tidy(parse_csv("train.csv", b"id;t\n1;" + b"long text " * 20_000 + b";\n2;short;\n"))
    finally:
        csv.field_size_limit(before)
    assert (file.header, file.rows) == (["id", "t"], 2)
