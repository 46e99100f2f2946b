"""What spreadsheets leave in a file and no one means: empty rows and columns at the end, decimal commas."""

from __future__ import annotations

import re
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from kpipe.core.wording import listed
from kpipe.data.csv_reader import CsvFile

__all__ = ["tidy"]

_SAMPLED = 1000  # cells that decide whether a column has decimal commas
_UNNAMED = re.compile(r"Unnamed: \d+")
_COMMA = r"^\s*([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)\s*$"
_COMMA_CELL = re.compile(_COMMA)
_NUMBER_CELL = re.compile(r"\s*[+-]?\d*(,\d+)?([eE][+-]?\d+)?\s*")
_POINT_CELL = re.compile(r"\s*[+-]?\d*\.\d+\s*")


def tidy(file: CsvFile) -> CsvFile:
    """A file without empty rows and unnamed empty columns at its end, and with decimal points.

    Decimal commas are looked for only where commas do not separate the cells.

    Parameters
    ----------
    file : CsvFile

    Returns
    -------
    CsvFile
        With a note on each change.
    """
    return _with_decimal_points(_without_empty_columns(_without_empty_rows(file)))


def _without_empty_rows(file: CsvFile) -> CsvFile:
    """Excel writes rows of nothing but delimiters."""
    rows = file.rows
    while rows and len(file.header) > 1 and all(not file.columns[name][rows - 1].as_py() for name in file.header):
        rows -= 1
    if rows == file.rows:
        return file
    note = f"{file.name}: the last {file.rows - rows:,} rows are empty and are left out."
    columns = {name: cells.slice(0, rows) for name, cells in file.columns.items()}
    return replace(file, rows=rows, columns=columns, notes=(*file.notes, note))


def _without_empty_columns(file: CsvFile) -> CsvFile:
    """A delimiter at the end of each line makes a column without a name and without a value."""
    empty = [name for name in file.header if _UNNAMED.fullmatch(name) and _is_empty(file.columns[name])]
    if not empty or len(empty) == len(file.header):
        return file
    header = [name for name in file.header if name not in set(empty)]
    note = f"{file.name}: {len(empty)} column{'s' * (len(empty) > 1)} without a name and without a value left out."
    columns = {name: file.columns[name] for name in header}
    return replace(file, header=header, columns=columns, notes=(*file.notes, note))


def _is_empty(cells: pa.ChunkedArray) -> bool:
    if len(cells) and cells[0].as_py():
        return False
    return not pc.any(pc.not_equal(cells, "")).as_py()


def _with_decimal_points(file: CsvFile) -> CsvFile:
    if file.dialect.delimiter == "," or not file.content:
        return file
    changed = [name for name in file.header if _has_decimal_commas(file.columns[name], file)]
    if not changed:
        return file
    columns = dict(file.columns)
    for name in changed:
        columns[name] = pc.replace_substring_regex(columns[name], _COMMA, r"\1.\2")
    note = f"{file.name}: the comma is the decimal mark in {listed(changed)}; for text: --text COLUMN."
    return replace(file, columns=columns, notes=(*file.notes, note))


def _has_decimal_commas(cells: pa.ChunkedArray, file: CsvFile) -> bool:
    """Whether the first cells of a column are numbers, some of them with a comma that does not group thousands."""
    seen = [cell for cell in cells.slice(0, _SAMPLED).to_pylist() if cell.strip()]
    commas = [cell for cell in seen if _COMMA_CELL.match(cell)]
    if not commas or sum(map(bool, map(_NUMBER_CELL.fullmatch, seen))) < 0.9 * len(seen):
        return False
    return not all(re.fullmatch(r"\s*[+-]?[1-9]\d{0,2},\d{3}\s*", cell) for cell in commas) or not _has_points(file)


def _has_points(file: CsvFile) -> bool:
    """Whether a column of the file has decimal points."""
    firsts = (file.columns[name].slice(0, 20).to_pylist() for name in file.header)
    return any(_POINT_CELL.fullmatch(cell) for cells in firsts for cell in cells)
