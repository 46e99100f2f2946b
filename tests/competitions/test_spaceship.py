"""Spaceship Titanic: the features that its module computes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from kpipe import find
from kpipe.core.values import Tables
from kpipe.data.loading import load
from kpipe.errors import DataError
from kpipe.training.folds import make_folds
from tests.tables import prepared, tables

SPACESHIP = find("spaceship-titanic")
BILLS = ["RoomService", "FoodCourt", "ShoppingMall", "Spa", "VRDeck"]
Row = dict[str, object]


def passenger(**known: object) -> Row:
    """A complete row: awake and without bills, except for the given values."""
    row: Row = {"PassengerId": "0001_01", "HomePlanet": "Earth", "CryoSleep": False, "Cabin": "G/3/S", "Age": 30.0}
    bills: Row = dict.fromkeys(BILLS, 0.0)
    return row | bills | {"Destination": "TRAPPIST-1e", "VIP": False, "Name": "Ada Lune"} | known


def cleaned(train: list[Row], test: list[Row] | None = None) -> Tables:
    texts = dict.fromkeys(("HomePlanet", "Cabin", "Name", "Destination"), "str")
    types = {**texts, "CryoSleep": "boolean", "VIP": "boolean", "Age": float, **dict.fromkeys(BILLS, float)}
    rows = (train, test or [passenger(PassengerId="9999_01", Name="Bo Sol")])
    train_frame, test_frame = (pd.DataFrame(some).astype(types) for some in rows)
    train_frame = train_frame.assign(Transported=[place % 2 == 0 for place in range(len(train))])
    return SPACESHIP.clean(tables(train_frame, test_frame, test_frame[["PassengerId"]].assign(Transported=False)))


def one(**known: object) -> pd.Series:
    return cleaned([passenger(**known)]).train.iloc[0]


def test_ids_and_cabins_are_split_into_columns() -> None:
    row = one(PassengerId="0042_07", Cabin="F/1203/P")
    assert [row[name] for name in ("Group", "Deck", "CabinNumber", "Side")] == ["0042", "F", 1203, "P"]


def test_a_file_without_any_cabin_can_be_read() -> None:
    row = one(Cabin=None)
    assert pd.isna([row["Deck"], row["CabinNumber"], row["Side"], row["DeckSide"]]).all()


@pytest.mark.parametrize(
    ("known", "asleep"),
    [
        ({"Spa": 3.0}, 0.0),
        ({}, 1.0),
        ({"Age": 12.0}, np.nan),
        ({"Age": None}, np.nan),
        ({"Age": 13.0}, 1.0),
        ({"Age": None, "VRDeck": 1.0}, 0.0),
    ],
)
def test_missing_sleep_is_imputed_from_bills_and_age(known: Row, asleep: float) -> None:
    np.testing.assert_equal(one(CryoSleep=None, **known)["CryoSleep"], asleep)


def test_known_sleep_is_not_changed() -> None:
    assert one(CryoSleep=False)["CryoSleep"] == 0
    assert one(CryoSleep=True)["CryoSleep"] == 1


@pytest.mark.parametrize(
    ("known", "bill"), [({"CryoSleep": True}, 0.0), ({"Age": 12.0}, 0.0), ({}, np.nan), ({"CryoSleep": None}, np.nan)]
)
def test_a_missing_bill_is_imputed_by_0_only_for_children_and_sleepers(known: Row, bill: float) -> None:
    np.testing.assert_equal(one(Spa=None, FoodCourt=5.0 if known == {} else 0.0, **known)["Spa"], bill)


@pytest.mark.parametrize(("cabin", "planet"), [("B/1/P", "Europa"), ("T/1/P", "Europa"), ("G/1/P", "Earth")])
def test_a_missing_planet_is_imputed_from_decks_with_a_single_planet(cabin: str, planet: str) -> None:
    assert one(HomePlanet=None, Cabin=cabin)["HomePlanet"] == planet
    assert one(HomePlanet="Mars", Cabin=cabin)["HomePlanet"] == "Mars"


@pytest.mark.parametrize("cabin", ["D/1/P", "E/1/P", "F/1/P", None])
def test_a_missing_planet_is_not_imputed_from_other_decks(cabin: str | None) -> None:
    assert pd.isna(one(HomePlanet=None, Cabin=cabin)["HomePlanet"])


def test_bills_are_summed_and_luxury_is_compared_with_needs() -> None:
    row = one(RoomService=4.0, Spa=9.0, VRDeck=None, FoodCourt=16.0, ShoppingMall=1.0)
    assert row["Total"] == 30
    assert row["Luxury"] == pytest.approx(math.log(14 / 18))
    assert row["RootLuxury"] == 2 + 3 - 4 - 1


def test_places_are_combined_to_categories() -> None:
    row = one(CryoSleep=True)
    assert [row[name] for name in ("DeckSide", "PlanetDeck", "SleepDeckSide")] == ["GS", "EarthG", "GS asleep"]


def test_rows_keep_their_order_and_the_target_stays_in_train() -> None:
    train = [passenger(PassengerId=f"000{i}_01") for i in (3, 1, 2)]
    result = cleaned(train, train[:2])
    assert result.train["PassengerId"].tolist() == ["0003_01", "0001_01", "0002_01"]
    assert result.train.index.tolist() == [0, 1, 2]
    assert result.train["Transported"].tolist() == [True, False, True]
    assert result.test.index.tolist() == [0, 1]
    assert "Transported" not in result.test


def test_the_columns_do_not_depend_on_the_target() -> None:
    given = load("spaceship-titanic", "sample")
    turned = Tables(
        train=given.train.assign(Transported=~given.train["Transported"]),
        test=given.test,
        sample=given.sample,
        source=given.source,
    )
    first, second = (SPACESHIP.clean(one).train.drop(columns="Transported") for one in (given, turned))
    pd.testing.assert_frame_equal(first, second)


def test_an_error_names_a_file_that_lacks_a_column() -> None:
    given = load("spaceship-titanic", "sample")
    broken = Tables(train=given.train, test=given.test.drop(columns="Cabin"), sample=given.sample, source=given.source)
    with pytest.raises(DataError, match=r"test\.csv lacks the column 'Cabin'"):
        SPACESHIP.clean(broken)


def test_the_folds_keep_groups_together() -> None:
    problem = prepared("spaceship-titanic", data="sample")
    folds = make_folds(problem)
    group = problem.tables.train["Group"].to_numpy()
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert not set(group[train]) & set(group[valid])
