"""Overhead of the pipeline over plain fit and predict calls of the same estimators: at most 10 %.

    python benchmarks/overhead.py [--slug titanic] [--data ZIP] [--runs 5]

Both sides run in this process on the same folds, one fit after the other, alternating, after one warm-up. The plain
side loops over models and folds, clones, fits and predicts, and stores the arrays. Out-of-fold predictions must be
equal.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from kpipe.core.devices import available_cores
from kpipe.core.request import RunRequest
from kpipe.core.values import Context
from kpipe.pipeline import conclude, prepare
from kpipe.runs.record import make_record
from kpipe.runs.store import open_run_folder
from kpipe.training.baseline import predict_baseline
from kpipe.training.cross_validation import cross_validate
from kpipe.training.estimators import choose_models, wrap_estimator
from kpipe.training.folds import make_folds
from kpipe.training.worker import predict

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "kaggle"))


def plain(problem, folds, models) -> tuple[float, dict[str, np.ndarray]]:
    X, y, X_test, labels, k = problem.X, problem.y, problem.X_test, problem.labels, problem.n_outputs
    context = Context(task=problem.task, n_classes=k if labels is not None else 0, threads=available_cores())
    found = {}
    start = time.perf_counter()
    for name, factory in models.items():
        oof = np.full((len(y), k), np.nan)
        for train, valid in zip(folds.train, folds.valid, strict=True):
            with threadpool_limits(available_cores()):
                estimator = clone(wrap_estimator(problem, factory(context))).fit(X.iloc[train], y[train])
                oof[valid] = predict(estimator, X.iloc[valid], k)
                predict(estimator, X_test, k)
        found[name] = oof
    return time.perf_counter() - start, found


def pipeline(problem, folds, models) -> tuple[float, dict[str, np.ndarray]]:
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        with open_run_folder(Path(out), problem.slug, "benchmark") as space:
            predictions = cross_validate(problem, folds, models=models, jobs=1, checkpoints=space)
            result = conclude(problem, folds, predictions, predict_baseline(problem, folds))
            make_record(result, seeds=(0,), device="cpu", command=(), seconds=0)
            space.write("submission.csv", result.csv)
        return time.perf_counter() - start, {model.name: model.oof for model in predictions.models}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slug", default="titanic")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    problem = prepare(RunRequest(options.slug, data=options.data or KAGGLE / f"{options.slug}.zip"))
    folds = make_folds(problem)
    models = choose_models(problem)
    pairs = []
    for number in range(options.runs + 1):
        (alone, expected), (ours, found) = (side(problem, folds, models) for side in (plain, pipeline))
        for name, oof in expected.items():
            np.testing.assert_array_equal(found[name], oof)
        if number:
            pairs.append((alone, ours))
            print(f"plain {alone:.3f} s, pipeline {ours:.3f} s: {ours / alone - 1:+.1%}")
    ratios = [ours / alone - 1 for alone, ours in pairs]
    spread = f"({min(ratios):+.1%} to {max(ratios):+.1%})"
    print(f"{options.slug}: overhead of the pipeline {statistics.median(ratios):+.1%} {spread}")


if __name__ == "__main__":
    main()
