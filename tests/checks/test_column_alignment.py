"""The check that columns of test hold the values of their own names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.checks.prepared_tables import from_frame, status
from tests.plants import Prepared
from tests.tables import problem_of, tables


@pytest.mark.parametrize("start", [0, 40])
def test_the_pixel_that_was_read_as_an_index_is_named(start: int) -> None:
    rng = np.random.default_rng(0)
    light = 200 * np.sin(np.linspace(0, 3, 100)) ** 2
    frame = pd.DataFrame(
        np.clip(rng.normal(light, 15, (1000, 100)), 0, 255).astype(np.uint8), columns=[f"pixel{n}" for n in range(100)]
    )
    frame.insert(0, "label", rng.integers(0, 3, 1000))
    test = frame.tail(400).drop(columns="label").reset_index(drop=True)
    off = test.copy()
    off.iloc[:, start:-1] = test.iloc[:, start + 1 :].to_numpy()
    sample = pd.DataFrame({"ImageId": np.arange(1, 401), "label": 0})
    given = tables(frame.head(600), off, sample)
    check = Prepared.of(problem_of(given)).check("column alignment")
    assert check is not None
    assert check.status == "fail"
    assert f"off by 1 from pixel{start}" in check.detail or f"off by 1 from pixel{start + 1}" in check.detail


def test_a_time_window_that_moved_on_by_a_step_is_a_warning() -> None:
    rng = np.random.default_rng(0)
    month = np.array([0, 3, -2, 5, 1, -4, 2, 6, 0, -3, 4, 1, 7])
    series = rng.normal(10, 1, 1500)[:, None] + month + rng.normal(scale=0.5, size=(1500, 13))
    names = [f"lag{number}" for number in range(11, 0, -1)]
    train = pd.DataFrame(series[:, :11], columns=names).assign(id=np.arange(1500), y=series[:, 11])
    test = pd.DataFrame(series[:, 1:12], columns=names).assign(id=1500 + np.arange(1500))
    others = test.assign(**{name: test[name] + rng.normal(scale=0.1, size=1500) for name in names})
    for given in (from_frame(train, 1500, test), from_frame(train, 1500, others)):
        check = given.check("column alignment")
        assert check is not None
        assert check.status == "warn"
        assert "a time window that moved forward" in check.detail
    plain = [f"x{'abcdefghijk'[number]}" for number in range(11)]
    renamed = dict(zip(names, plain, strict=True))
    assert status(
        from_frame(train.rename(columns=renamed), 1500, others.rename(columns=renamed)), "column alignment"
    ) == ("fail")
