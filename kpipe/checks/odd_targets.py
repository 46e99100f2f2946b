"""A target that is written differently in a few rows of train: a placeholder, another unit, or a digit too many."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kpipe.checks.interface import Finding, PredictionCheck, TableCheck, TrainedModels
from kpipe.core.values import Folds
from kpipe.problem.problem import Problem

__all__ = ["PREDICTION_CHECKS", "TABLE_CHECKS", "odd_targets", "targets_far_from_predictions"]

_MIN_ROWS, _MIN_SHARE, _MAX_SHARE = 5, 0.002, 0.2  # of train, that are written differently
_MIN_OTHERS = 100
# Numbers that stand for "unknown", where the others are all above, or all below, by more than the middle half spreads.
_PLACEHOLDERS = (-1.0, -9.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, 9999999.0)
_FACTORS = (1000, 100, 1e6, 1 / 1000, 1 / 100, 1e-6)
_GAP, _BACK = 3.0, 0.9  # ratio between those rows and the others; share of them that is usual after conversion

# Zeros are isolated if the smallest of so many other targets, at least, is this share of the 5 % quantile or more, and
# so many times as great as the steps between small targets.
_MIN_VALUES, _ISOLATED, _STEPS = 20, 0.35, 10.0
# A value was filled in if it is so many times as frequent as any other, and so near the mean, in deviations.
_OFTEN, _NEAR_MEAN = 4, 0.05

# Decimal logarithms of target by prediction: of nearly all rows, at most, and of rows that are far off, at least;
# number of such rows; share of rows that must be validated.
_USUAL_RATIO, _FAR_RATIO, _MIN_ODD, _MIN_VALIDATED = 0.25, 0.6, 3, 0.5


def odd_targets(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Numeric targets of which a few are placeholders or in another unit; nothing if none are.

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
        text = _placeholder(y) or _zero(y) or _imputed(y) or _other_unit(y) or _logarithm(y)
        if text is not None:
            yield "warn", f"{name} {text} Models learn it, and it affects the score strongly."


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


def _zero(y: np.ndarray) -> str | None:
    """The predicate of a sentence about zeros that lie far below all other targets; None without such."""
    others = y[y != 0]
    if not _few(len(y) - len(others), len(y)) or len(others) < _MIN_OTHERS or others.min() <= 0:
        return None
    distinct = np.unique(others)
    lowest, low = distinct[0], np.quantile(others, 0.05)
    steps = np.diff(distinct[: max(2, len(distinct) // 5)])
    if len(distinct) < _MIN_VALUES or lowest < _ISOLATED * low or lowest < _STEPS * float(np.median(steps)):
        return None
    return (
        f"is 0 in {len(y) - len(others):,} of {len(y):,} rows of train, and {lowest:g} to {others.max():g} in the "
        "others: if 0 stands for an unknown target, drop these rows in clean."
    )


def _imputed(y: np.ndarray) -> str | None:
    """The predicate of a sentence about unknown targets that were filled with the mean; None without such."""
    values, counts = np.unique(y, return_counts=True)
    place = int(np.argmax(counts))
    value, count = float(values[place]), int(counts[place])
    others, often = y[y != value], np.delete(counts, place).max(initial=0)
    if not _few(count, len(y)) or count < _OFTEN * often or len(others) < _MIN_OTHERS:
        return None
    for name, usual in (("mean", others.mean()), ("median", np.median(others))):
        if abs(value - usual) <= _NEAR_MEAN * others.std():
            return (
                f"is {value:g} in {count:,} of {len(y):,} rows of train, {count / max(often, 1):.0f} times as often as "
                f"any other value, and near the {name} of the others ({usual:g}): probably unknown targets that were "
                "imputed. Drop these rows in clean."
            )
    return None


def _logarithm(y: np.ndarray) -> str | None:
    """The predicate of a sentence about rows that hold the logarithm of the target; None without such rows."""
    ordered = np.sort(y)
    most = int(_MAX_SHARE * len(y))
    if len(y) < _MIN_OTHERS or ordered[0] <= 0 or not most:
        return None
    count = int(np.argmax(ordered[1 : most + 1] / ordered[:most])) + 1  # rows before the widest gap
    odd, others = ordered[:count], ordered[count:]
    if not _few(count, len(y)) or others[0] < _GAP * odd[-1]:
        return None
    low, high = np.quantile(others, [0.005, 0.995])
    for name, back in (("natural", np.exp(np.minimum(odd, 700.0))), ("decimal", 10 ** np.minimum(odd, 300.0))):
        if ((back >= low) & (back <= high)).mean() >= _BACK:
            return (
                f"is {odd[0]:g} to {odd[-1]:g} in {count:,} of {len(y):,} rows of train, and {others[0]:g} to "
                f"{others[-1]:g} in the others: probably {name} logarithms of the target. Convert them in clean."
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


def targets_far_from_predictions(trained: TrainedModels) -> Iterator[Finding]:
    """Targets of which some are 10, 100 or 1,000 times the prediction; nothing if none are.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
    """
    y, oof = trained.predictions.y, trained.ensemble.oof
    if y.ndim > 1 or oof.shape[1] != 1 or y.min() <= 0 or len(y) < _MIN_OTHERS:
        return
    rows = np.flatnonzero(oof[:, 0] > 0)
    if len(rows) < _MIN_VALIDATED * len(y):
        return
    ratios = np.log10(y[rows] / oof[rows, 0])
    ratios -= np.median(ratios)
    if np.quantile(np.abs(ratios), 0.95) > _USUAL_RATIO:
        return
    far = np.abs(ratios) > _FAR_RATIO
    powers = np.round(ratios[far])
    if not _MIN_ODD <= far.sum() <= _MAX_SHARE * len(rows) or np.abs(ratios[far] - powers).max() > _USUAL_RATIO:
        return
    name, odd = trained.problem.targets[0], rows[far]
    shown = ", ".join(f"row {row + 1}: {y[row]:g}, predicted {oof[row, 0]:.3g}" for row in odd[:3])
    factors = " or ".join(f"{10.0**power:g}" for power in sorted({*powers.tolist()}))
    yield (
        "warn",
        f"{name} is {factors} times the prediction in {len(odd)} rows of train, and close to it in the others "
        f"({shown}): probably one digit too many or too few, or another unit. Correct these rows in clean.",
    )


TABLE_CHECKS = (TableCheck("odd targets", odd_targets),)
PREDICTION_CHECKS = (PredictionCheck("targets near predictions", targets_far_from_predictions),)
