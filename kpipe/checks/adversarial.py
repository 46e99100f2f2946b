"""Adversarial validation: whether a classifier can distinguish test rows from train rows.

If it can, the folds, which are drawn from train alone, say less about test rows than the standard error of their score
claims.

References
----------
Zygmuntz, "Adversarial validation", FastML, 2016, https://fastml.com/adversarial-validation-part-one/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from kpipe.checks.folds import times_continue
from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import list_names
from kpipe.core.values import Folds
from kpipe.data.column_types import is_pixel_table, to_codes
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "adversarial_auc", "adversarial_validation"]

_CELLS = 400_000  # of both tables together, at most: about a second
_ROWS = 3_000  # of each table, at most
_MIN_ROWS = 60  # of the smaller table, below which there is no result
_FOLDS = 3
_MISSING = -1e300
_PERMUTED, _NAMED = 12, 3  # columns that are permuted, those most predictive by themselves, and named
_MIN_LOSS = 0.03  # of the AUC, by the permutation of a column that is named
# AUC, and standard errors above 0.5, from which train and test count as distinguishable.
_MAX_AUC, _SIGNIFICANT = 0.6, 3


def adversarial_validation(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Whether a classifier distinguishes test rows from train rows; nothing for small tables and for images.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    train, test = problem.tables.train, problem.tables.test
    used, by = list(problem.columns), problem.groups
    # Dates that continue in test, and groups, are expected to differ; other checks say whether folds respect that.
    columns = [column for column in used if column != by and not times_continue(train[column], test[column])]
    if not columns or is_pixel_table(train[columns]):
        return
    groups = [] if by is None or by not in test.columns else [train[by], test[by]]
    found = adversarial_auc(train[columns], test[columns], groups=groups)
    if found is None:
        return
    auc, error, important = found
    detail = f"A classifier separates test rows from train rows with an AUC of {auc:.2f} (0.5: indistinguishable)."
    if len(columns) < len(used):
        compared = set(columns)
        others = list_names([column for column in used if column not in compared])
        detail += f" Not compared: {others}, which continue in test."
    if auc <= max(_MAX_AUC, 0.5 + _SIGNIFICANT * error):
        yield "pass", detail
        return
    last = adversarial_auc(train[columns].iloc[folds.train[-1]], train[columns].iloc[folds.valid[-1]])
    if last is not None and last[0] > auc - _SIGNIFICANT * max(error, last[1]):
        yield (
            "pass",
            f"{detail} In the last fold, validation rows differ as much from training rows ({last[0]:.2f}).",
        )
        return
    cause = f" What differs most: {', '.join(important)}." if important else " No single column explains it."
    yield (
        "warn",
        f"{detail}{cause} Find the cause (such as a unit, a placeholder or a spelling) and convert it in clean, or "
        "validate on rows like those of test (--split).",
    )


def adversarial_auc(
    train: pd.DataFrame, test: pd.DataFrame, *, groups: Sequence[pd.Series] = ()
) -> tuple[float, float, list[str]] | None:
    """The cross-validated AUC of a classifier that distinguishes test rows from train rows.

    Parameters
    ----------
    train, test : DataFrame
        The same columns.
    groups : sequence of Series
        The groups of train and those of test, which the folds keep together; empty for folds by row.

    Returns
    -------
    tuple of (float, float, list of str) or None
        The AUC, which is 0.5 for tables from the same distribution and 1 if each row shows its table; its standard
        error if there is no difference; and the columns without which the AUC falls most, at most three, best first.
        None for small tables, and for so few groups that a fold would be fitted on rows of one table only.
    """
    rows = min(_ROWS, max(_MIN_ROWS, _CELLS // max(2 * train.shape[1], 1)))
    rng = np.random.default_rng(0)
    picks = [np.sort(rng.permutation(len(frame))[:rows]) for frame in (train, test)]
    if min(map(len, picks)) < _MIN_ROWS:
        return None
    both = to_codes(pd.concat([frame.iloc[pick] for frame, pick in zip((train, test), picks, strict=True)]))
    label = np.repeat([0, 1], [len(pick) for pick in picks])
    group = None
    if len(groups) == 2:
        group = pd.concat([g.iloc[pick].astype(str) for g, pick in zip(groups, picks, strict=True)]).to_numpy()
    folds = _make_folds(label, group)
    if not folds:
        return None
    sizes = np.bincount(label)
    # Hanley and McNeil 1982, at an AUC of one half: the standard error of the rank sum.
    error = float(np.sqrt((sizes.sum() + 1) / (12 * sizes[0] * sizes[1])))
    auc = float(roc_auc_score(label, _predict(both, label, folds)))
    return auc, error, _important_columns(both, label, folds) if auc > 0.5 + 2 * error else []


def _booster() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, min_samples_leaf=20, early_stopping=False, random_state=0
    )


def _predict(both: pd.DataFrame, label: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """(n,) out-of-fold probabilities of being a test row."""
    # Below all values: the booster refuses columns that are missing in all rows of a fold.
    X = both.fillna(_MISSING).to_numpy()
    with threadpool_limits(1):  # on a busy machine more threads wait for each other, ten times as long
        return np.asarray(cross_val_predict(_booster(), X, label, cv=folds, method="predict_proba")[:, 1])


def _make_folds(label: np.ndarray, group: np.ndarray | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training, validation) rows of each fold, groups together; none if a fold would train on one table only."""
    if group is None:
        return list(StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(label, label))
    if len(np.unique(group)) < _FOLDS:
        return []
    folds = list(GroupKFold(_FOLDS, shuffle=True, random_state=0).split(label, groups=group))
    return folds if all(0 < label[fitted].mean() < 1 for fitted, _ in folds) else []


def _important_columns(both: pd.DataFrame, label: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> list[str]:
    """The columns, at most three, whose permutation in held-out rows costs the classifier most of its AUC.

    Columns with the same information can replace each other, so they are permuted one after another, and stay permuted.
    """
    X, (fitted, held) = both.fillna(_MISSING).to_numpy(copy=True), folds[0]
    found: list[str] = []
    rng = np.random.default_rng(0)
    with threadpool_limits(1):
        booster = _booster().fit(X[fitted], label[fitted])
        rows, truth = X[held].copy(), label[held]
        strength = [abs(float(roc_auc_score(label, X[:, column])) - 0.5) for column in range(X.shape[1])]
        candidates = [int(column) for column in np.argsort(strength)[::-1][:_PERMUTED]]
        now = float(roc_auc_score(truth, booster.predict_proba(rows)[:, 1]))
        while candidates and len(found) < _NAMED:
            scores = {}
            for column in candidates:
                kept = rows[:, column].copy()
                rows[:, column] = rng.permutation(kept)
                scores[column] = float(roc_auc_score(truth, booster.predict_proba(rows)[:, 1]))
                rows[:, column] = kept
            best = min(scores, key=lambda column: scores[column])
            if now - scores[best] < _MIN_LOSS:
                break
            rows[:, best] = rng.permutation(rows[:, best])
            found.append(str(both.columns[best]))
            candidates.remove(best)
            now = scores[best]
    return found


TABLE_CHECKS = (TableCheck("adversarial validation", adversarial_validation),)
