"""A sample of the columns of a wide table, so that checking it takes no longer than checking other tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from kpipe.problem.problem import Problem

__all__ = ["describe_sample", "sample_columns"]

_COLUMNS = 1_000  # checked in a run, which takes about 2.5 s
_RELATED = 100  # of these, the most correlated with the target: a copy of the target must not be missed
_ROWS, _AT_A_TIME = 2_000, 10_000  # rows from which correlations are computed, and columns in memory at a time
_TARGETS = 10  # targets that are used, and classes of a target up to which each class is used


def sample_columns(problem: Problem) -> Problem:
    """The problem with a sample of its columns if it has more than 1,000 besides the id, the targets and the groups.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Problem
        The same object if it has fewer columns.
    """
    tables, kept = problem.tables, {problem.id, problem.groups, *problem.targets}
    others = [column for column in tables.train.columns if column not in kept]
    if len(others) <= _COLUMNS:
        return problem
    used = set(problem.columns)
    relation = np.nan_to_num(_relation(tables.train, others, problem.y))
    order = np.random.default_rng(0).permutation(len(others))
    # Columns that models use come first.
    order = order[np.argsort([others[place] not in used for place in order], kind="stable")]
    related = np.argsort(-relation, kind="stable")[:_RELATED]
    chosen = set([*related, *order[~np.isin(order, related)]][:_COLUMNS])
    kept |= {column for place, column in enumerate(others) if place in chosen}
    train, test = (frame[[c for c in frame.columns if c in kept]] for frame in (tables.train, tables.test))
    columns = tuple(column for column in problem.columns if column in kept)
    return replace(problem, tables=replace(tables, train=train, test=test), columns=columns)


def describe_sample(problem: Problem, sample: Problem) -> str:
    """Describe in a sentence which columns were checked.

    Parameters
    ----------
    problem, sample : Problem
        With all columns, and with a sample of them.

    Returns
    -------
    str
    """
    return (
        f"Only {sample.tables.train.shape[1]:,} of {problem.tables.train.shape[1]:,} columns were checked, those most "
        f"correlated with the target and others drawn at random; `kpipe check {problem.slug}` checks all."
    )


def _relation(train: pd.DataFrame, columns: Sequence[str], y: np.ndarray) -> np.ndarray:
    """(columns,) the greatest absolute correlation of each column of numbers with a target or class; 0 for others."""
    rows = np.sort(np.random.default_rng(0).permutation(len(train))[:_ROWS])
    goals = _standardize(np.column_stack(list(_goals(y[rows]))))
    is_number = np.array([pd.api.types.is_numeric_dtype(dtype) for dtype in train[list(columns)].dtypes])
    relation, places = np.zeros(len(columns)), np.flatnonzero(is_number)
    for start in range(0, len(places), _AT_A_TIME):
        some = places[start : start + _AT_A_TIME]
        part = train[[columns[place] for place in some]].iloc[rows]
        values = _standardize(part.to_numpy(dtype=np.float64, na_value=np.nan))
        relation[some] = np.abs(goals.T @ values).max(axis=0)
    return relation


def _goals(y: np.ndarray) -> Iterator[np.ndarray]:
    """Yield each target, and indicators of its classes if there are few."""
    for target in y.reshape(len(y), -1).T[:_TARGETS]:
        yield target.astype(np.float64)
        classes = np.unique(target)
        yield from (np.asarray(target == one, dtype=np.float64) for one in classes if 2 < len(classes) <= _TARGETS)


def _standardize(values: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and length 1; missing values become 0, and so do constant columns."""
    missing = ~np.isfinite(values)
    values = np.where(missing, 0.0, values)
    values -= values.sum(axis=0) / np.maximum((~missing).sum(axis=0), 1)
    values[missing] = 0.0
    lengths = np.sqrt((values**2).sum(axis=0))
    return np.asarray(values / np.where(lengths > 0, lengths, 1.0))
