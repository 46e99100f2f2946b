from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from kpipe.data.loading import load
from kpipe.errors import DataError
from tests.data.places import FILES, Make, folder, without, zipped, zipped_members

OTHER = b"id,x,y\n7,9,0\n8,9,1\n9,9,0\n"


@pytest.mark.parametrize("name", ["gender_submission.csv", "sampleSubmission.csv", "sample_submission.csv"])
def test_the_sample_submission_is_recognised_by_several_names(name: str, tmp_path: Path) -> None:
    files = {(key == "sample_submission.csv" and name) or key: content for key, content in FILES.items()}
    assert load("x", folder(tmp_path, files)).sample.columns.tolist() == ["id", "y"]


@pytest.mark.parametrize("make", [folder, zipped])
def test_files_are_recognised_in_any_case_and_at_any_depth(make: Make, tmp_path: Path) -> None:
    files = {
        "a/b/Train.CSV": FILES["train.csv"],
        "TEST.csv": FILES["test.csv"],
        "c/S_Submission.csv": b"id,y\n4,0\n5,0\n",
    }
    assert load("x", make(tmp_path / "x.zip", files)).train["id"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("make", [folder, zipped])
def test_a_file_in_a_subfolder_does_not_hide_the_one_above_it(make: Make, tmp_path: Path) -> None:
    old = {f"archive/{name}": content.replace(b"0.5", b"9.5") for name, content in FILES.items()}
    place = make(tmp_path / "x.zip", old | FILES)
    assert load("x", place).train["x"][0] == 0.5


def test_a_packed_copy_and_a_copy_in_a_subfolder_are_ignored(tmp_path: Path) -> None:
    more = [("train.csv.gz", gzip.compress(OTHER)), ("old/train.csv", OTHER)]
    assert load("x", zipped_members(tmp_path / "x.zip", [*FILES.items(), *more])).train["id"].tolist() == [1, 2, 3]


TWICE = {
    "the same name twice": [*FILES.items(), ("train.csv", OTHER)],
    "beside each other": [("b/train.csv", OTHER), *((f"a/{name}", content) for name, content in FILES.items())],
    "another case": [*FILES.items(), ("Train.csv", OTHER)],
    "two samples": [*FILES.items(), ("sampleSubmission.csv", b"id,y\n4,9\n5,9\n")],
}


@pytest.mark.parametrize("case", TWICE)
def test_two_files_that_may_have_the_same_role_are_refused(case: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.zip holds 2 files that may be .*: .*Keep only one of them"):
        load("x", zipped_members(tmp_path / "x.zip", TWICE[case]))


MISSING = {
    "no train": ({"test.csv": b"a\n1\n", "sample_submission.csv": b"a\n1\n"}, r"lacks train\.csv; it holds"),
    "nothing": ({"readme.txt": b""}, r"lacks train\.csv and test\.csv and a sample submission; it holds no CSV file"),
    "no sample": (without("sample_submission.csv"), r"lacks a sample submission; it holds test\.csv, train\.csv"),
    "two that may be samples": (
        without("sample_submission.csv", a_submission__csv=b"id\n4\n", b_submission__csv=b"id\n4\n"),
        r"lacks a sample submission; it holds a_submission\.csv, b_submission\.csv",
    ),
}


@pytest.mark.parametrize("case", MISSING)
@pytest.mark.parametrize("make", [folder, zipped])
def test_a_role_without_a_file_is_refused_with_the_files_that_there_are(case: str, make: Make, tmp_path: Path) -> None:
    files, words = MISSING[case]
    with pytest.raises(DataError, match=words):
        load("x", make(tmp_path / "x.zip", files))


def test_for_a_folder_that_holds_only_kaggles_zip_the_error_says_how_to_read_it(tmp_path: Path) -> None:
    (tmp_path / "titanic.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"no CSV file\. To read the zip in this folder: --data .*titanic\.zip"):
        load("titanic", tmp_path)
