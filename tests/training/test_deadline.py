from __future__ import annotations

import time

import pytest

from kpipe.training import deadline
from kpipe.training.deadline import Deadline, RunClock


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


@pytest.mark.parametrize("worked", [10.0, 5.0, 0.1])
def test_the_busier_the_machine_the_more_time_is_kept_for_the_end(
    monkeypatch: pytest.MonkeyPatch, worked: float
) -> None:
    now = {"perf_counter": 100.0, "process_time": 0.0}
    for name in now:
        monkeypatch.setattr(time, name, lambda name=name: now[name])
    monkeypatch.setattr(deadline, "seconds_waited", lambda: None)
    clock = RunClock(90.0)
    now["perf_counter"] += 10.0
    now["process_time"] += worked
    seconds = clock.training_deadline().seconds_left()
    assert seconds is not None
    kept = 80.0 - seconds
    assert kept == pytest.approx(min(27.0, (2.3 + 0.6 * worked) * min(10.0 / worked, 3.0)), abs=0.1)
    to_check = clock.seconds_to_check_tables()
    assert to_check is not None
    assert to_check == pytest.approx(6.0 / min(10.0 / worked, 3.0))
    assert RunClock(None).training_deadline().seconds_left() is None


def test_other_work_makes_a_clock_slow_and_a_download_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"perf_counter": 100.0, "process_time": 0.0}
    for name in now:
        monkeypatch.setattr(time, name, lambda name=name: now[name])
    waited = 1.0
    monkeypatch.setattr(deadline, "seconds_waited", lambda: waited)
    clock = RunClock(90.0)
    now["perf_counter"], now["process_time"] = 140.0, 2.0
    assert clock.slowness() == 1.0
    waited = 4.0
    assert clock.slowness() == 2.5
    assert clock.training_deadline().slowness == clock.training_deadline().share(2).slowness == 2.5


def test_a_deadline_can_leave_time_before_another() -> None:
    before = Deadline(60.0).before(20.0).seconds_left()
    assert before == pytest.approx(40.0, abs=1.0)
    assert Deadline(5.0).before(20.0).has_passed()
    assert Deadline(None).before(20.0).seconds_left() is None
