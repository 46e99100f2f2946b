"""The target in parts of columns: in a part of a text, digits of a number, missing values, or two columns together.

``target_leakage`` examines columns as they are. Here, values that are derived from them are examined in the same way:
what they say about the target of held-out rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from shlex import quote
from typing import NamedTuple

import numpy as np
import pandas as pd

from kpipe.checks.binning import BinnedColumn, Evidence, bin_column
from kpipe.checks.class_leakage import MAX_CLASSES, find_class_leak
from kpipe.checks.combinations import (
    Derived,
    greatest_of_columns,
    joint_categories,
    number_pairs,
    remainders,
    text_pairs,
)
from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.linear_leakage import find_linear_class_leak, find_linear_leak
from kpipe.checks.number_leakage import find_rank_leak, is_in_order
from kpipe.checks.statistics import scaled_ranks
from kpipe.checks.text_parts import MARKS, find_telling_words, parts_of_numbers, parts_of_texts
from kpipe.core.values import Folds
from kpipe.data.column_types import is_pixel_table, to_numeric
from kpipe.data.dates import parse_dates
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "target_in_parts"]

_ROWS = 4_000  # that are used
_MIN_ROWS = 100
_FOLDS = 4
_TEXTS, _NUMBERS, _GROUPS = 20, 40, 3  # columns that are examined, at most
_SURE, _SURE_ROWS = 0.98, 200  # share of errors removed, or of variance explained, from which derived values are sure
_PURE, _MIN_KNOWN = 0.98, 100  # share of errors removed by a category's other rows, and rows that have such
_MAX_PER_GROUP, _RANKED = 50, 14  # rows per group, and numbers that are ranked within groups
_MAX_RANKED = 100_000  # rows of a table whose groups are ranked: a sample would break them
_COLUMNS = 60  # the first ones, of which groups and numbers to rank are taken
_SEPARATED, _MIN_OF_CLASS = 0.95, 30  # difference of shares of rows of a class and of others; rows of either
_FEW_CLASSES = 6  # of which each is compared with all others
_ROUNDED = 3  # decimals up to which numbers may be rounded
_ROWS_PER_CATEGORY, _MIN_NUMBERS = 20, 50  # of texts whose parts, and of numbers whose digits, are examined


class _Found(NamedTuple):
    """What contains the target. sure : whether nothing else explains it. rows : in how many rows."""

    sure: bool
    rows: int
    subject: str
    columns: tuple[str, ...]
    text: str


class _Target:
    """The target of the rows that are examined, prepared once."""

    def __init__(self, y: pd.Series, *, classification: bool) -> None:
        self.name = str(y.name)
        self.codes, names = pd.factorize(y, sort=True)
        self.labels = [str(name) for name in names]
        self.fold = np.random.default_rng(0).permutation(len(y)) % _FOLDS
        self.numbers = None if classification else y.to_numpy(dtype=np.float64)
        self.ranks = None if self.numbers is None else scaled_ranks(self.numbers)
        self.of_classes = classification and len(self.labels) <= MAX_CLASSES

    def evidence(self, binned: BinnedColumn) -> Evidence | None:
        """Evidence that values contain the target; None if they do not."""
        if self.ranks is not None:
            return find_rank_leak(binned.codes, self.ranks, self.fold, self.name)
        if not self.of_classes:
            return None
        return find_class_leak(binned, self.codes, self.fold, self.labels, target=self.name, columns=None)

    def of_derived(self, one: Derived) -> _Found | None:
        """What derived values contain of the target: they are certain sooner than a column, which may be a sensor."""
        binned = _bin(one.values, codes=one.codes)
        evidence = self.evidence(binned) or self._of_one_class(binned, marks=one.subject.startswith(MARKS))
        if evidence is None:
            return None
        sure = evidence.sure or (evidence.skill >= _SURE and len(self.codes) >= _SURE_ROWS)
        if not sure and self.numbers is not None and one.values.dtype.kind == "f":
            sure = is_in_order(one.values, self.numbers)
        return _Found(sure, evidence.rows, one.subject, one.columns, evidence.text)

    def _of_one_class(self, binned: BinnedColumn, *, marks: bool) -> Evidence | None:
        """Evidence that values tell one of several classes from all others; None if they do not.

        marks : whether the values are blanks and other marks that no content explains. They tell a class, too, where
        all rows that have one are of it.
        """
        marked = binned.codes != np.bincount(binned.codes).argmax()
        for code, label in enumerate(self.labels) if self.of_classes and len(self.labels) <= _FEW_CLASSES else ():
            own = (self.codes == code).astype(np.int64)
            two = len(self.labels) == 2
            if own.sum() < _MIN_OF_CLASS or (two and (code == 0 or not marks)):
                continue
            if marks and not two and not (marked.any() and own[marked].mean() > 0.5):
                continue
            names = self.labels if two else ["another", label]
            found = find_class_leak(binned, own, self.fold, names, target=self.name, columns=1 if marks else None)
            if found is not None and (marks or found.skill >= _SURE):
                return found
        return None

    def skills(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(columns,) how well (n, columns) values order the target: 2 AUC - 1 of a class, or the rank correlation."""
        ranks = np.argsort(np.argsort(values, axis=0), axis=0) / max(len(values) - 1, 1)
        ranks -= ranks.mean(axis=0)
        if self.ranks is not None:
            y = self.ranks[rows] - self.ranks[rows].mean()
            norms = np.sqrt((ranks**2).sum(axis=0) * (y**2).sum())
            return np.asarray(np.abs(y @ ranks) / np.maximum(norms, 1e-12))
        best = np.zeros(values.shape[1])
        for code in range(min(len(self.labels), 5)):
            is_class = self.codes[rows] == code
            if 0 < is_class.sum() < len(values):
                best = np.maximum(best, 2 * np.abs(ranks[is_class].mean(axis=0) - ranks[~is_class].mean(axis=0)))
        return best

    def cell_skills(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(columns,) the share of errors that the most frequent class of each of (n, columns) categories removes."""
        classes, kinds = self.codes[rows], len(self.labels)
        wrong = len(rows) - int(np.bincount(classes, minlength=kinds).max())
        result = np.zeros(values.shape[1])
        for place, column in enumerate(np.asarray(values, dtype=np.int64).T):
            column = column - column.min()
            if wrong and (size := int(column.max()) + 1) <= len(rows) / 4:
                table = np.bincount(column * kinds + classes, minlength=size * kinds).reshape(size, kinds)
                result[place] = 1 - (len(rows) - table.max(axis=1).sum()) / wrong
        return result


def _bin(values: np.ndarray, *, codes: bool = False) -> BinnedColumn:
    column = pd.Series(values)
    number = not codes and pd.api.types.is_numeric_dtype(column)
    return bin_column(column, column.to_numpy(dtype=np.float64) if number else None)


def target_in_parts(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Whether a part of a text, digits, missing values, categories or a few columns together contain the target.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    X, train = problem.X, problem.tables.train
    if len(train) < _MIN_ROWS or not len(X.columns) or is_pixel_table(X) or len(problem.targets) > 1:
        return
    rows = np.sort(np.random.default_rng(0).permutation(len(train))[:_ROWS])
    X, y = X.iloc[rows].reset_index(drop=True), train[problem.targets[0]].iloc[rows].reset_index(drop=True)
    target = _Target(y, classification=problem.task == "classification")
    plain = [c for c in X if target.evidence(bin_column(X[c], to_numeric(X[c]))) is not None]
    rest = X.drop(columns=plain)  # target leakage names the others
    derived = [
        *_derived(rest, _written(rest, problem, rows)),
        *_of_columns(rest, target),
        *_within_groups(problem, rows),
    ]
    found = [one for one in map(target.of_derived, derived) if one is not None]
    found += [
        *_missing(rest, target),
        *_class_by_missing_values(rest, target),
        *_words(rest, target),
        *_weighted(rest, target),
        *_pure_categories(rest, problem, target),
    ]
    if not found:
        yield "pass", "No part of a text, no missing value and no combination of columns contains the target."
        return
    first = max(found, key=lambda one: (one.sure, one.rows))
    yield (
        "fail" if first.sure else "warn",
        f"{first.subject} {first.text}. Models may copy it, but it will not be known for test rows: find out where "
        f"{' and '.join(first.columns)} came from, and remove the part that was added after the fact, or drop "
        f"{'it' if len(first.columns) == 1 else 'one'} (--drop {quote(first.columns[-1])}).",
    )


def _written(X: pd.DataFrame, problem: Problem, rows: np.ndarray) -> pd.DataFrame:
    """The columns of texts, and those that are read as numbers, such as 12:30:59 and 1.50 mg, as the file has them."""
    raw = problem.files.train
    names = [c for c in X if c in raw] if len(raw) == len(problem.tables.train) else []
    names = [c for c in names if pd.api.types.is_numeric_dtype(X[c]) > pd.api.types.is_numeric_dtype(raw[c])]
    return X.assign(**{str(c): raw[c].iloc[rows].to_numpy() for c in names})


def _derived(X: pd.DataFrame, written: pd.DataFrame) -> Iterator[Derived]:
    # A part of a category says no more than the category, unless each has only a few rows.
    numeric = {c for c in X if pd.api.types.is_numeric_dtype(X[c])}
    texts = [c for c in written if not pd.api.types.is_numeric_dtype(written[c])]
    texts = [c for c in texts if written[c].nunique() > len(X) / _ROWS_PER_CATEGORY][:_TEXTS]
    missing = X.isna()
    if missing.to_numpy().any():
        digits = np.ascontiguousarray(missing.to_numpy(dtype=np.uint8) + ord("0"))
        patterns = pd.Series(digits.view(f"S{digits.shape[1]}").ravel().astype(str))  # a digit for each column
        holders = tuple(str(column) for column in missing.columns[missing.any()])
        if patterns.nunique() <= len(X) / 10:
            yield Derived("The pattern of missing values", holders[:2], patterns.to_numpy(), codes=True)
    for column in texts:
        if (dates := parse_dates(written[column])) is not None:
            yield Derived(f"The weekday of {column}", (str(column),), dates.dt.day_of_week.to_numpy(), codes=True)
        if missing[column].any():
            yield Derived(f"Whether {column} is missing", (str(column),), missing[column].to_numpy(), codes=True)
        for subject, part in parts_of_texts(str(column), _cells(written[column])):
            of_numbers = isinstance(part[0], float)
            if len(set(part)) > 1 and (of_numbers or len(set(part)) < len(X) / 2):
                yield Derived(subject, (str(column),), np.array(part, dtype=None if of_numbers else object))
    numbers = [c for c in X if c in numeric and X[c].nunique() > _MIN_NUMBERS]
    for column in numbers[:_NUMBERS]:
        for subject, digits in parts_of_numbers(str(column), X[column].to_numpy(dtype=np.float64, na_value=np.nan)):
            yield Derived(subject, (str(column),), digits)


def _cells(column: pd.Series) -> list[str | None]:
    return [str(cell) if present else None for cell, present in zip(column, column.notna(), strict=True)]


def _of_columns(X: pd.DataFrame, target: _Target) -> Iterator[Derived]:
    """Values of two or three columns that pass a screening."""
    yield from number_pairs(X, target.skills, target.cell_skills if target.of_classes else None)
    yield from text_pairs(X)
    if target.of_classes:
        yield from remainders(X, target.cell_skills)
        yield from joint_categories(X, target.cell_skills)
        yield from greatest_of_columns(X, target.cell_skills, len(target.labels))


def _missing(X: pd.DataFrame, target: _Target) -> Iterator[_Found]:
    """Columns whose values, or whose decimals, hardly any row of other classes has, and nearly all rows of one."""
    for column, present, subject, what in _flags(X) if target.of_classes else ():
        for code, label in enumerate(target.labels):
            own = target.codes == code
            if _MIN_OF_CLASS <= own.sum() <= len(own) - _MIN_OF_CLASS:
                shares = present[own].mean(), present[~own].mean()
                if abs(shares[0] - shares[1]) >= _SEPARATED:
                    have = f"{shares[0]:.1%} of the rows of {label} have {what}, {shares[1]:.1%} of the others"
                    yield _Found(True, int(own.sum()), subject, (str(column),), f"tells {target.name}: {have}")
                    break


def _flags(X: pd.DataFrame) -> Iterator[tuple[Hashable, np.ndarray, str, str]]:
    """Columns, what some of their rows have, the subject of a sentence about it, and its name."""
    for column in X.columns[X.isna().any()]:
        yield column, X[column].notna().to_numpy(), f"Whether {column} is missing", "a value"
    for name in (c for c in X if pd.api.types.is_float_dtype(X[c])):
        values = X[name].to_numpy(dtype=np.float64)
        for decimals in range(_ROUNDED):
            rounded = np.round(values, decimals) == values
            if min(rounded.sum(), (~rounded).sum()) >= _MIN_OF_CLASS:
                subject = f"How many decimals {name} has"
                yield name, rounded, subject, "a whole number" if not decimals else f"at most {decimals}"


def _class_by_missing_values(X: pd.DataFrame, target: _Target) -> Iterator[_Found]:
    """One of several classes that the pattern of missing values separates from all others."""
    holders = X.columns[X.isna().any()]
    if not target.of_classes or len(target.labels) < 3 or not len(holders):
        return
    patterns = bin_column(X[holders].isna().astype("int8").astype(str).agg("".join, axis=1), None)
    for code, label in enumerate(target.labels):
        own = (target.codes == code).astype(np.int64)
        if own.sum() >= _MIN_OF_CLASS and len(patterns.values) <= len(X) / 10:
            found = find_class_leak(patterns, own, target.fold, ["another", label], target=target.name, columns=None)
            if found is not None and found.skill >= _SURE:
                names = tuple(str(column) for column in holders)
                yield _Found(
                    True, found.rows, f"The pattern of missing values, of {label} and others,", names[:2], found.text
                )


def _weighted(X: pd.DataFrame, target: _Target) -> Iterator[_Found]:
    if target.numbers is not None and (leak := find_linear_leak(X, target.numbers)) is not None:
        columns, text, exact = leak
        yield _Found(exact, len(X), f"{', '.join(columns)} together", tuple(columns), text)
    if target.of_classes and len(target.labels) == 2 and (of_classes := find_linear_class_leak(X, target.codes)):
        columns, text = of_classes  # a legitimate sum may separate classes, too
        yield _Found(False, len(X), f"{', '.join(columns)} together", tuple(columns), text)


def _within_groups(problem: Problem, rows: np.ndarray) -> Iterator[Derived]:
    """The rank of a number within groups, and the place of a row within its group."""
    train, X = problem.tables.train, problem.X
    if len(train) > _MAX_RANKED:
        return
    names: list[Hashable] = [problem.groups] if problem.groups is not None else []
    names += [
        c for c in list(X)[:_COLUMNS] if c not in names and 1.5 <= len(X) / max(X[c].nunique(), 1) <= _MAX_PER_GROUP
    ]
    numbers = [c for c in list(X)[:_COLUMNS] if pd.api.types.is_numeric_dtype(X[c]) and X[c].nunique() > 10][:_RANKED]
    for group in names[:_GROUPS]:
        if pd.api.types.is_float_dtype(train[group]):
            continue
        grouped = train[[*dict.fromkeys([group, *numbers])]].groupby([group], sort=False, observed=True)
        place = grouped.cumcount().iloc[rows].reset_index(drop=True)
        yield Derived(f"The place of a row within its {group}", (str(group),), place.to_numpy())
        ranks = grouped[[n for n in numbers if n != group]].rank(method="min") if len(numbers) > 1 else pd.DataFrame()
        for column in ranks:
            subject = f"The rank of {column} within its {group}"
            yield Derived(subject, (str(column),), ranks[column].iloc[rows].to_numpy())


def _words(X: pd.DataFrame, target: _Target) -> Iterator[_Found]:
    for column in X if target.of_classes else ():
        if not pd.api.types.is_numeric_dtype(X[column]) and to_numeric(X[column]) is None:
            found = find_telling_words(_cells(X[column]), target.codes, target.fold, target.labels)
            if found is not None:
                yield _Found(True, found[0], f"Words in {column}", (str(column),), found[1])


def _pure_categories(X: pd.DataFrame, problem: Problem, target: _Target) -> Iterator[_Found]:
    """Columns of many categories, of which each has rows of one class only, in held-out rows."""
    if not target.of_classes:
        return
    for column in X:
        distinct = X[column].nunique()
        if column == problem.groups or not 20 <= distinct <= len(X) / 1.5 or pd.api.types.is_float_dtype(X[column]):
            continue
        codes = pd.factorize(X[column], use_na_sentinel=False)[0]
        known, right = _known_and_right(codes, target.codes, target.fold)
        most = np.bincount(target.codes[known], minlength=len(target.labels)).max(initial=0)
        n, wrong = int(known.sum()), int((~right[known]).sum())
        if n < _MIN_KNOWN or n - most < 20 or 1 - wrong / (n - most) < _PURE:
            continue
        in_test = (
            float(problem.tables.test[column].isin(X[column].unique()).mean()) if column in problem.tables.test else 0
        )
        text = f"determines {target.name} in {n - wrong} of {n} rows whose category other rows have, too"
        yield _Found(in_test > 0.5, n, str(column), (str(column),), text)


def _known_and_right(codes: np.ndarray, classes: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows have a category that other folds have, too, and whether most of those rows have their class."""
    kinds, size = int(classes.max()) + 1, int(codes.max()) + 1
    table = np.zeros((int(fold.max()) + 1, size, kinds), dtype=np.int64)
    np.add.at(table, (fold, codes, classes), 1)
    others = (table.sum(axis=0) - table)[fold, codes]
    return others.sum(axis=1) > 0, others.argmax(axis=1) == classes


TABLE_CHECKS = (TableCheck("target in parts", target_in_parts, optional=True),)
