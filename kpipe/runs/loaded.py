"""Load everything in a run's folder, which anybody may have written.

Nothing in ``run.json`` is assumed to have the type, length or size that kpipe writes. What is missing or broken is
listed, and everything else can be used: reports, comparisons and blends all read runs this way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from kpipe.core.formatting import plain_text
from kpipe.core.metrics import Metric, get_metric, over_targets
from kpipe.core.values import Folds
from kpipe.errors import DataError, InputError, UsageError
from kpipe.runs.comparable import scored_by
from kpipe.runs.find import finished_folders, read_run
from kpipe.runs.oof import OofPredictions, check_predicted, oof_predictions
from kpipe.runs.prediction_tables import ENSEMBLE, output_columns
from kpipe.runs.recorded import as_number, recorded_targets
from kpipe.runs.run import Run
from kpipe.runs.tables import read_csv, read_curves, read_folds, read_parquet, to_numbers

__all__ = ["LoadedModel", "LoadedRun", "load_run", "other_runs"]

_MAX_RUNS = 200  # in the same folder that are read
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """One model in a run's record. None where the record has no usable value."""

    name: str
    score: float | None = None
    standard_error: float | None = None
    fold_scores: tuple[float | None, ...] = ()
    weight: float | None = None
    seconds: float | None = None
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LoadedRun:
    """Everything in a run's folder. Unusable parts are None, and ``missing`` gives the reasons.

    Parameters
    ----------
    path : Path
        The folder.
    record : mapping
        ``run.json``, unvalidated: read it with ``text``, ``number``, ``mapping`` and ``items``.
    models : tuple of LoadedModel
        The models that the record names.
    metric : Metric, optional
        The run's metric.
    oof : OofPredictions, optional
        The out-of-fold predictions.
    test : ndarray, optional
        (rows of test.csv, k) predictions of the ensemble.
    folds : Folds, optional
    submission : DataFrame, optional
        The submission.
    curves : DataFrame, optional
        The learning curves, see ``Run.curves``.
    missing : list of str
        Sentences on what is missing or broken.
    """

    path: Path
    record: Mapping[str, Any]
    models: tuple[LoadedModel, ...]
    metric: Metric | None
    oof: OofPredictions | None
    test: np.ndarray | None
    folds: Folds | None
    submission: pd.DataFrame | None
    curves: pd.DataFrame | None = None
    missing: list[str] = field(default_factory=list)

    def text(self, *names: str, default: str = "") -> str:
        """A value of the record as text without control characters.

        Parameters
        ----------
        *names : str
            The keys that lead to it.
        default : str
            The result if there is no such value, or an object or a list.

        Returns
        -------
        str
        """
        value = _at(self.record, names)
        return default if value is None or isinstance(value, Mapping | list) else plain_text(value)

    def number(self, *names: str) -> float | None:
        """A finite number of the record, or None.

        Parameters
        ----------
        *names : str
            The keys that lead to it.

        Returns
        -------
        float or None
        """
        return as_number(_at(self.record, names))

    def mapping(self, *names: str) -> dict[str, Any]:
        """An object of the record; empty if there is none.

        Parameters
        ----------
        *names : str
            The keys that lead to it.

        Returns
        -------
        dict
        """
        value = _at(self.record, names)
        return dict(value) if isinstance(value, Mapping) else {}

    def items(self, *names: str) -> list[Any]:
        """A list of the record; empty if there is none.

        Parameters
        ----------
        *names : str
            The keys that lead to it.

        Returns
        -------
        list
        """
        value = _at(self.record, names)
        return list(value) if isinstance(value, list | tuple) else []

    @property
    def greater_is_better(self) -> bool:
        """Whether a greater score is better; True where the record does not say."""
        value = _at(self.record, ("metric", "greater_is_better"))
        return True if value is None else bool(value)

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns."""
        return recorded_targets(self.record)


def load_run(run: Run, *, metric: Metric | None = None) -> LoadedRun:
    """Everything in a run's folder that can be used.

    Parameters
    ----------
    run : Run
        A finished run; its record need not be valid.
    metric : Metric, optional
        The competition's own metric, if kpipe does not know it by name.

    Returns
    -------
    LoadedRun
    """
    path, record, missing = run.path, run.record, list[str]()

    def attempt(load: Callable[[], T], *, optional: bool = False) -> T | None:
        try:
            return load()
        except InputError as error:
            missing.extend([] if optional else [str(error)])
            return None

    models = tuple(_model(model) for model in _at_list(record, ("models",)) if isinstance(model, Mapping))
    metric = metric or attempt(lambda: _metric(record))
    rows = _rows(record, "train")
    folds = attempt(lambda: read_folds(path / "folds.parquet", rows=rows))
    oof = attempt(lambda: _oof(path, record, models, metric, folds))
    return LoadedRun(
        path=path,
        record=record,
        models=models,
        metric=metric,
        oof=oof,
        test=attempt(lambda: _ensemble(path, oof, rows=_rows(record, "test"))),
        folds=folds,
        submission=attempt(lambda: _submission(path, record)),
        curves=attempt(lambda: read_curves(path / "curves.parquet"), optional=True),
        missing=missing,
    )


def _submission(path: Path, record: Mapping[str, Any]) -> pd.DataFrame:
    """The submission, in the encoding in which the run wrote it."""
    written = record.get("submission")
    encoding = written.get("encoding") if isinstance(written, Mapping) else None
    frame = read_csv(path / "submission.csv", encoding=encoding if isinstance(encoding, str) else "utf-8")
    rows = _at(record, ("submission", "rows"))
    if rows not in (None, len(frame)):
        raise DataError(
            f"submission.csv must have {rows:,} rows; got {len(frame):,}.", code="broken-run", file="submission.csv"
        )
    return frame


def _rows(record: Mapping[str, Any], table: str) -> int | None:
    """The number of rows of train.csv or test.csv; None if the record does not say it."""
    rows = _at(record, ("data", "rows", table))
    return rows if isinstance(rows, int) else None


def other_runs(run: LoadedRun) -> list[dict[str, Any]]:
    """The records of the other finished runs in the same folder with comparable scores.

    Parameters
    ----------
    run : LoadedRun
        A run.

    Returns
    -------
    list of dict
        Oldest first; records that cannot be used are skipped. ``run_id`` is the name of the run's folder.
    """
    own, found = run.path.resolve(), []
    for folder in finished_folders(own.parent)[-_MAX_RUNS:]:
        try:
            record = None if folder == own else read_run(folder).record
        except DataError:
            continue
        if record is not None and scored_by(record) == scored_by(run.record):
            found.append({**record, "run_id": folder.name, "score": as_number(record["score"])})
    return sorted(found, key=lambda record: str(record.get("created")))


def _at(record: Any, names: Sequence[str]) -> Any:
    for name in names:
        record = record.get(name) if isinstance(record, Mapping) else None
    return record


def _at_list(record: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    value = _at(record, names)
    return value if isinstance(value, list) else []


def _model(given: Mapping[str, Any]) -> LoadedModel:
    return LoadedModel(
        name=plain_text(given.get("name")),
        score=as_number(given.get("score")),
        standard_error=as_number(given.get("standard_error")),
        fold_scores=tuple(as_number(value) for value in _at_list(given, ("fold_scores",))),
        weight=as_number(given.get("weight")),
        seconds=as_number(given.get("seconds")),
        seeds=tuple(seed for seed in _at_list(given, ("seeds",)) if isinstance(seed, int)),
    )


def _metric(record: Mapping[str, Any]) -> Metric:
    value, targets = _at(record, ("metric", "name")), recorded_targets(record)
    name = "" if value is None or isinstance(value, Mapping | list) else plain_text(value)
    try:
        metric = get_metric(name)
    except UsageError:
        raise UsageError(
            f"kpipe does not know a metric named {name!r}: the competition's module defines it, and is loaded only "
            "together with the competition's data.",
            code="unknown-metric",
        ) from None
    return over_targets(metric, len(targets)) if len(targets) > 1 else metric


def _oof(
    path: Path,
    record: Mapping[str, Any],
    models: Sequence[LoadedModel],
    metric: Metric | None,
    folds: Folds | None,
) -> OofPredictions:
    oof = oof_predictions(
        read_parquet(path / "oof.parquet", rows=_rows(record, "train")),
        targets=recorded_targets(record),
        models=[model.name for model in models],
        id_column=record.get("id"),
    )
    if metric is not None and not _is_scored_by(metric, oof):
        raise DataError(f"The metric {metric.name} cannot score predictions of this type.", code="metric-unsuitable")
    if folds is not None and not _at(record, ("settings", "blend")):  # a blend does not record its models' fits
        fits = {plain_text(_at(model, ("name",))): _at(model, ("fits",)) for model in _at_list(record, ("models",))}
        check_predicted(oof, folds, fits)
    return oof


def _is_scored_by(metric: Metric, oof: OofPredictions) -> bool:
    several = oof.y.ndim > 1
    if several != (metric.single is not None):
        return False
    return several or (metric.task == "classification") == bool(oof.classes)


def _ensemble(path: Path, oof: OofPredictions | None, *, rows: int | None) -> np.ndarray | None:
    """The ensemble's predictions for the test rows, if they have as many columns as the out-of-fold ones."""
    table = read_parquet(path / "test.parquet", rows=rows)
    outputs = output_columns(table, ENSEMBLE)
    if oof is None or len(outputs) != oof.ensemble.shape[1]:
        return None
    predicted = to_numbers("test.parquet", table[outputs])
    if missing := int(np.isnan(predicted).any(axis=1).sum()):
        raise DataError(
            f"test.parquet: {ENSEMBLE!r} lacks predictions of {missing:,} rows.", code="broken-run", file="test.parquet"
        )
    return predicted
