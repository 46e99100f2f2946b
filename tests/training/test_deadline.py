from __future__ import annotations

import time

import pytest

from kpipe.training.deadline import Deadline


def test_without_a_budget_there_is_time_for_everything() -> None:
    deadline = Deadline(None)
    assert deadline.has_time_for(1e9)
    assert not deadline.has_passed()
    assert not deadline.is_limited
    assert deadline.seconds_left() is None
    assert deadline.share(3) is deadline
    assert str(deadline) == "no limit"


def test_seconds_spent_before_count_against_the_budget() -> None:
    deadline = Deadline(60.0, spent=20.0)
    assert deadline.seconds_left() == pytest.approx(40.0, abs=1.0)
    assert deadline.has_time_for(30.0)
    assert not deadline.has_time_for(50.0)
    assert str(deadline) == "40 s left"


def test_a_share_ends_after_its_part_of_the_time_left() -> None:
    share = Deadline(60.0, spent=20.0).share(4)
    assert share.seconds_left() == pytest.approx(10.0, abs=1.0)
    assert share.end is not None
    assert share.end < time.monotonic() + 10.5


def test_a_deadline_that_has_passed_leaves_0_seconds() -> None:
    deadline = Deadline(5.0, spent=9.0)
    assert deadline.has_passed()
    assert deadline.seconds_left() == 0.0
    assert deadline.share(2).seconds_left() == pytest.approx(0.0, abs=0.1)
