"""Read tables of any format as cells of text. To add a format, add an entry to ``_READERS``.

With cells of text, all formats are treated in the same way afterwards: an id keeps its leading zeros, and columns of
train and test get the same dtypes.
"""

from __future__ import annotations

import csv
import datetime
import html
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kpipe.core.packages import install_command
from kpipe.data.columnar import DAMAGED, check_size, read_feather, read_parquet
from kpipe.data.csv_reader import CsvFile, parse_csv, unique_names
from kpipe.data.encodings import DecodedText, decode
from kpipe.errors import DataError

__all__ = ["FORMATS", "parse_table", "parse_tables", "sheet_as_csv", "sheet_names"]

_MAX_INDEX = 1 << 20  # bytes of a workbook's list of sheets
# Malformed XML in a workbook is a SyntaxError.
_DAMAGED = (*DAMAGED, RecursionError, AttributeError, SyntaxError, EOFError, zipfile.BadZipFile, zlib.error)


def parse_tables(names: Sequence[str], raws: Sequence[bytes]) -> list[CsvFile]:
    """Read the tables of one competition as cells of text.

    Parameters
    ----------
    names : sequence of str
        Base names, whose extensions determine the formats.
    raws : sequence of bytes
        Content of each file.

    Returns
    -------
    list of CsvFile

    Raises
    ------
    DataError
        A file is not a table; the message names the file, and the line where there is one.
    """
    texts = [n for n, name in enumerate(names) if _suffix(name) not in _READERS]
    decoded = dict(zip(texts, decode([names[n] for n in texts], [raws[n] for n in texts]), strict=True))
    return [parse_table(name, decoded.get(n, raws[n])) for n, name in enumerate(names)]


def parse_table(name: str, raw: bytes | DecodedText) -> CsvFile:
    """Read a table as cells of text.

    Parameters
    ----------
    name : str
        Base name, whose extension determines the format.
    raw : bytes or DecodedText
        Content of the file.

    Returns
    -------
    CsvFile

    Raises
    ------
    DataError
        The file is not a table; the message names the file, and the line where there is one.
    """
    reader = _READERS.get(_suffix(name))
    if reader is None or isinstance(raw, DecodedText):
        return parse_csv(name, raw)
    try:
        return _as_text(name, reader(name, raw))
    except _DAMAGED as error:
        kind = _suffix(name).removeprefix(".")
        raise DataError(
            f"{name} cannot be read as {kind}: {error}. Check the file, or save it as CSV.",
            code="broken-table",
            file=name,
        ) from error


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _as_text(name: str, table: pa.Table) -> CsvFile:
    header = unique_names(name, [str(column).strip() or f"Unnamed: {n}" for n, column in enumerate(table.column_names)])
    columns = {title: _to_text(name, title, column) for title, column in zip(header, table.columns, strict=True)}
    return CsvFile(name, b"", header, table.num_rows, columns)


def _to_text(name: str, title: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cells as they would be in a CSV file: missing ones are empty, booleans are True and False."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_boolean(kind):
        text = pc.if_else(column, "True", "False")
    elif pa.types.is_timestamp(kind):
        text = _dates(column)
    elif pa.types.is_nested(kind):
        text = pa.chunked_array([_cells(column.to_pylist())])
    elif pa.types.is_null(kind):
        text = pa.chunked_array([pa.array([None] * len(column), pa.string())])
    else:
        try:
            text = column.cast(pa.string())
        except pa.ArrowException as error:
            raise DataError(
                f"{name}: the column {title!r} of type {kind} cannot be read as text: {error}.",
                code="broken-table",
                file=name,
                column=title,
            ) from error
    return pc.fill_null(text, "")


def _dates(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dates without the time of day if that is midnight in every row, and without zero fractions of seconds."""
    text = column.cast(pa.string()) if column.type.tz else pc.strftime(column, "%Y-%m-%d %H:%M:%S")
    text = pc.replace_substring_regex(text, r"\.0+(Z|[+-]\d\d:?\d\d)?$", r"\1")
    midnight = pc.all(pc.match_substring_regex(text, r" 00:00:00$")).as_py()
    return pc.replace_substring_regex(text, r" 00:00:00$", "") if midnight else text


def _parquet(name: str, raw: bytes) -> pa.Table:
    return _without_index(read_parquet(name, raw))


def _feather(name: str, raw: bytes) -> pa.Table:
    return _without_index(read_feather(name, raw))


def _without_index(table: pa.Table) -> pa.Table:
    """The table without the index that pandas stored."""
    return table.drop_columns([title for title in table.column_names if title == "__index_level_0__"])


def _json(name: str, raw: bytes) -> pa.Table:
    """A list of records, one record per line, or columns."""
    text = decode([name], [raw])[0].content.decode(errors="replace")
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        content = _json_lines(name, text)
    if isinstance(content, dict) and not any(isinstance(cells, dict | list) for cells in content.values()):
        content = [content]
    if isinstance(content, dict) and set(content) == {"columns", "index", "data"}:
        columns = zip(*content["data"], strict=True)
        return pa.table(dict(zip(map(str, content["columns"]), map(_cells, columns), strict=True)))
    if isinstance(content, dict):
        only = next(iter(content.values())) if len(content) == 1 else None
        content = only if _is_records(only) else content
    if _is_records(content):
        names = dict.fromkeys(key for record in content for key in record)
        return pa.table({str(key): _cells([record.get(key) for record in content]) for key in names})
    if isinstance(content, dict) and all(isinstance(cells, dict | list) for cells in content.values()):
        values = [list(cells.values()) if isinstance(cells, dict) else cells for cells in content.values()]
        return pa.table(dict(zip(map(str, content), map(_cells, values), strict=True)))
    raise DataError(
        f"{name} is JSON, but not a table: it must be a list of records, or one record per line.",
        code="broken-table",
        file=name,
    )


def _is_records(content: object) -> bool:
    return isinstance(content, list) and len(content) > 0 and all(isinstance(record, dict) for record in content)


def _json_lines(name: str, text: str) -> list[Any]:
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise DataError(
                    f"{name}, line {number}: {error.msg} (column {error.colno}). Fix this line.",
                    code="broken-row",
                    file=name,
                    line=number,
                ) from error
    return records


def _cells(values: Sequence[Any]) -> pa.Array:
    """Values of JSON or of a sheet as text."""
    return pa.array(list(map(_cell, values)), pa.string())


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return ", ".join(map(str, value))
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, ensure_ascii=False)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(value)


def _excel(name: str, raw: bytes) -> pa.Table:
    """The first sheet of a workbook."""
    header, *rows = _rows_of_sheet(name, raw)
    names = ["" if cell is None else str(cell) for cell in header]
    return pa.Table.from_arrays([_cells(column) for column in zip(*rows, strict=True)] or [[]] * len(names), names)


def sheet_names(raw: bytes) -> list[str]:
    """The names of an Excel workbook's sheets.

    Parameters
    ----------
    raw : bytes
        Content of the file.

    Returns
    -------
    list of str
        Empty for a file that is not a workbook.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive, archive.open("xl/workbook.xml") as index:
            found = re.findall(rb'<(?:\w+:)?sheet [^>]*?\bname="([^"]*)"', index.read(_MAX_INDEX))
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, RuntimeError, NotImplementedError):
        return []
    return [html.unescape(name.decode(errors="replace")) for name in found]


def sheet_as_csv(name: str, raw: bytes, sheet: str) -> bytes:
    """A sheet of an Excel workbook as a CSV file.

    Parameters
    ----------
    name : str
        Base name of the workbook, for messages.
    raw : bytes
        Its content.
    sheet : str

    Returns
    -------
    bytes

    Raises
    ------
    DataError
        The workbook is damaged, the sheet empty, or openpyxl is not installed.
    """
    text = io.StringIO()
    try:
        csv.writer(text, lineterminator="\n").writerows(map(_cell, row) for row in _rows_of_sheet(name, raw, sheet))
    except _DAMAGED as error:
        raise DataError(
            f"{name} cannot be read as xlsx: {error}. Check the file, or save it as CSV.",
            code="broken-table",
            file=name,
        ) from error
    return text.getvalue().encode()


def _rows_of_sheet(name: str, raw: bytes, sheet: str | None = None) -> list[list[Any]]:
    """The rows of a sheet that are not empty, of equal width: the first sheet's unless one is named."""
    try:
        import openpyxl
    except ImportError as error:
        raise DataError(
            f"{name} is an Excel workbook. To read it: {install_command(extra='excel')}. Or save its sheet as CSV.",
            code="missing-package",
            file=name,
        ) from error
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        check_size(name, sum(member.file_size for member in archive.infolist()), len(raw))
    book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
    cells = (book.worksheets[0] if sheet is None else book[sheet]).iter_rows(values_only=True)
    rows = [row for row in cells if any(cell is not None for cell in row)]
    if not rows:
        which = "first sheet" if sheet is None else f"sheet {sheet!r}"
        raise DataError(f"{name} is empty. Its {which} must hold a header and rows.", code="empty-table", file=name)
    width = max(map(len, rows))
    return [[*row, *[None] * (width - len(row))] for row in rows]


def _old_excel(name: str, raw: bytes) -> pa.Table:
    raise DataError(
        f"{name} is a workbook in Excel's old format. Save it as .xlsx or CSV (libreoffice --convert-to csv {name}).",
        code="unsupported-format",
        file=name,
    )


_READERS: Mapping[str, Callable[[str, bytes], pa.Table]] = {
    ".parquet": _parquet,
    ".pq": _parquet,
    ".feather": _feather,
    ".arrow": _feather,
    ".ftr": _feather,
    ".json": _json,
    ".jsonl": _json,
    ".ndjson": _json,
    ".xlsx": _excel,
    ".xlsm": _excel,
    ".xls": _old_excel,
}
# Extensions of tables; of several files that differ only in the extension, the first is used.
FORMATS = (".csv", ".tsv", ".tab", ".psv", *_READERS)
