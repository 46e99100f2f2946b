"""Infer whether the task is a classification or a regression."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.core.metrics import get_metric
from kpipe.core.values import Reason, Tables
from kpipe.errors import DataError
from kpipe.problem.competition import Competition
from kpipe.problem.inference.id import submission_columns
from kpipe.problem.inference.metric import metric_of_page
from kpipe.problem.inference.step import NOTHING, Step
from kpipe.problem.vocabulary import labels_per_row, words_of_combinations

__all__ = ["infer_task"]

# An integer target with more distinct values than this is a quantity. Digits have 10, quality grades about 10,
# MSSubClass 16.
_MAX_CLASSES = 20
_MAX_RATINGS = 6  # integers of a rating: of one, 0.0 in a sample submission is an empty cell that pandas has written


def infer_task(competition: Competition, tables: Tables) -> Step:
    """Infer the task from the metric if that is known, else from the values of the target.

    Raises
    ------
    DataError
        If the target has missing values, is constant, or does not fit the metric.
    """
    for name in competition.targets:
        _check_target(tables.train[name], name, several=len(competition.targets) > 1)
    _check_missing_classes(competition, tables)
    stated = None if competition.metric is None else get_metric(competition.metric)
    if stated is not None and stated.task == "classification":
        _check_binary_targets(competition, tables)
    if competition.task is not None:
        return NOTHING
    if stated is None and (on_page := metric_of_page(tables)):
        reason = Reason(text=f"the task of the metric on Kaggle's page: {tables.source.metric}")
        return {"task": on_page.task}, reason
    if stated is not None:
        return {"task": stated.task}, Reason(text=f"the task of the metric {stated.name}")
    if len(competition.targets) > 1:
        binary = all(set(tables.train[name].unique()) <= {0, 1} for name in competition.targets)
        _check_several_numbers(tables.train[list(competition.targets)])
        text = "each target is 0 or 1" if binary else "the targets are numbers"
        return {"task": "classification" if binary else "regression"}, Reason(text=text)
    return _task_of_one(tables.train[competition.targets[0]], tables.sample[submission_columns(competition, tables)])


def _check_binary_targets(competition: Competition, tables: Tables) -> None:
    """Several targets of a classification must be 0 or 1 each."""
    for name in competition.targets if len(competition.targets) > 1 else ():
        strange = set(tables.train[name].unique()) - {0, 1}
        if strange:
            raise DataError(
                f"train.csv: with several targets, this metric needs each of them to be 0 or 1, but {name!r} holds "
                f"{', '.join(sorted(map(str, strange))[:3])}. Name one target with --target, or choose another "
                "--metric.",
                code="target-unsuitable",
                file="train.csv",
                column=name,
            )


def _task_of_one(y: pd.Series, wanted: pd.DataFrame) -> Step:
    if wanted.shape[1] > 1 and y.name not in wanted:
        return {"task": "classification"}, Reason(text="the sample submission has one column per class")
    if not pd.api.types.is_numeric_dtype(y) or pd.api.types.is_bool_dtype(y):
        combinations = _combinations_of_labels(y)
        return {"task": "classification"}, Reason(text=f"{y.name} holds labels{combinations}", guess=bool(combinations))
    if ranked := labels_per_row(wanted.iloc[:, 0], y):
        return {"task": "classification"}, Reason(text=f"the sample submission ranks {ranked} labels in each row")
    distinct = y.nunique()
    if distinct > 2 and _holds_fractions(wanted.iloc[:, 0]):
        return {"task": "regression"}, Reason(text="the sample submission holds fractions", guess=True)
    if distinct > _MAX_RATINGS and _holds_decimals(wanted.iloc[:, 0], y):
        held = f"the sample submission holds decimals such as {wanted.iloc[0, 0]!s}"
        return {"task": "regression"}, Reason(text=f"{held}, and {y.name} whole numbers", guess=True)
    whole = bool((y % 1 == 0).all()) and pd.api.types.is_integer_dtype(wanted.iloc[:, 0])
    if distinct == 2 or ((whole or pd.api.types.is_integer_dtype(y)) and distinct <= _MAX_CLASSES):
        return {"task": "classification"}, Reason(text=f"{y.name} has only {distinct} values", guess=distinct > 2)
    return {"task": "regression"}, Reason(text=f"{y.name} has {distinct} different numbers")


def _combinations_of_labels(y: pd.Series) -> str:
    """A warning where cells hold several labels each, such as ``haze primary``."""
    cells = y.unique()
    if not (words := words_of_combinations(cells)):
        return ""
    return f", several to a row: each of the {len(cells):,} combinations of {len(words):,} words is a class of its own"


def _holds_fractions(values: pd.Series) -> bool:
    return pd.api.types.is_float_dtype(values) and bool((values.dropna() % 1 != 0).any())


def _holds_decimals(values: pd.Series, y: pd.Series) -> bool:
    """Whether the sample submission writes 0.0 where train writes 0; not if it holds several of train's numbers.

    A column of integers with a missing value is read as decimals, too.
    """
    if not pd.api.types.is_integer_dtype(y) or not pd.api.types.is_float_dtype(values) or values.isna().any():
        return False
    return values.nunique() == 1 or not values.isin(y).all()


def _check_several_numbers(targets: pd.DataFrame) -> None:
    """Several targets must be numbers: labels are learned one target at a time."""
    words = [name for name in targets if not pd.api.types.is_numeric_dtype(targets[name])]
    if words:
        raise DataError(
            f"train.csv: each of several targets must hold numbers, but {words[0]!r} holds labels such as "
            f"{targets[words[0]].iloc[0]!r}. {_one_by_one(str(words[0]))}",
            code="target-unsuitable",
            file="train.csv",
            column=str(words[0]),
        )


def _one_by_one(target: str) -> str:
    """What to do where several targets cannot be learned together."""
    return (
        f"Train one target at a time: --target {target}, then each other. Each run fills its own column of the "
        "submission and leaves the others as in the sample submission; join the columns afterwards."
    )


def _check_missing_classes(competition: Competition, tables: Tables) -> None:
    """Several targets may be missing in some rows only if they are numbers, which are learned each on its own rows."""
    targets = tables.train[list(competition.targets)]
    binary = all(set(targets[name].dropna().unique()) <= {0, 1} for name in targets)
    missing = [str(name) for name in targets if targets[name].isna().any()]
    if len(competition.targets) > 1 and missing and (binary or competition.task == "classification"):
        name, rows = missing[0], np.flatnonzero(targets[missing[0]].isna())
        raise DataError(
            f"train.csv: the target {name!r} is missing in {len(rows)} of {len(targets)} rows, first in row "
            f"{rows[0] + 1}, where another target is known. {_one_by_one(name)}",
            code="target-missing",
            file="train.csv",
            column=name,
            row=int(rows[0]) + 1,
        )


def _check_target(y: pd.Series, target: str, *, several: bool) -> None:
    missing = np.flatnonzero(y.isna())
    if len(missing) == len(y):
        raise DataError(
            f"train.csv: the target {target!r} is missing in every row.",
            code="target-missing",
            file="train.csv",
            column=target,
        )
    if len(missing) and not several:
        raise DataError(
            f"train.csv: the target {target!r} is missing in {len(missing)} of {len(y)} rows, first in row "
            f"{missing[0] + 1}. Remove these rows: a model cannot learn from them.",
            code="target-missing",
            file="train.csv",
            column=target,
            row=int(missing[0]) + 1,
        )
    if y.nunique() == 1:
        raise DataError(
            f"train.csv: the target {target!r} is {y.iloc[0]} in every row: there is nothing to predict.",
            code="target-unsuitable",
            file="train.csv",
            column=target,
        )
