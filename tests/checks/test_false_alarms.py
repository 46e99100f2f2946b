"""Honest tables that look suspicious at first sight cause no warning, or one with the right words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold

from kpipe.checks.target_in_groups import target_in_groups
from kpipe.checks.target_leakage import find_leaks
from tests.checks.prepared_tables import from_frame, make_prepared, status
from tests.plants import Prepared


def hours(days: list[int], seed: int = 0) -> pd.DataFrame:
    """A year and a half of hours, of which some days of each month are kept; the weather repeats for hours."""
    rng = np.random.default_rng(seed)
    when = pd.date_range("2011-01-01", "2012-06-30 23:00", freq="h")
    weather = np.repeat(rng.integers(0, 3, len(when) // 6 + 1), 6)[: len(when)]
    warm = np.repeat(np.round(rng.normal(15, 8, len(when) // 6 + 1)), 6)[: len(when)]
    frame = pd.DataFrame({"datetime": when.strftime("%Y-%m-%d %H:%M:%S"), "weather": weather, "warm": warm})
    rides = 50 + 20 * np.sin(when.hour / 4) + warm + 0.01 * np.arange(len(when)) + rng.normal(0, 5, len(when))
    return frame.assign(id=np.arange(len(when)), y=rides)[when.day.isin(days)].reset_index(drop=True)


def test_repeats_of_hourly_data_are_natural_and_its_dates_are_not_dropped() -> None:
    given = from_frame(hours(list(range(1, 20))), len(hours(list(range(1, 20)))), hours(list(range(20, 32))))
    checks = given.checks()
    assert {checks[name].status for name in ("duplicates across folds", "near-duplicates across folds")} == {"pass"}
    assert "--drop" not in checks["row-order leakage"].detail
    assert "fail" not in {check.status for check in checks.values()}


def test_the_order_of_rows_may_tell_where_test_lies_between_them() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.arange(1500), "x": rng.normal(size=1500)})
    frame["y"] = 5 * np.sin(frame["id"] / 200) + frame["x"]
    tested = rng.random(1500) < 0.3
    between = from_frame(frame[~tested].reset_index(drop=True), int((~tested).sum()), frame[tested])
    assert status(between, "row-order leakage") == "pass"
    assert status(from_frame(frame, 1000), "row-order leakage") == "warn"


def test_names_that_validation_rows_do_not_know_either_are_no_unseen_categories() -> None:
    rng = np.random.default_rng(0)
    given = make_prepared()
    tickets = [f"T{number}" for number in rng.integers(0, 500, 1000)]
    assert status(
        given.with_column("ticket", np.array(tickets[:600]), np.array(tickets[600:])), "unseen categories"
    ) == ("pass")
    towns = np.array(["a", "b"] * 500)
    other = given.with_column("place", towns[:600], np.char.upper(towns[600:])).check("unseen categories")
    assert other is not None
    assert other.status == "warn"
    assert "convert it in clean" in other.detail


def test_dates_that_continue_do_not_make_test_unlike_train() -> None:
    given = make_prepared(n=800)
    days = (pd.Timestamp(2020, 1, 1) + pd.to_timedelta(np.arange(1200) // 2, unit="D")).strftime("%Y-%m-%d").to_numpy()
    assert status(given.with_column("day", days[:800], days[800:]), "adversarial validation") == "pass"


def test_only_columns_that_tell_test_from_train_are_named() -> None:
    given = make_prepared(n=1200, m=800)
    shifted = replace(given.tables, test=given.tables.test.assign(x3=given.tables.test["x3"] + 4))
    check = replace(given, problem=given.problem.with_tables(shifted)).check("adversarial validation")
    assert check is not None
    assert check.status == "warn"
    assert "What differs most: x3. " in check.detail


def moved(given: Prepared, by: float) -> Prepared:
    test = given.tables.test
    shifted = test.assign(**{name: test[name] + by * test[name].std() for name in given.numbers})
    return replace(given, problem=given.problem.with_tables(replace(given.tables, test=shifted)))


def test_a_test_that_lies_elsewhere_has_no_shifted_columns_and_train_no_near_duplicates() -> None:
    rng = np.random.default_rng(0)
    skill = rng.normal(size=1600)
    frame = pd.DataFrame({f"rating{n}": np.round(3 + skill + rng.normal(0.1 * n, 1, 1600)) for n in range(12)})
    frame = frame.assign(id=np.arange(1600), y=(skill + rng.normal(size=1600) > 0).astype(int))
    for by in (0.1, 0.3, 0.6):
        for given in (make_prepared(n=900, m=600), from_frame(frame, 1000)):
            checks = moved(given, by).checks()
            names = ("column alignment", "near-duplicates across folds", "duplicates across folds")
            assert [
                check.detail for name in names if (check := checks.get(name)) and check.status in ("warn", "fail")
            ] == []


def test_values_that_one_file_rounds_are_no_near_duplicates() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(10, 1, (2000, 2))
    frame = pd.DataFrame(values, columns=["a", "b"]).assign(id=np.arange(2000), y=values[:, 0] + rng.normal(size=2000))
    train, test = frame.head(1200).round({"a": 1, "b": 1}), frame.tail(800)
    assert status(from_frame(train, 1200, test), "near-duplicates across folds") == "pass"
    assert status(from_frame(frame.head(1200), 1200, test.round({"a": 1, "b": 1})), "near-duplicates across folds") == (
        "pass"
    )


def test_rows_in_which_column_and_target_are_capped_are_no_leak() -> None:
    rng = np.random.default_rng(0)
    price = np.minimum(np.exp(rng.normal(12, 0.6, 2000)).round(-2), 500_001)
    age = np.minimum(rng.gamma(4, 10, 2000).round(), 52)
    rooms = np.where(price == 500_001, 500_001.0, rng.normal(5, 1, 2000).round(2))
    capped = price == 500_001
    rooms[capped] = np.where(rng.random(capped.sum()) < 0.4, 500_001.0, 7.0)
    X = pd.DataFrame({"age": age, "rooms": rooms})
    assert list(find_leaks(X, pd.Series(price, name="price"), classification=False)) == []


def test_groups_that_only_folds_share_are_a_failure() -> None:
    given = make_prepared(n=800, m=600)
    customers = np.random.default_rng(0).permutation(1400)
    made = given.with_column("customer", customers[:800] // 5, 10_000 + customers[800:] // 5, seen=False)
    check = made.check("group overlap matches test")
    assert check is not None
    assert check.status == "fail"
    assert "--split customer" in check.detail


def sales(last: int, since: int = 2017) -> pd.DataFrame:
    """Sixty sales of each day, with the parts of its date, to the end of a year."""
    when = pd.Series(pd.date_range(f"{since}-01-01", f"{last}-12-31").repeat(60))
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.arange(len(when)), "date": when.dt.strftime("%Y-%m-%d")})
    frame = frame.assign(year=when.dt.year, day=when.dt.day_of_year, week=(when.dt.day_of_year - 1) // 7 + 1)
    return frame.assign(y=np.exp(np.sin(frame["day"] / 58) + rng.normal(scale=0.1, size=len(when))))


def test_the_day_that_a_leap_year_has_more_is_in_no_other_unit() -> None:
    given = from_frame(sales(2019), len(sales(2019)), sales(2020, since=2020))
    check = given.check("values in range")
    assert check is not None
    assert check.status == "pass"


def test_a_fold_without_a_value_that_is_sampled_says_nothing_about_groups() -> None:
    frame = sales(2019)
    frame = frame[(frame["year"] < 2019) | (frame["day"] == 1)].reset_index(drop=True)
    given = from_frame(frame, len(frame), sales(2020, since=2020), groups="year", splitter=GroupKFold(3))
    check = given.check("group overlap matches test")
    assert check is not None
    assert check.status == "pass"


@pytest.mark.filterwarnings("error")
def test_groups_of_one_row_have_no_neighbours() -> None:
    given = make_prepared(n=400, m=100)
    rare = np.random.default_rng(0).permutation(500).astype(str)
    frame = pd.concat([given.tables.train, given.tables.test], ignore_index=True).assign(g=rare)
    alone = from_frame(frame, 400, groups="g")
    assert list(target_in_groups(alone.problem, alone.folds)) == []


def test_a_test_table_of_placeholders_does_not_continue_train() -> None:
    given = make_prepared().problem.tables
    numbers = [f"x{number}" for number in range(5)]
    train = given.train.assign(x0=np.exp(given.train["x0"] / 9), x1=np.exp(given.train["x1"] / 9)).drop(columns="id")
    train["id"] = [f"a{number * 7919 % 6007:04}" for number in range(len(train))]
    stub = given.test.head(5).assign(**dict.fromkeys(numbers, 0.0), id=["b1", "b2", "b3", "b4", "b5"])
    assert status(from_frame(train, len(train), stub), "row-order leakage") == "pass"


def test_the_level_of_each_series_is_known_in_later_rows() -> None:
    rng = np.random.default_rng(0)
    months = pd.date_range("2020-01-01", periods=36, freq="MS").strftime("%Y-%m-%d")
    frame = pd.MultiIndex.from_product([months, range(1000, 1050)], names=["month", "county"]).to_frame(index=False)
    level = dict(zip(range(1000, 1050), rng.gamma(3, 1, 50), strict=True))
    frame["y"] = frame["county"].map(level) * (1 + 0.02 * rng.normal(size=len(frame)))
    frame["id"] = np.arange(len(frame))
    assert status(from_frame(frame, 30 * 50), "target leakage") == "pass"
    leak = frame.assign(copy=frame["y"].rank())
    assert status(from_frame(leak, 30 * 50), "target leakage") == "fail"


def test_groups_that_test_has_none_of_train_are_no_difference_between_the_tables() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"sentence_id": np.repeat(np.arange(250), 4), "x": rng.normal(size=1000)})
    frame["id"], frame["y"] = np.arange(1000) + 7 * frame["sentence_id"], (frame["x"] > 0).astype(int)
    test = frame.tail(360).assign(sentence_id=lambda part: part["sentence_id"] + 8000)
    given = from_frame(frame, 640, test)
    assert given.problem.groups == "sentence_id"
    check = given.check("adversarial validation")
    assert check is None or check.status == "pass"
