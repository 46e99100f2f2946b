"""The bytes of a competition's CSVs → frames whose types are settled, once, for train and test together.

Every cell is read as text (pyarrow), and types are settled from the text: an id keeps its leading zeros, a column has
the same dtype in train and test, and the one cell that is no number can be named with its line.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from kpipe.errors import DataError, UsageError

__all__ = ["CsvFile", "parse", "settle"]

# The spellings of "missing" that pandas.read_csv knows, so that kpipe reads a file as Kagglers expect.
_MISSING = pa.array(
    "|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null".split("|")
)
_BLOCK = 16 << 20  # bytes a thread parses at a time: smaller ones give each of 785 columns a hundred small chunks
_MOST_COLUMNS = 100_000  # 2 cores take 6 s for so many
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # a terminal obeys them, in whatever a name is shown
_LOOK = 4096  # cells made into Python's strings at a time, where the first few may decide
_PIXELS = 64  # so many columns of bytes are an image or a histogram; fewer keep int64, whose arithmetic does not wrap
_EXACT = 2**53  # whole numbers up to here are exact in float64
# A column of at least 50 values, all numbers but for up to 3 strays (1 %), is a column of numbers.
_ENOUGH, _FEW_STRAYS, _NUMBERS = 50, 3, 0.99


@dataclass(frozen=True)
class CsvFile:
    """A CSV by its name, its bytes (UTF-8, no BOM), and its cells as text, a column each, until they are settled."""

    name: str
    content: bytes
    header: list[str]
    rows: int
    columns: dict[str, pa.ChunkedArray]

    def line(self, row: int) -> int:
        """The line of the file, counted from 1, on which a row (counted from 0) ends."""
        reader = _reader(self.content)
        ends = (reader.line_num for cells in reader if cells)
        return next(end for number, end in enumerate(ends) if number == row + 1)


def parse(name: str, raw: bytes) -> CsvFile:
    """A CSV's cells as text. Raises DataError for what is no table, naming the line."""
    content = _decoded(name, raw)
    written, header = _header(name, content)
    if b'"' in content and content.count(b'"') % 2:  # counting none takes six times as long as finding none
        _check_closed(name, content)
    whole = min(len(content), 2**31 - 1)  # pyarrow takes no block above an int32
    # pyarrow 26 loses the line feed of a quoted "\r\n" that lies across two blocks: such a file is one block.
    block = whole if b'"' in content and b"\r\n" in content else _BLOCK
    try:
        try:
            table = _cells(content, written, block=block)
        except pa.ArrowInvalid:  # perhaps a row is longer than a block
            table = _cells(content, written, block=whole)
    except pa.ArrowInvalid as error:
        raise _ragged(name, content, len(header), error) from error
    return CsvFile(name, content, header, table.num_rows, dict(zip(header, table.columns, strict=True)))


def _cells(content: bytes, written: list[str], *, block: int) -> pa.Table:
    return pa.csv.read_csv(
        pa.BufferReader(content),
        read_options=pa.csv.ReadOptions(block_size=block),
        parse_options=pa.csv.ParseOptions(newlines_in_values=b'"' in content),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(written, pa.string()), strings_can_be_null=False
        ),
    )


def _decoded(name: str, raw: bytes) -> bytes:
    """UTF-8 without BOM, lines ended by line feeds where they were by carriage returns alone."""
    content = raw
    while content.startswith(b"\xef\xbb\xbf"):  # of two, pyarrow would take the second off a name, unseen
        content = content[3:]
    if b"\0" in content:
        raise DataError(f"{name} holds NUL bytes: it is no CSV, or is encoded as UTF-16. Save it as UTF-8.")
    if not content.isascii():
        try:
            content.decode()
        except UnicodeDecodeError:
            content = content.decode("cp1252", errors="replace").encode()
    if b"\n" not in content:  # pyarrow takes a header alone for nothing, unless its line is ended
        content = content.replace(b"\r", b"\n") + b"\n"
    return content


def _reader(content: bytes) -> Any:
    csv.field_size_limit(1 << 30)  # the default refuses cells above 128 KiB, such as long texts
    return csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline=""))


def _header(name: str, content: bytes) -> tuple[list[str], list[str]]:
    """The column names as written, and as used."""
    if not content[:4096].strip() and not content.strip():
        raise DataError(f"{name} is empty. Download it again.")
    first: list[str] = next((cells for cells in _reader(content) if cells), [])
    header = [cell.strip() or f"Unnamed: {number}" for number, cell in enumerate(first)]
    _check_header(name, header)
    return first, header


def _check_header(name: str, header: list[str]) -> None:
    if len(header) > _MOST_COLUMNS:
        raise DataError(
            f"{name}, line 1: the header has {len(header):,} columns, more than the {_MOST_COLUMNS:,} that kpipe "
            "reads. Is it a table with a row per line?"
        )
    seen: set[str] = set()
    for cell in header:
        if cell in seen:
            raise DataError(f"{name}, line 1: the column {cell!r} stands twice in the header. Rename one of them.")
        if _CONTROL.search(cell):
            raise DataError(f"{name}, line 1: the column {cell!r} has control characters in its name. Rename it.")
        seen.add(cell)


def _check_closed(name: str, content: bytes) -> None:
    """Refuse a file that ends inside quotes, as one cut short does: its last cell would swallow what follows."""
    last, start = [""], 1
    reader = _reader(content + b"\nend")
    for cells in reader:
        last, start, line = cells, reader.line_num + 1, start
    if last != ["end"]:
        raise DataError(
            f"{name}, line {line}: a quoted text begins and never ends. The file is cut short; download it again."
        )


def _ragged(name: str, content: bytes, expected: int, error: Exception) -> DataError:
    reader = _reader(content)
    try:
        for cells in reader:
            if cells and len(cells) != expected:
                return DataError(
                    f"{name}, line {reader.line_num}: {expected} cells are expected, as in the header, "
                    f"however: {len(cells)}. The file is broken or cut short; download it again."
                )
    except csv.Error as wrong:
        return DataError(f"{name}, line {reader.line_num}: {wrong}. The file is broken; download it again.")
    return DataError(f"{name} cannot be read as CSV: {error}. Download it again.")


# --- kinds: what a column's text can be, from the strictest to the loosest


@dataclass(frozen=True)
class _Column:
    """A column of one file, read as the strictest kind that holds it: int, float, bool, text, or nothing but gaps."""

    kind: str
    values: pa.ChunkedArray


def _typed(text: pa.ChunkedArray) -> _Column:
    """The strictest kind. Numbers may have blanks around them, as for pandas; leading zeros make text."""
    if (whole := _whole(text)) is not None:
        return _Column("text", text) if _leading_zero(text, whole) else _Column("int", whole)
    present = _without_missing(text)
    if present.null_count == len(present):
        return _Column("nothing", present)
    trimmed = pc.utf8_trim_whitespace(present)
    for kind, target in (("int", pa.int64()), ("float", pa.float64())):
        cast = _cast(trimmed, target)
        if cast is not None:
            code = _too_long(trimmed, cast) if kind == "float" else _leading_zero(trimmed.drop_null(), cast.drop_null())
            return _Column("text", present) if code else _Column(kind, cast)
    if pc.all(pc.is_in(present, pa.array(["True", "False", None]))).as_py():
        return _Column("bool", pc.equal(present, "True"))
    return _Column("text", present)


def _whole(text: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Bytes as uint8, which is quicker than int64 and is kept where there are enough of them; else int64; else None."""
    found = _cast(text, pa.uint8())
    return _cast(text, pa.int64()) if found is None else found


def _cast(values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return values.cast(target)
    except pa.ArrowInvalid:
        return None


def _without_missing(text: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.is_in(text, _MISSING), pa.scalar(None, pa.string()), text)


def _leading_zero(text: pa.ChunkedArray, whole: pa.ChunkedArray) -> bool:
    """Whether a whole number is written as 007, -07 or 0x1F: then it is a code, not a number.

    Such a column takes more characters than its numbers need, which is quicker to count than cells are to look at.
    Hexadecimals, which pyarrow casts too, take as few or fewer from 0xF4240 (a million) on: they are looked for.
    """
    numbers = whole.to_numpy()
    if _characters(text) != _digits(numbers):
        return True
    return numbers.dtype != np.uint8 and any(b"x" in cells.lower() for cells in map(_bytes, text.chunks))


def _too_long(text: pa.ChunkedArray, numbers: pa.ChunkedArray) -> bool:
    """Whether a column has whole numbers only, one of them beyond int64: floats would change digits unseen."""
    beyond = pc.any(pc.greater_equal(pc.abs(numbers), 2.0**63)).as_py()
    return bool(beyond) and pc.all(pc.match_substring_regex(text, r"^[+-]?\d+$")).as_py()


def _characters(text: pa.ChunkedArray) -> int:
    return sum(end - start for start, end in map(_span, text.chunks))


def _bytes(chunk: pa.StringArray) -> bytes:
    start, end = _span(chunk)
    return chunk.buffers()[2].slice(start, end - start).to_pybytes() if end > start else b""


def _span(chunk: pa.StringArray) -> tuple[int, int]:
    """Where a chunk's cells begin and end in its buffer of characters."""
    if not len(chunk):
        return 0, 0
    offsets = np.frombuffer(chunk.buffers()[1], np.int32, len(chunk) + 1, 4 * chunk.offset)
    return int(offsets[0]), int(offsets[-1])


def _digits(whole: np.ndarray) -> int:
    """The characters that int64 numbers take in decimal, signs included."""
    if not len(whole):
        return 0
    # As uint64 the smallest int64, whose absolute value int64 lacks, comes out right too.
    size = np.abs(whole).astype(np.uint64) if whole.min() < 0 else whole
    bounds = (10**power for power in range(1, 19))
    longer = itertools.takewhile(lambda bound: bound <= size.max(), bounds)
    return len(whole) + int((whole < 0).sum()) + sum(int((size >= bound).sum()) for bound in longer)


# --- settling train and test together


def settle(files: Mapping[str, CsvFile], *, ids: Sequence[str], text: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Frames with dtypes: "train", "test" and "sample" → frame; a column has the same dtype in train and test.

    Dtypes: int64; float64 where there are gaps or fractions; bool, boolean with gaps; str; and uint8 where at least 64
    columns of train and test hold nothing but 0..255. Ids keep their text unless every one is a canonical integer. A
    column that is empty in one file says nothing about the other's: there alone the dtypes may differ.
    Raises DataError for an infinite number, or a text in a column of numbers, naming file, line and column.
    """
    _check_names(files, text)
    columns: dict[str, dict[str, pd.Series | np.ndarray]] = {role: {} for role in files}
    for name in dict.fromkeys(name for file in files.values() for name in file.header):
        # The sample's predictions are placeholders: 0.5 there must not turn train's labels into floats.
        groups = _together(files, name, apart=name not in ids)
        for group in groups:
            for role, values in _settle_column(group, name, ids=ids, text=text).items():
                columns[role][name] = values
    _settle_pixels(columns)
    return {role: _frame(files[role], columns[role]) for role in files}


def _check_names(files: Mapping[str, CsvFile], text: Sequence[str]) -> None:
    known = dict.fromkeys(name for file in files.values() for name in file.header)
    for name in text:
        if name not in known:
            raise UsageError(
                f"text={[name]!r} (--text {name}): there is no such column. There are: {', '.join(known)}."
            )


def _together(files: Mapping[str, CsvFile], name: str, *, apart: bool) -> Iterator[dict[str, CsvFile]]:
    having = {role: file for role, file in files.items() if name in file.columns}
    if apart and len(having) > 1 and "sample" in having:
        yield {"sample": having.pop("sample")}
    yield having


def _settle_column(
    files: Mapping[str, CsvFile], name: str, *, ids: Sequence[str], text: Sequence[str]
) -> dict[str, pd.Series | np.ndarray]:
    # The text goes as the numbers come: both at once of 785 columns are 150 MB more.
    raw = {role: file.columns.pop(name) for role, file in files.items()}
    if name in ids and name in text:
        return {role: _text(values) for role, values in raw.items()}
    if name in ids:
        return _ids(raw)
    if name in text:
        return {role: _text(_without_missing(values)) for role, values in raw.items()}
    typed = {role: _typed(values) for role, values in raw.items()}
    kinds = {column.kind for column in typed.values()} - {"nothing"}
    if "text" in kinds:
        _check_strays(files, name, typed)
    kind = _common(kinds)
    if kind == "float":
        _check_finite(files, name, typed, raw)
    gaps = any(column.values.null_count > 0 for column in typed.values() if column.kind != "nothing")
    if (kind == "float" or gaps) and any(column.kind == "int" and _inexact(column.values) for column in typed.values()):
        kind = "text"  # a float would change digits that nobody sees
    return {role: _finished(kind, column, raw[role], gaps=gaps) for role, column in typed.items()}


def _ids(raw: Mapping[str, pa.ChunkedArray]) -> dict[str, pd.Series | np.ndarray]:
    whole = {role: _cast(values, pa.int64()) for role, values in raw.items()}
    if all(values is not None and not _leading_zero(raw[role], values) for role, values in whole.items()):
        return {role: values.to_numpy() for role, values in whole.items() if values is not None}
    return {role: _text(values) for role, values in raw.items()}


def _common(kinds: set[str]) -> str:
    if len(kinds) <= 1:
        return next(iter(kinds), "nothing")
    return "float" if kinds <= {"int", "float"} else "text"


def _inexact(whole: pa.ChunkedArray) -> bool:
    bounds = pc.min_max(whole).as_py()
    return any(bound is not None and abs(bound) > _EXACT for bound in bounds.values())


def _finished(kind: str, column: _Column, raw: pa.ChunkedArray, *, gaps: bool) -> pd.Series | np.ndarray:
    """One file's part of a column. gaps : whether cells are missing in this file or the other."""
    if kind == "text":
        return _text(_without_missing(raw))
    if kind == "bool":
        if column.kind == "nothing":
            return pd.Series(pd.array([pd.NA] * len(raw), dtype="boolean"))
        return column.values.to_pandas().astype("boolean") if gaps else column.values.to_numpy()
    if kind == "nothing" or column.kind == "nothing":
        return np.full(len(raw), np.nan)
    if kind == "int" and not gaps:
        return column.values.to_numpy()
    return column.values.cast(pa.float64()).to_numpy()


def _text(values: pa.ChunkedArray) -> pd.Series:
    return pd.Series(values.to_pandas(), dtype="str")


def _check_finite(
    files: Mapping[str, CsvFile], name: str, typed: Mapping[str, _Column], raw: Mapping[str, pa.ChunkedArray]
) -> None:
    for role, column in typed.items():
        if column.kind != "float":
            continue
        infinite = pc.index(pc.is_inf(column.values), True).as_py()
        if infinite >= 0:
            raise DataError(
                f"{files[role].name}, line {files[role].line(infinite)}: {name!r} must hold finite numbers, "
                f"however: {raw[role][infinite].as_py()!r}. Fix the file, or leave the cell empty."
            )


def _check_strays(files: Mapping[str, CsvFile], name: str, typed: Mapping[str, _Column]) -> None:
    """Refuse a text among numbers: where the other file has numbers only, or nearly all of this file are numbers.

    One row of test whose ticket happens to be a number proves nothing against hundreds of tickets with letters.
    """
    numbers = sum(_present(column) for column in typed.values() if column.kind in ("int", "float"))
    for role, column in typed.items():
        if column.kind != "text" or (len(typed) > 1 and not numbers):
            continue
        few = min(_FEW_STRAYS, (1 - _NUMBERS) * _present(column)) if _present(column) >= _ENOUGH else 0
        stray = _strays(column.values, most=max(numbers, int(few)))
        if stray and (len(stray) <= numbers or (len(typed) == 1 and len(stray) <= few)):
            raise DataError(
                f"{files[role].name}, line {files[role].line(stray[0])}: {name!r} must hold numbers, "
                f"however: {column.values[stray[0]].as_py()!r}. Fix the file or declare the column as text with "
                f'text=["{name}"] (--text {name}).'
            )


def _strays(values: pa.ChunkedArray, *, most: int) -> list[int]:
    """Rows of cells that are no numbers, but for those after ``most`` + 1: then the column is text, and quickly so."""
    cells = enumerate(cell for chunk in values.chunks for part in _parts(chunk) for cell in part.to_pylist())
    return list(itertools.islice((row for row, cell in cells if cell is not None and not _is_number(cell)), most + 1))


def _parts(chunk: pa.StringArray) -> Iterator[pa.StringArray]:
    return (chunk[start : start + _LOOK] for start in range(0, len(chunk), _LOOK))


def _present(column: _Column) -> int:
    return len(column.values) - column.values.null_count


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _settle_pixels(columns: Mapping[str, dict[str, Any]]) -> None:
    """Keep columns of bytes as uint8 where train and test share at least 64 of them; elsewhere widen them to int64."""
    train, test = columns.get("train", {}), columns.get("test", {})
    pixels = {name for name in train if name in test and train[name].dtype == test[name].dtype == np.uint8}
    for frame in columns.values():
        for name, values in frame.items():
            if values.dtype == np.uint8 and not (
                len(pixels) >= _PIXELS and name in pixels and frame is not columns.get("sample")
            ):
                frame[name] = values.astype(np.int64)


def _frame(file: CsvFile, columns: Mapping[str, pd.Series | np.ndarray]) -> pd.DataFrame:
    """One frame, with the columns of pixels in one block: 785 blocks of a column each make pandas crawl."""
    names = file.header
    pixels = [name for name in names if columns[name].dtype == np.uint8]
    if not pixels:
        return pd.DataFrame({name: columns[name] for name in names})
    block = np.empty((len(pixels), file.rows), dtype=np.uint8)
    for number, name in enumerate(pixels):
        block[number] = columns[name]
    rest = {name: columns[name] for name in names if name not in set(pixels)}
    frame = pd.concat([pd.DataFrame(rest), pd.DataFrame(block.T, columns=pixels)], axis=1)
    return frame if list(frame.columns) == names else frame[names]
