"""Validation rows that are closer to the training rows of their fold than test rows are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import differing_columns, ks_statistic, list_names, two_proportion_z
from kpipe.core.values import Folds
from kpipe.data.column_types import is_pixel_table, to_numeric
from kpipe.data.pixels import picture_columns, picture_shape
from kpipe.problem.problem import Problem

__all__ = ["ADVICE", "TABLE_CHECKS", "differs_in_test", "is_natural", "near_duplicates_across_folds"]

ADVICE = "Drop the duplicates in clean, or keep them in one fold (groups=, --split COLUMN)."

# Standard errors, and share of rows, by which validation rows must exceed test rows; and the share from which it fails.
_SIGNIFICANT, _MIN_EXCESS, _FAILS = 3.5, 0.003, 0.25
_QUERIES, _ROWS = 1_200, 60_000  # rows of each table whose nearest neighbours are searched, and rows searched among
_MIN_ROWS = 60  # rows of a table below which distances say nothing
_DIMENSIONS, _DIMENSIONS_OF_CATEGORY = 48, 6
_NEAR = (0.02, 0.05, 0.1, 0.2, 0.3)  # distances tried, relative to the median distance of a test row to its nearest
# Share of test rows near each other, relative to that of as many rows of train, that is natural; and what it must
# exceed the share of test rows near train by, a factor and standard errors: that share else says what is usual.
_NATURAL, _TIMES, _ELSEWHERE = 0.5, 2.0, 2.0
_DRIFT = 0.15  # Kolmogorov-Smirnov statistic beyond chance from which a column counts as different in test
_MIN_SIDE, _FREQUENCIES, _AT_A_TIME = 8, 8, 5_000  # of square pictures; frequencies in each direction; rows at a time
_UNIQUE = 0.9  # share of distinct categories from which a column identifies rows
_SAMPLED = 4_000  # values that the range of a column is computed from


def near_duplicates_across_folds(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Check whether validation rows have closer neighbours among the training rows of their fold than test rows have.

    The distance is the square root of Gower's: each column adds at most about 1, whatever its type, so that a row that
    was copied and then changed in a column or two stays near. Small tables are not checked.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding

    References
    ----------
    Gower, "A general coefficient of similarity and some of its properties", Biometrics 27, 1971.
    Barz and Denzler, "Do we train on test data? Purging CIFAR of near-duplicates", J. Imaging 6, 2020.
    """
    columns = picture_columns(problem.columns) or list(problem.columns)
    rng = np.random.default_rng(0)
    sizes = [len(frame) for frame in (problem.tables.train, problem.tables.test)]
    if not columns or min(sizes) < _MIN_ROWS:
        return
    parts = len(folds.train)
    kept = np.zeros(sizes[0], dtype=bool)
    kept[rng.permutation(sizes[0])[:_ROWS]] = True
    queries = [rng.permutation(valid)[: _QUERIES // parts + 1] for valid in folds.valid]
    train_rows = np.unique(np.concatenate([np.flatnonzero(kept), *queries]))
    test_rows = np.sort(rng.permutation(sizes[1])[: _QUERIES + parts])
    train = problem.tables.train[columns]
    rows = _Rows(sizes[0], kept, queries, train_rows, test_rows)
    findings = [
        _compare(points, rows, folds, train)
        for points in _embeddings(train.iloc[train_rows], problem.tables.test[columns].iloc[test_rows])
    ]
    yield from [next((one for one in findings if one[0] != "pass"), findings[0])] if findings else []


class _Rows(NamedTuple):
    """Rows that are compared. n : those of train. kept : those searched among. queries : those of each fold."""

    n: int
    kept: np.ndarray
    queries: list[np.ndarray]
    train: np.ndarray
    test: np.ndarray


def _compare(points: np.ndarray, rows: _Rows, folds: Folds, train: pd.DataFrame) -> Finding:
    """The finding from the points of the rows of train, then of test."""
    rng, parts = np.random.default_rng(0), len(folds.train)
    position = np.full(rows.n, -1)
    position[rows.train] = np.arange(len(rows.train))
    of_validation, of_test, pairs = [], [], []
    with threadpool_limits(1):
        for number, (fitted_rows, queries) in enumerate(zip(folds.train, rows.queries, strict=True)):
            fitted = position[fitted_rows[rows.kept[fitted_rows]]]
            distance, nearest = _nearest(points[position[queries]], points[fitted])
            of_validation.append(distance)
            pairs.append(np.column_stack([queries, rows.train[fitted][nearest], np.full(len(queries), number)]))
            of_test.append(_nearest(points[len(rows.train) + number : len(points) : parts], points[fitted])[0])
        size = min(len(rows.train), len(rows.test), _QUERIES)
        ours, theirs = (
            points[rng.permutation(some)[:size]]
            for some in (np.arange(len(rows.train)), np.arange(len(rows.train), len(points)))
        )
        in_samples = [_nearest_other(ours), _nearest_other(theirs), _nearest(theirs, ours)[0]]
    return _finding(np.concatenate(of_validation), np.concatenate(of_test), np.concatenate(pairs), train, in_samples)


def _finding(
    of_validation: np.ndarray,
    of_test: np.ndarray,
    pairs: np.ndarray,
    train: pd.DataFrame,
    in_samples: Sequence[np.ndarray],
) -> Finding:
    """The finding from the distances of validation and of test rows, and (row, its nearest, fold) of the former.

    in_samples : distances to the nearest in samples of equal size: between rows of train, between rows of test, and of
    test to train.
    """
    usual = float(np.median(of_test))
    best = (0.0, 0.0, 0.0, 0.0)
    for limit in _NEAR if usual > 0 else ():
        near = float((of_validation <= limit * usual).mean())
        reference = float((of_test <= limit * usual).mean())
        best = max(best, (two_proportion_z(near, len(of_validation), reference, len(of_test)), near, reference, limit))
    z, near, reference, limit = best
    ours, theirs, across = (float((distances <= limit * usual).mean()) for distances in in_samples)
    natural = is_natural(ours, theirs, across, len(in_samples[1]))
    if z <= _SIGNIFICANT or near - reference < _MIN_EXCESS or natural:
        return (
            "pass",
            "Validation rows have no more near-duplicates among the training rows of their fold than test rows have "
            f"(median distance to the nearest one: {np.median(of_validation):.2g} and {usual:.2g}).",
        )
    within = np.flatnonzero(of_validation <= limit * usual)
    typical = within[np.argsort(of_validation[within])[len(within) // 2]]
    row, other, fold = (int(value) for value in pairs[typical])
    differing = differing_columns(train, row, other)
    how = f"differ only in {list_names(differing)}" if differing else "are identical in every column that models use"
    return (
        "fail" if near - reference > _FAILS else "warn",
        f"{near:.1%} of validation rows have a near-duplicate among the training rows of their fold; for test rows it "
        f"is {reference:.1%}. The score is too optimistic. For example, rows {row + 1} and {other + 1} of train, "
        f"separated by fold {fold + 1}, {how}. {ADVICE}",
    )


def is_natural(ours: float, theirs: float, across: float, n: int) -> bool:
    """Whether repeats are natural: test rows repeat each other, too, but share too few rows with train to show it.

    Hours of other days than train's are an example: neighbouring hours are alike, but none of train's is a neighbour.

    Parameters
    ----------
    ours, theirs : float
        Shares of n rows of train, and of test, that another row of the same n repeats.
    across : float
        Share of n rows of test that one of n rows of train repeats.
    n : int

    Returns
    -------
    bool

    Examples
    --------
    >>> is_natural(0.3, 0.25, 0.05, 1_000), is_natural(0.3, 0.25, 0.24, 1_000), is_natural(0.3, 0.1, 0.05, 1_000)
    (True, False, False)
    """
    elsewhere = theirs > _TIMES * across and two_proportion_z(theirs, n, across, n) > _ELSEWHERE
    return elsewhere and theirs >= _NATURAL * ours


def _nearest_other(rows: np.ndarray) -> np.ndarray:
    """The distance of each row to the nearest of the others."""
    squares = (rows**2).sum(axis=1)
    distances = squares[:, None] + squares - 2.0 * (rows @ rows.T)
    np.fill_diagonal(distances, np.inf)
    return np.sqrt(((rows - rows[distances.argmin(axis=1)]) ** 2).sum(axis=1))


def _nearest(rows: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distance of each row to its nearest among others, and the position of that."""
    if not len(among) or not len(rows):
        return np.full(len(rows), np.inf), np.zeros(len(rows), dtype=int)
    products = rows @ among.T
    products *= -2.0
    products += (among**2).sum(axis=1)
    nearest = products.argmin(axis=1)
    # Computed again: a difference of large numbers in single precision is no distance.
    return np.sqrt(((rows - among[nearest]) ** 2).sum(axis=1)), nearest


def _embeddings(train: pd.DataFrame, test: pd.DataFrame) -> Iterator[np.ndarray]:
    """(rows of both, dimensions) points whose squared distances are about Gower's; for pictures also another kind.

    Nothing if no column is usable.
    """
    if (shape := picture_shape(list(train.columns))) is not None:  # moved ones; the others: kpipe.checks.pictures
        yield from _spectra(np.concatenate([_grey(train, shape), _grey(test, shape)]))
        return
    if is_pixel_table(train):
        pixels = np.concatenate([train.to_numpy(), test.to_numpy()])
        yield _project(pixels.astype(np.float32) / 255)
        yield from _spectra(pixels)
        return
    rng = np.random.default_rng(0)
    both = (pd.concat([train[column], test[column]], ignore_index=True) for column in train)
    parts = [part for column in both for part in _embed_column(column, rng, n_train=len(train))]
    if parts:
        yield _project(np.column_stack(parts).astype(np.float32), rng)


def _grey(frame: pd.DataFrame, shape: tuple[int, int, int]) -> np.ndarray:
    """(n, side * side) the middle square of pictures, grey."""
    side = min(shape[:2])
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    values, made = frame.to_numpy().reshape(-1, *shape), np.empty((len(frame), side * side), dtype=np.uint8)
    for start in range(0, len(values), _AT_A_TIME):
        square = values[start : start + _AT_A_TIME, top : top + side, left : left + side]
        made[start : start + _AT_A_TIME] = square.mean(axis=3, dtype=np.float32).reshape(len(square), -1)
    return made


def _spectra(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """The low frequencies of square pictures, without their phases: a picture that is moved has the same.

    Reddy and Chatterji, "An FFT-based technique for translation, rotation, and scale-invariant image registration",
    IEEE Transactions on Image Processing 5, 1996.
    """
    side = next((s for c in (1, 3, 4) if (s := round((pixels.shape[1] / c) ** 0.5)) ** 2 * c == pixels.shape[1]), 0)
    if side < _MIN_SIDE:
        return
    parts = []
    for start in range(0, len(pixels), _AT_A_TIME):
        pictures = pixels[start : start + _AT_A_TIME].reshape(-1, pixels.shape[1] // side**2, side, side)
        spectrum = np.abs(np.fft.rfft2(pictures.mean(axis=1, dtype=np.float32) / (255 * side)))
        low = np.concatenate([spectrum[:, :_FREQUENCIES], spectrum[:, 1 - _FREQUENCIES :]], axis=1)
        parts.append(low[:, :, :_FREQUENCIES].reshape(len(pictures), -1).astype(np.float32))
    yield np.concatenate(parts)


def _project(wide: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    if wide.shape[1] <= _DIMENSIONS:
        return wide
    # Johnson and Lindenstrauss 1984: a random projection preserves distances.
    directions = (rng or np.random.default_rng(0)).normal(size=(wide.shape[1], _DIMENSIONS)) / np.sqrt(_DIMENSIONS)
    return np.asarray(wide @ directions.astype(np.float32))


def _embed_column(column: pd.Series, rng: np.random.Generator, *, n_train: int) -> Iterator[np.ndarray]:
    """Numbers scaled to their range; each category as a random point, all at about the same distance from each other.

    Columns with other values in test than in train, such as dates, are left out: all test rows would be far.
    """
    numbers = to_numeric(column)
    if numbers is not None:
        missing = np.isnan(numbers)
        low, high = _range(numbers[~missing])
        if high > low and not _drifted(numbers[:n_train], numbers[n_train:]):
            numbers = _rounded_alike(numbers, n_train)
            scaled = np.clip((numbers - low) / (high - low), -0.5, 1.5)
            yield np.where(missing, -0.5, scaled).astype(np.float32)
        return
    codes, categories = pd.factorize(_plain_text(column))
    if 1 < len(categories) < _UNIQUE * len(column) and not differs_in_test(column, n_train=n_train):
        points = rng.normal(size=(len(categories) + 1, _DIMENSIONS_OF_CATEGORY))
        points /= np.sqrt(2) * np.linalg.norm(points, axis=1, keepdims=True)
        yield points[codes]


def _plain_text(column: pd.Series) -> pd.Series:
    """Texts in lower case, their words in alphabetical order, so that a copy in another notation is recognised.

    Parameters
    ----------
    column : Series

    Returns
    -------
    Series

    Examples
    --------
    >>> _plain_text(pd.Series(["Smith, John", "john SMITH"])).tolist()
    ['john smith', 'john smith']
    """
    distinct = column.dropna().unique()
    plain = {cell: " ".join(sorted(re.findall(r"\w+", str(cell).casefold()))) for cell in distinct}
    return column.map(plain)


def _rounded_alike(numbers: np.ndarray, n_train: int) -> np.ndarray:
    """Numbers rounded to as many decimals as the table has that writes fewer; else rounding would part the tables."""
    decimals = [_decimals(part) for part in (numbers[:n_train], numbers[n_train:])]
    return numbers if decimals[0] == decimals[1] else np.round(numbers, min(decimals))


def _decimals(numbers: np.ndarray) -> int:
    some = numbers[~np.isnan(numbers)][:1_000]
    return next((places for places in range(7) if np.array_equal(np.round(some, places), some)), 7)


def differs_in_test(column: pd.Series, *, n_train: int) -> bool:
    """Whether a column has other values in test than in train, so that no test row could be near a training row.

    Parameters
    ----------
    column : Series
        Values of train, followed by those of test.
    n_train : int
        Number of rows of train.

    Returns
    -------
    bool
    """
    train, test = column.iloc[:n_train], column.iloc[n_train:]
    if pd.api.types.is_numeric_dtype(column):
        some = (part.iloc[:: max(1, len(part) // 1_000)] for part in (train, test))
        return _drifted(*(part.to_numpy(dtype=np.float64, na_value=np.nan) for part in some))
    among_test = float(test.iloc[1::2].isin(test.iloc[::2].unique()).mean()) if len(test) > 1 else 0.0
    return among_test - float(test.isin(train.unique()).mean()) > _DRIFT + 0.05


def _drifted(train: np.ndarray, test: np.ndarray) -> bool:
    some = [values[:: max(1, len(values) // 1_000)] for values in (train, test)]
    one, two = (np.sort(np.where(np.isnan(values), -np.inf, values)) for values in some)
    # 1.63: the critical value at a level of 1 %.
    return ks_statistic(one, two) > _DRIFT + 1.63 * np.sqrt(1 / len(one) + 1 / len(two))


def _range(numbers: np.ndarray) -> tuple[float, float]:
    """The 5th and the 95th percentile, or the extremes if these are equal."""
    if not len(numbers):
        return 0.0, 0.0
    some = numbers[:: max(1, len(numbers) // _SAMPLED)]
    low, high = (float(value) for value in np.percentile(some, [5, 95]))
    return (low, high) if high > low else (float(some.min()), float(some.max()))


TABLE_CHECKS = (TableCheck("near-duplicates across folds", near_duplicates_across_folds, pictures=True),)
