"""The data that a run was made from, as the report shows it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kpipe.core.formatting import plain_text
from kpipe.core.values import Tables
from kpipe.data.further_tables import file_hashes
from kpipe.problem.competition import Competition
from kpipe.report.columns import image_side
from kpipe.runs.loaded import LoadedRun
from kpipe.runs.oof import OofPredictions

__all__ = ["RunData", "rows_of"]


@dataclass(frozen=True, kw_only=True)
class RunData:
    """A run's competition and its tables.

    Parameters
    ----------
    competition : the competition, with its inferred fields.
    tables : its tables, cleaned.
    raw : train.csv before the competition cleaned it.
    """

    competition: Competition
    tables: Tables
    raw: pd.DataFrame

    def difference(self, run: LoadedRun) -> str:
        """Why this is not the data of the run.

        Parameters
        ----------
        run : the run.

        Returns
        -------
        A sentence, empty where it is the run's data
        """
        recorded, read = run.mapping("data", "files"), file_hashes(self.tables)
        changed = [name for name in sorted({*recorded, *read}) if recorded.get(name) != read.get(name)]
        if changed:
            names = ", ".join(plain_text(name)[:60] for name in changed[:3])
            return f"{self.tables.source.path} has other files than the run was made from ({names})."
        if run.oof is not None and len(run.oof.y) != len(self.tables.train):
            return "The run's predictions and train.csv differ in their number of rows."
        return ""

    @property
    def train(self) -> pd.DataFrame:
        """(n, columns): the columns of train that the models see."""
        return self.tables.train[list(self.competition.columns or ())]

    @property
    def test(self) -> pd.DataFrame:
        """(m, columns): the columns of test that the models see."""
        return self.tables.test[list(self.competition.columns or ())]

    def original_rows(self, oof: OofPredictions) -> pd.DataFrame:
        """The rows of train.csv before cleaning, without ids and targets; images as the models see them.

        Parameters
        ----------
        oof : predictions of the rows.

        Returns
        -------
        (n, columns), in the row order of ``oof``
        """
        if image_side(self.train) is not None or len(self.raw) != len(self.tables.train):
            return rows_of(self.train, oof)
        hidden = {*oof.targets, self.competition.id}
        return rows_of(self.raw[[name for name in self.raw.columns if name not in hidden]], oof)


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
