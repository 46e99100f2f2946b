"""The true targets of the test rows, supplied by the user: matched to the submission by id, never by position."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kpipe.core.wording import listed, missing_column_message
from kpipe.data.column_names import plain_name
from kpipe.data.csv_reader import CsvFile
from kpipe.data.dtypes import strictest
from kpipe.data.numbers import NumberFormat
from kpipe.data.single_table import MISSING, numbers_of, read_table
from kpipe.errors import DataError
from kpipe.problem.competition import class_columns
from kpipe.problem.joined_ids import with_joined_id
from kpipe.problem.problem import Problem
from kpipe.problem.submission_file import spelled_alike
from kpipe.problem.vocabulary import labels_of_sample

__all__ = ["Answers", "read_answers"]

_USAGES = ("public", "private", "ignored")
_TRUTH = {"true": 1.0, "false": 0.0}  # a target that is one of several


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The answers to some or all rows of a submission.

    Attributes
    ----------
    rows : (r,) int
        Positions in the sample submission.
    y : (r,) or (r, targets)
        Class codes or values, as ``Problem.y``.
    usage : (r,) str or None
        "public" or "private", where the file says which part of the leaderboard a row belongs to.
    notes : tuple of str
        Sentences for the user.
    """

    rows: np.ndarray
    y: np.ndarray
    usage: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def read_answers(file: Path, problem: Problem) -> Answers:
    """The answers in a table: an id and the target, or a column for each class; Kaggle's ``Usage`` may be beside them.

    Parameters
    ----------
    file : Path
    problem : Problem

    Returns
    -------
    Answers

    Raises
    ------
    DataError
        If the table lacks a column, repeats an id, holds the answers to other rows, or labels that train.csv lacks.
    """
    table = read_table(file)
    rows = _rows_of(table, problem)
    usage = _usage(table, problem)
    y = _targets(table, problem)
    scored = ~np.isnan(y.astype(np.float64)).reshape(len(y), -1).all(axis=1)
    if usage is not None:
        scored &= usage != "ignored"
    if not scored.any():
        raise DataError(
            f"{table.name} holds no answers: the target is empty, or not scored, in all of its rows.",
            code="broken-table",
            file=table.name,
        )
    order = np.flatnonzero(scored)[np.argsort(rows[scored])]
    known = y[order] if np.isnan(y.astype(np.float64)).any() else y[order].astype(problem.y.dtype)
    left = len(problem.tables.sample) - len(order)
    note = f"{left:,} of the submission's {len(problem.tables.sample):,} rows have no answer, and are not scored."
    return Answers(
        rows=rows[order],
        y=known if problem.labels is None else known.astype(np.int64),
        usage=None if usage is None else usage[order],
        notes=(note,) if left else (),
    )


def _error(table: CsvFile, row: int, message: str, *, column: str, code: str | None = None) -> DataError:
    """The error of a cell: the message begins with its line."""
    place, line = table.place(row), table.line(row)
    return DataError(f"{place}: {message}", code=code, file=table.name, column=column, line=line)


def _rows_of(table: CsvFile, problem: Problem) -> np.ndarray:
    """(r,) the position of each answer's id in the sample submission."""
    ids, wanted = _ids(table, problem), problem.tables.sample[problem.id].astype(str)
    if (twice := np.flatnonzero(ids.duplicated())).size:
        message = f"the id {ids[twice[0]]} repeats. Keep one answer for each id."
        raise _error(table, int(twice[0]), message, column=problem.id, code="repeated-ids")
    rows = pd.Index(wanted).get_indexer(pd.Index(ids))
    if (rows < 0).all():  # 892.0 is 892 where no id is written alike
        plain, plain_wanted = (one.str.replace(r"\.0+$", "", regex=True) for one in (ids, wanted))
        rows = pd.Index(plain_wanted).get_indexer(pd.Index(plain)) if plain_wanted.is_unique else rows
    absent = np.flatnonzero(rows < 0)
    if len(absent) == len(ids):
        raise DataError(
            f"{table.name} holds the answers to other rows: none of its {len(ids):,} ids, such as {ids[0]}, is among "
            f"those of the sample submission, such as {wanted.iloc[0]}.",
            code="unmatched-ids",
            file=table.name,
        )
    if len(absent):
        message = (
            f"the id {ids[absent[0]]} is not in the sample submission ({len(absent):,} of {len(ids):,} are not). Use "
            "the answers that belong to these files (--data)."
        )
        raise _error(table, int(absent[0]), message, column=problem.id, code="unmatched-ids")
    return rows


def _ids(table: CsvFile, problem: Problem) -> pd.Series:
    parts = problem.tables.id_parts
    names = {plain_name(name): name for name in table.header}
    if parts and all(plain_name(part) in names for part in parts):
        frame = pd.DataFrame({part: table.columns[names[plain_name(part)]].to_pandas().str.strip() for part in parts})
        return with_joined_id(frame, problem.id, parts)[problem.id].astype(str)
    id = names.get(plain_name(problem.id)) if problem.id not in table.header else problem.id
    if id is None:
        raise DataError(
            missing_column_message(table.name, "the id column", problem.id, table.header),
            code="missing-column",
            file=table.name,
        )
    return table.columns[id].to_pandas().astype(str).str.strip()


def _usage(table: CsvFile, problem: Problem) -> np.ndarray | None:
    """(r,) "public", "private" or "ignored"; None where the table does not say it."""
    name = next((one for one in table.header if plain_name(one) == "usage" and one not in problem.targets), None)
    if name is None:
        return None
    usage = table.columns[name].to_pandas().str.strip().str.lower()
    if (wrong := np.flatnonzero(~usage.isin(_USAGES))).size:
        got = table.columns[name][int(wrong[0])].as_py()
        message = f"{name!r} must be Public, Private or Ignored; got {got!r:.100}."
        raise _error(table, int(wrong[0]), message, column=name)
    return usage.to_numpy(dtype=object)


def _targets(table: CsvFile, problem: Problem) -> np.ndarray:
    """(r,) or (r, targets) class codes or values, NaN where a cell is empty."""
    found = _columns(table, problem)
    if len(found) > 1 and len(problem.targets) == 1:
        return _from_classes(table, problem, found)
    columns = [_target(table, name, problem) for name in found]
    return columns[0] if len(columns) == 1 else np.column_stack(columns)


def _columns(table: CsvFile, problem: Problem) -> list[str]:
    """The columns that hold the answers: the targets, those of the submission, or the only one that is left."""
    names = {plain_name(name): name for name in table.header} | {name: name for name in table.header}
    for wanted in (problem.targets, problem.submission_columns):
        found = [names.get(name, names.get(plain_name(name))) for name in wanted]
        if all(name is not None for name in found):
            return [str(name) for name in found]
    others = {plain_name(name) for name in (problem.id, "usage", *problem.tables.id_parts)}
    left = [name for name in table.header if plain_name(name) not in others]
    if len(left) == 1 == len(problem.targets):
        return left
    raise DataError(
        f"{table.name} must hold the answers in {listed(problem.targets)}; its columns are {listed(table.header)}.",
        code="missing-column",
        file=table.name,
    )


def _target(table: CsvFile, name: str, problem: Problem) -> np.ndarray:
    """(r,) the codes of labels, or values; NaN where a cell is empty."""
    if problem.labels is None:
        return _numbers(table, name)
    text = table.columns[name].to_pandas()
    codes = np.full(len(text), np.nan)
    for written in _spellings(problem, name, strictest(table.columns[name]).values.to_pandas()):
        found = spelled_alike(text, written).map({label: code for code, label in enumerate(written)})
        codes = np.where(np.isnan(codes), found.to_numpy(dtype=np.float64), codes)
    if (wrong := np.flatnonzero(np.isnan(codes) & (text.str.strip() != ""))).size:
        known = listed(map(str, problem.labels))
        message = f"{name!r} is {text[wrong[0]]!r:.100}, which is no label of train.csv ({known})."
        raise _error(table, int(wrong[0]), message, column=name)
    return codes


def _spellings(problem: Problem, name: str, values: pd.Series) -> Iterator[list[Hashable]]:
    """The labels in the order of their codes: as train writes them, the sample submission, and the answers' values."""
    assert problem.labels is not None  # the caller ensures it
    yield list(problem.labels)
    if problem.metric.needs == "label":
        yield list(problem.labels_in(problem.submission_columns[0]))
    yield list(labels_of_sample(problem.labels, values, (problem.targets[0], name)))


def _numbers(table: CsvFile, name: str) -> np.ndarray:
    """(r,) numbers, also as people write them (1,234 or $5), if one form reads all of them."""
    try:
        return numbers_of(table, name).to_numpy()
    except DataError:
        text = table.columns[name].to_pandas()
        if text.str.lower().isin(_TRUTH).all():
            return text.str.lower().map(_TRUTH).to_numpy(dtype=np.float64)
        form = NumberFormat.of(text)
        numbers = None if form is None else form.parse(text)
        if numbers is None or bool((numbers.isna() & ~text.str.strip().isin(MISSING)).any()):
            raise
        return numbers.to_numpy(dtype=np.float64)


def _from_classes(table: CsvFile, problem: Problem, columns: Sequence[str]) -> np.ndarray:
    """(r,) codes of the classes, of which each has a column that is 1 in its rows and 0 in all others."""
    assert problem.labels is not None  # several columns of one target are its classes
    per_class = class_columns(problem.submission_columns, problem.targets[0], list(problem.labels))
    values = np.column_stack([numbers_of(table, name).to_numpy() for name in columns])
    if (wrong := np.flatnonzero((values.sum(axis=1) != 1) | (values.max(axis=1) != 1))).size or per_class is None:
        place = table.place(wrong[0]) if wrong.size else table.name
        raise DataError(
            f"{place}: of the columns {listed(columns)}, one must be 1, the true class, and all others 0.",
            code="broken-table",
        )
    codes = pd.Index(problem.labels.astype(str)).get_indexer(pd.Index(map(str, per_class)))
    found = codes[values.argmax(axis=1)]
    if (unknown := np.flatnonzero(found < 0)).size:
        column = columns[values[unknown[0]].argmax()]
        message = f"the true class is {column}, of which train.csv has no row: kpipe cannot score it."
        raise _error(table, int(unknown[0]), message, column=column)
    return found.astype(np.float64)
