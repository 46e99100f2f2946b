"""A stretch of the file without a class, or in another unit, is found; files in any usual order pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.checks.targets_along_file import targets_along_the_file
from kpipe.training.folds import make_folds
from tests.checks.prepared_tables import from_frame
from tests.tables import prepared

N = 2_000


def found(y: np.ndarray) -> list[tuple[str, str]]:
    rng = np.random.default_rng(1)
    made = from_frame(pd.DataFrame({"id": np.arange(N), "x": rng.normal(size=N), "y": y}), N - 400)
    return list(targets_along_the_file(made.problem, made.folds))


def rare(rng: np.random.Generator) -> np.ndarray:
    return (rng.random(N) < 0.1).astype(int)


def test_labels_that_are_lost_in_a_stretch_are_found_with_its_rows() -> None:
    y = rare(np.random.default_rng(0))
    y[600:1_200] = 0
    [(status, text)] = found(y)
    assert status == "warn"
    assert "y is never 1 from row" in text
    assert "labels may have been lost there" in text


def test_a_unit_that_changes_within_the_file_is_found() -> None:
    y = np.random.default_rng(0).lognormal(5, 0.4, N)
    y[1_000:] *= 1_000
    [(status, text)] = found(y)
    assert status == "warn"
    assert "y is in another unit from about row" in text


@pytest.mark.parametrize("seed", range(3))
def test_rows_in_any_usual_order_pass(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prices = rng.lognormal(5, 0.4, N)
    for y in (rare(rng), np.sort(rare(rng))[::-1], prices, np.sort(prices), prices * np.linspace(1, 3, N)):
        assert found(y) == []


@pytest.mark.parametrize("slug", ["titanic", "house-prices-advanced-regression-techniques"])
def test_a_sample_passes(slug: str) -> None:
    given = prepared(slug, data="sample")
    assert list(targets_along_the_file(given, make_folds(given))) == []
