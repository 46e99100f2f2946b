"""Mistakes of tables and folds, planted in tables that are clean: for the tests, and for how sharp the checks are.

Each takes what was prepared, the share of rows (or of columns, where it says so) that the mistake touches, and a
generator; it gives what would be prepared had the mistake been made. What is planted is called by a name of its own,
so that a check can be seen to name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from kpipe.checks import table_checks
from kpipe.checks.adversarial import adversarial_validation
from kpipe.checks.column_alignment import column_alignment
from kpipe.checks.distribution_shift import missingness_shift, unseen_categories
from kpipe.checks.duplicates import duplicates_across_folds
from kpipe.checks.folds import disjoint_rows, groups_together, validation_after_training
from kpipe.checks.group_overlap import group_overlap
from kpipe.checks.interface import Finding, run_check
from kpipe.checks.near_duplicates import near_duplicates_across_folds
from kpipe.checks.row_order import row_order_leakage
from kpipe.checks.target_leakage import target_leakage
from kpipe.core.values import Check, Folds, Tables
from kpipe.problem.competition import unchanged
from kpipe.problem.problem import Problem
from kpipe.training.folds import make_folds


@dataclass(frozen=True)
class Prepared:
    """What a run has before it trains."""

    problem: Problem
    folds: Folds

    @classmethod
    def of(cls, problem: Problem, tables: Tables | None = None) -> Prepared:
        """A problem, or the same on other cleaned tables, with its folds."""
        given = problem if tables is None else problem.with_tables(tables)
        return cls(given, make_folds(given))

    @property
    def tables(self) -> Tables:
        return self.problem.tables

    def checks(self) -> dict[str, Check]:
        """What all checks of tables say."""
        cleaned = replace(self.problem.competition, clean=unchanged)  # these tables are
        problem = replace(self.problem, competition=cleaned, files=self.tables)
        return {check.name: check for check in table_checks(problem, self.folds)}

    def check(self, name: str) -> Check | None:
        """One of them, without the others; None where it says nothing."""
        return next(run_check(name, CHECKS[name], self.problem, self.folds), None)

    def with_column(self, name: str, train: np.ndarray, test: np.ndarray, *, seen: bool = True) -> Prepared:
        """One more column, which models see or not."""
        tables = replace(
            self.tables, train=self.tables.train.assign(**{name: train}), test=self.tables.test.assign(**{name: test})
        )
        columns = (*self.problem.columns, name) if seen else self.problem.columns
        return Prepared(replace(self.problem, columns=columns, tables=tables), self.folds)

    @property
    def numbers(self) -> list[str]:
        """The columns of numbers that vary, which models see."""
        frame = self.problem.X
        return [c for c in frame if pd.api.types.is_numeric_dtype(frame[c]) and frame[c].nunique() >= 10]

    @property
    def y(self) -> pd.Series:
        return self.tables.train[self.problem.targets[0]]


def some(count: int, share: float, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(count)[: max(1, round(count * share))])


def _appended(given: Prepared, more: pd.DataFrame) -> Prepared:
    """More rows of train, each with an id and a group of its own."""
    problem, n = given.problem, len(given.tables.train)
    if problem.id in more:
        more = more.assign(**{problem.id: more[problem.id].astype(str) + "9"})
    if problem.groups is not None:
        more = more.assign(**{problem.groups: [f"copy {number}" for number in range(len(more))]})
    train = pd.concat([given.tables.train, more], ignore_index=True)
    assert len(train) == n + len(more)
    return Prepared.of(problem, replace(given.tables, train=train))


# --- rows


def same_rows(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of each fold's validated rows is trained on."""
    train = [
        np.union1d(fitted, valid[some(len(valid), share, rng)])
        for fitted, valid in zip(given.folds.train, given.folds.valid, strict=True)
    ]
    return replace(given, folds=replace(given.folds, train=tuple(train)))


def copies(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """Rows drawn again before the folds are made: oversampling, with new ids."""
    rows = some(len(given.tables.train), share, rng)
    return _appended(given, given.tables.train.iloc[rows])


def near_copies(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """Rows drawn again with noise in every number: augmentation before the folds."""
    train = given.tables.train
    rows = some(len(train), share, rng)
    more = train.iloc[rows].copy()
    for column in given.numbers:
        values = more[column].to_numpy(dtype=float, na_value=np.nan)
        noise = rng.normal(scale=0.02 * np.nanstd(values) if len(values) > 1 else 0.1, size=len(rows))
        made = values + noise * (values != 0)  # nothing stays nothing: the paper around a digit, a bill not paid
        if train[column].dtype.kind in "iu":
            low, high = train[column].min(), train[column].max()
            more[column] = np.clip(np.rint(made), low, high).astype(train[column].dtype)
        else:
            more[column] = made
    return _appended(given, more)


def edited_copies(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """Rows drawn again, each with two columns of another row."""
    train = given.tables.train
    rows = some(len(train), share, rng)
    more, others = train.iloc[rows].copy(), train.iloc[rng.permutation(len(train))[: len(rows)]]
    columns = [c for c in given.tables.test.columns if c != given.problem.id]
    for changed in rng.permutation(columns)[:2]:
        more[changed] = others[changed].to_numpy()
    return _appended(given, more)


# --- columns


def shifted(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """The last columns of test, a share of them, hold their right neighbour's values."""
    columns = [c for c in given.tables.train.columns if c in given.tables.test.columns]
    columns = [c for c in columns if c != given.problem.id]
    start = min(len(columns) - 2, round(len(columns) * (1 - share)))
    test = given.tables.test.copy()
    for place in range(start, len(columns)):
        source = columns[place + 1] if place + 1 < len(columns) else columns[start]
        test[columns[place]] = given.tables.test[source].to_numpy()
    return replace(given, problem=given.problem.with_tables(replace(given.tables, test=test)))


def swapped(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """Two columns of numbers change names in test; whatever the share."""
    one, two = rng.permutation(given.numbers)[:2]
    test = given.tables.test.rename(columns={one: two, two: one})
    return replace(given, problem=given.problem.with_tables(replace(given.tables, test=test)))


# --- the target


def _known(given: Prepared) -> np.ndarray:
    """The target as numbers."""
    return given.y.to_numpy(dtype=float) if given.problem.task == "regression" else pd.factorize(given.y)[0] * 1.0


def target_in_some_rows(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A column with the target in some rows and nothing in the others."""
    y = _known(given)
    train = np.full(len(y), np.nan)
    rows = some(len(y), share, rng)
    train[rows] = y[rows]
    return given.with_column("found later", train, np.full(len(given.tables.test), np.nan))


def target_written_over(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A column of noise over which the target was written in some rows."""
    y = _known(given)
    noise = [rng.normal(50, 15, len(frame)).round(1) for frame in (given.tables.train, given.tables.test)]
    rows = some(len(y), share, rng)
    noise[0][rows] = y[rows]
    return given.with_column("found later", *noise)


def target_scaled(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A column with 1.1 times the target plus 3 in some rows and other rows' in the others."""
    y = 1.1 * _known(given) + 3
    train = rng.permutation(y)
    rows = some(len(y), share, rng)
    train[rows] = y[rows]
    return given.with_column("found later", train, rng.choice(y, len(given.tables.test)))


def target_nearly(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A column that is the target but for a share of the rows, which hold another row's."""
    y = _known(given)
    train = y.copy()
    rows = some(len(y), share, rng)
    train[rows] = rng.permutation(y)[rows]
    return given.with_column("found later", train, rng.choice(y, len(given.tables.test)))


def sorted_by_target(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of train's rows lie sorted by the target, and a column numbers them."""
    order = np.arange(len(given.y))
    rows = some(len(order), share, rng)
    order[rows] = rows[np.argsort(_known(given)[rows], kind="stable")]
    train = given.tables.train.iloc[order].reset_index(drop=True)
    problem = given.problem
    made = Prepared.of(problem, replace(given.tables, train=train))
    return made.with_column("line", np.arange(len(order)), len(order) + np.arange(len(given.tables.test)))


# --- folds


def groups_parted(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of rows belong to customers of four rows each, of whom test has others; folds are by row."""
    n, m = len(given.tables.train), len(given.tables.test)
    train = 10**6 + np.arange(n)
    rows = rng.permutation(some(n, share, rng))
    train[rows] = np.arange(len(rows)) // 4
    test = 5 * 10**6 + np.arange(m) // 4
    return given.with_column("customer", train, test, seen=False)


def groups_cut(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """The competition says that its groups stay together; a share of the rows lie in the wrong fold."""
    n = len(given.tables.train)
    made = given.with_column("customer", np.arange(n) // 4, n + np.arange(len(given.tables.test)), seen=False)
    fold = (np.arange(n) // 4) % 5
    rows = some(n, share, rng)
    fold[rows] = (fold[rows] + 1) % 5
    folds = Folds(
        train=tuple(np.flatnonzero(fold != k) for k in range(5)),
        valid=tuple(np.flatnonzero(fold == k) for k in range(5)),
    )
    return Prepared(replace(made.problem, groups="customer"), folds)


def future_for_past(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """Days by which test comes after train, and folds by row in a share of the rows; the others only train, early."""
    n, m = len(given.tables.train), len(given.tables.test)
    days = pd.Timestamp(2015, 1, 1) + pd.to_timedelta(np.arange(n + m) // 3, unit="D")
    text = days.strftime("%Y-%m-%d").to_numpy()
    made = given.with_column("sold on", text[:n], text[n:])
    start = min(n - 10, round(n * (1 - share)))
    pairs = list(KFold(5, shuffle=True, random_state=0).split(np.arange(start, n)))
    early = np.arange(start)
    folds = Folds(
        train=tuple(np.concatenate([early, start + t]) for t, _ in pairs), valid=tuple(start + v for _, v in pairs)
    )
    return replace(made, folds=folds)


# --- test drawn otherwise


def other_gaps(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of test's cells of one column is missing, which train has."""
    column = str(rng.choice(given.numbers))
    test = given.tables.test.copy()
    values = test[column].to_numpy(dtype=float, na_value=np.nan, copy=True)
    values[some(len(test), share, rng)] = np.nan
    tables = replace(
        given.tables, train=given.tables.train.astype({column: float}), test=test.assign(**{column: values})
    )
    return replace(given, problem=given.problem.with_tables(tables))


def other_levels(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of test's rows have a town that train lacks."""
    towns = [rng.choice(list("abcd"), len(frame)) for frame in (given.tables.train, given.tables.test)]
    towns[1][some(len(towns[1]), share, rng)] = "e"
    return given.with_column("town", *towns)


def drawn_otherwise(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of test's rows were drawn from the upper half of a column."""
    measure = [rng.normal(size=len(frame)) for frame in (given.tables.train, given.tables.test)]
    rows = some(len(measure[1]), share, rng)
    measure[1][rows] = np.abs(measure[1][rows])
    return given.with_column("measure", *measure)


def known_price(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A number that names a thing with three rows each (a price, an account), a share of which test has too."""
    n, m = len(given.tables.train), len(given.tables.test)
    names = rng.permutation(n * 10)[: n + m] + 0.5
    train = names[np.arange(n) // 3]
    test = names[n : n + m]
    rows = some(m, 1 - share, rng) if share < 1 else np.array([], dtype=int)
    test[rows] = rng.choice(train, len(rows))
    shuffled = rng.permutation(n)
    return given.with_column("account", train[shuffled], test, seen=False)


CHECKS: dict[str, Callable[[Problem, Folds], Iterable[Finding]]] = {
    "training and validation rows disjoint": disjoint_rows,
    "groups kept together": groups_together,
    "validation after training": validation_after_training,
    "duplicates across folds": duplicates_across_folds,
    "near-duplicates across folds": near_duplicates_across_folds,
    "target leakage": target_leakage,
    "row-order leakage": row_order_leakage,
    "column alignment": column_alignment,
    "unseen categories": unseen_categories,
    "missingness shift": missingness_shift,
    "group overlap matches test": group_overlap,
    "adversarial validation": adversarial_validation,
}


@dataclass(frozen=True)
class Plant:
    """A mistake, how it is called in the docs, and by whom it must be caught.

    check, words : the check that must not pass, and words of its sentence that name the mistake.
    share : the share of rows that makes a plain case of it.
    task : the only kind of competition in which it can be made.
    """

    make: Callable[[Prepared, float, np.random.Generator], Prepared]
    mistake: str
    check: str
    words: str
    share: float = 0.3
    task: str = ""

    def caught(self, given: Prepared, share: float | None = None, seed: int = 0) -> Check | None:
        """What the check says of it, if it says so; None where the mistake gets by."""
        # Not the seed by which the checks draw their own rows: these would be the very ones.
        planted = self.make(given, self.share if share is None else share, np.random.default_rng(1000 + seed))
        for name in self.check.split(" or "):
            found = planted.check(name)
            if found is not None and found.status != "pass" and self.words in found.detail:
                return found
        return None

    def fits(self, given: Prepared) -> bool:
        pixels = bool((given.problem.X.dtypes == np.uint8).all())
        blind = self.make in (drawn_otherwise, other_gaps, edited_copies, swapped)  # no sense in pictures
        return self.task in ("", given.problem.task) and not (pixels and blind)


PLANTS = [
    Plant(
        same_rows, "validation rows are trained on", "training and validation rows disjoint", "of its validation rows"
    ),
    Plant(copies, "rows oversampled before the folds are made", "duplicates across folds", "are identical"),
    Plant(edited_copies, "copies with two columns changed", "duplicates across folds", "separated by fold"),
    Plant(
        near_copies,
        "copies with noise (augmentation)",
        "near-duplicates across folds or duplicates across folds",
        "separated by fold",
    ),
    Plant(shifted, "columns of test off by one", "column alignment", "off by 1", 0.9),
    Plant(swapped, "two columns of test swapped", "column alignment", "has the values that"),
    Plant(target_in_some_rows, "a column holds the target in some rows", "target leakage", "found later"),
    Plant(target_written_over, "the target written over a column in some rows", "target leakage", "found later"),
    Plant(
        target_scaled, "a column follows the target in some rows", "target leakage", "found later", task="regression"
    ),
    Plant(target_nearly, "a near copy of the target (share: wrong rows)", "target leakage", "found later", 0.02),
    Plant(sorted_by_target, "rows sorted by the target, and numbered", "row-order leakage", "line", 1.0),
    Plant(
        groups_parted,
        "rows of one customer in several folds, in test new ones",
        "group overlap matches test",
        "customer",
    ),
    Plant(known_price, "the same of a number that names an account", "group overlap matches test", "account"),
    Plant(groups_cut, "a splitter that parts the competition's groups", "groups kept together", "customer"),
    Plant(future_for_past, "test lies later, folds are by row", "validation after training", "sold on", 0.9),
    Plant(other_levels, "levels that train lacks", "unseen categories", "town"),
    Plant(other_gaps, "gaps in test that train lacks", "missingness shift", "is missing in"),
    Plant(drawn_otherwise, "test rows drawn from one half of a column", "adversarial validation", "measure", 1.0),
]
