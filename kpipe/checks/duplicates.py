"""Rows of train that are duplicates of one another, exactly or in most columns, on both sides of a fold.

Test is the reference: if a tenth of the test rows have a duplicate in train, then a tenth of the validation rows may
have one among the training rows of their fold. Beyond that, the score is too optimistic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.near_duplicates import ADVICE, differs_in_test, is_natural
from kpipe.checks.statistics import differing_columns, hash_values, list_names, two_proportion_z
from kpipe.core.values import Folds, Tables
from kpipe.data.column_types import is_free_text, is_pixel_table
from kpipe.data.pixels import picture_columns
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "duplicates_across_folds"]

# Standard errors, and share of rows, by which validation rows must exceed test rows.
_SIGNIFICANT, _MIN_EXCESS = 3.5, 0.003
# Share of rows by which they must exceed test rows to fail: for exact duplicates, and for those with changed columns.
_FAILS, _FAILS_CHANGED = 0.1, 0.25
_SHUFFLED_ROWS = 10_000  # validation rows, about, whose columns are shuffled against each other
_MIN_COPIED = 0.02  # share of test's rows, beyond that of validation rows, that were copied from train
_MIN_TEST_ROWS = 30  # rows of test below which their share of duplicates is too uncertain to fail
_RUN, _MIN_HASHES, _MAX_TEXTS = 5, 2, 50_000  # words in a row that are hashed; functions by which; texts of a table
_SUBSETS, _MIN_COLUMNS = 7, 5  # random halves of the columns that are hashed, and the columns that this needs


def duplicates_across_folds(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Check whether duplicates are separated by folds: rows that are equal in all columns, or in all but a few.

    Duplicates that were changed in a column or two still agree in some of several random halves of the columns
    (locality-sensitive hashing).

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding

    References
    ----------
    Indyk and Motwani, "Approximate nearest neighbors: towards removing the curse of dimensionality", STOC 1998.
    """
    if picture_columns(problem.columns):
        return  # see ``kpipe.checks.pictures``
    tables, named = problem.tables, (problem.id, problem.groups)
    shared = [c for c in tables.train.columns if c in tables.test.columns and c not in named]
    # By a column with other values in test, no row of test could have a duplicate.
    differ = () if is_pixel_table(tables.train[shared]) else (c for c in shared if _differs_in_test(tables, c))
    ignored = dict.fromkeys(differ)
    compared = [c for c in shared if c not in ignored]
    if not compared:
        yield (
            "skipped",
            "Not checked: no column has similar values in train and test, so test cannot show how many duplicates to "
            "expect.",
        )
        return
    names = f"all columns except the id{',' if ignored else ' and'} the target"
    names += f" and {list_names(list(ignored))}" if ignored else ""
    counts, repeated = [], None
    for number, hashes in enumerate(_hashes(tables, compared, folds)):
        repeated = _repeated_in_test(hashes, names) if not number else repeated
        counts.append(_count(hashes, folds))
        found = counts[-1]
        if not (found.z > _SIGNIFICANT + (number > 0) and found.excess >= _MIN_EXCESS):
            continue
        if (example := _example(tables.train[shared], hashes.train, found.rows, folds)) is not None:
            if (usual := _usual_repeats(hashes, found.validation)) is not None:
                yield "pass", usual
            else:
                yield _finding(found, example, names, reliable=len(tables.test) >= _MIN_TEST_ROWS)
            return
    if problem.groups is None and not folds.refit and counts[0].more_in_test(len(tables.test)):
        yield (
            "warn",
            f"{counts[0].copied:.1%} of test rows also occur, identically ({names}), in train, but only "
            f"{counts[0].validation:.1%} of validation rows do among the training rows of their fold: train rows were "
            "copied into test, so the score says nothing about these test rows. Find out which rows are to be "
            "predicted.",
        )
        return
    if repeated is not None:
        yield "warn", repeated
        return
    yield (
        "pass",
        f"{counts[0].validation:.1%} of validation rows also occur, identically ({names}), among the training rows of "
        f"their fold; for test rows it is {counts[0].test:.1%}.",
    )


def _repeated_in_test(hashes: _Hashes, names: str) -> str | None:
    """A sentence about rows of test that repeat each other, where rows of train do not; None if there are none."""
    ours, theirs = (float(pd.Series(part).duplicated().mean()) for part in (hashes.train, hashes.test))
    z = two_proportion_z(theirs, len(hashes.test), ours, len(hashes.train))
    if ours > _MIN_EXCESS or theirs < _MIN_COPIED or z < 2 * _SIGNIFICANT:
        return None
    place = int(pd.Series(hashes.test).duplicated().to_numpy().argmax())
    first = int((hashes.test == hashes.test[place]).argmax())
    return (
        f"{theirs:.1%} of test rows repeat an earlier one ({names}), such as rows {first + 1} and {place + 1} of test, "
        f"but only {ours:.1%} of train rows do: a part of test may have been written twice, or over other rows. "
        "Compare test with its source."
    )


class _Hashes(NamedTuple):
    """A hash of each row of train, of test and, by fold, of validation rows whose columns were shuffled."""

    train: np.ndarray
    test: np.ndarray
    shuffled: list[np.ndarray]


@dataclass(frozen=True)
class _Count:
    """Shares of validation rows and of test rows that have a duplicate among the training rows.

    z, excess : by how many standard errors, and by what share, validation rows exceed test rows and chance.
    rows : (duplicates, 2) fold and row of each. copied : share of test rows with a duplicate in all of train.
    """

    validation: float
    test: float
    z: float
    excess: float
    rows: np.ndarray
    copied: float

    def more_in_test(self, n_test: int) -> bool:
        """Whether far more rows of test than of validation have a duplicate."""
        z = two_proportion_z(self.copied, n_test, self.validation, n_test)
        return n_test >= _MIN_TEST_ROWS and self.copied - self.validation > _MIN_COPIED and z > 2 * _SIGNIFICANT


class _Example(NamedTuple):
    """Two rows that are separated by a fold, and the columns in which they differ."""

    fold: int
    row: int
    other: int
    differing: list[str]


def _count(hashes: _Hashes, folds: Folds) -> _Count:
    parts = [hashes.train, hashes.test, *hashes.shuffled]
    codes, distinct = pd.factorize(np.concatenate(parts))
    train_codes, test_codes, *shuffled = np.split(codes, np.cumsum([len(part) for part in parts[:-1]]))
    rows, in_test, by_chance, validated = [], [], [], 0
    for number, (train, valid) in enumerate(zip(folds.train, folds.valid, strict=True)):
        known = np.zeros(len(distinct), dtype=bool)
        known[train_codes[train]] = True
        duplicated = valid[known[train_codes[valid]]]
        rows.append(np.column_stack([np.full(len(duplicated), number), duplicated]))
        in_test.append(known[test_codes].mean())
        if shuffled:
            by_chance.append(known[shuffled[number]].mean())
        validated += len(valid)
    found, test, chance = np.concatenate(rows), float(np.mean(in_test)), float(np.mean(by_chance or [0.0]))
    validation = len(found) / max(validated, 1)
    distinct_rows = len(np.unique(np.concatenate(folds.valid)))
    z = min(
        two_proportion_z(validation, distinct_rows, test, len(hashes.test)),
        two_proportion_z(validation, distinct_rows, chance, sum(map(len, hashes.shuffled)) or distinct_rows),
    )
    copied = float(np.isin(test_codes, train_codes).mean())
    return _Count(validation, test, z, validation - max(test, chance), found, copied)


def _usual_repeats(hashes: _Hashes, validation: float) -> str | None:
    """Why repeats are natural: rows of test repeat each other as often as train's do, but not those; else None."""
    size = min(len(hashes.train), len(hashes.test))
    rng = np.random.default_rng(0)
    samples = [rows[rng.permutation(len(rows))[:size]] for rows in (hashes.train, hashes.test)]
    ours, theirs = map(_share_of_repeats, samples)
    if not is_natural(ours, theirs, float(np.isin(samples[1], samples[0]).mean()), size):
        return None
    return (
        f"{validation:.1%} of validation rows also occur among the training rows of their fold, but test rows repeat "
        f"each other as often ({theirs:.1%}) as the same number of train rows do ({ours:.1%}): such "
        "repeats are natural."
    )


def _share_of_repeats(hashed: np.ndarray) -> float:
    """Share of rows that have a duplicate among the others."""
    _, inverse, counts = np.unique(hashed, return_inverse=True, return_counts=True)
    return float((counts[inverse] > 1).mean()) if len(hashed) else 0.0


def _example(train: pd.DataFrame, hashed: np.ndarray, rows: np.ndarray, folds: Folds) -> _Example | None:
    """The duplicates that differ in the fewest columns; None if these are many."""
    best: _Example | None = None
    for number, row in rows[:: max(1, len(rows) // 20)]:
        fitted = folds.train[number]
        for other in fitted[hashed[fitted] == hashed[row]][:5]:
            differing = differing_columns(train, int(row), int(other))
            if best is None or len(differing) < len(best.differing):
                best = _Example(int(number), int(row), int(other), differing)
    return best if best is not None and len(best.differing) <= max(3, train.shape[1] // 4) else None


def _finding(found: _Count, example: _Example, names: str, *, reliable: bool) -> Finding:
    """The finding for duplicates beyond what is usual.

    names : the columns that are equal in exact duplicates. reliable : whether test has enough rows for a reference.
    """
    fold, row, other, differing = example
    kind = "with a few columns changed" if differing else f"identically ({names})"
    how = f"differ only in {list_names(differing)}" if differing else "are identical"
    fails = reliable and found.excess > (_FAILS_CHANGED if differing else _FAILS)
    return (
        "fail" if fails else "warn",
        f"{found.validation:.1%} of validation rows also occur, {kind}, among the training rows of their fold; for "
        f"test rows it is {found.test:.1%}. The score is too optimistic. For example, rows {row + 1} and {other + 1} "
        f"of train, separated by fold {fold + 1}, {how}. {ADVICE}",
    )


def _hashes(tables: Tables, columns: Sequence[str], folds: Folds) -> Iterator[_Hashes]:
    """Hashes of each row by all columns, then by random halves of them.

    The columns of some validation rows are shuffled against each other: their duplicates are by chance, like those of a
    few binary columns. Images are hashed as a whole.
    """
    frames = [frame[list(columns)] for frame in (tables.train, tables.test)]
    if is_pixel_table(frames[0]):  # half of an image does not identify it
        train, test = (pd.util.hash_pandas_object(frame, index=False).to_numpy() for frame in frames)
        yield _Hashes(train, test, [])
        return
    rng = np.random.default_rng(0)
    subsets = [np.ones(len(columns), dtype=bool), *(rng.random((_SUBSETS, len(columns))) < 0.5)]
    n = len(frames[0])
    some = [np.arange(min(len(valid), _SHUFFLED_ROWS // len(folds.valid) + 1)) for valid in folds.valid]
    cuts = np.cumsum([n, len(frames[1]), *map(len, some)])
    sums = np.zeros((len(subsets), cuts[-1]), dtype=np.uint64)
    for place, column in enumerate(columns):
        values = pd.concat([frame[column] for frame in frames], ignore_index=True)
        hashed = hash_values(values) * np.uint64(rng.integers(1, 2**62) * 2 + 1)
        by = int(rng.integers(n))
        shuffled = [valid[(by + rows) % len(valid)] for valid, rows in zip(folds.valid, some, strict=True)]
        hashed = np.concatenate([hashed, hashed[np.concatenate(shuffled)]])
        for number, subset in enumerate(subsets):
            if subset[place]:
                sums[number] += hashed
    for number in range(len(subsets) if len(columns) >= _MIN_COLUMNS else 1):
        train, test, *by_chance = np.split(sums[number], cuts[:-1])
        yield _Hashes(train, test, by_chance)
    for column in columns:
        if is_free_text(frames[0][column]):
            yield from (
                _Hashes(ours, theirs, []) for ours, theirs in _runs_of_words(frames[0][column], frames[1][column])
            )


def _runs_of_words(train: pd.Series, test: pd.Series) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For train and test, a hash of one run of five words of each text: that with the least hash, by two functions.

    Texts that share most words in a row have the same with a probability of their similarity (Broder 1997, "On the
    resemblance and containment of documents"). Texts of fewer words have a hash of their own.
    """
    numbers: dict[str, int] = {}
    texts = [
        [[numbers.setdefault(word, len(numbers)) for word in _words(text)] for text in column.iloc[:_MAX_TEXTS]]
        + [[]] * max(len(column) - _MAX_TEXTS, 0)
        for column in (train, test)
    ]
    random = np.random.default_rng(0).integers(1, 2**62, (_MIN_HASHES, _RUN), dtype=np.uint64) | np.uint64(1)
    for factors in random:
        yield _least_hashes(texts[0], factors, first=0), _least_hashes(texts[1], factors, first=len(texts[0]))


def _words(text: object) -> list[str]:
    return re.findall(r"\w+", text.casefold()) if isinstance(text, str) else []


def _least_hashes(texts: list[list[int]], factors: np.ndarray, *, first: int) -> np.ndarray:
    lengths = np.array([len(text) for text in texts])
    flat = np.fromiter(chain.from_iterable(texts), dtype=np.uint64, count=int(lengths.sum())) + np.uint64(1)
    if len(flat) < _RUN:
        return np.arange(first, first + len(texts), dtype=np.uint64)
    runs = np.lib.stride_tricks.sliding_window_view(flat, _RUN) @ factors
    runs = (runs ^ (runs >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    least = np.arange(first, first + len(texts), dtype=np.uint64)
    for row in np.flatnonzero(lengths >= _RUN):
        least[row] = runs[starts[row] : starts[row] + lengths[row] - _RUN + 1].min()
    return least


def _differs_in_test(tables: Tables, column: str) -> bool:
    both = pd.concat([frame[column] for frame in (tables.train, tables.test)], ignore_index=True)
    return differs_in_test(both, n_train=len(tables.train))


TABLE_CHECKS = (TableCheck("duplicates across folds", duplicates_across_folds, pictures=True),)
