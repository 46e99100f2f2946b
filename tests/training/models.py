"""Small estimators and factories for tests of training; in a module of their own, so that workers can import them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from kpipe.core.time_limit import current_limit
from kpipe.core.values import Context, Folds, Predictions, Tables
from kpipe.errors import TooFewStepsError
from kpipe.features import dummies
from kpipe.problem.competition import Factory
from kpipe.training.cross_validation import cross_validate
from kpipe.training.folds import make_folds
from tests.tables import problem_of


class Echo(RegressorMixin, BaseEstimator):
    """Predicts the row's own x, so that a prediction shows which row it was made for."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Echo:
        self.fitted_ = True
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return X["x"].to_numpy()


class Broken(ClassifierMixin, BaseEstimator):
    """Raises, or predicts NaN or a wrong number of rows."""

    def __init__(self, how: str = "raise") -> None:
        self.how = how

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Broken:
        if self.how == "raise":
            raise RuntimeError("the matrix is singular")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        if self.how == "nan":
            return np.full((len(X), 2), np.nan)
        return np.ones((len(X) + 1, 2)) / 2


class Watched(ClassifierMixin, BaseEstimator):
    """Predicts the second class where the fit knows when it is stopped from outside."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Watched:
        limit = current_limit()
        self.classes_, self.knows_ = np.unique(y), limit is not None and limit.stop < math.inf
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return np.tile([1.0 - self.knows_, float(self.knows_)], (len(X), 1))


class Counted(DummyClassifier):
    """Leaves a file for each fit. Fits after the first ``quick`` ones take ``seconds``."""

    def __init__(self, folder: str = "", seconds: float = 0.0, quick: int = 0) -> None:
        super().__init__()
        self.folder, self.seconds, self.quick = folder, seconds, quick

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: None = None) -> Counted:
        Path(self.folder, f"{time.monotonic_ns()}").touch()
        if len(list(Path(self.folder).iterdir())) > self.quick:
            time.sleep(self.seconds)
        return super().fit(X, y)


class Exclusive(DummyClassifier):
    """Fails if another fit of its kind runs at the same time."""

    def __init__(self, folder: str = "") -> None:
        super().__init__()
        self.folder = folder

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: None = None) -> Exclusive:
        running = Path(self.folder, "running")
        running.touch(exist_ok=False)
        time.sleep(0.1)
        running.unlink()
        return super().fit(X, y)


class MeetsAnother(DummyClassifier):
    """Fails unless another fit of its kind begins within ten seconds."""

    def __init__(self, folder: str = "") -> None:
        super().__init__()
        self.folder = folder

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: None = None) -> MeetsAnother:
        Path(self.folder, f"begun-{time.monotonic_ns()}").touch()
        end = time.monotonic() + 10
        while len(list(Path(self.folder).glob("begun-*"))) < 2:
            assert time.monotonic() < end, "no other fit has begun"
            time.sleep(0.01)
        return super().fit(X, y)


class Shortened(DummyClassifier):
    """Knows nothing, and says that its training was cut short."""

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: None = None) -> Shortened:
        if (limit := current_limit()) is not None:
            limit.note((100, 20), shortened=True)
        return super().fit(X, y)


class Hopeless(DummyClassifier):
    """Has no time for enough steps, and says so if other predictions are there."""

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: None = None) -> Hopeless:
        if (limit := current_limit()) is not None and limit.is_optional:
            raise TooFewStepsError("The time left suffices for 3 of 100 steps.")
        return super().fit(X, y)


class BatchMean(RegressorMixin, BaseEstimator):
    """Predicts the mean of x over the rows that are predicted together."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> BatchMean:
        self.fitted_ = True
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return X["x"].to_numpy() - X["x"].mean()


def echo(context: Context) -> BaseEstimator:
    return Echo()


def batch_mean(context: Context) -> BaseEstimator:
    return BatchMean()


def broken(context: Context, how: str) -> BaseEstimator:
    return Broken(how)


def counted(context: Context, folder: str, seconds: float = 0.0, quick: int = 0) -> BaseEstimator:
    return Counted(folder, seconds, quick)


def prior(context: Context) -> BaseEstimator:
    return DummyClassifier(strategy="prior")


def shortened(context: Context) -> BaseEstimator:
    return Shortened(strategy="prior")


def hopeless(context: Context) -> BaseEstimator:
    return Hopeless(strategy="prior")


def seeded(context: Context) -> BaseEstimator:
    return DummyClassifier(strategy="stratified", random_state=context.seed)


def random_tree(context: Context) -> BaseEstimator:
    tree = DecisionTreeClassifier(min_samples_leaf=28, max_features=1, random_state=context.seed)
    return make_pipeline(dummies(), tree)


def cross_validate_models(tables: Tables, models: Mapping[str, Factory], **options: Any) -> tuple[Predictions, Folds]:
    """Cross-validate models on the tables of a made-up competition, by default with one fit at a time."""
    problem = problem_of(tables)
    folds = make_folds(problem)
    return cross_validate(problem, folds, models=models, **{"jobs": 1} | options), folds
