"""Waiting for Kaggle: pauses grow up to a limit, and the first poll takes place in any case."""

from __future__ import annotations

import time
from itertools import count

import pytest

from kpipe.kaggle.polling import poll


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, on a clock that only they advance."""
    made: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: sum(made))
    monkeypatch.setattr(time, "sleep", made.append)
    return made


@pytest.fixture
def running_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that advances by a microsecond with each reading, as a real one does."""
    readings = count()
    monkeypatch.setattr(time, "monotonic", lambda: next(readings) * 1e-6)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def test_pauses_grow_up_to_a_limit_and_end_after_the_given_time(pauses: list[float]) -> None:
    waited = list(poll(100))
    assert pauses[:3] == [2.0, 3.0, 4.5]
    assert max(pauses) == 20.0
    assert waited == [sum(pauses[:n]) for n in range(len(pauses))]
    assert waited[-1] <= 100 < sum(pauses)


@pytest.mark.usefixtures("running_clock")
def test_there_is_one_poll_without_time_to_wait() -> None:
    assert list(poll(0)) == [0]
