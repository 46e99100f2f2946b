"""Clean up spreadsheet exports: empty rows and columns, totals, repeated headers, decimal commas."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.core.wording import listed
from kpipe.data.csv_reader import CsvFile

__all__ = ["tidy"]

_SAMPLED = 1000  # cells that decide whether a column has decimal commas
_MAX_TOTALS = 3  # rows of totals, such as sum and mean
_TOTALS = frozenset(
    "total|totals|grand total|subtotal|sum|average|mean|summe|gesamt|mittelwert|total general|somme|moyenne|suma"
    "|promedio|soma|totale|media|totaal|suma ogółem|итого|всего|合計|合计|总计|합계".split("|")
)
_UNNAMED = re.compile(r"Unnamed: \d+")
_COMMA = r"^\s*([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)\s*$"
_COMMA_CELL = re.compile(_COMMA)
_NUMBER_CELL = re.compile(r"\s*[+-]?\d*(,\d+)?([eE][+-]?\d+)?\s*")
_NUMBER_OR_POINT = re.compile(r"\s*[+-]?\d+([.,]\d+)?\s*")
_POINT_CELL = re.compile(r"\s*[+-]?\d*\.\d+\s*")


def tidy(file: CsvFile) -> CsvFile:
    """Remove empty rows, unnamed empty columns, repeated headers and totals, and replace decimal commas.

    Decimal commas are possible only if commas do not separate the cells.

    Parameters
    ----------
    file : CsvFile

    Returns
    -------
    CsvFile
        With a note on each change.
    """
    return _with_decimal_points(_without_totals(_without_headers(_without_empty_columns(_without_empty_rows(file)))))


def _without_empty_rows(file: CsvFile) -> CsvFile:
    """Remove rows at the end without any value, as Excel writes them."""
    rows = file.rows
    while rows and len(file.header) > 1 and all(not file.columns[name][rows - 1].as_py() for name in file.header):
        rows -= 1
    if rows == file.rows:
        return file
    note = f"{file.name}: the last {file.rows - rows:,} rows are empty and are ignored."
    columns = {name: cells.slice(0, rows) for name, cells in file.columns.items()}
    return replace(file, rows=rows, columns=columns, notes=(*file.notes, note))


def _without_headers(file: CsvFile) -> CsvFile:
    """Remove repeated headers, which concatenated files have."""
    name = file.header[0]
    if len(file.header) < 2 or pc.index(file.columns[name], name).as_py() < 0:
        return file
    same = np.all([pc.equal(file.columns[name], name).to_numpy() for name in file.header], axis=0)
    if not same.any():
        return file
    rows = np.flatnonzero(same)
    note = f"{file.place(int(rows[0]))}: the header is repeated, in {len(rows):,} rows in all; they are ignored."
    return replace(file.take(np.flatnonzero(~same)), notes=(*file.notes, note))


def _without_totals(file: CsvFile) -> CsvFile:
    """Remove rows at the end that a word marks as sums or means of the columns."""
    rows = file.rows
    while rows and file.rows - rows < _MAX_TOTALS and _is_total(file, rows - 1):
        rows -= 1
    if rows in (0, file.rows):
        return file
    note = f"{file.place(rows)}: the last {file.rows - rows} rows are totals and are ignored."
    if file.rows - rows == 1:
        note = f"{file.place(rows)}: the last row holds totals and is ignored."
    columns = {name: cells.slice(0, rows) for name, cells in file.columns.items()}
    return replace(file, rows=rows, columns=columns, notes=(*file.notes, note))


def _is_total(file: CsvFile, row: int) -> bool:
    """Whether the first cell of a row is a word such as "Total" that is not a category of its column."""
    name = next((name for name in file.header if file.columns[name][row].as_py().strip()), None)
    if name is None or (word := file.columns[name][row].as_py()).strip().rstrip(":").lower() not in _TOTALS:
        return False
    above = file.columns[name].slice(0, max(0, row - _MAX_TOTALS))
    if len(above) == 0 or pc.index(above, word).as_py() >= 0:
        return False
    numbers = sum(map(bool, map(_NUMBER_OR_POINT.fullmatch, above.slice(0, _SAMPLED).to_pylist())))
    empty = [name for name in file.header if not file.columns[name][row].as_py().strip()]
    filled = [name for name in empty if all(cell.strip() for cell in file.columns[name].slice(0, 50).to_pylist())]
    return numbers > 0.9 * min(len(above), _SAMPLED) or bool(filled)


def _without_empty_columns(file: CsvFile) -> CsvFile:
    """Remove empty columns without a name, which a delimiter at the end of each line creates."""
    empty = [name for name in file.header if _UNNAMED.fullmatch(name) and _is_empty(file.columns[name])]
    if not empty or len(empty) == len(file.header):
        return file
    note = f"{file.name}: {len(empty)} column{'s' * (len(empty) > 1)} without a name and without values ignored."
    return replace(file.without({*empty}), notes=(*file.notes, note))


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
    note = f"{file.name}: the comma is the decimal mark in {listed(changed)}; to read text instead: --text COLUMN."
    return replace(file, columns=columns, notes=(*file.notes, note))


def _has_decimal_commas(cells: pa.ChunkedArray, file: CsvFile) -> bool:
    """Whether a column's first cells are numbers, some with a comma that is not a thousands separator."""
    seen = [cell for cell in cells.slice(0, _SAMPLED).to_pylist() if cell.strip()]
    commas = [cell for cell in seen if _COMMA_CELL.match(cell)]
    if not commas or sum(map(bool, map(_NUMBER_CELL.fullmatch, seen))) < 0.9 * len(seen):
        return False
    return not all(re.fullmatch(r"\s*[+-]?[1-9]\d{0,2},\d{3}\s*", cell) for cell in commas) or not _has_points(file)


def _has_points(file: CsvFile) -> bool:
    """Whether a column of the file has decimal points."""
    firsts = (file.columns[name].slice(0, 20).to_pylist() for name in file.header)
    return any(_POINT_CELL.fullmatch(cell) for cells in firsts for cell in cells)
