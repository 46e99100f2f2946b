"""The tables of predictions, ``oof.parquet`` and ``test.parquet``: how their columns are named.

The ensemble's columns are named "blend" since kpipe 0.1; runs of all versions can be compared and blended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from kpipe.core.values import Ensemble, ModelPredictions
from kpipe.runs.result import RunResult

__all__ = [
    "ENSEMBLE",
    "GROUP",
    "VAULT_PREDICTIONS",
    "file_column",
    "output_columns",
    "predictions_table",
    "vault_table",
]

ENSEMBLE = "blend"
VAULT_PREDICTIONS = "vault.parquet"
GROUP = "fold group"  # in oof.parquet: the number of a row's group or block of time, where rows are not independent


def predictions_table(result: RunResult, which: Literal["oof", "test"]) -> pd.DataFrame:
    """The content of ``oof.parquet`` or ``test.parquet``.

    Parameters
    ----------
    result : RunResult
        Everything that the run produced.
    which : Literal['oof', 'test']
        The out-of-fold predictions or those for the test rows.

    Returns
    -------
    DataFrame
        The columns: row (counted from 0), fold group (only out-of-fold, and where rows are not independent: numbers of
        groups or blocks of time in the order of the file, by which runs are compared), id and targets if the file has
        them, then the ensemble's and each model's predictions, see ``output_columns``. An id or target that has the
        name of another column or of a model gets " (train)" or " (test)" appended.
    """
    problem = result.problem
    frame = problem.tables.train if which == "oof" else problem.tables.test
    kept = [name for name in (problem.id, *problem.targets) if name in frame.columns]
    rows = pd.DataFrame({"row": np.arange(len(frame))})
    if which == "oof" and problem.blocks is not None:
        rows[GROUP] = pd.factorize(problem.blocks, use_na_sentinel=False)[0]
    outputs = _outputs(result, which)
    # also the names of models whose columns are those of classes: a column of such a name would pass for predictions
    taken = {*rows.columns, *outputs.columns, ENSEMBLE, *(model.name for model in result.predictions.models)}
    file = "train" if which == "oof" else "test"
    own = frame[kept].reset_index(drop=True).rename(columns=lambda name: f"{name} ({file})" if name in taken else name)
    return pd.concat([rows, own, outputs], axis=1)


def vault_table(result: RunResult) -> pd.DataFrame | None:
    """The content of ``vault.parquet``: predictions for the rows of the vault, without the truth.

    Parameters
    ----------
    result : RunResult

    Returns
    -------
    DataFrame or None
        As ``test.parquet``; ``row`` is the position in train.csv. None where no vault was in force.
    """
    problem, locked = result.problem, result.problem.locked
    if result.vault is None or problem.vault is None or locked is None:
        return None
    rows = problem.vault.drop(columns=[name for name in problem.targets if name in problem.vault])
    problem = replace(problem, tables=replace(problem.tables, test=rows))
    predictions, ensemble = result.vault
    of_vault = replace(result, problem=problem, predictions=predictions, ensemble=ensemble)
    return predictions_table(of_vault, "test").assign(row=np.sort(locked.rows))


def _outputs(result: RunResult, which: Literal["oof", "test"]) -> pd.DataFrame:
    classes, targets = result.predictions.classes, result.problem.targets
    sources: list[tuple[str, Ensemble | ModelPredictions]] = [(ENSEMBLE, result.ensemble)]
    sources += [(model.name, model) for model in result.predictions.models]
    columns: dict[str, np.ndarray] = {}
    for name, source in sources:
        predicted = source.oof if which == "oof" else source.test
        names = _output_names(name, predicted.shape[1], targets if classes is None else classes)
        columns |= dict(zip(names, predicted.T, strict=True))
    return pd.DataFrame(columns)


def _output_names(name: str, count: int, parts: Sequence[object] | np.ndarray) -> list[str]:
    """``name`` for one number, ``name/part`` for each class or target."""
    return [name] if count == 1 else [f"{name}/{part}" for part in parts]


def file_column(table: pd.DataFrame, name: str) -> str:
    """The column of ``oof.parquet`` that holds an id or a target of train.csv.

    Parameters
    ----------
    table : DataFrame
        ``oof.parquet``.
    name : str
        The name in train.csv.

    Returns
    -------
    str
        ``name``, or ``name (train)`` where ``predictions_table`` renamed it; the table need not have it.
    """
    renamed = f"{name} (train)"
    return renamed if renamed in table else name


def output_columns(table: pd.DataFrame, name: str) -> list[str]:
    """The columns of one model's predictions, or of the ensemble's.

    Parameters
    ----------
    table : DataFrame
        ``oof.parquet`` or ``test.parquet``.
    name : str
        The model's name, or ``ENSEMBLE``.

    Returns
    -------
    list of str
        ``name`` itself for one number a row, ``name/class`` for each class or ``name/target`` for each target; empty
        if the table has none.
    """
    if name in table:
        return [name]
    return [str(column) for column in table.columns if str(column).startswith(f"{name}/")]
