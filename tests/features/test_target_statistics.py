from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.features.target_statistics import TargetStatistics

RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {"town": RNG.choice([f"t{number}" for number in range(400)], size=1500), "deck": ["a", None, "b"] * 500}
)


def test_the_statistics_of_a_row_do_not_use_its_own_target() -> None:
    """Towns that carry no information about the target must not reveal it in the fitting rows."""
    y = RNG.integers(2, size=1500)
    statistics = TargetStatistics()
    assert abs(np.corrcoef(statistics.fit_transform(X, y)[:, 0], y)[0, 1]) < 0.15
    assert np.corrcoef(statistics.transform(X)[:, 0], y)[0, 1] > 0.4  # what a model must not be trained on


@pytest.mark.parametrize(
    "y",
    [
        None,
        RNG.normal(size=(1500, 2)),
        np.zeros(1500, dtype=int),
        np.arange(1500) % 11,
        np.array([0] * 1499 + [1]),
    ],
    ids=["none", "several", "one class", "many classes", "a class of one row"],
)
def test_a_target_that_allows_no_statistics_gives_no_features(y: np.ndarray | None) -> None:
    statistics = TargetStatistics()
    assert statistics.fit_transform(X, y).shape == (1500, 0)
    assert statistics.transform(X.head(3)).shape == (3, 0)


def test_each_class_of_several_has_a_feature_per_column() -> None:
    assert TargetStatistics().fit_transform(X, RNG.integers(3, size=1500)).shape == (1500, 6)
    assert TargetStatistics().fit_transform(X, RNG.integers(2, size=1500)).shape == (1500, 2)
    assert TargetStatistics().fit_transform(X, RNG.normal(size=1500)).shape == (1500, 2)


def test_the_same_random_state_gives_the_same_statistics() -> None:
    y = RNG.integers(2, size=1500)
    first, second = (TargetStatistics(random_state=3).fit_transform(X, y) for _ in range(2))
    np.testing.assert_array_equal(first, second)
