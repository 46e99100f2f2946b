"""Rows and predictions that every metric is defined for."""

from __future__ import annotations

import numpy as np

from kpipe.core.metrics import METRICS

__all__ = ["BINARY", "BINARY_PROBABILITIES", "GUESSES", "LABELS", "PROBABILITIES", "VALUES", "example"]

RNG = np.random.default_rng(0)
LABELS = RNG.integers(3, size=200)
PROBABILITIES = RNG.dirichlet([1, 1, 1], size=200)
BINARY = RNG.integers(2, size=200)
BINARY_PROBABILITIES = np.column_stack([1 - (p := RNG.random(200)), p])
VALUES = RNG.uniform(1, 10, size=200)
GUESSES = VALUES[:, None] + RNG.normal(size=(200, 1)).clip(-0.9)


def example(name: str) -> tuple[np.ndarray, np.ndarray]:
    """200 rows, and random predictions of them."""
    if METRICS[name].task == "regression":
        return VALUES, np.maximum(GUESSES, 1.0)  # log_rmse clips there
    return (BINARY, BINARY_PROBABILITIES) if name in ("f1", "gini") else (LABELS, PROBABILITIES)
