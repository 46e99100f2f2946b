"""Small tables made by hand, for tests that need no file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from kpipe.core.request import RunRequest
from kpipe.core.values import Source, Tables
from kpipe.pipeline import prepare
from kpipe.problem.competition import Competition
from kpipe.problem.problem import Problem, define_problem


def tables(train: pd.DataFrame, test: pd.DataFrame, sample: pd.DataFrame, *, origin: str = "directory") -> Tables:
    source = Source(origin=origin, path=Path("made-by-hand"), files={})
    return Tables(train=train, test=test, sample=sample, source=source)


def survivors(n: int = 80, m: int = 30, seed: int = 0) -> Tables:
    """A binary target that depends on x and sex."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"id": np.arange(n + m), "x": rng.normal(size=n + m), "sex": rng.choice(["male", "female"], size=n + m)}
    )
    chance = 1 / (1 + np.exp(-2 * frame["x"] - 2 * (frame["sex"] == "female") + 1))
    train = frame.head(n).assign(survived=(rng.random(n) < chance.head(n)).astype(int))
    test = frame.tail(m).reset_index(drop=True)
    return tables(train, test, test[["id"]].assign(survived=0))


def prices(n: int = 80, m: int = 30, seed: int = 0) -> Tables:
    """A positive target that depends on x."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": np.arange(n + m), "x": rng.normal(size=n + m)})
    train = frame.head(n).assign(price=np.exp(10 + frame["x"].head(n) + rng.normal(scale=0.1, size=n)))
    test = frame.tail(m).reset_index(drop=True)
    return tables(train, test, test[["id"]].assign(price=0.5))


def write(made: Tables, folder: Path) -> Path:
    """Write tables as the files of a competition into a folder, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (("train", made.train), ("test", made.test), ("sample_submission", made.sample)):
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def problem_of(given: Tables, **fields: object) -> Problem:
    """The problem of a competition with some fields stated."""
    return define_problem(Competition(slug="made-by-hand", **fields), given)  # type: ignore[arg-type]


def prepared(slug: str, **options: object) -> Problem:
    """The problem of a request."""
    return prepare(RunRequest(slug, **options))  # type: ignore[arg-type]


def narrowed(problem: Problem, count: int = 12) -> Problem:
    """The problem with some of its columns alone, taken evenly from the file."""
    used = list(problem.columns)
    kept = used[:: -(-len(used) // count)]
    dropped = [name for name in used if name not in kept]
    train, test = (frame.drop(columns=dropped) for frame in (problem.tables.train, problem.tables.test))
    tables = replace(problem.tables, train=train, test=test)
    return replace(problem.with_tables(tables), columns=tuple(kept))


def dated(*, later: bool) -> Tables:
    """Sales by day; test is the end of them, or every fourth day."""
    rng = np.random.default_rng(0)
    when = pd.date_range("2020-01-01", periods=400).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"id": range(400), "date": when, "x": rng.normal(size=400)})
    frame["sales"] = np.exp(frame["x"]) * 100
    rows = np.arange(400) >= 300 if later else np.arange(400) % 4 == 0
    test = frame[rows].drop(columns="sales").reset_index(drop=True)
    return tables(frame[~rows].reset_index(drop=True), test, test[["id"]].assign(sales=0.0))
