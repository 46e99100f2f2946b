"""The time that a run has taken, and may still take."""

from __future__ import annotations

import time

from kpipe.core.process_times import seconds_waited
from kpipe.training.budget import reserved_seconds, slowness_of

__all__ = ["Deadline", "RunClock"]

# Shares of a budget for the checks of tables: the usual one, and a larger one up to a number of seconds.
_CHECKED, _MAX_CHECKED, _LONGEST_CHECKS = 0.02, 0.08, 6.0


class Deadline:
    """A point in time at which work must have ended.

    Parameters
    ----------
    budget : float or None
        Seconds from now. None: there is no limit.
    spent : float, default 0.0
        Seconds of the budget that have passed already.
    slowness : float, default 1.0
        Seconds that a second of work takes, see ``kpipe.training.budget.slowness_of``.

    Attributes
    ----------
    budget : float or None
    slowness : float
    end : float or None
        By ``time.monotonic``.

    Examples
    --------
    >>> Deadline(60.0).has_time_for(30.0), Deadline(60.0, spent=45.0).has_time_for(30.0)
    (True, False)
    >>> str(Deadline(None))
    'no limit'
    """

    def __init__(self, budget: float | None, *, spent: float = 0.0, slowness: float = 1.0) -> None:
        self.budget, self.slowness = budget, slowness
        self.end = None if budget is None else time.monotonic() + budget - spent

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self.end is not None

    def seconds_left(self) -> float | None:
        """Return the seconds until the end, at least 0; None without a limit."""
        return None if self.end is None else max(0.0, self.end - time.monotonic())

    def has_passed(self) -> bool:
        """Return whether the end has been reached."""
        return not self.has_time_for(0.0)

    def has_time_for(self, seconds: float) -> bool:
        """Return whether work that takes ``seconds`` would end in time."""
        return self.end is None or time.monotonic() + seconds < self.end

    def share(self, parts: float) -> Deadline:
        """Return an earlier deadline, after one of ``parts`` equal parts of the time that is left."""
        left = self.seconds_left()
        return self if left is None else Deadline(left / max(parts, 1), slowness=self.slowness)

    def before(self, seconds: float) -> Deadline:
        """Return a deadline that leaves ``seconds`` until this one."""
        left = self.seconds_left()
        return self if left is None else Deadline(max(left - seconds, 0.0), slowness=self.slowness)

    def __str__(self) -> str:
        return "no limit" if self.end is None else f"{self.seconds_left():.0f} s left"


class RunClock:
    """The time of a run with a budget: when training must end, so that the whole run ends in time.

    Parameters
    ----------
    budget : float or None
        Seconds of the run. None: there is no limit.
    spent : float, default 0.0
        Seconds of the run that have passed already.

    Attributes
    ----------
    began : float
        By ``time.perf_counter``.
    """

    def __init__(self, budget: float | None, *, spent: float = 0.0) -> None:
        self.budget = budget
        self.began, self._spent, self._worked = time.perf_counter() - spent, spent, time.process_time()
        self._waited = seconds_waited()

    def seconds_to_check_tables(self) -> float | None:
        """Return the CPU seconds that checks of tables may take; None without a budget.

        These checks come before training, so that training can be planned with the time that they leave.
        """
        if self.budget is None:
            return None
        return max(_CHECKED * self.budget, min(_LONGEST_CHECKS, _MAX_CHECKED * self.budget)) / self.slowness()

    def training_deadline(self) -> Deadline:
        """Return the deadline of training, after which there is time for the ensemble, checks and writing.

        The slower the machine has been so far, because of other work on it, the more time is reserved.
        """
        worked, slowness = time.process_time() - self._worked, self.slowness()
        reserved = reserved_seconds(self.budget, prepared=worked, slowness=slowness)
        return Deadline(self.budget, spent=self.elapsed() + reserved, slowness=slowness)

    def elapsed(self) -> float:
        """Return the seconds that the run has taken so far."""
        return time.perf_counter() - self.began

    def slowness(self) -> float:
        """Return how many seconds a second of this process's work has taken so far, at least 1."""
        now = seconds_waited()
        waited = None if now is None or self._waited is None else now - self._waited
        return slowness_of(self.elapsed() - self._spent, time.process_time() - self._worked, waited)
