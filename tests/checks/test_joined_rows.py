"""Columns that belong to other rows are found, in test and in train; honest tables, however they drift, pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kpipe.checks.joined_rows import columns_joined_by_row
from tests.checks.prepared_tables import from_frame
from tests.plants import Prepared
from tests.tables import prepared

N, M = 900, 600


def houses(seed: int = 0, *, sorted_by: str | None = None) -> pd.DataFrame:
    """Areas and garages that go with the size of a house, and a kind that goes with its age."""
    rng = np.random.default_rng(seed)
    size, age = rng.normal(size=N + M), rng.gamma(4, 10, N + M).round()
    frame = pd.DataFrame({"id": np.arange(N + M), "area": (100 + 20 * size).round(1), "age": age})
    frame["garage"] = (30 + 8 * size + 5 * rng.normal(size=N + M)).round()
    frame["heating"] = np.where(age + 8 * rng.normal(size=N + M) > 45, "coal", "gas")
    frame["town"] = rng.choice(["Ulm", "Kiel"], N + M)
    frame["y"] = 1000.0 + 100 * size + 20 * rng.normal(size=N + M)
    if sorted_by is not None:
        train = frame.head(N).sort_values(sorted_by)
        frame = pd.concat([train, frame.tail(M)], ignore_index=True)
    return frame


def found(given: Prepared) -> list[tuple[str, str]]:
    return list(columns_joined_by_row(given.problem, given.folds))


def test_a_column_of_test_that_is_off_by_a_row_fails_and_the_shift_is_named() -> None:
    frame = houses()
    test = frame.tail(M).assign(garage=np.roll(frame["garage"].tail(M), 1))
    [(status, text)] = found(from_frame(frame, N, test))
    assert status == "fail"
    assert "garage" in text
    assert "in 600 rows of test (row 1 to row 600)" in text
    assert "they were joined 1 row apart" in text


def test_a_column_that_is_joined_wrongly_from_some_row_of_train_on_is_found_with_the_rows() -> None:
    frame = houses()
    wrong = frame["heating"].to_numpy().copy()
    wrong[500:N] = np.roll(wrong[500:N], 3)
    [(status, text)] = found(from_frame(frame.assign(heating=wrong), N))
    assert status == "fail"
    assert "age and heating are correlated" in text
    first = int(text.split("of train (row ")[1].split(" ")[0])
    assert abs(first - 501) < 60


def test_values_of_other_rows_without_a_common_shift_are_a_warning() -> None:
    frame = houses()
    test = frame.tail(M).assign(garage=np.random.default_rng(3).permutation(frame["garage"].tail(M)))
    [(status, text)] = found(from_frame(frame, N, test))
    assert status == "warn"
    assert "join tables by id, not by position" in text


def test_a_column_that_a_date_determines_in_train_and_otherwise_in_test_is_a_warning() -> None:
    days = pd.date_range("2018-01-01", periods=N + M)
    frame = houses().assign(day=days.strftime("%Y-%m-%d"), weekday=days.day_of_week)
    assert found(from_frame(frame, N)) == []
    test = frame.tail(M).assign(weekday=lambda rows: (rows["weekday"] + 1) % 7)
    [(status, text)] = found(from_frame(frame, N, test))
    assert status == "warn"
    assert "the weekday of day determines weekday in train, but weekday is another in 600 rows of test" in text


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sorted_by", [None, "area", "age", "heating", "town"])
def test_tables_without_mistakes_pass_in_any_order(seed: int, sorted_by: str | None) -> None:
    assert found(from_frame(houses(seed, sorted_by=sorted_by), N)) == []


def test_a_rare_category_that_test_lacks_breaks_nothing() -> None:
    frame = houses()
    pool = np.where(np.arange(N + M) % 130 == 0, "pool", "none")
    frame = frame.assign(pool=pool, tiles=np.where(pool == "pool", 900.0, frame["garage"]))
    test = frame.tail(M).assign(pool="none")
    assert found(from_frame(frame, N, test)) == []


@pytest.mark.parametrize("slug", ["titanic", "house-prices-advanced-regression-techniques", "spaceship-titanic"])
def test_samples_pass(slug: str) -> None:
    given = Prepared.of(prepared(slug, data="sample"))
    assert found(given) == []
    train = given.tables.train
    halves = replace(
        given.tables, test=train.drop(columns=list(given.problem.targets)).iloc[::2].reset_index(drop=True)
    )
    assert found(replace(given, problem=given.problem.with_tables(halves))) == []
