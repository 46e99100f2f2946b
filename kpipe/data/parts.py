"""Join a table in several files: ``train_1.csv`` and ``train_2.csv``, or the parts in a folder ``train.parquet``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from kpipe.core.wording import listed
from kpipe.data.csv_reader import CsvFile
from kpipe.data.files import SourceFile
from kpipe.errors import DataError

__all__ = ["join_parts", "numbered_parts"]

_NUMBER = re.compile(r"\d+")


def numbered_parts(files: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
    """Files of one folder whose names differ only in a number, in the order of the numbers.

    Parameters
    ----------
    files : sequence of SourceFile

    Returns
    -------
    tuple of SourceFile
        Empty unless there are at least two, and all of them are such parts.
    """
    numbers = {file.path: tuple(int(digits) for digits in _NUMBER.findall(file.path)) for file in files}
    alike = len({_NUMBER.sub("#", file.path) for file in files}) == 1
    if not alike or len(set(numbers.values())) < max(2, len(files)):
        return ()
    return tuple(sorted(files, key=lambda file: numbers[file.path]))


def join_parts(role: str, parts: Sequence[CsvFile]) -> CsvFile:
    """Concatenate the rows of all parts.

    Parameters
    ----------
    role : str
        What the table is, for messages.
    parts : sequence of CsvFile

    Returns
    -------
    CsvFile
        Under the name of the first part.

    Raises
    ------
    DataError
        The parts have different columns.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    for other in parts[1:]:
        if different := sorted(set(first.header) ^ set(other.header)):
            raise DataError(
                f"{first.name} and {other.name} may both be {role}, but are not parts of one table: only one of them "
                f"has {listed(different)}. Name one file with --{role} FILE.",
                code="ambiguous-files",
                file=first.name,
            )
    columns = {
        name: pa.chunked_array([chunk for part in parts for chunk in part.columns[name].chunks], pa.string())
        for name in first.header
    }
    note = (
        f"{listed([part.name for part in parts])} are read as one table, {role}, of "
        f"{sum(part.rows for part in parts):,} rows. To read only one of them: --{role} FILE."
    )
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    return replace(
        first,
        rows=sum(part.rows for part in parts),
        columns=columns,
        appended=tuple(parts[1:]),
        notes=(*notes, note),
    )
