"""Waiting for Kaggle: pauses grow up to a limit, and there is always one look."""

from __future__ import annotations

import time

import pytest

from kpipe.kaggle.polling import poll


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, on a clock that only they move."""
    made: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: sum(made))
    monkeypatch.setattr(time, "sleep", made.append)
    return made


def test_pauses_grow_up_to_a_limit_and_end_after_the_given_time(pauses: list[float]) -> None:
    waited = list(poll(100))
    assert pauses[:3] == [2.0, 3.0, 4.5]
    assert max(pauses) == 20.0
    assert waited == [sum(pauses[:n]) for n in range(len(pauses))]
    assert waited[-1] <= 100 < sum(pauses)


def test_there_is_one_look_without_time_to_wait(pauses: list[float]) -> None:
    assert list(poll(0)) == [0]
