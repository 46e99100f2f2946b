"""Metrics from counts are those of scikit-learn to the last bit, and refuse what it refuses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as skm

from kpipe.core.metrics.confusion import balanced_accuracy, f1, matthews, quadratic_kappa

Score = Callable[[np.ndarray, np.ndarray], float]
AVERAGES = ("binary", "macro", "micro", "weighted")
PAIRS: dict[str, tuple[Score, Score]] = {
    "balanced accuracy": (balanced_accuracy, skm.balanced_accuracy_score),
    "Matthews": (matthews, skm.matthews_corrcoef),
    "kappa": (quadratic_kappa, partial(skm.cohen_kappa_score, weights="quadratic")),
    **{
        f"F1, {way}": (partial(f1, average=way), partial(skm.f1_score, average=way, zero_division=0))
        for way in AVERAGES
    },
}


def outcome(score: Score, y: np.ndarray, labels: np.ndarray) -> float | str:
    """The score, or the words of the refusal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return score(y, labels)
        except ValueError as error:
            return str(error)


@given(
    rows=st.integers(1, 60), codes=st.lists(st.integers(0, 12), min_size=1, max_size=5), seed=st.integers(0, 2**32 - 1)
)
@settings(max_examples=60)
def test_the_scores_are_those_of_scikit_learn_to_the_last_bit(rows: int, codes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.choice(codes, rows)
    labels = np.where(rng.random(rows) < rng.random(), y, rng.choice([*codes, 0, 1], rows))
    for ours, theirs in PAIRS.values():
        np.testing.assert_equal(outcome(ours, y, labels), outcome(theirs, y, labels))


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    ("y", "labels"),
    [
        ([0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]),
        ([0.5, 1.25, 1.0, 0.0], [0, 1, 0, 0]),
        ([-1, 1, 1, -1], [-1, 1, -1, -1]),
        ([10**9, 1, 1, 0], [0, 1, 0, 0]),
        ([0, 1, 1], [0, 1]),
        ([0, 0, 0], [0, 0, 0]),
        ([2, 2, 2], [2, 2, 2]),
        ([True, False, True], [True, True, True]),
        (["a", "b", "a"], ["a", "a", "a"]),
    ],
)
def test_what_is_no_coded_label_is_scored_or_refused_as_scikit_learn_does(name: str, y: list, labels: list) -> None:
    ours, theirs = PAIRS[name]
    np.testing.assert_equal(
        outcome(ours, np.array(y), np.array(labels)), outcome(theirs, np.array(y), np.array(labels))
    )
