"""A net keeps a time limit: it plans fewer steps, and stops in time with what it has learned."""

from __future__ import annotations

import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sklearn.base import clone  # noqa: E402
from sklearn.datasets import make_classification  # noqa: E402

from kpipe.core import time_limit  # noqa: E402
from kpipe.core.time_limit import TimeLimit, current_limit, limit_time, share_limit  # noqa: E402
from kpipe.errors import TooFewStepsError  # noqa: E402
from kpipe.models.nets import schedule  # noqa: E402
from kpipe.models.nets.convnet import ConvNetClassifier  # noqa: E402
from kpipe.models.nets.schedule import plan_schedule  # noqa: E402
from kpipe.models.nets.tabular_net import TabularNetClassifier  # noqa: E402

X, Y = make_classification(600, 6, random_state=0)


class SlowClock:
    """A clock on which each step takes ``seconds``, predicting a row ``per_row``, and the first prediction longer."""

    def __init__(self, seconds: float, per_row: float = 0.0) -> None:
        self.now, self.seconds, self.per_row, self.to_start = 1_000.0, seconds, per_row, 0.0

    def monotonic(self) -> float:
        return self.now

    def step(self) -> None:
        self.now += self.seconds

    def predict(self, rows: int) -> None:
        self.now += self.to_start + rows * self.per_row
        self.to_start = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SlowClock:
    made = SlowClock(0.1)
    for module in (schedule, time_limit):
        monkeypatch.setattr(module, "time", made)
    return made


def plan(clock: SlowClock, steps: int, seconds: float, *, waiting: bool = False, rows: int = 0) -> tuple[int, float]:
    """The steps that are taken, and the seconds that they and the predictions took."""
    began = clock.now
    limit = TimeLimit(began + seconds, began + (seconds / 2 if waiting else seconds), rows=rows)
    with limit_time(limit):
        made = plan_schedule(steps, step=clock.step, predict=clock.predict, predict_quickly=clock.predict)
        taken = 0
        while taken < made.steps and not made.is_over(taken):
            clock.step()
            taken += 1
        clock.predict(rows)
        made.note(taken)
    assert limit.shortened == (taken < steps)
    return taken, clock.now - began


def test_a_training_that_ends_in_time_is_not_shortened(clock: SlowClock) -> None:
    assert plan(clock, 100, 20.0)[0] == 100


def test_a_training_is_shortened_to_the_time_that_is_left_after_the_predictions(clock: SlowClock) -> None:
    taken, seconds = plan(clock, 1_000, 20.0)
    assert 170 <= taken <= 185
    assert seconds < 20.0
    clock.per_row = 0.01
    fewer, seconds = plan(clock, 1_000, 20.0, rows=1_000)
    assert 50 <= fewer <= 90
    assert seconds < 20.0


def test_what_the_first_prediction_takes_to_start_is_not_taken_for_the_time_of_each_row(clock: SlowClock) -> None:
    clock.to_start = 0.5
    assert plan(clock, 100, 20.0, rows=10_000)[0] == 100


def test_a_shortened_training_leaves_the_time_that_models_which_wait_are_given(clock: SlowClock) -> None:
    taken, seconds = plan(clock, 1_000, 20.0, waiting=True)
    assert 60 <= taken <= 90
    assert seconds < 10.0


def test_a_machine_that_becomes_slower_stops_the_training_in_time(clock: SlowClock) -> None:
    began = clock.now
    with limit_time(TimeLimit(began + 20.0)):
        made = plan_schedule(1_000, step=clock.step, predict=clock.predict, predict_quickly=clock.predict)
        clock.seconds *= 3
        taken = 0
        while not made.is_over(taken):
            clock.step()
            taken += 1
    assert schedule._MINIMUM < taken < made.steps
    assert 15.0 < clock.now - began < 20.0


def test_a_time_that_is_up_leaves_a_few_steps(clock: SlowClock) -> None:
    assert plan(clock, 1_000, 0.01)[0] == schedule._MINIMUM


def test_estimators_that_fit_several_others_share_the_limit(clock: SlowClock) -> None:
    with limit_time(TimeLimit(clock.now + 20.0)):
        with share_limit(4):
            limit = current_limit()
            assert limit is not None
            assert limit.seconds_left() == pytest.approx(5.0)
        assert limit.seconds_left() == pytest.approx(20.0)


@pytest.mark.parametrize("seconds", [0.0, 1e6])
def test_a_net_without_and_with_more_time_than_it_needs_is_the_same_net(seconds: float) -> None:
    made = TabularNetClassifier(members=2, epochs=1, min_steps=30, random_state=0)
    full = clone(made).fit(X, Y).predict_proba(X)
    limit = TimeLimit(time.monotonic() + seconds)
    with limit_time(limit):
        limited = clone(made).fit(X, Y).predict_proba(X)
    assert limit.shortened == (seconds == 0.0)
    assert np.array_equal(full, limited) == (seconds > 0.0)


def test_a_shortened_net_is_repeated_to_the_byte_from_its_steps() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (200, 64)).astype(np.uint8)
    labels = (pixels[:, :32].sum(axis=1) > pixels[:, 32:].sum(axis=1)).astype(int)
    limit = TimeLimit(time.monotonic())
    first = fitted(limit, pixels, labels)
    assert limit.shortened
    np.testing.assert_array_equal(first, fitted(TimeLimit(0.0, repeated=limit.taken), pixels, labels))


def test_a_shortened_fit_predicts_from_one_view() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (120, 64)).astype(np.uint8)
    for seconds, quick in ((0.0, True), (1e9, False)):
        with limit_time(TimeLimit(time.monotonic() + seconds)):
            assert ConvNetClassifier(random_state=0, epochs=1).fit(pixels, np.arange(120) % 2).quick_ == quick


def fitted(limit: TimeLimit, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    with limit_time(limit):
        return ConvNetClassifier(random_state=0).fit(pixels, labels).predict_proba(pixels)


@pytest.mark.parametrize(("seconds", "enough"), [(2.0, False), (6.0, True)])
def test_a_net_that_has_time_for_too_few_steps_is_left_out_where_another_model_predicts(
    clock: SlowClock, seconds: float, enough: bool
) -> None:
    with limit_time(TimeLimit(clock.now + seconds, is_optional=True)):
        if enough:
            assert plan_schedule(100, step=clock.step, predict=clock.predict, predict_quickly=clock.predict).shortened
        else:
            with pytest.raises(TooFewStepsError, match=r"The time left suffices for 12 of 100 steps"):
                plan_schedule(100, step=clock.step, predict=clock.predict, predict_quickly=clock.predict)


def test_where_steps_are_too_few_the_fits_that_would_follow_are_left_out_if_that_is_allowed(clock: SlowClock) -> None:
    limit = TimeLimit(clock.now + 2.0, alone_end=clock.now + 10.0, is_optional=True)
    with limit_time(limit):
        made = plan_schedule(1_000, step=clock.step, predict=clock.predict, predict_quickly=clock.predict)
    assert 80 < made.steps < 95
