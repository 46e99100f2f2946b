"""The target in pieces: in a part of a text, in the digits of a number, in what is missing, or in two columns together.

``target_leakage`` examines columns as they are. Here, values that are derived from them are examined in the same way:
what they say about the target of held-out rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from shlex import quote

import numpy as np
import pandas as pd

from kpipe.checks.binning import Evidence, bin_column
from kpipe.checks.class_leakage import MAX_CLASSES, find_class_leak
from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.number_leakage import find_rank_leak
from kpipe.checks.statistics import scaled_ranks
from kpipe.core.values import Folds
from kpipe.data.column_types import is_pixel_table, to_numeric
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "target_in_parts"]

_ROWS, _SCREENED = 4_000, 300  # rows that are used, and those by which pairs of columns are screened
_MIN_ROWS = 100
_FOLDS = 4
_TEXTS, _NUMBERS, _GROUPS = 20, 40, 3  # columns that are examined, at most
_MIN_SKILL = 0.95  # 2 AUC - 1, or the rank correlation, from which a pair of columns is examined
_MIN_WORD_SHARE, _MIN_WORD_ROWS, _PURE_WORD = (
    0.25,
    30,
    0.995,
)  # of the rows of a class; of the word's rows in that class
_PURE, _MIN_KNOWN = 0.98, 100  # share of errors removed by a category's other rows, and rows that have such
_MAX_PER_GROUP, _RANKED = 50, 14  # rows per group, and numbers that are ranked within groups
_MAX_RANKED = 100_000  # rows of a table whose groups are ranked: a sample would break them
_COLUMNS = 60  # the first ones, of which groups and numbers to rank are taken
_ROWS_PER_CATEGORY, _MIN_NUMBERS = 20, 50  # of texts whose parts, and of numbers whose digits, are examined
_COMBINATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "{} minus {}": lambda a, b: a - b,
    "{} plus {}": lambda a, b: a + b,
    "{} times {}": lambda a, b: a * b,
    "{} divided by {}": lambda a, b: a / b,
    "{1} divided by {0}": lambda a, b: b / a,
    "The absolute difference of {} and {}": lambda a, b: np.abs(a - b),
}


@dataclass(frozen=True)
class _Derived:
    """Values derived from columns. subject : how a sentence about them begins. columns : those to drop or convert."""

    subject: str
    columns: tuple[str, ...]
    values: pd.Series


class _Target:
    """The target of the rows that are examined, prepared once."""

    def __init__(self, y: pd.Series, *, classification: bool) -> None:
        self.name = str(y.name)
        self.codes, names = pd.factorize(y, sort=True)
        self.labels = [str(name) for name in names]
        self.fold = np.random.default_rng(0).permutation(len(y)) % _FOLDS
        self.ranks = None if classification else scaled_ranks(y.to_numpy(dtype=np.float64))

    def evidence(self, values: pd.Series) -> Evidence | None:
        """Evidence that values contain the target; None if they do not."""
        numbers = to_numeric(values)
        binned = bin_column(values, numbers)
        if self.ranks is None:
            if len(self.labels) > MAX_CLASSES:
                return None
            return find_class_leak(binned, self.codes, self.fold, self.labels, target=self.name, columns=None)
        return find_rank_leak(binned.codes, self.ranks, self.fold, self.name)

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


def target_in_parts(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Whether a part of a text, digits, missing values, categories or two columns together contain the target.

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
    plain = {str(column) for column in X if target.evidence(X[column]) is not None}  # said by target leakage
    candidates = [
        *_derived(X, plain),
        *_pairs(X, target, plain),
        *_within_groups(problem, rows),
    ]
    found = []
    for one in candidates:
        evidence = target.evidence(one.values)
        if evidence is not None:
            found.append((evidence.sure, evidence.rows, one, evidence.text))
    found.extend(_words(X, target))
    found.extend(_pure_categories(X.drop(columns=[c for c in X if str(c) in plain]), problem, target))
    if not found:
        yield "pass", "No part of a text, no missing value and no pair of columns contains the target."
        return
    sure, _rows, one, text = max(found, key=lambda each: each[:2])
    yield (
        "fail" if sure else "warn",
        f"{one.subject} {text}. Models may copy it, but it will not be known for test rows: find out how "
        f"{' and '.join(one.columns)} came about, and remove the part that was added after the fact, or drop "
        f"{'it' if len(one.columns) == 1 else 'one'} (--drop {quote(one.columns[-1])}).",
    )


def _derived(X: pd.DataFrame, plain: set[str]) -> Iterator[_Derived]:
    columns = [column for column in X if str(column) not in plain]
    # A part of a category says no more than the category, unless each has only a few rows.
    numeric = {c for c in columns if pd.api.types.is_numeric_dtype(X[c])}
    texts = [c for c in columns if c not in numeric and X[c].nunique() > len(X) / _ROWS_PER_CATEGORY]
    texts = [c for c in texts if to_numeric(X[c]) is None][:_TEXTS]
    missing = X.isna()
    for column in texts:
        if missing[column].any():
            subject = f"Whether {column} is missing"
            yield _Derived(subject, (str(column),), missing[column].map({True: "missing", False: "present"}))
    if missing.to_numpy().any():
        patterns = missing.astype("int8").astype(str).agg("".join, axis=1)
        holders = [str(column) for column in missing.columns[missing.any()]]
        if patterns.nunique() <= len(X) / 10:
            yield _Derived("The pattern of missing values", tuple(holders[:2]), patterns)
    for column in texts:
        yield from _parts_of_text(str(column), X[column])
    numbers = [c for c in columns if c in numeric and X[c].nunique() > _MIN_NUMBERS]
    for column in numbers[:_NUMBERS]:
        yield from _digits(str(column), X[column].to_numpy(dtype=np.float64, na_value=np.nan))


def _parts_of_text(column: str, values: pd.Series) -> Iterator[_Derived]:
    cells = values.astype("string")
    parts = {
        f"The first character of {column}": cells.str[:1],
        f"The last character of {column}": cells.str[-1:],
        f"The first three characters of {column}": cells.str[:3],
        f"The last three characters of {column}": cells.str[-3:],
        f"The second character of {column}": cells.str[1:2],
        f"The second to last character of {column}": cells.str[-2:-1],
        f"The first part of {column}": cells.str.extract(r"^([^\W_]+)", expand=False),
        f"The last part of {column}": cells.str.extract(r"([^\W_]+)\W*$", expand=False),
        f"The last digit of {column}": cells.str.extract(r"(\d)\D*$", expand=False),
        f"The length of {column}": cells.str.len().astype("float64"),
    }
    for subject, part in parts.items():
        if 1 < part.nunique() < len(part) / 2:
            yield _Derived(subject, (column,), part if subject.startswith("The length") else part.astype(object))


def _digits(column: str, numbers: np.ndarray) -> Iterator[_Derived]:
    whole = np.abs(numbers)
    decimals = next((d for d in range(5) if np.allclose(np.round(whole, d), whole, equal_nan=True, rtol=0)), None)
    if decimals is None:
        return
    units = np.round(whole * 10.0**decimals)
    yield _Derived(f"The last digit of {column}", (column,), pd.Series(units % 10))
    yield _Derived(f"The last two digits of {column}", (column,), pd.Series(units % 100))
    yield _Derived(f"Whether the last digit of {column} is even", (column,), pd.Series(units % 2))


def _pairs(X: pd.DataFrame, target: _Target, plain: set[str]) -> Iterator[_Derived]:
    """Differences, ratios, sums and products of two columns of numbers or dates that order the target nearly perfectly.

    All pairs are screened by ranks in some of the rows; only those that pass are examined.
    """
    numbers: dict[str, np.ndarray] = {}
    some = np.random.default_rng(1).permutation(len(X))[:_SCREENED]
    for column in X:
        if len(numbers) < _NUMBERS and str(column) not in plain and X[column].nunique() > 2:
            values = to_numeric(X[column])
            if values is not None and not np.isnan(values).all():
                numbers[str(column)] = values
    for one in numbers:
        others = [name for name in numbers if name > one]
        if not others:
            continue
        few = np.column_stack([numbers[name][some] for name in others])
        for words, combine in _COMBINATIONS.items():
            with np.errstate(all="ignore"):
                table = combine(numbers[one][some][:, None], few)
            skills = target.skills(np.nan_to_num(table, nan=0.0, posinf=1e300, neginf=-1e300), some)
            for place in np.flatnonzero(skills >= _MIN_SKILL):
                two = others[place]
                with np.errstate(all="ignore"):
                    values = combine(numbers[one], numbers[two])
                made = pd.Series(np.where(np.isfinite(values), values, np.nan))
                yield _Derived(words.format(one, two), (one, two), made)


def _within_groups(problem: Problem, rows: np.ndarray) -> Iterator[_Derived]:
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
        yield _Derived(f"The place of a row within its {group}", (str(group),), place)
        ranks = grouped[[n for n in numbers if n != group]].rank(method="min") if len(numbers) > 1 else pd.DataFrame()
        for column in ranks:
            subject = f"The rank of {column} within its {group}"
            yield _Derived(subject, (str(column),), ranks[column].iloc[rows].reset_index(drop=True))


_Found = tuple[bool, int, _Derived, str]


def _words(X: pd.DataFrame, target: _Target) -> Iterator[_Found]:
    """Words that many rows of one class hold, and no others, for at least two classes."""
    if target.ranks is not None or len(target.labels) > MAX_CLASSES:
        return
    sizes = np.bincount(target.codes, minlength=len(target.labels))
    for column in X:
        if pd.api.types.is_numeric_dtype(X[column]):
            continue
        cells = X[column].dropna().astype(str)
        if not len(cells) or cells.str.count(r"\w+").mean() < 2:
            continue
        words = cells.str.lower().str.findall(r"\w+").map(lambda found: sorted(set(found))).explode()
        table = pd.crosstab(words, target.codes[words.index.to_numpy()])
        counts = table.sum(axis=1)
        best, rows = table.idxmax(axis=1), table.max(axis=1)
        of_class = rows.to_numpy() / sizes[best.to_numpy(dtype=int)]
        pure = table[(counts >= _MIN_WORD_ROWS) & (rows >= _PURE_WORD * counts) & (of_class >= _MIN_WORD_SHARE)]
        kinds = {target.labels[int(best[word])]: word for word in pure.index}
        if len(kinds) >= 2:
            shown = ", ".join(f"{word!r} always means {label}" for label, word in list(kinds.items())[:3])
            subject = f"A word in {column}"
            yield (
                True,
                int(counts[pure.index].sum()),
                _Derived(subject, (str(column),), cells),
                (f"determines {target.name} ({shown})"),
            )


def _pure_categories(X: pd.DataFrame, problem: Problem, target: _Target) -> Iterator[_Found]:
    """Columns of many categories, of which each has rows of one class only, in held-out rows."""
    if target.ranks is not None or len(target.labels) > MAX_CLASSES:
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
        yield in_test > 0.5, n, _Derived(str(column), (str(column),), X[column]), text


def _known_and_right(codes: np.ndarray, classes: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows have a category that other folds have, too, and whether most of those rows have their class."""
    kinds, size = int(classes.max()) + 1, int(codes.max()) + 1
    table = np.zeros((int(fold.max()) + 1, size, kinds), dtype=np.int64)
    np.add.at(table, (fold, codes, classes), 1)
    others = (table.sum(axis=0) - table)[fold, codes]
    return others.sum(axis=1) > 0, others.argmax(axis=1) == classes


TABLE_CHECKS = (TableCheck("target in parts", target_in_parts, optional=True),)
