"""Placeholders and other units in a few rows of the target are found; honest targets, however skewed, pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kpipe.checks.odd_targets import odd_targets
from tests.checks.made import from_frame, make_prepared
from tests.plants import Prepared
from tests.tables import prepared

SOME = slice(10, 400, 13)
Change = Callable[[np.ndarray], np.ndarray | float]


def found(y: np.ndarray) -> list[tuple[str, str]]:
    given = make_prepared(n=900, m=300, regression=True)
    frame = given.tables.train.assign(y=y)
    made = from_frame(frame, 900, given.tables.test, task="regression")
    return list(odd_targets(made.problem, made.folds))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: -1.0, "is -1 in 30 of 900 rows of train"),
        (lambda y: 9999999.0, "probably a placeholder"),
        (lambda y: y / 1000, "they fit when multiplied by 1000"),
        (lambda y: y * 100, "they fit when multiplied by 0.01"),
        (np.log, "probably natural logarithms of the target"),
        (np.log10, "probably decimal logarithms of the target"),
        (lambda y: round(np.exp(12) * np.exp(0.08)), "probably unknown targets that were filled"),
        (lambda y: 0.0, "if 0 stands for an unknown target"),
    ],
)
def test_a_target_that_is_written_differently_in_some_rows_is_found(change: Change, words: str) -> None:
    y = np.exp(np.random.default_rng(0).normal(12, 0.4, 900))
    y[SOME] = change(y[SOME])
    [(status, text)] = found(y)
    assert status == "warn"
    assert words in text


@pytest.mark.parametrize("seed", range(3))
def test_zeros_that_belong_to_a_target_and_caps_pass(seed: int) -> None:
    rng = np.random.default_rng(seed)
    claims = np.where(rng.random(900) < 0.15, 0.0, rng.gamma(1, 300, 900).round(2))
    rain = np.where(rng.random(900) < 0.1, 0.0, rng.gamma(2, 5, 900).round(1))
    prices = np.exp(rng.normal(12, 0.4, 900)).round(-3)
    for y in (claims, rain, np.minimum(prices, np.quantile(prices, 0.9)), rng.integers(0, 11, 900) * 1.0, prices):
        assert found(y) == []


@pytest.mark.parametrize("seed", range(3))
def test_honest_targets_pass(seed: int) -> None:
    rng = np.random.default_rng(seed)
    normal, wide = rng.normal(size=900), np.exp(rng.normal(0, 3, 900))
    for y in (normal, wide, rng.poisson(0.7, 900) * 1.0, rng.pareto(1.0, 900) + 0.1, rng.integers(-3, 100, 900) * 1.0):
        assert found(y) == []


@pytest.mark.parametrize("slug", ["house-prices-advanced-regression-techniques"])
def test_a_sample_passes(slug: str) -> None:
    given = Prepared.of(prepared(slug, data="sample"))
    assert list(odd_targets(given.problem, given.folds)) == []
