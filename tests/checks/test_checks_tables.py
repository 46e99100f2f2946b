"""Each mistake of tables and folds is caught and named, in real tables; and clean ones raise no alarm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold

from kpipe.checks.target_leakage import targets_in
from kpipe.problem.splitters import ByTime
from tests.conftest import KaggleZip
from tests.plants import PLANTS, Plant, Prepared
from tests.tables import prepared, problem_of, tables

SLUGS = [
    "titanic",
    "spaceship-titanic",
    "house-prices-advanced-regression-techniques",
    "digit-recognizer",
    "playground-series-s3e2",
    "playground-series-s3e25",
    "playground-series-s3e26",
]
MODULES = SLUGS[:4]


def made(n: int = 600, m: int = 400, seed: int = 0, *, regression: bool = False) -> Prepared:
    """A table of five numbers and two labels, of which some tell the target."""
    rng = np.random.default_rng(seed)
    rows = n + m
    frame = pd.DataFrame({"id": np.arange(rows)})
    for number in range(5):
        frame[f"x{number}"] = rng.normal(10 * number, 1 + number, rows).round(3)
    frame["town"] = rng.choice(["Ulm", "Bonn", "Kiel"], rows)
    frame["guests"] = rng.poisson(3, rows)
    logit = frame["x0"] + 0.5 * (frame["x1"] - 10) + (frame["town"] == "Ulm") + rng.normal(size=rows)
    frame["y"] = np.exp(10 + 0.3 * logit) if regression else (logit > 0.3).astype(int)
    test = frame.tail(m).reset_index(drop=True).drop(columns="y")
    given = tables(frame.head(n), test, test[["id"]].assign(y=0.5 if regression else 0))
    return Prepared.of(problem_of(given))


def alarms(given: Prepared) -> list[tuple[str, str]]:
    return [(check.name, check.detail) for check in given.checks().values() if check.status != "pass"]


def caught(plant: Plant, given: Prepared) -> bool:
    """In one of three draws: two columns that are swapped or changed may be ones that hardly tell."""
    return any(plant.caught(given, seed=seed) for seed in range(3))


def named(plant: object) -> str:
    return plant.make.__name__ if isinstance(plant, Plant) else str(plant)


@pytest.mark.parametrize("plant", PLANTS, ids=named)
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_planted_mistake_is_caught_and_named(plant: Plant, task: str) -> None:
    given = made(regression=task == "regression")
    if plant.fits(given):
        assert plant.caught(given) is not None


@pytest.fixture(scope="module")
def titanic(kaggle_zip: KaggleZip) -> Prepared:
    return Prepared.of(prepared("titanic", data=kaggle_zip("titanic")))


@pytest.mark.parametrize("plant", PLANTS, ids=named)
def test_a_mistake_planted_in_titanic_is_caught_and_named(titanic: Prepared, plant: Plant) -> None:
    if plant.fits(titanic):
        assert caught(plant, titanic)


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS[1:])
def test_a_mistake_planted_in_another_competition_is_caught_and_named(kaggle_zip: KaggleZip, slug: str) -> None:
    given = Prepared.of(prepared(slug, data=kaggle_zip(slug)))
    assert [named(plant) for plant in PLANTS if plant.fits(given) and not caught(plant, given)] == []


@pytest.mark.parametrize("slug", [pytest.param(s, marks=pytest.mark.slow) if s == SLUGS[3] else s for s in SLUGS])
def test_a_clean_competition_raises_no_alarm(kaggle_zip: KaggleZip, slug: str) -> None:
    assert alarms(Prepared.of(prepared(slug, data=kaggle_zip(slug)))) == []


@pytest.mark.parametrize("slug", MODULES)
def test_a_sample_raises_no_alarm(slug: str) -> None:
    assert alarms(Prepared.of(prepared(slug, data="sample"))) == []


@pytest.mark.slow
@pytest.mark.parametrize("slug", [slug for slug in SLUGS if slug != "digit-recognizer"])
def test_another_draw_of_train_and_test_raises_no_alarm(kaggle_zip: KaggleZip, slug: str) -> None:
    problem = prepared(slug, data=kaggle_zip(slug))
    whole = problem.tables
    by = whole.train.index.to_series() if problem.groups is None else whole.train[problem.groups]
    for seed in range(5):
        tested = by.isin(np.random.default_rng(seed).permutation(by.unique())[::4])
        test = whole.train[tested].reset_index(drop=True).drop(columns=list(problem.targets))
        train = whole.train[~tested].reset_index(drop=True)
        assert alarms(Prepared.of(problem, replace(whole, train=train, test=test))) == []


@pytest.mark.parametrize("n", [20, 80, 600])
@pytest.mark.parametrize("regression", [False, True])
def test_clean_tables_raise_no_alarm(n: int, regression: bool) -> None:
    assert alarms(made(n, 30, regression=regression)) == []


@pytest.mark.parametrize("n", [80, 300, 3000])
@pytest.mark.parametrize("steep", [1, 3, 8])
def test_an_honest_feature_may_be_strong(n: int, steep: int) -> None:
    rng = np.random.default_rng(n + steep)
    x = rng.normal(size=n)
    y = pd.Series((rng.random(n) < 1 / (1 + np.exp(-steep * x))).astype(int), name="y")
    X = pd.DataFrame({"x": x, "whole": np.round(3 * x), "label": np.round(2 * x).astype(int).astype(str)})
    assert list(targets_in(X, y, labels=True)) == []


def test_a_rare_class_is_not_a_certain_one() -> None:
    rng = np.random.default_rng(0)
    age = rng.uniform(0, 90, 5000)
    y = pd.Series((rng.random(5000) < np.where(age < 40, 0, 0.08)).astype(int), name="stroke")
    X = pd.DataFrame({"age": age, "young": (age < 40).astype(int), "gap": np.where(age < 30, np.nan, age)})
    assert list(targets_in(X, y, labels=True)) == []


def test_a_target_of_several_columns_is_looked_for_in_each() -> None:
    given = made()
    y = given.y
    train = given.tables.train.assign(z=1 - y, told=np.where(np.arange(len(y)) % 3 == 0, 1.0 - y, np.nan))
    test = given.tables.test.assign(told=np.nan)
    several = tables(train, test, test[["id"]].assign(y=0, z=0))
    check = Prepared.of(problem_of(several)).check("target leakage")
    assert check is not None
    assert check.status == "fail"
    assert "told" in check.detail


def test_time_folds_on_what_comes_later_pass() -> None:
    given = made(n=800)
    days = (pd.Timestamp(2020, 1, 1) + pd.to_timedelta(np.arange(1200) // 2, unit="D")).strftime("%Y-%m-%d").to_numpy()
    dated = given.with_column("day", days[:800], days[800:])
    forward = Prepared.of(replace(dated.problem, splitter=ByTime("day")))
    by_row = Prepared.of(replace(dated.problem, splitter=KFold(5, shuffle=True, random_state=0)))
    said = [prepared.check("validation after training") for prepared in (forward, by_row)]
    assert [check and check.status for check in said] == ["pass", "warn"]
    mirrored = forward.check("group overlap matches test")
    assert mirrored is not None
    assert mirrored.status == "pass"


def test_groups_kept_whole_pass_where_test_has_other_groups() -> None:
    given = made()
    n, m = len(given.tables.train), len(given.tables.test)
    visits = given.with_column("patient", np.arange(n) // 3, n + np.arange(m) // 3, seen=False)
    problem = replace(visits.problem, groups="patient", splitter=GroupKFold(5))
    assert alarms(Prepared.of(problem)) == []


def test_groups_kept_whole_that_test_knows_are_said() -> None:
    given = made()
    n = len(given.tables.train)
    rng = np.random.default_rng(0)
    tickets = given.with_column("ticket", np.arange(n) // 3, rng.integers(0, n // 3, 400), seen=False)
    check = Prepared.of(replace(tickets.problem, groups="ticket", splitter=GroupKFold(5)))
    said = check.check("group overlap matches test")
    assert said is not None
    assert "Of ticket, 0% of the validated rows" in said.detail
    assert "knows less than test will" in said.detail


def test_twins_that_test_has_too_are_no_leak() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 3, (1500, 4)), columns=list("abcd")).assign(id=np.arange(1500))
    frame["y"] = rng.integers(0, 2, 1500)
    test = frame.tail(500).drop(columns="y").reset_index(drop=True)
    given = tables(frame.head(1000), test, test[["id"]].assign(y=0))
    check = Prepared.of(problem_of(given)).check("duplicates across folds")
    assert check is not None
    assert check.status == "pass"


@pytest.mark.parametrize("start", [0, 40])
def test_the_pixel_that_became_an_index_is_named(start: int) -> None:
    rng = np.random.default_rng(0)
    light = 200 * np.sin(np.linspace(0, 3, 100)) ** 2
    frame = pd.DataFrame(
        np.clip(rng.normal(light, 15, (1000, 100)), 0, 255).astype(np.uint8), columns=[f"pixel{n}" for n in range(100)]
    )
    frame.insert(0, "label", rng.integers(0, 3, 1000))
    test = frame.tail(400).drop(columns="label").reset_index(drop=True)
    off = test.copy()
    off.iloc[:, start:-1] = test.iloc[:, start + 1 :].to_numpy()
    sample = pd.DataFrame({"ImageId": np.arange(1, 401), "label": 0})
    given = tables(frame.head(600), off, sample)
    check = Prepared.of(problem_of(given)).check("column alignment")
    assert check is not None
    assert check.status == "fail"
    assert f"off by 1 from pixel{start}" in check.detail or f"off by 1 from pixel{start + 1}" in check.detail


def of_frame(frame: pd.DataFrame, n: int, test: pd.DataFrame | None = None, **fields: object) -> Prepared:
    """The first n rows are train, the others test; y is the target."""
    test = (frame.iloc[n:] if test is None else test).reset_index(drop=True).drop(columns="y", errors="ignore")
    given = tables(frame.head(n), test, test[["id"]].assign(y=0.5 if frame["y"].dtype == float else 0))
    return Prepared.of(problem_of(given, **fields))


def status(given: Prepared, name: str) -> str:
    check = given.check(name)
    assert check is not None
    return check.status


def test_columns_that_no_classifier_can_be_fitted_on_do_not_stop_the_checks() -> None:
    given = made()
    gaps = np.full(600, np.nan)
    one = np.where(np.arange(600) == 4, 1.0, np.nan)
    for column in (gaps, one):
        assert status(given.with_column("e", column, np.full(400, np.nan)), "adversarial validation") == "pass"


def test_a_new_shop_in_test_or_two_shops_in_both_do_not_stop_the_checks() -> None:
    given = made()
    shops = np.arange(600) % 6
    for ours, theirs in ((shops, np.full(400, 9)), (shops % 2, np.arange(400) % 2)):
        of_shops = given.with_column("shop", ours, theirs, seen=False)
        grouped = replace(of_shops, problem=replace(of_shops.problem, groups="shop"))
        assert grouped.check("adversarial validation") is None


def test_the_window_of_the_next_month_is_asked_about_and_not_failed() -> None:
    rng = np.random.default_rng(0)
    month = np.array([0, 3, -2, 5, 1, -4, 2, 6, 0, -3, 4, 1, 7])
    series = rng.normal(10, 1, 1500)[:, None] + month + rng.normal(scale=0.5, size=(1500, 13))
    names = [f"lag{number}" for number in range(11, 0, -1)]
    train = pd.DataFrame(series[:, :11], columns=names).assign(id=np.arange(1500), y=series[:, 11])
    test = pd.DataFrame(series[:, 1:12], columns=names).assign(id=1500 + np.arange(1500))
    others = test.assign(**{name: test[name] + rng.normal(scale=0.1, size=1500) for name in names})
    for given in (of_frame(train, 1500, test), of_frame(train, 1500, others)):
        check = given.check("column alignment")
        assert check is not None
        assert check.status == "warn"
        assert "a window that moved on" in check.detail
    plain = [f"x{'abcdefghijk'[number]}" for number in range(11)]
    renamed = dict(zip(names, plain, strict=True))
    assert status(
        of_frame(train.rename(columns=renamed), 1500, others.rename(columns=renamed)), "column alignment"
    ) == ("fail")


def test_a_good_sensor_may_have_gaps() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    y = pd.Series(x + 0.06 * rng.normal(size=1000), name="y")
    for share in (0.0, 0.001, 0.1, 0.6):
        X = pd.DataFrame({"sensor": np.where(rng.random(1000) < share, np.nan, x)})
        assert [leak.sure for leak in targets_in(X, y, labels=False)] in ([], [False])
    copied = pd.DataFrame({"later": np.where(rng.random(1000) < 0.9, np.nan, y)})
    assert [leak.sure for leak in targets_in(copied, y, labels=False)] == [True]


@pytest.mark.parametrize("equal", [0.05, 0.3])
def test_a_listed_price_may_be_the_one_that_is_paid(equal: float) -> None:
    rng = np.random.default_rng(0)
    listed = np.round(np.exp(rng.normal(13, 0.5, 1000)), -2)
    paid = np.where(rng.random(1000) < equal, listed, np.round(listed * np.exp(rng.normal(0, 0.1, 1000)), -2))
    found = list(targets_in(pd.DataFrame({"listed": listed}), pd.Series(paid, name="paid"), labels=False))
    assert [leak.sure for leak in found] == [False]
    written = np.where(rng.random(1000) < equal, paid, rng.permutation(paid))
    found = list(targets_in(pd.DataFrame({"later": written}), pd.Series(paid, name="paid"), labels=False))
    assert [leak.sure for leak in found] == [True]


def test_whole_numbers_that_do_not_count_the_rows_may_be_strong() -> None:
    rng = np.random.default_rng(0)
    size = rng.choice(10**6, 400, replace=False) + 1000
    frame = pd.DataFrame({"id": rng.permutation(400), "people": size, "f": rng.normal(size=400)})
    later = frame.assign(y=size * np.exp(0.05 * rng.normal(size=400)))
    rich = frame.assign(y=(size / 1e6 + 0.3 * rng.normal(size=400) > 0.5).astype(int))
    ordered = later.sort_values("people", ignore_index=True)
    ordered = ordered.assign(id=rng.permutation(400))
    assert [status(of_frame(made, 300), "row-order leakage") for made in (later, rich)] == ["pass", "pass"]
    assert (
        status(of_frame(ordered, 300), "row-order leakage") == "warn"
    )  # the file is in order, which people do not make


def test_a_class_that_no_row_looked_at_has_says_nothing() -> None:
    n = 21_000
    looked_at = np.sort(np.random.default_rng(0).permutation(n)[:20_000])
    y = np.zeros(n + 50, dtype=int)
    y[np.setdiff1d(np.arange(n), looked_at)[::100]] = 1
    frame = pd.DataFrame({"id": np.arange(n + 50), "f": np.random.default_rng(1).normal(size=n + 50), "y": y})
    assert status(of_frame(frame, n), "row-order leakage") == "pass"


@pytest.mark.parametrize("apart", [(2023, 2024), ("north", "south")])
def test_rows_of_few_answers_are_no_copies_because_test_is_of_another_year(apart: tuple[object, object]) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (1300, 4)), columns=list("abcd")).assign(id=np.arange(1300))
    frame = frame.assign(y=frame["a"] + rng.normal(size=1300), apart=np.where(np.arange(1300) < 1000, *apart))
    check = of_frame(frame, 1000).check("duplicates across folds")
    assert check is not None
    assert check.status == "pass"
    assert "but the id, the target and apart" in check.detail


@pytest.mark.parametrize("m", [1, 2, 5, 29])
def test_by_a_few_rows_of_test_no_copies_are_sure(m: int) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (300 + m, 3)), columns=list("abc")).assign(id=np.arange(300 + m))
    frame = frame.assign(y=rng.normal(size=300 + m), k=rng.choice(list("xyz"), 300 + m))
    frame.loc[300:, "k"] = "new"
    assert status(of_frame(frame, 300), "duplicates across folds") == "pass"
    given = made(m=m)
    twice = pd.concat([given.tables.train.assign(id=lambda rows: rows["id"] + 10_000), given.tables.train])
    again = Prepared.of(given.problem, replace(given.tables, train=twice.reset_index(drop=True)))
    assert status(again, "duplicates across folds") != "fail"


def test_a_picture_that_was_drawn_twice_is_a_copy() -> None:
    rng = np.random.default_rng(0)
    pixels = pd.DataFrame(rng.integers(0, 256, (900, 12)).astype(np.uint8)).add_prefix("pixel")
    frame = pixels.assign(label=rng.integers(0, 3, 900))
    train = pd.concat([frame.head(600), frame.head(60)], ignore_index=True)
    test = pixels.tail(300).reset_index(drop=True)
    given = tables(train, test, pd.DataFrame({"ImageId": np.arange(1, 301), "label": 0}))
    assert status(Prepared.of(problem_of(given)), "duplicates across folds") == "fail"


def test_copies_are_found_in_a_table_of_two_columns() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.arange(900), "x": rng.normal(size=900), "b": rng.integers(0, 2, 900)})
    frame["y"] = frame["x"] + rng.normal(size=900)
    twice = pd.concat([frame.head(600), frame.head(90).assign(id=10_000 + np.arange(90))], ignore_index=True)
    assert status(of_frame(twice, 690, frame.tail(300)), "duplicates across folds") == "fail"


def test_dates_with_a_time_zone_are_dates() -> None:
    given = made()
    days = pd.date_range("2020-01-01", periods=1000, tz="Europe/Berlin").to_series().sample(frac=1, random_state=0)
    assert alarms(given.with_column("day", days[:600].array, days[600:].array)) == []
