"""Comparisons of columns and shares that several checks use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = [
    "differing_columns",
    "hash_values",
    "ks_statistic",
    "list_names",
    "rank_correlation",
    "scaled_ranks",
    "two_proportion_z",
]


def two_proportion_z(share: float, n: int, reference: float, m: int) -> float:
    """The z statistic of the difference between a share of n rows and a reference share of m rows.

    Parameters
    ----------
    share, reference : float
        Shares from 0 to 1.
    n, m : int
        Numbers of rows.

    Returns
    -------
    float
        The difference in standard errors; positive if ``share`` is greater.

    Examples
    --------
    >>> round(two_proportion_z(0.1, 1000, 0.0, 1000), 1)
    10.3
    """
    pooled = (share * n + reference * m) / max(n + m, 1)
    error = np.sqrt(pooled * (1 - pooled) * (1 / max(n, 1) + 1 / max(m, 1)))
    return float((share - reference) / error) if error > 0 else 0.0


def ks_statistic(one: np.ndarray, two: np.ndarray) -> float:
    """The Kolmogorov-Smirnov statistic: the greatest difference between two empirical distribution functions.

    Parameters
    ----------
    one : (n,) array
        Sorted values.
    two : (m,) array
        Sorted values.

    Returns
    -------
    float
        From 0 to 1; 0 if an array is empty.

    Examples
    --------
    >>> ks_statistic(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    1.0
    """
    if not len(one) or not len(two):
        return 0.0
    at = np.concatenate([one, two])
    shares = [np.searchsorted(values, at, side="right") / len(values) for values in (one, two)]
    return float(np.abs(shares[0] - shares[1]).max())


def scaled_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks scaled to the range from 0 to 1; equal values have their mean rank.

    Parameters
    ----------
    values : (n,) array

    Returns
    -------
    (n,) array of float64

    Examples
    --------
    >>> scaled_ranks(np.array([10, 30, 20])).tolist()
    [0.0, 1.0, 0.5]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts + 1) / 2)[inverse] / max(len(values) - 1, 1))


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation of two columns.

    Parameters
    ----------
    a, b : (n,) array

    Returns
    -------
    float
        0.0 if one of them is constant.

    Examples
    --------
    >>> round(rank_correlation(np.array([1, 2, 3]), np.array([1, 8, 27])), 6)
    1.0
    >>> rank_correlation(np.array([1, 2, 3]), np.array([5, 5, 5]))
    0.0
    """
    return float(np.corrcoef(scaled_ranks(a), scaled_ranks(b))[0, 1]) if np.ptp(a) and np.ptp(b) else 0.0


def hash_values(values: pd.Series) -> np.ndarray:
    """A hash of each cell; equal cells have equal hashes, and so do missing cells.

    Parameters
    ----------
    values : Series
        (n,) of any dtype.

    Returns
    -------
    (n,) array of uint64

    References
    ----------
    Multiplicative hashing: Knuth, "The Art of Computer Programming", volume 3, section 6.4.
    """
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf":
        bits = (values.to_numpy(dtype=np.float64) + 0.0).view(np.uint64)
    else:
        bits = (pd.factorize(values)[0] + 1).astype(np.uint64)
    bits = (bits ^ (bits >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(bits ^ (bits >> np.uint64(29)))


def differing_columns(frame: pd.DataFrame, one: int, two: int) -> list[str]:
    """The columns in which two rows differ.

    Parameters
    ----------
    frame : DataFrame
    one, two : int
        Positions of the rows.

    Returns
    -------
    list of str
    """
    first, second = frame.iloc[one], frame.iloc[two]
    same = (first == second).to_numpy(dtype=bool, na_value=False) | (first.isna() & second.isna()).to_numpy()
    return [str(column) for column in frame.columns[~same]]


def list_names(names: Sequence[str]) -> str:
    """The first three names, and the number of the others.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    str

    Examples
    --------
    >>> list_names(["a", "b", "c", "d"])
    'a, b, c and 1 more column'
    """
    shown, more = ", ".join(names[:3]), len(names) - 3
    return shown if more <= 0 else f"{shown} and {more} more column{'s' * (more > 1)}"
