"""Read Parquet and Feather files as Arrow tables, with limits on their size in memory.

Both formats can hold a table that is a million times larger than the file, because a repeated value takes only a few
bytes. The size that the file declares is checked before anything is read, and the actual size while reading. Columns of
text stay dictionary-encoded, so that a long text that repeats is in memory once.

References
----------
https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc: Feather files are
Arrow's IPC files.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pyarrow.parquet as pq

from kpipe.data.archives import is_bomb
from kpipe.errors import DataError

__all__ = ["DAMAGED", "IF_TRUSTED", "check_size", "read_feather", "read_parquet"]

# What pyarrow raises for files that are damaged.
DAMAGED = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError, NotImplementedError, struct.error)

IF_TRUSTED = "If you trust it, save it as CSV."  # the advice in messages
_MAX_BYTES = 4 << 30  # of all cells in memory
_MIN_CELL = 5  # bytes of a cell as text: a character and where it begins
_BATCH = 1 << 17  # rows that are read between two checks of the size
_MAGIC, _TAIL = b"ARROW1", 10  # of an IPC file; bytes at its end: the length of the footer, and the magic
_DICTIONARIES, _BATCHES = 2, 3  # fields of the footer
_BLOCK, _BUFFER = 24, 16  # bytes of these structures


def read_parquet(
    name: str,
    source: bytes | Path,
    is_needed: Callable[[str], bool] = lambda name: True,
    *,
    rows: int | None = None,
) -> pa.Table:
    """Read a Parquet file.

    Parameters
    ----------
    name : str
        What the file is called in messages.
    source : bytes or Path
        Its content, or its path.
    is_needed : callable
        Given a column's name, returns whether to read it.
    rows : int, optional
        The number of rows that the file must have.

    Returns
    -------
    Table
        Columns of text are dictionary-encoded.

    Raises
    ------
    DataError
        If the table is too large or has another number of rows. For a damaged file pyarrow's own exceptions are raised,
        see ``DAMAGED``.
    """
    packed = len(source) if isinstance(source, bytes) else source.stat().st_size
    opened = pa.BufferReader(source) if isinstance(source, bytes) else source
    schema = pq.read_schema(opened)
    text = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    opened = pa.BufferReader(source) if isinstance(source, bytes) else source
    with pq.ParquetFile(opened, read_dictionary=text) as file:
        metadata = file.metadata
        if rows is not None and metadata.num_rows != rows:
            raise DataError(
                f"{name} must have {rows:,} rows; got {metadata.num_rows:,}.", code="broken-table", file=name
            )
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        check_size(name, sum(group.total_byte_size for group in groups), packed)
        check_size(name, _MIN_CELL * metadata.num_rows * metadata.num_columns, packed)
        return _read_batches(name, file, [column for column in schema.names if is_needed(column)], packed)


def _read_batches(name: str, file: pq.ParquetFile, columns: list[str], packed: int) -> pa.Table:
    batches, unfolded, rows = [], 0, 0
    for batch in file.iter_batches(_BATCH, columns=columns):
        unfolded += sum(map(_unfolded_bytes, batch.columns))
        rows += batch.num_rows
        check_size(name, unfolded, packed)
        if rows > file.metadata.num_rows:
            raise DataError(f"{name} has more rows than it declares.", code="broken-table", file=name)
        batches.append(batch)
    return pa.Table.from_batches(batches) if batches else file.schema_arrow.empty_table().select(columns)


def read_feather(name: str, raw: bytes) -> pa.Table:
    """Read a Feather file of version 1 or 2; the latter is an Arrow IPC file.

    Parameters
    ----------
    name : str
        What the file is called in messages.
    raw : bytes
        Its content.

    Returns
    -------
    Table
        Dictionary-encoded columns stay encoded.

    Raises
    ------
    DataError
        If the table is too large. For a damaged file pyarrow's own exceptions are raised, see ``DAMAGED``.
    """
    if raw.startswith(_MAGIC):  # version 1 is not compressed
        check_size(name, sum(_block_sizes(raw)), len(raw))
    table = pyarrow.feather.read_table(pa.BufferReader(raw))
    table.validate(full=True)  # pyarrow itself does not check offsets and indices, and would read beyond the buffers
    check_size(name, _MIN_CELL * table.num_rows * table.num_columns, len(raw))
    check_size(name, sum(_unfolded_bytes(chunk) for column in table.columns for chunk in column.chunks), len(raw))
    return table


def check_size(name: str, unfolded: int, packed: int) -> None:
    """Refuse a file whose content would be much larger in memory.

    Parameters
    ----------
    name : str
        What the file is called in messages.
    unfolded, packed : int
        Bytes that its content takes in memory, and in the file.

    Raises
    ------
    DataError
        If the content exceeds 4 GiB, or the ratio of an archive bomb (``is_bomb``).
    """
    if unfolded > _MAX_BYTES or is_bomb(unfolded, packed):
        raise DataError(
            f"{name} unfolds from {packed:,} bytes to {unfolded:,}: it may be designed to exhaust memory. {IF_TRUSTED}",
            code="archive-bomb",
            file=name,
        )


def _unfolded_bytes(column: pa.Array) -> int:
    """Bytes that a column takes if no two cells share their content."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        sizes = _lengths(column.dictionary)
        return _MIN_CELL * len(column) + (pc.sum(pc.take(sizes, column.indices)).as_py() or 0)
    if "view" in str(kind):  # several cells may refer to the same content
        return _MIN_CELL * len(column) + (pc.sum(_lengths(column)).as_py() or 0)
    return int(column.nbytes)


def _lengths(column: pa.Array) -> pa.Array:
    """The size of each cell, in bytes of text or in values of a list."""
    if "view" in str(column.type) and "list" not in str(column.type):
        return pa.array([len(cell.as_buffer() or b"") for cell in column], pa.int64())
    if "list" in str(column.type):
        return pc.cast(pc.list_value_length(column), pa.int64())
    try:
        return pc.cast(pc.binary_length(column), pa.int64())
    except pa.ArrowNotImplementedError:
        return pa.array([_MIN_CELL] * len(column), pa.int64())


# An IPC file describes its blocks in the FlatBuffers format: a table is a position in the file, and its first number
# says where the offsets of its fields are.


def _number(raw: bytes, kind: str, at: int) -> int:
    if at < 0:
        raise ValueError("an offset is negative")
    return int(struct.unpack_from(f"<{kind}", raw, at)[0])


def _field(raw: bytes, table: int, number: int) -> int | None:
    """The position of a table's field; None if the table lacks it."""
    offsets = table - _number(raw, "i", table)
    at = 4 + 2 * number
    offset = _number(raw, "H", offsets + at) if at < _number(raw, "H", offsets) else 0
    return table + offset if offset else None


def _target(raw: bytes, at: int) -> int:
    """The position that an offset in a field refers to."""
    return at + _number(raw, "I", at)


def _structures(raw: bytes, table: int, number: int, size: int) -> Iterator[int]:
    """The positions of the structures in a field that is a list of them."""
    field = _field(raw, table, number)
    if field is not None:
        first = _target(raw, field)
        yield from (first + 4 + size * place for place in range(_number(raw, "I", first)))


def _block_sizes(raw: bytes) -> Iterator[int]:
    """The uncompressed size of each buffer of an IPC file."""
    footer = len(raw) - _TAIL - _number(raw, "i", len(raw) - _TAIL)
    footer = _target(raw, footer)
    for kind in (_DICTIONARIES, _BATCHES):
        for block in _structures(raw, footer, kind, _BLOCK):
            start, described = _number(raw, "q", block), _number(raw, "i", block + 8)
            prefix = 8 if raw[start : start + 4] == b"\xff\xff\xff\xff" else 4
            yield from _buffer_sizes(raw, _target(raw, start + prefix), start + described)


def _buffer_sizes(raw: bytes, message: int, body: int) -> Iterator[int]:
    """The uncompressed size of each buffer of a message; ``body`` is where the buffers begin."""
    header = _field(raw, message, 2)
    if header is None:
        return
    batch = _target(raw, header)
    kind = _field(raw, message, 1)
    if kind is not None and raw[kind] == 2:  # a dictionary, which holds a batch
        data = _field(raw, batch, 1)
        batch = batch if data is None else _target(raw, data)
    compressed = _field(raw, batch, 3) is not None
    for buffer in _structures(raw, batch, 2, _BUFFER):
        length = _number(raw, "q", buffer + 8)
        declared = _number(raw, "q", body + _number(raw, "q", buffer)) if compressed and length >= 8 else -1
        yield max(length, declared)  # -1 for a buffer that is not compressed
