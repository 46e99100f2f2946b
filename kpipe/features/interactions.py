"""Find numbers that act as categories, and pairs of columns that interact, on a sample of a large table.

Some effects take trees many splits: a level for each value of a number, or for each cell of two categories. Target
statistics express them in one feature. All columns and pairs would be too many features, so the candidates are screened
by how much of the residuals of a small boosted model they explain. In a wide table, only the columns that explain most
by themselves are paired.

References
----------
Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", 2001: fitting residuals.
Lou, Caruana, Gehrke and Hooker, "Accurate Intelligible Models with Pairwise Interactions", 2013: pairs are ranked by
what they explain of the residuals.
Bien, Taylor and Tibshirani, "A Lasso for Hierarchical Interactions", 2013: columns that interact seldom have no main
effects.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

__all__ = ["Interaction", "category_codes", "find_interactions"]

Interaction = tuple[Hashable, ...]  # one column of numbers, or two columns, whose values are read as categories

_SAMPLED = 120_000  # rows that are screened
_DISTINCT = (12, 2_000)  # distinct values of a number that may be a category
_MIN_PER_CELL = 20  # rows of the sample per cell of a pair
_SIGNIFICANT = 5.0  # standard errors; hundreds of candidates are compared
_MAXIMUM = 12
_MAX_PAIRED = 40  # columns, hence 780 pairs: each takes some milliseconds
_PRIOR = 20.0  # rows at zero that are added to each category's mean residual
_MAX_CLASSES = 10


def find_interactions(X: pd.DataFrame, y: np.ndarray, *, random_state: int) -> list[Interaction]:
    """Find numeric columns and pairs of columns that, as categories, explain the residuals of a small boosted model.

    Parameters
    ----------
    X : DataFrame of shape (n, columns)
        Numbers and labels.
    y : ndarray of shape (n,)
        Float values or class codes.
    random_state : int
        Seed of the sample and its halves.

    Returns
    -------
    list of tuple
        At most twelve, those that explain most first; names of one column or of two.
    """
    classes = 2 if y.dtype.kind == "f" else len(np.unique(y))
    if not len(X.columns) or y.ndim > 1 or not 2 <= classes <= _MAX_CLASSES:
        return []
    draw = np.random.default_rng(random_state)
    rows = np.sort(draw.permutation(len(X))[:_SAMPLED])
    codes: dict[Hashable, np.ndarray] = {
        name: pd.factorize(X[name].iloc[rows], use_na_sentinel=False)[0] for name in X.columns
    }
    n_distinct = {name: int(column.max()) + 1 for name, column in codes.items()}
    half = draw.permutation(len(rows)) % 2 == 0
    screen = _Screen(_residuals(_to_numbers(X.iloc[rows], codes), y[rows], half), half)
    numbers = [name for name in X.columns if pd.api.types.is_numeric_dtype(X[name])]
    found = screen.select([(name,) for name in numbers if _DISTINCT[0] <= n_distinct[name] <= _DISTINCT[1]], codes)
    labels = [
        name for name in X.columns if n_distinct[name] <= _DISTINCT[1] and (name not in numbers or (name,) in found)
    ]
    for name in labels:  # main effects are not interactions
        screen.subtract(codes[name])
    small: list[Hashable] = [name for name in X.columns if n_distinct[name] <= len(rows) // (2 * _MIN_PER_CELL)]
    if len(small) > _MAX_PAIRED:
        small = _Screen(_centre(y[rows]), half).best(small, codes, _MAX_PAIRED)
    most = len(rows) // _MIN_PER_CELL
    pairs = [(one, other) for one, other in combinations(small, 2) if n_distinct[one] * n_distinct[other] <= most]
    return [*found, *screen.select(pairs, codes)][:_MAXIMUM]


def category_codes(X: pd.DataFrame, interactions: Sequence[Interaction]) -> pd.DataFrame:
    """Return a column of integers for each interaction: equal where its columns hold equal values.

    Parameters
    ----------
    X : DataFrame of shape (n, columns)
        Numbers and labels.
    interactions : sequence of tuple
        As ``find_interactions`` returns them.

    Returns
    -------
    DataFrame of shape (n, interactions)
        Hashes of the values, int64: the same in every table.
    """
    hashes = {name: _hash(X[name]) for interaction in interactions for name in interaction}
    columns = {}
    for interaction in interactions:
        code = hashes[interaction[0]].copy()
        for name in interaction[1:]:
            code = code * np.uint64(1_000_003) + hashes[name]
        columns[" x ".join(map(str, interaction))] = code.view(np.int64)
    return pd.DataFrame(columns, index=X.index)


def _hash(column: pd.Series) -> np.ndarray:
    numeric = pd.api.types.is_numeric_dtype(column)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan) if numeric else column.astype(object).to_numpy()
    hashed: np.ndarray = pd.util.hash_array(values + 0.0 if numeric else values)  # + 0.0: -0.0 equals 0.0
    return hashed


def _to_numbers(X: pd.DataFrame, codes: dict[Hashable, np.ndarray]) -> np.ndarray:
    """The columns as numbers for a boosted model: labels as their codes."""
    numeric = {name: pd.api.types.is_numeric_dtype(X[name]) for name in X.columns}
    columns = [X[n].to_numpy(np.float64, na_value=np.nan) if numeric[n] else codes[n].astype(float) for n in X.columns]
    return np.column_stack(columns)


def _centre(y: np.ndarray) -> np.ndarray:
    """(n, outputs) the target, or whether a row is of each class, minus its mean."""
    values = y[:, None] if y.dtype.kind == "f" else (y[:, None] == np.unique(y)).astype(float)
    centred: np.ndarray = values - values.mean(axis=0)
    return centred


def _residuals(X: np.ndarray, y: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(n, outputs) residuals of a small boosted model that is fitted on the other half of the rows."""
    empty = np.any([np.isnan(X[part]).all(axis=0) for part in (half, ~half)], axis=0)
    X[:, empty] = 0.0  # the boosters refuse a column that is missing in all rows
    settings = {"max_iter": 40, "learning_rate": 0.2, "max_leaf_nodes": 15, "early_stopping": False, "random_state": 0}
    if y.dtype.kind == "f":
        residuals = np.empty((len(y), 1))
        for part in (half, ~half):
            model = HistGradientBoostingRegressor(**settings).fit(X[~part], y[~part])
            residuals[part, 0] = y[part] - model.predict(X[part])
        return residuals
    classes = np.unique(y)
    residuals = (y[:, None] == classes).astype(float)
    for part in (half, ~half):
        classifier = HistGradientBoostingClassifier(**settings).fit(X[~part], y[~part])
        known = classifier.classes_  # of a single class, predict_proba gives two columns
        residuals[np.ix_(part, np.isin(classes, known))] -= classifier.predict_proba(X[part])[:, : len(known)]
    return residuals[:, 1:] if len(classes) == 2 else residuals


class _Screen:
    """Residuals on two halves of the rows, and how much of one half a category learned on the other half explains."""

    def __init__(self, residuals: np.ndarray, half: np.ndarray) -> None:
        self.residuals = residuals
        self.half = half

    def select(self, candidates: Sequence[Interaction], codes: dict[Hashable, np.ndarray]) -> list[Interaction]:
        """Select the candidates that explain residuals beyond chance, the best first; subtract what each explains."""
        remaining, taken = list(candidates), list[Interaction]()
        while remaining and len(taken) < _MAXIMUM:
            # The codes of all pairs together would take gigabytes.
            gains = {candidate: self._gain(_join_codes(candidate, codes)) for candidate in remaining}
            remaining = [candidate for candidate in remaining if gains[candidate][1] > _SIGNIFICANT]
            if remaining:
                best = max(remaining, key=lambda candidate: gains[candidate][0])
                remaining.remove(best)
                self.subtract(_join_codes(best, codes))
                taken.append(best)
        return taken

    def best(self, names: Sequence[Hashable], codes: dict[Hashable, np.ndarray], most: int) -> list[Hashable]:
        """The columns that explain most of the residuals, in the order of the table."""
        gains = np.array([self._gain(codes[name])[0] for name in names])
        return [names[place] for place in np.sort(np.argsort(-gains, kind="stable")[:most])]

    def subtract(self, code: np.ndarray) -> None:
        """Subtract each category's mean residual over both halves: the noise of cross-fitted means would add up."""
        self.residuals = self.residuals - _category_means(code, self.residuals, code)

    def _gain(self, code: np.ndarray) -> tuple[float, float]:
        """By how much a category lowers a row's squared residuals on average, and the same in standard errors."""
        effects = self._effects(code)
        explained = (self.residuals**2 - (self.residuals - effects) ** 2).sum(axis=1)
        mean, spread = explained.mean(), explained.std()
        return float(mean), float(mean * np.sqrt(len(explained)) / spread) if spread > 0 else 0.0

    def _effects(self, code: np.ndarray) -> np.ndarray:
        """(n, outputs) the mean residual of each row's category in the other half of the rows."""
        effects = np.empty_like(self.residuals)
        for part in (self.half, ~self.half):
            effects[part] = _category_means(code[~part], self.residuals[~part], code[part])
        return effects


def _category_means(code: np.ndarray, residuals: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(wanted, outputs) the mean residual of each category, shrunk to zero."""
    count = int(max(code.max(), wanted.max())) + 1
    counts = np.bincount(code, minlength=count) + _PRIOR
    sums = [np.bincount(code, column, minlength=count) for column in residuals.T]
    means: np.ndarray = np.column_stack(sums)[wanted] / counts[wanted, None]
    return means


def _join_codes(names: Interaction, codes: dict[Hashable, np.ndarray]) -> np.ndarray:
    """One code for each combination of values of one or two columns."""
    one, *others = (codes[name] for name in names)
    joined: np.ndarray = one * (others[0].max() + 1) + others[0] if others else one
    return joined
