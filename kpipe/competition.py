"""Competition: the one extension point; ``find`` it by its slug, ``resolve`` what it leaves open.

An unknown slug *is* ``Competition(slug=slug)``: there is no second path. Every field that is None is inferred from the
files, and the reason is kept in ``inferred``.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from kpipe import competitions
from kpipe.errors import DataError, UsageError
from kpipe.metrics import Metric, get_metric
from kpipe.models import model
from kpipe.values import Context, Reason, Splitter, Tables, Task

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator, TransformerMixin

__all__ = ["Competition", "Factory", "class_columns", "find", "resolve", "row_by_row", "unchanged"]

Factory = Callable[[Context], "BaseEstimator"]

_FOLDS = 5
# An integer target with more levels than this is a quantity. Digits have 10, quality grades about 10, MSSubClass 16.
_MOST_CLASSES = 20


def unchanged(tables: Tables) -> Tables:
    """The tables as they are: the cleaning of a competition that needs none."""
    return tables


@dataclass(frozen=True, kw_only=True)
class Competition:
    """What is particular to one competition. A field left None is inferred from the files, and the reason kept.

    slug : Kaggle's name of it.
    id : the column that joins test rows to submission rows.
    target : what is predicted.
    task : "classification" or "regression".
    metric : name or Metric.
    columns : what models may see, after ``clean``; None: every column that train and test share, but for the id.
    text : columns to read as text although they look like numbers.
    clean : row by row; learns nothing; the same for train and test (see ``row_by_row``).
    features : a transformer fitted inside each fold on ``columns``; it never sees the target of a validation row.
    splitter : ``split(X, y, groups)``; stores nothing, so that it can be called again on another table.
    groups : a column whose rows must not be parted by the folds.
    models : name → factory; also what ``--model`` finds before the catalogue.
    default : the models of a run without ``--model``; None: all of ``models``.
    postprocess : (predictions (m, k), tables) → predictions, the same for out-of-fold and test rows.
    inferred : field → why it has its value; filled by ``resolve``.
    """

    slug: str
    id: str | None = None
    target: str | None = None
    task: Task | None = None
    metric: str | Metric | None = None
    columns: Sequence[str] | None = None
    text: Sequence[str] = ()
    clean: Callable[[Tables], Tables] = unchanged
    features: TransformerMixin | None = None
    splitter: Splitter | None = None
    groups: str | None = None
    models: Mapping[str, Factory] | None = None
    default: Sequence[str] | None = None
    postprocess: Callable[[np.ndarray, Tables], np.ndarray] | None = None
    inferred: Mapping[str, Reason] = field(default_factory=dict)


@dataclass(frozen=True)
class row_by_row:  # reads as the function it stands for: clean=row_by_row(add_log_fare)
    """A ``clean`` from a function of one frame, applied to train and test alike. Can be pickled.

    Raises DataError where the function asks for a column that the file lacks.
    """

    function: Callable[[pd.DataFrame], pd.DataFrame]

    def __call__(self, tables: Tables) -> Tables:
        """The tables with the function applied to train and to test."""
        return replace(tables, train=self._apply(tables.train, "train"), test=self._apply(tables.test, "test"))

    def _apply(self, frame: pd.DataFrame, name: str) -> pd.DataFrame:
        try:
            return self.function(frame)
        except KeyError as error:
            missing = error.args[0] if error.args else None
            asked_of = traceback.extract_tb(error.__traceback__)[-1].filename
            if missing in frame.columns or f"{os.sep}pandas{os.sep}" not in asked_of:
                raise  # a dictionary of the author's own lacks the key
            raise DataError(
                f"{name}.csv lacks the column {missing!r}, which this competition's clean needs. "
                f"It has: {', '.join(map(str, frame.columns))}."
            ) from error


def find(slug: str) -> Competition:
    """The competition of a slug: its module's ``competition``, or a bare ``Competition(slug=slug)``.

    Raises UsageError where the slug cannot be one, or its module has no ``competition``.
    """
    if not competitions.is_slug(slug):
        raise UsageError(
            f"{slug!r} cannot be a competition: Kaggle's slugs are lower-case letters, digits and hyphens, "
            f"like the last part of kaggle.com/competitions/titanic.{suggestion(slug)}"
        )
    if competitions.folder(slug) is None:
        return Competition(slug=slug)
    try:
        module = import_module(f"kpipe.competitions.{slug}.competition")
    except Exception as error:
        raise _broken(slug, error) from error
    found = getattr(module, "competition", None)
    if not isinstance(found, Competition):
        raise UsageError(f"{module.__file__} must define competition = Competition(...), however: {found!r}.")
    return found


def _broken(slug: str, error: Exception) -> UsageError:
    """A competition module that cannot be imported, with the line in it that failed."""
    path = f"{competitions.folder(slug)}{os.sep}competition.py"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else 1
    return UsageError(f"{path}, line {line}: {type(error).__name__}: {error}")


def suggestion(slug: str) -> str:
    """A near miss among the known slugs, as a sentence with a blank before it; empty where there is none.

    >>> suggestion("titanik")
    ' Did you mean titanic?'
    """
    known = competitions.slugs()
    close = get_close_matches(slug.lower(), known, n=1) or [name for name in known if slug and name.startswith(slug)]
    return f" Did you mean {close[0]}?" if close else ""


def resolve(competition: Competition, tables: Tables) -> Competition:
    """The competition with every open field filled, and why, from cleaned tables.

    Raises DataError where the files contradict the competition or leave a field open.
    """
    for step in (_id, _target, _task, _metric, _columns, _splitter, _models):
        changes, reason = step(competition, tables)
        name = step.__name__.removeprefix("_")
        reasons = competition.inferred if reason is None else {**competition.inferred, name: reason}
        competition = replace(competition, **changes, inferred=reasons)  # type: ignore[arg-type]  # one field a step
    return competition


_Step = tuple[dict[str, object], Reason | None]


def _id(competition: Competition, tables: Tables) -> _Step:
    sample, test = tables.sample.columns, tables.test.columns
    if competition.id is not None:
        if competition.id not in sample:
            raise DataError(f"The sample submission has no id column {competition.id!r}; it has: {', '.join(sample)}.")
        if competition.id in tables.train.columns and competition.id not in test:
            raise DataError(f"test.csv lacks the id column {competition.id!r}, which train.csv has.")
        return {}, None
    shared = [name for name in sample if name in test]
    if shared:
        return {"id": shared[0]}, Reason(text="the column that the sample submission shares with test")
    alone = [name for name in sample if name not in tables.train.columns]
    if alone:
        return {"id": alone[0]}, Reason(text="the sample submission's column that neither train nor test has")
    raise DataError(f"No id column was found in the sample submission ({', '.join(sample)}). Name it with --id COLUMN.")


def _target(competition: Competition, tables: Tables) -> _Step:
    train = tables.train.columns
    wanted = [name for name in tables.sample.columns if name != competition.id]
    if competition.target is not None:
        if competition.target not in train:
            raise DataError(f"train.csv lacks the target {competition.target!r}. It has: {', '.join(map(str, train))}.")
        return {}, None
    shared = [name for name in wanted if name in train]
    if len(shared) == 1 == len(wanted):
        return {"target": shared[0]}, Reason(text="the column that the sample submission shares with train")
    if len(shared) > 1:
        raise DataError(
            f"The sample submission asks for several targets ({', '.join(shared)}): kpipe predicts one so far."
        )
    for name in (column for column in train if column not in tables.test.columns):
        if class_columns(wanted, name, list(tables.train[name].dropna().unique())) is not None:
            return {"target": str(name)}, Reason(text="the sample submission's columns are its levels")
    raise DataError(
        f"train.csv lacks the target: the sample submission asks for {', '.join(wanted)}, "
        f"however train.csv has: {', '.join(map(str, train))}. Name it with --target COLUMN."
    )


def class_columns(columns: Sequence[str], target: str, labels: Sequence[object]) -> list[object] | None:
    """The label of each column where the columns are one per class (``Status_C``, ``Class_1``, ``C``), else None.

    >>> class_columns(["Status_C", "Status_D"], "Status", ["D", "C"])
    ['C', 'D']
    """
    by_text = {str(label): label for label in labels}
    for prefix in (f"{target}_", ""):
        named = [by_text.get(column.removeprefix(prefix)) for column in columns if column.startswith(prefix)]
        if len(named) == len(columns) == len(by_text) > 1 and None not in named:
            return named
    return None


def _task(competition: Competition, tables: Tables) -> _Step:
    assert competition.target is not None  # resolved above
    y = tables.train[competition.target]
    _check_target(y, competition.target)
    wanted = [name for name in tables.sample.columns if name != competition.id]
    if competition.task is not None:
        return {}, None
    if isinstance(competition.metric, str):
        competition = replace(competition, metric=get_metric(competition.metric))
    if isinstance(competition.metric, Metric):
        return {"task": competition.metric.task}, Reason(text=f"what the metric {competition.metric.name} judges")
    if competition.target not in wanted:
        return {"task": "classification"}, Reason(text="the sample submission has one column per class")
    if not pd.api.types.is_numeric_dtype(y) or pd.api.types.is_bool_dtype(y):
        return {"task": "classification"}, Reason(text=f"{competition.target} holds labels")
    levels = y.nunique()
    if levels > 2 and _fractions(tables.sample[competition.target]):
        return {"task": "regression"}, Reason(text="the sample submission holds fractions", guess=True)
    if levels == 2 or (pd.api.types.is_integer_dtype(y) and levels <= _MOST_CLASSES):
        return {"task": "classification"}, Reason(
            text=f"{competition.target} has only {levels} levels", guess=levels > 2
        )
    return {"task": "regression"}, Reason(text=f"{competition.target} has {levels} different numbers")


def _fractions(values: pd.Series) -> bool:
    return pd.api.types.is_float_dtype(values) and bool((values.dropna() % 1 != 0).any())


def _check_target(y: pd.Series, target: str) -> None:
    gaps = np.flatnonzero(y.isna())
    if len(gaps) == len(y):
        raise DataError(f"train.csv: the target {target!r} is missing in every row.")
    if len(gaps):
        raise DataError(
            f"train.csv: the target {target!r} is missing in {len(gaps)} of {len(y)} rows, first in row {gaps[0] + 1}. "
            "Remove these rows: nothing can be learned from them."
        )
    if y.nunique() == 1:
        raise DataError(
            f"train.csv: the target {target!r} is {y.iloc[0]} in every row: there is nothing to tell apart."
        )


def _metric(competition: Competition, tables: Tables) -> _Step:
    if competition.metric is not None:
        named = isinstance(competition.metric, str)
        metric = get_metric(competition.metric) if isinstance(competition.metric, str) else competition.metric
        if metric.task != competition.task:
            raise UsageError(
                f"The metric {metric.name} judges a {metric.task}, however: {competition.slug} is a {competition.task}."
            )
        return {"metric": metric} if named else {}, None
    wanted = [name for name in tables.sample.columns if name != competition.id]
    if competition.task == "regression":
        return {"metric": get_metric("rmse")}, Reason(text="usual for values; set another with --metric", guess=True)
    if competition.target not in wanted:
        return {"metric": get_metric("log_loss")}, Reason(text="usual for one probability per class", guess=True)
    if tables.sample[competition.target].dtype.kind == "f":
        return {"metric": get_metric("auc")}, Reason(text="the sample submission holds probabilities", guess=True)
    return {"metric": get_metric("accuracy")}, Reason(text="the sample submission holds labels", guess=True)


def _columns(competition: Competition, tables: Tables) -> _Step:
    if competition.columns is not None:
        for name, frame in (("train", tables.train), ("test", tables.test)):
            missing = [column for column in competition.columns if column not in frame.columns]
            if missing:
                raise DataError(
                    f"{name}.csv lacks the feature column{'s' * (len(missing) > 1)} {', '.join(map(repr, missing))}, "
                    f"which {competition.slug} trains on."
                )
        return {}, None
    kept = [
        c for c in tables.train.columns if c in tables.test.columns and c not in (competition.id, competition.target)
    ]
    if not kept:
        raise DataError("train.csv and test.csv share no column to learn from, besides the id.")
    left = [c for c in tables.train.columns if c not in tables.test.columns and c != competition.target]
    text = "the columns that train and test share"
    reason = Reason(text=f"{text}; test lacks {', '.join(map(str, left))}" if left else text, guess=bool(left))
    return {"columns": tuple(kept)}, reason


def _splitter(competition: Competition, tables: Tables) -> _Step:
    if competition.groups is not None:
        _check_groups(tables.train, competition.groups)
    if competition.splitter is not None:
        return {}, None
    settings = {"n_splits": _FOLDS, "shuffle": True, "random_state": 0}
    classes = competition.task == "classification"
    if competition.groups is not None:
        kind: type[Splitter] = StratifiedGroupKFold if classes else GroupKFold
        return {"splitter": kind(**settings)}, Reason(text=f"rows of one {competition.groups} stay together")
    if classes:
        return {"splitter": StratifiedKFold(**settings)}, Reason(text="classes keep their shares", guess=True)
    return {"splitter": KFold(**settings)}, Reason(text="rows are taken as independent", guess=True)


def _check_groups(train: pd.DataFrame, groups: str) -> None:
    if groups not in train.columns:
        raise DataError(f"train.csv lacks the groups column {groups!r}. It has: {', '.join(map(str, train.columns))}.")
    gaps = np.flatnonzero(train[groups].isna())
    if len(gaps):
        raise DataError(
            f"train.csv: the groups column {groups!r} is missing in {len(gaps)} of {len(train)} rows, "
            f"first in row {gaps[0] + 1}. Give these rows groups in clean."
        )


def _models(competition: Competition, tables: Tables) -> _Step:
    if competition.models is not None:
        return {}, None
    names = ("linear", "boosting", "neural")
    return {"models": {name: model(name) for name in names}}, Reason(text="the models for any table")
