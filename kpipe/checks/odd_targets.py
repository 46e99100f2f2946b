"""A target that is written differently in a few rows of train: a placeholder, or another unit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kpipe.checks.interface import Finding, TableCheck
from kpipe.core.values import Folds
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "odd_targets"]

_MIN_ROWS, _MIN_SHARE, _MAX_SHARE = 5, 0.002, 0.2  # of train, that are written differently
_MIN_OTHERS = 100
# Numbers that stand for "unknown", where the others are all above, or all below, by more than the middle half spreads.
_PLACEHOLDERS = (-1.0, -9.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, 9999999.0)
_FACTORS = (1000, 100, 1e6, 1 / 1000, 1 / 100, 1e-6)
_GAP, _BACK = 3.0, 0.9  # ratio between those rows and the others; share of them that is usual after conversion


def odd_targets(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Targets of numbers of which a few are placeholders, or in another unit; nothing where none are.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
        One for each such target.
    """
    if problem.task != "regression":
        return
    for name in problem.targets:
        y = problem.tables.train[name].to_numpy(dtype=np.float64, na_value=np.nan)
        y = y[np.isfinite(y)]
        text = _placeholder(y) or _other_unit(y)
        if text is not None:
            yield "warn", f"{name} {text} Models learn it, and it weighs heavily in the score."


def _placeholder(y: np.ndarray) -> str | None:
    """The predicate of a sentence about a value that stands for a missing target; None without one."""
    for value in _PLACEHOLDERS:
        count = int((y == value).sum())
        others = y[y != value]
        if not _few(count, len(y)) or len(others) < _MIN_OTHERS:
            continue
        low, high = np.quantile(others, [0.25, 0.75])
        below, above = value < 0 <= others.min(), value > others.max() + (high - low) > 0
        if below or above:
            return (
                f"is {value:g} in {count:,} of {len(y):,} rows of train, and {others.min():g} to {others.max():g} in "
                "the others: probably a placeholder for an unknown target. Drop these rows in clean."
            )
    return None


def _other_unit(y: np.ndarray) -> str | None:
    """The predicate of a sentence about rows that would be usual in another unit; None without such rows."""
    if len(y) < _MIN_OTHERS or y.min() <= 0:
        return None
    for factor in _FACTORS:
        ordered = np.sort(y if factor > 1 else -y)
        ratios = ordered[1:] / ordered[:-1] if factor > 1 else ordered[:-1] / ordered[1:]
        most = int(_MAX_SHARE * len(y))
        count = int(np.argmax(ratios[:most])) + 1 if most else 0  # rows before the widest gap
        odd, others = np.abs(ordered[:count]), np.abs(ordered[count:])
        if not _few(count, len(y)) or ratios[count - 1] < _GAP:
            continue
        low, high = np.quantile(others, [0.005, 0.995])
        back = odd * factor
        if ((back >= low) & (back <= high)).mean() >= _BACK:
            return (
                f"is {odd.min():g} to {odd.max():g} in {count:,} of {len(y):,} rows of train, and {others.min():g} to "
                f"{others.max():g} in the others: probably another unit, as they fit when multiplied by {factor:g}. "
                "Convert them in clean."
            )
    return None


def _few(count: int, n: int) -> bool:
    return max(_MIN_ROWS, _MIN_SHARE * n) <= count <= _MAX_SHARE * n


TABLE_CHECKS = (TableCheck("odd targets", odd_targets),)
