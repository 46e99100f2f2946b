"""The time that a run may still take."""

from __future__ import annotations

import time

__all__ = ["Deadline"]


class Deadline:
    """A point in time at which work must have ended.

    Parameters
    ----------
    budget : float or None
        Seconds from now. None: there is no limit.
    spent : float, default 0.0
        Seconds of the budget that have passed already.

    Attributes
    ----------
    budget : float or None
    end : float or None
        By ``time.monotonic``.

    Examples
    --------
    >>> Deadline(60.0).has_time_for(30.0), Deadline(60.0, spent=45.0).has_time_for(30.0)
    (True, False)
    >>> str(Deadline(None))
    'no limit'
    """

    def __init__(self, budget: float | None, *, spent: float = 0.0) -> None:
        self.budget = budget
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

    def share(self, parts: int) -> Deadline:
        """Return an earlier deadline, after one of ``parts`` equal parts of the time that is left."""
        left = self.seconds_left()
        return self if left is None else Deadline(left / max(parts, 1))

    def before(self, seconds: float) -> Deadline:
        """Return a deadline that leaves ``seconds`` until this one."""
        left = self.seconds_left()
        return self if left is None else Deadline(max(left - seconds, 0.0))

    def __str__(self) -> str:
        return "no limit" if self.end is None else f"{self.seconds_left():.0f} s left"
