"""``Competition``: what an author writes, and the look-up of one by its slug.

An unknown slug *is* ``Competition(slug=slug)``: there is no second path. Every field that is None is inferred from the
files by ``kpipe.problem.inference``.
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
    """What is particular to one competition. A field that is None is inferred from the files.

    Parameters
    ----------
    slug : str
        Kaggle's name of the competition.
    id : str, optional
        The column that joins test rows to submission rows.
    target : str or sequence of str, optional
        What is predicted; several columns where the sample submission asks for several.
    task : {"classification", "regression"}, optional
    metric : str or Metric, optional
        A name of kpipe's, or a metric of the competition's own.
    columns : sequence of str, optional
        What models may see, after ``clean``. By default every column that train and test share, except the id.
    text : sequence of str
        Columns to read as text although they look like numbers.
    clean : callable
        Tables to tables. It treats each row on its own, train and test alike, and learns nothing (``row_by_row``).
    transductive : sequence of str
        Columns that ``clean`` counts over train and test rows together, without seeing a target.
    features : transformer, optional
        Fitted on ``columns`` inside each fold; it never sees the target of a validation row.
    splitter : Splitter, optional
        ``split(X, y, groups)``. It stores nothing, so that it can split another table.
    groups : str, optional
        A column whose rows must stay in one fold.
    split : str, optional
        ``"rows"`` where rows are independent whatever the files look like, or the column of dates or groups by which
        test was set apart: ``groups`` and ``splitter`` are inferred from it.
    drop : sequence of str
        Columns that models may not see.
    models : mapping of str to Factory, optional
        The competition's own models; ``--model`` looks them up before the catalogue.
    default : sequence of str, optional
        The models of a run without ``--model``. By default all of ``models``.
    budgeted : sequence of str
        Models that ``--budget`` adds after these, trained where the time allows.
    weights : str or mapping, optional
        A file or folder of pretrained weights, or "none". By default those on this machine are used, and none are
        downloaded. Inference makes of it what ``Context.weights`` holds.
    postprocess : callable, optional
        (predictions (m, k), tables) to predictions, the same for out-of-fold and test rows.
    selection_bias : float
        By how much the score is too good, in units of the metric and never negative, because columns and options were
        chosen on the rows of train.csv: measured by choosing anew on a part of them. The forecast takes it off.
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

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns; none where they are not known yet."""
        return () if self.target is None else (self.target,) if isinstance(self.target, str) else tuple(self.target)


@dataclass(frozen=True)
class row_by_row:  # reads as the function it stands for: clean=row_by_row(add_log_fare)
    """A ``clean`` made of a function of one frame, which is applied to train and to test. It can be pickled.

    Parameters
    ----------
    function : callable
        DataFrame to DataFrame. Each row must depend on itself alone.

    Raises
    ------
    DataError
        When called, if the function needs a column that the file lacks.
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
            raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
            if missing in frame.columns or f"{os.sep}pandas{os.sep}" not in raised_in:
                raise  # a dictionary of the author's own lacks the key
            raise DataError(
                f"{name}.csv lacks the column {missing!r}, which this competition's clean needs."
                f"{did_you_mean(str(missing), frame.columns)} It has: {listed(frame.columns)}.",
                code="missing-column",
                file=f"{name}.csv",
                column=str(missing),
            ) from error


def find(slug: str) -> Competition:
    """The competition of a slug: its module's ``competition``, or a bare ``Competition(slug=slug)``.

    Parameters
    ----------
    slug : str

    Returns
    -------
    Competition

    Raises
    ------
    UsageError
        If the slug cannot be one, or its module cannot be imported or defines no ``competition``.
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
        raise _broken(slug, error) from error
    found = getattr(module, "competition", None)
    if not isinstance(found, Competition):
        raise UsageError(
            f"{module.__file__} must define competition = Competition(...); got {found!r}.",
            code="broken-module",
            file=str(module.__file__),
        )
    return found


def _broken(slug: str, error: Exception) -> UsageError:
    """A competition module that cannot be imported, with the line in it that failed."""
    path = f"{competitions.folder(slug)}{os.sep}competition.py"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else 1
    return UsageError(
        f"{path}, line {line}: {type(error).__name__}: {error}", code="broken-module", file=path, line=line
    )


def class_columns(columns: Sequence[str], target: str, labels: Sequence[object]) -> list[object] | None:
    """The label of each column, where there is one column per class (``Status_C``, ``Class_1``, ``C``).

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
        A label for each column; None where the columns are not one per class.

    Examples
    --------
    >>> class_columns(["Status_C", "Status_D"], "Status", ["D", "C"])
    ['C', 'D']
    """
    by_text = {str(label): label for label in labels}
    for prefix in (f"{target}_", "", target, os.path.commonprefix(list(columns))):  # noqa: RUF071  # letters, no paths
        named = [by_text.get(column.removeprefix(prefix)) for column in columns if column.startswith(prefix)]
        if len(named) == len(columns) == len(by_text) > 1 and None not in named:
            return named
    return None
