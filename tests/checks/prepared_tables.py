"""Tables without mistakes, with their folds, and the results of the checks on them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.checks.interface import TrainedModels
from kpipe.core.values import Ensemble, ModelPredictions, Predictions
from kpipe.problem.problem import Problem
from kpipe.training.baseline import predict_baseline
from kpipe.training.folds import make_folds
from tests.plants import Prepared
from tests.tables import problem_of, tables


def make_prepared(n: int = 600, m: int = 400, seed: int = 0, *, regression: bool = False) -> Prepared:
    """A table of seven columns, of which three determine the target with noise."""
    rng = np.random.default_rng(seed)
    rows = n + m
    frame = pd.DataFrame({"id": np.arange(rows)})
    for number in range(5):
        frame[f"x{number}"] = rng.normal(10 * number, 1 + number, rows).round(3)
    frame["town"] = rng.choice(["Ulm", "Bonn", "Kiel"], rows)
    frame["guests"] = rng.poisson(3, rows)
    logit = frame["x0"] + 0.5 * (frame["x1"] - 10) + (frame["town"] == "Ulm") + rng.normal(size=rows)
    frame["y"] = np.exp(10 + 0.3 * logit) if regression else (logit > 0.3).astype(int)
    test = frame.tail(m).reset_index(drop=True).drop(columns="y")
    given = tables(frame.head(n), test, test[["id"]].assign(y=0.5 if regression else 0))
    return Prepared.of(problem_of(given))


def alarms(given: Prepared) -> list[tuple[str, str]]:
    return [(check.name, check.detail) for check in given.checks().values() if check.status != "pass"]


def from_frame(frame: pd.DataFrame, n: int, test: pd.DataFrame | None = None, **fields: object) -> Prepared:
    """The first n rows are train, the others test; y is the target."""
    test = (frame.iloc[n:] if test is None else test).reset_index(drop=True).drop(columns="y", errors="ignore")
    given = tables(frame.head(n), test, test[["id"]].assign(y=0.5 if frame["y"].dtype == float else 0))
    return Prepared.of(problem_of(given, **fields))


def status(given: Prepared, name: str) -> str:
    check = given.check(name)
    assert check is not None
    return check.status


def trained(given: Problem, oof: np.ndarray) -> TrainedModels:
    """Models with these out-of-fold predictions, and the baseline."""
    folds = make_folds(given)
    test = np.zeros((len(given.tables.test), oof.shape[1]))
    model = ModelPredictions(name="net", oof=oof, test=test, seconds=0.0)
    found = Predictions(models=(model,), y=given.y, classes=given.labels)
    ensemble = Ensemble(weights={"net": 1.0}, oof=oof, test=test)
    return TrainedModels(given, folds, found, predict_baseline(given, folds), ensemble)
