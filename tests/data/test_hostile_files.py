"""What comes from elsewhere is data: files, zips and run folders that mean harm end in words, or in what they say.

Each ends in a KpipeError or in correct values: no traceback, no code run, nothing written outside its folder. The
examples are few, so that they are quick; ``-m slow`` takes fifty times as many.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import time
import unicodedata
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpipe.data import archives, csv_reader
from kpipe.data.csv_reader import parse_csv
from kpipe.data.frames import to_frames
from kpipe.data.loading import load
from kpipe.errors import DataError, KpipeError, printable

PLAIN = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=3_000, deadline=None, suppress_health_check=list(HealthCheck))


# --- CSV

PIECES = [
    *(
        b"1",
        b"0.5",
        b"x",
        b",",
        b",",
        b",",
        b"\n",
        b"\n",
        b"\r",
        b"\r\n",
        b'"',
        b'"',
        b'""',
        b" ",
        b"\t",
        b"NA",
        b"True",
    ),
    *(
        b"\xff",
        b"\xc3\xa9",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\x0b",
        b"\x1a",
        b"\x1b[0m",
    ),
    *(b"\x00", b"-0", b"1e400", b"inf", b"0x1F", b"1_0", b"'", b"\\", b";", b"#", b"=1+1", b"a,b\n", b"__class__"),
    b"9" * 25,
]
# Values of JSON that stand where others are awaited.
ODD_JSON: list[object] = [
    *(None, True, 0, -1, float("inf"), float("nan"), 2**70, "x", "", [], {}, [None], {"a": 1}, [[]]),
]
CSVS = st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)


def reads_as_python_does(content: bytes, block: int) -> None:
    """Either words, or the very cells that Python's own reader finds; settled, as many rows under the same names."""
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(DataError):
        patch.setattr(csv_reader, "_BLOCK", block)
        files = {"train": parse_csv("train.csv", content), "test": parse_csv("test.csv", content)}
        train = files["train"]
        rows = [cells for cells in csv_reader._reader(train.content) if cells][1:]
        assert [list(cells) for cells in zip(*(c.to_pylist() for c in train.columns.values()), strict=True)] == rows
        frame = to_frames(files, ids=train.header[:1], text=[])["train"]
        assert frame.columns.tolist() == train.header
        assert len(frame) == len(rows)


@PLAIN
@given(CSVS, st.sampled_from([4, 16, 1 << 20]))
def test_any_csv_holds_the_cells_that_python_finds_or_is_refused(content: bytes, block: int) -> None:
    reads_as_python_does(content, block)


@pytest.mark.slow
@MANY
@given(CSVS, st.sampled_from([4, 16, 1 << 20]))
def test_any_of_many_csvs_holds_the_cells_that_python_finds_or_is_refused(content: bytes, block: int) -> None:
    reads_as_python_does(content, block)


def test_a_byte_order_mark_that_stands_twice_changes_no_type() -> None:
    twice = b"\xef\xbb\xbf" * 2 + b"id,a\n007,1\n"
    frame = to_frames({"train": parse_csv("train.csv", twice)}, ids=["id"], text=[])["train"]
    assert frame.to_dict("list") == {"id": ["007"], "a": [1]}


@pytest.mark.parametrize("name", ["\x1b[2Ja", "a\x07", "a\x9b31m", "\x00a"])
def test_a_column_whose_name_a_terminal_would_obey_is_refused(name: str) -> None:
    with pytest.raises(
        DataError, match=r"^train\.csv(, line 1: the column name .* contains control characters| contains NUL)"
    ) as said:
        parse_csv("train.csv", f"id,{name}\n1,2\n".encode())
    assert str(said.value).isprintable()


def test_names_that_python_or_pandas_use_themselves_are_names() -> None:
    names = ["__class__", "__index_level_0__", "index", "level_0", "self", "a\nb", "", "0"]
    text = io.StringIO()
    pd.DataFrame([range(8), range(8)], columns=names).to_csv(text, index=False)
    frame = to_frames({"train": parse_csv("train.csv", text.getvalue().encode())}, ids=[], text=[])["train"]
    assert frame.columns.tolist() == [*names[:6], "Unnamed: 6", "0"]
    assert (frame == np.arange(8)).all(axis=None)


def test_a_header_of_many_columns_is_looked_at_in_no_time_and_one_of_too_many_refused() -> None:
    start = time.process_time()
    csv_reader._check_header("train.csv", [f"c{number}" for number in range(100_000)])
    assert time.process_time() - start < 5  # each name compared with all before it took 60 s
    with pytest.raises(DataError, match=r"line 1: the header has 100,001 columns; kpipe reads at most 100,000"):
        parse_csv("train.csv", b"," * 100_000 + b"\n")


def test_a_message_about_a_giant_cell_is_short_and_still_says_what_to_do() -> None:
    train = parse_csv("train.csv", b"id,a\n1," + b"9" * 1_000_000 + b"\n2,0.5\n")
    with pytest.raises(DataError, match=r"^train\.csv, line 2: 'a' must hold finite numbers.*Fix the cell") as said:
        to_frames({"train": train}, ids=["id"], text=[])
    assert len(str(said.value)) < 5_000


@PLAIN
@given(st.text(st.characters(exclude_categories=[])))
def test_any_message_can_be_shown_and_written(text: str) -> None:
    shown = printable(text)
    assert str(KpipeError(text)) == shown
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in shown if letter not in "\n\t")
    assert not {unicodedata.bidirectional(letter) for letter in shown} & {"RLO", "LRO", "RLE", "LRE", "RLI", "LRI"}


def test_cells_that_a_spreadsheet_would_run_stay_text_and_ids_with_separators_name_no_file(tmp_path: Path) -> None:
    rows = [(f"../../id{n}", ["=cmd|' /C calc'!A0", "@SUM(1)"][n % 2], n % 2) for n in range(60)]
    train = pd.DataFrame(rows, columns=["id", "x", "y"])
    place = tmp_path / "data"
    place.mkdir()
    train.to_csv(place / "train.csv", index=False)
    test = train.head(20).assign(id=[f"/etc/id{n}" for n in range(20)])
    test[["id", "x"]].to_csv(place / "test.csv", index=False)
    test[["id", "y"]].to_csv(place / "sample_submission.csv", index=False)
    before = set(tmp_path.rglob("*"))
    assert load("x", place).train["x"].tolist() == train["x"].tolist()
    assert set(tmp_path.rglob("*")) == before


# --- zip

FILES = {
    "train.csv": b"id,x,y\n1,2,0\n2,3,1\n3,5,0\n",
    "test.csv": b"id,x\n4,2\n5,3\n",
    "sample_submission.csv": b"id,y\n4,0\n5,0\n",
}
OTHER = b"id,x,y\n7,9,0\n8,9,1\n9,9,0\n"


def zipped(path: Path, members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)  # of one date: hypothesis wants the same bytes
    return path


TWICE = {
    "the same name twice": [*FILES.items(), ("train.csv", OTHER)],
    "beside each other": [("b/train.csv", OTHER), *((f"a/{name}", content) for name, content in FILES.items())],
    "another case": [*FILES.items(), ("Train.csv", OTHER)],
    "two samples": [*FILES.items(), ("sampleSubmission.csv", b"id,y\n4,9\n5,9\n")],
}


@pytest.mark.parametrize("case", TWICE)
def test_which_of_two_files_is_meant_is_never_guessed(case: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.zip holds 2 files that may be .*: .*Keep only one of them"):
        load("x", zipped(tmp_path / "x.zip", TWICE[case]))


def test_a_packed_copy_beside_a_plain_file_and_a_deeper_one_do_not_matter(tmp_path: Path) -> None:
    more = [("train.csv.gz", gzip.compress(OTHER)), ("old/train.csv", OTHER)]
    assert load("x", zipped(tmp_path / "x.zip", [*FILES.items(), *more])).train["id"].tolist() == [1, 2, 3]


ODD_NAMES = [
    "../train.csv",
    "/../train.csv",
    "..\\train.csv",
    "C:\\train.csv",
    "train.csv/",
    "\x1b[31mtrain.csv",
    "d/" * 200,
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_that_leads_elsewhere_is_no_train_csv_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    members = [(name, b"" if name.endswith("/") else FILES["train.csv"]), *list(FILES.items())[1:]]
    place = zipped(tmp_path / "x.zip", members)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=r"x\.zip lacks train\.csv; it holds") as said:
        load("x", place)
    assert "\x1b" not in str(said.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_in_a_zip_is_its_text_and_leads_nowhere(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("train.csv")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        for name in list(FILES)[1:]:
            archive.writestr(name, FILES[name])
    with pytest.raises(DataError, match=r"train\.csv has no rows, only a header"):
        load("x", tmp_path / "x.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_of_any_method_is_refused_before_it_fills_the_memory(
    method: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BOMB_BYTES", 1 << 16)
    bomb = b"id,x,y\n" + b"1,2,0\n" * (1 << 17)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", method) as archive:
        archive.writestr("train.csv", bomb)
    for name, content in (("train.csv", bomb), ("train.csv.zip", inner.getvalue())):
        with pytest.raises(DataError, match=r"unpacks to more than 500 times"):
            load("x", zipped(tmp_path / "x.zip", [(name, content), *list(FILES.items())[1:]], method))


def test_a_zip_in_a_zip_in_a_zip_is_no_table(tmp_path: Path) -> None:
    content = FILES["train.csv"]
    for _ in range(2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("train.csv.zip" if content[:2] == b"PK" else "train.csv", content)
        content = buffer.getvalue()
    with pytest.raises(DataError, match=r"train\.csv"):
        load("x", zipped(tmp_path / "x.zip", [("train.csv.zip", content), *list(FILES.items())[1:]]))


def spoilt(data: st.DataObject, whole: bytes) -> bytes:
    raw = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
        raw[at] = data.draw(st.integers(0, 255))
    return bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) // 2, len(raw) - 1]))])


@PLAIN
@given(data=st.data(), method=st.sampled_from([0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))
def test_any_zip_of_any_method_that_was_spoilt_gives_the_files_or_words(
    data: st.DataObject, method: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = zipped(tmp_path_factory.mktemp("spoilt") / "x.zip", list(FILES.items()), method)
    place.write_bytes(spoilt(data, place.read_bytes()))
    with contextlib.suppress(DataError):
        assert load("x", place).train["id"].tolist() == [1, 2, 3]  # its checksum stands for its bytes
