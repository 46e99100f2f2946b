from __future__ import annotations

import pandas as pd
import pytest

from kpipe.errors import DataError
from kpipe.submission import rehearse
from kpipe.training.folds import make_folds
from tests.cases import problem_of_case

RUNNABLE = {
    "08": "'None' is a category (188 rows",
    "11b": "{Store}_{Dept}_{Date}",
    "12": "{Id}.0",
    "15": "25 of 600 rows of train.csv are left out",
    "16": "in which it is known, of 500: Tg 335, FFV ",
    "52": "5 of the 200 ids",
}


@pytest.mark.parametrize("number", RUNNABLE)
def test_the_rows_of_a_case_are_brought_together_and_a_note_says_how(number: str) -> None:
    problem = problem_of_case(number)
    assert any(RUNNABLE[number] in note for note in problem.tables.source.notes)
    rehearse(problem, make_folds(problem))


def test_the_target_is_the_column_that_test_leaves_empty() -> None:
    problem = problem_of_case("32b")
    assert (problem.id, problem.targets) == ("Id", ("SeriousDlqin2yrs",))
    assert not any(pd.api.types.is_string_dtype(problem.X[name]) for name in problem.columns)


@pytest.mark.parametrize(("number", "written"), [("10", [0, 1]), ("37", ["<=50K", ">50K"]), ("44", [1, 2, 3, 4, 5])])
def test_labels_are_those_of_the_sample_submission(number: str, written: list[object]) -> None:
    problem = problem_of_case(number)
    rehearse(problem, make_folds(problem))
    assert problem.labels_in(problem.submission_columns[0]).tolist() == written


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("43", "must not repeat a value; got 600 twice.*--id.*--metric map@K"),
        ("55", "'colour' holds labels such as 'red'.*one target at a time: --target colour"),
    ],
)
def test_a_refusal_names_each_way_on(number: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        problem_of_case(number)


@pytest.mark.parametrize(("number", "target", "kept"), [("16", "Tg", "FFV, Rg"), ("55", "colour", "shape")])
def test_one_of_several_targets_runs_and_leaves_the_other_columns(number: str, target: str, kept: str) -> None:
    problem = problem_of_case(number, target=target)
    rehearse(problem, make_folds(problem))
    assert problem.submission_columns == (target,)
    assert any(f"keeps {kept} from the sample submission" in note for note in problem.tables.source.notes)
