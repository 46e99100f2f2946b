"""Mistakes in tables and folds, planted in clean tables: for tests, and to measure the sensitivity of the checks.

Each function takes a clean problem with its folds, the share of rows (or columns, where it says so) that the mistake
affects, and a random generator; it returns the problem and folds with the mistake. Added columns have names that are
easy to find in the text of a check.
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
from kpipe.checks.odd_values import values_in_range
from kpipe.checks.row_order import row_order_leakage
from kpipe.checks.target_leakage import target_leakage
from kpipe.checks.target_parts import target_in_parts
from kpipe.core.values import Check, Folds, Tables
from kpipe.problem.competition import unchanged
from kpipe.problem.problem import Problem
from kpipe.training.folds import make_folds


@dataclass(frozen=True)
class Prepared:
    """A problem with its folds."""

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
        """The results of all checks of tables and folds, by name."""
        cleaned = replace(self.problem.competition, clean=unchanged)  # the tables are cleaned already
        problem = replace(self.problem, competition=cleaned, files=self.tables)
        return {check.name: check for check in table_checks(problem, self.folds)}

    def check(self, name: str) -> Check | None:
        """The result of one check; None if it has no finding."""
        return next(run_check(name, CHECKS[name], self.problem, self.folds), None)

    def with_column(self, name: str, train: np.ndarray, test: np.ndarray, *, seen: bool = True) -> Prepared:
        """The same with one more column. seen : whether models use it."""
        tables = replace(
            self.tables, train=self.tables.train.assign(**{name: train}), test=self.tables.test.assign(**{name: test})
        )
        columns = (*self.problem.columns, name) if seen else self.problem.columns
        return Prepared(replace(self.problem, columns=columns, tables=tables), self.folds)

    @property
    def numbers(self) -> list[str]:
        """The columns of at least 10 numbers that models use."""
        frame = self.problem.X
        return [c for c in frame if pd.api.types.is_numeric_dtype(frame[c]) and frame[c].nunique() >= 10]

    @property
    def y(self) -> pd.Series:
        return self.tables.train[self.problem.targets[0]]


def some(count: int, share: float, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(count)[: max(1, round(count * share))])


def _appended(given: Prepared, more: pd.DataFrame) -> Prepared:
    """The same with more rows of train, each with an id and a group of its own."""
    problem, n = given.problem, len(given.tables.train)
    if problem.id in more:
        more = more.assign(**{problem.id: more[problem.id].astype(str) + "9"})
    if problem.groups is not None:
        more = more.assign(**{problem.groups: [f"copy {number}" for number in range(len(more))]})
    train = pd.concat([given.tables.train, more], ignore_index=True)
    assert len(train) == n + len(more)
    return Prepared.of(problem, replace(given.tables, train=train))


# --- rows


def train_on_validation_rows(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of the validation rows of each fold are also its training rows."""
    train = [
        np.union1d(fitted, valid[some(len(valid), share, rng)])
        for fitted, valid in zip(given.folds.train, given.folds.valid, strict=True)
    ]
    return replace(given, folds=replace(given.folds, train=tuple(train)))


def oversample(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """Rows are oversampled before folds are made, with new ids."""
    rows = some(len(given.tables.train), share, rng)
    return _appended(given, given.tables.train.iloc[rows])


def add_noisy_duplicates(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """Rows are oversampled with noise in every number: augmentation before folds are made."""
    train = given.tables.train
    rows = some(len(train), share, rng)
    more = train.iloc[rows].copy()
    for column in given.numbers:
        values = more[column].to_numpy(dtype=float, na_value=np.nan)
        noise = rng.normal(scale=0.02 * np.nanstd(values) if len(values) > 1 else 0.1, size=len(rows))
        made = values + noise * (values != 0)  # zero stays zero: the background of a digit, an amount that was not paid
        if train[column].dtype.kind in "iu":
            low, high = train[column].min(), train[column].max()
            more[column] = np.clip(np.rint(made), low, high).astype(train[column].dtype)
        else:
            more[column] = made
    return _appended(given, more)


def add_edited_duplicates(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """Rows are oversampled, each with two columns of another row."""
    train = given.tables.train
    rows = some(len(train), share, rng)
    more, others = train.iloc[rows].copy(), train.iloc[rng.permutation(len(train))[: len(rows)]]
    columns = [c for c in given.tables.test.columns if c != given.problem.id]
    for changed in rng.permutation(columns)[:2]:
        more[changed] = others[changed].to_numpy()
    return _appended(given, more)


# --- columns


def shift_columns(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """The last columns of test, a share of all, hold the values of their right neighbours."""
    columns = [c for c in given.tables.train.columns if c in given.tables.test.columns]
    columns = [c for c in columns if c != given.problem.id]
    start = min(len(columns) - 2, round(len(columns) * (1 - share)))
    test = given.tables.test.copy()
    for place in range(start, len(columns)):
        source = columns[place + 1] if place + 1 < len(columns) else columns[start]
        test[columns[place]] = given.tables.test[source].to_numpy()
    return replace(given, problem=given.problem.with_tables(replace(given.tables, test=test)))


def swap_columns(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """Two columns of numbers exchange names in test, whatever the share."""
    one, two = rng.permutation(given.numbers)[:2]
    test = given.tables.test.rename(columns={one: two, two: one})
    return replace(given, problem=given.problem.with_tables(replace(given.tables, test=test)))


# --- the target


def _known(given: Prepared) -> np.ndarray:
    """The target as numbers."""
    return given.y.to_numpy(dtype=float) if given.problem.task == "regression" else pd.factorize(given.y)[0] * 1.0


def add_target_in_some_rows(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A column holds the target in some rows and is missing in the others."""
    y = _known(given)
    train = np.full(len(y), np.nan)
    rows = some(len(y), share, rng)
    train[rows] = y[rows]
    return given.with_column("found later", train, np.full(len(given.tables.test), np.nan))


def overwrite_with_target(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A column of noise is overwritten with the target in some rows."""
    y = _known(given)
    noise = [rng.normal(50, 15, len(frame)).round(1) for frame in (given.tables.train, given.tables.test)]
    rows = some(len(y), share, rng)
    noise[0][rows] = y[rows]
    return given.with_column("found later", *noise)


def add_scaled_target(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A column holds 1.1 times the target plus 3 in some rows, and that of other rows in the others."""
    y = 1.1 * _known(given) + 3
    train = rng.permutation(y)
    rows = some(len(y), share, rng)
    train[rows] = y[rows]
    return given.with_column("found later", train, rng.choice(y, len(given.tables.test)))


def add_near_copy_of_target(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A column holds the target, except for a share of the rows, which hold that of another row."""
    y = _known(given)
    train = y.copy()
    rows = some(len(y), share, rng)
    train[rows] = rng.permutation(y)[rows]
    return given.with_column("found later", train, rng.choice(y, len(given.tables.test)))


def sort_by_target(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of the rows of train are sorted by the target, and a column numbers them."""
    order = np.arange(len(given.y))
    rows = some(len(order), share, rng)
    order[rows] = rows[np.argsort(_known(given)[rows], kind="stable")]
    train = given.tables.train.iloc[order].reset_index(drop=True)
    problem = given.problem
    made = Prepared.of(problem, replace(given.tables, train=train))
    return made.with_column("line", np.arange(len(order)), len(order) + np.arange(len(given.tables.test)))


# --- folds


def split_customers(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of rows belong to customers of four rows each, test has other customers, and folds are by row."""
    n, m = len(given.tables.train), len(given.tables.test)
    train = 10**6 + np.arange(n)
    rows = rng.permutation(some(n, share, rng))
    train[rows] = np.arange(len(rows)) // 4
    test = 5 * 10**6 + np.arange(m) // 4
    return given.with_column("customer", train, test, seen=False)


def separate_groups(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """The competition declares groups, but a share of the rows are in another fold than their group."""
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


def train_on_later_rows(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """Test is later than train, but folds are by row in a share of the rows; the earlier rows are only trained on."""
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


# --- differences between train and test


def add_missing_values(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of one column is missing in test, but not in train."""
    column = str(rng.choice(given.numbers))
    test = given.tables.test.copy()
    values = test[column].to_numpy(dtype=float, na_value=np.nan, copy=True)
    values[some(len(test), share, rng)] = np.nan
    tables = replace(
        given.tables, train=given.tables.train.astype({column: float}), test=test.assign(**{column: values})
    )
    return replace(given, problem=given.problem.with_tables(tables))


def add_category(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of the test rows have a town that does not occur in train."""
    towns = [rng.choice(list("abcd"), len(frame)) for frame in (given.tables.train, given.tables.test)]
    towns[1][some(len(towns[1]), share, rng)] = "e"
    return given.with_column("town", *towns)


def sample_upper_half(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A share of the test rows are sampled from the upper half of a column."""
    measure = [rng.normal(size=len(frame)) for frame in (given.tables.train, given.tables.test)]
    rows = some(len(measure[1]), share, rng)
    measure[1][rows] = np.abs(measure[1][rows])
    return given.with_column("measure", *measure)


def split_accounts(given: Prepared, share: float, rng: np.random.Generator) -> Prepared:
    """A number identifies accounts of three rows each, a share of which occur in test too."""
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
    "values in range": values_in_range,
    "target in parts": target_in_parts,
}


@dataclass(frozen=True)
class Plant:
    """A mistake, its name in the docs, and the check that must catch it.

    check, words : the check that must not pass, and words of its text that name the mistake.
    share : the share of rows in which it is clear.
    task : the only task for which it is possible.
    """

    make: Callable[[Prepared, float, np.random.Generator], Prepared]
    mistake: str
    check: str
    words: str
    share: float = 0.3
    task: str = ""

    def caught(self, given: Prepared, share: float | None = None, seed: int = 0) -> Check | None:
        """The result of the check if it names the mistake; None if the mistake is not caught."""
        # Another seed than that of the checks, which would sample the very same rows.
        planted = self.make(given, self.share if share is None else share, np.random.default_rng(1000 + seed))
        for name in self.check.split(" or "):
            found = planted.check(name)
            if found is not None and found.status != "pass" and self.words in found.detail:
                return found
        return None

    def fits(self, given: Prepared) -> bool:
        pixels = bool((given.problem.X.dtypes == np.uint8).all())
        not_of_images = self.make in (sample_upper_half, add_missing_values, add_edited_duplicates, swap_columns)
        return self.task in ("", given.problem.task) and not (pixels and not_of_images)


PLANTS = [
    Plant(
        train_on_validation_rows,
        "folds train on validation rows",
        "training and validation rows disjoint",
        "of its validation rows",
    ),
    Plant(oversample, "rows oversampled before folds are made", "duplicates across folds", "are identical"),
    Plant(add_edited_duplicates, "duplicates with two columns changed", "duplicates across folds", "separated by fold"),
    Plant(
        add_noisy_duplicates,
        "duplicates with noise (augmentation)",
        "near-duplicates across folds or duplicates across folds",
        "separated by fold",
    ),
    Plant(shift_columns, "columns of test off by one", "column alignment", "off by 1", 0.9),
    Plant(swap_columns, "two columns of test swapped", "column alignment", "has the values that"),
    Plant(add_target_in_some_rows, "a column holds the target in some rows", "target leakage", "found later"),
    Plant(overwrite_with_target, "a column overwritten with the target in some rows", "target leakage", "found later"),
    Plant(
        add_scaled_target,
        "a column is a linear function of the target in some rows",
        "target leakage",
        "found later",
        task="regression",
    ),
    Plant(
        add_near_copy_of_target, "a near-copy of the target (share: wrong rows)", "target leakage", "found later", 0.02
    ),
    Plant(sort_by_target, "rows sorted by the target, and numbered", "row-order leakage", "line", 1.0),
    Plant(
        split_customers,
        "rows of a customer in several folds, other customers in test",
        "group overlap matches test",
        "customer",
    ),
    Plant(
        split_accounts,
        "rows of an account number in several folds, other accounts in test",
        "group overlap matches test",
        "account",
    ),
    Plant(separate_groups, "a splitter that separates groups", "groups kept together", "customer"),
    Plant(train_on_later_rows, "test is later, folds are by row", "validation after training", "sold on", 0.9),
    Plant(add_category, "categories that occur in test only", "unseen categories", "town"),
    Plant(add_missing_values, "missing values that occur in test only", "missingness shift", "is missing in"),
    Plant(sample_upper_half, "test rows sampled from one half of a column", "adversarial validation", "measure", 1.0),
]
