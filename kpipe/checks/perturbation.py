"""Altered copies of a competition's tables, for checks that test whether a change has a forbidden effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from kpipe.core.values import Folds, Tables
from kpipe.problem.competition import unchanged
from kpipe.problem.inference.spelling import adapt_tables, unify_spelling
from kpipe.problem.problem import Problem

__all__ = ["raw_targets", "replace_values", "rows_of_files", "sample_rows", "with_other_rows"]


def replace_values(
    frame: pd.DataFrame, columns: Iterable[object], rows: np.ndarray, *, of: pd.DataFrame
) -> pd.DataFrame:
    """A copy of a frame in which some columns have the values of other rows; dtypes stay.

    Parameters
    ----------
    frame : DataFrame
        n rows.
    columns : iterable of labels
        Columns to replace; those that ``of`` lacks stay as they are.
    rows : (n,) array of int
        The row of ``of`` from which each row takes its values, by position.
    of : DataFrame
        The frame to take values from.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    >>> replace_values(frame, ["b"], np.array([1, 0]), of=frame).to_dict("list")
    {'a': [1, 2], 'b': [4, 3]}
    """
    replaced = frame.copy()
    for name in columns:
        if name in of.columns:
            replaced[name] = of[name].iloc[rows].array
    return replaced


def raw_targets(problem: Problem) -> list[object]:
    """The target columns as the file spells them, without those that ``clean`` creates.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    list of labels
    """
    unified = unify_spelling(problem.competition, problem.files)[1].train.columns
    return [old for old, new in zip(problem.files.train.columns, unified, strict=True) if new in problem.targets]


def with_other_rows(problem: Problem, *, targets: np.ndarray, columns: np.ndarray) -> Problem | None:
    """The problem, cleaned again after rows of train took the targets and columns of other rows.

    Columns that are listed in ``transductive``, and groups that kpipe derived from ids, are not computed again: each
    row takes the value of the row whose columns it takes.

    Parameters
    ----------
    problem : Problem
    targets, columns : (n,) array of int
        The row of train from which each row takes its targets, and its other columns.

    Returns
    -------
    Problem or None
        None if rows cannot be matched, or if ``clean`` then drops other rows.
    """
    competition = problem.competition
    if (placed := rows_of_files(problem, problem.tables)) is None:
        return None
    if competition.clean is unchanged:
        return problem.with_tables(_alter(problem, problem.tables, targets=targets, columns=columns))
    of_file = [np.arange(len(problem.files.train)) for _ in range(2)]
    for rows, taken in zip(of_file, (targets, columns), strict=True):
        rows[placed["train"]] = placed["train"][taken]
    tables = competition.clean(_alter(problem, problem.files, targets=of_file[0], columns=of_file[1]))
    computed = {*tables.train.columns}
    _, tables = adapt_tables(competition, tables)
    ordered = _in_order(tables, rows_of_files(problem, tables), placed)
    if ordered is None:
        return None
    return problem.with_tables(_carry_over(problem, ordered, computed, targets=targets, columns=columns))


def _in_order(tables: Tables, now: Mapping[str, np.ndarray] | None, then: Mapping[str, np.ndarray]) -> Tables | None:
    """The tables with the rows of train in their former order; None if other rows are there."""
    if now is None or len(now["train"]) != len(then["train"]) or not np.array_equal(now["test"], then["test"]):
        return None
    if np.array_equal(now["train"], then["train"]):
        return tables
    order = pd.Index(now["train"]).get_indexer(then["train"])
    return None if (order < 0).any() else replace(tables, train=tables.train.iloc[order].reset_index(drop=True))


def _alter(problem: Problem, source: Tables, *, targets: np.ndarray, columns: np.ndarray) -> Tables:
    train = source.train.iloc[columns].reset_index(drop=True)
    train = replace_values(train, [problem.id], np.arange(len(train)), of=source.train)
    train = replace_values(train, raw_targets(replace(problem, files=source)), targets, of=source.train)
    return replace(source, train=train)


def _carry_over(
    problem: Problem, tables: Tables, computed: set[str], *, targets: np.ndarray, columns: np.ndarray
) -> Tables:
    """Replace in cleaned tables what may depend on all rows by what the original tables have."""
    original = problem.tables
    in_file = unify_spelling(problem.competition, problem.files)[1].train
    made_by_clean = [name for name in problem.targets if name not in in_file]
    train = replace_values(tables.train, made_by_clean, targets, of=original.train)
    counted = [name for name in original.train if name not in computed or name in problem.competition.transductive]
    counted = [name for name in counted if name not in (problem.id, *problem.targets)]
    train = replace_values(train, counted, columns, of=original.train)
    test = replace_values(tables.test, counted, np.arange(len(tables.test)), of=original.test)
    return replace(tables, train=train, test=test)


def rows_of_files(problem: Problem, tables: Tables) -> dict[str, np.ndarray] | None:
    """The row of the files that each row of cleaned tables comes from, by its id.

    Parameters
    ----------
    problem : Problem
    tables : Tables
        Cleaned tables.

    Returns
    -------
    dict of str to array of int, or None
        "train" and "test" to positions; None if rows cannot be matched.
    """
    id, unified = problem.id, unify_spelling(problem.competition, problem.files)[1]
    found = {}
    for name in ("train", "test"):
        raw, now = getattr(unified, name), getattr(tables, name)
        ids = [frame[id].reset_index(drop=True) for frame in (raw, now) if id in frame]
        if len(raw) == len(now) and (len(ids) < 2 or ids[0].equals(ids[1])):
            found[name] = np.arange(len(raw))
            continue
        if len(ids) < 2 or not all(each.is_unique for each in ids):
            return None
        found[name] = pd.Index(ids[0]).get_indexer(ids[1])
        if (found[name] < 0).any():
            return None
    return found


def sample_rows(problem: Problem, folds: Folds, *, train: int, test: int) -> tuple[Problem, Folds]:
    """The problem and its folds on a random sample of rows; on all rows if they cannot be matched with the files.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    train, test : int
        Number of rows to keep of each table, at most.

    Returns
    -------
    problem : Problem
    folds : Folds
    """
    if (placed := rows_of_files(problem, problem.tables)) is None:
        return problem, folds
    rng = np.random.default_rng(0)
    kept = [
        np.sort(rng.permutation(len(frame))[:most])
        for frame, most in ((problem.tables.train, train), (problem.tables.test, test))
    ]
    of_file = (placed[name][rows] for name, rows in zip(("train", "test"), kept, strict=True))
    smaller = replace(problem, files=_take(problem.files, *of_file))
    return smaller.with_tables(_take(problem.tables, *kept)), _take_folds(folds, kept[0])


def _take_folds(folds: Folds, rows: np.ndarray) -> Folds:
    """The folds of some rows of train, numbered anew; folds without training or validation rows are left out."""
    pairs = [
        (np.flatnonzero(np.isin(rows, fitted)), np.flatnonzero(np.isin(rows, held)))
        for fitted, held in zip(folds.train, folds.valid, strict=True)
    ]
    kept = [(fitted, held) for fitted, held in pairs if len(fitted) and len(held)]
    return replace(folds, train=tuple(fitted for fitted, _ in kept), valid=tuple(held for _, held in kept))


def _take(tables: Tables, train: np.ndarray, test: np.ndarray) -> Tables:
    return replace(
        tables,
        train=tables.train.iloc[train].reset_index(drop=True),
        test=tables.test.iloc[test].reset_index(drop=True),
    )
