"""Single cells that do not fit their column: infinite numbers, and text in a column of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from kpipe.data.csv_reader import CsvFile
from kpipe.data.dtypes import TypedColumn
from kpipe.data.numbers import NumberFormat
from kpipe.errors import DataError

__all__ = ["check_finite", "check_numbers"]

# A column of at least 50 values, all numbers except at most 3 (1 %), is a column of numbers.
_MIN_VALUES, _MAX_STRAYS, _SHARE_OF_NUMBERS = 50, 3, 0.99
_BATCH = 4096  # cells converted to Python strings at a time: the first few often decide


def check_finite(
    files: Mapping[str, CsvFile],
    name: str,
    typed: Mapping[str, TypedColumn],
    raw: Mapping[str, pa.ChunkedArray],
) -> None:
    """Raise an error for an infinite number.

    Parameters
    ----------
    files : mapping of role to CsvFile
        Files that have the column.
    name : str
        The column.
    typed, raw : mapping of role to TypedColumn and pyarrow.ChunkedArray
        Its values and its text in each file.

    Raises
    ------
    DataError
        The message names file, line, column and cell.
    """
    for role, column in typed.items():
        if column.kind != "float":
            continue
        row = pc.index(pc.is_inf(column.values), True).as_py()
        if row >= 0:
            raise DataError(
                f"{_place(files[role], row)}: {name!r} must hold finite numbers; got {raw[role][row].as_py()!r}. "
                "Fix the cell, or leave it empty."
            )


def check_numbers(files: Mapping[str, CsvFile], name: str, typed: Mapping[str, TypedColumn]) -> None:
    """Raise an error for text in a column of numbers.

    A column is one of numbers if the other file has numbers only, at least as many as this file has text; or if nearly
    all of this file's cells are numbers. (One row of test whose ticket happens to be a number proves nothing against
    hundreds of tickets with letters.)

    Parameters
    ----------
    files : mapping of role to CsvFile
        Files that have the column.
    name : str
        The column.
    typed : mapping of role to TypedColumn
        Its values in each file.

    Raises
    ------
    DataError
        The message names file, line, column and cell.
    """
    numbers = sum(column.present for column in typed.values() if column.kind in ("int", "float"))
    for role, column in typed.items():
        if column.kind != "text" or (len(typed) > 1 and not numbers):
            continue
        few = min(_MAX_STRAYS, (1 - _SHARE_OF_NUMBERS) * column.present) if column.present >= _MIN_VALUES else 0
        rows = _rows_of_text(column.values, most=max(numbers, int(few)))
        if rows and NumberFormat.of(column.values.to_pandas()) is not None:
            continue  # the numbers are written as people do, such as 1,234
        if rows and (len(rows) <= numbers or (len(typed) == 1 and len(rows) <= few)):
            raise DataError(
                f"{_place(files[role], rows[0])}: {name!r} must hold numbers; got {column.values[rows[0]].as_py()!r}. "
                f'Fix the cell, or read the column as text with text=["{name}"] (--text {name}).'
            )


def _place(file: CsvFile, row: int) -> str:
    return f"{file.name}, line {file.line(row)}"


def _rows_of_text(values: pa.ChunkedArray, *, most: int) -> list[int]:
    """Rows whose cells are not numbers; stops after ``most`` + 1 of them, since the column is text then."""
    cells = enumerate(cell for chunk in values.chunks for part in _batches(chunk) for cell in part.to_pylist())
    return list(itertools.islice((row for row, cell in cells if cell is not None and not _is_number(cell)), most + 1))


def _batches(chunk: pa.StringArray) -> Iterator[pa.StringArray]:
    return (chunk[start : start + _BATCH] for start in range(0, len(chunk), _BATCH))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
