from __future__ import annotations

import csv
import gzip
import io
import zipfile
from pathlib import Path

import pytest

from kpipe.data.formats import sheet_names
from kpipe.data.loading import load
from kpipe.errors import DataError
from tests.data.small_competitions import FILES, assert_same, folder, inner_zip, without, zipped, zipped_members


def test_packed_csv_files_are_unpacked_and_hidden_ones_ignored(tmp_path: Path) -> None:
    packed = {
        "deep/train.csv.zip": inner_zip(FILES["train.csv"]),
        "deep/test.csv.gz": gzip.compress(FILES["test.csv"]),
        "sample_submission.csv": FILES["sample_submission.csv"],
        "__MACOSX/train.csv": b"garbage",
        ".hidden/test.csv": b"garbage",
    }
    plain = load("x", folder(tmp_path / "plain"))
    for place in (zipped(tmp_path / "packed.zip", packed), folder(tmp_path / "packed", packed)):
        found = load("x", place)
        assert_same(found, plain)
        assert found.source.files == plain.source.files


def test_symbolic_links_to_files_are_read(tmp_path: Path) -> None:
    real = folder(tmp_path / "real")
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in FILES:
        (linked / name).symlink_to(real / name)
    assert_same(load("x", linked), load("x", real))


def test_a_broken_symbolic_link_is_ignored(tmp_path: Path) -> None:
    place = folder(tmp_path / "d")
    (place / "extra.csv").symlink_to(tmp_path / "nowhere")
    assert "extra" not in load("x", place).others


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file whose reading fails, such as Linux has")
def test_an_unreadable_file_is_named_in_the_error(tmp_path: Path) -> None:
    place = folder(tmp_path, without("train.csv"))
    (place / "train.csv").symlink_to("/proc/self/mem")
    with pytest.raises(DataError, match=r"train\.csv cannot be read: Input/output error"):
        load("x", place)


@pytest.mark.parametrize("evil", ["../../evil.csv", "/tmp/kpipe-evil.csv", "a/../../../evil.csv", "C:\\evil.csv"])
def test_a_zip_with_paths_outside_itself_writes_nothing(evil: str, tmp_path: Path) -> None:
    place = zipped(tmp_path / "deep" / "er" / "x.zip", FILES | {evil: b"a\n1\n"})
    before = set(tmp_path.rglob("*"))
    assert all(frame["a"].tolist() == [1] for frame in load("x", place).others.values())
    assert set(tmp_path.rglob("*")) == before
    assert not Path("/tmp/kpipe-evil.csv").exists()


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
def test_a_path_that_leaves_the_zip_is_not_train_csv_and_writes_nothing(name: str, tmp_path: Path) -> None:
    members = [(name, b"" if name.endswith("/") else FILES["train.csv"]), *list(FILES.items())[1:]]
    place = zipped_members(tmp_path / "x.zip", members)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=r"x\.zip lacks train\.csv; it holds") as said:
        load("x", place)
    assert "\x1b" not in str(said.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_symbolic_link_in_a_zip_is_read_as_its_text(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("train.csv")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        for name in list(FILES)[1:]:
            archive.writestr(name, FILES[name])
    with pytest.raises(DataError, match=r"train\.csv has no rows, only a header"):
        load("x", tmp_path / "x.zip")


SHEETS = b'<workbook><sheets><sheet name="train" sheetId="1"/><sheet name="a &amp; b" sheetId="2"/></sheets></workbook>'


def test_the_sheets_of_a_workbook_are_named_and_of_any_other_file_none() -> None:
    assert sheet_names(inner_zip(SHEETS, "xl/workbook.xml")) == ["train", "a & b"]
    assert sheet_names(b"PK") == sheet_names(inner_zip(b"", "train.csv")) == []


def test_sheets_of_a_workbook_are_tables_beside_each_other(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, content in FILES.items():
        sheet = book.create_sheet(name.removesuffix(".csv"))
        for row in csv.reader(io.StringIO(content.decode())):
            sheet.append([float(cell) if cell.replace(".", "").isdigit() else cell or None for cell in row])
    book.save(tmp_path / "data.xlsx")
    found = load("x", tmp_path)
    assert found.train["id"].tolist() == [1, 2, 3]
    assert found.test["x"].dropna().tolist() == [1.5]
    assert found.sample.columns.tolist() == ["id", "y"]
