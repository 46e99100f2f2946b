"""Planning within a time budget: which fits to start, which to skip, and how to use the remaining time.

A budget is spent in this order. Models are trained in their given order. Of each model, as many fits as can run at a
time are started first, with a share of the time left: if they need more than their share, all fits of the model would
need more than there is. The longest of them predicts the rest. When no model is left, the finished ones are trained
again with additional seeds, while a whole seed fits into the time left.

The first model that finishes is treated differently (``needed``): without it there is no submission at all. Its first
fits may take half of the time left, the other half being for a quicker model; and once one of its fits has finished,
the remaining ones may use all of the time left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "Shortage",
    "additional_seeds",
    "first_share",
    "is_worth_continuing",
    "n_first_fits",
    "reserved_seconds",
    "rounds_of",
    "seconds_for",
    "seconds_if_shortened",
    "slowness_of",
    "stacking_seconds",
    "too_short_for_all",
]

_MAX_SEEDS = 30  # of a model in one run: the mean of more seeds gains nothing that could be measured
_SLOWEST = 3.0  # at most: imports slow down the start of a run, but not the work at its end
_STACKING_SHARE, _MAX_STACKING = 0.3, 60.0
_TO_START, _SLOWER = 5.0, 0.75  # seconds for workers to start, and what the layer takes relative to boosting
_SHORTENED_SHARE = 0.85  # of the time left, for a shortened model while others wait
_PATIENCE = 1.5  # a fit that keeps its time limit itself is stopped only after this multiple of the limit
_NEEDED_SHARE = 2  # half of the time left is for the first fits of a needed model


def reserved_seconds(budget: float | None, *, prepared: float = 2.0, slowness: float = 1.0) -> float:
    """Return the seconds of a budget that are kept for the ensemble, checks and writing, and for Python itself.

    Parameters
    ----------
    budget : float or None
        Seconds of the whole run. None: no limit.
    prepared : float
        CPU seconds that reading and checking the tables took: the work at the end grows with them.
    slowness : float
        Seconds that a second of this process's work takes on a machine with other work, see ``slowness_of``.

    Examples
    --------
    >>> reserved_seconds(5.0), reserved_seconds(300.0, prepared=5.0), reserved_seconds(None)
    (1.5, 9.5, 0.0)
    >>> reserved_seconds(300.0, prepared=5.0, slowness=2.0)
    19.0
    """
    if budget is None:
        return 0.0
    return min(0.3 * budget, (0.5 + 0.02 * budget + 0.6 * prepared) * slowness)


def slowness_of(elapsed: float, worked: float, waited: float | None = None) -> float:
    """Return how many seconds a second of work takes, between 1 and 3.

    Parameters
    ----------
    elapsed : float
        Wall-clock seconds so far.
    worked : float
        CPU seconds in that time.
    waited : float, optional
        Seconds for which this process waited for a CPU that did other work. If it is unknown, waiting for a disk or a
        download counts as well.

    Examples
    --------
    >>> slowness_of(4.0, 2.0), slowness_of(4.0, 4.5), slowness_of(90.0, 2.0)
    (2.0, 1.0, 3.0)
    >>> slowness_of(90.0, 2.0, waited=1.0), slowness_of(90.0, 2.0, waited=18.0)
    (1.5, 3.0)
    """
    worked = max(worked, 1e-3)
    slowness = elapsed / worked if waited is None else 1.0 + waited / worked
    return min(max(slowness, 1.0), _SLOWEST)


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


def first_share(fits: int, n_parallel: int, *, needed: bool, elastic: bool = False) -> float:
    """Return the number of equal parts of the remaining time, one of which the first fits of a model may take.

    Parameters
    ----------
    fits, n_parallel : int
        As for ``n_first_fits``.
    needed : bool
        Whether no model has finished yet.
    elastic : bool, default False
        Whether the fits themselves end in time: they are stopped only where that fails, and then somewhat later.

    Examples
    --------
    >>> first_share(5, 2, needed=False), first_share(5, 2, needed=True)
    (3, 2)
    >>> first_share(5, 2, needed=False, elastic=True), first_share(5, 2, needed=True, elastic=True)
    (2.0, 1)
    """
    rounds = rounds_of(fits, n_parallel)
    if elastic:
        return 1 if needed else max(rounds / _PATIENCE, 1)
    return _NEEDED_SHARE if needed else rounds


def seconds_for(fits: int, n_parallel: int, *, longest: float) -> float:
    """Return the seconds that fits are expected to take, each as long as the longest one so far.

    Examples
    --------
    >>> seconds_for(5, 2, longest=10.0)
    30.0
    """
    return longest * rounds_of(fits, n_parallel)


def seconds_if_shortened(left: float, *, others_wait: bool) -> float:
    """Return the seconds that a model may take if it has to be shortened: nearly all that are left.

    Models that wait get little: a slower one would learn nothing even in half of the time, and a linear one needs less.

    Parameters
    ----------
    left : float
        Seconds left when the model is started.
    others_wait : bool
        Whether other models wait for their turn.

    Examples
    --------
    >>> seconds_if_shortened(20.0, others_wait=False), seconds_if_shortened(20.0, others_wait=True)
    (20.0, 17.0)
    """
    return left * (_SHORTENED_SHARE if others_wait else 1.0)


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


def stacking_seconds(left: float | None, *, boosting: float = math.inf) -> float:
    """Return the seconds that additional seeds leave to the stacking layer.

    Parameters
    ----------
    left : float or None
        Seconds left when the last model has finished.
    boosting : float
        Seconds that all folds of the model "boosting" took: the layer takes less than three quarters of that.

    Examples
    --------
    >>> stacking_seconds(50.0), stacking_seconds(3600.0), stacking_seconds(3600.0, boosting=10.0)
    (15.0, 60.0, 12.5)
    """
    if left is None:
        return 0.0
    return min(_STACKING_SHARE * left, _MAX_STACKING, _TO_START + _SLOWER * boosting)


def additional_seeds(seeds: Sequence[int]) -> range:
    """Return the seeds that the time left is spent on, in their order.

    Examples
    --------
    >>> additional_seeds([0, 7])
    range(8, 37)
    """
    return range(max(seeds) + 1, max(seeds) + _MAX_SEEDS)


@dataclass(frozen=True, kw_only=True)
class Shortage:
    """Why a model did not finish within the budget.

    Parameters
    ----------
    budget : float
        Seconds of the whole run.
    left : float
        Seconds that were left when the model was started.
    fits, n_parallel : int
        As for ``n_first_fits``.
    longest : float
        Seconds of the longest fit that finished; 0.0 if none did.
    needed : bool
        As for ``first_share``.

    Examples
    --------
    >>> str(Shortage(budget=60.0, left=12.0, fits=5, n_parallel=1, longest=4.0, needed=False))
    'it would not finish within the budget of 60 s: its 5 fits need about 20 s, and 12 s were left'
    >>> str(Shortage(budget=40.0, left=1.0, fits=8, n_parallel=1, longest=0.0, needed=False)).rpartition(", and ")[-1]
    '1 s was left'
    >>> Shortage(budget=60.0, left=32.0, fits=5, n_parallel=1, longest=4.0, needed=False).needs  # one was stopped
    'more than 32 s'
    """

    budget: float
    left: float
    fits: int
    n_parallel: int
    longest: float
    needed: bool

    @property
    def seconds(self) -> float:
        """Seconds that all fits need; a lower bound, unless the longest finished fit explains the shortage."""
        if self.longest:
            return max(self._expected, self.left)
        share = first_share(self.fits, self.n_parallel, needed=self.needed)
        return seconds_for(self.fits, self.n_parallel, longest=self.left / share)

    @property
    def _expected(self) -> float:
        return seconds_for(self.fits, self.n_parallel, longest=self.longest)

    @property
    def needs(self) -> str:
        """What the fits need, such as "about 20 s"."""
        return f"{'about' if self._expected > self.left else 'more than'} {self.seconds:.0f} s"

    def __str__(self) -> str:
        fits = f"its {self.fits} fits need" if self.fits > 1 else "its fit needs"
        left = (
            f"{fits} {self.needs}, and {self.left:.0f} s {'was' if round(self.left) == 1 else 'were'} left"
            if self.left >= 1
            else "no time was left for it"
        )
        return f"it would not finish within the budget of {self.budget:g} s: {left}"


def too_short_for_all(shortages: Mapping[str, Shortage]) -> str:
    """Return a message that no model finished, with the time that the fastest needs and what is submitted instead.

    Parameters
    ----------
    shortages : mapping of str to Shortage
        Of each model; at least one.

    Examples
    --------
    >>> one = Shortage(budget=10.0, left=5.0, fits=5, n_parallel=1, longest=4.0, needed=True)
    >>> too_short_for_all({"linear": one}).partition(". ")[0]
    '10 s is too short for the model linear, which needs about 20 s'
    """
    measured = {name: shortage for name, shortage in shortages.items() if shortage.left >= 1}
    quickest = min(measured, key=lambda name: measured[name].seconds, default="")
    needs = measured[quickest].needs if quickest else ""
    spent = "" if measured else ": reading and preparing the tables took the time"
    budget = f"{next(iter(shortages.values())).budget:g} s is too short for"
    if len(shortages) == 1:
        text = f"{budget} the model {next(iter(shortages))}" + (f", which needs {needs}" if needs else "")
    else:
        text = f"{budget} any of the {len(shortages)} models"
        text += f"; the quickest, {quickest}, needs {needs}" if needs else ""
    return (
        f"{text}{spent}. The submission is the same constant prediction in every row, which no model has learned from "
        "the columns: run again with a longer --budget."
    )


def rounds_of(fits: int, n_parallel: int) -> int:
    """Return how often ``n_parallel`` fits are started until all have run."""
    return -(-fits // n_parallel)
