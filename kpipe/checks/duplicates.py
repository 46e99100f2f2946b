"""Rows that are copies of one another, exactly or nearly, on both sides of a fold; with test's rows as the reference.

What test has too is no leak: where a tenth of test's rows have a twin in train, a tenth of the validated rows may have
one among the rows trained on. What the validated rows have beyond that, the score owes to memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kpipe.checks.column_alignment import distance
from kpipe.core.values import Check, Folds, Status, Tables
from kpipe.data.column_types import is_pixel_table, to_numeric
from kpipe.problem.problem import Problem

__all__ = ["copies_apart", "mixed", "near_copies_apart", "surplus"]

# Standard errors by which the validated rows must exceed test's, and how much more than test's a share must be.
_CLEAR = 3.5
_LEAST, _SURELY, _SURELY_NEAR = 0.003, 0.1, 0.25
_QUERIES, _ROWS = 1_200, 60_000  # rows whose nearest neighbours are looked for, of each table; rows that are looked at
_MOVED = 10_000  # validated rows, about, whose columns are moved
_FEWEST_TESTED = 30  # rows of test below which a share of them is too uncertain to fail by
_FEWEST = 60  # rows of test below which distances say nothing
_DIMENSIONS, _OF_A_LABEL = 48, 6
_NEAR = (0.02, 0.05, 0.1, 0.2, 0.3)  # of the median distance of a test row to its nearest row of train
_DRIFTED = (
    0.15  # distance of Kolmogorov and Smirnov, beyond chance, from which a column of test lies elsewhere than train's
)
_HALVES, _FEWEST_HALVED = 7, 5  # of the columns, that are hashed; columns from which halves are
_NAMES_ROWS = 0.9  # share of different labels from which a column names its rows
_REMEDY = "Drop the copies in clean, or keep them in one fold (groups=, --split COLUMN)."


def surplus(validated: float, n: int, tested: float, m: int) -> float:
    """By how many standard errors a share of n rows exceeds a share of m rows.

    >>> round(surplus(0.1, 1000, 0.0, 1000), 1)
    10.3
    """
    pooled = (validated * n + tested * m) / max(n + m, 1)
    error = np.sqrt(pooled * (1 - pooled) * (1 / max(n, 1) + 1 / max(m, 1)))
    return float((validated - tested) / error) if error > 0 else 0.0


def copies_apart(problem: Problem, folds: Folds) -> Check:
    """Whether rows that are copies of one another stand on both sides of a fold: in every column, or in all but a few.

    Copies that were changed in a column or two still agree in some of several halves of the columns, drawn at random
    (Indyk and Motwani 1998, locality-sensitive hashing).
    """
    name = "duplicates across folds"
    named = (problem.id, problem.groups)
    shared = [c for c in problem.tables.train.columns if c in problem.tables.test.columns and c not in named]
    away = (
        []
        if is_pixel_table(problem.tables.train[shared])
        else [c for c in shared if _lies_elsewhere(problem.tables, c)]
    )
    alike = [c for c in shared if c not in away]  # by the others no row of test could have a twin
    if not alike:
        detail = "No column of test has values like train's: its rows are no reference for how many copies are usual."
        return Check(name=name, status="pass", detail=detail)
    whole = f"all columns but the id{', ' if away else ' and '}the target{f' and {_some(away)}' if away else ''}"
    said = []
    for number, (of_train, of_test, moved) in enumerate(_hashed(problem.tables, alike, folds)):
        found = _twins(of_train, of_test, moved, folds)
        said.append(found)
        if found.clear > _CLEAR + (number > 0) and found.beyond >= _LEAST:
            pair = _pair(problem.tables.train[shared], of_train, found.rows, folds)
            if pair is not None:
                return _copied(found, pair, whole, sure=len(problem.tables.test) >= _FEWEST_TESTED)
    detail = (
        f"{said[0].validated:.1%} of the validated rows have an exact copy ({whole}) among the rows trained on; of "
        f"test's rows {said[0].tested:.1%} have one."
    )
    return Check(name=name, status="pass", detail=detail)


@dataclass(frozen=True)
class _Twins:
    """How many validated rows and test rows have a twin among the rows trained on, and which validated rows those are.

    clear, beyond : by how many standard errors, and by what share, the validated rows exceed test's, and chance.
    rows : (fold, row) of each.
    """

    validated: float
    tested: float
    clear: float
    beyond: float
    rows: np.ndarray


def _twins(of_train: np.ndarray, of_test: np.ndarray, moved: Sequence[np.ndarray], folds: Folds) -> _Twins:
    """From a hash of each row."""
    codes, distinct = pd.factorize(np.concatenate([of_train, of_test, *moved]))
    ours, theirs, *chance = np.split(codes, np.cumsum([len(of_train), len(of_test), *map(len, moved[:-1])]))
    chance = chance if moved else []
    rows, tested, met, count = [], [], [], 0
    for number, (train, valid) in enumerate(zip(folds.train, folds.valid, strict=True)):
        known = np.zeros(len(distinct), dtype=bool)
        known[ours[train]] = True
        twins = valid[known[ours[valid]]]
        rows.append(np.column_stack([np.full(len(twins), number), twins]))
        tested.append(known[theirs].mean())
        if moved:
            met.append(known[chance[number]].mean())
        count += len(valid)
    found, share, by_chance = np.concatenate(rows), float(np.mean(tested)), float(np.mean(met or [0.0]))
    validated = len(found) / max(count, 1)
    different = len(np.unique(np.concatenate(folds.valid)))
    clear = min(
        surplus(validated, different, share, len(of_test)),
        surplus(validated, different, by_chance, sum(map(len, moved)) or different),
    )
    return _Twins(validated, share, clear, validated - max(share, by_chance), found)


def _pair(
    train: pd.DataFrame, hashed: np.ndarray, rows: np.ndarray, folds: Folds
) -> tuple[int, int, int, list[str]] | None:
    """(fold, row, its twin, the columns in which they differ) of the twins that differ least; None if that is much."""
    best: tuple[int, int, int, list[str]] | None = None
    for number, row in rows[:: max(1, len(rows) // 20)]:
        fitted = folds.train[number]
        for other in fitted[hashed[fitted] == hashed[row]][:5]:
            differing = _differing(train, int(row), int(other))
            if best is None or len(differing) < len(best[3]):
                best = int(number), int(row), int(other), differing
    return best if best is not None and len(best[3]) <= max(3, train.shape[1] // 4) else None


def _copied(found: _Twins, pair: tuple[int, int, int, list[str]], whole: str, *, sure: bool) -> Check:
    """What is said of it.

    whole : which columns an exact copy has in common. sure : whether test has rows enough to say what is usual.
    """
    number, row, other, differing = pair
    kind = "a copy that differs in a few columns" if differing else f"an exact copy ({whole})"
    how = f"differ in {_some(differing)} only" if differing else "are such copies"
    detail = (
        f"{found.validated:.1%} of the validated rows have {kind} among the rows trained on; of test's rows "
        f"{found.tested:.1%} have one: the score flatters. Rows {row + 1} and {other + 1} of train, apart in fold "
        f"{number + 1}, {how}. {_REMEDY}"
    )
    much = found.beyond > (_SURELY_NEAR if differing else _SURELY)
    status: Status = "fail" if sure and much else "warn"
    return Check(name="duplicates across folds", status=status, detail=detail)


def _hashed(
    tables: Tables, columns: Sequence[str], folds: Folds
) -> Iterator[tuple[np.ndarray, np.ndarray, list[np.ndarray]]]:
    """A number for each row of train, of test and, by fold, of moved rows: of all columns, then of halves.

    Moved are the columns of some validated rows against each other; their twins are by chance, as those of a few yes
    and no are. Of pictures there are none.
    """
    frames = [frame[list(columns)] for frame in (tables.train, tables.test)]
    if is_pixel_table(frames[0]):  # no half of a picture tells it from others
        whole = [pd.util.hash_pandas_object(frame, index=False).to_numpy() for frame in frames]
        yield whole[0], whole[1], []
        return
    rng = np.random.default_rng(0)
    halves = [np.ones(len(columns), dtype=bool), *(rng.random((_HALVES, len(columns))) < 0.5)]
    n = len(frames[0])
    some = [np.arange(min(len(valid), _MOVED // len(folds.valid) + 1)) for valid in folds.valid]
    cuts = np.cumsum([n, len(frames[1]), *map(len, some)])
    sums = np.zeros((len(halves), cuts[-1]), dtype=np.uint64)
    for place, column in enumerate(columns):
        values = pd.concat([frame[column] for frame in frames], ignore_index=True)
        hashed = mixed(values) * np.uint64(rng.integers(1, 2**62) * 2 + 1)
        by = int(rng.integers(n))
        moved = [valid[(by + rows) % len(valid)] for valid, rows in zip(folds.valid, some, strict=True)]
        hashed = np.concatenate([hashed, hashed[np.concatenate(moved)]])
        for number, half in enumerate(halves):
            if half[place]:
                sums[number] += hashed
    for number in range(len(halves) if len(columns) >= _FEWEST_HALVED else 1):
        ours, theirs, *chance = np.split(sums[number], cuts[:-1])
        yield ours, theirs, chance


def _lies_elsewhere(tables: Tables, column: str) -> bool:
    both = pd.concat([frame[column] for frame in (tables.train, tables.test)], ignore_index=True)
    return _elsewhere(both, split=len(tables.train))


def mixed(values: pd.Series) -> np.ndarray:
    """A number for each cell, equal for equal cells; gaps are equal."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf":
        bits = (values.to_numpy(dtype=np.float64) + 0.0).view(np.uint64)
    else:
        bits = (pd.factorize(values)[0] + 1).astype(np.uint64)
    bits = (bits ^ (bits >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplicative hashing
    return np.asarray(bits ^ (bits >> np.uint64(29)))


def near_copies_apart(problem: Problem, folds: Folds) -> Iterator[Check]:
    """Whether validated rows have nearer neighbours among the rows trained on than test's rows have.

    The distance is Gower's, squared: each column adds at most about 1, whatever its kind, so that a row which was
    copied and then changed in a column or two stays near. Nothing is said of tables too small for it.

    References: Gower, "A general coefficient of similarity and some of its properties", Biometrics 27, 1971.
    Barz and Denzler, "Do we train on test data? Purging CIFAR of near-duplicates", J. Imaging 6, 2020.
    """
    columns = list(problem.columns)
    rng = np.random.default_rng(0)
    sizes = [len(frame) for frame in (problem.tables.train, problem.tables.test)]
    if not columns or min(sizes) < _FEWEST:
        return
    parts = len(folds.train)
    kept = np.zeros(sizes[0], dtype=bool)
    kept[rng.permutation(sizes[0])[:_ROWS]] = True
    asked = [rng.permutation(valid)[: _QUERIES // parts + 1] for valid in folds.valid]
    ours = np.unique(np.concatenate([np.flatnonzero(kept), *asked]))
    theirs = np.sort(rng.permutation(sizes[1])[: _QUERIES + parts])
    place = _embedding(problem.tables.train[columns].iloc[ours], problem.tables.test[columns].iloc[theirs])
    if place is None:
        return
    at = np.full(sizes[0], -1)
    at[ours] = np.arange(len(ours))
    near, far, found = [], [], []
    with threadpool_limits(1):
        for number, (train, rows) in enumerate(zip(folds.train, asked, strict=True)):
            fitted = at[train[kept[train]]]
            distance, which = _nearest(place[at[rows]], place[fitted])
            near.append(distance)
            found.append(np.column_stack([rows, ours[fitted][which], np.full(len(rows), number)]))
            far.append(_nearest(place[len(ours) + number : len(place) : parts], place[fitted])[0])
    yield _judged(np.concatenate(near), np.concatenate(far), np.concatenate(found), problem.tables.train[columns])


def _judged(near: np.ndarray, far: np.ndarray, found: np.ndarray, train: pd.DataFrame) -> Check:
    """The check from the distances of validated rows, those of test's rows, and (row, its neighbour, fold)."""
    name = "near-duplicates across folds"
    usual = float(np.median(far))
    best = (0.0, 0.0, 0.0, 0.0)
    for share in _NEAR if usual > 0 else ():
        validated, tested = float((near <= share * usual).mean()), float((far <= share * usual).mean())
        best = max(best, (surplus(validated, len(near), tested, len(far)), validated, tested, share))
    clear, validated, tested, share = best
    if clear <= _CLEAR or validated - tested < _LEAST:
        detail = (
            "Validated rows are as far from the rows trained on as test's rows are (median distance to the nearest: "
            f"{np.median(near):.2g} and {usual:.2g})."
        )
        return Check(name=name, status="pass", detail=detail)
    within = np.flatnonzero(near <= share * usual)
    typical = within[np.argsort(near[within])[len(within) // 2]]
    row, other, fold = (int(value) for value in found[typical])
    differing = _differing(train, row, other)
    how = f"differ in {_some(differing)}" if differing else "are equal in every column that models see"
    detail = (
        f"{validated:.1%} of the validated rows have a near-copy among the rows trained on; of test's rows "
        f"{tested:.1%} have one: the score flatters. Rows {row + 1} and {other + 1} of train, apart in fold "
        f"{fold + 1}, {how}. {_REMEDY}"
    )
    return Check(name=name, status="fail" if validated - tested > _SURELY_NEAR else "warn", detail=detail)


def _differing(frame: pd.DataFrame, one: int, two: int) -> list[str]:
    """The columns in which two rows differ."""
    first, second = frame.iloc[one], frame.iloc[two]
    same = (first == second).to_numpy(dtype=bool, na_value=False) | (first.isna() & second.isna()).to_numpy()
    return [str(column) for column in frame.columns[~same]]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more columns"


def _nearest(rows: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest of ``among``, and which that is."""
    if not len(among) or not len(rows):
        return np.full(len(rows), np.inf), np.zeros(len(rows), dtype=int)
    products = rows @ among.T
    products *= -2.0
    products += (among**2).sum(axis=1)
    which = products.argmin(axis=1)
    # Once more for the one that was found: differences of large numbers, in half of a double's digits, are no distance.
    return np.sqrt(((rows - among[which]) ** 2).sum(axis=1)), which


def _embedding(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray | None:
    """(rows of both, dimensions): squared distances are about Gower's. None where no column says anything."""
    rng = np.random.default_rng(0)
    made: list[np.ndarray] = []
    if is_pixel_table(train):
        made = [np.concatenate([train.to_numpy(), test.to_numpy()]).astype(np.float32) / 255]
    else:
        for column in train.columns:
            both = pd.concat([train[column], test[column]], ignore_index=True)
            made.extend(_placed(both, rng, split=len(train)))
    if not made:
        return None
    wide = np.column_stack(made).astype(np.float32)
    if wide.shape[1] <= _DIMENSIONS:
        return wide
    # Johnson and Lindenstrauss 1984: distances survive a random projection.
    directions = rng.normal(size=(wide.shape[1], _DIMENSIONS)) / np.sqrt(_DIMENSIONS)
    return np.asarray(wide @ directions.astype(np.float32))


def _placed(column: pd.Series, rng: np.random.Generator, *, split: int) -> Iterator[np.ndarray]:
    """A column of numbers as itself, scaled; a label as a point of its own, all about as far from each other.

    Numbers that lie elsewhere in test than in train, as dates do, are left out: they would make all of test far.
    """
    numbers = to_numeric(column)
    if numbers is not None:
        gaps = np.isnan(numbers)
        low, high = _range(numbers[~gaps])
        if high > low and not _drifted(numbers[:split], numbers[split:]):
            scaled = np.clip((numbers - low) / (high - low), -0.5, 1.5)
            yield np.where(gaps, -0.5, scaled).astype(np.float32)
        return
    codes, levels = pd.factorize(column)
    if 1 < len(levels) < _NAMES_ROWS * len(column) and not _elsewhere(column, split=split):
        points = rng.normal(size=(len(levels) + 1, _OF_A_LABEL))
        points /= np.sqrt(2) * np.linalg.norm(points, axis=1, keepdims=True)
        yield points[codes]


def _elsewhere(column: pd.Series, *, split: int) -> bool:
    """Whether a column of test (from row ``split`` on) has other values than train's: no row of test would be near."""
    train, test = column.iloc[:split], column.iloc[split:]
    one, two = (part.iloc[:: max(1, len(part) // 1_000)] for part in (train, test))
    if pd.api.types.is_numeric_dtype(column):
        return _drifted(*(part.to_numpy(dtype=np.float64, na_value=np.nan) for part in (one, two)))
    among_test = float(test.iloc[1::2].isin(test.iloc[::2].unique()).mean()) if len(test) > 1 else 0.0
    return among_test - float(test.isin(train.unique()).mean()) > _DRIFTED + 0.05


def _drifted(train: np.ndarray, test: np.ndarray) -> bool:
    some = [values[:: max(1, len(values) // 1_000)] for values in (train, test)]
    one, two = (np.sort(np.where(np.isnan(values), -np.inf, values)) for values in some)
    return distance(one, two) > _DRIFTED + 1.63 * np.sqrt(1 / len(one) + 1 / len(two))


_LOOKED_AT = 4_000


def _range(numbers: np.ndarray) -> tuple[float, float]:
    """Between which numbers most lie."""
    if not len(numbers):
        return 0.0, 0.0
    some = numbers[:: max(1, len(numbers) // _LOOKED_AT)]
    low, high = (float(value) for value in np.percentile(some, [5, 95]))
    return (low, high) if high > low else (float(some.min()), float(some.max()))
