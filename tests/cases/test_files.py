from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import kpipe
from kpipe.data.loading import hash_files
from kpipe.submission import rehearse
from kpipe.training.folds import make_folds
from tests.cases import case_folder, problem_of_case

READ = {  # case → what a note says, or "" where there is nothing to say
    "19": "train.csv repeats column names; renamed: 'energy()-1,8' to 'energy()-1,8.1'",
    "23": "'TotalCharges' holds numbers except in 2 cells (' '), read as missing. As text: --text TotalCharges",
    "25": "train.csv, line 79: 'Flow Bytes/s' is infinite, here and in 10 more cells",
    "27": "",
    "29": "",
    "30": "",
    "32": "kpipe reads cs-training.csv as train, cs-test.csv as test, sampleEntry.csv as the sample submission",
    "33": "train_labels.csv is joined to train_values.csv by id: qualite",
    "35": "To train on its rows too (without validating on them): --extra training_extra.csv",
    "36": "test.csv spells columns differently from train.csv; kpipe reads 'id-01' as 'id_01', 'id-02' as 'id_02'",
    "39b": "train.csv is read as utf-16",
    "48": "If it is a stub of a hidden test set, submit a kernel",
    "53": "There is no sample submission: kpipe makes one from the ids (id) of test.csv and rating",
    "54": "train.csv: 1 column without a name and without values ignored",
    "63": "",
    "65": "train.csv: cells are separated by semicolons",
}


@pytest.mark.parametrize("number", READ)
def test_a_case_is_read_and_a_note_says_what_was_done(number: str) -> None:
    problem = problem_of_case(number)
    notes = problem.tables.source.notes
    assert any(READ[number] in note for note in notes) if READ[number] else not notes
    assert hash_files("case", problem.tables.source.path).files == problem.tables.source.files
    rehearse(problem, make_folds(problem))


def test_a_table_given_as_the_data_means_the_folder(tmp_path: Path) -> None:
    found = kpipe.load("case", case_folder("63") / "train.csv")
    assert (len(found.train), len(found.test)) == (600, 200)


def test_rows_of_a_further_training_file_are_trained_on_in_every_fold_and_never_validated() -> None:
    problem = problem_of_case("35", extra=["training_extra.csv"])
    folds = make_folds(problem)
    assert (len(problem.tables.train), problem.tables.extra) == (2200, 2000)
    assert all(set(range(200, 2200)) <= set(rows) for rows in folds.train)
    assert sorted(row for rows in folds.valid for row in rows) == list(range(200))


def test_a_run_with_a_further_training_file_scores_the_rows_of_train_alone(tmp_path: Path) -> None:
    place = shutil.copytree(case_folder("35"), tmp_path / "data")
    run = kpipe.run("case-35", data=place, extra=["training_extra.csv"], models=["linear"], jobs=1, out=tmp_path / "o")
    assert run.record["rows"] == 200
    assert run.record["data"]["extra_rows"] == 2000
    assert run.oof["linear"].notna().sum() == 200
    assert any("never for validation" in note for note in run.record["data"]["notes"])


def test_the_submission_is_in_the_encoding_of_the_sample_submission(tmp_path: Path) -> None:
    run = kpipe.run("case-39b", data=case_folder("39b"), models=["linear"], jobs=1, out=tmp_path)
    assert (run.path / "submission.csv").read_bytes().decode("utf-16").startswith("id,계절\n500,")
    assert run.submission.columns.tolist() == ["id", "계절"]
