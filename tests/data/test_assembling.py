from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.data.column_names import match_names
from kpipe.data.loading import FileChoice, load
from kpipe.errors import DataError, UsageError
from tests.data.small_competitions import FILES, folder, without

TRAIN, TEST = FILES["train.csv"], FILES["test.csv"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("id-01", "id_01"), ("Age ", "age"), ("prénom", "Prenom"), ("Flow Bytes/s", "flow_bytes_s")],
)
def test_names_that_differ_by_signs_case_or_accents_are_one_column(ours: str, theirs: str) -> None:
    assert match_names([ours, "x"], [theirs, "x", "y"]) == {ours: theirs}


def test_names_that_are_ambiguous_or_only_punctuation_are_not_matched() -> None:
    assert match_names(["a_1", "a-1"], ["a 1"]) == {}
    assert match_names(["a-1"], ["a 1", "a_1"]) == {}
    assert match_names(["+"], ["-"]) == {}
    assert match_names(["a"], ["A", "a"]) == {}


def test_columns_of_test_get_trains_names_and_types(tmp_path: Path) -> None:
    found = load("x", folder(tmp_path, FILES | {"test.csv": b"ID,X ,na-me\n4,1.5,c\n5,,a\n"}))
    assert found.test.columns.tolist() == ["id", "x", "name"] or found.test.columns.tolist() == ["ID", "x", "name"]
    assert found.test["x"].dtype == found.train["x"].dtype
    assert "kpipe reads" in found.source.notes[0]


def test_labels_in_a_separate_file_are_joined_by_id_in_any_order(tmp_path: Path) -> None:
    files = {
        "train_features.csv": b"id,x,name\n1,0.5,a\n2,,b\n3,2.5,a\n",
        "test_features.csv": TEST,
        "train_targets.csv": b"id,y\n3,0\n2,1\n1,0\n9,5\n",
        "sample_submission.csv": FILES["sample_submission.csv"],
    }
    found = load("x", folder(tmp_path, files))
    assert found.train["y"].tolist() == [0, 1, 0]
    assert any("train_targets.csv is joined to train_features.csv by id: y" in note for note in found.source.notes)
    found = load("x", folder(tmp_path, files | {"train_targets.csv": b"y\n7\n8\n9\n"}))
    assert found.train["y"].tolist() == [7, 8, 9]
    assert any("row by row, since the files share no column" in note for note in found.source.notes)
    with pytest.raises(DataError, match=r"share no column whose values identify rows"):
        load("x", folder(tmp_path, files | {"train_targets.csv": b"y\n7\n8\n"}))


def test_ids_of_labels_are_matched_as_numbers_and_the_file_may_be_called_labels(tmp_path: Path) -> None:
    labels = b"id,y\n3.0,0\n2.0,1\n1.0,0\n"
    files = {"train.csv": b"id,x,name\n1,0.5,a\n2,,b\n3,2.5,a\n", "test.csv": TEST, "labels.csv": labels}
    sample = {"sample_submission.csv": FILES["sample_submission.csv"]}
    assert load("x", folder(tmp_path, files | sample)).train["y"].tolist() == [0, 1, 0]


@pytest.mark.parametrize("gap", [b"", b" ", b"NA"])
def test_one_table_is_train_where_the_target_is_known_and_test_where_it_is_not(gap: bytes, tmp_path: Path) -> None:
    table = b"id,x,y\n1,0.5,0\n2,,1\n3,2.5,0\n4,1.5,%s\n5,,%s\n" % (gap, gap)
    place = folder(tmp_path, {"data.csv": table})
    for data in (place, place / "data.csv"):
        found = load("x", data)
        assert (found.train["y"].tolist(), found.test["id"].tolist()) == ([0, 1, 0], [4, 5])
        assert "y" not in found.test
        assert found.sample.columns.tolist() == ["id", "y"]
        assert "its 3 rows with a y are train, its 2 rows without one are test" in " ".join(found.source.notes)


def test_one_table_without_a_certain_target_is_refused_with_each_way_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"it is unclear which rows to predict.*--target.*--train and --test"):
        load("x", folder(tmp_path, {"data.csv": b"id,x,y\n1,,0\n2,3,\n3,,1\n"}))
    with pytest.raises(DataError, match=r"its target 'y' is missing in no row.*--test.*--target"):
        load("x", folder(tmp_path, {"data.csv": TRAIN}), choice=FileChoice(targets=("y",)))


def test_without_a_sample_one_is_made_and_a_note_says_so(tmp_path: Path) -> None:
    found = load("x", folder(tmp_path, without("sample_submission.csv")))
    assert found.sample.to_dict("list") == {"id": [4, 5], "y": [0, 0]}
    assert "There is no sample submission: kpipe makes one from the ids (id) of test.csv and y" in found.source.notes[0]
    assert "sample_submission.csv" not in found.source.files
    rows = {"train.csv": b"x,y\n0.5,0\n0.5,1\n", "test.csv": b"x\n0.1\n0.1\n"}
    assert load("x", folder(tmp_path / "rows", rows)).sample.to_dict("list") == {"id": [0, 1], "y": [0, 0]}


def test_a_made_sample_is_utf_8_whatever_the_encoding_of_test(tmp_path: Path) -> None:
    files = {name: text.decode().encode("utf-16") for name, text in without("sample_submission.csv").items()}
    assert load("x", folder(tmp_path, files)).source.encoding == "utf-8"


def test_without_a_sample_the_target_must_be_certain_or_named(tmp_path: Path) -> None:
    files = {"train.csv": b"id,x,y,z\n1,0.5,0,1\n2,,1,2\n", "test.csv": b"id,x\n4,1.5\n"}
    with pytest.raises(DataError, match=r"several columns that test lacks \(y, z\)\. Name the target with --target"):
        load("x", folder(tmp_path, files))
    assert load("x", tmp_path, choice=FileChoice(targets=("z",))).sample.columns.tolist() == ["id", "z"]


def test_a_further_training_file_is_offered_and_read_only_on_request(tmp_path: Path) -> None:
    place = folder(tmp_path, FILES | {"training_extra.csv": b"id,x,name,y\n1,9,z,1\n1,8,z,0\n", "other.csv": b"a\n1\n"})
    found = load("x", place)
    assert len(found.train) == 3
    assert [note for note in found.source.notes if "--extra training_extra.csv" in note]
    found = load("x", place, choice=FileChoice(extra=("training_extra.csv",)))
    assert (found.train["x"].tolist()[3:], found.extra) == ([9.0, 8.0], 2)
    assert any("2 rows are used for training in every fold, and never for" in note for note in found.source.notes)
    assert load("x", place, choice=FileChoice(extra=("training_extra.csv",))).extra == 2  # from the cache
    with pytest.raises(UsageError, match=r"--extra other\.csv: it lacks id, x, name, y, columns of train\.csv"):
        load("x", place, choice=FileChoice(extra=("other.csv",)))


def test_umlauts_may_be_written_as_two_letters() -> None:
    assert match_names(["groesse_cm", "x"], ["Größe (cm)", "x", "y"]) == {"groesse_cm": "Größe (cm)"}


def test_a_test_file_without_a_header_gets_trains_names(tmp_path: Path) -> None:
    train = b"id,x,n,y\n1,0.5,4,0\n2,,3,1\n3,2.5,4,0\n"
    found = load("x", folder(tmp_path, FILES | {"train.csv": train, "test.csv": b"4,1.5,1\n5,,7\n"}))
    assert found.test.columns.tolist() == ["id", "x", "n"]
    assert found.test["id"].tolist() == [4, 5]
    assert any("test.csv has no header: its first line is read as a row" in note for note in found.source.notes)


def test_a_question_mark_is_no_target_in_the_rows_to_predict(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n * 7 % 5},{'?' if n > 6 else n % 2}\n" for n in range(1, 10))
    found = load("x", folder(tmp_path, {"data.csv": f"id,x,y\n{rows}".encode()}))
    assert (len(found.train), len(found.test)) == (6, 3)
    assert found.train["y"].tolist() == [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(("ids", "joined"), [((1, 1, 2), True), ((2, 1, 1), False)])
def test_labels_of_repeated_ids_are_joined_row_by_row_only_if_both_files_have_the_same_ids_in_each_row(
    ids: tuple[int, ...], joined: bool, tmp_path: Path
) -> None:
    files = {
        "train.csv": b"id,x\n1,5\n1,6\n2,7\n",
        "labels.csv": ("id,y\n" + "".join(f"{id},{y}\n" for id, y in zip(ids, (0, 1, 1), strict=True))).encode(),
        "test.csv": b"id,x\n4,5\n5,6\n",
        "sample_submission.csv": FILES["sample_submission.csv"],
    }
    if joined:
        with pytest.raises(DataError, match=r"the id column 'id' must not repeat"):  # the labels were joined
            load("x", folder(tmp_path, files))
    else:
        with pytest.raises(DataError, match=r"labels\.csv .* whose values identify rows \(values of id repeat\)"):
            load("x", folder(tmp_path, files))
