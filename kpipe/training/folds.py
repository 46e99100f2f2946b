"""Fixed folds from a competition's splitter: the same rows for every model and every seed."""

from __future__ import annotations

import copy
import warnings

import pandas as pd
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

from kpipe.core.values import Folds, Splitter, Tables
from kpipe.errors import DataError, UsageError
from kpipe.problem.competition import Competition

__all__ = ["make_folds"]


def make_folds(competition: Competition, tables: Tables, *, seed: int = 0, n_folds: int | None = None) -> Folds:
    """Fixed folds from the competition's splitter: the same rows for every model and seed.

    seed : for splitters that shuffle.
    n_folds : instead of the splitter's own number.
    Raises DataError where a class or the table is too small, UsageError where the splitter's number of folds is fixed.
    """
    assert competition.splitter is not None
    splitter = _configured(competition.splitter, seed=seed, n_folds=n_folds)
    y = tables.train[competition.targets[0]]
    groups = None if competition.groups is None else tables.train[competition.groups]
    # Those of scikit-learn that part the rows; others draw or repeat, and their number says nothing about a class.
    one = competition.task == "classification" and len(competition.targets) == 1
    own = n_folds is not None or "splitter" not in competition.inferred  # somebody chose how many folds there are
    if one and own and isinstance(splitter, KFold | StratifiedKFold | StratifiedGroupKFold):
        _check_class_sizes(y, splitter.n_splits)
    labels = y.astype(str) if competition.task == "classification" else y
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of rare classes, which the checks speak of
            pairs = list(splitter.split(tables.train, labels.to_numpy(), groups))
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
