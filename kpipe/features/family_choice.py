"""Select the families of features that lower the loss on inner validation rows.

The training rows of a fold are split again. The candidates of each family are selected on one part, and small LightGBM
models with and without them are compared on the other part, row by row. A family is kept if it lowers the loss by more
than 3.5 standard errors of the paired difference. The validation rows of the fold are not used.

Where folds are by group or by time, so are the inner splits. The standard error is then that of a mean over groups or
times, whose rows are not independent, and a family must lower the loss in every inner split.

References
----------
Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", 2017.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold

from kpipe.features.encoders import NativeCategories
from kpipe.features.families import FAMILIES, Candidate, Family

__all__ = ["Choice", "Splits", "choose_families"]

_LOG = logging.getLogger(__name__)

_CELLS = 3_000_000  # rows times columns times classes, at most, on which families are compared
_SAMPLED = (60_000, 120_000)  # rows times classes: a third of the table, but at least and at most these
_MINIMUM = 1_000  # rows; fewer are not informative enough
_SIGNIFICANT = 3.5  # standard errors; at 3.1, a fold of s3e2 kept target statistics that were 2 worse on other rows
_TIMES_THE_FIRST = 7  # how much longer the comparisons on an inner split take than its first model
_MAXIMUM = 16  # candidates of a family
_FOLDS = 3
_ONE_SPLIT = 30_000  # rows from which one inner split is enough
_SETTINGS: dict[str, Any] = {
    "learning_rate": 0.15,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.5,
    "min_data_in_leaf": 20,
    "lambda_l2": 1.0,
    "seed": 0,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 0,  # as many threads as the fit may use
}
_SMALL_TREES = 10_000  # rows up to which trees have 15 leaves, and 31 above
_PATIENCE, _MAX_TREES = 12, 150
_SCREENED = 20_000  # rows times classes on which the candidates of a family are ranked
_SCREENING_TREES = 40

Pair = tuple[np.ndarray, np.ndarray]


class Splits(Protocol):
    """Inner splits by group or by time."""

    def split(self, X: pd.DataFrame) -> Sequence[Pair]:
        """Return pairs of training and validation rows; none if the rows cannot be split."""

    def blocks(self, X: pd.DataFrame) -> np.ndarray:
        """Return a number from 0 for the group or time of each row."""


class Choice(NamedTuple):
    """A family that was kept.

    Parameters
    ----------
    candidates : list of tuple
        The most important ones first.
    gain, standard_error : float
        By how much the family lowers the mean loss of inner validation rows, in addition to the families kept before.
    """

    candidates: list[Candidate]
    gain: float
    standard_error: float


def choose_families(
    make_features: Callable[[], Any],
    X: pd.DataFrame,
    y: np.ndarray,
    *,
    families: Iterable[str] = tuple(FAMILIES),
    random_state: int,
    splits: Splits | None = None,
    least: float = _SIGNIFICANT,
    seconds: float = math.inf,
) -> dict[str, Choice] | None:
    """Select the families that lower the loss, and their candidates.

    Parameters
    ----------
    make_features : callable
        Returns an unfitted ``AutomaticFeatures`` without families.
    X : DataFrame of shape (n, columns)
        The fitting rows of a fold.
    y : ndarray of shape (n,)
        Float values or class codes.
    families : iterable of str
        Names of the families to try, each in addition to those that were kept before.
    random_state : int
        Seed of the sample and the inner splits.
    splits : Splits or None, default=None
        Splits the rows by group or by time; None splits them at random.
    least : float, default=3.5
        By how many standard errors the loss must fall.
    seconds : float
        Time limit of the choice, whose duration is estimated from its first model.

    Returns
    -------
    dict or None
        Name of each family that is kept → its choice, in the order of ``families``; None if there is too little time.
    """
    rows = _sample(y, X.shape[1], random_state)
    if len(rows) < _MINIMUM:
        return {}
    X, y = X.iloc[rows], y[rows] if y.dtype.kind == "f" else np.unique(y[rows], return_inverse=True)[1]
    pairs = [*(_inner_splits(y, random_state) if splits is None else _known_classes(splits.split(X), y))]
    if not pairs:
        return {}
    blocks = np.arange(len(X)) if splits is None else splits.blocks(X)
    start = time.monotonic()
    tried = [_Split(make_features(), X, y, blocks, *pairs[0])]
    if _TIMES_THE_FIRST * len(pairs) * (time.monotonic() - start) > seconds:
        return None
    kept: dict[str, Choice] = {}
    for name in families:
        first = tried[0].try_out(FAMILIES[name], random_state)
        if first is None or first.gains.sum() <= min(0.0, least):  # most families end here
            continue
        tried += [_Split(make_features(), X, y, blocks, *pair) for pair in pairs[len(tried) :]]
        trials = [first, *filter(None, (split.try_out(FAMILIES[name], random_state) for split in tried[1:]))]
        choice = _summary(trials)
        _LOG.info("%s: loss %+.5f, standard error %.5f", name, -choice.gain, choice.standard_error)
        everywhere = splits is None or all(trial.gains.sum() > 0 for trial in trials)
        if len(trials) == len(tried) and everywhere and choice.gain > least * choice.standard_error:
            kept[name] = choice
            for split, trial in zip(tried, trials, strict=True):
                split.keep(trial)
    return kept


def _summary(trials: Sequence[_Trial]) -> Choice:
    gains, blocks = (np.concatenate([getattr(trial, name) for trial in trials]) for name in ("gains", "blocks"))
    importance = sum((Counter(trial.importance) for trial in trials), Counter[Candidate]())
    candidates = [candidate for candidate, _ in importance.most_common(_MAXIMUM)]
    return Choice(candidates, float(gains.mean()), _standard_error(gains, blocks))


def _standard_error(gains: np.ndarray, blocks: np.ndarray) -> float:
    """The standard error of the mean of gains that are independent between blocks of rows only."""
    of_blocks = np.bincount(blocks, gains - gains.mean())
    return float(np.sqrt((of_blocks**2).sum()) / len(gains))


def _sample(y: np.ndarray, n_columns: int, random_state: int) -> np.ndarray:
    """Rows on which families are compared; none for a target with several columns or a single class."""
    if y.ndim > 1:
        return np.arange(0)
    rows, n_models = np.arange(len(y)), 1
    if y.dtype.kind != "f":
        _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
        common = counts >= 2 * _FOLDS
        rows = np.flatnonzero(common[codes])
        n_models = _n_models(int(common.sum()))
        if common.sum() < 2:
            return rows[:0]
    most = min(int(np.clip(len(rows) // 3, *_SAMPLED)), _CELLS // n_columns) // n_models
    return np.sort(np.random.default_rng(random_state).permutation(rows)[:most])


def _inner_splits(y: np.ndarray, random_state: int) -> Iterator[Pair]:
    splitter = (KFold if y.dtype.kind == "f" else StratifiedKFold)(_FOLDS, shuffle=True, random_state=random_state)
    return islice(splitter.split(y, y), 1 if len(y) >= _ONE_SPLIT else _FOLDS)


def _known_classes(pairs: Iterable[Pair], y: np.ndarray) -> Iterator[Pair]:
    """The pairs without validation rows whose class no training row has."""
    for train, valid in pairs:
        known = valid if y.dtype.kind == "f" else valid[np.isin(y[valid], y[train])]
        if len(train) and len(known):
            yield train, known


def _n_models(n_classes: int) -> int:
    """Trees of each boosting round."""
    return n_classes if n_classes > 2 else 1


class _Trial(NamedTuple):
    """A family on an inner split: its features, their importance, and by how much they lower each row's loss."""

    train: np.ndarray
    valid: np.ndarray
    importance: Mapping[Candidate, float]
    losses: np.ndarray
    gains: np.ndarray
    blocks: np.ndarray


class _Split:
    """The features of an inner split, and the losses of a small model on its validation rows."""

    def __init__(
        self,
        features: Any,
        X: pd.DataFrame,
        y: np.ndarray,
        blocks: np.ndarray,
        train: np.ndarray,
        valid: np.ndarray,
    ) -> None:
        self.y_train, self.y_valid, self.blocks = y[train], y[valid], blocks[valid]
        self.n_classes = 0 if y.dtype.kind == "f" else int(y.max()) + 1
        base = features.fit_transform(X.iloc[train], self.y_train)
        encoder = NativeCategories().fit(base)
        encoded = encoder.transform(base)
        self.categorical = [place for place, dtype in enumerate(encoded.dtypes) if dtype == "category"]
        self.train = _to_array(encoded)
        self.valid = _to_array(encoder.transform(features.transform(X.iloc[valid])))
        importance, self.losses = self._fit(self.train, self.valid)
        weights = Counter(dict(zip(map(str, base.columns), importance, strict=True)))
        self.source, self.source_valid = (features.source(X.iloc[rows]) for rows in (train, valid))
        self.important = sorted(self.source.columns, key=lambda name: -weights[str(name)])

    def try_out(self, family: type[Family], random_state: int) -> _Trial | None:
        """Compare the features so far with and without a family's best candidates; None if it has none."""
        candidates = family.propose(self.source, self.y_train, random_state=random_state, important=self.important)
        if len(candidates) > _MAXIMUM:
            candidates = self._strongest(family, candidates, random_state)
        fitted = family(candidates, random_state=random_state)
        train = fitted.fit_transform(self.source, self.y_train) if candidates else {}
        if not train:
            return None
        valid = fitted.transform(self.source_valid)
        trial_train = np.hstack([self.train, *(train[candidate] for candidate in candidates)])
        trial_valid = np.hstack([self.valid, *(valid[candidate] for candidate in candidates)])
        importance, losses = self._fit(trial_train, trial_valid)
        by_candidate = _importance(train, importance[self.train.shape[1] :])
        return _Trial(trial_train, trial_valid, by_candidate, losses, self.losses - losses, self.blocks)

    def keep(self, trial: _Trial) -> None:
        """Add the features of a trial, so that the next family is tried in addition to them."""
        self.train, self.valid, self.losses = trial.train, trial.valid, trial.losses

    def _strongest(self, family: type[Family], candidates: list[Candidate], random_state: int) -> list[Candidate]:
        """The most important candidates in a model of few trees on all candidates and the features so far."""
        most = _SCREENED // _n_models(self.n_classes)
        rows = np.sort(np.random.default_rng(random_state).permutation(len(self.y_train))[:most])
        y = self.y_train[rows]
        blocks = family(candidates, random_state=random_state).fit_transform(self.source.iloc[rows], y)
        model = self._train(np.hstack([self.train[rows], *blocks.values()]), y, _SCREENING_TREES, feature_fraction=0.3)
        found = _importance(blocks, model.feature_importance("gain")[self.train.shape[1] :])
        return sorted(found, key=lambda candidate: -found[candidate])[:_MAXIMUM]

    def _fit(self, train: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The importance of each feature, and the loss of each validation row.

        The number of trees for one half of the rows is chosen on the other half. Chosen on the same rows, it would
        favour more features.
        """
        from lightgbm import early_stopping, record_evaluation

        halves = [np.arange(half, len(valid), 2) for half in (0, 1)]
        curves: dict[str, dict[str, list[float]]] = {}
        model = self._train(
            train,
            self.y_train,
            _MAX_TREES,
            valid=[(valid[rows], self.y_valid[rows]) for rows in halves],
            callbacks=[early_stopping(_PATIENCE, verbose=False), record_evaluation(curves)],
        )
        best = [1 + int(np.argmin(next(iter(curve.values())))) for curve in curves.values()]
        losses = np.empty(len(valid))
        for rows, trees in zip(halves, reversed(best), strict=True):
            losses[rows] = self._losses(model.predict(valid[rows], num_iteration=trees), self.y_valid[rows])
        return model.feature_importance("gain"), losses

    def _train(
        self,
        X: np.ndarray,
        y: np.ndarray,
        trees: int,
        *,
        valid: Sequence[tuple[np.ndarray, np.ndarray]] = (),
        callbacks: Sequence[Callable[..., Any]] = (),
        **settings: Any,
    ) -> Any:
        from lightgbm import Dataset, train

        rows = Dataset(X, y, categorical_feature=self.categorical)
        leaves = 15 if len(y) < _SMALL_TREES else 31
        return train(
            {**_SETTINGS, **_objective(self.n_classes), "num_leaves": leaves, **settings},
            rows,
            num_boost_round=trees,
            valid_sets=[rows.create_valid(*pair) for pair in valid],
            callbacks=list(callbacks),
        )

    def _losses(self, predicted: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The squared error or the log loss of each row."""
        if not self.n_classes:
            return np.asarray((y - predicted) ** 2)
        of_class = predicted[np.arange(len(y)), y] if predicted.ndim > 1 else np.where(y == 1, predicted, 1 - predicted)
        return np.asarray(-np.log(np.maximum(of_class, 1e-15)))


def _objective(n_classes: int) -> dict[str, Any]:
    if n_classes > 2:
        return {"objective": "multiclass", "num_class": n_classes}
    return {"objective": "binary" if n_classes else "regression"}


def _importance(blocks: Mapping[Candidate, np.ndarray], gains: np.ndarray) -> dict[Candidate, float]:
    """The importance of each candidate: of all of its features together."""
    ends = np.cumsum([block.shape[1] for block in blocks.values()])
    return {one: float(part.sum()) for one, part in zip(blocks, np.split(gains, ends[:-1]), strict=True)}


def _to_array(frame: pd.DataFrame) -> np.ndarray:
    """Categories as codes, missing as NaN."""
    columns = [
        np.where(column.cat.codes < 0, np.nan, column.cat.codes) if column.dtype == "category" else column.to_numpy()
        for _, column in frame.items()
    ]
    return np.column_stack(columns).astype(np.float64)
