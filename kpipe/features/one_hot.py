"""Find groups of one-hot columns, and decode them to a column of labels."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable

import numpy as np
import pandas as pd

__all__ = ["find_one_hot", "one_hot_labels"]

_NUMBERED = re.compile(r"[\W_]*\d+$")
_LAST_WORD = re.compile(r"[\W_][^\W_]+$")
_MIN_SHARE = 0.95  # of the rows must have a 1
_MINIMUM = 3  # columns


def find_one_hot(X: pd.DataFrame) -> dict[str, list[Hashable]]:
    """Find the groups of columns of 0 and 1 that together encode one column of labels.

    Parameters
    ----------
    X : DataFrame of shape (n, columns)
        Any table.

    Returns
    -------
    dict
        What the columns' names have in common → at least three names.

    Examples
    --------
    >>> find_one_hot(pd.DataFrame({"x": [1, 1], "soil1": [1, 0], "soil2": [0, 0], "soil3": [0, 1]}))
    {'soil': ['soil1', 'soil2', 'soil3']}
    """
    groups: defaultdict[str, list[Hashable]] = defaultdict(list)
    for name in X.columns:
        if (stem := _stem(str(name))) and _is_binary(X[name]):
            groups[stem].append(name)
    return {
        stem: names for stem, names in groups.items() if len(names) >= _MINIMUM and _one_each(X[names].to_numpy(float))
    }


def one_hot_labels(X: pd.DataFrame, names: list[Hashable]) -> np.ndarray:
    """Return the label of each row.

    Parameters
    ----------
    X : DataFrame of shape (n, columns)
        The table.
    names : list
        A group that ``find_one_hot`` returned.

    Returns
    -------
    ndarray of shape (n,)
        The names of the columns that are 1, as strings; an empty one in rows without a 1.
    """
    values = X[names].to_numpy(dtype=np.float64, na_value=0.0)
    labels = np.array([*map(str, names), ""], dtype=object)
    found: np.ndarray = labels[np.where(values.any(axis=1), values.argmax(axis=1), len(names))]
    return found


def _stem(name: str) -> str:
    """A name without the number or the last word by which it differs from others; empty if there is neither."""
    for pattern in (_NUMBERED, _LAST_WORD):
        if pattern.search(name):
            return pattern.sub("", name)
    return ""


def _is_binary(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and bool(column.isin((0, 1)).all())


def _one_each(values: np.ndarray) -> bool:
    sums = values.sum(axis=1)
    return bool((sums <= 1).all() and (sums == 1).mean() >= _MIN_SHARE)
