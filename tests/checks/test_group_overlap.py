"""The check that folds share groups as train and test do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from tests.checks.prepared_tables import alarms, make_prepared, status
from tests.checks.results import check_results
from tests.plants import Prepared
from tests.tables import problem_of, survivors


def test_folds_warn_if_they_share_tickets_that_test_does_not_share() -> None:
    made = survivors(n=200)
    train = made.train.assign(ticket=[f"t{number // 2}" for number in range(200)])
    test = made.test.assign(ticket=[f"new{number}" for number in range(30)])
    shared = replace(made, train=train, test=test)
    status, detail = check_results(shared, problem=problem_of(shared, columns=("x", "sex")))[
        "group overlap matches test"
    ]
    assert status == "warn"
    assert "the value of ticket also occurs" in detail
    assert "for test rows it is 0%" in detail


def test_folds_by_group_raise_no_alarm_if_test_has_other_groups() -> None:
    given = make_prepared()
    n, m = len(given.tables.train), len(given.tables.test)
    visits = given.with_column("patient", np.arange(n) // 3, n + np.arange(m) // 3, seen=False)
    problem = replace(visits.problem, groups="patient", splitter=GroupKFold(5))
    assert alarms(Prepared.of(problem)) == []


def test_folds_by_group_warn_if_test_has_the_same_groups() -> None:
    given = make_prepared()
    n = len(given.tables.train)
    rng = np.random.default_rng(0)
    tickets = given.with_column("ticket", np.arange(n) // 3, rng.integers(0, n // 3, 400), seen=False)
    check = Prepared.of(replace(tickets.problem, groups="ticket", splitter=GroupKFold(5)))
    said = check.check("group overlap matches test")
    assert said is not None
    assert "For 0% of validation rows the value of ticket" in said.detail
    assert "too pessimistic" in said.detail


def test_a_person_inside_a_code_and_texts_in_other_words_are_groups() -> None:
    given = make_prepared(n=800, m=600)
    rng = np.random.default_rng(0)
    person = np.concatenate([rng.permutation(800) // 4, 1000 + rng.permutation(600) // 4])
    visit = np.array([f"v{rng.integers(10_000)}-p{number}-{rng.integers(99)}" for number in person], dtype=object)
    other = np.array([f"v{rng.integers(10_000)}-p{rng.integers(300)}-{rng.integers(99)}" for _ in person], dtype=object)
    words = [[f"{letter}{n}" for letter in "abcdefg"] for n in range(2000)]
    spelled = np.array([" ".join(rng.permutation(words[n])).title() for n in person], dtype=object)
    for values, said in ((visit, "the middle part of code"), (spelled, "code, ignoring case and word order")):
        check = given.with_column("code", values[:800], values[800:]).check("group overlap matches test")
        assert check is not None
        assert check.status in ("warn", "fail")
        assert said in check.detail
        assert "extract it into a column in clean" in check.detail
    assert status(given.with_column("code", other[:800], other[800:]), "group overlap matches test") == "pass"


def test_a_household_that_a_phone_number_names_but_for_its_extension_is_found() -> None:
    given = make_prepared(n=800, m=600)
    rng = np.random.default_rng(0)
    household = np.concatenate([rng.permutation(800) // 4, 1000 + rng.permutation(600) // 4])
    phone = np.array([f"+49 {20 + n // 50} {1000 + n % 50}-{rng.integers(99):02d}" for n in household], dtype=object)
    check = given.with_column("phone", phone[:800], phone[800:]).check("group overlap matches test")
    assert check is not None
    assert check.status in ("warn", "fail")
    assert "the beginning of phone" in check.detail


def test_seconds_since_1970_are_times_whatever_their_name() -> None:
    given = make_prepared(n=800)
    seconds = 1_400_000_000 + np.sort(np.random.default_rng(0).integers(0, 10**7, 1200))
    for factor in (1, 1000):
        stamped = given.with_column("stamp", factor * seconds[:800], factor * seconds[800:])
        check = stamped.check("validation after training")
        assert check is not None
        assert check.status == "warn"
        assert "By stamp, test comes after train" in check.detail


def test_groups_that_two_columns_name_together_are_found() -> None:
    given = make_prepared()
    n, m = len(given.tables.train), len(given.tables.test)
    rng = np.random.default_rng(0)
    household = np.concatenate([np.arange(n) // 3, n + np.arange(m) // 3])
    street, number = rng.permutation(household.max() + 1) % 40, rng.permutation(household.max() + 1) // 40
    known = given.with_column("street", street[household[:n]], street[household[n:]])
    known = known.with_column("house", number[household[:n]], number[household[n:]])
    check = known.check("group overlap matches test")
    assert check is not None
    assert check.status in ("warn", "fail")
    assert "together" in check.detail


def test_a_person_within_a_code_without_separators_is_found() -> None:
    given = make_prepared()
    n, m = len(given.tables.train), len(given.tables.test)
    rng = np.random.default_rng(0)
    codes = [
        np.array(
            [
                f"{rng.choice(list('XYZ'))}{start + row // 4:05d}{rng.choice(list('abc'))}{row % 7}"
                for row in range(rows)
            ]
        )
        for start, rows in ((1, n), (5000, m))
    ]
    check = given.with_column("probe", *codes).check("group overlap matches test")
    assert check is not None
    assert check.status == "fail"
    assert "the number of probe" in check.detail


def test_numbers_beyond_the_integers_name_no_group() -> None:
    rng, given = np.random.default_rng(0), make_prepared(n=800, m=600)
    train, test = (np.where(rng.random(n) < 0.1, 1e200, rng.normal(size=n)) for n in (800, 600))
    assert status(given.with_column("energy", train, test), "group overlap matches test") == "pass"


@pytest.mark.parametrize("code", [lambda who, visit: who + visit / 100, lambda who, visit: who * 100 + visit])
def test_a_person_in_the_whole_part_of_a_number_is_found(code: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    rng, given = np.random.default_rng(0), make_prepared(n=800, m=600)
    people = rng.permutation(9_000)[:400] + 1_000
    train, test = (
        code(rng.choice(of, n), rng.integers(1, 99, n)) for of, n in ((people[:200], 800), (people[200:], 600))
    )
    check = given.with_column("visit", train, test).check("group overlap matches test")
    assert check is not None
    assert check.status == "fail"
    assert "the value of visit without its" in check.detail
    assert "extract it into a column in clean" in check.detail
    shared = code(rng.choice(people[:200], 600), rng.integers(1, 99, 600))
    assert status(given.with_column("visit", train, shared), "group overlap matches test") == "pass"


def test_rows_that_lie_close_together_on_a_map_are_a_group() -> None:
    rng, given = np.random.default_rng(0), make_prepared(n=900, m=600)
    places = rng.uniform(47, 54, (500, 2))
    near, other = np.repeat(np.arange(300), 3), 300 + np.repeat(np.arange(200), 3)
    for of_test, expected in ((other, "fail"), (rng.choice(near, 600), "pass")):
        train, test = (places[of] + rng.normal(0, 1e-4, (len(of), 2)) for of in (near, of_test))
        mapped = given.with_column("north", train[:, 0], test[:, 0]).with_column("east", train[:, 1], test[:, 1])
        check = mapped.check("group overlap matches test")
        assert check is not None
        assert check.status == expected, check.detail
        assert expected == "pass" or "north and east, rounded," in check.detail
