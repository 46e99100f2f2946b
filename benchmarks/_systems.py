"""The systems that scores.py compares: each gets a folder of files and a time limit, and returns its predictions."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from benchmarks._command import failure, run_command
from benchmarks._held_out import PARTS, Array, HoldOut, as_text, predictions, truth
from kpipe.core.values import Score

MAX_CATEGORIES = 255  # HistGradientBoosting's bins
_MLJAR = {
    "accuracy": "accuracy",
    "log_loss": "logloss",
    "auc": "auc",
    "log_rmse": "rmse",  # of the logarithm
    "rmsle": "rmse",  # of the logarithm
    "rmse": "rmse",
    "mae": "mae",
    "median_ae": "mae",  # it has no median
}

Answer = tuple[Array, Score, dict[str, Any]]  # (m, k) for the held-out rows, its own estimate of the score, details


@dataclass(frozen=True, kw_only=True)
class Job:
    """The input of a system: the rows (also in the folder), the time limit, the options, and the output folder."""

    held: HoldOut
    folder: Path
    out: Path
    seconds: float
    options: argparse.Namespace

    def submitted(self, file: Path, ids: pd.Series) -> Array:
        if not file.is_file():
            raise failure(self.out, f"wrote no {file.name}")
        return predictions(self.held.plan, self.held.labels, as_text(file), ids)


def run_kpipe(job: Job) -> Answer:
    plan = job.held.plan
    command = [sys.executable, "-m", "kpipe", "run", plan.slug, "--data", str(job.folder), "--metric", plan.metric]
    command += ["--budget", f"{job.seconds:g}s", "--json", "--out", str(job.out / "runs")]
    status, printed = run_command([*command, *shlex.split(job.options.kpipe_options)], job.out, job.seconds)
    try:
        record = json.loads(printed)  # also with status 1, if a check failed: the submission exists
    except json.JSONDecodeError as error:
        raise failure(job.out, f"exited with status {status}") from error
    file = job.out / "runs" / plan.slug / record["run_id"] / "submission.csv"
    value, error = (np.float64(record[name]) for name in ("score", "standard_error"))  # None becomes NaN
    own = Score(value=value, standard_error=error, rows=record["rows"])
    details = {name: record[name] for name in ("models", "left_out", "checks")}
    return job.submitted(file, job.held.test[plan.id]), own, details


def run_autogluon(job: Job) -> Answer:
    plan, worker = job.held.plan, Path(__file__).with_name("_autogluon.py")
    command = [job.options.autogluon, str(worker), str(job.folder), str(job.out), "--metric", plan.autogluon]
    command += ["--id", plan.id, "--target", plan.target, "--problem", plan.problem]
    command += ["--preset", job.options.preset]
    command += ["--seconds", f"{job.seconds:g}", "--cores", str(job.options.cores)]
    status, _ = run_command(command + ["--log"] * plan.scorer.log_target, job.out, job.seconds)
    if status:
        raise failure(job.out, f"exited with status {status}")
    predicted = job.submitted(job.out / "submission.csv", job.held.test[plan.id])
    oof = job.submitted(job.out / "oof.csv", job.held.train[plan.id])
    return predicted, job.held.evaluated(oof, train=True), json.loads((job.out / "autogluon.json").read_text())


def run_mljar(job: Job) -> Answer:
    plan, worker = job.held.plan, Path(__file__).with_name("_mljar.py")
    command = [job.options.mljar, str(worker), str(job.folder), str(job.out), "--metric", _MLJAR[plan.metric]]
    command += ["--id", plan.id, "--target", plan.target, "--problem", plan.problem]
    command += ["--seconds", f"{job.seconds:g}", "--cores", str(job.options.cores)]
    status, _ = run_command(command + ["--log"] * plan.scorer.log_target, job.out, job.seconds)
    if status:
        raise failure(job.out, f"exited with status {status}")
    predicted = job.submitted(job.out / "submission.csv", job.held.test[plan.id])
    unknown = Score(value=np.float64("nan"), standard_error=np.float64("nan"), rows=0)  # it keeps no rows' predictions
    return predicted, unknown, json.loads((job.out / "mljar.json").read_text())


def run_histgb(job: Job) -> Answer:
    plan, metric, labels = job.held.plan, job.held.plan.scorer, job.held.labels
    train, test = (pd.read_csv(job.folder / f"{name}.csv") for name in ("train", "test"))
    rows = pd.concat([train, test]).drop(columns=[plan.id, plan.target])
    texts = {name: rows[name].astype("category") for name in rows.select_dtypes(exclude="number").columns}
    rows = rows.assign(**texts).drop(columns=[name for name in texts if rows[name].nunique() > MAX_CATEGORIES])
    if labels:
        model: Any = HistGradientBoostingClassifier(random_state=0)
    else:
        loss = "absolute_error" if metric.name in ("mae", "median_ae") else "squared_error"
        model = HistGradientBoostingRegressor(loss=loss, random_state=0)
    if metric.log_target:
        model = TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)
    kind, method = (StratifiedKFold, "predict_proba") if labels else (KFold, "predict")
    X, X_test, y = rows[: len(train)], rows[len(train) :], truth(job.held.train[plan.target], labels)
    with threadpool_limits(1):  # two threads wait for each other: next to other jobs, 112 s instead of 8
        oof = cross_val_predict(model, X, y, cv=kind(PARTS, shuffle=True, random_state=0), method=method)
        predicted = getattr(model.fit(X, y), method)(X_test)
    return predicted.reshape(len(X_test), -1), job.held.evaluated(oof.reshape(len(X), -1), train=True), {}


SYSTEMS: dict[str, Callable[[Job], Answer]] = {
    "kpipe": run_kpipe,
    "autogluon": run_autogluon,
    "mljar": run_mljar,
    "histgb": run_histgb,
}
