"""Mistakes planted in tables and folds are caught and named; clean tables raise no alarm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.checks.prepared_tables import alarms, make_prepared
from tests.conftest import KaggleZip
from tests.plants import PLANTS, Plant, Prepared
from tests.tables import prepared

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
SLOW = ("digit-recognizer", "tabular-playground-series-sep-2022", "spooky-author-identification")
TABLES = [*SLUGS, *SLOW[1:]]


def caught(plant: Plant, given: Prepared) -> bool:
    """In one of three draws: two columns that are swapped or changed may be ones that hardly tell."""
    return any(plant.caught(given, seed=seed) for seed in range(3))


def name_of(plant: object) -> str:
    return plant.make.__name__ if isinstance(plant, Plant) else str(plant)


@pytest.mark.parametrize("plant", PLANTS, ids=name_of)
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_planted_mistake_is_caught_and_named(plant: Plant, task: str) -> None:
    given = make_prepared(regression=task == "regression")
    if plant.fits(given):
        assert plant.caught(given) is not None


@pytest.fixture(scope="module")
def titanic(kaggle_zip: KaggleZip) -> Prepared:
    return Prepared.of(prepared("titanic", data=kaggle_zip("titanic")))


@pytest.mark.parametrize("plant", PLANTS, ids=name_of)
def test_a_mistake_planted_in_titanic_is_caught_and_named(titanic: Prepared, plant: Plant) -> None:
    if plant.fits(titanic):
        assert caught(plant, titanic)


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS[1:])
def test_a_mistake_planted_in_another_competition_is_caught_and_named(kaggle_zip: KaggleZip, slug: str) -> None:
    given = Prepared.of(prepared(slug, data=kaggle_zip(slug)))
    assert [name_of(plant) for plant in PLANTS if plant.fits(given) and not caught(plant, given)] == []


@pytest.mark.parametrize("slug", [pytest.param(s, marks=pytest.mark.slow) if s in SLOW else s for s in TABLES])
def test_a_clean_competition_raises_no_alarm(kaggle_zip: KaggleZip, slug: str) -> None:
    assert alarms(Prepared.of(prepared(slug, data=kaggle_zip(slug)))) == []


@pytest.mark.parametrize("slug", MODULES)
def test_a_sample_raises_no_alarm(slug: str) -> None:
    assert alarms(Prepared.of(prepared(slug, data="sample"))) == []


@pytest.mark.slow
@pytest.mark.parametrize("slug", [slug for slug in TABLES if slug != "digit-recognizer"])
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
    assert alarms(make_prepared(n, 30, regression=regression)) == []


def test_dates_with_a_time_zone_raise_no_alarm() -> None:
    given = make_prepared()
    days = pd.date_range("2020-01-01", periods=1000, tz="Europe/Berlin").to_series().sample(frac=1, random_state=0)
    assert alarms(given.with_column("day", days[:600].array, days[600:].array)) == []
