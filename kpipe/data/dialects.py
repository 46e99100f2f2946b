"""Detect how a text file separates its cells, from its first rows and not from its name."""

from __future__ import annotations

import csv
import io
import itertools
import re
from dataclasses import dataclass

__all__ = ["COMMAS", "MAX_CELL", "Dialect", "sniff_dialect"]

MAX_CELL = 1 << 30  # characters; Python's csv module by default refuses cells above 128 KiB, such as long texts
_DELIMITERS = (",", ";", "\t", "|")
_SNIFFED = 256 << 10  # bytes
_ROWS = 50
_STATED = re.compile(rb"sep=([,;|\t])\r?\n")  # a first line that Excel writes
_MAX_TITLES = 10  # lines above the header
_NUMBER = re.compile(r"\s*[+-]?\d+([.,]\d+)?\s*")
_QUOTED_NUMBER = re.compile(rb'"\d+"')


@dataclass(frozen=True)
class Dialect:
    """How a file separates its cells.

    Attributes
    ----------
    delimiter : str
        Between cells.
    header_from : int
        Number of bytes before the header: a line such as ``sep=;``, or titles and comments.
    lines_before : int
        Lines before the header.
    is_stated : bool
        Whether the line before the header is Excel's ``sep=;``.
    added : {"", "first", "last"}
        Where the extra cell is, if rows have one cell more than the header: first for R's row names, last for a
        delimiter at the end of each row.
    """

    delimiter: str = ","
    header_from: int = 0
    lines_before: int = 0
    is_stated: bool = False
    added: str = ""

    @property
    def name(self) -> str:
        """The delimiter in words."""
        return {"\t": "tabs", ";": "semicolons", "|": "vertical bars"}.get(self.delimiter, "commas")


COMMAS = Dialect()


def sniff_dialect(content: bytes) -> Dialect:
    r"""Find the delimiter with which most of the first rows have as many cells as the header.

    Parameters
    ----------
    content : bytes
        UTF-8.

    Returns
    -------
    Dialect

    Examples
    --------
    >>> sniff_dialect(b"id;x\n1;0,5\n").delimiter
    ';'
    """
    csv.field_size_limit(MAX_CELL)
    stated = _STATED.match(content)
    above = 1 if stated else _lines_above_header(_first_lines(content, 0))
    start = stated.end() if stated else sum(len(line) + 1 for line in content.split(b"\n", above)[:above])
    head = _first_lines(content, start)
    if stated:
        delimiter = stated[1].decode()
    else:
        fits = {delimiter: _fit(_rows(head, delimiter)) for delimiter in _DELIMITERS if delimiter.encode() in head}
        delimiter = max(fits, key=lambda each: fits[each], default=",")
        delimiter = delimiter if fits.get(delimiter, (0, 0))[1] > 1 else ","
    return Dialect(delimiter, start, above, bool(stated), _extra_cell(_rows(head, delimiter), head))


def _lines_above_header(head: bytes) -> int:
    """The number of lines of titles and comments above the header, whose rows all have the same number of cells."""
    first = head[: head.find(b"\n")]
    if not (first.lstrip().startswith(b"#") or max(len(_filled_cells(first, each)) for each in _DELIMITERS) <= 1):
        return 0
    lines = head.split(b"\n")[: _MAX_TITLES + _ROWS]
    for delimiter in _DELIMITERS:
        for above in range(1, min(_MAX_TITLES, len(lines) - 2) + 1):
            rows = [_cells(line, delimiter) for line in lines[above:] if line.strip()][:_ROWS]
            if not lines[above].strip() or not any(line.strip() for line in lines[:above]):
                continue
            titles = [line for line in lines[:above] if len(_filled_cells(line, delimiter)) > 1]
            if all(line.lstrip().startswith(b"#") for line in titles) and _is_header(rows, lines[0], delimiter):
                return above
    return 0


def _is_header(rows: list[list[str]], first: bytes, delimiter: str) -> bool:
    """Whether the first of these rows names the columns of the others, and the file's first line does not."""
    if len(rows) < 3 or any(len(row) != len(rows[0]) for row in rows[1:-1]):
        return False
    header, numbers = rows[0], sum(any(map(_NUMBER.fullmatch, row)) for row in rows[1:])
    named = len(set(header)) == len(header) > 1 and all(cell.strip() and not _NUMBER.fullmatch(cell) for cell in header)
    above = _cells(first, delimiter)
    return named and 2 * numbers > len(rows) and (len(above) != len(header) or not all(above))


def _cells(line: bytes, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.decode(errors="replace").rstrip("\r")], delimiter=delimiter), [])
    except csv.Error:  # a carriage return ends lines here, or a cell is too long
        return []


def _filled_cells(line: bytes, delimiter: str) -> list[str]:
    return [cell for cell in _cells(line, delimiter) if cell.strip()]


def _first_lines(content: bytes, start: int) -> bytes:
    """The first lines, none of them cut; at least one."""
    head = content[start : start + _SNIFFED]
    if len(content) > start + _SNIFFED and b"\n" in head:
        head = head[: head.rindex(b"\n") + 1]
    return head


def _rows(head: bytes, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(head.decode(errors="replace"), newline=""), delimiter=delimiter)
    rows = []
    try:
        for row in itertools.islice((row for row in reader if row), _ROWS):
            rows.append(row)
    except csv.Error:  # parsing refuses the line
        pass
    return rows


def _fit(rows: list[list[str]]) -> tuple[float, int]:
    """The share of rows with as many cells as the header or one more, and the number of cells of the header."""
    if not rows or len(rows[0]) < 2:
        return 0.0, 0
    width = len(rows[0])
    fitting = [len(row) in (width, width + 1) for row in rows[1:]]
    return (sum(fitting) / len(fitting) if fitting else 1.0), width


def _extra_cell(rows: list[list[str]], head: bytes) -> str:
    """Where each row has one cell more than the header."""
    if len(rows) < 2 or any(len(row) != len(rows[0]) + 1 for row in rows[1:]):
        return ""
    if all(row[-1] == "" for row in rows[1:]):
        return "last"
    # R quotes the names of rows and columns. A row with one comma too many must not shift the cells of all rows.
    lines = head.split(b"\n")
    named = head.startswith(b'"') and all(_QUOTED_NUMBER.match(line) for line in lines[1 : len(rows)])
    return "first" if named and len(rows) > 3 else ""
