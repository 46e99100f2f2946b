"""Infer the id column, and which columns the submission must fill."""

from __future__ import annotations

import pandas as pd

from kpipe.core.values import Reason, Tables
from kpipe.core.wording import listed, missing_column_message
from kpipe.errors import DataError
from kpipe.problem.competition import Competition
from kpipe.problem.inference.step import NOTHING, Step

__all__ = ["infer_id", "shared_ids", "submission_columns"]


def infer_id(competition: Competition, tables: Tables) -> Step:
    """The column that joins test rows to submission rows: by default, one that the sample submission shares with test.

    Raises
    ------
    DataError
        If the stated id is missing, or no column can be the id.
    """
    sample, test = tables.sample.columns, tables.test.columns
    if competition.id is not None:
        if competition.id not in sample:
            raise DataError(
                missing_column_message("The sample submission", "the id column", competition.id, sample),
                code="missing-column",
                column=competition.id,
            )
        if competition.id in tables.train.columns and competition.id not in test:
            raise DataError(
                f"test.csv lacks the id column {competition.id!r}, which train.csv has.",
                code="missing-column",
                file="test.csv",
                column=competition.id,
            )
        return NOTHING
    if shared := shared_ids(tables):
        return {"id": shared[0]}, Reason(text="the column that the sample submission shares with test")
    alone = [name for name in sample if name not in tables.train.columns]
    if alone:
        return {"id": alone[0]}, Reason(text="the sample submission's column that neither train nor test has")
    raise DataError(
        f"No id column was found in the sample submission ({listed(sample)}). Name it with --id COLUMN.", code="no-id"
    )


def shared_ids(tables: Tables) -> list[str]:
    """The columns that the sample submission shares with test; those with unique values first."""
    shared = [name for name in tables.sample.columns if name in tables.test.columns]
    return sorted(shared, key=lambda name: not tables.sample[name].is_unique)


def submission_columns(competition: Competition, tables: Tables) -> list[str]:
    """The sample submission's columns that must be predicted: all but the id and those that repeat a column of test.

    Parameters
    ----------
    competition : Competition
        With its id, and its target where it is known.
    tables : Tables

    Returns
    -------
    list of str
        In the order of the sample submission.
    """
    others = [name for name in tables.sample.columns if name != competition.id]
    wanted = [name for name in others if name in competition.targets or not _repeats_test(competition, tables, name)]
    if set(wanted) & set(competition.targets):  # of train's columns, those that --target does not name stay
        wanted = [name for name in wanted if name in competition.targets or name not in tables.train.columns]
    known = [name for name in wanted if name in (competition.targets or tables.train.columns)]
    # If a target is known, a column that train lacks and that repeats one word (Usage: Public) needs no predictions.
    idle = [name for name in wanted if name not in known and _is_one_word(tables.sample[name])]
    return [name for name in wanted if not (known and name in idle)] or others


def _is_one_word(column: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(column) and column.nunique(dropna=False) == 1


def _repeats_test(competition: Competition, tables: Tables, name: str) -> bool:
    """Whether the sample's column has the value that test has in the same row."""
    id, sample, test = competition.id, tables.sample, tables.test
    if name in test.columns and test[name].isna().all():
        return False  # a target that test leaves empty
    if name not in test.columns or id is None or id not in test.columns:
        return name in test.columns and name not in tables.train.columns
    if test[id].duplicated().any() or sample[id].duplicated().any():
        return True
    theirs = test.set_index(id)[name].reindex(sample[id])
    alike = theirs.astype(str).to_numpy() == sample[name].astype(str).to_numpy()
    return bool(alike.all()) or _same_pattern(theirs, sample[name])


def _same_pattern(values: pd.Series, others: pd.Series) -> bool:
    """Whether two columns repeat values in the same rows: one may hold dates, and the other their text."""
    return values.nunique() > 1 and bool((pd.factorize(values)[0] == pd.factorize(others.where(others != ""))[0]).all())
