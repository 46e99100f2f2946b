"""How many of a given number of trees boosting grows: all, or as many as the time limit of the fit allows.

The first trees of a fit are timed. If there is time for all trees, the model is the same, to the byte, as without a
limit. Otherwise, fewer trees are planned. If the machine becomes slower later, growing stops in time, and the trees so
far are kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kpipe.core.time_limit import TimeLimit, current_limit
from kpipe.errors import TooFewStepsError

__all__ = ["ALL_TREES", "Growth", "Pace", "TreeSchedule", "growth_until_stopped", "require_useful"]

_PLANNED = 0.88  # share of the time left that is planned: trees vary, and a busy machine becomes slower
_STOPPED = 0.97  # share after which growing stops, whatever was planned
_MINIMUM = 5  # trees that are always planned
_USEFUL = 20  # trees: with fewer, the fit is skipped if another model has predictions
_TIMED, _TIMED_SECONDS = 8, 0.05  # trees and seconds after which the cost of a tree is known,
_TIMED_SHARE = 0.1  # or the share of the time left, after two trees
_PREDICTED = 0.75  # largest ratio of the times per row of predicting with a tree and of growing it
_MEASURED = 2_000  # rows whose prediction is measured
_SHARE = 0.4  # of the time, for a shortened fit where other models wait


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The measured time of the first trees of a fit, in seconds.

    Attributes
    ----------
    start : float
        Time before the first tree.
    tree : float
        Time to grow a tree.
    """

    start: float
    tree: float


@dataclass(kw_only=True)
class Growth:
    """Decides after each tree of a fit whether another one is grown.

    Parameters
    ----------
    stop_after : int, optional
        For a fit that is repeated: the number of trees, however long they take.
    stop_at : float
        When growing and predicting must have ended, by ``time.monotonic``.
    expected : float
        Trees for which there must be time; otherwise, growing stops as soon as the time of a tree is known.
    predicted : float
        Number of rows to predict per training row.
    predicting : float
        Seconds that it takes to predict them with one tree, if that is known.

    Attributes
    ----------
    grown : int
        Trees so far.
    is_late : bool
        Whether growing was stopped because the time was up.
    pace : Pace or None
        The time of a tree, if there is too little time for the expected ones.
    """

    stop_after: int | None = None
    stop_at: float = math.inf
    expected: float = 0.0
    predicted: float = 0.0
    predicting: float = 0.0
    grown: int = field(default=0, init=False)
    is_late: bool = field(default=False, init=False)
    pace: Pace | None = field(default=None, init=False)
    _began: float = field(default_factory=lambda: time.monotonic(), init=False)
    _first: float = field(default=0.0, init=False)
    _is_timed: bool = field(default=False, init=False)

    @property
    def is_limited(self) -> bool:
        """Whether the library has to call back after each tree."""
        return self.stop_after is not None or self.stop_at < math.inf

    def is_over(self) -> bool:
        """Count a tree, and return whether it was the last one."""
        self.grown += 1
        if self.stop_after is not None:
            return self.grown >= self.stop_after
        now = time.monotonic()
        if self.grown == 1:
            self._first = now
        elif not self._is_timed:
            self._time(now)
        self.is_late = now + self.grown * self.predicting > self.stop_at
        if self.grown == 1 and self.expected:  # the second one shows how long a tree takes
            return False
        return self.is_late or self.pace is not None

    def _time(self, now: float) -> None:
        elapsed, left = now - self._began, self.stop_at - now
        enough = self.grown >= _TIMED and elapsed >= _TIMED_SECONDS
        if not enough and elapsed < _TIMED_SHARE * (elapsed + left):
            return
        self._is_timed = True
        tree = max((now - self._first) / (self.grown - 1), 1e-6)
        self.predicting = self.predicting or _PREDICTED * tree * self.predicted
        still = max(self.expected - self.grown, 0.0) * tree + self.expected * self.predicting
        if self.expected and still * _STOPPED > left * _PLANNED:
            start = max(self._first - self._began - tree, 0.0)
            self.pace = Pace(start=start, tree=tree)


ALL_TREES = Growth()  # no limit


def growth_until_stopped(limit: TimeLimit | None, n_rows: int) -> Growth:
    """Return the growth of a fit whose number of trees is not planned: it ends before the fit is killed.

    Parameters
    ----------
    limit : TimeLimit or None
        Time limit of the fit.
    n_rows : int
        Number of training rows.
    """
    if limit is None or limit.stop == math.inf:
        return ALL_TREES
    now = time.monotonic()
    return Growth(stop_at=now + _STOPPED * (limit.stop - now), predicted=limit.rows / n_rows)


def require_useful(growth: Growth, *, n_fits: int = 1) -> None:
    """Raise TooFewStepsError if the time was up after so few trees that another model's predictions are better.

    Parameters
    ----------
    growth : Growth
        Growth of the fit that was stopped.
    n_fits : int
        Number of fits so far: after the first one, its trees can be used.
    """
    limit = current_limit()
    if n_fits == 1 and growth.is_late and growth.grown < _USEFUL and limit is not None and limit.is_optional:
        raise TooFewStepsError(f"The time left sufficed for {growth.grown} trees, which learn too little.")


class TreeSchedule:
    """The trees of one fit within its time limit.

    Parameters
    ----------
    limit : TimeLimit
    trees : int
        Number of trees without a limit.
    n_rows : int
        Number of training rows.
    """

    def __init__(self, limit: TimeLimit, trees: int, n_rows: int) -> None:
        self._limit, self._trees, self._n_rows, self._predicting, self._planned = limit, trees, n_rows, 0.0, trees

    def repeats(self) -> int | None:
        """Return how many trees were planned for a fit that is repeated, if they were fewer; None otherwise."""
        if not self._limit.repeated or self._limit.repeated[0][0] >= self._trees:
            return None
        self._planned = self._limit.repeated[0][0]
        return self._planned

    def growth(self) -> Growth:
        """Return the growth of the fit with the trees that are planned now."""
        if self._limit.repeated:
            return Growth(stop_after=self._limit.repeated.pop(0)[1])
        return Growth(
            stop_at=time.monotonic() + _STOPPED * self._seconds_left(),
            expected=float(self._trees if self._planned == self._trees else 0),
            predicted=self._limit.rows / self._n_rows,
            predicting=self._predicting,
        )

    def note(self, growth: Growth) -> None:
        """Note the trees of the fit, so that it can be repeated."""
        steps = self._planned, min(max(growth.grown, 1), self._planned)
        self._limit.note(steps, shortened=growth.is_late or self._planned < self._trees)

    def shorten(self, growth: Growth, predict: Callable[[int], object]) -> int:
        """Return the number of trees for which there is time, fewer than without a limit.

        Parameters
        ----------
        growth : Growth
            Growth of the fit that was stopped as soon as it was known to take too long.
        predict : callable
            Predicts a number of rows with the trees of that fit.

        Raises
        ------
        TooFewStepsError
            If there is time for so few trees that another model's predictions are better.
        """
        pace = growth.pace or Pace(start=0.0, tree=0.0)
        self._planned = self._trees - 1
        self._predicting = self._seconds_to_predict(predict) / growth.grown
        affordable = int((_PLANNED * self._seconds_left() - pace.start) / (pace.tree + self._predicting))
        # If no other model waits, this is an additional configuration or seed: if there is time for less than half of
        # its trees, the time is better spent on another one.
        useful = _USEFUL if self._others_wait() else max(_USEFUL, self._trees // 2)
        if self._limit.is_optional and affordable < min(useful, self._trees):
            raise TooFewStepsError(
                f"The time left suffices for {max(affordable, 0)} of {self._trees} trees, which learn too little."
            )
        self._planned = min(max(affordable, _MINIMUM), self._trees - 1)
        return self._planned

    def _others_wait(self) -> bool:
        return self._limit.shortened_end < self._limit.end

    def _seconds_left(self) -> float:
        """The seconds until the fit must have ended; a share of them if it is shortened and other models wait."""
        share = _SHARE if self._planned < self._trees and self._others_wait() else 1.0
        return max(share * self._limit.seconds_left(), 0.0)

    def _seconds_to_predict(self, predict: Callable[[int], object]) -> float:
        predict(1)  # a warm-up: the first call takes longer
        start, measured = time.monotonic(), max(min(self._limit.rows, self._n_rows, _MEASURED), 1)
        predict(measured)
        return (time.monotonic() - start) * self._limit.rows / measured
