"""Fixed folds from a competition's splitter: the same rows for every model and every seed."""

from __future__ import annotations

import copy
import warnings

import pandas as pd
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

from kpipe.core.values import Folds, Splitter
from kpipe.errors import DataError, UsageError
from kpipe.problem.problem import Problem

__all__ = ["make_folds"]


def make_folds(problem: Problem, *, seed: int = 0, n_folds: int | None = None) -> Folds:
    """Fixed folds from the problem's splitter: the same rows for every model and seed.

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
        If a class or the table is too small for so many folds.
    UsageError
        If the splitter's number of folds is fixed, or ``n_folds`` is below 2.
    """
    splitter = _configured(problem.splitter, seed=seed, n_folds=n_folds)
    train = problem.tables.train
    y = train[problem.targets[0]]
    groups = None if problem.groups is None else train[problem.groups]
    # Splitters that partition the rows; others draw or repeat rows, and their number says nothing about a class.
    one = problem.task == "classification" and len(problem.targets) == 1
    chosen = n_folds is not None or "splitter" not in problem.reasons  # a user or an author chose how many folds
    if one and chosen and isinstance(splitter, KFold | StratifiedKFold | StratifiedGroupKFold):
        _check_class_sizes(y, splitter.n_splits)
    labels = y.astype(str) if problem.task == "classification" else y
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of rare classes, which the checks speak of
            pairs = list(splitter.split(train, labels.to_numpy(), groups))
    except ValueError as error:
        raise DataError(f"train.csv cannot be split by {splitter!r}: {error}. Try another --folds N.") from error
    refit = bool(getattr(splitter, "refit", False))
    return Folds(train=tuple(train for train, _ in pairs), valid=tuple(valid for _, valid in pairs), refit=refit)


def _configured(splitter: Splitter, *, seed: int, n_folds: int | None) -> Splitter:
    configured = copy.copy(splitter)
    if n_folds is not None:
        if not hasattr(configured, "n_splits"):
            raise UsageError(f"--folds {n_folds} does not fit: the competition's {splitter!r} has a fixed number.")
        if n_folds < 2:
            raise UsageError(f"--folds must be at least 2, however: {n_folds}.")
        configured.n_splits = n_folds
    if getattr(configured, "shuffle", False):
        configured.random_state = seed  # type: ignore[attr-defined]  # scikit-learn's splitters that shuffle have it
    return configured


def _check_class_sizes(y: pd.Series, n_folds: int) -> None:
    counts = y.value_counts()
    label, rows = counts.index[-1], int(counts.iloc[-1])
    if rows < n_folds:
        remedy = f"Use --folds {rows}" if rows > 1 else "Remove that row"
        raise DataError(
            f"train.csv: class {str(label)!r} of {y.name!r} has {rows} row{'s' * (rows > 1)}, fewer than the {n_folds} "
            f"folds: a fold would validate a class it never saw. {remedy}, or merge the class with another."
        )
