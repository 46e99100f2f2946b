"""Each mistake of tables and folds is caught and named, in real tables; and clean ones raise no alarm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold

from kpipe.checks.leaks import targets_in
from kpipe.pipeline import prepare
from kpipe.splitters import ByTime
from tests.conftest import KaggleZip
from tests.plants import PLANTS, Plant, Prepared
from tests.tables import resolved, tables

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
    return Prepared.of(resolved(given), given)


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
    return Prepared.of(*prepare("titanic", data=kaggle_zip("titanic")))


@pytest.mark.parametrize("plant", PLANTS, ids=named)
def test_a_mistake_planted_in_titanic_is_caught_and_named(titanic: Prepared, plant: Plant) -> None:
    if plant.fits(titanic):
        assert caught(plant, titanic)


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS[1:])
def test_a_mistake_planted_in_another_competition_is_caught_and_named(kaggle_zip: KaggleZip, slug: str) -> None:
    given = Prepared.of(*prepare(slug, data=kaggle_zip(slug)))
    assert [named(plant) for plant in PLANTS if plant.fits(given) and not caught(plant, given)] == []


@pytest.mark.parametrize("slug", [pytest.param(s, marks=pytest.mark.slow) if s == SLUGS[3] else s for s in SLUGS])
def test_a_clean_competition_raises_no_alarm(kaggle_zip: KaggleZip, slug: str) -> None:
    assert alarms(Prepared.of(*prepare(slug, data=kaggle_zip(slug)))) == []


@pytest.mark.parametrize("slug", MODULES)
def test_a_sample_raises_no_alarm(slug: str) -> None:
    assert alarms(Prepared.of(*prepare(slug, data="sample"))) == []


@pytest.mark.slow
@pytest.mark.parametrize("slug", [slug for slug in SLUGS if slug != "digit-recognizer"])
def test_another_draw_of_train_and_test_raises_no_alarm(kaggle_zip: KaggleZip, slug: str) -> None:
    competition, whole = prepare(slug, data=kaggle_zip(slug))
    by = whole.train.index.to_series() if competition.groups is None else whole.train[competition.groups]
    for seed in range(5):
        tested = by.isin(np.random.default_rng(seed).permutation(by.unique())[::4])
        test = whole.train[tested].reset_index(drop=True).drop(columns=list(competition.targets))
        train = whole.train[~tested].reset_index(drop=True)
        assert alarms(Prepared.of(competition, replace(whole, train=train, test=test))) == []


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
    check = Prepared.of(resolved(several), several).check("target hidden")
    assert check is not None
    assert check.status == "fail"
    assert "told" in check.detail


def test_time_folds_on_what_comes_later_pass() -> None:
    given = made(n=800)
    days = (pd.Timestamp(2020, 1, 1) + pd.to_timedelta(np.arange(1200) // 2, unit="D")).strftime("%Y-%m-%d").to_numpy()
    dated = given.with_column("day", days[:800], days[800:])
    forward = Prepared.of(replace(dated.competition, splitter=ByTime("day")), dated.tables)
    by_row = Prepared.of(replace(dated.competition, splitter=KFold(5, shuffle=True, random_state=0)), dated.tables)
    said = [prepared.check("time goes forward") for prepared in (forward, by_row)]
    assert [check and check.status for check in said] == ["pass", "warn"]
    mirrored = forward.check("folds mirror test")
    assert mirrored is not None
    assert mirrored.status == "pass"


def test_groups_kept_whole_pass_where_test_has_other_groups() -> None:
    given = made()
    n, m = len(given.tables.train), len(given.tables.test)
    visits = given.with_column("patient", np.arange(n) // 3, n + np.arange(m) // 3, seen=False)
    competition = replace(visits.competition, groups="patient", splitter=GroupKFold(5))
    assert alarms(Prepared.of(competition, visits.tables)) == []


def test_groups_kept_whole_that_test_knows_are_said() -> None:
    given = made()
    n = len(given.tables.train)
    rng = np.random.default_rng(0)
    tickets = given.with_column("ticket", np.arange(n) // 3, rng.integers(0, n // 3, 400), seen=False)
    check = Prepared.of(replace(tickets.competition, groups="ticket", splitter=GroupKFold(5)), tickets.tables)
    said = check.check("folds mirror test")
    assert said is not None
    assert "Of ticket, 0% of the validated rows" in said.detail
    assert "knows less than test will" in said.detail


def test_twins_that_test_has_too_are_no_leak() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 3, (1500, 4)), columns=list("abcd")).assign(id=np.arange(1500))
    frame["y"] = rng.integers(0, 2, 1500)
    test = frame.tail(500).drop(columns="y").reset_index(drop=True)
    given = tables(frame.head(1000), test, test[["id"]].assign(y=0))
    check = Prepared.of(resolved(given), given).check("copies apart")
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
    check = Prepared.of(resolved(given), given).check("columns in order")
    assert check is not None
    assert check.status == "fail"
    assert f"off by 1 from pixel{start}" in check.detail or f"off by 1 from pixel{start + 1}" in check.detail
