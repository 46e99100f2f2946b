"""The bytes of a CSV file → its cells as text, or an error that names the line.

Every cell is read as text; ``kpipe.data.frames`` decides dtypes from the text. So an id keeps its leading zeros, and
the one cell that is not a number can be named with its line.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.csv

from kpipe.errors import DataError

__all__ = ["CsvFile", "parse_csv"]

_BLOCK = 16 << 20  # bytes a thread parses at a time: smaller ones give each of 785 columns a hundred small chunks
_MAX_BLOCK = 2**31 - 1  # bytes; pyarrow keeps a block's size in an int32
_MAX_COLUMNS = 100_000  # 2 cores take 6 s for so many
_MAX_CELL = 1 << 30  # characters; Python's default refuses cells above 128 KiB, such as long texts
_BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # a terminal that shows such a name would obey them


@dataclass(frozen=True)
class CsvFile:
    """A CSV file whose cells are text.

    Attributes
    ----------
    name : str
        Base name, for messages.
    content : bytes
        UTF-8 without a byte order mark.
    header : list of str
        Column names in the order of the file.
    rows : int
        Number of rows below the header.
    columns : dict of str to pyarrow.ChunkedArray
        (rows,) strings each. ``kpipe.data.frames.to_frames`` removes a column once it has its values, to free memory.
    """

    name: str
    content: bytes
    header: list[str]
    rows: int
    columns: dict[str, pa.ChunkedArray]

    def line(self, row: int) -> int:
        """Line of the file, counted from 1, on which a row ends.

        Parameters
        ----------
        row : int
            Row below the header, counted from 0.

        Returns
        -------
        int
        """
        reader = _reader(self.content)
        ends = (reader.line_num for cells in reader if cells)
        return next(end for number, end in enumerate(ends) if number == row + 1)


def parse_csv(name: str, raw: bytes) -> CsvFile:
    """A CSV file's cells as text.

    Parameters
    ----------
    name : str
        Base name, for messages.
    raw : bytes
        Content of the file: UTF-8 with or without a byte order mark, or cp1252; any line ends.

    Returns
    -------
    CsvFile

    Raises
    ------
    DataError
        The file is not a table; the message names the line.
    """
    content = _decode(name, raw)
    written, header = _read_header(name, content)
    if b'"' in content and content.count(b'"') % 2:  # counting none takes six times as long as finding none
        _check_quotes_closed(name, content)
    whole = min(len(content), _MAX_BLOCK)
    # pyarrow 26 loses the line feed of a quoted "\r\n" that lies across two blocks: such a file is one block.
    block = whole if b'"' in content and b"\r\n" in content else _BLOCK
    try:
        try:
            table = _read_cells(content, written, block=block)
        except pa.ArrowInvalid:  # perhaps a row is longer than a block
            table = _read_cells(content, written, block=whole)
    except pa.ArrowInvalid as error:
        raise _malformed(name, content, len(header), error) from error
    return CsvFile(name, content, header, table.num_rows, dict(zip(header, table.columns, strict=True)))


def _read_cells(content: bytes, written: list[str], *, block: int) -> pa.Table:
    return pa.csv.read_csv(
        pa.BufferReader(content),
        read_options=pa.csv.ReadOptions(block_size=block),
        parse_options=pa.csv.ParseOptions(newlines_in_values=b'"' in content),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(written, pa.string()), strings_can_be_null=False
        ),
    )


def _decode(name: str, raw: bytes) -> bytes:
    """UTF-8 without a byte order mark; carriage returns that end lines alone become line feeds."""
    content = raw
    while content.startswith(_BOM):  # pyarrow would silently strip a second one off the first column's name
        content = content[len(_BOM) :]
    if b"\0" in content:
        raise DataError(f"{name} contains NUL bytes: it is not a CSV file, or it is UTF-16. Save it as UTF-8.")
    if not content.isascii():
        try:
            content.decode()
        except UnicodeDecodeError:
            content = content.decode("cp1252", errors="replace").encode()
    if b"\n" not in content:  # pyarrow ignores a header whose line does not end
        content = content.replace(b"\r", b"\n") + b"\n"
    return content


def _reader(content: bytes) -> Any:
    csv.field_size_limit(_MAX_CELL)
    return csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline=""))


def _read_header(name: str, content: bytes) -> tuple[list[str], list[str]]:
    """Column names as they are in the file, and as kpipe uses them."""
    if not content[:4096].strip() and not content.strip():
        raise DataError(f"{name} is empty. It must hold a header and rows: replace it with the competition's file.")
    first: list[str] = next((cells for cells in _reader(content) if cells), [])
    header = [cell.strip() or f"Unnamed: {number}" for number, cell in enumerate(first)]
    _check_header(name, header)
    return first, header


def _check_header(name: str, header: list[str]) -> None:
    if len(header) > _MAX_COLUMNS:
        raise DataError(
            f"{name}, line 1: the header has {len(header):,} columns; kpipe reads at most {_MAX_COLUMNS:,}. "
            "Is it a table with one row per line?"
        )
    seen: set[str] = set()
    for cell in header:
        if cell in seen:
            raise DataError(f"{name}, line 1: the header names the column {cell!r} twice. Rename one of them.")
        if _CONTROL.search(cell):
            raise DataError(f"{name}, line 1: the column name {cell!r} contains control characters. Rename it.")
        seen.add(cell)


def _check_quotes_closed(name: str, content: bytes) -> None:
    """Raise DataError if the last cell is an open quote, which would swallow the rest of the file."""
    last, start = [""], 1
    reader = _reader(content + b"\nend")
    for cells in reader:
        last, start, line = cells, reader.line_num + 1, start
    if last != ["end"]:
        raise DataError(
            f"{name}, line {line}: a quoted cell starts here and never ends. Close the quote; if the file is cut "
            "short, download it again."
        )


def _malformed(name: str, content: bytes, expected: int, error: Exception) -> DataError:
    """The error that names the first line with too many or too few cells."""
    reader = _reader(content)
    try:
        for cells in reader:
            if cells and len(cells) != expected:
                return DataError(
                    f"{name}, line {reader.line_num}: the header has {expected} cells, this row has {len(cells)}. Fix "
                    "the row (quote cells that contain commas); if it is the last one and cut short, download the "
                    "file again."
                )
    except csv.Error as wrong:
        return DataError(f"{name}, line {reader.line_num}: {wrong}. Fix this line.")
    return DataError(f"{name} cannot be read as CSV: {error}. Save it as comma-separated text in UTF-8.")
