"""Join several id columns of the sample submission, such as store and day, into one id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from kpipe.core.values import Tables
from kpipe.data.identifiers import columns_unique_together
from kpipe.problem.inference.spelling import free_name

__all__ = ["join_id_columns", "with_joined_id"]


def join_id_columns(files: Tables, spelled: Tables, id: str | None) -> Tables:
    """Add an id for columns that identify the rows of test and of the sample submission only in combination.

    Parameters
    ----------
    files : Tables
        The tables as they are in the files.
    spelled : Tables
        The same rows, with columns named as in the sample submission.
    id : str or None
        The id column, if it is known.

    Returns
    -------
    Tables
        The same object if a single column identifies the rows. Else the id is the first column of the sample.
    """
    parts = columns_unique_together(spelled.test, spelled.sample)
    if not parts or id not in (None, "_".join(parts)):
        return files
    name = free_name("_".join(parts), spelled)
    train = files.train
    if set(parts) <= set(spelled.train.columns) and not spelled.train.duplicated(parts).any():
        train = train.assign(**{name: _join(spelled.train, parts).to_numpy()})
    return replace(
        files,
        train=train,
        test=files.test.assign(**{name: _join(spelled.test, parts).to_numpy()}),
        sample=with_joined_id(files.sample, name, parts),
        id_parts=tuple(parts),
    )


def with_joined_id(frame: pd.DataFrame, id: str, parts: Sequence[str]) -> pd.DataFrame:
    """Add the joined id as the first column of a submission.

    Parameters
    ----------
    frame : DataFrame of shape (m, columns)
    id : str
    parts : sequence of str
        The columns that the id joins.

    Returns
    -------
    DataFrame of shape (m, 1 + columns)

    Examples
    --------
    >>> with_joined_id(pd.DataFrame({"store": [3], "day": [1], "y": [0]}), "store_day", ["store", "day"]).iloc[0, 0]
    '3|1'
    """
    return pd.concat([_join(frame, parts).rename(id), frame], axis=1)


def _join(frame: pd.DataFrame, parts: Sequence[str]) -> pd.Series:
    joined = frame[parts[0]].astype(str)
    for part in parts[1:]:
        joined = joined + "|" + frame[part].astype(str)
    return joined
