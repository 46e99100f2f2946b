"""Passengers for the sample of titanic: synthetic, with the peculiarities of Kaggle's files.

Groups share a ticket, a class, a fare, a port and a cabin; their passengers are distributed over train and test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["tables"]

SEED = 20260302
TRAIN, TEST = 300, 120

SURNAME_STARTS = (
    "Ald Bram Cor Dun Els Far Gren Hol Ive Jor Kel Lor Mar Nor Osk Pel Quen Ros Sel Tor Ulv Ven Wyn Yor".split()
)
SURNAME_ENDS = "wick den ley stad more holt by gard mann ström sen field o'th ova ini eau".split()
MEN = "Albin Bertil Cedric Dorian Edric Florian Gustaf Hector Ivo Jasper Konrad Leander Milo Nils Oskar Piet".split()
WOMEN = "Alma Beatrix Clara Dagny Elira Freya Greta Hedvig Ilse Johanna Karin Linnea Maud Nora Odile Petra".split()
NICKNAMES = ("Nan", "Dolly", "Bess", "Kit")
TICKET_PREFIXES = ("", "", "", "A/5 ", "PC ", "S.C./P 2 ", "CA. ", "W.E. ")
RARE_TITLES = ("Dr.", "Rev.", "Col.")

CLASS_SHARES = (0.24, 0.21, 0.55)
PARTY_SHARES = {"alone": 0.71, "friends": 0.06, "couple": 0.1, "siblings": 0.04, "family": 0.09}
FARES = (32.0, 12.0, 7.9)  # per person, by class
PORTS, PORT_SHARES = ("S", "C", "Q"), (0.72, 0.19, 0.09)


@dataclass(frozen=True, kw_only=True)
class Passenger:
    """A passenger with all values; missing values are added later."""

    name: str
    sex: str
    age: float
    pclass: int
    ticket: str
    fare: float
    port: str
    cabin: str | None
    sibsp: int = 0
    parch: int = 0


class Crowd:
    """Draw groups of passengers from one stream of random numbers."""

    def __init__(self, random: np.random.RandomState) -> None:
        self.random = random

    def pick(self, options: tuple[str, ...] | list[str]) -> str:
        return options[self.random.randint(len(options))]

    def surname(self) -> str:
        return self.pick(SURNAME_STARTS) + self.pick(SURNAME_ENDS)

    def given(self, sex: str) -> str:
        names = MEN if sex == "male" else WOMEN
        return " ".join(self.random.choice(names, size=self.random.randint(1, 3), replace=False))

    def adult_age(self) -> float:
        age = round(float(np.clip(self.random.normal(32, 12), 16, 74)))
        return age + 0.5 * (self.random.random_sample() < 0.05)  # estimated ages end in .5 in Kaggle's files

    def child_age(self) -> float:
        infant = self.random.random_sample() < 0.12
        return round(self.random.random_sample(), 2) if infant else self.random.randint(1, 16)

    def named(self, surname: str, sex: str, age: float) -> str:
        """A name with its title: ``Holden, Miss. Clara "Nan"``."""
        if sex == "male":
            title = "Master." if age < 14 else "Mr."
            title = self.pick(RARE_TITLES) if age > 30 and self.random.random_sample() < 0.06 else title
        else:
            title = "Miss."
        nickname = f' "{self.pick(NICKNAMES)}"' if sex == "female" and self.random.random_sample() < 0.1 else ""
        return f"{surname}, {title} {self.given(sex)}{nickname}"

    def booking(self, people: int) -> dict[str, object]:
        """Values that a group shares: class, ticket, fare of the whole ticket, port and cabin."""
        pclass = int(self.random.choice(3, p=CLASS_SHARES))
        fare = FARES[pclass] * people**0.8 * math.exp(self.random.normal(0, (0.5, 0.3, 0.1)[pclass]))
        known = self.random.random_sample() < (0.78, 0.09, 0.03)[pclass]
        rooms = [f"{'BCDE'[self.random.randint(4)] if pclass == 0 else 'F'}{self.random.randint(2, 130)}"] * known
        rooms += [f"{room[0]}{int(room[1:]) + 2}" for room in rooms if people > 2]
        return {
            "pclass": pclass + 1,
            "ticket": f"{self.pick(TICKET_PREFIXES)}{self.random.randint(1200, 398000)}",
            "fare": 0.0 if self.random.random_sample() < 0.01 else round(fare, 4),
            "port": PORTS[int(self.random.choice(3, p=PORT_SHARES))],
            "cabin": " ".join(rooms) or None,
        }

    def person(self, booking: dict[str, object], surname: str, sex: str, age: float) -> Passenger:
        return Passenger(name=self.named(surname, sex, age), sex=sex, age=age, **booking)  # type: ignore[arg-type]  # one dict, many types

    def any_sex(self, male: float) -> str:
        return "male" if self.random.random_sample() < male else "female"

    def strangers(self, people: int) -> list[Passenger]:
        """A group without relatives: a single passenger, or friends with one ticket."""
        booking = self.booking(people)
        return [self.person(booking, self.surname(), self.any_sex(0.72), self.adult_age()) for _ in range(people)]

    def family(self, children: int) -> list[Passenger]:
        """A couple, ``Mrs.`` with her husband's name and her own in parentheses, and their children."""
        booking = self.booking(2 + children)
        surname, age = self.surname(), self.adult_age() + 5
        husband = self.person(booking, surname, "male", age)
        first = husband.name.split(". ", 1)[1]
        wife = replace(
            husband,
            name=f"{surname}, Mrs. {first} ({self.given('female')} {self.surname()})",
            sex="female",
            age=max(18, age - self.random.randint(0, 7)),
        )
        parents = [replace(adult, sibsp=1, parch=children) for adult in (husband, wife)]
        young = [self.person(booking, surname, self.any_sex(0.5), self.child_age()) for _ in range(children)]
        return parents + [replace(child, sibsp=children - 1, parch=2) for child in young]

    def siblings(self) -> list[Passenger]:
        booking, surname = self.booking(2), self.surname()
        pair = [self.person(booking, surname, self.any_sex(0.5), self.adult_age()) for _ in range(2)]
        return [replace(one, sibsp=1) for one in pair]

    def group(self) -> list[Passenger]:
        kind = str(self.random.choice(list(PARTY_SHARES), p=list(PARTY_SHARES.values())))
        if kind == "siblings":
            return self.siblings()
        if kind in ("couple", "family"):
            return self.family(0 if kind == "couple" else self.random.randint(1, 5))
        return self.strangers(1 if kind == "alone" else self.random.randint(2, 4))


def survived(random: np.random.RandomState, people: list[Passenger]) -> list[int]:
    """Draw survival from a logistic model of sex, class, age and family size."""
    logits = [
        -1.5
        + 3.6 * (one.sex == "female")
        - 1.1 * (one.pclass - 2)
        + 2.5 * (one.age < 14)
        - 0.015 * (one.age - 30)
        - 0.5 * max(0, one.sibsp + one.parch - 3)
        for one in people
    ]
    uniform = random.random_sample(len(people))
    return [int(value < 1 / (1 + math.exp(-x))) for value, x in zip(uniform, logits, strict=True)]


def short(number: float) -> str:
    """A number in the format of Kaggle's files: 22, 0.42, 7.8958."""
    return f"{number:.7g}"


def columns(people: list[Passenger], missing_age: np.ndarray) -> dict[str, list[object]]:
    """The columns of train and test after the id."""
    return {
        "Pclass": [one.pclass for one in people],
        "Name": [one.name for one in people],
        "Sex": [one.sex for one in people],
        "Age": [None if gone else short(one.age) for one, gone in zip(people, missing_age, strict=True)],
        "SibSp": [one.sibsp for one in people],
        "Parch": [one.parch for one in people],
        "Ticket": [one.ticket for one in people],
        "Fare": [short(one.fare) for one in people],
        "Cabin": [one.cabin for one in people],
        "Embarked": [one.port for one in people],
    }


def tables() -> dict[str, dict[str, list[object]]]:
    """The files train, test and gender_submission: 300 and 120 rows."""
    random = np.random.RandomState(SEED)  # not default_rng: see make_samples
    crowd = Crowd(random)
    people: list[Passenger] = []
    while len(people) < TRAIN + TEST:
        people += crowd.group()
    people = [people[i] for i in random.permutation(len(people))[: TRAIN + TEST]]
    alive = survived(random, people)
    shared = columns(people, random.random_sample(len(people)) < 0.2)
    for row in random.choice(TRAIN, size=2, replace=False):
        shared["Embarked"][row] = None
    shared["Fare"][TRAIN + random.randint(TEST)] = None
    ids: list[object] = list(range(1, TRAIN + TEST + 1))
    women: list[object] = [int(one.sex == "female") for one in people[TRAIN:]]
    return {
        "train": {
            "PassengerId": ids[:TRAIN],
            "Survived": list(alive[:TRAIN]),
            **{name: values[:TRAIN] for name, values in shared.items()},
        },
        "test": {"PassengerId": ids[TRAIN:], **{name: values[TRAIN:] for name, values in shared.items()}},
        "gender_submission": {"PassengerId": ids[TRAIN:], "Survived": women},
    }
