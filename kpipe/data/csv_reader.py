"""Parse a CSV file into cells of text, or raise an error that names the line.

Dtypes are decided later, in ``kpipe.data.frames``, so that an id keeps its leading zeros and an error can name the line
of the one cell that is not a number.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from kpipe.core.wording import listed
from kpipe.data.dialects import COMMAS, MAX_CELL, Dialect, sniff_dialect
from kpipe.data.encodings import UTF8, DecodedText, decode
from kpipe.errors import DataError

__all__ = ["CsvFile", "parse_csv", "unique_names"]

_BLOCK = 16 << 20  # bytes a thread parses at a time: smaller blocks split each of 785 columns into hundreds of chunks
_MAX_BLOCK = 2**31 - 1  # bytes; pyarrow keeps a block's size in an int32
_MAX_COLUMNS = 200_000  # a table of genes or words may have 100,000 columns
_BLANK_LINE = re.compile(rb"^\s*\n|\r(?!\n)|\n\r?\n")  # or a line end that may stand inside a cell
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # a terminal would interpret them


@dataclass(frozen=True)
class CsvFile:
    """A table whose cells are text: a CSV file, or a file of another format converted to one.

    Attributes
    ----------
    name : str
        Base name, for messages.
    content : bytes
        UTF-8 without a byte order mark; empty for a format that is not text.
    header : list of str
        Column names in the order of the file.
    rows : int
        Number of rows below the header.
    columns : dict of str to pyarrow.ChunkedArray
        (rows,) strings each. ``kpipe.data.frames.to_frames`` removes a column once it has its values, to free memory.
    dialect : Dialect
        How the file separates its cells.
    encoding : str
        Python's name of the file's encoding.
    notes : tuple of str
        Sentences for the user about how the file was read.
    kept : ndarray or None
        (rows,) positions in the file, if rows were left out; None if all rows are kept in order.
    appended : tuple of CsvFile
        Files whose rows follow those of this one.
    """

    name: str
    content: bytes
    header: list[str]
    rows: int
    columns: dict[str, pa.ChunkedArray]
    dialect: Dialect = COMMAS
    encoding: str = UTF8
    notes: tuple[str, ...] = ()
    kept: np.ndarray | None = None
    appended: tuple[CsvFile, ...] = ()

    def line(self, row: int) -> int:
        """Line of the file, counted from 1, on which a row ends; the number of the row where the file is not text.

        Parameters
        ----------
        row : int
            Row below the header, counted from 0; not one of ``appended``, see ``where``.

        Returns
        -------
        int
        """
        row = row if self.kept is None else int(self.kept[row])
        if not self.content:
            return row + 1
        first = self.dialect.lines_before
        if b'"' not in self.content and not _BLANK_LINE.search(self.content):
            return row + 2 + first
        reader = _reader(self.content, self.dialect)
        ends = (reader.line_num for cells in reader if cells)
        return first + next(end for number, end in enumerate(ends) if number == row + 1)

    def take(self, rows: np.ndarray) -> CsvFile:
        """Some rows of the file, which keep their lines for messages.

        Parameters
        ----------
        rows : ndarray of int
            Ascending.

        Returns
        -------
        CsvFile
        """
        indices = pa.array(rows)
        columns = {name: cells.take(indices) for name, cells in self.columns.items()}
        starts = np.cumsum([self._own_rows, *(file.rows for file in self.appended)])[:-1]
        own, *further = np.split(rows, np.searchsorted(rows, starts))
        parts = zip(self.appended, further, starts, strict=True)
        return replace(
            self,
            rows=len(rows),
            columns=columns,
            kept=own if self.kept is None else self.kept[own],
            appended=tuple(file.take(some - start) for file, some, start in parts),
        )

    def without(self, names: Collection[str]) -> CsvFile:
        """The file without some columns.

        Parameters
        ----------
        names : collection of str

        Returns
        -------
        CsvFile
        """
        header = [name for name in self.header if name not in names]
        return replace(self, header=header, columns={name: self.columns[name] for name in header})

    @property
    def _own_rows(self) -> int:
        """Number of rows before those of ``appended``."""
        return self.rows - sum(file.rows for file in self.appended)

    def place(self, row: int) -> str:
        """Return the file and line of a row, for messages.

        Parameters
        ----------
        row : int
            Row below the header, counted from 0.

        Returns
        -------
        str
        """
        where = self.where(row)
        return f"{where['file']}, " + (f"line {where['line']}" if "line" in where else f"row {where['row']}")

    def where(self, row: int) -> dict[str, Any]:
        """Return the file that a row was read from and its position there, as keyword arguments of an error.

        Parameters
        ----------
        row : int
            Row below the header, counted from 0.

        Returns
        -------
        dict
            ``file``, ``row`` (counted from 1) and, for a text file, ``line``.
        """
        own = self._own_rows
        for file in self.appended if row >= own else ():
            if row < own + file.rows:
                return file.where(row - own)
            own += file.rows
        line = self.line(row)
        if not self.content:
            return {"file": self.name, "row": line}
        return {"file": self.name, "row": 1 + (row if self.kept is None else int(self.kept[row])), "line": line}


def parse_csv(name: str, raw: bytes | DecodedText) -> CsvFile:
    """Parse a CSV file into cells of text.

    Parameters
    ----------
    name : str
        Base name, for messages.
    raw : bytes or DecodedText
        Content of the file, in any encoding that ``kpipe.data.encodings`` detects, with any line endings, and with
        commas, semicolons, tabs or vertical bars between cells.

    Returns
    -------
    CsvFile

    Raises
    ------
    DataError
        The file is not a table; the message names the line.
    """
    text = raw if isinstance(raw, DecodedText) else decode([name], [raw])[0]
    content = text.content
    if b"\n" not in content:  # pyarrow ignores a header without a line ending
        content = content.replace(b"\r", b"\n") + b"\n"
    dialect = sniff_dialect(content)
    content = _with_named_cells(content, dialect)
    written, header = _read_header(name, content, dialect)
    if b'"' in content and content.count(b'"') % 2:  # counting none takes six times as long as finding none
        _check_quotes_closed(name, content, dialect)
    whole = min(len(content), _MAX_BLOCK)
    # pyarrow 26 loses the line feed of a quoted "\r\n" at the border of two blocks: read such a file as one block.
    block = whole if b'"' in content and b"\r\n" in content else _BLOCK
    try:
        try:
            table = _read_cells(content, written, dialect, block=block)
        except pa.ArrowInvalid:  # a row may be longer than a block
            table = _read_cells(content, written, dialect, block=whole)
    except pa.ArrowInvalid as error:
        raise _malformed_error(name, content, dialect, len(header), error) from error
    return CsvFile(
        name,
        content,
        header,
        table.num_rows,
        dict(zip(header, table.columns, strict=True)),
        dialect=dialect,
        encoding=text.encoding,
        notes=tuple(_notes(name, written, header, dialect, text.encoding)),
    )


def _notes(name: str, written: list[str], header: list[str], dialect: Dialect, encoding: str) -> Iterator[str]:
    """Yield sentences for the user about how the file was read."""
    if encoding != UTF8:
        known = encoding.startswith("utf")
        doubt = "" if known else ", detected from its text; if names or cells look wrong, save the file as UTF-8"
        yield f"{name} is read as {encoding}{doubt}."
    if dialect.delimiter != "," and not name.lower().endswith((".tsv", ".tab")):
        yield f"{name}: cells are separated by {dialect.name}."
    if dialect.lines_before and not dialect.is_stated:
        yield f"{name}: the header is on line {dialect.lines_before + 1}; the lines above it are ignored."
    if dialect.added == "first":
        yield f"{name}: rows have one cell more than the header; the first cells are read as a column of row names."
    stripped = [cell.strip() for cell in written]
    if repeated := [f"{old!r} to {new!r}" for old, new in zip(stripped, header, strict=True) if old and old != new]:
        yield f"{name} repeats column names; renamed: {listed(repeated)}."


def _with_named_cells(content: bytes, dialect: Dialect) -> bytes:
    """The content from the header on; the header gets an empty cell if the rows have one cell more."""
    body = content[dialect.header_from :] if dialect.header_from else content
    delimiter = dialect.delimiter.encode()
    if dialect.added == "first":
        return b'""' + delimiter + body
    if dialect.added == "last":
        reader = _reader(body, dialect)
        lines = next(reader.line_num for cells in reader if cells)
        ends = itertools.islice(re.finditer(rb"\r\n?|\n", body), lines - 1, None)
        end = next(ends).start()
        return body[:end] + delimiter + body[end:]
    return body


def _read_cells(content: bytes, written: list[str], dialect: Dialect, *, block: int) -> pa.Table:
    return pa.csv.read_csv(
        pa.BufferReader(content),
        read_options=pa.csv.ReadOptions(block_size=block),
        parse_options=pa.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=b'"' in content),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(written, pa.string()), strings_can_be_null=False
        ),
    )


def _reader(content: bytes, dialect: Dialect = COMMAS) -> Any:
    csv.field_size_limit(MAX_CELL)
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    return csv.reader(text, delimiter=dialect.delimiter)


def _read_header(name: str, content: bytes, dialect: Dialect) -> tuple[list[str], list[str]]:
    """The column names in the file, and the unique names that kpipe uses."""
    if not content[:4096].strip() and not content.strip():
        raise DataError(
            f"{name} is empty. It must hold a header and rows: replace it with the competition's file.",
            code="empty-table",
            file=name,
        )
    first: list[str] = next((cells for cells in _reader(content, dialect) if cells), [])
    header = [cell.strip() or f"Unnamed: {number}" for number, cell in enumerate(first)]
    return first, unique_names(name, header)


def unique_names(name: str, header: list[str]) -> list[str]:
    """Make column names unique: the second "a" becomes "a.1", as in pandas.

    Parameters
    ----------
    name : str
        Base name of the file, for messages.
    header : list of str

    Returns
    -------
    list of str

    Raises
    ------
    DataError
        There are too many columns, or a name contains control characters.

    Examples
    --------
    >>> unique_names("train.csv", ["a", "a", "a.1"])
    ['a', 'a.2', 'a.1']
    """
    if len(header) > _MAX_COLUMNS:
        raise DataError(
            f"{name}, line 1: the header has {len(header):,} columns; kpipe reads at most {_MAX_COLUMNS:,}. "
            "Is it a table with one row per line?",
            code="broken-table",
            file=name,
            line=1,
        )
    if wrong := next(filter(_CONTROL.search, header), None):
        raise DataError(
            f"{name}, line 1: the column name {wrong!r} contains control characters. Rename it.",
            code="broken-table",
            file=name,
            line=1,
        )
    taken, counts = set(header), dict.fromkeys(header, 0)
    seen: set[str] = set()
    names = []
    for cell in header:
        found = cell
        while found in seen or (found != cell and found in taken):
            counts[cell] += 1
            found = f"{cell}.{counts[cell]}"
        seen.add(found)
        names.append(found)
    return names


def _check_quotes_closed(name: str, content: bytes, dialect: Dialect) -> None:
    """Raise DataError if the last cell is an open quote, which would swallow the rest of the file."""
    last, start = [""], 1
    reader = _reader(content + b"\nend", dialect)
    for cells in reader:
        last, start, line = cells, reader.line_num + 1, start
    if last != ["end"]:
        cut = "" if content.endswith((b"\n", b"\r")) else "; if the file is truncated, download it again"
        raise DataError(
            f"{name}, line {line}: a quoted cell starts here and never ends. Close the quote, or write it twice inside "
            f'quotes ("" for "){cut}.',
            code="broken-row",
            file=name,
            line=line,
        )


def _malformed_error(name: str, content: bytes, dialect: Dialect, expected: int, error: Exception) -> DataError:
    """The error that names the first line with too many or too few cells."""
    reader = _reader(content, dialect)
    try:
        for cells in reader:
            if cells and len(cells) != expected:
                line = reader.line_num
                whole = content.endswith((b"\n", b"\r")) or next(iter(reader), None) is not None
                cut = "" if whole else "; the file ends within it: if it is truncated, download it again"
                return DataError(
                    f"{name}, line {line}: the header has {expected} cells, this row has {len(cells)}. Fix "
                    f"the row (quote cells that contain {dialect.name}){cut}.",
                    code="broken-row",
                    file=name,
                    line=line,
                )
    except csv.Error as wrong:
        return DataError(
            f"{name}, line {reader.line_num}: {wrong}. Fix this line.",
            code="broken-row",
            file=name,
            line=reader.line_num,
        )
    return DataError(
        f"{name} cannot be read as CSV: {error}. Save it as comma-separated text in UTF-8.",
        code="broken-table",
        file=name,
    )
