"""Columns that contain a numeric target: its order, or the number itself, scaled or not, in some rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kpipe.checks.binning import Evidence
from kpipe.checks.statistics import rank_correlation

__all__ = ["find_number_leak", "find_rank_leak", "is_in_order"]

# Share of the variance of ranks that one column alone explains: likely, and surely, the target itself.
_LIKELY, _SURE = 0.97, 0.9995
_MIN_ROWS = 200  # from which a conclusion is sure
_COPY = 0.995  # rank correlation of a copy, within the rows that hold one
_MIN_RANKED, _MIN_RANKED_SURE = 12, 60  # rows: in fewer, a legitimate feature may have the same order as the target
# Rows on a line from which it is sure, and the rank correlation of the other rows up to which it is.
_MIN_ON_LINE_SURE, _WEAK = 20, 0.5
# Distances from the target, in its standard deviations; shifts of rows that show chance; share of near rows beyond it,
# and how many times it; rows that are not near.
_WIDTHS, _SHIFTS = (0.005, 0.02, 0.05), (101, 211, 307, 401)
_MIN_NEAR, _TIMES_CHANCE, _MIN_OTHERS = 0.1, 5.0, 50
_MIN_STEPS, _IN_ORDER = 20, 0.98  # different values of a column, and share of neighbours whose targets do not overlap
_PAIRS = 20_000  # pairs of rows whose slopes are computed


def find_rank_leak(codes: np.ndarray, ranks: np.ndarray, fold: np.ndarray, target: str) -> Evidence | None:
    """Evidence that a table of a column's values predicts the rank of the target; None if it does not.

    Parameters
    ----------
    codes : (n,) array of int
        The binned values of the column.
    ranks : (n,) array of float
        Ranks of the target from 0 to 1.
    fold : (n,) array of int
        Fold of each row, by which the table is validated.
    target : str
        Name of the target.

    Returns
    -------
    Evidence or None
    """
    bins, n_folds = int(codes.max()) + 1, int(fold.max()) + 1
    at = fold * bins + codes
    counts = np.bincount(at, minlength=n_folds * bins).reshape(n_folds, bins)
    sums = np.bincount(at, weights=ranks, minlength=n_folds * bins).reshape(n_folds, bins)
    others = counts.sum(axis=0) - counts
    predicted = np.where(others > 0, (sums.sum(axis=0) - sums) / np.maximum(others, 1), 0.5)
    skill = 1 - float(((ranks - predicted[fold, codes]) ** 2).sum() / ((ranks - ranks.mean()) ** 2).sum())
    if skill < _LIKELY:
        return None
    sure = skill >= _SURE and len(codes) >= _MIN_ROWS
    text = f"alone explains {skill:.2%} of the variance of the ranks of {target}, in held-out rows"
    return Evidence(sure, len(codes), text, skill)


def is_in_order(values: np.ndarray, y: np.ndarray) -> bool:
    """Whether a column orders the target without error, as a rounded copy or a rank does, unlike a sensor.

    Parameters
    ----------
    values, y : (n,) array of float
        Missing values are left out.

    Returns
    -------
    bool
        Rows of one value may have any targets, but none beyond those of the next value.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=2_000)
    >>> is_in_order(y.round(1), y), is_in_order(-y.round(1), y), is_in_order(y + 0.01 * y[::-1], y)
    (True, True, False)
    """
    present = ~np.isnan(values)
    distinct, codes = np.unique(values[present], return_inverse=True)
    if len(distinct) < _MIN_STEPS:
        return False
    low, high = np.full(len(distinct), np.inf), np.full(len(distinct), -np.inf)
    np.minimum.at(low, codes, y[present])
    np.maximum.at(high, codes, y[present])
    up, down = (high[:-1] <= low[1:]).mean(), (low[:-1] >= high[1:]).mean()
    return bool(max(up, down) >= _IN_ORDER)


def find_number_leak(values: np.ndarray, y: np.ndarray, target: str) -> Evidence | None:
    """Evidence that a column contains the target, scaled or not, in some rows; None if there is none.

    Parameters
    ----------
    values : (n,) array of float
        The column.
    y : (n,) array of float
        The target.
    target : str
        Name of the target.

    Returns
    -------
    Evidence or None
    """
    present = ~np.isnan(values)
    if present.sum() < _MIN_RANKED:
        return None
    usual, often = _mode(values[present])
    subsets = {"where it is not missing": present}
    if often >= 0.05 * len(values):
        subsets[f"where it is not {usual:g}"] = present & (values != usual)
    for where, rows in subsets.items():
        if len(np.unique(y[rows])) >= max(_MIN_RANKED, rows.sum() / 4):
            rho = rank_correlation(values[rows], y[rows])
            if abs(rho) >= _COPY:
                # Of fewer rows or a lower correlation: a good sensor has missing values, too.
                sure = bool(abs(rho) >= _SURE and rows.sum() >= _MIN_RANKED_SURE)
                on_line = None if sure else _find_line(values, y, present, target)
                if on_line is not None and on_line.sure:
                    return on_line
                count = f"{int(rows.sum())} of {len(y)} rows"
                text = f"has the order of {target} in {count}, {where} (rank correlation {rho:.4f})"
                return Evidence(sure, int(rows.sum()), text)
    return _find_line(values, y, present, target) or _find_noisy_line(values, y, present, target)


def _find_noisy_line(values: np.ndarray, y: np.ndarray, present: np.ndarray, target: str) -> Evidence | None:
    """Evidence that many values are near the target, and that the others have nothing to do with it."""
    for form, transformed in _forms(y, target):
        x, t = values[present], transformed[present]
        for width in _WIDTHS:
            limit = width * float(t.std())
            near = np.abs(x - t) <= limit
            by_chance = np.mean([np.mean(np.abs(x - np.roll(t, shift)) <= limit) for shift in _SHIFTS])
            share = float(near.mean())
            if share - by_chance < _MIN_NEAR or share < _TIMES_CHANCE * by_chance or (~near).sum() < _MIN_OTHERS:
                continue
            if abs(rank_correlation(x[~near], t[~near])) < _WEAK and len(np.unique(t[near])) >= _MIN_RANKED:
                count = f"{int(near.sum())} of {len(y)} rows"
                text = f"is within {limit:.2g} of {form} in {count}, and unrelated to it in the others"
                return Evidence(int(near.sum()) >= _MIN_ON_LINE_SURE, int(near.sum()), text)
    return None


def _find_line(values: np.ndarray, y: np.ndarray, present: np.ndarray, target: str) -> Evidence | None:
    """Evidence where too many rows lie on a line: the column is a multiple of the target or its log, plus a number.

    A share of such rows gives its square as a share of the pairs of rows with the same slope (Theil 1950).
    """
    rows = np.flatnonzero(present)
    x, n = values[rows], len(rows)
    for form, transformed in _forms(y, target):
        t = transformed[rows]
        for slope in (1.0, _slope(x, t)):
            if np.isnan(slope) or slope == 0:
                continue
            residuals = _round(x - slope * t)
            offset, often = _mode(residuals)
            # Where column and target are both capped, many rows hold the same pair of values: it counts once.
            if often < 8 or len(np.unique(t[residuals == offset])) < 8:
                continue
            by_chance = _mode(_round(x - slope * np.roll(t, n // 2)))[1]
            if often > 4 * by_chance + 4:
                times = "" if abs(slope - 1) < 1e-6 else f"{slope:.4g} times "
                plus = "" if abs(offset) < 1e-6 * np.abs(x).max() else f" plus {offset:.4g}"
                sure = often >= _MIN_ON_LINE_SURE and _unrelated_elsewhere(x, t, residuals == offset, residuals)
                return Evidence(sure, often, f"equals {times}{form}{plus} in {often} of {len(y)} rows")
    return None


def _unrelated_elsewhere(x: np.ndarray, y: np.ndarray, on_line: np.ndarray, residuals: np.ndarray) -> bool:
    """Whether column and target are unrelated in the rows that are not on the line, so that the line was written there.

    Honest columns are related elsewhere, too: a listed price is the price paid in some rows, and near it in the others;
    a count is last year's, or one more; zeros stay zeros.
    """
    others = x[~on_line], y[~on_line]
    weak = len(others[0]) < _MIN_RANKED or abs(rank_correlation(*others)) < _WEAK
    return bool(
        weak and _mode(residuals[~on_line])[1] <= on_line.sum() / 4 and _mode(y[on_line])[1] <= on_line.sum() / 2
    )


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """The most frequent slope between pairs of rows; NaN if none is frequent."""
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, len(x), (2, _PAIRS))
    distinct = (x[one] != x[two]) & (y[one] != y[two])
    slopes = (x[one] - x[two])[distinct] / (y[one] - y[two])[distinct]
    slope, often = _mode(_round(slopes))
    return slope if often >= 6 else np.nan


def _forms(y: np.ndarray, target: str) -> Iterator[tuple[str, np.ndarray]]:
    """The target and its logarithms, with their names."""
    yield target, y
    if np.all(y > -1) and np.ptp(y) > 10:
        yield f"log(1 + {target})", np.log1p(y)
    if np.all(y > 0) and np.ptp(y) > 10:
        yield f"log({target})", np.log(y)


def _round(values: np.ndarray) -> np.ndarray:
    """Values rounded to eight digits of their median size, so that rounding errors do not separate equal values."""
    usual = float(np.median(np.abs(values))) if len(values) else 1.0
    scale = usual if usual > 0 else 1.0
    return np.asarray(np.round(values / scale, 8) * scale)


def _mode(values: np.ndarray) -> tuple[float, int]:
    """The most frequent value, and its number of rows."""
    if not len(values):
        return 0.0, 0
    ordered = np.sort(values)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.concatenate([starts, [len(ordered)]]))
    best = int(counts.argmax())
    return float(ordered[starts[best]]), int(counts[best])
