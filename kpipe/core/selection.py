"""How much the best of several scores flatters, because it was chosen on the rows that it is reported on.

The rows are gathered in units: a row, a group, a period, or a random block of rows where there are many. A matrix of
sums over units is all that is resampled, so that hundreds of runs of 100,000 rows take a fraction of a second.
"""

from __future__ import annotations

import numpy as np

__all__ = ["effective_tries", "expected_after_choosing", "gather", "random_blocks"]

_DRAWS = 1000  # the noise that they add is below a twentieth of the selection bias itself
_MANY_UNITS = 2000


def expected_after_choosing(
    sums: np.ndarray, sizes: np.ndarray, *, root: bool = False, greater_is_better: bool = True
) -> float:
    """Return the score to expect of the best of several runs on new rows.

    It is the best score, plus the mean, over bootstrap samples of the units, of the score that the run chosen on the
    sample has out of the sample, minus the score that the best run of all has there.

    Parameters
    ----------
    sums : (g, runs) float
        The sum of the rows' losses in each unit.
    sizes : (g,) float
        The number of rows in each unit.
    root : bool
        The score is the root of the mean of the losses.
    greater_is_better : bool

    Returns
    -------
    float
        Never better than the best score; the best score itself for one run, or for units too few to leave any out.

    References
    ----------
    Tsamardinos, Greasidou and Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and accurate
    cross-validation" (2018): BBC-CV. The difference to the best run is taken in each sample, because it varies less.

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
    """(draws, units) how often each bootstrap sample holds each unit."""
    drawn = np.random.default_rng(0).integers(units, size=(_DRAWS, units))
    drawn += units * np.arange(_DRAWS)[:, None]
    return np.bincount(drawn.ravel(), minlength=_DRAWS * units).reshape(_DRAWS, units).astype(np.float64)


def _scores(counts: np.ndarray, sums: np.ndarray, sizes: np.ndarray, *, root: bool) -> np.ndarray:
    means = (counts @ sums) / (counts @ sizes)[:, None]
    return np.sqrt(means) if root else means


def effective_tries(sums: np.ndarray, sizes: np.ndarray) -> float:
    """Return how many independent runs vary as much as these correlated ones.

    Parameters
    ----------
    sums : (g, runs) float
        The sum of the rows' losses in each unit.
    sizes : (g,) float
        The number of rows in each unit.

    Returns
    -------
    float
        From 1, where all runs have the same losses, to the number of runs, where no two correlate.

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
    """Return the number of each row's unit: its group, or a random block of whole groups where there are many.

    Parameters
    ----------
    groups : (n,)
        The group of each row; the row's own number where rows are independent.
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
