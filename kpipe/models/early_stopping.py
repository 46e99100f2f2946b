"""Gradient boosting with the number of trees chosen by inner cross-validation.

The best number of trees lies between 30 and 3,000, depending on the table. ``fit`` chooses it on a part of its own
training rows, so that the validation rows of the outer fold do not influence the choice. On small tables the number is
the mean over several inner splits, as many as it takes to be certain enough, and the model is refitted on all rows. On
large tables the model of the single inner split is kept: the tenth of the rows that it lacks costs less than a second
fit.

If the time limit of a fit (``kpipe.core.time_limit``) is too short for the trees that a low learning rate needs, fewer
trees with a higher rate are grown. If the machine becomes slower later, growing stops just before the fit would be
stopped, and the model of the first inner split is kept.

Each boosting library has a module with a ``BoostingLibrary`` that trains it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils.validation import check_is_fitted

from kpipe.core.time_limit import Steps, TimeLimit, current_limit
from kpipe.models.boosting_library import BoostingLibrary, Rows
from kpipe.models.growth import Growth, TreeSchedule, growth_until_stopped, require_useful

__all__ = ["MAX_TREES", "PATIENCE", "Adaptive", "EarlyStoppedClassifier", "EarlyStoppedRegressor"]

MAX_TREES = 3000  # the most that early stopping may choose
PATIENCE = 60  # trees without an improvement after which growing stops

_SMALL = 16_000  # rows times classes up to which several inner splits are used,
# unless their counts of trees are certain enough. Smaller tables have noisy counts, and quick fits.
_SETTLED, _SETTLED_ROWS = 600, 1_000  # trees of the first split of which some more or fewer change little
_CERTAIN, _CERTAIN_ROWS = 0.15, 2_000  # standard error of the mean of the counts, relative to the mean
_MIN_COUNTS = 3  # of which a standard error is believed
_REFITTED = 90_000  # rows times classes up to which the model is refitted on all rows
_LARGE = 50_000  # rows times classes from which trees learn faster
_HUGE = 1_000_000  # rows times classes from which trees are few and learn faster still
_HUGE_TREES = 1000

# Under a time limit: cells times classes from which trees are timed; the share of the time that a fit may take if other
# models wait, and otherwise; learning rate times trees that a fit needs (17 on synthetic data like forest cover).
_MEASURED_CELLS = 1_000_000
_SHARE, _SHARE_OF_LAST = 0.35, 0.8
_LEARNED = 20.0
_FASTEST, _MIN_TREES = 0.3, 20

# Recorded after the trees of a fit that had no time to grow them on all rows.
_FIRST_SPLIT: Steps = (1, 1)

Adaptive = Literal["learning_rate", "n_estimators", "num_leaves"]


class _Known(NamedTuple):
    """The trees of a fit that is repeated: planned, grown, and whether the time was up before all rows were used."""

    planned: int
    grown: int
    stopped: bool


def _pop_repeated(limit: TimeLimit) -> _Known | None:
    if not limit.repeated or limit.repeated[0][0] < _MIN_TREES:  # of another part of the fit
        return None
    planned, grown = limit.repeated.pop(0)
    stopped = limit.repeated[:1] == [_FIRST_SPLIT]
    if stopped:
        limit.repeated.pop(0)
    return _Known(planned, grown, stopped)


class _EarlyStopped(BaseEstimator):
    """Base of the classifier and the regressor: choose the number of trees on inner splits, then fit."""

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        library: BoostingLibrary,
        early_stopping: bool = True,
        adaptive: tuple[Adaptive, ...] = (),
        patience: int = PATIENCE,
        random_state: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.library = library
        self.early_stopping = early_stopping
        self.adaptive = adaptive
        self.patience = patience
        self.random_state = random_state

    def _fit(self, X: pd.DataFrame, y: np.ndarray) -> None:
        X = self.library.prepare(X)
        self.n_features_in_ = X.shape[1]
        self.trees_: int | None = None
        self.loss_curve_, self.validation_loss_curve_ = np.empty(0), np.empty(0)
        if self.early_stopping:
            self._fit_early_stopped(Rows(X, y))
        else:
            self._fit_given(Rows(X, y))
            self.loss_curve_ = self.library.training_losses(self.estimator_)

    @property
    def keeps_time_limit(self) -> bool:
        """Whether a fit is guaranteed to end within a time limit: a given number of trees is shortened."""
        return not self.early_stopping

    def _fit_given(self, rows: Rows) -> None:
        """Grow the estimator's own number of trees, or as many as the fit has time for."""
        estimator, limit = clone(self.estimator), current_limit()
        trees = estimator.get_params().get(self.library.trees)
        if limit is None or not isinstance(trees, int):
            self.estimator_ = self.library.fit(estimator, *rows)
            return
        schedule = TreeSchedule(limit, trees, len(rows.y))
        planned, growth = schedule.repeats(), schedule.growth()
        if planned is None:
            self.estimator_ = self.library.fit(estimator, *rows, growth)
            if growth.pace is not None:
                name = "predict_proba" if isinstance(self, ClassifierMixin) else "predict"
                predict = getattr(self.estimator_, name)
                planned = schedule.shorten(growth, lambda count: predict(rows.X.iloc[:count]))
                growth = schedule.growth()
        if planned is not None:
            estimator = clone(self.estimator).set_params(**{self.library.trees: planned})
            self.estimator_ = self.library.fit(estimator, *rows, growth)
        schedule.note(growth)

    def _fit_early_stopped(self, rows: Rows) -> None:
        adapted, limit = self._adapt(rows.y), current_limit()
        known = None if limit is None else _pop_repeated(limit)
        planned = known.planned if known else self._planned_trees(adapted, rows)
        if planned < MAX_TREES:
            grown, stopped = self._fit_shortened(adapted, rows, planned, known)
        else:
            grown, stopped = self._fit_in_full(adapted, rows, known)
        if limit is not None:
            limit.note((max(planned, grown), grown), shortened=stopped or planned < MAX_TREES)
            if stopped:
                limit.note(_FIRST_SPLIT, shortened=True)

    def _fit_in_full(self, adapted: BaseEstimator, rows: Rows, known: _Known | None) -> tuple[int, bool]:
        """Choose the number of trees on inner splits, and grow it on all rows.

        Returns the trees of the first inner split and True where the time was up before: its model is kept.
        """
        fits, stopped = [], False
        for split in self._inner_splits(rows.y):
            growth = self._growth(rows) if known is None or not known.stopped else Growth(stop_after=known.grown)
            fits.append(self._fit_inner(adapted, rows, *split, growth))
            if stopped := growth.is_late or (known is not None and known.stopped):
                require_useful(growth, n_fits=len(fits))
            if stopped or _is_certain([trees for _, trees in fits], rows=len(rows.y)):
                break
        self.estimator_, self.trees_ = fits[0]
        self.validation_loss_curve_ = self.library.validation_losses(self.estimator_)
        if not stopped:
            self.trees_ = max(1, round(float(np.mean([trees for _, trees in fits]))))
            if self._work(rows.y) <= _REFITTED:
                stopped = not self._refit(adapted.set_params(**{self.library.trees: self.trees_}), rows)
        if not stopped:
            return MAX_TREES, False
        self.trees_ = fits[0][1]
        return len(self.validation_loss_curve_), True

    def _refit(self, adapted: BaseEstimator, rows: Rows) -> bool:
        """Fit on all rows; return whether there was time for it: if not, the model stays as it is."""
        growth = self._growth(rows)
        fitted = self.library.fit(adapted, *rows, growth)
        if not growth.is_late:
            self.estimator_ = fitted
        return not growth.is_late

    def _growth(self, rows: Rows) -> Growth:
        return growth_until_stopped(current_limit(), len(rows.y))

    def _planned_trees(self, adapted: BaseEstimator, rows: Rows) -> int:
        """The most trees; ``MAX_TREES`` where the fit has time for all that it needs.

        The measured time of a few trees shows how many can be grown. The learning rate depends on their number, so that
        a fit with little time learns fast instead of stopping halfway.
        """
        limit = current_limit()
        if limit is None or rows.X.size * self._work(rows.y) // len(rows.y) < _MEASURED_CELLS:
            return MAX_TREES
        if not {"learning_rate", "n_estimators"} <= {*self.adaptive}:
            return MAX_TREES
        seconds = self.library.seconds_per_tree(adapted, rows)
        left, alone = (limit.seconds_left(shortened=shortened) for shortened in (False, True))
        left *= _SHARE if alone < left else _SHARE_OF_LAST
        n_fits = self._n_inner(rows.y) + (self._work(rows.y) <= _REFITTED)
        if seconds * n_fits * _LEARNED / adapted.get_params()["learning_rate"] <= left:
            return MAX_TREES
        return int(np.clip(left / (min(n_fits, 2) * seconds), _MIN_TREES, MAX_TREES - 1))

    def _fit_shortened(
        self, adapted: BaseEstimator, rows: Rows, planned: int, known: _Known | None
    ) -> tuple[int, bool]:
        """Grow at most ``planned`` trees, at a rate for which they suffice; one inner split decides when to stop.

        Returns the number of trees, and whether the time was up before they were grown on all rows.
        """
        rate = max(adapted.get_params()["learning_rate"], min(_LEARNED / planned, _FASTEST))
        adapted.set_params(learning_rate=rate, n_estimators=planned)
        train, valid = next(self._inner_splits(rows.y))
        of_split = Rows(rows.X.iloc[train], rows.y[train])
        if known is None:
            growth = self._growth(rows)
            self.estimator_, grown = self._fit_inner(adapted, rows, train, valid, growth)
            self.validation_loss_curve_ = self.library.validation_losses(self.estimator_)
            stopped = growth.is_late
            if stopped:
                require_useful(growth)
        else:
            grown, stopped = known.grown, known.stopped
        adapted.set_params(n_estimators=grown)
        if not stopped and self._work(rows.y) <= _REFITTED:
            stopped = not self._refit(adapted, rows)
        elif known is not None:
            self.estimator_ = self.library.fit(adapted, *of_split)
        self.trees_ = grown
        return grown, stopped

    def _fit_inner(
        self, adapted: BaseEstimator, rows: Rows, train: np.ndarray, valid: np.ndarray, growth: Growth
    ) -> tuple[BaseEstimator, int]:
        """An estimator fitted on the inner training rows, and its best number of trees on the inner validation rows."""
        estimator = clone(adapted)
        parts = (Rows(rows.X.iloc[part], rows.y[part]) for part in (train, valid))
        return estimator, self.library.fit_early_stopped(estimator, *parts, patience=self.patience, growth=growth)

    def _adapt(self, y: np.ndarray) -> BaseEstimator:
        """A clone of the estimator whose adaptive parameters follow the size of the table."""
        estimator = clone(self.estimator)
        huge = self._work(y) >= _HUGE
        slowest = 0.1 if huge else 0.06 if self._work(y) >= _LARGE else 0.0
        params = self.library.params_by_size(len(y))
        params["learning_rate"] = max(slowest, estimator.get_params().get("learning_rate") or 0.0)
        params["n_estimators"] = _HUGE_TREES if huge else MAX_TREES
        return estimator.set_params(**{name: value for name, value in params.items() if name in self.adaptive})

    def _inner_splits(self, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Inner pairs of (train, valid) rows; the rows of a class that is too rare to be split are only trained on."""
        small = self._n_inner(y) > 1
        folds = 5 if small else 10
        classes = isinstance(self, ClassifierMixin)
        common = np.bincount(y)[y] >= folds if classes else np.ones(len(y), dtype=bool)
        rows, rare = np.flatnonzero(common), np.flatnonzero(~common)
        if len(rows) < folds:
            yield np.arange(len(y)), np.arange(len(y))
            return
        splitter = (StratifiedKFold if classes else KFold)(folds, shuffle=True, random_state=self.random_state)
        for number, (train, valid) in enumerate(splitter.split(rows, y[rows])):
            yield np.concatenate([rows[train], rare]), rows[valid]
            if number == 0 and not small:
                return

    def _n_inner(self, y: np.ndarray) -> int:
        """The number of inner splits."""
        return 5 if self._work(y) <= _SMALL else 1

    def _work(self, y: np.ndarray) -> int:
        """Rows, times the classes for which each round grows a tree."""
        classes = int(y.max()) + 1 if isinstance(self, ClassifierMixin) else 1
        return len(y) * (classes if classes > 2 else 1)


def _is_certain(counts: Sequence[int], *, rows: int) -> bool:
    """Whether the inner splits so far tell the number of trees well enough (docs/decisions/0007-any-competition.md)."""
    if counts[0] >= _SETTLED and rows >= _SETTLED_ROWS:
        return True
    if len(counts) < _MIN_COUNTS or rows < _CERTAIN_ROWS:
        return False
    return float(np.std(counts, ddof=1)) / math.sqrt(len(counts)) <= _CERTAIN * float(np.mean(counts))


class EarlyStoppedClassifier(ClassifierMixin, _EarlyStopped):
    """A boosting library's classifier with the number of trees chosen by inner cross-validation.

    Parameters
    ----------
    estimator : estimator
        An estimator of LightGBM, XGBoost or CatBoost.
    library : BoostingLibrary
        How the estimator is trained.
    early_stopping : bool, default=True
        Whether ``fit`` chooses the number of trees; otherwise, the estimator's own number is grown.
    adaptive : tuple of str, default=()
        Parameters of the estimator that early stopping may adapt to the size of the table: those that the user left
        at their defaults.
    patience : int, default=60
        Trees without an improvement after which growing stops.
    random_state : int or None, default=None
        Seed of the inner splits.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels of any type, sorted.
    estimator_ : estimator
        The fitted one.
    trees_ : int or None
        The number that was chosen; None without early stopping.
    loss_curve_, validation_loss_curve_ : ndarray of shape (trees,)
        Loss on the training rows and on the inner validation rows; empty where the library keeps none.
    """

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Choose the number of trees, and fit.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            As ``NativeCategories`` returns it.
        y : array-like of shape (n,)
            Labels. With a single class nothing is fitted, and that class is predicted.

        Returns
        -------
        self
            The fitted classifier.
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if len(self.classes_) > 1:
            self._fit(X, codes)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, k)
            Float64, columns as in ``classes_``.
        """
        check_is_fitted(self)
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        return np.asarray(self.estimator_.predict_proba(self.library.prepare(X)), dtype=np.float64)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """The most probable labels.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Labels of the type that ``fit`` got.
        """
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class EarlyStoppedRegressor(RegressorMixin, _EarlyStopped):
    """A boosting library's regressor with the number of trees chosen by inner cross-validation.

    Parameters and attributes are those of ``EarlyStoppedClassifier``, without ``classes_``.
    """

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Choose the number of trees, and fit.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            As ``NativeCategories`` returns it.
        y : array-like of shape (n,)
            Values.

        Returns
        -------
        self
            The fitted regressor.
        """
        self._fit(X, np.asarray(y, dtype=np.float64))
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Predicted values.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Float64.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(self.library.prepare(X)), dtype=np.float64)
