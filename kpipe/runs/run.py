"""A finished run as a value: its folder and its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpipe.errors import UsageError, printable
from kpipe.runs.recorded import as_float
from kpipe.runs.summary import summary_html, summary_line

if TYPE_CHECKING:
    import pandas as pd

    from kpipe.runs.models import RunModel

__all__ = ["IMPORTANCE", "Run", "refuse_blend"]

IMPORTANCE = "importance.parquet"  # which a report leaves in the run's folder

# pandas is imported where a table is read: shell completion lists runs and must not wait for it.


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run: its folder and its record.

    Parameters
    ----------
    path : Path
        The folder that holds ``run.json`` and the run's tables.
    record : mapping
        The content of ``run.json``.
    """

    path: Path
    record: Mapping[str, Any]

    def __repr__(self) -> str:
        """One line with the score; the record is long and can be read as ``run.record``."""
        return f"<Run {summary_line(self.record)}, {str(self.path)!r}>"

    @property
    def score(self) -> float:
        """The out-of-fold score of the submitted predictions, in units of the run's metric."""
        return as_float(self.record["score"])

    @property
    def standard_error(self) -> float:
        """The standard error of ``score`` as an estimate on new rows; NaN if it is unknown."""
        return as_float(self.record["standard_error"])

    @property
    def scores(self) -> pd.DataFrame:
        """The scores by model, the ensemble last: score, standard_error, weight, seconds, and each fold's."""
        from kpipe.runs.models import scores_of

        return scores_of(self)

    @property
    def models(self) -> dict[str, RunModel]:
        """The models by name, each with its score, its predictions and, if the run kept them, its estimators."""
        from kpipe.runs.models import models_of

        return models_of(self)

    @property
    def submission(self) -> pd.DataFrame:
        """The submission as it was written: text columns stay text, even values such as ``0042`` or ``NA``."""
        from kpipe.runs.tables import read_csv

        written = self.record.get("submission", {})
        return read_csv(
            self.path / "submission.csv", encoding=written.get("encoding", "utf-8"), text=written.get("text", ())
        )

    @property
    def oof(self) -> pd.DataFrame:
        """The out-of-fold predictions: row, id if train.csv has one, target, then the ensemble and each model."""
        return self._table("oof")

    @property
    def test(self) -> pd.DataFrame:
        """The predictions for the test rows: row, id if test.csv has one, then the ensemble and each model."""
        return self._table("test")

    @property
    def importance(self) -> pd.DataFrame:
        """The permutation importance of each column: column, importance, standard_error, the most important first.

        ``kpipe.report(run)`` measures it, through the ensemble that was submitted.

        Raises
        ------
        UsageError
            If no report of the run has measured it.
        """
        if not (self.path / IMPORTANCE).is_file():
            raise UsageError(
                f"The importance of the columns has not been computed yet: call kpipe.report({str(self.path)!r})."
            )
        return self._table("importance")

    @property
    def folds(self) -> pd.DataFrame:
        """The folds as (fold, row, role)."""
        return self._table("folds")

    @property
    def curves(self) -> pd.DataFrame:
        """The learning curves: model, seed, fold, rows ("training" or "inner validation"), step, loss.

        A step is an epoch or a tree.
        """
        return self._table("curves")

    def _table(self, name: str) -> pd.DataFrame:
        from kpipe.runs.tables import read_parquet

        return read_parquet(self.path / f"{name}.parquet")

    def _repr_html_(self) -> str:
        """The table that a notebook shows."""
        return summary_html(self.record)


def refuse_blend(run: Run) -> None:
    """Raise an error for a blend of runs, which did no training that could be repeated.

    Parameters
    ----------
    run : Run
        Any finished run.

    Raises
    ------
    UsageError
        If the run is a blend of runs; the message names these runs.
    """
    settings = run.record.get("settings")
    blended = settings.get("blend") if isinstance(settings, Mapping) else None
    if blended is not None:
        ids = ", ".join(map(str, blended)) if isinstance(blended, list) else str(blended)
        raise UsageError(
            f"{run.record['run_id']} is a blend of {printable(ids)}: name these runs instead.", code="not-for-blends"
        )
