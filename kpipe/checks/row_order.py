"""Whether the id of a row, or its place in the file, tells the target."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from kpipe.checks.target_leakage import ranked
from kpipe.core.values import Check
from kpipe.data.column_types import to_numeric
from kpipe.problem.problem import Problem
from kpipe.problem.splitters import ByTime

__all__ = ["order_blind"]

_ORDERED = 20_000  # rows whose order is looked at
_FOLDS, _MOST_CLASSES = 4, 50
# A column numbers the rows where it has so many numbers per row at the most, and such a rank correlation with the file.
_DENSE, _IN_ORDER = 10.0, 0.95


def order_blind(problem: Problem) -> Check:
    """Whether the id, or the number of a row in the file, tells the target."""
    name = "row-order leakage"
    rows = np.sort(np.random.default_rng(0).permutation(len(problem.tables.train))[:_ORDERED])
    y = problem.tables.train[problem.targets[0]].iloc[rows]
    orders = dict(_orders(problem, problem.tables.train))
    seen = [column for column in orders if column in (problem.columns)]
    said = []
    for what, order in orders.items():
        told = _told_by_order(order[rows].astype(np.float64), y, labels=problem.task == "classification")
        if told is not None:
            said.append((what in seen, *told, what))
    if not said:
        return Check(name=name, status="pass", detail="Neither the id nor the order of the rows tells the target.")
    in_model, scattered, blocks, measure, surely, what = max(said)
    detail = (
        f"{what} alone tells {y.name}: {measure} {scattered:.2f} on rows scattered among those it was fitted on, "
        f"{blocks:.2f} on blocks of rows of their own."
    )
    grouped = problem.groups is not None or isinstance(problem.splitter, ByTime)
    if in_model:
        detail += f" A model that sees it learns the file and not the world: --drop {quote(str(what))}."
        return Check(name=name, status="fail" if surely else "warn", detail=detail)
    if grouped:
        return Check(name=name, status="pass", detail=f"{detail} The folds are not by row.")
    detail += " Rows near each other are alike: validate on groups or later rows (--split), or see how train was made."
    return Check(name=name, status="warn", detail=detail)


def _orders(problem: Problem, train: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    yield "the number of the row", np.arange(len(train))
    for column in train.columns:
        if column == problem.id or (column in (problem.columns) and _numbers_rows(train[column])):
            numbers = _number_in(train[column])
            if numbers is not None:
                yield str(column), numbers


def _numbers_rows(column: pd.Series) -> bool:
    """Whether whole numbers count the rows: each its own, dense, and nearly in order. A population is none of these."""
    if not pd.api.types.is_integer_dtype(column) or not column.is_unique or len(column) < 2:
        return False
    numbers = column.to_numpy(dtype=np.float64)
    along = abs(float(np.corrcoef(ranked(numbers), np.arange(len(numbers)))[0, 1]))
    return bool(np.ptp(numbers) <= _DENSE * len(numbers) and along >= _IN_ORDER)


def _number_in(column: pd.Series) -> np.ndarray | None:
    numbers = to_numeric(column)
    if numbers is None:
        digits = column.astype(str).str.extract(r"(\d+)", expand=False)
        numbers = pd.to_numeric(digits, errors="coerce").to_numpy(dtype=np.float64)
    return None if np.isnan(numbers).any() else numbers


def _told_by_order(order: np.ndarray, y: pd.Series, *, labels: bool) -> tuple[float, float, str, bool] | None:
    """(score on scattered rows, on blocks, what the score is, whether it is near perfect); None: it tells nothing."""
    X = np.column_stack([order, *[order % number for number in (2, 3, 5, 7, 10)]])
    n = len(X)
    if n < 100 or y.nunique() < 2:  # of the rows looked at all may be of one class
        return None
    leaf = max(10, n // 40)
    if labels:
        classes, names = pd.factorize(y, sort=True)
        if len(names) > _MOST_CLASSES:
            return None
        tree = DecisionTreeClassifier(min_samples_leaf=leaf, random_state=0)
    else:
        tree = DecisionTreeRegressor(min_samples_leaf=leaf, random_state=0)
    target = classes if labels else ranked(y.to_numpy(dtype=np.float64))
    by_row, by_block = KFold(_FOLDS, shuffle=True, random_state=0), KFold(_FOLDS)
    scattered = _score(tree, X, target, by_row)
    least = 0.5 + 0.1 if labels else 0.05
    # Five standard errors of an AUC of one half (Hanley and McNeil 1982), of the rarest class; three of an R² of 0.
    rarest = np.bincount(classes).min() if labels else 0
    error = 5 * np.sqrt((1 / rarest + 1 / (n - rarest)) / 12) if labels else 3 / np.sqrt(n)
    if scattered < max(least, 0.5 * labels + error):
        return None
    return scattered, _score(tree, X, target, by_block), "AUC" if labels else "R²", scattered > 0.98


def _score(tree: DecisionTreeClassifier | DecisionTreeRegressor, X: np.ndarray, y: np.ndarray, cv: KFold) -> float:
    """AUC of the classes (their mean, each against the rest), or the share of variance that is explained."""
    if isinstance(tree, DecisionTreeRegressor):
        told = np.empty(len(X))
        for train, valid in cv.split(X):
            told[valid] = tree.fit(X[train], y[train]).predict(X[valid])
        return 1 - float(((y - told) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    chance = np.zeros((len(X), int(y.max()) + 1))
    for train, valid in cv.split(X):
        tree.fit(X[train], y[train])
        chance[np.ix_(valid, tree.classes_)] = tree.predict_proba(X[valid])
    aucs = [float(roc_auc_score(y == kind, chance[:, kind])) for kind in np.unique(y)]
    return float(np.mean(aucs))
