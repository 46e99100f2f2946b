"""The luck of choosing: bias of the corrected score, and seconds for 100 runs of 100,000 rows.

    python benchmarks/luck.py

Simulates configurations whose true scores are equal, or differ by about a standard error, and asserts that the
corrected score of the best one is within a standard error of its true score. Then it times the computation.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.stats import norm

from kpipe.core.metrics import get_metric, output
from kpipe.core.selection import effective_tries, expected_after_choosing, gather, random_blocks

ROWS, REPEATS = 1000, 100
RUNS, MANY_ROWS = 100, 100_000


def main() -> None:
    error = np.sqrt(0.25 / ROWS)
    for difference in (0.0, 0.5, 1.0):
        for configurations in (2, 10, 50, 200):
            best, corrected, tries = np.mean([_errors(configurations, difference, seed) for seed in range(REPEATS)], 0)
            print(
                f"{configurations:4} configurations, true scores differ by {difference:g} standard errors, about "
                f"{tries:.0f} independent: best {best / error:+.2f} standard errors, corrected {corrected / error:+.2f}"
            )
            assert abs(corrected) < error
    print(f"{RUNS} runs of {MANY_ROWS:,} rows: {_seconds():.2f} s")


def _errors(configurations: int, difference: float, seed: int) -> tuple[float, float, float]:
    """By how much the best and the corrected score exceed the true one, and the effective number of tries."""
    rng = np.random.default_rng(seed)
    shift = difference * np.sqrt(0.25 / ROWS) / norm.pdf(0) * rng.normal(size=configurations)
    common, own = rng.normal(size=(ROWS, 1)), rng.normal(size=(ROWS, configurations))
    correct = ((common + own) / np.sqrt(2) + shift > 0).astype(float)
    best = int(correct.mean(axis=0).argmax())
    sizes, true = np.ones(ROWS), norm.cdf(shift[best])
    corrected = expected_after_choosing(correct, sizes) - true
    return correct[:, best].mean() - true, corrected, effective_tries(correct, sizes)


def _seconds() -> float:
    rng, metric = np.random.default_rng(0), get_metric("accuracy")
    y = rng.integers(2, size=MANY_ROWS)
    runs = [rng.random((MANY_ROWS, 2)) for _ in range(RUNS)]
    start = time.perf_counter()
    units = random_blocks(np.arange(MANY_ROWS))
    sizes = np.bincount(units).astype(float)
    assert metric.losses is not None
    sums = np.column_stack([gather(metric.losses(y, output(metric, one)), units) for one in runs])
    expected_after_choosing(sums, sizes)
    effective_tries(sums, sizes)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
