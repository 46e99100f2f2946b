"""The out-of-fold predictions of a run, read from its ``oof.parquet``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpipe.core.values import Folds
from kpipe.errors import DataError
from kpipe.runs.prediction_tables import ENSEMBLE, GROUP, file_column, output_columns
from kpipe.runs.tables import to_numbers

__all__ = ["OofPredictions", "check_predicted", "oof_predictions"]

_FILE = "oof.parquet"


@dataclass(frozen=True, kw_only=True)
class OofPredictions:
    """Out-of-fold predictions with the true targets.

    Parameters
    ----------
    y : ndarray
        (n,) class codes or values; (n, t) values for several targets.
    classes : tuple of str, optional
        The class of each code; None for values and for several targets.
    targets : tuple of str
        The target columns.
    ensemble : ndarray
        (n, k) predictions of the ensemble; NaN for rows without a prediction.
    models : mapping of str to ndarray
        The same for each model.
    rows : ndarray
        (n,) positions in train.csv, counted from 0.
    ids : Series, optional
        (n,) ids, if train.csv has an id.
    groups : ndarray, optional
        (n,) numbers of the groups or blocks of time, where rows are not independent.
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
        """(n,) bool: whether a row has a prediction."""
        return ~np.isnan(self.ensemble).any(axis=1)


def oof_predictions(
    table: pd.DataFrame, *, targets: Sequence[str], models: Sequence[str], id_column: object
) -> OofPredictions:
    """The predictions in a table that anybody may have written.

    Parameters
    ----------
    table : DataFrame
        ``oof.parquet``.
    targets : sequence of str
        The target columns that the run's record names.
    models : sequence of str
        The models that the run's record names.
    id_column : object
        What the run's record says is the id column.

    Returns
    -------
    OofPredictions

    Raises
    ------
    DataError
        If the table lacks the targets or the ensemble's predictions, they do not match, a prediction is not a finite
        number, or rows are not numbered.
    """
    if table.empty:
        raise DataError(f"{_FILE} has no rows.", code="broken-run", file=_FILE)
    columns = [file_column(table, name) for name in targets]
    outputs = output_columns(table, ENSEMBLE)
    if not columns or any(name not in table for name in columns) or not outputs:
        raise DataError(f"{_FILE} lacks the target or the ensemble's predictions.", code="broken-run", file=_FILE)
    no_classes = len(targets) > 1 or outputs == [ENSEMBLE]
    classes = None if no_classes else tuple(name.removeprefix(f"{ENSEMBLE}/") for name in outputs)
    return OofPredictions(
        y=_targets(table[columns], classes),
        classes=classes,
        targets=tuple(targets),
        ensemble=to_numbers(_FILE, table[outputs]),
        models={name: to_numbers(_FILE, table[found]) for name in models if (found := output_columns(table, name))},
        rows=_rows(table),
        ids=_ids(table, id_column),
        groups=table[GROUP].to_numpy() if _is_whole(table, GROUP) else None,
    )


def _ids(table: pd.DataFrame, id_column: object) -> pd.Series | None:
    if not isinstance(id_column, str) or (name := file_column(table, id_column)) not in table:
        return None
    return table[name].rename(id_column)


def check_predicted(oof: OofPredictions, folds: Folds, fits: Mapping[str, Mapping[str, Sequence[int]] | None]) -> None:
    """Raise an error unless each model, and so the ensemble, predicts all rows that one of its fits validated.

    Parameters
    ----------
    oof : OofPredictions
        The predictions.
    folds : Folds
        The folds of the run.
    fits : mapping
        Model to seed to the folds that were fitted, as the run's record has them; None or empty for every fold.

    Raises
    ------
    DataError
        If a prediction is missing.
    """
    shared = np.ones(len(oof.rows), dtype=bool)
    for name, of_model in fits.items():
        fitted = {fold for numbers in (of_model or {}).values() for fold in numbers} or {*range(len(folds.valid))}
        validated = [rows for fold, rows in enumerate(folds.valid) if fold in fitted]
        expected = np.isin(oof.rows, np.concatenate([*validated, np.arange(0)]))
        shared &= expected
        if name in oof.models:
            _refuse_missing(name, oof.models[name], expected)
    _refuse_missing(ENSEMBLE, oof.ensemble, shared)


def _refuse_missing(name: str, predictions: np.ndarray, expected: np.ndarray) -> None:
    if missing := int((np.isnan(predictions).any(axis=1) & expected).sum()):
        raise DataError(
            f"{_FILE}: {name!r:.80} lacks predictions of {missing:,} rows that a fold validated.",
            code="broken-run",
            file=_FILE,
        )


def _targets(frame: pd.DataFrame, classes: tuple[str, ...] | None) -> np.ndarray:
    """(n,) class codes or values, or (n, t) values. Raises DataError if one is missing or of no predicted class."""
    if classes is None:
        y = to_numbers(_FILE, frame)
        valid = not np.isnan(y).all(axis=1).any()  # of several targets some may be missing in a row
        y = y if y.shape[1] > 1 else y[:, 0]
    else:
        numbers, labels = pd.factorize(frame.iloc[:, 0], use_na_sentinel=False)  # few labels, and many rows
        codes = pd.Series(labels).astype(str).map({label: code for code, label in enumerate(classes)})
        valid = not codes.isna().any()
        y = codes.to_numpy(dtype=np.int64)[numbers] if valid else np.empty(0)
    if not valid:
        raise DataError(
            f"{_FILE}: the target does not match the columns of predictions.", code="broken-run", file=_FILE
        )
    return y


def _rows(table: pd.DataFrame) -> np.ndarray:
    """Positions in train.csv. Raises DataError unless each row of it occurs once."""
    count = len(table)
    if "row" not in table:
        return np.arange(count)
    rows = table["row"].to_numpy()
    if not _is_whole(table, "row") or not np.array_equal(np.sort(rows), np.arange(count)):
        raise DataError(
            f"{_FILE}: 'row' must hold each number from 0 to {count - 1} once.", code="broken-run", file=_FILE
        )
    return rows.astype(np.int64)


def _is_whole(table: pd.DataFrame, name: str) -> bool:
    return name in table and table[name].dtype.kind in "iu"
