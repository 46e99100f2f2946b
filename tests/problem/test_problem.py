"""A problem: a competition with every field determined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kpipe.errors import DataError
from tests.tables import problem_of, survivors


def test_a_text_target_of_a_regression_is_refused_with_an_example() -> None:
    made = survivors()
    made.train["survived"] = np.where(made.train["survived"] == 1, "yes", "no")
    with pytest.raises(DataError, match=r"'survived' of a regression must hold numbers; got '(yes|no)'"):
        problem_of(made, metric="rmse")


def test_labels_that_differ_by_case_or_blanks_alone_are_one_and_named_unless_they_are_asked_for() -> None:
    given = survivors()
    words = given.train["survived"].map({0: "no", 1: "yes"})
    train = given.train.assign(survived=[word.upper() if row % 9 == 0 else word for row, word in enumerate(words)])
    given = replace(given, train=train, sample=given.sample.assign(survived="no"))
    problem = problem_of(given)
    assert problem.labels is not None
    assert problem.labels.tolist() == ["no", "yes"]
    assert any("labels that mean the same: 'NO' as 'no'" in note for note in problem.tables.source.notes)
    apart = problem_of(given, text=("survived",))
    assert apart.labels is not None
    assert len(apart.labels) == 4
    plain = problem_of(replace(given, train=given.train.assign(survived=words)))
    assert not any("mean the same" in note for note in plain.tables.source.notes)


def test_true_beside_one_is_one_label() -> None:
    given = survivors()
    words = [("True" if row % 9 == 0 else "1") if one else "0" for row, one in enumerate(given.train["survived"])]
    problem = problem_of(replace(given, train=given.train.assign(survived=pd.Series(words, dtype="str"))))
    assert any("'True' as '1'" in note for note in problem.tables.source.notes)


def test_a_test_set_of_one_row_is_reported_as_a_stub() -> None:
    given = survivors()
    one = problem_of(replace(given, test=given.test.head(1), sample=given.sample.head(1)))
    assert any("test.csv has 1 row beside 80" in note and "kpipe kernel" in note for note in one.tables.source.notes)
    assert not any("stub" in note for note in problem_of(given).tables.source.notes)


def test_missing_groups_of_test_rows_are_a_group_that_can_be_counted_beside_the_others() -> None:
    given = survivors()
    given.train["team"] = [f"t{row // 4}" for row in range(80)]
    given.test["team"] = pd.Series([None, *(f"u{row // 4}" for row in range(29))], dtype="str")
    problem = problem_of(given, groups="team", columns=("x", "sex"))
    assert problem.test_blocks is not None
    groups, sizes = np.unique(problem.test_blocks, return_counts=True)
    assert dict(zip(groups, sizes, strict=True))["(missing)"] == 1
    assert len(groups) == 9
