"""The data that a run was made from, as the report shows it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kpipe.core.formatting import plain_text
from kpipe.data.further_tables import file_hashes
from kpipe.problem.problem import Problem
from kpipe.report.columns import image_side
from kpipe.runs.loaded import LoadedRun
from kpipe.runs.oof import OofPredictions

__all__ = ["RunData", "rows_of"]


@dataclass(frozen=True, kw_only=True)
class RunData:
    """The problem that a run solved.

    Parameters
    ----------
    problem : Problem
    """

    problem: Problem

    def difference(self, run: LoadedRun) -> str:
        """Why this is not the data of the run.

        Parameters
        ----------
        run : the run.

        Returns
        -------
        A sentence, empty where it is the run's data
        """
        recorded, read = run.mapping("data", "files"), file_hashes(self.problem.tables)
        changed = [name for name in sorted({*recorded, *read}) if recorded.get(name) != read.get(name)]
        if changed:
            names = ", ".join(plain_text(name)[:60] for name in changed[:3])
            return f"{self.problem.tables.source.path} has other files than the run was made from ({names})."
        if run.oof is not None and len(run.oof.y) != len(self.problem.y):
            return "The run's predictions and train.csv differ in their number of rows."
        return ""

    @property
    def train(self) -> pd.DataFrame:
        """(n, columns): the columns of train that the models see."""
        return self.problem.X

    @property
    def test(self) -> pd.DataFrame:
        """(m, columns): the columns of test that the models see."""
        return self.problem.X_test

    def original_rows(self, oof: OofPredictions) -> pd.DataFrame:
        """The rows of train.csv before cleaning, without ids and targets; images as the models see them.

        Parameters
        ----------
        oof : predictions of the rows.

        Returns
        -------
        (n, columns), in the row order of ``oof``
        """
        original = self.problem.files.train
        if image_side(self.train) is not None or len(original) != len(self.train):
            return rows_of(self.train, oof)
        hidden = {*oof.targets, self.problem.id}
        return rows_of(original[[name for name in original.columns if name not in hidden]], oof)


def rows_of(frame: pd.DataFrame, oof: OofPredictions) -> pd.DataFrame:
    """The rows of a table in the order of predictions.

    Parameters
    ----------
    frame : (n, columns), in the order of train.csv.
    oof : predictions of the rows.

    Returns
    -------
    (n, columns); the table as it is where the predictions do not name its rows
    """
    rows = oof.rows
    known = bool(len(rows)) and rows.min() >= 0 and rows.max() < min(len(rows), len(frame))
    return frame.iloc[rows] if known else frame
