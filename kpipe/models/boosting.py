"""Gradient-boosted trees: LightGBM, XGBoost and CatBoost.

LightGBM and XGBoost grow as many trees as inner splits ask for: how many are right lies between 30 and 3,000 from one
table to the next. They are counted inside ``fit``, on a part of the rows given to it: the rows of the fold that is
reported stand outside. Of small tables the count is the mean over several inner splits, and the model is fitted again
on all rows; a large table keeps the model that was counted with, for then the tenth of rows that it lacks costs less
than a second fit.

References
----------
Holzmüller et al., "Better by Default", 2024, https://arxiv.org/abs/2407.04491, tables C.3 to C.5: the tuned defaults of
the three libraries; ours learn more slowly with smaller trees, for Kaggle's small and noisy tables.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils.validation import check_is_fitted

from kpipe.core.packages import install_command
from kpipe.core.values import Context, Loss
from kpipe.errors import UsageError
from kpipe.features.encoders import NativeCategories, encoded, text_columns

__all__ = ["EarlyStoppedClassifier", "EarlyStoppedRegressor", "boosting", "catboost", "xgboost"]

_SMALL = 16_000  # rows times classes up to which trees are counted on several inner splits
_REFITTED = 90_000  # rows times classes up to which the model is fitted again on all rows
_HUGE = 1_000_000  # rows times classes from which trees are few and learn fast
_PATIENCE = 60  # trees without a gain until counting stops

_LIGHTGBM: dict[str, Any] = {
    "learning_rate": 0.03,
    "min_child_samples": 20,
    "subsample": 0.8,
    "subsample_freq": 1,
    "colsample_bytree": 0.6,
    "reg_lambda": 1.0,
    "cat_smooth": 10.0,
    "min_data_per_group": 10,
}
_XGBOOST: dict[str, Any] = {
    "learning_rate": 0.04,
    "max_depth": 5,
    "min_child_weight": 5,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "reg_lambda": 2.0,
    "max_cat_to_onehot": 10,
}
_CATBOOST: dict[str, Any] = {
    "depth": 6,
    "l2_leaf_reg": 4.0,
    "random_strength": 1.0,
    "bootstrap_type": "Bernoulli",
    "subsample": 0.8,
    "boosting_type": "Plain",
    "one_hot_max_size": 12,
    "max_ctr_complexity": 1,
}
_OBJECTIVES: dict[str, dict[Loss, str]] = {
    "lightgbm": {"squared": "regression", "absolute": "regression_l1", "poisson": "poisson"},
    "xgboost": {"squared": "reg:squarederror", "absolute": "reg:absoluteerror", "poisson": "count:poisson"},
    # Of counts CatBoost keeps the squared error: its Poisson loss learned more slowly, and a blend gains by two losses.
    "catboost": {"squared": "RMSE", "absolute": "MAE", "poisson": "RMSE"},
}


def boosting(context: Context, *, n_estimators: int | None = None, **options: Any) -> BaseEstimator:
    """LightGBM with few leaves and slow learning.

    n_estimators : trees; None: as many as an inner split asks for.
    options : LightGBM's own parameters.
    """
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind: Any = LGBMClassifier if context.task == "classification" else LGBMRegressor
    settings = _LIGHTGBM | _objective("lightgbm", context) | options
    # The same bytes at every run, whatever LightGBM measures as the faster layout of its histograms.
    fixed = {"n_jobs": context.threads, "deterministic": True, "force_row_wise": True, "verbosity": -1}
    estimator = kind(**settings, **fixed, n_estimators=n_estimators or 3000, random_state=context.seed)
    return _behind(context, estimator, "lightgbm", NativeCategories(), counted=n_estimators is None)


def xgboost(context: Context, *, n_estimators: int | None = None, **options: Any) -> BaseEstimator:
    """XGBoost's histogram trees, which split on categories themselves.

    n_estimators : trees; None: as many as an inner split asks for.
    options : XGBoost's own parameters.
    Raises UsageError where XGBoost is not installed.
    """
    try:
        from xgboost import XGBClassifier, XGBRegressor
    except ModuleNotFoundError as error:
        hint = install_command(extra="xgboost")
        raise UsageError(f"The model 'xgboost' needs a package that is not installed: {hint}.") from error

    kind = XGBClassifier if context.task == "classification" else XGBRegressor
    settings = _XGBOOST | _objective("xgboost", context) | options
    fixed = {"n_jobs": context.threads, "tree_method": "hist", "enable_categorical": True, "verbosity": 0}
    device = "cuda" if context.device == "cuda" else "cpu"
    estimator = kind(**settings, **fixed, n_estimators=n_estimators or 3000, random_state=context.seed, device=device)
    return _behind(context, estimator, "xgboost", NativeCategories(), counted=n_estimators is None)


def catboost(context: Context, *, iterations: int = 400, **options: Any) -> BaseEstimator:
    """CatBoost: symmetric trees, and categories by statistics of the target over rows that came before.

    Trees are not counted: CatBoost chooses a learning rate that suits their number and the table's rows, and counting
    would cost it several fits of the slowest of the three.

    iterations : trees.
    options : CatBoost's own parameters.

    References: Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features", 2018.
    """
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostClassifier if context.task == "classification" else CatBoostRegressor
    settings = _CATBOOST | _objective("catboost", context) | options
    fixed = {"thread_count": context.threads, "allow_writing_files": False, "verbose": False}
    if context.task == "regression" and context.loss == "absolute":
        settings = {"learning_rate": 0.08} | settings  # for this loss CatBoost's own choice is always 0.03
    estimator = kind(**settings, **fixed, iterations=iterations, random_seed=context.seed)
    return _behind(context, estimator, "catboost", NativeCategories(10_000), counted=False)


def _objective(library: str, context: Context) -> dict[str, str]:
    if context.task == "classification":
        return {}
    name = {"lightgbm": "objective", "xgboost": "objective", "catboost": "loss_function"}[library]
    return {name: _OBJECTIVES[library][context.loss]}


def _behind(
    context: Context, estimator: BaseEstimator, library: str, encoding: BaseEstimator, *, counted: bool
) -> BaseEstimator:
    kind = EarlyStoppedClassifier if context.task == "classification" else EarlyStoppedRegressor
    return encoded(encoding, kind(estimator, library=library, counted=counted, random_state=context.seed))


class _EarlyStopped(BaseEstimator):
    """What the classifier and the regressor share: count the trees on inner splits, then fit."""

    def __init__(
        self, estimator: BaseEstimator, *, library: str, counted: bool = True, random_state: int | None = None
    ) -> None:
        self.estimator = estimator
        self.library = library
        self.counted = counted
        self.random_state = random_state

    def _fit(self, X: pd.DataFrame, y: np.ndarray) -> None:
        X = self._own(X)
        estimator = clone(self.estimator)
        if self.counted:
            estimator = _sized(estimator, self.library, rows=len(X), work=self._work(y))
        self.n_features_in_ = X.shape[1]
        self.trees_, self.loss_curve_, self.validation_loss_curve_ = None, np.empty(0), np.empty(0)
        if self.counted:
            fitted = [self._counting(estimator, X, y, *split) for split in self._splits(y)]
            self.trees_ = max(1, round(float(np.mean([trees for _, trees in fitted]))))
            self.validation_loss_curve_ = _loss_curve(fitted[0][0], self.library)
            if self._work(y) > _REFITTED:
                self.estimator_ = fitted[0][0]
                return
            estimator.set_params(n_estimators=self.trees_)
        self.estimator_ = estimator.fit(X, y, **self._categories(X))
        if self.library == "catboost":
            self.loss_curve_ = _loss_curve(self.estimator_, self.library)

    def _splits(self, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Inner pairs of (train, valid) rows; a class too rare to be parted only trains."""
        small = self._work(y) <= _SMALL
        folds = 5 if small else 10
        classes = isinstance(self, ClassifierMixin)
        common = np.bincount(y)[y] >= folds if classes else np.ones(len(y), dtype=bool)
        rows, rare = np.flatnonzero(common), np.flatnonzero(~common)
        if len(rows) < folds:
            yield np.arange(len(y)), np.arange(len(y))
            return
        kind = StratifiedKFold if classes else KFold
        splitter = kind(folds, shuffle=True, random_state=self.random_state)
        for number, (train, valid) in enumerate(splitter.split(rows, y[rows])):
            yield np.concatenate([rows[train], rare]), rows[valid]
            if number == 0 and not small:
                return

    def _work(self, y: np.ndarray) -> int:
        """Rows, times the classes that each round grows a tree for."""
        classes = int(y.max()) + 1 if isinstance(self, ClassifierMixin) else 1
        return len(y) * (classes if classes > 2 else 1)

    def _counting(
        self, estimator: BaseEstimator, X: pd.DataFrame, y: np.ndarray, train: np.ndarray, valid: np.ndarray
    ) -> tuple[BaseEstimator, int]:
        """An estimator fitted on the training rows, and the number of trees that was best on the valid ones."""
        estimator, judged = clone(estimator), (X.iloc[valid], y[valid])
        if self.library == "lightgbm":
            import lightgbm

            # Log losses that still fall in their fifth decimal are no gain: classes that are all but told apart.
            least = 1e-5 if isinstance(self, ClassifierMixin) else 0.0
            stop = lightgbm.early_stopping(_PATIENCE, verbose=False, min_delta=least)
            # LightGBM 4.7 has a new name for what 4.6, which Kaggle's image may have, calls eval_set.
            renamed = "eval_X" in inspect.signature(estimator.fit).parameters
            watched = {"eval_X": judged[0], "eval_y": judged[1]} if renamed else {"eval_set": [judged]}
            estimator.fit(X.iloc[train], y[train], callbacks=[stop], **watched)
            return estimator, int(estimator.best_iteration_)
        estimator.set_params(early_stopping_rounds=_PATIENCE)
        estimator.fit(X.iloc[train], y[train], eval_set=[judged], verbose=False)
        return estimator, int(estimator.best_iteration) + 1

    def _own(self, X: pd.DataFrame) -> pd.DataFrame:
        """The table as the library takes it: CatBoost wants categories as text, without gaps."""
        if self.library != "catboost":
            return X
        levels = X.select_dtypes("category")
        text = levels.astype(object).where(levels.notna(), "(missing)").astype(str)
        return X.assign(**{str(name): column for name, column in text.items()})

    def _categories(self, X: pd.DataFrame) -> dict[str, list[str]]:
        return {"cat_features": list(map(str, text_columns(X)))} if self.library == "catboost" else {}


class EarlyStoppedClassifier(ClassifierMixin, _EarlyStopped):
    """A booster's classifier with as many trees as inner splits of its rows ask for. It takes labels of any kind.

    estimator : of LightGBM, XGBoost or CatBoost, with the most trees it may have.
    library : "lightgbm", "xgboost" or "catboost".
    counted : whether trees are counted (LightGBM and XGBoost); otherwise the estimator's number stands.
    """

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Count the trees, and fit. X as ``NativeCategories`` gives it."""
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if len(self.classes_) > 1:
            self._fit(X, codes)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """(n, classes) probabilities."""
        check_is_fitted(self)
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        return np.asarray(self.estimator_.predict_proba(self._own(X)), dtype=np.float64)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """(n,) the most probable labels."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class EarlyStoppedRegressor(RegressorMixin, _EarlyStopped):
    """A booster's regressor with as many trees as inner splits of its rows ask for; see ``EarlyStoppedClassifier``."""

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Count the trees, and fit. X as ``NativeCategories`` gives it."""
        self._fit(X, np.asarray(y, dtype=np.float64))
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """(n,) values."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(self._own(X)), dtype=np.float64)


def _loss_curve(estimator: Any, library: str) -> np.ndarray:
    """(trees,) losses that a booster kept: of the rows that it was judged on, or learned from."""
    if library == "lightgbm":
        kept = estimator.evals_result_
    else:
        kept = estimator.evals_result() if library == "xgboost" else estimator.get_evals_result()
    judged: dict[str, list[float]] = next(iter(kept.values()), {})
    return np.array(next(iter(judged.values()), []), dtype=np.float64)


def _sized(estimator: BaseEstimator, library: str, *, rows: int, work: int) -> BaseEstimator:
    """Trees grow with the table: 8 leaves below 2,000 rows, 63 from 50,000; and learning is faster on large ones."""
    if library == "lightgbm" and estimator.get_params()["num_leaves"] == 31:  # LightGBM's own default
        estimator.set_params(num_leaves=8 if rows < 2_000 else 15 if rows < 10_000 else 31 if rows < 50_000 else 63)
    rate = estimator.get_params()["learning_rate"]
    if work >= _HUGE:
        return estimator.set_params(learning_rate=max(0.15, rate), n_estimators=400)
    return estimator.set_params(learning_rate=max(0.06, rate)) if rows >= 50_000 else estimator
