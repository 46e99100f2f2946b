from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from kpipe.data.loading import FileChoice, load
from kpipe.errors import DataError, UsageError
from tests.data.small_competitions import FILES, Make, assert_same, folder, inner_zip, without, zipped, zipped_members

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
    "nothing": ({"readme.txt": b""}, r"lacks train\.csv and test\.csv and a sample submission; it holds no table"),
    "two that may be samples": (
        without("sample_submission.csv", a_submission__csv=b"id\n4\n", b_submission__csv=b"id\n4\n"),
        r"holds 2 files that may be a sample submission: a_submission\.csv, b_submission\.csv\. Name it: --sample FILE",
    ),
}


@pytest.mark.parametrize("case", MISSING)
@pytest.mark.parametrize("make", [folder, zipped])
def test_a_role_without_a_file_is_refused_with_the_files_that_there_are(case: str, make: Make, tmp_path: Path) -> None:
    files, words = MISSING[case]
    with pytest.raises(DataError, match=words):
        load("x", make(tmp_path / "x.zip", files))


def test_a_folder_that_holds_only_kaggles_zip_is_read_and_a_damaged_zip_named(tmp_path: Path) -> None:
    zipped(tmp_path / "titanic.zip")
    assert_same(load("titanic", tmp_path), load("titanic", tmp_path / "titanic.zip"))
    (tmp_path / "titanic.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"it holds no table.* titanic\.zip is not a complete zip archive"):
        load("titanic", tmp_path)


NAMES = [
    ("cs-training.csv", "cs-test.csv", "sampleEntry.csv"),
    ("training_set_features.csv", "test_set_features.csv", "submission_format.csv"),
    ("train_ctrUa4K.csv", "test_lAUu6dG.csv", "sample_submission_49d68Cx.csv"),
    ("X_train.csv", "X_test.csv", "example_submission.csv"),
    ("TrainingData.csv", "TestData.csv", "SampleSubmission.csv"),
    ("train.tsv", "test.tsv", "sample_submission.csv"),
    ("data_train.CSV", "data_test.CSV", "gender_submission.csv"),
]


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("make", [folder, zipped])
def test_files_are_recognised_by_the_words_of_their_names(names: tuple[str, ...], make: Make, tmp_path: Path) -> None:
    files = dict(zip(names, FILES.values(), strict=True))
    more = {"my_submission.csv": b"id,y\n4,9\n5,9\n", "submission.csv": b"id,y\n4,9\n5,9\n"}
    found = load("x", make(tmp_path / "x.zip", files | more))
    assert (found.train["id"].tolist(), found.test["id"].tolist(), found.sample["y"].tolist()) == (
        [1, 2, 3],
        [4, 5],
        [0, 0],
    )
    if "train.tsv" not in names:
        assert any("By their names" in note for note in found.source.notes)


def test_the_user_names_files_by_name_or_by_path(tmp_path: Path) -> None:
    names = dict(zip(("a.csv", "b.csv", "c.csv"), FILES.values(), strict=True))
    place, away = folder(tmp_path / "place", names), folder(tmp_path / "away", {"a.csv": FILES["train.csv"]})
    choice = FileChoice("a", "b.csv", "c.csv")
    assert_same(load("x", place, choice=choice), load("x", folder(tmp_path / "plain")))
    assert_same(load("x", place, choice=replace(choice, train=str(away / "a.csv"))), load("x", tmp_path / "plain"))
    with pytest.raises(UsageError, match=r"--train d\.csv: there is no such file.*It holds: a\.csv, b\.csv, c\.csv"):
        load("x", place, choice=replace(choice, train="d.csv"))
    with pytest.raises(
        DataError, match=r"lacks train.csv .*Name them with --train FILE, --test FILE and --sample FILE"
    ):
        load("x", place)


def test_zips_in_a_zip_are_opened_where_a_file_is_missing(tmp_path: Path) -> None:
    inner = {f"{name.split('.')[0]}.zip": inner_zip(content, name) for name, content in FILES.items()}
    assert_same(load("x", zipped(tmp_path / "x.zip", inner)), load("x", folder(tmp_path / "plain")))
    assert_same(load("x", folder(tmp_path / "zips", inner)), load("x", tmp_path / "plain"))


@pytest.mark.parametrize("choice", [FileChoice(sample="train.csv"), FileChoice(test="train.csv")])
def test_a_file_that_is_named_for_a_role_and_lacks_in_its_own_is_refused(choice: FileChoice, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"train\.csv: by its name this is train\.csv, and there is no other"):
        load("x", folder(tmp_path, FILES), choice=choice)


def test_a_folder_of_zips_of_several_competitions_is_refused_with_the_zips_and_how_to_pass_one(tmp_path: Path) -> None:
    for name in "abcdefg":
        zipped_members(tmp_path / f"{name}.zip", FILES.items())
    with pytest.raises(DataError) as caught:
        load("x", tmp_path)
    assert "a.zip/sample_submission.csv, b.zip/sample_submission.csv, " in str(caught.value)
    assert "and 2 more." in str(caught.value)
    assert f"If each zip is a competition, pass one of them: --data {tmp_path / 'a.zip'}." in str(caught.value)
