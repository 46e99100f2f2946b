from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tests.tables import problem_of, survivors


@pytest.mark.parametrize("side", ["train", "test"])
def test_blanks_around_the_values_of_one_file_make_no_other_categories(side: str) -> None:
    given = survivors()
    getattr(given, side)["sex"] = " " + getattr(given, side)["sex"]
    problem = problem_of(given)
    assert set(problem.X["sex"]) == set(problem.X_test["sex"]) == {"male", "female"}
    assert "sex" in problem.tables.source.notes[0]


WRITINGS: dict[str, tuple[list[str], Callable[[str], str]]] = {
    "another case": (["North", "South", "East"], str.lower),
    "another blank": (["New York", "Los Angeles", "San Diego"], lambda city: city.replace(" ", "\xa0")),
    "full width": (["A1", "B2", "C3"], lambda code: "".join(chr(ord(sign) + 0xFEE0) for sign in code)),
    "with a fraction": (["1", "2", "X"], lambda code: code if code == "X" else f"{code}.0"),
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_categories_that_test_writes_in_another_way_are_read_as_those_of_train(writing: str) -> None:
    levels, write = WRITINGS[writing]
    given = survivors()
    given.train["place"] = np.resize(levels, len(given.train))
    given.test["place"] = [write(level) for level in np.resize(levels, len(given.test))]
    problem = problem_of(given)
    assert problem.X_test["place"].tolist() == np.resize(levels, len(given.test)).tolist()
    (note,) = problem.tables.source.notes
    assert note.startswith("'place': test.csv spells ")


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (["a", "A", "b", "B"], ["a", "b", "B", "A"]),  # train has both: each is a category
        (["a", "A", "b", "c"], [" A", "x", "y", "z"]),
        (["a", "b", "c", "d"], ["a", "b", "c", "D"]),  # one value of many is no other way of writing
    ],
)
def test_categories_that_may_differ_in_meaning_stay_as_they_are(train: list[str], test: list[str]) -> None:
    given = survivors()
    given.train["place"] = np.resize(train, len(given.train))
    given.test["place"] = np.resize(test, len(given.test))
    pd.testing.assert_series_equal(problem_of(given).X_test["place"], given.test["place"])
