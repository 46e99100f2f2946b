"""AutoGluon on one competition folder, for scores.py, which runs this file with a Python that has AutoGluon.

    python benchmarks/_autogluon.py FOLDER OUT --id ID --target TARGET --metric NAME --problem TYPE --seconds N
                                    --cores N [--preset NAME] [--log]

Reads train.csv, test.csv and sample_submission.csv in FOLDER. Writes into OUT: submission.csv; oof.csv, for the train
rows in their order; both with the columns of the sample; and autogluon.json, with the validation scores of the best
model and of each one, and the time of fitting. ``--log`` trains on log1p of the target and transforms predictions back,
because AutoGluon has no metric of logarithms; its users do the same.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    for name in ("id", "target", "metric", "problem"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--cores", type=int, required=True)
    parser.add_argument("--preset", default="best_quality")
    parser.add_argument("--log", action="store_true")
    return parser.parse_args()


def submission(
    sample: list[str], options: argparse.Namespace, ids: pd.Series, labels: Any, probabilities: Any
) -> pd.DataFrame:
    """Predictions with the columns of the sample: labels or values if the metric needs no probabilities.

    Parameters
    ----------
    labels : callable
        () to (n,) labels or values.
    probabilities : callable
        () to (n, k) probabilities, one column per class.
    """
    columns = [name for name in sample if name != options.id]
    if options.metric not in ("roc_auc", "log_loss"):
        values = labels()
        made = {columns[0]: np.expm1(values) if options.log else values}
    elif len(columns) == 1:
        made = {columns[0]: probabilities().iloc[:, -1]}  # of the greater label
    else:
        table = probabilities().rename(columns=lambda label: f"{options.target}_{label}")
        made = {name: table[name] for name in columns}
    return pd.DataFrame({options.id: ids.to_numpy()} | {name: np.asarray(values) for name, values in made.items()})


def main() -> None:
    options = parsed()
    from autogluon.tabular import TabularPredictor

    train, test = (pd.read_csv(options.folder / f"{name}.csv") for name in ("train", "test"))
    sample = list(pd.read_csv(options.folder / "sample_submission.csv", nrows=0).columns)
    rows = train.drop(columns=options.id)
    if options.log:
        rows[options.target] = np.log1p(rows[options.target])
    predictor = TabularPredictor(
        options.target, eval_metric=options.metric, problem_type=options.problem, path=str(options.out / "models")
    )
    start = time.perf_counter()
    predictor.fit(rows, presets=options.preset, time_limit=options.seconds, num_cpus=options.cores, num_gpus=0)
    fitted = time.perf_counter() - start

    unseen = test.drop(columns=options.id)
    made = submission(
        sample, options, test[options.id], lambda: predictor.predict(unseen), lambda: predictor.predict_proba(unseen)
    )
    made.to_csv(options.out / "submission.csv", index=False)
    board = predictor.leaderboard(silent=True)
    best = board[board["model"] == predictor.model_best].iloc[0]
    details = {
        "version": importlib.metadata.version("autogluon.tabular"),
        "validation": float(best["score_val"]),
        "fit_seconds": round(fitted, 1),
        "best": predictor.model_best,
        "models": dict(zip(board["model"], board["score_val"].astype(float), strict=True)),
    }
    (options.out / "autogluon.json").write_text(json.dumps(details))
    made = submission(
        sample, options, train[options.id], lambda: predictor.predict_oof(), lambda: predictor.predict_proba_oof()
    )
    made.to_csv(options.out / "oof.csv", index=False)


if __name__ == "__main__":
    main()
