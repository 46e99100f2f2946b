"""The check for duplicates across folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.checks.prepared_tables import from_frame, make_prepared, status
from tests.checks.results import check_results
from tests.plants import Prepared
from tests.tables import problem_of, survivors, tables


def test_duplicates_on_both_sides_of_a_fold_fail() -> None:
    made = survivors()
    train = pd.concat([made.train, made.train.assign(id=made.train["id"] + 1000)], ignore_index=True)
    status, detail = check_results(replace(made, train=train))["duplicates across folds"]
    assert status == "fail"
    assert "of validation rows also occur, identically" in detail


def test_duplicates_that_are_as_frequent_in_test_pass() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 3, (1500, 4)), columns=list("abcd")).assign(id=np.arange(1500))
    frame["y"] = rng.integers(0, 2, 1500)
    test = frame.tail(500).drop(columns="y").reset_index(drop=True)
    given = tables(frame.head(1000), test, test[["id"]].assign(y=0))
    check = Prepared.of(problem_of(given)).check("duplicates across folds")
    assert check is not None
    assert check.status == "pass"


@pytest.mark.parametrize("origin", [(2023, 2024), ("north", "south")])
def test_rows_of_a_few_binary_columns_pass_if_test_is_of_another_year(
    origin: tuple[object, object],
) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (1300, 4)), columns=list("abcd")).assign(id=np.arange(1300))
    frame = frame.assign(y=frame["a"] + rng.normal(size=1300), origin=np.where(np.arange(1300) < 1000, *origin))
    check = from_frame(frame, 1000).check("duplicates across folds")
    assert check is not None
    assert check.status == "pass"
    assert "except the id, the target and origin" in check.detail


@pytest.mark.parametrize("m", [1, 2, 5, 29])
def test_with_a_few_test_rows_duplicates_never_fail(m: int) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (300 + m, 3)), columns=list("abc")).assign(id=np.arange(300 + m))
    frame = frame.assign(y=rng.normal(size=300 + m), k=rng.choice(list("xyz"), 300 + m))
    frame.loc[300:, "k"] = "new"
    assert status(from_frame(frame, 300), "duplicates across folds") == "pass"
    given = make_prepared(m=m)
    twice = pd.concat([given.tables.train.assign(id=lambda rows: rows["id"] + 10_000), given.tables.train])
    again = Prepared.of(given.problem, replace(given.tables, train=twice.reset_index(drop=True)))
    assert status(again, "duplicates across folds") != "fail"


def test_a_duplicate_image_is_found() -> None:
    rng = np.random.default_rng(0)
    pixels = pd.DataFrame(rng.integers(0, 256, (900, 12)).astype(np.uint8)).add_prefix("pixel")
    frame = pixels.assign(label=rng.integers(0, 3, 900))
    train = pd.concat([frame.head(600), frame.head(60)], ignore_index=True)
    test = pixels.tail(300).reset_index(drop=True)
    given = tables(train, test, pd.DataFrame({"ImageId": np.arange(1, 301), "label": 0}))
    assert status(Prepared.of(problem_of(given)), "duplicates across folds") == "fail"


def test_duplicates_are_found_in_a_table_of_two_columns() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.arange(900), "x": rng.normal(size=900), "b": rng.integers(0, 2, 900)})
    frame["y"] = frame["x"] + rng.normal(size=900)
    twice = pd.concat([frame.head(600), frame.head(90).assign(id=10_000 + np.arange(90))], ignore_index=True)
    assert status(from_frame(twice, 690, frame.tail(300)), "duplicates across folds") == "fail"


@pytest.mark.parametrize("seed", range(3))
def test_copies_with_changed_columns_are_found_though_other_rows_repeat_by_nature(seed: int) -> None:
    rng = np.random.default_rng(seed)
    materials = rng.normal(size=(1_500, 9)).round(2)  # half of the rows are of materials that many others are of
    frame = pd.DataFrame(materials[rng.integers(0, 1_500, 6_000)], columns=[f"x{number}" for number in range(9)])
    alone = rng.random(6_000) < 0.5
    frame[alone] = rng.normal(size=(alone.sum(), 9)).round(2)
    frame["x0"] = rng.normal(size=6_000)
    frame = frame.assign(id=np.arange(6_000), y=rng.normal(size=6_000))
    copies = frame.iloc[rng.permutation(4_000)[:1_200]].assign(id=np.arange(6_000, 7_200))
    copies["x0"], copies["x3"] = rng.normal(size=1_200), rng.permutation(copies["x3"])
    assert status(from_frame(frame, 4_000), "duplicates across folds") == "pass"
    both = pd.concat([frame.head(4_000), copies, frame.tail(2_000)], ignore_index=True)
    assert status(from_frame(both, 5_200), "duplicates across folds") in ("warn", "fail")


def letters(n: int, seed: int) -> list[str]:
    words = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in "lmnrst"]
    rng = np.random.default_rng(seed)
    return [f"Dear reader, {' '.join(rng.choice(words, rng.integers(8, 30)))}." for _ in range(n)]


def test_texts_that_were_copied_and_cut_are_found() -> None:
    made = letters(3_000, 0)
    frame = pd.DataFrame({"id": np.arange(3_000), "text": made, "y": np.random.default_rng(1).integers(0, 2, 3_000)})
    assert status(from_frame(frame, 2_000, metric="accuracy"), "duplicates across folds") == "pass"
    copies = frame.head(800).assign(id=np.arange(5_000, 5_800))
    copies["text"] = [" ".join(text.replace(",", "").upper().split()[1:-1]) for text in copies["text"]]
    both = pd.concat([frame.head(2_000), copies, frame.tail(1_000)], ignore_index=True)
    check = from_frame(both, 2_800, metric="accuracy").check("duplicates across folds")
    assert check is not None
    assert check.status == "fail"
    assert "differ only in text" in check.detail


def test_rows_of_train_that_were_copied_into_test_warn() -> None:
    given = make_prepared()
    copied = given.tables.train.sample(120, random_state=0).drop(columns="y")
    test = given.tables.test.copy()
    test.iloc[:120] = copied.assign(id=test["id"].to_numpy()[:120])[list(test)].to_numpy()
    test = test.astype(given.tables.test.dtypes)
    check = Prepared.of(given.problem, replace(given.tables, test=test)).check("duplicates across folds")
    assert check is not None
    assert check.status == "warn"
    assert "30.0% of test rows also occur" in check.detail
    assert "copied into test" in check.detail


def test_a_part_of_test_that_was_written_twice_is_a_warning() -> None:
    given = make_prepared()
    test = given.tables.test.copy()
    test.iloc[200:240] = test.iloc[:40].assign(id=test["id"].to_numpy()[200:240]).to_numpy()
    test = test.astype(given.tables.test.dtypes)
    check = Prepared.of(given.problem, replace(given.tables, test=test)).check("duplicates across folds")
    assert check is not None
    assert check.status == "warn"
    assert "rows 1 and 201 of test" in check.detail
