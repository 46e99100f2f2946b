"""The problem that a run solved, with its data, where the competition's files can still be read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd

from kpipe import pipeline
from kpipe.core.formatting import plain_text
from kpipe.core.metrics import get_metric
from kpipe.core.request import COMPETITION_OPTIONS, FILE_OPTIONS, RunRequest
from kpipe.data.further_tables import file_hashes
from kpipe.errors import KpipeError
from kpipe.problem.problem import Problem
from kpipe.report.columns import image_side
from kpipe.runs.loaded import LoadedRun
from kpipe.runs.oof import OofPredictions
from kpipe.runs.recorded import recorded_vault
from kpipe.runs.run import Run

__all__ = ["difference", "load_problem", "original_rows", "rows_of"]


def load_problem(run: Run, data: str | None = None) -> Problem | str:
    """The problem of a run.

    Parameters
    ----------
    run : Run
        The run; its record need not be valid.
    data : str, optional
        A folder or zip of the competition's files; default: where the run read them.

    Returns
    -------
    Problem or str
        The problem, or why the files of the run cannot be read.

    Raises
    ------
    KpipeError
        If ``data`` is given and cannot be read.
    """
    place = data or _place(run.record)
    if data is None and place != "sample" and not os.path.exists(place):  # Path.exists raises for a long name
        return f"{place} does not exist. To show the data, add --data PATH."
    try:
        return pipeline.prepare(_request(run, place))
    except KpipeError as error:
        if data is not None:
            raise
        return str(error)


def _place(record: Mapping[str, Any]) -> str:
    """Where a run read its files; if they are gone and were the sample, the sample of today."""
    data = record["data"] if isinstance(record.get("data"), dict) else {}
    place = str(data.get("path") or "The folder or zip that the run read")
    return "sample" if data.get("origin") == "sample" and not os.path.exists(place) else place


def _request(run: Run, place: str) -> RunRequest:
    """The request whose problem is that of a run, with the files in another place, and with its vault if it had one."""
    record, out = run.record, run.path.resolve().parent.parent
    fields = {name: record[name] for name in COMPETITION_OPTIONS if name != "metric" and record.get(name)}
    options = record["options"] if isinstance(record.get("options"), dict) else {}
    fields |= {name: options[name] for name in FILE_OPTIONS if options.get(name)}
    metric = record["metric"].get("name") if isinstance(record.get("metric"), dict) else None
    all_rows = recorded_vault(record) is None
    return RunRequest(record["slug"], data=place, metric=_known_metric(metric), out=out, all_rows=all_rows, **fields)


def _known_metric(name: object) -> str | None:
    """The name of a metric of kpipe's; None for one that the competition itself defines."""
    try:
        return get_metric(name).name if isinstance(name, str) else None
    except KpipeError:
        return None


def difference(problem: Problem, run: LoadedRun) -> str:
    """Why a problem's data differs from the run's.

    Parameters
    ----------
    problem : Problem
        The problem.
    run : LoadedRun
        The run.

    Returns
    -------
    str
        A sentence; empty if both are the same.
    """
    recorded, read = run.mapping("data", "files"), file_hashes(problem.tables)
    changed = [name for name in sorted({*recorded, *read}) if recorded.get(name) != read.get(name)]
    if changed:
        names = ", ".join(plain_text(name)[:60] for name in changed[:3])
        return f"{problem.tables.source.path} has other files than those that the run used ({names})."
    if recorded_vault(run.record) != (problem.locked and problem.locked.sha256):
        return "The run used a vault that is no longer in the competition's folder."
    if run.oof is not None and len(run.oof.y) != len(problem.y):
        return "The run's predictions and train.csv differ in their number of rows."
    return ""


def original_rows(problem: Problem, oof: OofPredictions) -> pd.DataFrame:
    """The rows of train.csv before cleaning, without ids and targets; images as the models see them.

    Parameters
    ----------
    problem : Problem
        The problem.
    oof : OofPredictions
        Predictions of the rows.

    Returns
    -------
    DataFrame
        (n, columns), in the row order of ``oof``.
    """
    original = problem.files.train
    if image_side(problem.X) is not None or len(original) != len(problem.X):
        return rows_of(problem.X, oof)
    hidden = {*oof.targets, problem.id}
    return rows_of(original[[name for name in original.columns if name not in hidden]], oof)


def rows_of(frame: pd.DataFrame, oof: OofPredictions) -> pd.DataFrame:
    """The rows of a table in the order of predictions.

    Parameters
    ----------
    frame : DataFrame
        (n, columns), in the order of train.csv.
    oof : OofPredictions
        Predictions of the rows.

    Returns
    -------
    DataFrame
        (n, columns); the table itself where the predictions do not name its rows.
    """
    rows = oof.rows
    known = bool(len(rows)) and rows.min() >= 0 and rows.max() < min(len(rows), len(frame))
    return frame.iloc[rows] if known else frame
