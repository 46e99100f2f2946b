"""Infer the target columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kpipe.core.values import Reason, Tables
from kpipe.core.wording import listed, missing_column_message
from kpipe.errors import DataError
from kpipe.problem.competition import Competition, class_columns
from kpipe.problem.inference.id import submission_columns
from kpipe.problem.inference.step import NOTHING, Step

__all__ = ["infer_target"]

_MAX_FURTHER = 5  # labels of a column that the sample submission may lack, for the column to be suggested


def infer_target(competition: Competition, tables: Tables) -> Step:
    """The columns of train that the sample submission requires predictions of.

    Raises
    ------
    DataError
        If train lacks the stated target, or no column can be the target.
    """
    if competition.target is not None:
        _check_stated(competition, tables)
        return NOTHING
    train, wanted = tables.train.columns, submission_columns(competition, tables)
    if (found := _find_target(competition, tables)) is not None:
        return found
    lacking = [str(name) for name in train if name not in tables.test.columns and name != competition.id]
    which = f" Of its columns, test.csv lacks {listed(lacking)}: the target may be one of them." if lacking else ""
    raise DataError(
        f"No target was found: the sample submission asks for {listed(wanted)}, but train.csv has "
        f"{listed(train)}.{which}{_further_labels(tables, wanted)} Name it with --target COLUMN.",
        code="no-target",
        file="train.csv",
    )


def _further_labels(tables: Tables, wanted: Sequence[str]) -> str:
    """A sentence about a column of train that has the classes of the sample submission, and others."""
    for name in (str(column) for column in tables.train.columns if column not in tables.test.columns):
        labels = tables.train[name].dropna().unique()
        if len(labels) <= len(wanted) + _MAX_FURTHER and len(labels) > len(wanted):
            named = {str(label) for label in labels if f"{name}_{label}" in wanted or str(label) in wanted}
            if len(named) == len(wanted):
                more = listed([str(label) for label in labels if str(label) not in named])
                return (
                    f" The sample has a column for each class of {name} but {more}: if that is another spelling of "
                    "one, convert it in clean."
                )
    return ""


def _find_target(competition: Competition, tables: Tables) -> Step | None:
    train, wanted = tables.train.columns, submission_columns(competition, tables)
    shared = [name for name in wanted if name in train]
    if len(shared) == 1 == len(wanted):
        return {"target": shared[0]}, Reason(text="the column that the sample submission shares with train")
    if len(shared) == len(wanted) > 1:
        return {"target": tuple(shared)}, Reason(text="the columns that the sample submission shares with train")
    only_in_train = [str(column) for column in train if column not in tables.test.columns and column != competition.id]
    empty_in_test = [str(c) for c in train if c != competition.id and _is_empty(tables, str(c))]
    for name in (*only_in_train, *empty_in_test):
        classes = class_columns(wanted, name, list(tables.train[name].dropna().unique()))
        if classes is not None:
            return {"target": name}, Reason(text=_about_classes(wanted, classes))
    if len(only_in_train) == 1 == len(wanted):
        return {"target": only_in_train[0]}, Reason(text="the only column of train that test lacks", guess=True)
    if len(empty_in_test) == 1 == len(wanted):
        return {"target": empty_in_test[0]}, Reason(text="the only column of train that test leaves empty", guess=True)
    return None


def _about_classes(columns: Sequence[str], classes: Sequence[object]) -> str:
    """Why a target is one whose classes are the sample submission's columns."""
    unknown = [column for column, label in zip(columns, classes, strict=True) if label is None]
    if not unknown:
        return "the sample submission's columns are its classes"
    return f"the sample submission's columns are its classes, except that train.csv has no row of {listed(unknown)}"


def _check_stated(competition: Competition, tables: Tables) -> None:
    """Raise DataError for a target that train lacks, or that cannot be what the sample submission asks for."""
    if missing := [name for name in competition.targets if name not in tables.train]:
        raise DataError(
            missing_column_message("train.csv", "the target", missing[0], tables.train.columns),
            code="missing-column",
            file="train.csv",
            column=missing[0],
        )
    wanted, target = submission_columns(competition, tables), competition.targets[0]
    if len(competition.targets) > 1 or target in wanted:
        return
    found = _find_target(replace(competition, target=None), tables)
    meant = found[0]["target"] if found else None
    hint = f" Did you mean --target {meant}?" if isinstance(meant, str) and meant != target else ""
    distinct = tables.train[target].nunique()
    if len(wanted) > 1 and distinct != len(wanted):
        raise DataError(
            f"train.csv: the target {target!r} has {distinct:,} distinct value{'s' * (distinct != 1)} where the sample "
            f"submission asks for {len(wanted)} classes ({listed(wanted)}).{hint}",
            code="target-unsuitable",
            file="train.csv",
            column=target,
        )
    if hint and target in tables.test and not _is_empty(tables, target):
        raise DataError(
            f"test.csv holds the target {target!r}, so there is nothing to predict; the sample submission asks for "
            f"{listed(wanted)}.{hint}",
            code="target-unsuitable",
            file="test.csv",
            column=target,
        )


def _is_empty(tables: Tables, name: str) -> bool:
    """Whether test leaves a column empty that train fills."""
    return name in tables.test and bool(tables.test[name].isna().all()) and bool(tables.train[name].notna().any())
