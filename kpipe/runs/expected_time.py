"""Estimate how long a run will take, before it trains: from earlier runs, or else from the size of the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpipe.core.request import RunRequest
from kpipe.core.values import Folds
from kpipe.errors import DataError
from kpipe.problem.problem import Problem
from kpipe.runs.find import competition_folder, finished_folders, read_run
from kpipe.runs.fits import fit_store_of_runs
from kpipe.runs.recorded import as_number
from kpipe.training.checkpoints import NO_STORE, FitStore
from kpipe.training.deadline import RunClock

__all__ = ["Workload", "expected_time", "expected_time_of"]

_BUSY = 1.3  # slowness from which other work is mentioned
_MAX_RUNS = 20  # the latest of the competition that are read
_START = 4.0  # seconds besides the fits: Python's and the workers' start, the ensemble, the checks
# Seconds of a fit with one thread: a constant, and seconds for each million cells that it trains on. Fitted to kpipe's
# own runs on two idle cores of an AMD EPYC (titanic, spaceship-titanic, playground-series-s3e2, -s3e25, -s3e26, and a
# made-up table of 700,000 rows), which it meets within a factor of two; on other machines perhaps within four.
_TYPICAL: Mapping[str, tuple[float, float]] = {
    "linear": (0.06, 2.5),
    "boosting": (0.2, 4.0),
    "boosting-random": (0.2, 6.0),
    "catboost": (0.25, 9.0),
    "forest": (0.2, 20.0),
    "neural": (0.4, 30.0),
    "tabular-net": (1.0, 45.0),
    "constant": (0.02, 0.0),
    "gaussian-process": (0.2, 10.0),
}


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The work that a run is about to do.

    Attributes
    ----------
    models : sequence of str
    fits : int
        Of each model.
    rows, columns : int
        The size of the table that a fit trains on.
    jobs : int
        The number of fits in parallel.
    key : str
        A hash of everything that the results depend on: an earlier run with the same key has trained the same fits.
    budget : float or None
        Seconds that the run may take.
    reuses : bool
        Whether fits of earlier runs are reused.
    slowness : float
        Seconds that a second of work takes on this machine, at least 1: more if other programs use it.
    """

    models: Sequence[str]
    fits: int
    rows: int
    columns: int
    jobs: int
    key: str
    budget: float | None
    reuses: bool
    slowness: float = 1.0


def expected_time_of(
    request: RunRequest,
    problem: Problem,
    folds: Folds,
    *,
    models: Iterable[str],
    content: Mapping[str, Any],
    store: FitStore,
    clock: RunClock,
) -> str:
    """A sentence on how long a run will take.

    Parameters
    ----------
    request : RunRequest
    problem : Problem
    folds : Folds
    models : iterable of str
    content : mapping
        The content of ``request.json``.
    store : FitStore
        The run's store of fits.
    clock : RunClock
        The run's clock, which has measured how busy the machine is.

    Returns
    -------
    str
    """
    work = Workload(
        models=list(models),
        fits=(len(folds.train) + folds.refit) * len(request.seeds),
        rows=max(map(len, folds.train)),
        columns=len(problem.columns),
        jobs=content["jobs"],
        key=content["key"],
        budget=request.budget,
        reuses=NO_STORE not in (store, fit_store_of_runs(request)) and not request.keep_models,
        slowness=clock.slowness(),
    )
    return expected_time(work, competition_folder(request.out, problem.slug))


def expected_time(work: Workload, folder: Path) -> str:
    """A sentence on how long a run will take, or that this cannot be estimated.

    Parameters
    ----------
    work : Workload
    folder : Path
        With the finished runs of the competition.

    Returns
    -------
    str
    """
    if work.budget is not None:
        return f"Expected time: up to {_in_words(work.budget)}, the budget."
    records = list(_records(folder))
    if work.reuses and (same := [r for r in records if r.get("key") == work.key]):
        needed, earlier = _in_words(_besides_fits(same[0])), same[0]["run_id"]
        return f"Expected time: about {needed}, because run {earlier} has already trained the same fits."
    fits = {name: _learned(name, work, records) for name in work.models}
    unknown = [name for name in fits if fits[name] is None and name not in _TYPICAL]
    if unknown:
        return f"Expected time: unknown, because no earlier run in {folder} has trained {', '.join(unknown)}."
    seconds = sum(work.fits * (known or _typical(name, work)) for name, known in fits.items()) / work.jobs
    is_busy = work.slowness >= _BUSY
    if None in fits.values():
        load = f" and other work on this machine (without it, {_in_words(_START + seconds)})" if is_busy else ""
        slowness = work.slowness if is_busy else 1.0
        return f"Expected time: roughly {_in_words((_START + seconds) * slowness)}, by the size of the table{load}."
    load = "; other programs are using this machine now" if is_busy else ""
    return f"Expected time: about {_in_words(_besides_fits(records[0]) + seconds)}, by earlier runs{load}."


def _records(folder: Path) -> Iterator[Mapping[str, Any]]:
    """The records of the latest runs, the latest first."""
    for each in finished_folders(folder)[::-1][:_MAX_RUNS]:
        try:
            yield read_run(each).record
        except DataError:
            continue


def _learned(name: str, work: Workload, records: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds of a fit of a model in the latest run that has trained it, by its number of rows."""
    for record in records:
        rows, folds = as_number(record.get("rows")), as_number(record.get("folds"))
        for model in record["models"]:
            fits = _count(model.get("fits"))
            if model["name"] == name and fits and rows and folds and (seconds := as_number(model.get("seconds"))):
                return seconds / fits * work.rows / (rows * (1 - 1 / max(folds, 2)))
    return None


def _count(fits: object) -> int:
    """The fits of a model, over its seeds."""
    return sum(len(folds) for folds in fits.values() if isinstance(folds, list)) if isinstance(fits, Mapping) else 0


def _besides_fits(record: Mapping[str, Any]) -> float:
    """Seconds that a run took besides its fits."""
    machine, fits = record.get("machine"), record.get("fits")
    jobs = as_number(machine.get("jobs")) if isinstance(machine, Mapping) else None
    reused = as_number(fits.get("reused")) if isinstance(fits, Mapping) else None
    seconds = as_number(record.get("seconds"))
    if seconds is None or reused is None:
        return _START
    if reused:
        return min(seconds, _START)
    trained = sum(as_number(model.get("seconds")) or 0.0 for model in record["models"])
    return min(max(seconds - trained / (jobs or 1), 1.0), seconds)


def _typical(name: str, work: Workload) -> float:
    least, per_million = _TYPICAL[name]
    return least + per_million * work.rows * work.columns / 1e6


def _in_words(seconds: float) -> str:
    """A rounded duration: 8 s, 40 s, 3 min, 2 h.

    >>> [_in_words(value) for value in (0.4, 8.2, 43, 170, 5400, 9000)]
    ['1 s', '8 s', '45 s', '3 min', '1.5 h', '2.5 h']
    """
    if seconds < 15:
        return f"{max(round(seconds), 1)} s"
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 1800) / 2:g} h"
