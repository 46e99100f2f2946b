"""What a run's folder holds, read without trust: what is missing or broken is said, and the rest is used.

A run folder may come from elsewhere: ``run.json`` can hold anything, and nothing of it is believed to be of the type,
the length or the size that kpipe writes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kpipe.core.formatting import plain_text
from kpipe.core.metrics import Metric, get_metric, over_targets
from kpipe.errors import DataError, UsageError
from kpipe.runs.find import finished_folders, read_run
from kpipe.runs.record import GROUP
from kpipe.runs.run import Run

__all__ = ["LoadedRun", "Model", "OofPredictions", "as_number", "other_runs", "read"]

_MOST_RUNS = 200  # of the same competition that are read


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model as run.json tells of it."""

    name: str
    score: float | None = None
    standard_error: float | None = None
    fold_scores: tuple[float | None, ...] = ()
    weight: float | None = None
    seconds: float | None = None
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OofPredictions:
    """Out-of-fold predictions beside the truth.

    y : (n,) codes or values, (n, t) of several targets. classes : of the codes, None for values and several targets.
    ensemble, models : (n, k), NaN where no prediction was made. rows : (n,) positions in train. ids : (n,) or None.
    groups : (n,) numbers of the groups that folds keep whole, or None.
    """

    y: np.ndarray
    classes: tuple[str, ...] | None
    targets: tuple[str, ...]
    ensemble: np.ndarray
    models: Mapping[str, np.ndarray]
    rows: np.ndarray
    ids: pd.Series | None = None
    groups: np.ndarray | None = None

    @property
    def is_predicted(self) -> np.ndarray:
        """(n,) whether a row was predicted."""
        return ~np.isnan(self.ensemble).any(axis=1)


@dataclass(frozen=True, kw_only=True)
class LoadedRun:
    """A run's folder. Tables that could not be read are None, and ``missing`` says so."""

    path: Path
    record: Mapping[str, Any]
    models: tuple[Model, ...]
    metric: Metric | None
    oof: OofPredictions | None
    test: np.ndarray | None
    folds: pd.DataFrame | None
    submission: pd.DataFrame | None
    curves: pd.DataFrame | None = None
    missing: list[str] = field(default_factory=list)

    def text(self, *names: str, default: str = "") -> str:
        """A text of the record, by the names on the way to it."""
        value = _at(self.record, names)
        return default if value is None or isinstance(value, Mapping | list) else plain_text(value)

    def number(self, *names: str) -> float | None:
        """A number of the record, or None."""
        return as_number(_at(self.record, names))

    def mapping(self, *names: str) -> dict[str, Any]:
        """An object of the record; empty where there is none."""
        value = _at(self.record, names)
        return dict(value) if isinstance(value, Mapping) else {}

    def items(self, *names: str) -> list[Any]:
        """A list of the record; empty where there is none."""
        value = _at(self.record, names)
        return list(value) if isinstance(value, list | tuple) else []

    @property
    def greater_is_better(self) -> bool:
        """Whether a greater score is better."""
        return bool(_at(self.record, ("metric", "greater_is_better")))

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns."""
        value = self.record.get("target")
        return tuple(map(str, value)) if isinstance(value, list) else (str(value),) if value is not None else ()


def read(run: Run, *, metric: Metric | None = None) -> LoadedRun:
    """Everything that a run's folder tells.

    metric : the competition's own, where it is none that kpipe knows by name.
    """
    record = run.record
    missing: list[str] = []
    told = record.get("models")
    models = tuple(_model(given) for given in (told if isinstance(told, list) else ()) if isinstance(given, Mapping))
    facts = LoadedRun(
        path=run.path, record=record, models=models, metric=None, oof=None, test=None, folds=None, submission=None
    )
    judge = metric or _metric(facts, missing)
    tables = {name: _parquet(run.path / f"{name}.parquet", missing) for name in ("oof", "test", "folds")}
    judged = None if tables["oof"] is None else _judged(facts, tables["oof"], missing)
    if judge is not None and judged is not None and not _fits(judge, judged):
        missing.append(f"The predictions are not what the metric {judge.name} judges.")
        judged = None
    return LoadedRun(
        path=run.path,
        record=record,
        models=models,
        metric=judge,
        oof=judged,
        test=None if tables["test"] is None or judged is None else _blend(tables["test"], judged),
        folds=_folds(tables["folds"]),
        submission=_csv(run.path / "submission.csv", missing),
        curves=_curves(_parquet(run.path / "curves.parquet", [])),  # runs of kpipe 0.1.0 may have none
        missing=missing,
    )


def other_runs(facts: LoadedRun) -> list[dict[str, Any]]:
    """The records of the other finished runs in the same folder that have the same competition and metric.

    Parameters
    ----------
    facts : LoadedRun
        A run.

    Returns
    -------
    list of dict
        The oldest first; records that cannot be used are skipped. ``run_id`` is the name of the run's folder.
    """
    own, found = facts.path.resolve(), []
    for folder in finished_folders(own.parent)[-_MOST_RUNS:]:
        try:
            record = None if folder == own else read_run(folder).record
        except DataError:
            continue
        if record is None or record["slug"] != facts.record.get("slug"):
            continue
        if record["metric"]["name"] == _at(facts.record, ("metric", "name")):
            found.append({**record, "run_id": folder.name, "score": as_number(record["score"])})
    return sorted(found, key=lambda record: str(record.get("created")))


def _at(record: Any, names: Sequence[str]) -> Any:
    for name in names:
        record = record.get(name) if isinstance(record, Mapping) else None
    return record


def as_number(value: object) -> float | None:
    """A finite number, or None for whatever else a record holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer of a thousand digits
        return None


def _model(given: Mapping[str, Any]) -> Model:
    scores, seeds = given.get("fold_scores"), given.get("seeds")
    return Model(
        name=plain_text(given.get("name")),
        score=as_number(given.get("score")),
        standard_error=as_number(given.get("standard_error")),
        fold_scores=tuple(as_number(value) for value in scores) if isinstance(scores, list) else (),
        weight=as_number(given.get("weight")),
        seconds=as_number(given.get("seconds")),
        seeds=tuple(s for s in seeds if isinstance(s, int)) if isinstance(seeds, list) else (),
    )


def _metric(facts: LoadedRun, missing: list[str]) -> Metric | None:
    name = facts.text("metric", "name")
    try:
        metric = get_metric(name)
    except UsageError:
        missing.append(
            f"kpipe does not know the metric {name!r} by its name: it belongs to the competition's module, which is "
            "read together with the data."
        )
        return None
    return over_targets(metric, len(facts.targets)) if len(facts.targets) > 1 else metric


def _parquet(path: Path, missing: list[str]) -> pd.DataFrame | None:
    try:
        # What pandas wrote beside the columns is not asked for: it could name types of anybody's making.
        return pq.read_table(path).to_pandas(ignore_metadata=True)
    except FileNotFoundError:
        missing.append(f"{path.name} is not in the run's folder.")
    except (OSError, ValueError, NotImplementedError, pa.ArrowException) as error:
        missing.append(f"{path.name} cannot be read: {plain_text(error)[:200]}")
    return None


def _csv(path: Path, missing: list[str]) -> pd.DataFrame | None:
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        missing.append(f"{path.name} is not in the run's folder.")
    except (OSError, ValueError) as error:
        missing.append(f"{path.name} cannot be read: {plain_text(error)[:200]}")
    return None


def _folds(frame: pd.DataFrame | None) -> pd.DataFrame | None:
    whole = frame is not None and {"fold", "row", "role"} <= set(frame.columns)
    return frame if whole else None


def _curves(frame: pd.DataFrame | None) -> pd.DataFrame | None:
    names = ["model", "seed", "fold", "rows", "step", "loss"]
    if frame is None or not {*names} <= {*frame.columns}:
        return None
    numbers = [frame[name].dtype.kind in "iuf" for name in ("seed", "fold", "step", "loss")]
    return frame[names][np.isfinite(frame["loss"]) & (frame["step"] > 0)] if all(numbers) else None


def _judged(facts: LoadedRun, oof: pd.DataFrame, missing: list[str]) -> OofPredictions | None:
    targets = tuple(name if name in oof else f"{name} (train)" for name in facts.targets)
    outputs = outputs_of(oof, "blend")
    if not targets or any(name not in oof for name in targets) or not outputs:
        missing.append("oof.parquet lacks the target or the blend's predictions.")
        return None
    several = len(targets) > 1
    labels = None if several or outputs == ["blend"] else tuple(name.removeprefix("blend/") for name in outputs)
    y = _truth(oof[list(targets)], labels)
    if y is None:
        missing.append("oof.parquet: the target does not fit the columns of predictions.")
        return None
    models = {m.name: _numbers(oof[found]) for m in facts.models if (found := outputs_of(oof, m.name))}
    id_name = facts.record.get("id")
    groups = oof[GROUP].to_numpy() if GROUP in oof and oof[GROUP].dtype.kind in "iu" else None
    rows = oof["row"] if "row" in oof and oof["row"].dtype.kind in "iu" else pd.Series(np.arange(len(oof)))
    return OofPredictions(
        y=y,
        classes=labels,
        targets=facts.targets,
        ensemble=_numbers(oof[outputs]),
        models=models,
        rows=rows.to_numpy(),
        ids=oof[id_name] if isinstance(id_name, str) and id_name in oof else None,
        groups=groups,
    )


def _fits(metric: Metric, judged: OofPredictions) -> bool:
    several = judged.y.ndim > 1
    return several == (metric.single is not None) and (
        several or (metric.task == "classification") == bool(judged.classes)
    )


def outputs_of(frame: pd.DataFrame, name: str) -> list[str]:
    """The columns of one model's predictions, in their order."""
    if name in frame:
        return [name]
    return [str(column) for column in frame.columns if str(column).startswith(f"{name}/")]


def _numbers(frame: pd.DataFrame) -> np.ndarray:
    values = frame.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _truth(frame: pd.DataFrame, labels: tuple[str, ...] | None) -> np.ndarray | None:
    if labels is None:
        y = _numbers(frame)
        return None if np.isnan(y).any() else y if y.shape[1] > 1 else y[:, 0]
    codes = frame.iloc[:, 0].astype(str).map({label: code for code, label in enumerate(labels)})
    return None if codes.isna().any() else codes.to_numpy(dtype=np.int64)


def _blend(test: pd.DataFrame, judged: OofPredictions) -> np.ndarray | None:
    outputs = outputs_of(test, "blend")
    return _numbers(test[outputs]) if len(outputs) == judged.ensemble.shape[1] else None
