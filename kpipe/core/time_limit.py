"""The time limit of a fit. Models that can train for a shorter time read it, and record how they were shortened.

A fit runs in a ``limit_time`` block. Estimators that can be shortened call ``current_limit()``; others ignore it. Those
guaranteed to end in time have the attribute ``keeps_time_limit``.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

__all__ = ["Steps", "TimeLimit", "current_limit", "keeps_time_limit", "limit_time", "share_limit"]

Steps = tuple[int, int]  # training steps of a network: planned, and taken within the time limit


class TimeLimit:
    """The time that a fit may take, predictions included.

    Parameters
    ----------
    end : float
        When a fit that is not shortened must have ended, by ``time.monotonic``.
    shortened_end : float, optional
        When a shortened fit must have ended: earlier than ``end`` if other models wait.
    rows : int
        The number of rows to predict after fitting.
    alone_end : float, optional
        When a shortened fit must have ended if the fits that follow it may be skipped.
    stop : float
        When the fit is killed, and its work lost.
    is_optional : bool
        Whether the run has predictions of another model, so that a fit too short to be useful is skipped.
    repeated : sequence of (int, int)
        For a fit that repeats another one: exactly these steps of each network are taken, however long they take.

    Attributes
    ----------
    taken : list of (int, int)
        The steps of each network that the fit has trained.
    shortened : bool
        Whether a network was trained for fewer steps than planned.
    """

    def __init__(
        self,
        end: float,
        shortened_end: float | None = None,
        *,
        rows: int = 0,
        alone_end: float | None = None,
        stop: float = math.inf,
        is_optional: bool = False,
        repeated: Sequence[Steps] = (),
    ) -> None:
        self.end, self.rows, self.stop = end, rows, stop
        self.shortened_end = end if shortened_end is None else shortened_end
        self.is_optional, self._alone_end = is_optional, alone_end
        self.repeated = [*repeated]
        self.taken: list[Steps] = []
        self.shortened = False

    def seconds_left(self, *, shortened: bool = False) -> float:
        """Return the seconds until the fit must have ended."""
        return (self.shortened_end if shortened else self.end) - time.monotonic()

    def take_all(self) -> bool:
        """Claim the time of the following fits, which are then skipped; return whether that is allowed."""
        if self._alone_end is None:
            return False
        self.end = self.shortened_end = self._alone_end
        self._alone_end = None
        return True

    def note(self, steps: Steps, *, shortened: bool) -> None:
        """Record the steps of a network, so that the fit can be repeated."""
        self.taken.append(steps)
        self.shortened |= shortened


_LIMIT: ContextVar[TimeLimit | None] = ContextVar("limit", default=None)


def keeps_time_limit(estimator: Any) -> bool:
    """Return whether an estimator, or one inside it, is guaranteed to end within the limit of a fit."""
    parts = (estimator, *estimator.get_params().values())
    return any(getattr(part, "keeps_time_limit", False) is True for part in parts)


def current_limit() -> TimeLimit | None:
    """Return the limit of the current fit; None if there is no limit."""
    return _LIMIT.get()


@contextlib.contextmanager
def limit_time(limit: TimeLimit | None) -> Iterator[None]:
    """Set the limit of the fit in a ``with`` block."""
    token = _LIMIT.set(limit)
    try:
        yield
    finally:
        _LIMIT.reset(token)


@contextlib.contextmanager
def share_limit(parts: int) -> Iterator[None]:
    """Limit a ``with`` block to an equal part of the time left, for an estimator that fits several others."""
    limit, now = _LIMIT.get(), time.monotonic()
    if limit is None:
        yield
        return
    before = limit.end, limit.shortened_end, limit.stop
    limit.end, limit.shortened_end, limit.stop = (now + (end - now) / parts for end in before)
    try:
        yield
    finally:
        limit.end, limit.shortened_end, limit.stop = before
