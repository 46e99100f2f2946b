"""Categories that stand for one another in test, or have other names there, are found; shifted tables pass."""

from __future__ import annotations

import numpy as np
import pytest

from kpipe.checks.exchanged_categories import exchanged_categories
from kpipe.checks.odd_values import values_in_range
from tests.checks.prepared_tables import make_prepared
from tests.plants import Prepared


def classes(*, of: dict[str, str] | None = None, drift: float = 0.0) -> Prepared:
    """A category that other columns tell; in test its names stand for others."""
    rng, given = np.random.default_rng(0), make_prepared(n=900, m=600)
    columns = []
    for frame, add in ((given.tables.train, 0.0), (given.tables.test, drift)):
        score = frame["x1"].to_numpy() + add + rng.normal(size=len(frame))
        columns.append(np.where(score > 11.5, "first", np.where(score > 9.0, "second", "third")).astype(object))
    test = columns[1] if of is None else np.array([of[name] for name in columns[1]], dtype=object)
    return given.with_column("level", columns[0], test)


def found(given: Prepared) -> list[tuple[str, str]]:
    return list(exchanged_categories(given.problem, given.folds))


def test_categories_that_are_exchanged_in_test_fail_and_say_which() -> None:
    [(status, text)] = found(classes(of={"first": "third", "third": "first", "second": "second"}))
    assert status == "fail"
    assert text.startswith("level has categories whose names mean something else in test")
    assert "'first' there has the rows of 'third'" in text
    assert "'second'" not in text


@pytest.mark.parametrize("drift", [0.0, 0.7])
def test_the_same_categories_pass_even_if_test_has_drifted(drift: float) -> None:
    assert found(classes(drift=drift)) == []


def test_yes_and_no_that_are_exchanged_fail() -> None:
    given = make_prepared(n=900, m=600)
    flags = [(frame["x1"] > 11).astype(int).to_numpy() for frame in (given.tables.train, given.tables.test)]
    assert [status for status, _ in found(given.with_column("flag", flags[0], 1 - flags[1]))] == ["fail"]
    assert found(given.with_column("flag", flags[0], flags[1])) == []


def values(given: Prepared) -> tuple[str, str]:
    [result] = values_in_range(given.problem, given.folds)
    return result


def test_categories_under_other_names_fail_if_they_are_as_frequent() -> None:
    rng, given = np.random.default_rng(0), make_prepared(n=900, m=600)
    train, test = (rng.choice(np.array(["F", "M"], dtype=object), n, p=[0.8, 0.2]) for n in (900, 600))
    words = np.where(test == "F", "female", "male").astype(object)
    status, text = values(given.with_column("sex", train, words))
    assert status == "fail"
    assert "{'female': 'F', 'male': 'M'}" in text
    assert values(given.with_column("sex", train, test))[0] == "pass"


def test_other_countries_are_no_other_names() -> None:
    rng, given = np.random.default_rng(0), make_prepared(n=900, m=600)
    train, test = rng.choice(list("abcd"), 900).astype(object), rng.choice(list("wxyz"), 600).astype(object)
    assert values(given.with_column("country", train, test))[0] != "fail"


def test_codes_that_are_numbered_from_another_number_fail() -> None:
    rng, given = np.random.default_rng(0), make_prepared(n=900, m=600)
    train, test = (rng.choice([0, 1, 2], n, p=[0.6, 0.3, 0.1]) for n in (900, 600))
    status, text = values(given.with_column("grade", train, test + 1))
    assert status == "fail"
    assert "grade is 1 to 3 in test, but 0 to 2 in train" in text
    assert values(given.with_column("grade", train, test))[0] == "pass"
