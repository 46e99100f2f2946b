"""The time limit of a fit: a model that can train for a shorter time plans by it, and notes what became of its plan.

A fit runs in a ``limit_time`` block. An estimator that can be shortened asks ``current_limit()``; others need not know.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

__all__ = ["Steps", "TimeLimit", "current_limit", "limit_time", "share_limit"]

Steps = tuple[int, int]  # of a schedule: as planned, and as taken before the time was up


class TimeLimit:
    """The time that a fit may take, predictions included.

    Parameters
    ----------
    end : float
        When a fit that takes its full time must have ended, by ``time.monotonic``.
    shortened_end : float, optional
        When a fit that is shortened must have ended: earlier, where other models wait.
    rows : int
        Rows that are predicted after fitting.
    repeated : sequence of (int, int)
        The steps of each network of a fit that is repeated: exactly these, however long they take.

    Attributes
    ----------
    taken : list of (int, int)
        The steps of each network that the fit has trained.
    shortened : bool
        Whether one of them was trained for fewer steps than it asks for.
    """

    def __init__(
        self, end: float, shortened_end: float | None = None, *, rows: int = 0, repeated: Sequence[Steps] = ()
    ) -> None:
        self.end, self.rows = end, rows
        self.shortened_end = end if shortened_end is None else shortened_end
        self.repeated = [*repeated]
        self.taken: list[Steps] = []
        self.shortened = False

    def seconds_left(self, *, shortened: bool = False) -> float:
        """Return the seconds until the end."""
        return (self.shortened_end if shortened else self.end) - time.monotonic()

    def note(self, steps: Steps, *, shortened: bool) -> None:
        """Note the steps of a network, so that the fit can be repeated."""
        self.taken.append(steps)
        self.shortened |= shortened


_LIMIT: ContextVar[TimeLimit | None] = ContextVar("limit", default=None)


def current_limit() -> TimeLimit | None:
    """Return the limit of the fit that runs; None if it may take as long as it needs."""
    return _LIMIT.get()


@contextlib.contextmanager
def limit_time(limit: TimeLimit | None) -> Iterator[None]:
    """Make a limit that of the fit in a ``with`` block."""
    token = _LIMIT.set(limit)
    try:
        yield
    finally:
        _LIMIT.reset(token)


@contextlib.contextmanager
def share_limit(parts: int) -> Iterator[None]:
    """Limit a ``with`` block to one of the equal parts of the time left: for an estimator that fits several others."""
    limit, now = _LIMIT.get(), time.monotonic()
    if limit is None:
        yield
        return
    before = limit.end, limit.shortened_end
    limit.end, limit.shortened_end = (now + (end - now) / parts for end in before)
    try:
        yield
    finally:
        limit.end, limit.shortened_end = before
