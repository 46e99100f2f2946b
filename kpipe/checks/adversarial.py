"""Whether train and test were drawn alike: adversarial validation.

A classifier is asked to tell test rows from train rows. Where it can, the folds, which are drawn from train alone, say
less of the test rows than their standard error pretends.

References
----------
Zygmuntz, "Adversarial validation", FastML, 2016, https://fastml.com/adversarial-validation-part-one/.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from kpipe.data.column_types import to_numeric

__all__ = ["adversarial_auc"]

_CELLS = 400_000  # looked at, of both tables together: about a second
_ROWS = 3_000  # of each table at the most
_FEWEST = 60  # rows of the smaller table below which nothing is said
_FOLDS = 3
_GAP = -1e300


def adversarial_auc(
    train: pd.DataFrame, test: pd.DataFrame, *, groups: Sequence[pd.Series] = ()
) -> tuple[float, float, list[str]] | None:
    """(AUC, its standard error under no difference, the columns that tell most, best first).

    None for tiny tables, and where there are too few groups: each fold must be fitted on rows of both tables.

    train, test : the same columns. groups : one Series for train and one for test; a group is not parted by the folds.
    The AUC is cross-validated: 0.5 for tables drawn alike, 1 where each row shows which table it is from.
    No column is named where chance explains the AUC.
    """
    rows = min(_ROWS, max(_FEWEST, _CELLS // max(2 * train.shape[1], 1)))
    rng = np.random.default_rng(0)
    picks = [np.sort(rng.permutation(len(frame))[:rows]) for frame in (train, test)]
    if min(map(len, picks)) < _FEWEST:
        return None
    both = _numbers(pd.concat([frame.iloc[pick] for frame, pick in zip((train, test), picks, strict=True)]))
    label = np.repeat([0, 1], [len(pick) for pick in picks])
    parts = None
    if len(groups) == 2:
        parts = pd.concat([g.iloc[pick].astype(str) for g, pick in zip(groups, picks, strict=True)]).to_numpy()
    folds = _folds(label, parts)
    if not folds:
        return None
    booster = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, min_samples_leaf=20, early_stopping=False, random_state=0
    )
    # Below all values: where a fold is fitted on gaps alone, the booster's bins would be of no value, which it refuses.
    X = both.fillna(_GAP).to_numpy()
    with threadpool_limits(1):  # on a busy machine more threads wait for each other, ten times as long
        chance = cross_val_predict(booster, X, label, cv=folds, method="predict_proba")
    sizes = np.bincount(label)
    # Hanley and McNeil 1982, at an AUC of one half: the rank sum's standard error.
    error = float(np.sqrt((sizes.sum() + 1) / (12 * sizes[0] * sizes[1])))
    auc = float(roc_auc_score(label, chance[:, 1]))
    return auc, error, _telling(both, label) if auc > 0.5 + 2 * error else []


def _folds(label: np.ndarray, parts: np.ndarray | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """(fitted rows, held-out rows) of each fold, groups whole; none where a fold would be fitted on one table alone."""
    if parts is None:
        return list(StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(label, label))
    if len(np.unique(parts)) < _FOLDS:
        return []
    folds = list(GroupKFold(_FOLDS, shuffle=True, random_state=0).split(label, groups=parts))
    return folds if all(0 < label[fitted].mean() < 1 for fitted, _ in folds) else []


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as they are, dates as days, labels as codes, the most frequent first."""
    columns = {}
    for name in frame.columns:
        values = frame[name]
        if (numbers := to_numeric(values)) is not None:
            columns[str(name)] = numbers
        else:
            # By frequency, then by the alphabet: in the order in which they come, train's would all come first.
            counted = values.astype(object).value_counts().sort_index(key=lambda index: index.astype(str))
            levels = counted.sort_values(ascending=False, kind="stable").index
            columns[str(name)] = values.map(pd.Series(range(len(levels)), index=levels)).to_numpy(dtype=float)
    return pd.DataFrame(columns)


def _telling(both: pd.DataFrame, label: np.ndarray) -> list[str]:
    """The three columns that tell most by themselves: by their values, or by what is missing."""
    strength = {}
    for name in both.columns:
        values = both[name].to_numpy()
        gaps = np.isnan(values)
        by_gap = abs(float(roc_auc_score(label, gaps)) - 0.5) if gaps.any() and not gaps.all() else 0.0
        by_value = abs(float(roc_auc_score(label, np.where(gaps, -np.inf, values).clip(_GAP, -_GAP))) - 0.5)
        strength[name] = max(by_gap, by_value)
    return sorted(strength, key=lambda name: -strength[name])[:3]
