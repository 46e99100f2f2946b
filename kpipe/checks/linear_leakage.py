"""Find weighted sums of columns that equal the target, or separate its classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpipe.checks.combinations import number_columns

__all__ = ["find_linear_class_leak", "find_linear_leak"]

_MAX_COLUMNS = 300
_EXACT_R2, _NEARLY_EXACT_R2 = 0.9999, 0.995  # on held-out rows
_MIN_PRESENT, _MIN_ROWS = 0.98, 100  # share of a column's values that are present; rows of the table
_MIN_SEPARATION = 0.98  # share of the errors of predicting the more frequent class that a sum removes
_MIN_CLASS_ROWS = 30  # in each half of the rows


def find_linear_leak(X: pd.DataFrame, y: np.ndarray) -> tuple[list[str], str, bool] | None:
    """Find columns whose weighted sum, or product of powers, is the target; None if there are none.

    Parameters
    ----------
    X : DataFrame
    y : (n,) array of float

    Returns
    -------
    tuple of (list of str, str, bool) or None
        The columns with the largest weights, the predicate of a sentence about them, and whether the sum is exact.
    """
    numbers = {
        name: values for name, values in number_columns(X, _MAX_COLUMNS) if np.isfinite(values).mean() >= _MIN_PRESENT
    }
    if len(numbers) < 2 or len(y) < max(_MIN_ROWS, 2 * len(numbers) + 40) or not np.ptp(y):
        return None
    table = np.column_stack(list(numbers.values()))
    rows = np.isfinite(table).all(axis=1) & np.isfinite(y)
    table, y = table[rows], y[rows]
    varies = (np.ptp(table[::2], axis=0) > 0) & (np.ptp(table[1::2], axis=0) > 0)
    used = [name for name, one in zip(numbers, varies.tolist(), strict=True) if one]
    for form, names, inputs, target in _linear_forms(used, table[:, varies], y):
        r2, weights = _linear_fit(inputs, target)
        if r2 >= _NEARLY_EXACT_R2:
            is_exact = r2 >= _EXACT_R2
            main = [names[place] for place in np.argsort(-weights)[:4] if weights[place] > 0.01 * weights.max()]
            how = "exactly" if is_exact else "nearly exactly"
            return main, f"give the target {how}, as {form} (R² {r2:.5f} in held-out rows)", is_exact
    return None


def find_linear_class_leak(X: pd.DataFrame, classes: np.ndarray) -> tuple[list[str], str] | None:
    """Find columns whose weighted sum separates two classes; None if there are none.

    Parameters
    ----------
    X : DataFrame
    classes : (n,) array of int
        0 and 1.

    Returns
    -------
    tuple of (list of str, str) or None
        The columns with the largest weights, and the predicate of a sentence about them.
    """
    numbers = {name: values for name, values in number_columns(X, _MAX_COLUMNS) if np.isfinite(values).all()}
    rarest = min(np.bincount(classes[::2], minlength=2).min(), np.bincount(classes[1::2], minlength=2).min())
    if len(numbers) < 2 or rarest < max(_MIN_CLASS_ROWS, len(numbers)):
        return None
    table = np.column_stack(list(numbers.values()))
    sums, weights = _linear_sums(table, classes.astype(np.float64))
    middle = (sums[::2][classes[::2] == 0].mean() + sums[::2][classes[::2] == 1].mean()) / 2
    held = classes[1::2]
    wrong = int(((sums[1::2] > middle) != held).sum())
    if 1 - wrong / np.bincount(held).min() < _MIN_SEPARATION:
        return None
    main = [list(numbers)[place] for place in np.argsort(-weights)[:4] if weights[place] > 0.1 * weights.max()]
    return main, f"give the class, as a weighted sum, in {len(held) - wrong} of {len(held)} held-out rows"


def _linear_forms(
    names: list[str], table: np.ndarray, y: np.ndarray
) -> Iterator[tuple[str, list[str], np.ndarray, np.ndarray]]:
    """Yield a description of the formula, the names of its columns, their values and the target, both transformed."""
    yield "a weighted sum", names, table, y
    positive = (table > 0).all(axis=0)
    if len(y) and (y > 0).all() and positive.sum() >= 2:
        logged = [names[place] for place in np.flatnonzero(positive)]
        yield "a product of powers", logged, np.log(table[:, positive]), np.log(y)


def _linear_fit(inputs: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """R² on the odd rows of a least-squares fit to the even rows, and the absolute weight of each scaled column."""
    sums, weights = _linear_sums(inputs, target)
    errors = target[1::2] - sums[1::2]
    return float(1 - (errors**2).mean() / target[1::2].var()), weights


def _linear_sums(inputs: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) weighted sums by a least-squares fit to the even rows, and the absolute weight of each scaled column."""
    spread = inputs.std(axis=0)
    scaled = (inputs - inputs.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    design = np.column_stack([np.ones(len(scaled)), scaled])
    weights = np.linalg.lstsq(design[::2], target[::2], rcond=None)[0]
    return design @ weights, np.abs(weights[1:])
