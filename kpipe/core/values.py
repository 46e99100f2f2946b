"""The values handed from step to step: frozen dataclasses without logic.

Shapes: ``n`` rows of train, ``m`` rows of test, ``k`` outputs (one a class, or 1 for a regression), ``f`` folds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd

__all__ = [
    "Baseline",
    "Check",
    "Context",
    "Ensemble",
    "Folds",
    "Loss",
    "ModelPredictions",
    "Predictions",
    "Reason",
    "Score",
    "Source",
    "Splitter",
    "Status",
    "Submission",
    "Tables",
    "Task",
]

Task = Literal["classification", "regression"]
Loss = Literal["squared", "absolute", "poisson"]
Status = Literal["pass", "warn", "fail"]


class Splitter(Protocol):
    """What scikit-learn calls a cross-validation splitter; ``KFold`` and its kin are ones."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pairs of (train rows, validation rows), integer positions into X; the same at every call."""

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """How many pairs ``split`` gives."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where tables were read from.

    Attributes
    ----------
    origin : str
        Kind of place, such as "directory" or "kaggle" (see ``kpipe.data.locate``). "sample" marks data that is not
        Kaggle's and must never be submitted.
    path : Path
        The folder or zip.
    files : mapping of str to str
        Base name → sha256 in hex of train, test and the sample submission (of the CSV's own bytes, also in a zip).
        ``kpipe.data.further_tables.file_hashes`` adds the further tables that were read.
    metric : str
        The metric's name on Kaggle's page; "" if it is unknown.
    notes : tuple of str
        Sentences for the user about how the files were read.
    """

    origin: str
    path: Path
    files: Mapping[str, str]
    metric: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tables:
    """A competition's files, with their types settled.

    train : (n, columns) with the target. Row order is the file's; the index is 0..n-1.
    test : (m, columns) without the target, the same dtypes as train's columns of these names.
    sample : (m, ...) the sample submission: its ids, order, columns and types are what Kaggle wants back.
    source : where they came from.
    others : further tables beside these, by file name without ending; each is read when it is first asked for.

    Dtypes: int64, float64 (missing is NaN), bool, boolean (with missing), str, and uint8 for wide tables of pixels.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    sample: pd.DataFrame
    source: Source
    others: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a field that the competition left open has its value. A guess is what the files cannot tell for sure."""

    text: str
    guess: bool = False


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a model factory may know before it sees a row.

    task : classification or regression.
    loss : what a regression is to make small; models without it take their own.
    n_classes : how many labels (0 for a regression). Estimators see labels coded 0..n_classes-1.
    seed : for everything random in the estimator.
    threads : how many CPU threads it may use.
    device : "cpu", "cuda" or "mps"; for torch models.
    """

    task: Task
    loss: Loss = "squared"
    n_classes: int = 0
    seed: int = 0
    threads: int = 1
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class Folds:
    """Fixed folds: the same rows for every model and every seed.

    train, valid : f arrays of row positions into train. Rows in neither are unused in that fold (time splits).
    refit : test rows are predicted by models fitted on all rows, not by those of the folds (time splits).
    """

    train: tuple[np.ndarray, ...]
    valid: tuple[np.ndarray, ...]
    refit: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelPredictions:
    """One model's predictions, averaged over seeds.

    oof : (n, k) float64, out-of-fold; NaN in rows that no fold validated.
    test : (m, k) float64, the mean over folds; or of the models that were fitted on all rows.
    seconds : fitting and predicting, added up over folds and seeds.
    seeds : whose predictions are averaged: those that were asked for, and what a budget bought.
    batch_dependence : the largest change of a test row's prediction when other rows are predicted with it, in standard
        deviations of the predictions.
    fits : seed → the folds that were fitted; the fold after the last one is all rows.
    curves : (seed, fold) → what the loss was in the course of that fit, see ``kpipe.training.learning_curves``.
    """

    name: str
    oof: np.ndarray
    test: np.ndarray
    seconds: float
    seeds: tuple[int, ...] = ()
    batch_dependence: float = 0.0
    fits: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    curves: Mapping[tuple[int, int], np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What cross-validation gives.

    models : in the order of the competition.
    classes : (k,) the labels in the spelling of train.csv, in the order of the columns; None for a regression or
        several targets.
    y : (n,) codes 0..k-1 or values, as the models saw them; (n, k) of several targets.
    skipped : model → why it has no predictions.
    peak_memory_mib : of this process and its workers together.
    """

    models: tuple[ModelPredictions, ...]
    classes: np.ndarray | None
    y: np.ndarray
    skipped: Mapping[str, str] = field(default_factory=dict)
    peak_memory_mib: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Score:
    """A metric with what is needed to believe it.

    value : the metric over all ``rows``.
    standard_error : of value, as an estimate of the score on new rows; NaN where one row or fewer was scored.
    folds : the metric in each fold.
    """

    value: float
    standard_error: float
    rows: int
    folds: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A model that looks at no feature, cross-validated on the same folds.

    name : what it predicts, such as "majority class".
    oof : (n, k) out-of-fold; NaN in rows that no fold validated.
    """

    name: str
    oof: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """The models' weighted mean.

    weights : one per model, at least 0, summing to 1; fitted on all out-of-fold rows, for the test rows.
    oof : (n, k) out-of-fold, each fold blended with weights that were fitted on the other folds.
    test : (m, k).
    """

    weights: Mapping[str, float]
    oof: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A proved submission: ``frame`` has the sample submission's ids, order, columns and types."""

    frame: pd.DataFrame
    sendable: bool


@dataclass(frozen=True, kw_only=True)
class Check:
    """What an honesty check found: a sentence a newcomer understands, with its numbers."""

    name: str
    status: Status
    detail: str
