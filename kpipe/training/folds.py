"""Fixed folds, the same rows for every model and every seed, and how they are stored.

Folds are stored as a table of (fold, row, role), because a fold number per row cannot describe the training rows of a
time split. A fourth column, ``refit``, is written only if models for the test rows are fitted on all rows.
"""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from kpipe.core.values import Folds, Splitter
from kpipe.errors import DataError, UsageError
from kpipe.problem.problem import Problem

__all__ = ["folds_from_frame", "folds_to_frame", "make_folds", "more_folds", "note_on_folds", "same_rows"]

_ROLES = ("train", "valid")
# With this many rows, two folds validate at least 80,000, which is enough for a score; models need the time more.
_MANY_ROWS, _FEW_FOLDS = 200_000, 2
_PARTITIONS = (KFold, StratifiedKFold, GroupKFold, StratifiedGroupKFold)
# The folds of a run with much time for its table. Models that train on 7 of 8 parts of the rows instead of 4 of 5 are
# better where a table has little noise, and nowhere worse (docs/decisions/0007-any-competition.md).
_MORE_FOLDS = 8
# Cells times classes for each second and parallel fit, beyond the first seconds. Twice as many still leave time for
# the first models only, for which eight folds were better as well.
_CELLS_PER_SECOND, _FIRST_SECONDS = 4_500, 60


def make_folds(problem: Problem, *, seed: int = 0, n_folds: int | None = None) -> Folds:
    """Return fixed folds from the problem's splitter: the same rows for every model and seed.

    For tables of 200,000 rows or more, only the first two folds are used, unless the user or the competition sets the
    number of folds.

    Parameters
    ----------
    problem : Problem
    seed : int
        For splitters that shuffle.
    n_folds : int, optional
        Number of folds; by default the splitter's own.

    Returns
    -------
    Folds

    Raises
    ------
    DataError
        If a class or the table has too few rows for the number of folds.
    UsageError
        If the splitter's number of folds is fixed, or ``n_folds`` is below 2.
    """
    splitter = _configured(problem.splitter, seed=seed, n_folds=n_folds)
    extra = problem.tables.extra
    train = problem.tables.train.iloc[: len(problem.tables.train) - extra]
    y = train[problem.targets[0]]
    groups = None if problem.groups is None else train[problem.groups]
    # Class sizes limit the number of folds only for splitters that partition the rows.
    one = problem.task == "classification" and len(problem.targets) == 1
    chosen = n_folds is not None or "splitter" not in problem.reasons  # the number of folds was chosen
    if one and chosen and isinstance(splitter, KFold | StratifiedKFold | StratifiedGroupKFold):
        _check_class_sizes(y, splitter.n_splits, by_author=n_folds is None)
    labels = y.astype(str) if problem.task == "classification" else y
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of rare classes, which the checks report
            pairs = list(splitter.split(train, labels.to_numpy(), groups))
    except ValueError as error:
        raise DataError(
            f"train.csv cannot be split by {splitter!r}: {error}. Try another --folds N.",
            code="cannot-split",
            file="train.csv",
        ) from error
    if not chosen and len(train) >= _MANY_ROWS and isinstance(splitter, _PARTITIONS):
        pairs = pairs[:_FEW_FOLDS]
    refit = bool(getattr(splitter, "refit", False))
    further = np.arange(len(train), len(train) + extra)  # rows of further training files are never validated
    return Folds(
        train=tuple(np.concatenate([rows, further]) if extra else rows for rows, _ in pairs),
        valid=tuple(valid for _, valid in pairs),
        refit=refit,
    )


def more_folds(problem: Problem, *, seconds: float) -> int | None:
    """Return the number of folds for a run with a budget, or None for the splitter's own.

    Inferred folds of independent rows are 8 instead of 5 if the time is long for the size of the table. Groups, times,
    pictures and texts keep their number.

    Parameters
    ----------
    problem : Problem
    seconds : float
        The budget, times the number of fits that run at a time.
    """
    inferred = "splitter" in problem.reasons
    if not (inferred and type(problem.splitter) in (KFold, StratifiedKFold) and problem.default[0] == "boosting"):
        return None
    rows, n_classes = len(problem.y), 1
    split = problem.tables.train.iloc[: rows - problem.tables.extra]  # rows of further files are never validated
    rarest = len(split)
    if problem.task == "classification" and len(problem.targets) == 1:
        counts = split[problem.targets[0]].value_counts()
        rarest, n_classes = counts.min(), len(counts) if len(counts) > 2 else 1
    if rarest < _MORE_FOLDS:
        return None
    cells = rows * len(problem.columns) * n_classes
    has_time = cells <= _CELLS_PER_SECOND * (seconds - _FIRST_SECONDS)
    return _MORE_FOLDS if has_time and rows < _MANY_ROWS else None


def note_on_folds(problem: Problem, folds: Folds, *, n_folds: int | None = None) -> tuple[str, ...]:
    """Return a message for the user if only some folds of a large table are used.

    Parameters
    ----------
    problem : Problem
    folds : Folds
        As ``make_folds`` returns them.
    n_folds : int, optional
        The number of folds that the user asked for.

    Returns
    -------
    tuple of str
        Empty if all folds are used, or as many as the user asked for.
    """
    possible, used = getattr(problem.splitter, "n_splits", 0), len(folds.train)
    rows = len(problem.y) - problem.tables.extra
    inferred = n_folds is None and "splitter" in problem.reasons and isinstance(problem.splitter, _PARTITIONS)
    if not (inferred and used == _FEW_FOLDS < possible and rows >= _MANY_ROWS):
        return ()
    validated = sum(map(len, folds.valid))
    return (
        f"{used} of {possible} folds are used, because train has {rows:,} rows: {validated:,} of them give "
        f"the score. Use all with --folds {possible}.",
    )


def folds_to_frame(folds: Folds) -> pd.DataFrame:
    """Return folds as a table, sorted by fold, role and row.

    Parameters
    ----------
    folds : Folds

    Returns
    -------
    DataFrame
        Columns ``fold`` (int64), ``row`` (int64) and ``role`` ("train" or "valid"); with ``folds.refit`` also
        ``refit`` (bool), true in every row.

    Examples
    --------
    >>> folds_to_frame(Folds(train=(np.array([0, 1]),), valid=(np.array([2]),))).to_dict("list")
    {'fold': [0, 0, 0], 'row': [0, 1, 2], 'role': ['train', 'train', 'valid']}
    """
    parts = [
        pd.DataFrame({"fold": fold, "row": np.sort(rows), "role": role})
        for fold, pair in enumerate(zip(folds.train, folds.valid, strict=True))
        for role, rows in zip(_ROLES, pair, strict=True)
    ]
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(refit=True) if folds.refit else frame


def folds_from_frame(frame: pd.DataFrame) -> Folds:
    """Return the folds of a table that ``folds_to_frame`` made.

    Parameters
    ----------
    frame : DataFrame
        From a run's folder, so it may hold anything. Without the column ``refit``, as earlier versions wrote every
        table, ``refit`` is False.

    Returns
    -------
    Folds
        Rows of each fold in the order of the table.

    Raises
    ------
    DataError
        If the table does not hold folds.
    """
    if fault := _fault(frame):
        raise DataError(f"The table does not hold folds: {fault}.", code="broken-run")
    rows = {key: part.to_numpy(dtype=np.int64) for key, part in frame.groupby(["fold", "role"])["row"]}
    numbers, nothing = range(int(frame["fold"].max()) + 1), np.arange(0)
    train, valid = (tuple(rows.get((fold, role), nothing) for fold in numbers) for role in _ROLES)
    return Folds(train=train, valid=valid, refit="refit" in frame and bool(frame["refit"].any()))


def same_rows(a: Folds, b: Folds) -> bool:
    """Return whether two sets of folds train and validate the same rows, in whatever order.

    Parameters
    ----------
    a, b : Folds
    """
    if len(a.train) != len(b.train):
        return False
    pairs = zip(a.train + a.valid, b.train + b.valid, strict=True)
    return all(np.array_equal(np.sort(one), np.sort(other)) for one, other in pairs)


def _fault(frame: pd.DataFrame) -> str:
    """Return why a table does not hold folds; empty if it does."""
    if missing := {"fold", "row", "role"} - {*frame.columns}:
        return f"it lacks the column {min(missing)!r}"
    if frame.empty:
        return "it has no rows"
    for name in ("fold", "row"):
        if frame[name].dtype.kind not in "iu" or frame[name].min() < 0:
            return f"{name!r} must hold whole numbers, at least 0"
    if not frame["role"].isin(_ROLES).all():
        return "'role' must be 'train' or 'valid'"
    if frame["fold"].nunique() <= frame["fold"].max():
        return "'fold' must count from 0 without gaps"
    return ""


def _configured(splitter: Splitter, *, seed: int, n_folds: int | None) -> Splitter:
    configured = copy.copy(splitter)
    if n_folds is not None:
        if not hasattr(configured, "n_splits"):
            raise UsageError(
                f"--folds {n_folds} is not possible: {splitter!r} of this competition has a fixed number of folds.",
                code="cannot-split",
            )
        if n_folds < 2:
            raise UsageError(f"--folds must be at least 2; got {n_folds}.", code="cannot-split")
        configured.n_splits = n_folds
    if getattr(configured, "shuffle", False):
        configured.random_state = seed  # type: ignore[attr-defined]  # scikit-learn's splitters that shuffle have it
    return configured


def _check_class_sizes(y: pd.Series, n_folds: int, *, by_author: bool) -> None:
    counts = y.value_counts()
    label, rows = counts.index[-1], int(counts.iloc[-1])
    if rows == 1 and not by_author:
        return  # no number of folds helps; a check names the class
    if rows < n_folds:
        remedy = f"Use --folds {rows}" if rows > 1 else "Remove that row"
        raise DataError(
            f"train.csv: class {str(label)!r} of {y.name!r} has {rows} row{'s' * (rows > 1)}, fewer than the {n_folds} "
            f"folds: a fold would validate a class that it never trained on. {remedy}, or merge the class with "
            "another.",
            code="cannot-split",
            file="train.csv",
            column=str(y.name),
        )
