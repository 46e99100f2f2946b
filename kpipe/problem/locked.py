"""Rows of train that a vault locks away: appended to test before ``clean``, and removed from it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kpipe.core.values import Tables
from kpipe.errors import DataError, UsageError
from kpipe.problem.competition import Competition
from kpipe.problem.inference.spelling import adapt_tables
from kpipe.problem.inference.text_columns import convert_text_columns

__all__ = ["LockedRows", "lock", "raw_targets_of", "unlock"]


@dataclass(frozen=True, kw_only=True)
class LockedRows:
    """The rows of train that a vault locks away.

    Attributes
    ----------
    rows : tuple of int
        Their positions in train, counted from 0 over the rows that have a target.
    train_rows : int
        The number of rows of train, with these.
    id : str
        The column of ``ids``; empty if train has no id, so that rows are identified by position.
    ids : tuple
        The ids of the rows.
    sha256 : str
        Identifies the vault.
    """

    rows: tuple[int, ...]
    train_rows: int
    id: str
    ids: tuple[object, ...]
    sha256: str

    def positions(self, train: pd.DataFrame) -> np.ndarray:
        """Return the positions of the rows in train.

        Parameters
        ----------
        train : DataFrame
            (n, columns).

        Returns
        -------
        ndarray
            Sorted positions.

        Raises
        ------
        DataError
            If train lacks some of the rows, or repeats their ids.
        """
        if self.id and self.id in train:
            ids = train[self.id].astype(str)
            found = np.flatnonzero(ids.isin([*map(str, self.ids)]))
            missing = len(self.ids) - int((~ids.iloc[found].duplicated(keep=False)).sum())  # a repeated id is ambiguous
        else:
            found, missing = np.array(self.rows), abs(len(train) - self.train_rows)
        if missing:
            raise DataError(
                f"The vault does not fit train.csv: {missing:,} of its {len(self.rows):,} rows are not found, or their "
                "ids repeat. Use the files, target and options with which the vault was created, or --all-rows.",
                code="vault-mismatch",
                file="train.csv",
            )
        return np.sort(found)


def lock(files: Tables, locked: LockedRows) -> Tables:
    """Move the locked rows to the end of test, without their targets, before ``clean``.

    Parameters
    ----------
    files : Tables
        With aligned rows.
    locked : LockedRows

    Returns
    -------
    Tables
        ``sample`` has rows for them, too.
    """
    rows = locked.positions(files.train)
    blank = [name for name in files.test.columns if files.test[name].isna().all()]  # such as a target that is asked for
    kept = [name for name in files.test.columns if name in files.train.columns and name not in blank]
    hidden = files.train[kept].iloc[rows].reset_index(drop=True)
    for name in files.test.columns.difference(kept):
        hidden[name] = _further_values(files.test[name], len(rows))
    return replace(
        files,
        train=files.train.drop(index=files.train.index[rows]).reset_index(drop=True),
        test=pd.concat([files.test, hidden[files.test.columns]], ignore_index=True),
        sample=pd.concat([files.sample, _rows_of_sample(files.sample, hidden)], ignore_index=True),
    )


def _rows_of_sample(sample: pd.DataFrame, hidden: pd.DataFrame) -> pd.DataFrame:
    """Rows of the sample submission for locked rows, with their ids if name and dtype agree."""
    rows = sample.iloc[np.arange(len(hidden)) % len(sample)].reset_index(drop=True)
    id = str(sample.columns[0])
    known = id in hidden and hidden[id].dtype == sample[id].dtype
    return rows.assign(**{id: hidden[id] if known else _further_values(sample[id], len(hidden))})


def _further_values(column: pd.Series, count: int) -> pd.Series:
    """Values for rows that lack a column: new values if the column is unique, like an id, else repeated ones."""
    values = column.iloc[np.arange(count) % len(column)].reset_index(drop=True)
    if not column.is_unique or len(column) < 2:
        return values
    if pd.api.types.is_integer_dtype(column):
        return pd.Series(np.arange(count) + int(column.max()) + 1).astype(column.dtype)
    return values if pd.api.types.is_numeric_dtype(column) else "vault " + values.astype("str")


def unlock(given: Tables, tables: Tables, count: int) -> tuple[Tables, pd.DataFrame]:
    """Remove the locked rows from the cleaned tables, and return both.

    Parameters
    ----------
    given : Tables
        The tables that ``clean`` was given.
    tables : Tables
        The tables that it returned.
    count : int
        The number of locked rows, the last ones of test.

    Returns
    -------
    tables : Tables
    rows : DataFrame
        (count, columns) the cleaned rows.

    Raises
    ------
    UsageError
        If ``clean`` does not keep test's rows in their order.
    """
    id = str(given.sample.columns[0])
    ids = [frame[id].astype("str") for frame in (given.test, tables.test) if id in frame]
    moved = len(ids) == 2 and len(ids[0]) == len(ids[1]) and not ids[0].equals(ids[1].reset_index(drop=True))
    if len(tables.test) != len(given.test) or moved:
        raise UsageError(
            "A vault requires a clean that keeps the test rows in their order: this competition's clean changes them. "
            "To train without the vault: --all-rows.",
            code="vault-unsuitable",
        )
    end = len(tables.test) - count
    locked = tables.test.iloc[end:].reset_index(drop=True)
    return replace(tables, test=tables.test.iloc[:end], sample=tables.sample.iloc[: len(given.sample) - count]), locked


def raw_targets_of(competition: Competition, files: Tables, targets: Sequence[str]) -> pd.DataFrame:
    """Read the targets of all rows without ``clean``, which must never see those of locked rows.

    Parameters
    ----------
    competition : Competition
        With the options of the request applied.
    files : Tables
        With aligned rows.
    targets : sequence of str

    Returns
    -------
    DataFrame
        (n, targets).

    Raises
    ------
    UsageError
        If a target exists only after ``clean``.
    """
    train = convert_text_columns(*adapt_tables(competition, files))[0].train
    if missing := [name for name in targets if name not in train]:
        raise UsageError(
            f"The target {missing[0]!r} is computed by this competition's clean, which must not see the targets of "
            "vault rows.",
            code="vault-unsuitable",
        )
    return train[list(targets)]
