"""Weighted sums of columns that give the target, or separate its classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpipe.checks.combinations import number_columns

__all__ = ["find_linear_class_leak", "find_linear_leak"]

_SUMMED = 300  # columns
# R² of held-out rows that is exact, and nearly so; share of present values; rows.
_EXACT, _NEARLY, _MIN_PRESENT, _MIN_ROWS = 0.9999, 0.995, 0.98, 100
_SEPARATED = 0.98  # share of the errors of the more frequent class that a sum of two classes removes
_MIN_OF_CLASS = 30


def find_linear_leak(X: pd.DataFrame, y: np.ndarray) -> tuple[list[str], str, bool] | None:
    """Columns whose weighted sum is the target or its logarithm; None if there are none.

    Parameters
    ----------
    X : DataFrame
    y : (n,) array of float

    Returns
    -------
    tuple of (list of str, str, bool) or None
        The columns that weigh most, the predicate of a sentence about them, and whether they give it exactly.
    """
    numbers = {
        name: values for name, values in number_columns(X, _SUMMED) if np.isfinite(values).mean() >= _MIN_PRESENT
    }
    if len(numbers) < 2 or len(y) < max(_MIN_ROWS, 2 * len(numbers) + 40) or not np.ptp(y):
        return None
    table = np.column_stack(list(numbers.values()))
    rows = np.isfinite(table).all(axis=1) & np.isfinite(y)
    table, y = table[rows], y[rows]
    varies = (np.ptp(table[::2], axis=0) > 0) & (np.ptp(table[1::2], axis=0) > 0)
    used = [name for name, one in zip(numbers, varies.tolist(), strict=True) if one]
    for words, names, inputs, goal in _linear_forms(used, table[:, varies], y):
        r2, weights = _linear_fit(inputs, goal)
        if r2 >= _NEARLY:
            heavy = [names[place] for place in np.argsort(-weights)[:4] if weights[place] > 0.01 * weights.max()]
            how = "exactly" if r2 >= _EXACT else "nearly exactly"
            return heavy, f"give the target {how}, as {words} (R² {r2:.5f} in held-out rows)", r2 >= _EXACT
    return None


def find_linear_class_leak(X: pd.DataFrame, classes: np.ndarray) -> tuple[list[str], str] | None:
    """Columns whose weighted sum separates two classes; None if there are none.

    Parameters
    ----------
    X : DataFrame
    classes : (n,) array of int
        0 and 1.

    Returns
    -------
    tuple of (list of str, str) or None
        The columns that weigh most, and the predicate of a sentence about them.
    """
    numbers = {name: values for name, values in number_columns(X, _SUMMED) if np.isfinite(values).all()}
    few = min(np.bincount(classes[::2], minlength=2).min(), np.bincount(classes[1::2], minlength=2).min())
    if len(numbers) < 2 or few < max(_MIN_OF_CLASS, len(numbers)):
        return None
    table = np.column_stack(list(numbers.values()))
    sums, weights = _linear_sums(table, classes.astype(np.float64))
    middle = (sums[::2][classes[::2] == 0].mean() + sums[::2][classes[::2] == 1].mean()) / 2
    held = classes[1::2]
    wrong = int(((sums[1::2] > middle) != held).sum())
    if 1 - wrong / np.bincount(held).min() < _SEPARATED:
        return None
    heavy = [list(numbers)[place] for place in np.argsort(-weights)[:4] if weights[place] > 0.1 * weights.max()]
    return heavy, f"give the class, as a weighted sum, in {len(held) - wrong} of {len(held)} held-out rows"


def _linear_forms(
    names: list[str], table: np.ndarray, y: np.ndarray
) -> Iterator[tuple[str, list[str], np.ndarray, np.ndarray]]:
    """What a sum may be called, the names of its columns, their values, and the target."""
    yield "a weighted sum", names, table, y
    positive = (table > 0).all(axis=0)
    if len(y) and (y > 0).all() and positive.sum() >= 2:
        few = [names[place] for place in np.flatnonzero(positive)]
        yield "a product of powers", few, np.log(table[:, positive]), np.log(y)


def _linear_fit(inputs: np.ndarray, goal: np.ndarray) -> tuple[float, np.ndarray]:
    """R² of every second row by a least-squares fit to the others, and how much each column contributes."""
    sums, weights = _linear_sums(inputs, goal)
    errors = goal[1::2] - sums[1::2]
    return float(1 - (errors**2).mean() / goal[1::2].var()), weights


def _linear_sums(inputs: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) weighted sums by a least-squares fit to every second row, and how much each column contributes."""
    spread = inputs.std(axis=0)
    scaled = (inputs - inputs.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    design = np.column_stack([np.ones(len(scaled)), scaled])
    weights = np.linalg.lstsq(design[::2], goal[::2], rcond=None)[0]
    return design @ weights, np.abs(weights[1:])
