"""mljar-supervised on one competition folder, for scores.py, which runs this file with a Python that has it.

    python benchmarks/_mljar.py FOLDER OUT --id ID --target TARGET --metric NAME --problem TYPE --seconds N --cores N
                                [--log]

Reads train.csv, test.csv and sample_submission.csv in FOLDER. Writes into OUT: submission.csv with the columns of the
sample, and mljar.json, with the time of fitting and the number of models. ``--log`` trains on log1p of the target and
transforms predictions back.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

_PROBLEMS = {"binary": "binary_classification", "multiclass": "multiclass_classification", "regression": "regression"}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    for name in ("id", "target", "metric", "problem"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--cores", type=int, required=True)
    parser.add_argument("--log", action="store_true")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    from supervised.automl import AutoML

    train, test = (pd.read_csv(options.folder / f"{name}.csv") for name in ("train", "test"))
    sample = list(pd.read_csv(options.folder / "sample_submission.csv", nrows=0).columns)
    y = train[options.target]
    y = np.log1p(y) if options.log else y.astype(str) if y.dtype == bool else y
    automl = AutoML(
        results_path=str(options.out / "models"),
        mode="Compete",
        ml_task=_PROBLEMS[options.problem],
        eval_metric=options.metric,
        total_time_limit=int(options.seconds),
        n_jobs=options.cores,
        random_state=0,
        verbose=0,
    )
    start = time.perf_counter()
    automl.fit(train.drop(columns=[options.id, options.target]), y)
    fitted = time.perf_counter() - start
    unseen = test.drop(columns=options.id)
    columns = [name for name in sample if name != options.id]
    if options.metric not in ("auc", "logloss"):
        values = automl.predict(unseen)
        made = {columns[0]: np.expm1(values) if options.log else values}
    else:
        # Columns are in the order of the sorted labels.
        probabilities, labels = automl.predict_proba(unseen), sorted(y.unique())
        named = dict(zip([f"{options.target}_{label}" for label in labels], probabilities.T, strict=True))
        made = {columns[0]: probabilities[:, -1]} if len(columns) == 1 else {name: named[name] for name in columns}
    submission = pd.DataFrame({options.id: test[options.id]} | {name: np.asarray(made[name]) for name in made})
    submission.to_csv(options.out / "submission.csv", index=False)
    details = {
        "version": importlib.metadata.version("mljar-supervised"),
        "fit_seconds": round(fitted, 1),
        "models": len(automl.get_leaderboard()),
    }
    (options.out / "mljar.json").write_text(json.dumps(details))


if __name__ == "__main__":
    main()
