"""Whether the id of a row, or its position in the file, carries information about the target."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from kpipe.checks.folds import numbers_continue, time_values
from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import scaled_ranks
from kpipe.core.values import Folds
from kpipe.data.column_types import to_numeric
from kpipe.problem.blocks import time_column
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "row_order_leakage"]

_ROWS = 20_000  # that are used, at most
_MIN_ROWS = 100
_FOLDS, _MAX_CLASSES = 4, 50
# A column numbers the rows if its range is at most so many times the number of rows, and its rank correlation with the
# row number is at least so much.
_MAX_RANGE, _MIN_CORRELATION = 10.0, 0.95
_PERFECT = 0.98  # score from which the check fails for a column that models use
_ROW_NUMBER = "the row number"
_USED = "Models that use it learn the order of the file, which does not carry over to test. Drop it"


class _Score(NamedTuple):
    """How well an order of the rows predicts the target, with random and with contiguous validation rows."""

    random: float
    contiguous: float
    measure: str
    perfect: bool


def row_order_leakage(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Check whether the id, the row number, or a column that numbers the rows predicts the target.

    Where rows of test lie between those of train, the similarity of neighbours helps to predict test as well.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    train = problem.tables.train
    rows = np.sort(np.random.default_rng(0).permutation(len(train))[:_ROWS])
    y = train[problem.targets[0]].iloc[rows]
    found, between = [], ""
    for name, order in _orders(problem, train):
        if name == problem.groups and (mixed := _neighbouring_groups(problem, folds, order)) is not None:
            yield "warn", mixed
            return
        score = _score_order(order[rows].astype(np.float64), y, classification=problem.task == "classification")
        if score is not None and _test_lies_between(problem, name, order):
            between = f" By {'the id' if name == _ROW_NUMBER else name}, rows of test lie between those of train."
        elif score is not None:
            found.append((name in problem.columns, score, name, order))
    if not found:
        carries = "tells more than it does for test." if between else "carries information about the target."
        yield "pass", f"Neither the id nor the order of the rows {carries}{between}"
        return
    yield _explain_order(problem, folds, *max(found, key=lambda one: one[:3]))


def _explain_order(
    problem: Problem, folds: Folds, used_by_models: bool, score: _Score, name: str, order: np.ndarray
) -> Finding:
    """The finding for an order that predicts the target, and what to do about it."""
    subject = "The row number" if name == _ROW_NUMBER else name
    detail = (
        f"{subject} alone predicts {problem.targets[0]}: {score.measure} {score.random:.2f} on randomly chosen "
        f"validation rows, {score.contiguous:.2f} on contiguous blocks of them."
    )
    times = problem.tables.train[name] if name != _ROW_NUMBER else None
    is_time = times is not None and time_values(times) is not None
    numbers_rows = used_by_models and times is not None and not is_time and _numbers_rows(times)
    if numbers_rows and score.perfect and not _are_blocks(order, folds):
        return "fail", f"{detail} {_USED} (--drop {quote(name)})."
    if problem.groups is not None or time_column(problem.splitter) is not None or _are_blocks(order, folds):
        return "pass", f"{detail} The folds are by group or by time, so the score is not too optimistic."
    if name != _ROW_NUMBER and (is_time or _row_number_continues(problem, name)):
        later = "" if is_time else f"By {name}, test comes after train, as by a time. "
        return (
            "warn",
            f"{detail} {later}Times near each other are similar, and folds by row mix them: use folds that "
            f"mirror how test lies in train (--split {quote(name)}).",
        )
    if used_by_models:
        return "warn", f"{detail} {_USED} (--drop {quote(name)})."
    advice = (
        "Neighbouring rows are similar: validate on groups or later rows (--split), or find out how train was made."
    )
    return "warn", f"{detail} {advice}"


def _neighbouring_groups(problem: Problem, folds: Folds, order: np.ndarray) -> str | None:
    """What is wrong if groups are times: test has later ones, neighbours are similar, and folds mix them."""
    name = str(problem.groups)
    one_each = np.unique(order, return_index=True)[1]
    if name == problem.id or not _row_number_continues(problem, name) or _are_blocks(order, folds, one_each):
        return None
    y = problem.tables.train[problem.targets[0]]
    numbers = y if problem.task == "regression" else pd.Series(y == y.mode().iloc[0], index=y.index)
    means = numbers.astype(np.float64).groupby(order).mean()
    score = _score_order(means.index.to_numpy(dtype=np.float64), means, classification=False)
    if score is None:
        return None
    column = (
        repr(name) if problem.tables.train[name].dtype.kind in "iufMm" else "a column that clean makes of its number"
    )
    return (
        f"{name} alone predicts the mean of {y.name} of groups that are not in training: R² {score.random:.2f}. By "
        f"{name}, test comes after train, as by a time, and folds mix groups that are near each other, so the score "
        f"is too optimistic. Validate on later rows (splitter=ByTime, with {column})."
    )


def _test_lies_between(problem: Problem, name: str, order: np.ndarray) -> bool:
    """Whether rows of test lie between those of train by an order, as after a split by row of one ordered table.

    The id stands in for the row number if it has its order. A number that both tables have is no place between rows.
    """
    train, test = problem.tables.train, problem.tables.test
    if name == _ROW_NUMBER:
        ours = _to_numbers(train[problem.id]) if problem.id in train else None
        if ours is None or abs(np.corrcoef(scaled_ranks(ours), order)[0, 1]) < _MIN_CORRELATION:
            return False
        order, name = ours, problem.id
    theirs = _to_numbers(test[name]) if name in test else None
    if theirs is None or not len(theirs) or np.isin(theirs, order).any():
        return False
    of_test = np.repeat([False, True], [len(order), len(theirs)])
    return _is_mixed(of_test[np.argsort(np.concatenate([order, theirs]), kind="stable")])


def _are_blocks(order: np.ndarray, folds: Folds, some: np.ndarray | None = None) -> bool:
    """Whether the validation rows of each fold are stretches of the order, rather than scattered between others.

    some : the rows that are looked at, such as one of each group; None for all.
    """
    for fitted, held in zip(folds.train, folds.valid, strict=True):
        train, valid = (part if some is None else np.intersect1d(part, some) for part in (fitted, held))
        rows = np.concatenate([train, valid])
        validates = np.repeat([False, True], [len(train), len(valid)])
        if _is_mixed(validates[np.argsort(order[rows], kind="stable")]):
            return False
    return True


def _is_mixed(mask: np.ndarray) -> bool:
    """Whether there are at least half as many runs of equal values as in a random order (Wald and Wolfowitz 1940)."""
    ones = int(mask.sum())
    expected = 2 * ones * (len(mask) - ones) / max(len(mask), 1)
    return bool(np.count_nonzero(mask[1:] != mask[:-1]) >= 0.5 * expected > 0)


def _orders(problem: Problem, train: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """The name and (n,) values of each order of the rows."""
    yield _ROW_NUMBER, np.arange(len(train))
    for column in train.columns:
        counts = column in problem.columns and (_numbers_rows(train[column]) or _row_number_continues(problem, column))
        if column in (problem.id, problem.groups) or counts:
            numbers = _to_numbers(train[column])
            if numbers is not None:
                yield str(column), numbers


def _row_number_continues(problem: Problem, name: object) -> bool:
    """Whether test goes on where train ends, up or down, as by days since a start or days that are left.

    A single value in all rows of test is a placeholder.
    """
    if name not in problem.tables.test or problem.tables.test[name].nunique() < 2:
        return False
    train, test = problem.tables.train[name], problem.tables.test[name]
    if name == problem.groups and train.dtype.kind not in "iufMm":  # a code may hold the number
        train, test = (pd.Series(_to_numbers(column), dtype="float64") for column in (train, test))
    return numbers_continue(train, test) or (
        train.dtype.kind in "if" and test.dtype.kind in "if" and numbers_continue(-train, -test)
    )


def _numbers_rows(column: pd.Series) -> bool:
    """Whether whole numbers number the rows: unique, dense, and nearly in order. A population is none of these."""
    if not pd.api.types.is_integer_dtype(column) or not column.is_unique or len(column) < 2:
        return False
    numbers = column.to_numpy(dtype=np.float64)
    correlation = abs(float(np.corrcoef(scaled_ranks(numbers), np.arange(len(numbers)))[0, 1]))
    return bool(np.ptp(numbers) <= _MAX_RANGE * len(numbers) and correlation >= _MIN_CORRELATION)


def _to_numbers(column: pd.Series) -> np.ndarray | None:
    """The numbers of a column, or the first digits in its texts; None if a row has none."""
    numbers = to_numeric(column)
    if numbers is None:
        digits = column.astype(str).str.extract(r"(\d+)", expand=False)
        numbers = pd.to_numeric(digits, errors="coerce").to_numpy(dtype=np.float64)
    return None if np.isnan(numbers).any() else numbers


def _score_order(order: np.ndarray, y: pd.Series, *, classification: bool) -> _Score | None:
    """The scores of a decision tree on an order and its remainders; None if they are not better than chance."""
    X = np.column_stack([order, *[order % number for number in (2, 3, 5, 7, 10)]])
    n = len(X)
    if n < _MIN_ROWS or y.nunique() < 2:  # a sample may be of one class
        return None
    if classification:
        return _score_classes(X, y)
    tree = DecisionTreeRegressor(min_samples_leaf=max(10, n // 40), random_state=0)
    ranks = scaled_ranks(y.to_numpy(dtype=np.float64))
    random = _r2(tree, X, ranks, KFold(_FOLDS, shuffle=True, random_state=0))
    if random < max(0.05, 3 / np.sqrt(n)):  # three standard errors of an R² of 0
        return None
    return _Score(random, _r2(tree, X, ranks, KFold(_FOLDS)), "R²", random > _PERFECT)


def _score_classes(X: np.ndarray, y: pd.Series) -> _Score | None:
    n = len(X)
    classes, names = pd.factorize(y, sort=True)
    if len(names) > _MAX_CLASSES:
        return None
    tree = DecisionTreeClassifier(min_samples_leaf=max(10, n // 40), random_state=0)
    random = _auc(tree, X, classes, KFold(_FOLDS, shuffle=True, random_state=0))
    # Five standard errors of an AUC of one half (Hanley and McNeil 1982), for the rarest class.
    rarest = np.bincount(classes).min()
    error = 5 * np.sqrt((1 / rarest + 1 / (n - rarest)) / 12)
    if random < max(0.6, 0.5 + error):
        return None
    return _Score(random, _auc(tree, X, classes, KFold(_FOLDS)), "AUC", random > _PERFECT)


def _r2(tree: DecisionTreeRegressor, X: np.ndarray, y: np.ndarray, cv: KFold) -> float:
    """Share of variance that out-of-fold predictions explain."""
    predictions = np.empty(len(X))
    for train, valid in cv.split(X):
        predictions[valid] = tree.fit(X[train], y[train]).predict(X[valid])
    return 1 - float(((y - predictions) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def _auc(tree: DecisionTreeClassifier, X: np.ndarray, y: np.ndarray, cv: KFold) -> float:
    """Mean AUC of the classes, each against the rest, of out-of-fold predictions."""
    probabilities = np.zeros((len(X), int(y.max()) + 1))
    for train, valid in cv.split(X):
        tree.fit(X[train], y[train])
        probabilities[np.ix_(valid, tree.classes_)] = tree.predict_proba(X[valid])
    return float(np.mean([float(roc_auc_score(y == label, probabilities[:, label])) for label in np.unique(y)]))


TABLE_CHECKS = (TableCheck("row-order leakage", row_order_leakage),)
