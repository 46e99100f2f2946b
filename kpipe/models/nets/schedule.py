"""How many steps a net trains: all of its recipe, or as many as the time limit of the fit allows.

The steps are planned before training, from the measured time of a few of them on a copy of the network, so that the
learning rate falls to 0 within the time. Should the machine become slower later, training stops in time and keeps what
it has learned. A schedule that is not shortened is not changed by a byte.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from kpipe.core.time_limit import current_limit
from kpipe.errors import TooFewStepsError

__all__ = ["Schedule", "plan_schedule"]

_PLANNED = 0.92  # share of the time left that is planned: steps vary, and a busy machine becomes slower
_STOPPED = 0.97  # share after which training stops, whatever was planned
_MINIMUM = 10  # steps: fewer teach nothing
_USEFUL = 30  # steps: with fewer, a linear model predicts better
_MEASURED = 128  # rows whose prediction is measured
_STEPS = 4  # that are measured at least, if that is quick
_LONGEST = 0.3  # seconds of measuring, after which no further step is measured,
# or this share of the time left, up to so many seconds: steps of cifar-10 were 0.5 to 1.4 times as long as four of
# them had been, since the fit on the other core trained at one time and not at the other.
_MEASURING, _MAX_MEASURING = 0.02, 3.0


@dataclass
class Schedule:
    """The steps of a training.

    Parameters
    ----------
    steps : int
        As planned: the learning rate has fallen to 0 after them.
    shortened : bool
        Whether that is fewer than the recipe specifies.
    stop_after : int, optional
        Steps after which a training that is repeated was stopped.
    stop_at : float
        By ``time.monotonic``: when training must stop, to leave time for the predictions.
    """

    steps: int
    shortened: bool = False
    stop_after: int | None = None
    stop_at: float = math.inf

    def is_over(self, step: int) -> bool:
        """Return whether training stops before this step, counted from 0."""
        if self.stop_after is not None:
            return step >= self.stop_after
        return self.shortened and step >= min(_MINIMUM, self.steps) and time.monotonic() > self.stop_at

    def note(self, taken: int) -> None:
        """Note the steps that were taken, so that the fit can be repeated."""
        if (limit := current_limit()) is not None:
            limit.note((self.steps, taken), shortened=self.shortened)


def plan_schedule(
    steps: int,
    *,
    step: Callable[[], object],
    predict: Callable[[int], object],
    predict_quickly: Callable[[int], object],
) -> Schedule:
    """Plan a training of ``steps`` steps, or of fewer if the fit has a limit and they would not end in time.

    Parameters
    ----------
    steps : int
        Of the recipe.
    step : callable
        Takes one step of training on a copy of the network.
    predict, predict_quickly : callable
        Predict so many rows, as after a full and after a shortened training.

    Returns
    -------
    Schedule

    Raises
    ------
    TooFewStepsError
        If the time suffices for so few steps that the fit is of no use where the run has other predictions.
    """
    limit = current_limit()
    if limit is None:
        return Schedule(steps)
    if limit.repeated:
        planned, taken = limit.repeated.pop(0)
        return Schedule(planned, shortened=taken < steps, stop_after=taken)
    measuring = min(_MEASURING * max(limit.seconds_left(shortened=True), 0.0), _MAX_MEASURING)
    seconds, predicting = _seconds_of(step, measuring), _seconds_to_predict(predict, limit.rows)
    if seconds * steps + predicting <= _PLANNED * limit.seconds_left(shortened=False):
        return Schedule(steps)
    predicting, useful = _seconds_to_predict(predict_quickly, limit.rows), min(_USEFUL, steps)
    left = limit.seconds_left(shortened=True)
    if _affordable(left, seconds, predicting) < useful and limit.take_all():
        left = limit.seconds_left(shortened=True)
    if limit.is_optional and (few := _affordable(left, seconds, predicting)) < useful:
        raise TooFewStepsError(f"The time left suffices for {max(few, 0)} of {steps} steps, which teach too little.")
    planned = min(steps, max(_affordable(left, seconds, predicting), _MINIMUM))
    stop_at = time.monotonic() + _STOPPED * left - predicting
    return Schedule(planned, shortened=True, stop_at=stop_at)


def _affordable(left: float, seconds: float, predicting: float) -> int:
    """The steps that fit into the time left, beside the predictions."""
    return int((_PLANNED * left - predicting) / seconds)


def _seconds_of(step: Callable[[], object], measuring: float) -> float:
    """The mean time of a step, over as many of each half of the training, in about ``measuring`` seconds."""
    _take_two(step)  # the first ones prepare kernels and memory
    start, taken = time.monotonic(), 0
    elapsed = 0.0
    while not taken or elapsed < (_LONGEST if taken < _STEPS else measuring):
        _take_two(step)
        taken, elapsed = taken + 2, time.monotonic() - start
    return max(elapsed / taken, 1e-6)


def _take_two(step: Callable[[], object]) -> None:
    step()
    step()


def _seconds_to_predict(predict: Callable[[int], object], rows: int) -> float:
    measured = min(rows, _MEASURED)
    predict(1)  # the first time takes longer, which is no part of each row's time
    start = time.monotonic()
    predict(max(measured, 1))
    return (time.monotonic() - start) * rows / max(measured, 1)
