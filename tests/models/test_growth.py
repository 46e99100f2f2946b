"""Boosting keeps a time limit: a given number of trees becomes smaller, and trees that were grown in time are kept."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kpipe.core import time_limit
from kpipe.core.time_limit import TimeLimit, limit_time
from kpipe.core.values import Context
from kpipe.errors import TooFewStepsError
from kpipe.models import early_stopping, growth, model
from kpipe.models.growth import Growth

CLASSES = Context(task="classification", n_classes=2, seed=0)
VALUES = Context(task="regression", seed=0)
TREES = {"boosting": {"n_estimators": 200}, "xgboost": {"n_estimators": 200}, "catboost": {"iterations": 200}}
STOPPED_EARLY = {"boosting": {}, "xgboost": {}, "catboost": {"early_stopping_rounds": 20, "learning_rate": 0.1}}


class SlowClock:
    """A clock that is ``seconds`` further each time it is read: boosting reads it once for each tree."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds = 1_000.0, seconds

    def monotonic(self) -> float:
        self.now += self.seconds
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SlowClock:
    made = SlowClock(0.1)
    for module in (growth, time_limit):
        monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture(params=TREES)
def library(request: pytest.FixtureRequest) -> str:
    if request.param == "xgboost":
        pytest.importorskip("xgboost")
    return str(request.param)


def table() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=300), "z": rng.normal(size=300)})
    return X, X["x"].to_numpy() + np.sin(3 * X["z"]).to_numpy() + rng.normal(scale=0.3, size=300)


def predicted(name: str, limit: TimeLimit | None = None, **options: Any) -> np.ndarray:
    X, values = table()
    with limit_time(limit):
        fitted = model(name, **TREES[name], **options)(VALUES).fit(X, values)
    return np.asarray(fitted.predict(X))


def test_with_enough_time_boosting_is_the_same_as_without_a_limit(library: str) -> None:
    limit = TimeLimit(time.monotonic() + 1e6, rows=300)
    np.testing.assert_array_equal(predicted(library, limit), predicted(library))
    assert not limit.shortened


@pytest.mark.parametrize("seconds", [-5.0, 0.0, 0.3, 5.0, 15.0])
def test_boosting_that_would_take_too_long_ends_in_time_and_is_repeated_to_the_byte(
    library: str, seconds: float, clock: SlowClock
) -> None:
    end = clock.now + seconds
    limit = TimeLimit(end, rows=300)
    first = predicted(library, limit)
    assert clock.now < max(end, 1_000.0) + 3.0  # a few trees are always grown
    ((planned, taken),) = limit.taken
    assert limit.shortened
    assert taken <= planned < 200
    repeated = TimeLimit(0.0, repeated=limit.taken)
    np.testing.assert_array_equal(predicted(library, repeated), first)
    assert repeated.taken == limit.taken


def test_a_machine_that_becomes_slower_keeps_the_trees_that_were_grown(
    library: str, clock: SlowClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, is_over = TimeLimit(clock.now + 100.0), Growth.is_over

    def slower(self: Growth) -> bool:
        clock.seconds = 0.1 if self.grown < 30 else 20.0
        return is_over(self)

    monkeypatch.setattr(Growth, "is_over", slower)
    first = predicted(library, limit)
    ((planned, taken),) = limit.taken
    assert limit.shortened
    assert 30 <= taken < planned == 200
    assert np.corrcoef(first, table()[1])[0, 1] > 0.5
    monkeypatch.setattr(Growth, "is_over", is_over)
    np.testing.assert_array_equal(predicted(library, TimeLimit(0.0, repeated=limit.taken)), first)


def test_where_other_models_wait_a_shortened_fit_leaves_them_time(clock: SlowClock) -> None:
    planned = []
    for share in (1.0, 0.85):
        limit = TimeLimit(clock.now + 15.0, clock.now + share * 15.0)
        predicted("catboost", limit)
        planned.append(limit.taken[0][0])
    assert planned[1] < 0.6 * planned[0]


@pytest.mark.parametrize(
    ("seconds", "waiting", "enough"), [(1.0, True, False), (15.0, True, True), (8.0, False, False)]
)
def test_too_few_trees_give_way_to_another_model_that_predicts(
    library: str, clock: SlowClock, seconds: float, waiting: bool, enough: bool
) -> None:
    limit = TimeLimit(clock.now + seconds, clock.now + (0.85 if waiting else 1.0) * seconds, is_optional=True)
    if enough:
        assert np.isfinite(predicted(library, limit)).all()
    else:
        with pytest.raises(TooFewStepsError, match="of 200 trees, which learn too little"):
            predicted(library, limit)


def test_classes_are_cut_short_too(library: str, clock: SlowClock) -> None:
    X, values = table()
    y, limit = np.where(values > 0, "high", "low"), TimeLimit(clock.now + 10.0, rows=300)
    with limit_time(limit):
        fitted = model(library, **TREES[library])(CLASSES).fit(X, y)
    assert limit.shortened
    assert (fitted.predict(X) == y).mean() > 0.7


def stopped_early(name: str, limit: TimeLimit | None) -> np.ndarray:
    X, values = table()
    with limit_time(limit):
        fitted = model(name, **STOPPED_EARLY[name])(VALUES).fit(X, values)
    return np.asarray(fitted.predict(X))


def trees_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """All trees of an early-stopped fit, those of its inner splits included."""
    asked, is_over = 0, Growth.is_over

    def counted(self: Growth) -> bool:
        nonlocal asked
        asked += 1
        return is_over(self)

    with monkeypatch.context() as patch:
        patch.setattr(Growth, "is_over", counted)
        stopped_early(name, TimeLimit(1e9, stop=1e9))
    return asked


@pytest.mark.parametrize("share", [0.03, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("splits", [1, 5])
def test_early_stopped_boosting_ends_before_it_would_be_stopped_and_is_repeated_to_the_byte(
    library: str, share: float, splits: int, clock: SlowClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_stopping, "_SMALL", 1_000 if splits == 5 else 0)
    trees = trees_asked(library, monkeypatch)
    stop = clock.now + 0.1 * share * trees
    limit = TimeLimit(1e9, stop=stop, rows=300)
    first = stopped_early(library, limit)
    assert clock.now < stop
    assert limit.shortened
    assert all(0 < taken <= planned for planned, taken in limit.taken), "kpipe reproduce refuses others"
    repeated = TimeLimit(0.0, repeated=limit.taken)
    np.testing.assert_array_equal(stopped_early(library, repeated), first)
    assert repeated.taken == limit.taken
