"""The values that one step passes to the next: frozen dataclasses without logic.

Shapes: ``n`` rows of train, ``m`` rows of test, ``f`` folds, ``k`` outputs: one for each class, 1 for a regression or
an ordinal scale, one for each target where there are several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd

__all__ = [
    "Baseline",
    "ByFold",
    "Check",
    "Context",
    "Ensemble",
    "Folds",
    "KeptFamily",
    "Loss",
    "ModelPredictions",
    "Predictions",
    "Reason",
    "Score",
    "Source",
    "Splitter",
    "Status",
    "Step",
    "Submission",
    "Tables",
    "Task",
    "Weights",
]

Task = Literal["classification", "regression"]
Loss = Literal["squared", "absolute", "poisson"]
Status = Literal["pass", "skipped", "warn", "fail"]


class Splitter(Protocol):
    """A cross-validation splitter of scikit-learn, such as ``KFold``."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs of training and validation rows, as integer positions into X.

        Parameters
        ----------
        X : DataFrame or array (n, columns)
        y : (n,), optional
        groups : (n,), optional

        Yields
        ------
        train, valid : arrays of int
            The same at every call.
        """

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of pairs that ``split`` yields.

        Parameters
        ----------
        X, y, groups
            As for ``split``.

        Returns
        -------
        int
        """


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
    encoding : str
        Python's name of the sample submission's encoding, in which the submission is written.
    """

    origin: str
    path: Path
    files: Mapping[str, str]
    metric: str = ""
    notes: tuple[str, ...] = ()
    encoding: str = "utf-8"


@dataclass(frozen=True, kw_only=True)
class Tables:
    """A competition's tables, with the type of each column decided.

    Columns are int64, float64 (missing is NaN), bool, boolean (with missing values), str, or uint8 in wide tables of
    pixels.

    Attributes
    ----------
    train : DataFrame (n, columns)
        With the target. Rows are in the file's order; the index is 0..n-1.
    test : DataFrame (m, columns)
        Without the target. Columns that train has too have the same dtype.
    sample : DataFrame (m, ...)
        The sample submission, whose ids, order, columns and types a submission must have.
    source : Source
        Where they were read from.
    others : mapping of str to DataFrame
        Further tables, by file name without its ending. Each is read when it is first used.
    extra : int
        Number of rows at the end of train that come from further training files: every fold trains on them, and none
        validates them.
    id_parts : tuple of str
        Columns of the sample submission whose values its first column joins into one id. The submission that is
        written has these columns instead of the joined one.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    sample: pd.DataFrame
    source: Source
    others: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    extra: int = 0
    id_parts: tuple[str, ...] = ()

    def with_notes(self, *notes: str) -> Tables:
        """The same tables with further notes for the user in ``source``."""
        return replace(self, source=replace(self.source, notes=(*self.source.notes, *notes)))


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a field that the competition leaves open has its value.

    Attributes
    ----------
    text : str
    guess : bool
        Whether the files do not decide the value for certain.
    """

    text: str
    guess: bool = False


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A file of pretrained weights, as recorded in ``run.json``.

    Attributes
    ----------
    path : str
    architecture : str
        What they are the weights of, such as "resnet18".
    sha256 : str
        Hash of the file, in hex.
    licence : str
        As stated by the package, the model card or a file beside it; "unknown" if none states it.
    origin : str
        Where the file was found, such as "torch hub's cache".
    """

    path: str
    architecture: str
    sha256: str
    licence: str = "unknown"
    origin: str = "--weights"

    def __str__(self) -> str:
        """A phrase for the user."""
        return f"{self.architecture}, {Path(self.path).name} of {self.origin}, licence {self.licence}"


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a model factory knows before it sees data.

    Attributes
    ----------
    task : {"classification", "regression"}
    loss : {"squared", "absolute", "poisson"}
        What a regression should minimize. Models that do not support it use their own.
    n_classes : int
        The number of labels, 0 for a regression. Estimators see labels coded 0..n_classes-1.
    seed : int
        For everything random in the estimator.
    threads : int
        The number of CPU threads it may use.
    device : {"cpu", "cuda", "mps"}
        For torch models.
    weights : mapping of str to Weights or None
        Purpose ("pictures", "sentences" or, for word vectors, "text") → the pretrained weights found on this machine,
        or None if none are to be used. A purpose that is not a key was not searched for.
    """

    task: Task
    loss: Loss = "squared"
    n_classes: int = 0
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    weights: Mapping[str, Weights | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Folds:
    """The rows of each fold, the same for every model and every seed.

    Attributes
    ----------
    train, valid : tuple of f arrays of int
        Row positions into train. A fold does not use rows that are in neither (time splits).
    refit : bool
        Whether test rows are predicted by models fitted on all rows, instead of those of the folds (time splits).
    """

    train: tuple[np.ndarray, ...]
    valid: tuple[np.ndarray, ...]
    refit: bool = False


@dataclass(frozen=True, kw_only=True)
class ByFold:
    """Predictions for some test rows by the models of each fold, whose mean is submitted.

    Attributes
    ----------
    rows : (s,) int
        Positions of the test rows.
    predictions : (f, s, k) float64
        Averaged over seeds.
    """

    rows: np.ndarray
    predictions: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Step:
    """The gain from one step of a budget's plan.

    Attributes
    ----------
    name : str
    gain : float
        By how much it lowers the mean loss of the cross-fitted ensemble: the log loss, a regression's own, or squared
        errors.
    standard_error : float
        Standard error of ``gain``, a paired difference.
    used : bool
        Whether its result is part of what is submitted.
    seconds : float
        Time of its fits, summed; NaN if nothing was fitted.
    """

    name: str
    gain: float
    standard_error: float
    used: bool
    seconds: float = float("nan")


@dataclass(frozen=True, kw_only=True)
class KeptFamily:
    """A family of features that lowers the loss on inner splits of a fold's training rows.

    Attributes
    ----------
    name : str
    candidates : int
        Number of the family's features that are used.
    strongest : tuple of str
        Up to three of them, the most important ones first.
    gain : float
        By how much it lowers the mean loss of inner validation rows.
    standard_error : float
        Standard error of ``gain``, a paired difference.
    output : int
        Number of the target, where each has features of its own.
    """

    name: str
    candidates: int
    strongest: tuple[str, ...]
    gain: float
    standard_error: float
    output: int = 0


@dataclass(frozen=True, kw_only=True)
class ModelPredictions:
    """One model's predictions, averaged over seeds.

    Attributes
    ----------
    name : str
    oof : (n, k) float64
        Out-of-fold predictions; NaN in rows that no fold validated.
    test : (m, k) float64
        The mean over folds, or the predictions of the model fitted on all rows (``Folds.refit``).
    seconds : float
        Time of fitting and predicting, summed over folds and seeds.
    seeds : tuple of int
        The seeds whose predictions are averaged: those of the request, and additional ones within a budget.
    batch_dependence : float
        The largest change of a test row's prediction when other rows are predicted with it, in standard deviations of
        the predictions.
    fits : mapping of int to tuple of int
        Seed to the folds that were fitted. The number after the last fold stands for all rows.
    curves : mapping of (seed, fold) to array
        The loss in the course of each fit, see ``kpipe.training.learning_curves``.
    by_fold : ByFold or None
        How far the models of the folds agree on test rows; None where test rows are predicted by a single model.
    stacked : bool
        Whether the model has learned from the other models' predictions instead of the columns.
    """

    name: str
    oof: np.ndarray
    test: np.ndarray
    seconds: float
    seeds: tuple[int, ...] = ()
    batch_dependence: float = 0.0
    fits: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    curves: Mapping[tuple[int, int], np.ndarray] = field(default_factory=dict)
    by_fold: ByFold | None = None
    stacked: bool = False


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The predictions of all models of a run.

    Attributes
    ----------
    models : tuple of ModelPredictions
        In the competition's order.
    classes : (k,) array or None
        The labels as train.csv spells them, in the order of the outputs; None for a regression or several targets.
    y : (n,) or (n, k) array
        The target as models see it: labels coded 0..k-1, or values; one column for each of several targets.
    skipped : mapping of str to str
        Model to the reason why it has no predictions.
    fallback : str
        Why the only model is a constant prediction that nobody asked for; empty where models were trained.
    peak_memory_mib : float
        Peak memory of this process and its workers together.
    steps : tuple of Step
        The gains from the further models and seeds that a budget had time for.
    n_reused : int
        Fits that were not trained, because an earlier run had trained equal ones.
    shortened : mapping of str to tuple of (int, int)
        Fits that were trained for a shorter time to keep the budget, by name: planned and taken steps of each network.
    families : mapping of int to tuple of KeptFamily
        Fold to the families of features that its models use. The number after the last fold stands for all rows.
    """

    models: tuple[ModelPredictions, ...]
    classes: np.ndarray | None
    y: np.ndarray
    skipped: Mapping[str, str] = field(default_factory=dict)
    fallback: str = ""
    peak_memory_mib: float = 0.0
    steps: tuple[Step, ...] = ()
    n_reused: int = 0
    shortened: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    families: Mapping[int, tuple[KeptFamily, ...]] = field(default_factory=dict)

    @property
    def n_fits(self) -> int:
        """Number of fits that the predictions come from."""
        return sum(len(folds) for model in self.models for folds in model.fits.values())


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score with its standard error and its number of rows.

    Attributes
    ----------
    value : float
        The metric over all ``rows``.
    standard_error : float
        Standard error of ``value`` as an estimate of the score on new rows; NaN if fewer than two rows or groups were
        scored.
    rows : int
    folds : tuple of float
        The metric in each fold; NaN where it is not defined.
    """

    value: float
    standard_error: float
    rows: int
    folds: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The cross-validated predictions of a model that uses no feature.

    Attributes
    ----------
    name : str
        What it predicts, such as "majority class".
    oof : (n, k) float64
        Out-of-fold predictions; NaN in rows that no fold validated.
    """

    name: str
    oof: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """The weighted mean of the models' predictions.

    Attributes
    ----------
    weights : mapping of str to float
        One for each model, at least 0, summing to 1. They are fitted on all out-of-fold rows and used for test rows.
    oof : (n, k) float64
        Out-of-fold predictions, each fold with weights that were fitted on the other folds.
    test : (m, k) float64
    steps : tuple of Step
        With a stacking layer, the gains that other ways of weighting the models would bring; otherwise empty.
    clipped : tuple of (n, k) and (m, k) bool, or None
        The out-of-fold and test predictions that were raised to a lower bound (see ``Problem.lower_bounds``).
    """

    weights: Mapping[str, float]
    oof: np.ndarray
    test: np.ndarray
    steps: tuple[Step, ...] = ()
    clipped: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A submission that was validated against the sample submission.

    Attributes
    ----------
    frame : DataFrame (m, ...)
        With the ids, order, columns and types of the sample submission.
    sendable : bool
        Whether it may be sent to Kaggle: not if it was made from sample data.
    encoding : str
        Python's name of the sample submission's encoding.
    """

    frame: pd.DataFrame
    sendable: bool
    encoding: str = "utf-8"


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of a check.

    Attributes
    ----------
    name : str
    status : {"pass", "skipped", "warn", "fail"}
    detail : str
        What was found, with its numbers, in a sentence.
    """

    name: str
    status: Status
    detail: str
