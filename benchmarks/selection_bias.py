"""Selection bias: what is left of it in the corrected score, and seconds for 100 runs of 100,000 rows.

    python benchmarks/selection_bias.py

Simulates configurations whose true accuracies, or areas under the ROC curve, are equal or differ by about a standard
error, and asserts that the corrected score of the best one is within a standard error of its true score. Then it times
``estimate_selection_bias`` on the files of 100 runs: CPU seconds, the best of three, reading included.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from kpipe.core.metrics import get_metric
from kpipe.core.selection import effective_tries, expected_after_choosing
from kpipe.runs.run import Run
from kpipe.runs.selection_bias import estimate_selection_bias

ROWS, REPEATS = 1000, 100
RUNS, MANY_ROWS = 100, 100_000
Simulation = Callable[[int, float, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def main() -> None:
    for name, simulate, error in (
        ("accuracy", accuracies, np.sqrt(0.25 / ROWS)),
        ("AUC", areas, np.sqrt(4 / ROWS / 12)),  # of scores that tell nothing: Hanley and McNeil (1982)
    ):
        for difference in (0.0, 0.5, 1.0):
            for configurations in (2, 10, 50, 200):
                found = [errors(simulate, configurations, difference * error, seed) for seed in range(REPEATS)]
                best, corrected, tries = np.mean(found, axis=0)
                print(
                    f"{name}, {configurations:4} configurations, true scores differ by {difference:g} standard errors, "
                    f"about {tries:.0f} independent: best {best / error:+.2f} standard errors, corrected "
                    f"{corrected / error:+.2f}",
                    flush=True,
                )
                assert abs(corrected) < error
    for metric in ("log_loss", "auc"):
        print(f"{metric}: {RUNS} runs of {MANY_ROWS:,} rows take {cpu_seconds(metric):.2f} s of CPU")


def errors(simulate: Simulation, configurations: int, difference: float, seed: int) -> tuple[float, float, float]:
    """By how much the best and the corrected score exceed the true one, and the effective number of tries."""
    sums, true = simulate(configurations, difference, np.random.default_rng(seed))
    best, sizes = int(sums.mean(axis=0).argmax()), np.ones(ROWS)
    corrected = expected_after_choosing(sums, sizes) - true[best]
    return sums[:, best].mean() - true[best], corrected, effective_tries(sums, sizes)


def accuracies(configurations: int, difference: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(rows, configurations) hits, correlated by 0.5, and the true accuracies."""
    shift = difference / norm.pdf(0) * rng.normal(size=configurations)
    return (noise(configurations, rng) + shift > 0).astype(float), norm.cdf(shift)


def areas(configurations: int, difference: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(rows, configurations) an AUC and its influences, correlated by 0.5, and the true areas."""
    metric, y = get_metric("auc"), np.arange(ROWS) % 2
    shift = difference / norm.pdf(0) * np.sqrt(2) * rng.normal(size=configurations)
    given = norm.cdf(noise(configurations, rng) + np.outer(y, shift))
    assert metric.influences is not None
    each = [np.column_stack([1 - one, one]) for one in given.T]
    columns = [metric.function(y, one) + metric.influences(y, one) for one in each]
    return np.column_stack(columns), norm.cdf(shift / np.sqrt(2))


def noise(configurations: int, rng: np.random.Generator) -> np.ndarray:
    return (rng.normal(size=(ROWS, 1)) + rng.normal(size=(ROWS, configurations))) / np.sqrt(2)


def cpu_seconds(metric: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        y = rng.integers(2, size=MANY_ROWS)
        runs = [finished_run(Path(folder) / str(number), metric, y, rng.random(MANY_ROWS)) for number in range(RUNS)]
        seconds = []
        for _ in range(3):
            start = time.process_time()
            assert estimate_selection_bias(runs[0]).runs == RUNS
            seconds.append(time.process_time() - start)
        return min(seconds)


def finished_run(folder: Path, metric: str, y: np.ndarray, positive: np.ndarray) -> Run:
    """As much of a run's folder as the estimate needs."""
    folder.mkdir()
    classes = {"blend/0": 1 - positive, "blend/1": positive}
    pd.DataFrame({"row": np.arange(len(y)), "target": y, **classes}).to_parquet(folder / "oof.parquet")
    score = get_metric(metric).function(y, np.column_stack([1 - positive, positive]))
    record: dict[str, Any] = {
        "slug": "simulated",
        "run_id": folder.name,
        "target": "target",
        "score": score,
        "standard_error": 0.0,
        "rows": len(y),
        "metric": {"name": metric, "greater_is_better": get_metric(metric).greater_is_better},
        "models": [{"name": "coin"}],
        "seed": [0],
        "checks": [],
        "submission": {"sha256": "", "sendable": False},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return Run(path=folder, record=record)


if __name__ == "__main__":
    main()
