"""Selection bias: how optimistic the best of several scores is, because it was chosen on the rows that it reports.

Rows are aggregated to units: a row, a group, a period, or a random block of rows if there are many. Only sums over
units are resampled, so that hundreds of runs of 100,000 rows take a fraction of a second.
"""

from __future__ import annotations

import numpy as np

__all__ = ["effective_tries", "expected_after_choosing", "gather", "random_blocks"]

_DRAWS = 1000  # bootstrap samples; their noise is below a twentieth of the selection bias
_MANY_UNITS = 2000


def expected_after_choosing(
    sums: np.ndarray, sizes: np.ndarray, *, root: bool = False, greater_is_better: bool = True
) -> float:
    """Return the expected score of the best of several runs on new rows.

    It is the best score plus a mean difference over bootstrap samples of the units: the out-of-sample score of the run
    that is best in the sample, minus the out-of-sample score of the run that is best overall.

    Parameters
    ----------
    sums : (g, runs) float
        The sum of the rows' losses in each unit.
    sizes : (g,) float
        The number of rows in each unit.
    root : bool
        Whether the score is the square root of the mean loss.
    greater_is_better : bool

    Returns
    -------
    float
        Never better than the best score; the best score itself for a single run, or if no sample leaves a unit out.

    References
    ----------
    Tsamardinos, Greasidou and Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and accurate
    cross-validation" (2018): BBC-CV. Differences to the best run are used because they vary less than scores.

    Examples
    --------
    >>> coins = np.random.default_rng(0).integers(2, size=(400, 50)).astype(float)
    >>> float(coins.mean(axis=0).max()), round(expected_after_choosing(coins, np.ones(400)), 2)
    (0.5625, 0.51)
    """
    sign = 1.0 if greater_is_better else -1.0
    scores = _scores(np.ones((1, len(sums))), sums, sizes, root=root)[0]
    best = int(np.argmax(sign * scores))
    counts = _draws(len(sums))
    outside = (counts == 0).astype(np.float64)
    usable = outside.sum(axis=1) > 0
    if sums.shape[1] < 2 or not usable.any():
        return float(scores[best])
    chosen = np.argmax(sign * _scores(counts[usable], sums, sizes, root=root), axis=1)
    out = _scores(outside[usable], sums, sizes, root=root)
    change = float(np.mean(out[np.arange(len(out)), chosen] - out[:, best]))
    return float(scores[best] + sign * min(sign * change, 0.0))


def _draws(units: int) -> np.ndarray:
    """(draws, units) how often each bootstrap sample contains each unit."""
    drawn = np.random.default_rng(0).integers(units, size=(_DRAWS, units))
    drawn += units * np.arange(_DRAWS)[:, None]
    return np.bincount(drawn.ravel(), minlength=_DRAWS * units).reshape(_DRAWS, units).astype(np.float64)


def _scores(counts: np.ndarray, sums: np.ndarray, sizes: np.ndarray, *, root: bool) -> np.ndarray:
    means = (counts @ sums) / (counts @ sizes)[:, None]
    return np.sqrt(means) if root else means


def effective_tries(sums: np.ndarray, sizes: np.ndarray) -> float:
    """Return the effective number of independent runs among correlated ones.

    Parameters
    ----------
    sums : (g, runs) float
        The sum of the rows' losses in each unit.
    sizes : (g,) float
        The number of rows in each unit.

    Returns
    -------
    float
        From 1, if all runs have the same losses, to the number of runs, if no two are correlated.

    References
    ----------
    Bretherton et al., "The effective number of spatial degrees of freedom of a time-varying field" (1999), equation 5:
    the squared trace of the correlation matrix over the sum of its squares. A squared correlation of g units exceeds
    the true one by about (1 - r²) / (g - 2), which is taken off (Ezekiel's adjusted R²).

    Examples
    --------
    >>> losses = np.random.default_rng(0).normal(size=(1000, 3))
    >>> same = losses[:, [0, 0, 0]]
    >>> round(effective_tries(losses, np.ones(1000)), 1), round(effective_tries(same, np.ones(1000)), 1)
    (3.0, 1.0)
    """
    units, runs = sums.shape
    deviations = sums - np.outer(sizes, sums.sum(axis=0) / sizes.sum())
    lengths = np.sqrt((deviations**2).sum(axis=0))
    scaled = deviations / np.where(lengths > 0, lengths, 1.0)
    squares = (scaled.T @ scaled) ** 2
    if units > 2:
        squares = np.maximum(squares - (1 - squares) / (units - 2), 0.0)
    np.fill_diagonal(squares, 1.0)
    return float(runs**2 / squares.sum())


def random_blocks(groups: np.ndarray, most: int = _MANY_UNITS) -> np.ndarray:
    """Assign rows to units: their groups, or random blocks of whole groups if there are many.

    Parameters
    ----------
    groups : (n,)
        The group of each row; the row's own number if rows are independent.
    most : int
        The largest number of units.

    Returns
    -------
    (n,) int
        Numbered from 0, the same at every call.
    """
    numbers = np.unique(groups, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    if count <= most:
        return numbers
    return np.random.default_rng(0).permutation(np.arange(count) % most)[numbers]


def gather(losses: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return the sum of the rows' losses in each unit.

    Parameters
    ----------
    losses : (n,) float
    units : (n,) int
        Numbered from 0 without gaps.

    Returns
    -------
    (g,) float
    """
    return np.bincount(units, weights=losses)
