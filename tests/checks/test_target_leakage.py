"""The check that no column contains the target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.checks.target_leakage import find_leaks
from tests.checks.prepared_tables import from_frame, make_prepared, status
from tests.plants import Prepared
from tests.tables import problem_of, tables


@pytest.mark.parametrize("n", [80, 300, 3000])
@pytest.mark.parametrize("steep", [1, 3, 8])
def test_a_legitimate_feature_may_be_strong(n: int, steep: int) -> None:
    rng = np.random.default_rng(n + steep)
    x = rng.normal(size=n)
    y = pd.Series((rng.random(n) < 1 / (1 + np.exp(-steep * x))).astype(int), name="y")
    X = pd.DataFrame({"x": x, "whole": np.round(3 * x), "label": np.round(2 * x).astype(int).astype(str)})
    assert list(find_leaks(X, y, classification=True)) == []


def test_a_feature_whose_values_exclude_a_rare_class_is_no_leak() -> None:
    rng = np.random.default_rng(0)
    age = rng.uniform(0, 90, 5000)
    y = pd.Series((rng.random(5000) < np.where(age < 40, 0, 0.08)).astype(int), name="stroke")
    X = pd.DataFrame({"age": age, "young": (age < 40).astype(int), "gap": np.where(age < 30, np.nan, age)})
    assert list(find_leaks(X, y, classification=True)) == []


def test_each_of_several_targets_is_searched_for() -> None:
    given = make_prepared()
    y = given.y
    train = given.tables.train.assign(z=1 - y, leaked=np.where(np.arange(len(y)) % 3 == 0, 1.0 - y, np.nan))
    test = given.tables.test.assign(leaked=np.nan)
    several = tables(train, test, test[["id"]].assign(y=0, z=0))
    check = Prepared.of(problem_of(several)).check("target leakage")
    assert check is not None
    assert check.status == "fail"
    assert "leaked" in check.detail


def test_a_precise_sensor_with_missing_values_is_no_sure_leak() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    y = pd.Series(x + 0.06 * rng.normal(size=1000), name="y")
    for share in (0.0, 0.001, 0.1, 0.6):
        X = pd.DataFrame({"sensor": np.where(rng.random(1000) < share, np.nan, x)})
        assert [leak.sure for leak in find_leaks(X, y, classification=False)] in ([], [False])
    copied = pd.DataFrame({"later": np.where(rng.random(1000) < 0.9, np.nan, y)})
    assert [leak.sure for leak in find_leaks(copied, y, classification=False)] == [True]


@pytest.mark.parametrize("equal", [0.05, 0.3])
def test_a_listed_price_that_is_paid_in_some_rows_is_no_sure_leak(equal: float) -> None:
    rng = np.random.default_rng(0)
    listed = np.round(np.exp(rng.normal(13, 0.5, 1000)), -2)
    paid = np.where(rng.random(1000) < equal, listed, np.round(listed * np.exp(rng.normal(0, 0.1, 1000)), -2))
    found = list(find_leaks(pd.DataFrame({"listed": listed}), pd.Series(paid, name="paid"), classification=False))
    assert [leak.sure for leak in found] == [False]
    written = np.where(rng.random(1000) < equal, paid, rng.permutation(paid))
    found = list(find_leaks(pd.DataFrame({"later": written}), pd.Series(paid, name="paid"), classification=False))
    assert [leak.sure for leak in found] == [True]


def test_a_target_that_was_written_with_noise_into_half_of_the_rows_fails() -> None:
    rng = np.random.default_rng(0)
    n = 800
    frame = pd.DataFrame({"id": np.arange(n + 200), "f": rng.normal(size=n + 200)})
    frame["y"] = frame["f"] + rng.normal(size=len(frame)) + 0.0
    other = rng.permutation(frame["y"])
    frame["aux"] = np.where(rng.random(len(frame)) < 0.5, frame["y"] + rng.normal(0, 0.01, len(frame)), other)
    check = from_frame(frame, n).check("target leakage")
    assert check is not None
    assert check.status == "fail"
    assert "unrelated to it in the others" in check.detail
    frame["aux"] = frame["y"] + rng.normal(0, 0.3, len(frame))  # a sensor
    assert status(from_frame(frame, n), "target leakage") == "pass"


def test_codes_that_hold_the_class_in_a_third_of_the_rows_fail() -> None:
    rng = np.random.default_rng(0)
    n = 1_000
    frame = pd.DataFrame({"id": np.arange(n + 300), "f": rng.normal(size=n + 300), "y": rng.integers(0, 2, n + 300)})
    usual = np.array([f"x{number}" for number in rng.integers(10, 30, len(frame))], dtype=object)
    honest = frame.assign(code=usual)
    assert status(from_frame(honest, n), "target leakage") == "pass"
    planted = np.where(rng.random(len(frame)) < 0.3, np.where(frame["y"] == 1, "z17", "z23"), usual)
    check = from_frame(frame.assign(code=planted), n).check("target leakage")
    assert check is not None
    assert check.status == "fail"
    assert "z17 always means 1" in check.detail


@pytest.mark.parametrize(("n", "values", "steep"), [(800, 190, 1.0), (3_000, 300, 1.0), (3_000, 700, 1.5)])
def test_a_rank_of_a_target_with_ties_is_a_sure_leak(n: int, values: int, steep: float) -> None:
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, values + 1) ** steep
    y = pd.Series(rng.choice(np.round(rng.gamma(3, 2, values), 3), n, p=weights / weights.sum()), name="y")
    X = pd.DataFrame({"percentile": (100 * y.rank(pct=True)).round(1)})
    assert [leak.sure for leak in find_leaks(X, y, classification=False)] == [True]
