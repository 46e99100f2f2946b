"""Rows that are copies of one another, exactly or nearly, on both sides of a fold; with test's rows as the reference.

What test has too is no leak: where a tenth of test's rows have a twin in train, a tenth of the validated rows may have
one among the rows trained on. What the validated rows have beyond that, the score owes to memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kpipe.competition import Competition
from kpipe.kinds import dates_in, numbers_in
from kpipe.values import Check, Folds, Status, Tables

__all__ = ["copies_apart", "near_copies_apart", "surplus"]

# Standard errors by which the validated rows must exceed test's, and how much more than test's a share must be.
_CLEAR = 3.5
_LEAST, _SURELY, _SURELY_NEAR = 0.003, 0.1, 0.25
_QUERIES, _ROWS = 1_200, 60_000  # rows whose nearest neighbours are looked for, of each table; rows that are looked at
_FEWEST = 60  # rows of test below which distances say nothing
_DIMENSIONS, _OF_A_LABEL = 48, 6
_NEAR = (0.02, 0.05, 0.1, 0.2, 0.3)  # of the median distance of a test row to its nearest row of train
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


def copies_apart(competition: Competition, tables: Tables, folds: Folds) -> Check:
    """Whether rows that are copies of one another, in every column but the id, stand on both sides of a fold."""
    name = "copies apart"
    shared = [c for c in tables.train.columns if c in tables.test.columns and c != competition.id]
    of_train, of_test = _hashed(tables, shared)
    pairs = list(zip(folds.train, folds.valid, strict=True))
    twins = [valid[np.isin(of_train[valid], of_train[train])] for train, valid in pairs]
    rows = sum(len(valid) for _, valid in pairs)
    validated = sum(map(len, twins)) / max(rows, 1)
    tested = float(np.mean([np.isin(of_test, of_train[train]).mean() for train, _ in pairs]))
    detail = (
        f"{validated:.1%} of the validated rows have an exact copy (all columns but the id and the target) among the "
        f"rows trained on; of test's rows {tested:.1%} have one."
    )
    clear = surplus(validated, len(np.unique(np.concatenate(folds.valid))), tested, len(of_test)) > _CLEAR
    if not clear or validated - tested < _LEAST:
        return Check(name=name, status="pass", detail=detail)
    status: Status = "fail" if validated - tested > _SURELY else "warn"
    number = next(number for number, found in enumerate(twins) if len(found))
    row = int(twins[number][0])
    fitted = np.sort(folds.train[number])
    other = int(fitted[of_train[fitted] == of_train[row]][0])
    detail += f" Rows {row + 1} and {other + 1} of train are such copies, apart in fold {number + 1}. {_REMEDY}"
    return Check(name=name, status=status, detail=detail)


def _hashed(tables: Tables, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    hashed = pd.util.hash_pandas_object
    whole = [hashed(frame[list(columns)], index=False).to_numpy() for frame in (tables.train, tables.test)]
    return whole[0], whole[1]


def near_copies_apart(competition: Competition, tables: Tables, folds: Folds) -> Iterator[Check]:
    """Whether validated rows have nearer neighbours among the rows trained on than test's rows have.

    The distance is Gower's, squared: each column adds at most about 1, whatever its kind, so that a row which was
    copied and then changed in a column or two stays near. Nothing is said of tables too small for it.

    References: Gower, "A general coefficient of similarity and some of its properties", Biometrics 27, 1971.
    Barz and Denzler, "Do we train on test data? Purging CIFAR of near-duplicates", J. Imaging 6, 2020.
    """
    columns = list(competition.columns or ())
    rng = np.random.default_rng(0)
    sizes = [len(frame) for frame in (tables.train, tables.test)]
    if not columns or min(sizes) < _FEWEST:
        return
    parts = len(folds.train)
    kept = np.zeros(sizes[0], dtype=bool)
    kept[rng.permutation(sizes[0])[:_ROWS]] = True
    asked = [rng.permutation(valid)[: _QUERIES // parts + 1] for valid in folds.valid]
    ours = np.unique(np.concatenate([np.flatnonzero(kept), *asked]))
    theirs = np.sort(rng.permutation(sizes[1])[: _QUERIES + parts])
    place = _embedding(tables.train[columns].iloc[ours], tables.test[columns].iloc[theirs])
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
    yield _judged(np.concatenate(near), np.concatenate(far), np.concatenate(found), tables.train[columns])


def _judged(near: np.ndarray, far: np.ndarray, found: np.ndarray, train: pd.DataFrame) -> Check:
    """The check from the distances of validated rows, those of test's rows, and (row, its neighbour, fold)."""
    name = "near-copies apart"
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
    row, other, fold = (int(value) for value in found[np.argmin(near)])
    one, two = train.iloc[row], train.iloc[other]
    differing = [str(c) for c in train.columns if one[c] != two[c] and not (pd.isna(one[c]) and pd.isna(two[c]))]
    how = f"differ in {_some(differing)}" if differing else "are equal in every column that models see"
    detail = (
        f"{validated:.1%} of the validated rows have a near-copy among the rows trained on; of test's rows "
        f"{tested:.1%} have one: the score flatters. Rows {row + 1} and {other + 1} of train, apart in fold {fold + 1}, {how}. "
        f"{_REMEDY}"
    )
    return Check(name=name, status="fail" if validated - tested > _SURELY_NEAR else "warn", detail=detail)


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
    if bool((train.dtypes == np.uint8).all()):
        made = [np.concatenate([train.to_numpy(), test.to_numpy()]).astype(np.float32) / 255]
    else:
        for column in train.columns:
            both = pd.concat([train[column], test[column]], ignore_index=True)
            made.extend(_placed(both, rng))
    if not made:
        return None
    wide = np.column_stack(made).astype(np.float32)
    if wide.shape[1] <= _DIMENSIONS:
        return wide
    # Johnson and Lindenstrauss 1984: distances survive a random projection.
    directions = rng.normal(size=(wide.shape[1], _DIMENSIONS)) / np.sqrt(_DIMENSIONS)
    return np.asarray(wide @ directions.astype(np.float32))


def _placed(column: pd.Series, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """A column of numbers as itself, scaled; a label as a point of its own, all about as far from each other."""
    numbers = _as_numbers(column)
    if numbers is not None:
        gaps = np.isnan(numbers)
        low, high = _range(numbers[~gaps])
        if high > low:
            scaled = np.clip((numbers - low) / (high - low), -0.5, 1.5)
            yield np.where(gaps, -0.5, scaled).astype(np.float32)
        return
    codes, levels = pd.factorize(column)
    if 1 < len(levels) < _NAMES_ROWS * len(column):
        points = rng.normal(size=(len(levels) + 1, _OF_A_LABEL))
        points /= np.sqrt(2) * np.linalg.norm(points, axis=1, keepdims=True)
        yield points[codes]


_LOOKED_AT = 4_000


def _range(numbers: np.ndarray) -> tuple[float, float]:
    """Between which numbers most lie."""
    if not len(numbers):
        return 0.0, 0.0
    some = numbers[:: max(1, len(numbers) // _LOOKED_AT)]
    low, high = (float(value) for value in np.percentile(some, [5, 95]))
    return (low, high) if high > low else (float(some.min()), float(some.max()))


def _as_numbers(column: pd.Series) -> np.ndarray | None:
    """Numbers and dates as numbers with NaN for gaps; None for labels."""
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isfinite(numbers), numbers, np.nan)
    read: tuple[Callable[[pd.Series], pd.Series | None], ...] = (numbers_in, dates_in)
    for kind in read:
        if (found := kind(column)) is not None:
            days = found if kind is numbers_in else (found - pd.Timestamp(2000, 1, 1)).dt.total_seconds() / 86_400
            return days.to_numpy(dtype=np.float64)
    return None
