"""A spoilt copy of train.csv keeps its form, and no row is what it was."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from kpipe.checks.spoilt_files import spoil, with_mounts
from kpipe.core.values import Source

TEXT = 'id,name,y\n1,"a, b",0\n2,c,1\n3,"d ""e""",2\n4,,3\n'


@pytest.mark.parametrize("zipped", [False, True])
def test_no_row_of_the_copy_is_what_it_was(tmp_path: Path, zipped: bool) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    data.mkdir()
    copy.mkdir()
    (data / "train.csv").write_text(TEXT)
    (data / "test.csv").write_text("id,name\n9,f\n")
    if zipped:
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            for file in data.iterdir():
                archive.write(file, file.name)
    source = Source(origin="directory", path=tmp_path / "all.zip" if zipped else data, files={"train.csv": ""})
    path, copies = spoil(source, copy)
    assert len(copies) == 1
    if zipped:
        zipfile.ZipFile(path).extractall(path := tmp_path / "unzipped")
    true, spoilt = (pd.read_csv(folder / "train.csv", dtype=str, keep_default_na=False) for folder in (data, path))
    assert list(spoilt) == list(true)
    assert spoilt["id"].equals(true["id"])
    for column in ("name", "y"):
        assert sorted(spoilt[column]) == sorted(true[column])
        assert not (spoilt[column] == true[column]).any()
    assert (path / "test.csv").read_text() == "id,name\n9,f\n"
    assert (data / "train.csv").read_text() == TEXT


def test_a_mounted_copy_is_seen_by_that_process_alone(tmp_path: Path) -> None:
    file, copy = tmp_path / "file", tmp_path / "copy"
    file.write_text("true")
    copy.write_text("spoilt")
    command = with_mounts({file: copy}, ["cat", str(file)])
    if command == ["cat", str(file)]:
        pytest.skip("this system has no mount namespaces for users")
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "spoilt"
    assert file.read_text() == "true"


def test_a_sample_is_not_spoilt(tmp_path: Path) -> None:
    assert spoil(Source(origin="sample", path=tmp_path, files={"train.csv": ""}), tmp_path)[1] == {}
