"""Planning within a time budget: what to start, what to leave, and what to do with the time left.

A budget is spent in this order. Models are trained in their given order. Of each model, as many fits as can run at a
time are started first, with a share of the time left: if they need more than their share, all fits of the model would
need more than there is. The longest of them predicts the rest. When no model is left, the finished ones are trained
again with additional seeds, while a whole seed fits into the time left.

The first model that finishes is treated differently (``needed``): without it there is no submission at all. Its first
fits may take half of the time left, the other half being for a quicker model; and once one of its fits has finished,
the rest is run to the last second.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["additional_seeds", "first_share", "is_worth_continuing", "n_first_fits", "reserved_seconds", "seconds_for"]

_MAX_SEEDS = 6  # of a model in one run: the mean of more seeds gains less than it costs
_NEEDED_SHARE = 2  # half of the time left is for the first fits of a needed model


def reserved_seconds(budget: float | None) -> float:
    """Return the seconds of a budget that are kept for the ensemble, checks and writing, and for Python itself.

    Parameters
    ----------
    budget : float or None
        Seconds of the whole run. None: no limit.

    Examples
    --------
    >>> reserved_seconds(10.0), reserved_seconds(300.0), reserved_seconds(None)
    (3.0, 16.0, 0.0)
    """
    return 0.0 if budget is None else min(0.3 * budget, 4.0 + 0.04 * budget)


def n_first_fits(fits: int, n_parallel: int, *, limited: bool) -> int:
    """Return how many fits of a model are run before the rest is planned.

    Parameters
    ----------
    fits : int
        Fits of the model.
    n_parallel : int
        Fits that run at a time.
    limited : bool
        Whether there is a budget. Without one, all fits are run at once.

    Examples
    --------
    >>> n_first_fits(5, 2, limited=True), n_first_fits(5, 2, limited=False)
    (2, 5)
    """
    return min(n_parallel, fits) if limited else fits


def first_share(fits: int, n_parallel: int, *, needed: bool) -> int:
    """Return into how many equal parts the time left is divided; the first fits of a model may take one of them.

    Parameters
    ----------
    fits, n_parallel : int
        As for ``n_first_fits``.
    needed : bool
        Whether no model has finished yet.

    Examples
    --------
    >>> first_share(5, 2, needed=False), first_share(5, 2, needed=True)
    (3, 2)
    """
    return _NEEDED_SHARE if needed else _rounds(fits, n_parallel)


def seconds_for(fits: int, n_parallel: int, *, longest: float) -> float:
    """Return the seconds that fits are expected to take, each as long as the longest one so far.

    Examples
    --------
    >>> seconds_for(5, 2, longest=10.0)
    30.0
    """
    return longest * _rounds(fits, n_parallel)


def is_worth_continuing(*, first: int, finished: int, needed: bool, seconds: float, left: float | None) -> bool:
    """Return whether the remaining fits of a model are started after its first ones.

    Parameters
    ----------
    first, finished : int
        First fits that were started, and those of them that finished within their share.
    needed : bool
        Whether no model has finished yet.
    seconds : float
        Expected for the remaining fits.
    left : float or None
        Seconds left; None without a limit.

    Examples
    --------
    >>> is_worth_continuing(first=2, finished=2, needed=False, seconds=30.0, left=20.0)
    False
    >>> is_worth_continuing(first=2, finished=1, needed=True, seconds=30.0, left=20.0)
    True
    """
    if finished < first:
        return needed and finished > 0
    return needed or left is None or seconds < left


def additional_seeds(seeds: Sequence[int]) -> range:
    """Return the seeds that the time left is spent on, in their order.

    Examples
    --------
    >>> list(additional_seeds([0, 7]))
    [8, 9, 10, 11, 12]
    """
    return range(max(seeds) + 1, max(seeds) + _MAX_SEEDS)


def _rounds(fits: int, n_parallel: int) -> int:
    return -(-fits // n_parallel)
