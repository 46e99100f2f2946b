"""``Competition``: what an author writes about a competition, and the look-up by slug.

A competition without a module is ``Competition(slug=slug)``. Every field that is None is inferred from the files by
``kpipe.problem.inference``, so that competitions with and without a module take the same path.
"""

from __future__ import annotations

import math
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kpipe import competitions
from kpipe.core.metrics import Metric
from kpipe.core.values import Context, Splitter, Tables, Task, Weights
from kpipe.core.wording import did_you_mean, listed
from kpipe.data.further_tables import FurtherTables
from kpipe.errors import DataError, UsageError

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator, TransformerMixin

__all__ = ["Competition", "Factory", "class_columns", "find", "row_by_row", "unchanged"]

Factory = Callable[[Context], "BaseEstimator"]


def unchanged(tables: Tables) -> Tables:
    """The same tables: the ``clean`` of a competition that needs none."""
    return tables


@dataclass(frozen=True, kw_only=True)
class Competition:
    """The definition of a competition. Fields that are None are inferred from the files.

    Parameters
    ----------
    slug : str
        Kaggle's name of the competition.
    id : str, optional
        The column that joins test rows to submission rows.
    target : str or sequence of str, optional
        The column to predict; several if the sample submission asks for several.
    task : {"classification", "regression"}, optional
    metric : str or Metric, optional
        The name of a metric of kpipe, or a metric of your own.
    columns : sequence of str, optional
        The columns that models may use, after ``clean``. By default all that train and test share, except the id.
    text : sequence of str
        Columns to read as text although they look like numbers.
    clean : callable
        Tables → Tables. It treats train and test in the same way and each row on its own, and learns nothing from the
        data (see ``row_by_row``).
    transductive : sequence of str
        Columns that ``clean`` computes from rows of train and test together, without using a target.
    features : transformer, optional
        Fitted on ``columns`` inside each fold, so that it never sees the target of a validation row.
    splitter : Splitter, optional
        ``split(X, y, groups)``, as in scikit-learn. It must be stateless: kpipe also splits other tables with it.
    groups : str, optional
        A column; rows with the same value stay in one fold.
    split : str, optional
        ``"rows"`` if rows are independent although the files suggest otherwise, or the column of dates or groups by
        which train and test were split: ``groups`` and ``splitter`` are inferred from it.
    drop : sequence of str
        Columns that models must not use.
    models : mapping of str to Factory, optional
        The competition's own models; ``--model`` looks here before it looks in the catalogue.
    default : sequence of str, optional
        The models that a run trains without ``--model``. By default all of ``models``.
    budgeted : sequence of str
        Models that ``--budget`` trains too, if there is time: after the default ones if ``models`` is given. Default
        models that are listed here, too, are trained in this order.
    weights : str or mapping, optional
        A file or folder of pretrained weights, or "none". By default weights on this machine are used; nothing is
        downloaded. Inference replaces it by a mapping for ``Context.weights``.
    postprocess : callable, optional
        (predictions (m, k), tables) → predictions (m, k); applied to out-of-fold and test rows alike.
    selection_bias : float
        By how much the score is too good because features and options were chosen on the rows of train.csv: at least
        0, in units of the metric. It is measured by repeating the choice on a part of the rows; the forecast corrects
        for it.
    """

    slug: str
    id: str | None = None
    target: str | Sequence[str] | None = None
    task: Task | None = None
    metric: str | Metric | None = None
    columns: Sequence[str] | None = None
    text: Sequence[str] = ()
    clean: Callable[[Tables], Tables] = unchanged
    transductive: Sequence[str] = ()
    features: TransformerMixin | None = None
    splitter: Splitter | None = None
    groups: str | None = None
    split: str | None = None
    drop: Sequence[str] = ()
    models: Mapping[str, Factory] | None = None
    default: Sequence[str] | None = None
    budgeted: Sequence[str] = ()
    weights: str | Mapping[str, Weights | None] | None = None
    postprocess: Callable[[np.ndarray, Tables], np.ndarray] | None = None
    selection_bias: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.selection_bias < math.inf:
            raise UsageError(
                f"selection_bias must be 0 or greater, whichever way the metric goes; got {self.selection_bias!r}.",
                code="broken-module",
            )
        for name, factory in (self.models or {}).items():
            if not callable(factory):
                raise UsageError(
                    f"The model {name!r} must be a function that returns an unfitted estimator, such as "
                    f"lambda context: {type(factory).__name__}(...); got {factory!r:.80}.",
                    code="broken-module",
                )

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns; empty if they are not known yet."""
        return () if self.target is None else (self.target,) if isinstance(self.target, str) else tuple(self.target)


@dataclass(frozen=True)
class row_by_row:  # reads as the function it stands for: clean=row_by_row(add_log_fare)
    """A ``clean`` that applies a function of one frame to train and to test. It can be pickled.

    Parameters
    ----------
    function : callable
        DataFrame → DataFrame. Each row of the result must depend only on the same row of the input.

    Raises
    ------
    DataError
        When called, if the function needs a column that the file lacks.
    """

    function: Callable[[pd.DataFrame], pd.DataFrame]

    def __call__(self, tables: Tables) -> Tables:
        """The tables with the function applied to train and to test."""
        return replace(tables, train=self._apply(tables, "train"), test=self._apply(tables, "test"))

    def _apply(self, tables: Tables, name: str) -> pd.DataFrame:
        frame: pd.DataFrame = getattr(tables, name)
        try:
            return self.function(frame)
        except KeyError as error:
            missing = error.args[0] if error.args else None
            raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
            if missing in frame.columns or f"{os.sep}pandas{os.sep}" not in raised_in:
                raise  # a dictionary of the author's own lacks the key
            raise DataError(
                f"{name}.csv lacks the column {missing!r}, which this competition's clean needs."
                f"{did_you_mean(str(missing), frame.columns)} It has: {listed(frame.columns)}."
                f"{_in_further_tables(missing, tables.others)}",
                code="missing-column",
                file=f"{name}.csv",
                column=str(missing),
            ) from error


def _in_further_tables(column: object, others: Mapping[str, pd.DataFrame]) -> str:
    """How to join the first further table that has a column, after a blank; "" if none has it."""
    header = others.header if isinstance(others, FurtherTables) else lambda name: list(others[name].columns)
    name = next((name for name in others if column in header(name)), None)
    if name is None:
        return ""
    return (
        f" {name} has it, but kpipe joins further tables only for competitions without a clean: use a clean that "
        f"gets all tables, without row_by_row, and join tables.others[{name!r}] in it."
    )


def find(slug: str) -> Competition:
    """Return the competition of a slug: its module's ``competition``, or ``Competition(slug=slug)`` without a module.

    Parameters
    ----------
    slug : str

    Returns
    -------
    Competition

    Raises
    ------
    UsageError
        If the slug is invalid, or its module cannot be imported or defines no ``competition`` of this slug.
    """
    if not competitions.is_slug(slug):
        raise UsageError(
            f"{slug!r} cannot be a competition: Kaggle's slugs consist of letters, digits and hyphens, "
            f"like the last part of kaggle.com/competitions/titanic.{competitions.suggestion(slug)}",
            code="invalid-slug",
        )
    slug = competitions.known_slug(slug)
    if competitions.folder(slug) is None:
        return Competition(slug=slug)
    try:
        module = import_module(f"kpipe.competitions.{slug}.competition")
    except Exception as error:
        raise _import_error(slug, error) from error
    found = getattr(module, "competition", None)
    if not isinstance(found, Competition):
        raise UsageError(
            f"{module.__file__} must define competition = Competition(...); got {found!r}.",
            code="broken-module",
            file=str(module.__file__),
        )
    if found.slug != slug:
        raise UsageError(
            f"{module.__file__} has slug={found.slug!r}, but its folder is {slug}: both must be the same.",
            code="broken-module",
            file=str(module.__file__),
        )
    return found


def _import_error(slug: str, error: Exception) -> UsageError:
    """The error for a module that cannot be imported, with the line that failed."""
    path = f"{competitions.folder(slug)}{os.sep}competition.py"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else 1
    return UsageError(
        f"{path}, line {line}: {type(error).__name__}: {error}", code="broken-module", file=path, line=line
    )


def class_columns(columns: Sequence[str], target: str, labels: Sequence[object]) -> list[object | None] | None:
    """Match columns to labels, if there is one column per class (``Status_C``, ``Class_1``, ``C``).

    Parameters
    ----------
    columns : sequence of str
        Columns of the sample submission.
    target : str
    labels : sequence
        The target's labels.

    Returns
    -------
    list or None
        A label for each column, or None for one whose class train lacks; None if there is not one column per class,
        or train lacks most of the classes.

    Examples
    --------
    >>> class_columns(["Status_C", "Status_D"], "Status", ["D", "C"])
    ['C', 'D']
    >>> class_columns(["ARSON", "BRIBERY", "FRAUD"], "Category", ["FRAUD", "ARSON"])
    ['ARSON', None, 'FRAUD']
    """
    by_text = {str(label): label for label in labels}
    for prefix in (f"{target}_", "", target, os.path.commonprefix(list(columns))):  # noqa: RUF071  # letters, no paths
        named = [by_text.get(column.removeprefix(prefix)) for column in columns if column.startswith(prefix)]
        known = sum(label is not None for label in named)
        if len(named) == len(columns) and known == len(by_text) > 1 and known > len(columns) / 2:
            return named
    return None
