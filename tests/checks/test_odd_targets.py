"""Placeholders and other units in a few rows of the target are found; honest targets, however skewed, pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kpipe.checks.odd_targets import odd_targets, targets_far_from_predictions
from tests.checks.prepared_tables import from_frame, make_prepared, trained
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
        (lambda y: round(np.exp(12) * np.exp(0.08)), "probably unknown targets that were imputed"),
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
def test_targets_without_mistakes_pass(seed: int) -> None:
    rng = np.random.default_rng(seed)
    normal, wide = rng.normal(size=900), np.exp(rng.normal(0, 3, 900))
    for y in (normal, wide, rng.poisson(0.7, 900) * 1.0, rng.pareto(1.0, 900) + 0.1, rng.integers(-3, 100, 900) * 1.0):
        assert found(y) == []


@pytest.mark.parametrize("slug", ["house-prices-advanced-regression-techniques"])
def test_a_sample_passes(slug: str) -> None:
    given = Prepared.of(prepared(slug, data="sample"))
    assert list(odd_targets(given.problem, given.folds)) == []


def test_a_digit_too_many_is_found_by_what_is_predicted() -> None:
    given = make_prepared(n=900, m=300, regression=True)
    oof = given.y.to_numpy() * np.exp(np.random.default_rng(1).normal(0, 0.1, 900))
    wrong = given.tables.train.copy()
    wrong.loc[[5, 300, 700, 800], "y"] *= 10
    odd = Prepared.of(given.problem, replace(given.tables, train=wrong))
    [(status, text)] = far(odd, oof)
    assert status == "warn"
    assert "10 times the prediction in 4 rows of train" in text
    assert "row 6: " in text
    assert far(given, oof) == []
    assert far(odd, np.full(900, float(given.y.median()))) == []


def far(given: Prepared, oof: np.ndarray) -> list[tuple[str, str]]:
    return list(targets_far_from_predictions(trained(given.problem, oof[:, None])))
