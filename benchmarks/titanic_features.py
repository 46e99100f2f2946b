"""What the features of Titanic's module are worth on rows that they were not chosen on.

    python benchmarks/titanic_features.py steps [--groups]      the module's steps, one after the other
    python benchmarks/titanic_features.py search                features chosen anew among 83 ideas

Again and again a fifth of train.csv is locked away (10 times for steps, 20 times for the search): stratified, by row as
Kaggle drew its test file, or with ``--groups`` by whole groups of passengers. Everything is chosen on the other four
fifths, by stratified 5-fold cross-validation (5 and 2 seeds), and looked up once on the locked rows. The model is the
module's ``linear``, its Newton steps written out, because a search fits it 130,000 times.

``steps``: fitted on all four fifths, scored on the locked fifth. This shows whether a step gains on rows that no fit
has seen. It does not show what the module's author gained by looking at all rows while the steps were invented.

``search``: a greedy search adds one idea after the other, up to 8. The locked rows are predicted by the models of the
folds, which have as many training rows as those of the cross-validation: the difference of the scores is the selection
bias of the search. Differences are paired by row.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kpipe.competitions.titanic.competition import clean, link_groups  # noqa: E402

from kpipe.data.loading import load  # noqa: E402

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", ROOT.parent / "shared" / "kaggle"))
FILES = load("titanic", KAGGLE / "titanic.zip")
RAW, TABLE = FILES.train, clean(FILES.train)
Y = RAW["Survived"].to_numpy()
ROWS = len(Y)
WHO, LEVEL, FARE = TABLE["Who"].to_numpy(), TABLE["Pclass"].to_numpy(), TABLE["LogFare"].to_numpy()
IS_MAN, FEMALE = WHO == "man", (RAW["Sex"] == "female").to_numpy(dtype=float)
CELLS = {
    f"{'man' if man else 'woman'}{level}": (man == IS_MAN) & (level == LEVEL)
    for man in (True, False)
    for level in "123"
}
SCALES = (5, 10, 20, 50, 100)
MODULE = ["near-woman3-20", "near-man1-20", "near-man2-20"]
STEPS = {
    "women survive": [],
    "seven columns": ["seven"],
    "+ who, family size, cabin known": ["who", "family size", "cabin known"],
    "+ group": ["group"],
    "+ third-class neighbours": MODULE[:1],
    "+ men's neighbours": MODULE[1:],
}
Ideas = dict[str, np.ndarray]


def one_hot(values: np.ndarray, levels: str | list[str]) -> np.ndarray:
    return np.column_stack([values == level for level in levels]).astype(float)


def column(values: object) -> np.ndarray:
    return np.asarray(values, dtype=float)[:, None]


def plain_ideas(age: np.ndarray, port: np.ndarray) -> Ideas:
    """(n, k) columns of single rows."""
    titles, name, ticket = ["Mr", "Miss", "Mrs", "Master"], RAW["Name"].str, RAW["Ticket"].astype(str)
    title = name.extract(r", *(?:the +)?([^. ]+)", expand=False)
    counts = pd.concat([ticket, FILES.test["Ticket"].astype(str)]).value_counts()[ticket].to_numpy()
    size, cabin, known = TABLE["FamilySize"], RAW["Cabin"].str, TABLE["CabinKnown"]
    numbers = [one_hot(LEVEL, "123"), one_hot(port, "SCQ"), age, RAW["SibSp"], RAW["Parch"], FARE]
    return {
        "seven": np.column_stack([FEMALE, *numbers]),
        "who": one_hot(WHO, ["woman", "boy", "man"]),
        "family size": column(size),
        "cabin known": column(known),
        "sex by class": FEMALE[:, None] * one_hot(LEVEL, "123"),
        "title": one_hot(title.where(title.isin(titles), "Rare").to_numpy(), [*titles, "Rare"]),
        "deck": one_hot(cabin[0].fillna("U").to_numpy(), "ABCDEFGU"),
        "fare per person": column(np.log1p(RAW["Fare"].to_numpy() / counts)),
        "rows of the ticket": column(counts),
        "age missing": column(RAW["Age"].isna()),
        "child": column(age < 15),
        "age by class": column(age * LEVEL.astype(int)),
        "age by sex": column(age * FEMALE),
        "alone": column(size == 1),
        "large family": column(size > 4),
        "port by sex": FEMALE[:, None] * one_hot(port, "SCQ"),
        "port of the third class": (LEVEL == "3")[:, None] * one_hot(port, "SCQ"),
        "ticket has a prefix": column(~ticket.str[0].str.isdigit()),
        "first digit of the ticket": one_hot(
            ticket.str.extract(r"(\d)\d*$", expand=False).fillna("0").to_numpy(), "123"
        ),
        "length of the ticket": column(ticket.str.len()),
        "length of the name": column(name.len()),
        "maiden name": column(name.contains(r"\(")),
        "rare title of a man": column(IS_MAN & ~title.isin(titles).to_numpy()),
        "fare by sex": column(FARE * FEMALE),
        "cabin by sex": column(known * FEMALE),
        "odd cabin": column(pd.to_numeric(cabin.extract(r"(\d+)", expand=False)).fillna(-1) % 2 == 1),
    }


def learned_ideas(fitted: np.ndarray, rows: np.ndarray, age: np.ndarray) -> Ideas:
    """(n, k) columns of rows, from the survival of the fitted rows other than the row itself."""
    signs, others = 2.0 * Y[fitted] - 1, rows[:, None] != fitted

    def survival(counted: np.ndarray, weight: np.ndarray | float = 1.0, prior: float = 1.0) -> np.ndarray:
        weights = (others & counted) * weight
        return np.asarray(weights @ signs / (weights.sum(axis=1) + prior))

    def distance(values: np.ndarray) -> np.ndarray:
        return np.abs(values[rows][:, None] - values[fitted])

    def same(values: np.ndarray) -> np.ndarray:
        return np.asarray(values[rows][:, None] == values[fitted])

    groups, who = same_group(fitted, rows), WHO[rows]
    group, men = survival(groups & ~IS_MAN[fitted]), survival(groups & IS_MAN[fitted])
    ideas = {
        "group": np.column_stack([np.where(who == kind, group, 0) for kind in ("woman", "boy", "man")]),
        "group in one column": column(group),
        "group with men": column(survival(groups)),
        "men of the group": column(np.where(who == "man", men, 0)),
        "surname": column(survival(same(RAW["Name"].str.split(",").str[0].factorize()[0]))),
    }
    kind, cells = same(LEVEL) & same(IS_MAN), {name: cell[rows] for name, cell in CELLS.items()}
    for scale in SCALES:
        near = survival(kind, np.exp(-distance(TABLE["TicketNumber"].to_numpy()) / scale), prior=0.5)
        ideas |= {f"near-{name}-{scale}": column(near * cell) for name, cell in cells.items()}
        ideas[f"near-{scale}"] = column(near)
        ideas[f"near by cell-{scale}"] = np.column_stack([near * cell for cell in cells.values()])
    for name, values, scale in (("fare", FARE, 0.05), ("age", age, 3.0)):
        near = survival(kind, np.exp(-distance(values) / scale), prior=0.5)
        ideas |= {f"{name}-{cell}": column(near * inside) for cell, inside in cells.items()}
    number = pd.to_numeric(RAW["Cabin"].str.extract(r"(\d+)", expand=False)).fillna(-1e9).to_numpy()
    deck = same(RAW["Cabin"].str[0].fillna("?").factorize()[0])
    cabins = deck & (number[rows] > 0)[:, None] & (number[fitted] > 0)
    return ideas | {"near cabins": column(survival(cabins & same(IS_MAN), np.exp(-distance(number) / 5), prior=0.5))}


def same_group(fitted: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n, fitted): whether a row joins the group of a fitted row, as in the module."""
    tickets, families = TABLE["Ticket"].to_numpy(), TABLE["Family"].to_numpy()
    groups = link_groups(pd.Series(tickets[fitted]), pd.Series(families[fitted]))
    joined = np.zeros((len(rows), len(fitted)), dtype=bool)
    for values in (tickets, families):
        known = pd.Series(groups, index=values[fitted])
        mine = pd.Series(values[rows]).map(known[~known.index.duplicated()]).fillna(-1).to_numpy()
        joined |= mine[:, None] == groups
    return joined


def ideas_of(fitted: np.ndarray, *parts: np.ndarray) -> list[Ideas]:
    """The ideas of the fitted rows, then of each part."""
    age, port = (RAW[name].fillna(RAW[name].iloc[fitted].mode().iloc[0]).to_numpy() for name in ("Age", "Embarked"))
    plain = plain_ideas(age, port)
    return [
        {name: values[rows] for name, values in plain.items()} | learned_ideas(fitted, rows, age)
        for rows in (fitted, *parts)
    ]


def hits(ideas: list[Ideas], names: list[str], fitted: np.ndarray, parts: list[np.ndarray]) -> list[np.ndarray]:
    """For each part, whether logistic regression (C=0.1) predicts its rows rightly; without names, women survive."""
    if not names:
        return [(FEMALE[rows] == 1) == (Y[rows] == 1) for rows in parts]
    tables = [np.column_stack([part[name] for name in names]) for part in ideas]
    centre, spread = tables[0].mean(axis=0), tables[0].std(axis=0)
    scaled = [(table - centre) / np.where(spread > 0, spread, 1) for table in tables]
    first, *others = [np.column_stack([x / np.sqrt(1 + (x / 3) ** 2), np.ones(len(x))]) for x in scaled]
    weights, penalty = np.zeros(first.shape[1]), np.diag([10.0] * (first.shape[1] - 1) + [1e-9])
    for _ in range(8):
        chance = 1 / (1 + np.exp(-first @ weights))
        curvature = (first * (chance * (1 - chance))[:, None]).T @ first + penalty
        weights -= np.linalg.solve(curvature, first.T @ (chance - Y[fitted]) + penalty @ weights)
    return [(other @ weights > 0) == (Y[rows] == 1) for other, rows in zip(others, parts, strict=True)]


def divide(rows: np.ndarray, seed: int, *, by_group: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Five times (four fifths, the other fifth), stratified."""
    kind = StratifiedGroupKFold if by_group else StratifiedKFold
    groups = link_groups(TABLE["Ticket"], TABLE["Family"])[rows] if by_group else None
    for most, fifth in kind(5, shuffle=True, random_state=seed).split(rows, Y[rows], groups):
        yield rows[most], rows[fifth]


def locked(seed: int, partitions: int, *, by_group: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    return [pair for n in range(partitions) for pair in divide(np.arange(ROWS), seed + n, by_group=by_group)]


def steps(*, by_group: bool) -> None:
    """Print each step's score and gain, by cross-validation and on the locked rows."""
    draws, before = locked(100, 2, by_group=by_group), None
    sets = dict(zip(STEPS, accumulate(STEPS.values()), strict=True))
    scores = {name: np.full((2, len(draws), ROWS), np.nan) for name in sets}
    for number, (own, vault) in enumerate(draws):
        folds = [fold for seed in range(5) for fold in divide(own, seed, by_group=by_group)]
        for name in sets:
            scores[name][0, number, own] = 0
        for fitted, rows in [*folds, (own, vault)]:
            ideas, is_vault = ideas_of(fitted, rows), rows is vault
            for name, names in sets.items():
                [found] = hits(ideas, names, fitted, [rows])
                cell = scores[name][int(is_vault), number]
                cell[rows] = found if is_vault else cell[rows] + found / 5
    for name, score in scores.items():
        means = np.nanmean(score, axis=1)  # (2, rows)
        gains = [] if before is None else [with_error(after) for after in means - before]
        print(f"{name:34s} {means[0].mean():.4f} {means[1].mean():.4f}", *gains)
        before = means


def search(count: int = 8, seeds: int = 2) -> None:
    """Print the score after each choice, by cross-validation and on the locked rows, and their difference."""
    draws = locked(200, 4, by_group=False)
    scores = np.full((2, count + 1, len(draws), ROWS), np.nan)
    for number, (own, vault) in enumerate(draws):
        folds = [fold for seed in range(seeds) for fold in divide(own, seed, by_group=False)]
        ideas = [ideas_of(fitted, rows, vault) for fitted, rows in folds]
        chosen, best = ["seven"], 0.0
        for step in range(count + 1):
            scores[:, step, number][0, own], scores[:, step, number][1, vault] = 0, 0
            for (fitted, rows), made in zip(folds, ideas, strict=True):
                valid, hidden = hits(made, chosen, fitted, [rows, vault])
                scores[0, step, number, rows] += valid / seeds
                scores[1, step, number, vault] += hidden / len(folds)
            best = np.nanmean(scores[0, step, number])
            tried = {name: tried_score(folds, ideas, [*chosen, name]) for name in ideas[0][0] if name not in chosen}
            name = max(tried, key=lambda name: (tried[name], name))
            chosen = [*chosen, name] if tried[name] > best + 1e-9 else chosen
        print(number + 1, *chosen, sep=", ", flush=True)
    for step, (cv, hidden) in enumerate(np.nanmean(scores, axis=2).swapaxes(0, 1)):
        print(f"{step} {cv.mean():.4f} {hidden.mean():.4f} {with_error(cv - hidden)}")


def tried_score(folds: list[tuple[np.ndarray, np.ndarray]], ideas: list[list[Ideas]], names: list[str]) -> float:
    """The cross-validated accuracy with some ideas."""
    found = [hits(made[:2], names, *fold_of(fold))[0] for fold, made in zip(folds, ideas, strict=True)]
    return float(np.concatenate(found).mean())


def fold_of(fold: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    return fold[0], [fold[1]]


def with_error(differences: np.ndarray) -> str:
    return f"{differences.mean():+.4f} ± {differences.std(ddof=1) / ROWS**0.5:.4f}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["search"]:
        search()
    else:
        steps(by_group="--groups" in sys.argv)
