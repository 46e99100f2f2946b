"""``Problem``: a competition with every field determined, and what is derived from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from kpipe.core.metrics import Metric, get_metric, is_ordinal
from kpipe.core.request import RunRequest
from kpipe.core.values import Reason, Splitter, Tables, Task, Weights
from kpipe.data.further_tables import file_hashes
from kpipe.errors import DataError, UsageError
from kpipe.features.columns import as_text
from kpipe.problem.alignment import align_rows
from kpipe.problem.blocks import time_blocks, time_column
from kpipe.problem.cleaning import clean_tables
from kpipe.problem.competition import Competition, Factory, find
from kpipe.problem.inference import infer
from kpipe.problem.inference.columns import left_out_columns
from kpipe.problem.inference.id import submission_columns
from kpipe.problem.inference.spelling import adapt_tables
from kpipe.problem.inference.text_columns import convert_text_columns
from kpipe.problem.locked import LockedRows, lock, unlock
from kpipe.problem.lower_bounds import lower_bounds, reason_for_bounds
from kpipe.problem.notes import notes_on
from kpipe.problem.pixel_columns import with_pixels, without_pixels
from kpipe.problem.positive import positive_class
from kpipe.problem.side_tables import join_side_tables, notes_on_own_clean
from kpipe.problem.vocabulary import labels_of_sample

if TYPE_CHECKING:
    from sklearn.base import TransformerMixin

_T = TypeVar("_T")

__all__ = ["Problem", "apply_request", "define_problem", "encode_target"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A competition with every field determined.

    Attributes
    ----------
    competition : Competition
        As its author wrote it, with the options of the request applied.
    files : Tables
        The tables before ``clean``, with ids matched, and without rows whose target is missing.
    tables : Tables
        The tables after ``clean``, with column names spelled as in the sample submission.
    id : str
        The column that joins test rows to submission rows.
    targets : tuple of str
        The columns that are predicted.
    task : {"classification", "regression"}
    metric : Metric
    columns : tuple of str
        The columns that models may use.
    features : transformer or None
        Fitted inside each fold; None if models get the columns unchanged.
    splitter : Splitter
    groups : str or None
        The column whose groups must stay in one fold; None if rows are independent.
    models : mapping of str to Factory
        The competition's own models.
    default : tuple of str
        The models that a run trains without ``--model``.
    budgeted : tuple of str
        The models that a run with a budget adds to the default ones.
    submission_columns : tuple of str
        The columns of the sample submission that must be predicted.
    y : ndarray
        (n,) class codes 0..k-1 or values, as models see them; (n, t) for several targets.
    labels : ndarray or None
        (k,) the label of each code; None for a regression and for several targets.
    reasons : mapping of str to Reason
        Inferred field → the reason for its value.
    conversions : mapping of str to str
        Column of text that was converted to numbers or dates → how it was converted.
    left_out : mapping of str to str
        Column that models do not use → the reason; empty if the competition states its columns.
    vault : DataFrame or None
        (v, columns) the cleaned rows that a vault locks away, without targets; None without a vault. They are not in
        ``tables``; in ``files`` they are at the end of test, where ``clean`` saw them.
    locked : LockedRows or None
        Which rows these are.
    weights : mapping of str to Weights or None
        As ``Context.weights``.
    """

    competition: Competition
    files: Tables
    tables: Tables
    id: str
    targets: tuple[str, ...]
    task: Task
    metric: Metric
    columns: tuple[str, ...]
    features: TransformerMixin | None
    splitter: Splitter
    groups: str | None
    models: Mapping[str, Factory]
    default: tuple[str, ...]
    budgeted: tuple[str, ...]
    submission_columns: tuple[str, ...]
    y: np.ndarray
    labels: np.ndarray | None
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    conversions: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    vault: pd.DataFrame | None = None
    locked: LockedRows | None = None
    weights: Mapping[str, Weights | None] = field(default_factory=dict)

    @property
    def to_predict(self) -> Problem:
        """The same problem with the rows of a vault appended to test, so that both are predicted in the same way."""
        if self.vault is None:
            return self
        test = pd.concat([self.tables.test, self.vault], ignore_index=True)
        return replace(self, tables=replace(self.tables, test=test), vault=None)

    @property
    def slug(self) -> str:
        """Kaggle's name of the competition."""
        return self.competition.slug

    @property
    def X(self) -> pd.DataFrame:
        """(n, columns) the columns of train that models may use."""
        return self.tables.train[list(self.columns)]

    @property
    def X_test(self) -> pd.DataFrame:
        """(m, columns) the columns of test that models may use."""
        return self.tables.test[list(self.columns)]

    @cached_property
    def blocks(self) -> np.ndarray | None:
        """(n,) the group or block of time of each row of train; None if rows are independent.

        Errors of rows in one block are correlated, so that standard errors count blocks (see ``time_blocks``).
        """
        return self._blocks_of(self.tables.train)

    @cached_property
    def test_blocks(self) -> np.ndarray | None:
        """(m,) the same for test, with the same value for the same block; None if test lacks the column."""
        return self._blocks_of(self.tables.test)

    @property
    def vault_blocks(self) -> np.ndarray | None:
        """(v,) the same for the rows of the vault; None without one."""
        return None if self.vault is None else self._blocks_of(self.vault)

    def _blocks_of(self, frame: pd.DataFrame) -> np.ndarray | None:
        if self.groups is not None:
            return _group_of_each_row(frame[self.groups]) if self.groups in frame else None
        column = time_column(self.splitter)
        columns = (column,) if isinstance(column, str) else column or ()
        lacks = not set(columns) <= {*frame.columns}
        return None if lacks else time_blocks(self.splitter, self.tables.train, frame)

    @cached_property
    def lower_bounds(self) -> np.ndarray | None:
        """(targets,) the lowest prediction of each target, such as 0 for counts, or -inf; None if there is no bound."""
        if self.task != "regression":
            return None
        by_time = time_column(self.splitter) is not None
        return lower_bounds(self.metric, self.y, blocks=self.blocks, by_time=by_time)

    @property
    def is_ordinal(self) -> bool:
        """Whether the classes are steps of an ordinal scale, learned by one regression (see ``Metric.ordinal``)."""
        return is_ordinal(self.metric, self.labels)

    @property
    def budget_order(self) -> tuple[str, ...]:
        """The default and budgeted models, in the order in which a budget trains them.

        That of ``models`` if they are inferred; else default models come first, except those that the author also lists
        in ``budgeted``.
        """
        used = dict.fromkeys((*self.default, *self.budgeted))
        if "models" in self.reasons:
            return tuple(dict.fromkeys((*(name for name in self.models if name in used), *used)))
        listed = dict.fromkeys((*self.competition.budgeted, *self.budgeted))
        return (*(name for name in self.default if name not in listed), *listed)

    @property
    def n_outputs(self) -> int:
        """Number of columns of a model's predictions: one per class or target, one for a regression or a scale."""
        if self.y.ndim > 1:
            return self.y.shape[1]
        return 1 if self.labels is None or self.is_ordinal else len(self.labels)

    @property
    def n_classes(self) -> int:
        """Number of classes or targets: the columns of the final predictions, also for an ordinal scale."""
        return len(self.targets) if self.labels is None else len(self.labels)

    def labels_in(self, column: str) -> np.ndarray:
        """(k,) the labels as a column of the sample submission spells them, such as 1 for Yes.

        Parameters
        ----------
        column : str

        Returns
        -------
        ndarray
            In the order of the class codes.
        """
        if self.labels is None:
            raise AssertionError("only the classes of one target have labels")
        return labels_of_sample(self.labels, self.tables.sample[column], (self.targets[0], column))

    def with_tables(self, tables: Tables) -> Problem:
        """The same problem with other cleaned tables of the same columns; the target is encoded again."""
        y, labels = encode_target(tables.train, self.targets, self.task)
        return replace(self, tables=tables, y=y, labels=labels)


def define_problem(competition: Competition, files: Tables, locked: LockedRows | None = None) -> Problem:
    """Clean the tables of a competition, and infer every field that its author left open.

    Parameters
    ----------
    competition : Competition
        As its author wrote it, with the options of a request applied (see ``apply_request``).
    files : Tables
        The tables as they are in the files.
    locked : LockedRows, optional
        Rows of train to lock away: they are part of test during ``clean``, and removed from it afterwards.

    Returns
    -------
    Problem

    Raises
    ------
    DataError
        If the files contradict the competition or each other, or a field cannot be inferred.
    UsageError
        If the metric does not fit the task.

    Examples
    --------
    >>> import kpipe
    >>> problem = define_problem(kpipe.Competition(slug="titanic"), kpipe.load("titanic", "sample"))
    >>> problem.metric.name, problem.reasons["metric"].guess
    ('accuracy', True)
    """
    files = join_side_tables(competition, align_rows(competition, files))
    if locked is not None:
        files = lock(files, locked)
    adapted, tables, conversions = _prepare_tables(competition, files)
    vault = None
    if locked is not None:
        tables, vault = unlock(files, tables, len(locked.rows))
    inferred, reasons = infer(adapted, tables, vault)
    y, labels = encode_target(tables.train, inferred.targets, _not_none(inferred.task))
    default = tuple(inferred.default or _not_none(inferred.models))
    problem = Problem(
        competition=adapted,
        files=files,
        tables=tables,
        id=_not_none(inferred.id),
        targets=inferred.targets,
        task=_not_none(inferred.task),
        metric=get_metric(inferred.metric or ""),
        columns=tuple(_not_none(inferred.columns)),
        features=inferred.features,
        splitter=_not_none(inferred.splitter),
        groups=inferred.groups,
        models=dict(_not_none(inferred.models)),
        default=default,
        budgeted=tuple(name for name in inferred.budgeted if name not in default),
        weights=inferred.weights if isinstance(inferred.weights, Mapping) else {},
        submission_columns=tuple(submission_columns(inferred, tables)),
        y=y,
        labels=labels,
        conversions=conversions,
        left_out={} if competition.columns is not None else left_out_columns(inferred, tables),
        vault=vault,
        locked=locked,
    )
    bounds = reason_for_bounds(problem.metric, problem.lower_bounds, problem.targets)
    problem = replace(problem, reasons=reasons | _reason_for_positive(problem) | bounds)
    notes = *notes_on(problem), *notes_on_own_clean(competition, files, tables)
    return replace(problem, tables=tables.with_notes(*notes))


def _prepare_tables(competition: Competition, files: Tables) -> tuple[Competition, Tables, dict[str, str]]:
    """The cleaned tables with names spelled alike and text converted, and the competition with these names."""
    cleaned = clean_tables(competition, files)
    # Further tables that clean has read count as inputs, whether clean returns them or not.
    cleaned = replace(cleaned, source=replace(cleaned.source, files=file_hashes(files)))
    small = without_pixels(cleaned)
    _refuse_nested_cells(small)
    if files.extra and (cleaned.extra, len(cleaned.train)) != (files.extra, len(files.train)):
        raise UsageError(
            "--extra cannot be combined with this competition's clean, which changes the number of train's rows: the "
            "rows of the additional files can no longer be identified. Add them in clean instead.",
            code="conflicting-options",
        )
    adapted, tables = adapt_tables(competition, small)
    tables, conversions = convert_text_columns(adapted, tables)
    return adapted, tables if small is cleaned else with_pixels(tables, cleaned), conversions


def apply_request(request: RunRequest, competition: Competition | None = None) -> Competition:
    """Return the competition of a request, with the request's options applied.

    Parameters
    ----------
    request : RunRequest
    competition : Competition, optional
        Used instead of the competition that the request's slug names.

    Returns
    -------
    Competition

    Raises
    ------
    UsageError
        If the slug or the metric is unknown, or the competition's module is broken.
    """
    found = find(request.slug) if competition is None else competition
    target = request.target[0] if len(request.target) == 1 else tuple(request.target)
    metric = request.metric and get_metric(request.metric)
    given: dict[str, Any] = {
        "metric": metric,
        "target": target,
        "id": request.id,
        "split": request.split,
        "drop": tuple(request.drop),
        "weights": request.weights,
    }
    changes = {name: value for name, value in given.items() if value}
    own = found.metric.name if isinstance(found.metric, Metric) else found.metric
    if (metric and metric.name != own) or target:
        changes["selection_bias"] = 0.0  # it was measured by the competition's own metric
    return replace(found, **changes, text=(*found.text, *request.text))


def encode_target(train: pd.DataFrame, targets: Sequence[str], task: Task) -> tuple[np.ndarray, np.ndarray | None]:
    """Encode the target for models.

    Parameters
    ----------
    train : DataFrame
        (n, columns) with the targets.
    targets : sequence of str
    task : {"classification", "regression"}

    Returns
    -------
    y : ndarray
        (n,) int64 class codes 0..k-1, or float64 values; (n, t) for several targets.
    labels : ndarray or None
        (k,) the sorted labels of the codes; None for a regression and for several targets.

    Raises
    ------
    DataError
        If the target of a regression is not numeric.
    """
    if len(targets) > 1:
        columns = [_numbers(train[name]) for name in targets]
        return np.column_stack(columns).astype(float if task == "regression" else np.int64), None
    y = train[targets[0]]
    if task == "regression":
        return _numbers(y), None
    labels = np.sort(y.unique()) if y.dtype.kind in "iufb" else np.array(sorted(y.unique(), key=str), dtype=object)
    codes = {label: code for code, label in enumerate(labels)}
    return y.map(codes).to_numpy(dtype=np.int64), labels


def _numbers(y: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(y):
        raise DataError(
            f"train.csv: the target {y.name!r} of a regression must hold numbers; got {y.iloc[0]!r}.",
            code="target-unsuitable",
            file="train.csv",
            column=str(y.name),
        )
    return y.to_numpy(dtype=np.float64)


def _reason_for_positive(problem: Problem) -> dict[str, Reason]:
    """The label that a single probability refers to, as a reason, if the two labels are words."""
    labels, columns = problem.labels, problem.submission_columns
    if labels is None or len(labels) != 2 or len(columns) != 1 or labels.dtype.kind != "O":
        return {}
    if problem.metric.needs != "probability":
        return {}
    label = labels[positive_class(labels, (problem.targets[0], columns[0]))]
    return {"positive": Reason(text=f"{columns[0]} is the probability of {label}", guess=True)}


def _refuse_nested_cells(tables: Tables) -> None:
    """Raise DataError for cells that hold several values, which can be neither counted nor compared."""
    for name, frame in (("train", tables.train), ("test", tables.test)):
        for column in (column for column in frame if pd.api.types.is_object_dtype(frame[column])):
            for row, value in enumerate(frame[column], start=1):
                if isinstance(value, list | dict | set | np.ndarray):
                    raise DataError(
                        f"{name}.csv, column {column!r}, row {row}: after clean a cell must hold a single value; got "
                        f"a {type(value).__name__}. Make a column of each part, or join the parts into one text.",
                        code="broken-module",
                        file=f"{name}.csv",
                        column=str(column),
                        row=row,
                    )


def _group_of_each_row(groups: pd.Series) -> np.ndarray:
    """(n,) groups that numpy can sort: text with "(missing)" for missing values, which test may have."""
    is_text = not pd.api.types.is_numeric_dtype(groups)
    return (as_text(groups) if is_text and groups.hasnans else groups).to_numpy()


def _not_none(value: _T | None) -> _T:
    """A field that the inference always determines."""
    if value is None:
        raise AssertionError("the inference leaves no field open")
    return value
