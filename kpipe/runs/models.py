"""The models of a finished run: their scores, predictions and, if stored, fitted estimators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kpipe.runs.kept_models import load_estimators
from kpipe.runs.prediction_tables import output_columns
from kpipe.runs.recorded import as_float
from kpipe.runs.tables import read_parquet

if TYPE_CHECKING:
    from kpipe.runs.run import Run

__all__ = ["RunModel", "models_of", "scores_of"]

_NUMBERS = ("score", "standard_error", "weight", "seconds")


@dataclass(frozen=True, repr=False)
class RunModel:
    """A model of a finished run.

    Attributes
    ----------
    name : str
    record : mapping
        What ``run.json`` says about it: score, standard_error, weight, seconds, seeds, fold_scores.
    path : Path
        The folder of the run.
    """

    name: str
    record: Mapping[str, Any]
    path: Path

    def __repr__(self) -> str:
        return f"<{self.name}: score {self.score:.6g}, weight {self.weight:.3g}>"

    @property
    def score(self) -> float:
        """The out-of-fold score."""
        return as_float(self.record.get("score"))

    @property
    def standard_error(self) -> float:
        """The standard error of ``score``."""
        return as_float(self.record.get("standard_error"))

    @property
    def weight(self) -> float:
        """The weight in the ensemble."""
        return as_float(self.record.get("weight"))

    @property
    def oof(self) -> pd.DataFrame:
        """The out-of-fold predictions: one column for each class or target."""
        return self._predictions("oof")

    @property
    def test(self) -> pd.DataFrame:
        """The predictions for the test rows: one column for each class or target."""
        return self._predictions("test")

    @property
    def estimators(self) -> dict[tuple[int, int], Any]:
        """The fitted estimators by (seed, fold); the fold after the last one stands for a fit on all rows.

        They take the columns that the models see, as ``kpipe.define_problem`` prepares them.

        Raises
        ------
        UsageError
            If the run has not kept its models (``keep_models=True``), or somebody else has written them: they are
            pickles, and loading one runs code.
        """
        return load_estimators(self.path, self.name)

    def _predictions(self, which: str) -> pd.DataFrame:
        table = read_parquet(self.path / f"{which}.parquet")
        columns = output_columns(table, self.name)
        return table[columns].rename(columns=lambda name: name.removeprefix(f"{self.name}/"))


def models_of(run: Run) -> dict[str, RunModel]:
    """The models of a run by name.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    dict of str to RunModel
    """
    return {str(model["name"]): RunModel(str(model["name"]), model, run.path) for model in run.record["models"]}


def scores_of(run: Run) -> pd.DataFrame:
    """The scores of the models and of the ensemble.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    DataFrame
        Indexed by model, the ensemble last. Columns: score, standard_error, weight, seconds, and the score in each
        fold, ``fold 1``, ``fold 2``, ...
    """
    ensemble = {**run.record, "name": "ensemble", "weight": None}
    rows = {
        str(model["name"]): {name: as_float(model.get(name)) for name in _NUMBERS}
        | {f"fold {k}": as_float(value) for k, value in enumerate(model.get("fold_scores") or (), start=1)}
        for model in (*run.record["models"], ensemble)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
