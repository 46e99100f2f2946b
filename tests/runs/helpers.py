"""Make small runs, and change or copy their folders."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import kpipe
from kpipe.core.values import Tables
from kpipe.models import model
from kpipe.pipeline import conclude
from kpipe.runs.result import RunResult
from kpipe.runs.run import Run
from kpipe.training.baseline import predict_baseline
from kpipe.training.cross_validation import cross_validate
from kpipe.training.folds import make_folds
from tests.tables import prices, problem_of, survivors, write


def trained(home: Path, name: str = "made-by-hand", **options: object) -> Run:
    """A run on small files, which are written at the first call; runs lie in ``home/out``."""
    folder = home / "data" / name
    if not folder.is_dir():
        made = prices(n=200) if name == "prices" else survivors(n=300)
        made = replace(
            made,
            train=made.train.assign(noise=np.arange(len(made.train)) % 7),
            test=made.test.assign(noise=np.arange(len(made.test)) % 7),
        )
        write(made, folder)
    return kpipe.run(name, data=folder, out=home / "out", jobs=1, **options)  # type: ignore[arg-type]


def edit_record(folder: Path, changes: dict[str, Any]) -> None:
    """Replace fields of a run's record, ``a.b`` inside ``a``."""
    record = json.loads((folder / "run.json").read_text())
    for name, value in changes.items():
        *outer, last = name.split(".")
        place = record
        for key in outer:
            place = place[key]
        place[last] = value
    (folder / "run.json").write_text(json.dumps(record))


def copy_run(run: Run, folder: Path, **changes: Any) -> Run:
    """A copy of a run, whose id is the name of the new folder, with changed fields."""
    shutil.copytree(run.path, folder)
    record = {**run.record, "run_id": folder.name, **changes}
    (folder / "run.json").write_text(json.dumps(record))
    return Run(path=folder, record=record)


def result_of(made: Tables, *names: str, **fields: object) -> RunResult:
    """What a run of some catalogue models on a table produces."""
    problem = problem_of(made, **fields)
    folds = make_folds(problem, n_folds=2)
    found = cross_validate(problem, folds, models={name: model(name) for name in names}, jobs=1)
    return conclude(problem, folds, found, predict_baseline(problem, folds))
