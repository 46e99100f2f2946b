"""Passengers for the sample of spaceship-titanic: synthetic, with the peculiarities of Kaggle's files.

Each group comes from one planet and has cabins on one side; the cabins of a deck and side are numbered in the order of
the groups. No group is in both files. Sleeping passengers and children have no bills. Every column except the id has
missing values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["tables"]

SEED = 20261121
TRAIN, TEST = 300, 120
MISSING_SHARE = 0.023  # share of missing values in each column that has any

AMENITIES = ("RoomService", "FoodCourt", "ShoppingMall", "Spa", "VRDeck")
TASTE = {"Earth": (4.0, 4.5, 4.0, 4.0, 4.0), "Europa": (3.5, 6.5, 4.0, 6.0, 6.0), "Mars": (6.0, 4.0, 5.0, 4.0, 3.5)}
PLANETS, PLANET_SHARES = ("Earth", "Europa", "Mars"), (0.54, 0.25, 0.21)
DECKS = {
    "Earth": ("EFG", (0.1, 0.4, 0.5)),
    "Europa": ("ABCDE", (0.12, 0.38, 0.36, 0.08, 0.06)),
    "Mars": ("DEF", (0.2, 0.2, 0.6)),
}
SLEEPERS = {"Earth": 0.3, "Europa": 0.45, "Mars": 0.38}
DESTINATIONS, DESTINATION_SHARES = ("TRAPPIST-1e", "55 Cancri e", "PSO J318.5-22"), (0.69, 0.22, 0.09)
SIZES, SIZE_SHARES = (1, 2, 3, 4, 5, 8), (0.7, 0.15, 0.09, 0.03, 0.02, 0.01)

STARTS = "Al Bre Cor Dal Er Fen Gra Hul Iv Jor Kel Lun Mor Nev Or Pra Quil Rob Sel Tar".split()
GIVEN_ENDS = "adia bera dine ena hael ithe usk wynn".split()
SURNAME_ENDS = {  # no surname occurs on two planets
    "Earth": "bert fields mond ston wood".split(),
    "Europa": "cki ible onsil ryth".split(),
    "Mars": "gorn pede uff".split(),
}


@dataclass(frozen=True, kw_only=True)
class Passenger:
    """A passenger with all values; missing values are added later."""

    id: str
    planet: str
    asleep: bool
    cabin: str
    destination: str
    age: int
    vip: bool
    bills: tuple[int, ...]
    name: str


class Ship:
    """Draw groups of passengers from one stream of random numbers, and number their cabins."""

    def __init__(self, random: np.random.RandomState) -> None:
        self.random = random
        self.taken: dict[tuple[str, str], int] = {}

    def word(self, ends: list[str]) -> str:
        return STARTS[self.random.randint(len(STARTS))] + ends[self.random.randint(len(ends))]

    def cabin(self, planet: str, side: str) -> str:
        """The next free cabin on a deck of the planet."""
        decks, shares = DECKS[planet]
        deck = decks[self.random.choice(len(decks), p=shares)]
        number = self.taken.get((deck, side), -1) + 1
        self.taken[deck, side] = number
        return f"{deck}/{number}/{side}"

    def bills(self, planet: str, *, pays: bool) -> tuple[int, ...]:
        """Bills for each amenity; many are 0."""
        drawn = [round(math.exp(self.random.normal(mean, 1.4))) for mean in TASTE[planet]]
        used = self.random.random_sample(len(drawn)) < 0.6
        return tuple(int(pays and use) * bill for bill, use in zip(drawn, used, strict=True))

    def group(self, number: int) -> list[Passenger]:
        """A group: one planet, one side, one or two cabins, mostly one surname."""
        planet = PLANETS[self.random.choice(3, p=PLANET_SHARES)]
        side = "PS"[self.random.randint(2)]
        size = SIZES[self.random.choice(len(SIZES), p=SIZE_SHARES)]
        cabins = [self.cabin(planet, side) for _ in range(1 + (size > 3))]
        surname = self.word(SURNAME_ENDS[planet])
        people = []
        for place in range(1, size + 1):
            age = int(np.clip(round(self.random.normal(29, 14)), 0, 79))
            asleep = bool(self.random.random_sample() < SLEEPERS[planet])
            own = surname if self.random.random_sample() < 0.9 else self.word(SURNAME_ENDS[planet])
            people.append(
                Passenger(
                    id=f"{number:04}_{place:02}",
                    planet=planet,
                    asleep=asleep,
                    cabin=cabins[place % len(cabins)],
                    destination=DESTINATIONS[self.random.choice(3, p=DESTINATION_SHARES)],
                    age=age,
                    vip=bool(planet != "Earth" and age > 17 and self.random.random_sample() < 0.06),
                    bills=self.bills(planet, pays=not asleep and age > 12),
                    name=f"{self.word(GIVEN_ENDS)} {own}",
                )
            )
        return people


def transported(random: np.random.RandomState, people: list[Passenger]) -> list[bool]:
    """Draw the target from a logistic model of sleep, planet, side and bills: food and shops raise it."""
    uniform = random.random_sample(len(people))
    drawn = []
    for one, value in zip(people, uniform, strict=True):
        room, food, shops, spa, vr = one.bills
        logit = 2.0 * one.asleep + 0.5 * (one.planet != "Earth") + 0.4 * one.cabin.endswith("S") - 0.9
        logit += 0.5 * (math.log1p(food + shops) - math.log1p(room + spa + vr))
        drawn.append(bool(value < 1 / (1 + math.exp(-logit))))
    return drawn


def columns(random: np.random.RandomState, people: list[Passenger]) -> dict[str, list[object]]:
    """The columns of train and test after the id, with missing values."""
    complete: dict[str, list[object]] = {
        "HomePlanet": [one.planet for one in people],
        "CryoSleep": [one.asleep for one in people],
        "Cabin": [one.cabin for one in people],
        "Destination": [one.destination for one in people],
        "Age": [f"{one.age}.0" for one in people],
        "VIP": [one.vip for one in people],
        **{name: [f"{one.bills[i]}.0" for one in people] for i, name in enumerate(AMENITIES)},
        "Name": [one.name for one in people],
    }
    missing = random.random_sample((len(complete), len(people))) < MISSING_SHARE
    return {
        name: [None if gone else value for value, gone in zip(values, row, strict=True)]
        for (name, values), row in zip(complete.items(), missing, strict=True)
    }


def parted(random: np.random.RandomState, sizes: list[int]) -> list[bool]:
    """Choose the groups of the test file in random order, as long as they fit, until it has all of its rows."""
    room, chosen = TEST, [False] * len(sizes)
    for group in random.permutation(len(sizes)):
        if sizes[group] <= room:
            room -= sizes[group]
            chosen[group] = True
    return chosen


def of(values: list[object], in_test: list[bool], wanted: bool) -> list[object]:
    """The values of one file's rows."""
    return [value for value, tested in zip(values, in_test, strict=True) if tested == wanted]


def tables() -> dict[str, dict[str, list[object]]]:
    """The files train, test and sample_submission: 300 and 120 rows."""
    random = np.random.RandomState(SEED)  # not default_rng: see make_samples
    ship = Ship(random)
    groups: list[list[Passenger]] = []
    number, left = 0, TRAIN + TEST
    while left > 0:
        number += 1 + random.randint(2)  # Kaggle's numbers also skip some
        groups.append(ship.group(number)[:left])
        left -= len(groups[-1])
    chosen = parted(random, [len(group) for group in groups])
    people = [one for group in groups for one in group]
    in_test = [tested for group, tested in zip(groups, chosen, strict=True) for _ in group]
    shared = {"PassengerId": [one.id for one in people], **columns(random, people)}
    shared["Transported"] = list(transported(random, people))
    train, test = ({name: of(values, in_test, wanted) for name, values in shared.items()} for wanted in (False, True))
    del test["Transported"]
    submission: dict[str, list[object]] = {"PassengerId": test["PassengerId"], "Transported": [False] * TEST}
    return {"train": train, "test": test, "sample_submission": submission}
