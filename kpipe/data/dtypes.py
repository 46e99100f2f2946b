"""Find the strictest dtype that holds every cell of a column of text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Kind", "TypedColumn", "cast_or_none", "has_leading_zeros", "is_missing", "null_missing", "strictest"]

Kind = Literal["int", "float", "bool", "text", "empty"]

# The missing-value strings of pandas.read_csv, so that kpipe reads a file as Kagglers expect.
_MISSING = pa.array(
    "|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null".split("|")
)
_TRIED = 100  # first cells, of which the first one that is not missing is tried
_INTEGER = re.compile(r"[+-]?(?:[0-9]+|0[xX][0-9a-fA-F]+)")
_FLOAT = re.compile(r"(?i)[+-]?(?:[0-9.]|inf|nan)")


@dataclass(frozen=True)
class TypedColumn:
    """A column of one file, cast to the strictest type that holds every cell.

    Attributes
    ----------
    kind : {"int", "float", "bool", "text", "empty"}
        "empty" if every cell is missing.
    values : pyarrow.ChunkedArray
        (rows,) uint8 or int64, float64, bool or string; missing cells are null.
    """

    kind: Kind
    values: pa.ChunkedArray

    @property
    def present(self) -> int:
        """Number of cells that are not missing."""
        return len(self.values) - self.values.null_count


def strictest(text: pa.ChunkedArray) -> TypedColumn:
    """Cast a column to the strictest type that holds every cell.

    As in pandas, there may be blanks around numbers. Numbers with leading zeros stay text, and so do integers that
    exceed int64.

    Parameters
    ----------
    text : pyarrow.ChunkedArray
        (rows,) strings.

    Returns
    -------
    TypedColumn

    Examples
    --------
    >>> strictest(pa.chunked_array([["1", "", " 2"]])).kind
    'int'
    >>> strictest(pa.chunked_array([["007", "12"]])).kind
    'text'
    """
    if (whole := _cast_whole(text)) is not None:
        return TypedColumn("text", text) if has_leading_zeros(text, whole) else TypedColumn("int", whole)
    present = null_missing(text)
    if present.null_count == len(present):
        return TypedColumn("empty", present)
    trimmed = pc.utf8_trim_whitespace(present)
    if (whole := cast_or_none(trimmed, pa.int64())) is not None:
        is_text = has_leading_zeros(trimmed.drop_null(), whole.drop_null())
        return TypedColumn("text", present) if is_text else TypedColumn("int", whole)
    if (numbers := cast_or_none(trimmed, pa.float64())) is not None:
        is_text = _exceeds_int64(trimmed, numbers)
        return TypedColumn("text", present) if is_text else TypedColumn("float", numbers)
    if pc.all(pc.is_in(present, pa.array(["True", "False", None]))).as_py():
        return TypedColumn("bool", pc.equal(present, "True"))
    return TypedColumn("text", present)


def null_missing(text: pa.ChunkedArray, keep: Collection[str] = ()) -> pa.ChunkedArray:
    """Replace cells that spell a missing value (empty, NA, NaN, None, ...) by null.

    Parameters
    ----------
    text : pyarrow.ChunkedArray
        (rows,) strings.
    keep : collection of str
        Strings that are categories of this column instead.

    Returns
    -------
    pyarrow.ChunkedArray
        (rows,) strings.
    """
    missing = _MISSING.filter(pc.invert(pc.is_in(_MISSING, pa.array(list(keep), pa.string())))) if keep else _MISSING
    return pc.if_else(pc.is_in(text, missing), pa.scalar(None, pa.string()), text)


def is_missing(text: pa.ChunkedArray) -> np.ndarray:
    """Find the cells that are empty, blank or a question mark, or that spell a missing value.

    Parameters
    ----------
    text : pyarrow.ChunkedArray
        (rows,) strings.

    Returns
    -------
    ndarray
        (rows,) bool.
    """
    plain = pc.utf8_trim_whitespace(text)
    return np.asarray(pc.or_(pc.is_null(null_missing(plain)), pc.equal(plain, "?")).to_numpy())


def cast_or_none(values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray | None:
    """Cast strings to numbers; None if one of them cannot be cast.

    Parameters
    ----------
    values : pyarrow.ChunkedArray
        (rows,) strings.
    target : pyarrow.DataType
        uint8, int64 or float64.

    Returns
    -------
    pyarrow.ChunkedArray or None
    """
    # Casts that fail take 20 s in a table of 20,000 columns, and the first cell nearly always shows that they will.
    present = values.slice(0, _TRIED).drop_null()
    if len(present) and not _may_be_cast(present[0].as_py(), target):
        return None
    try:
        return values.cast(target)
    except pa.ArrowInvalid:
        return None


def _may_be_cast(cell: str, target: pa.DataType) -> bool:
    """False only where a cell certainly cannot be cast."""
    if pa.types.is_floating(target):
        return _FLOAT.match(cell) is not None
    return _INTEGER.fullmatch(cell) is not None and (target != pa.uint8() or len(cell.lstrip("0xX")) <= len("255"))


def _cast_whole(text: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Integers as uint8 if they fit, which is faster and kept for pixels; else as int64; else None."""
    found = cast_or_none(text, pa.uint8())
    return cast_or_none(text, pa.int64()) if found is None else found


def has_leading_zeros(text: pa.ChunkedArray, whole: pa.ChunkedArray) -> bool:
    """Whether an integer is written as 007, -07 or 0x1F: such a column holds codes, not numbers.

    Parameters
    ----------
    text : pyarrow.ChunkedArray
        (rows,) strings without nulls.
    whole : pyarrow.ChunkedArray
        (rows,) the same cells as integers.

    Returns
    -------
    bool
    """
    # With leading zeros, the cells have more characters than the integers have digits: counting both is faster than
    # comparing cells.
    numbers = whole.to_numpy()
    if _count_characters(text) != _count_digits(numbers):
        return True
    # Hexadecimal numbers, which pyarrow casts too, need not be longer from 0xF4240 (a million) on.
    return numbers.dtype != np.uint8 and any(b"x" in cells.lower() for cells in map(_characters, text.chunks))


def _exceeds_int64(text: pa.ChunkedArray, numbers: pa.ChunkedArray) -> bool:
    """Whether all are integers and one exceeds int64: as a float it would silently lose digits."""
    beyond = pc.any(pc.greater_equal(pc.abs(numbers), 2.0**63)).as_py()
    return bool(beyond) and pc.all(pc.match_substring_regex(text, r"^[+-]?\d+$")).as_py()


def _count_characters(text: pa.ChunkedArray) -> int:
    return sum(end - start for start, end in map(_span, text.chunks))


def _characters(chunk: pa.StringArray) -> bytes:
    start, end = _span(chunk)
    return chunk.buffers()[2].slice(start, end - start).to_pybytes() if end > start else b""


def _span(chunk: pa.StringArray) -> tuple[int, int]:
    """The start and end of a chunk's cells in its buffer of characters."""
    if not len(chunk):
        return 0, 0
    offsets = np.frombuffer(chunk.buffers()[1], np.int32, len(chunk) + 1, 4 * chunk.offset)
    return int(offsets[0]), int(offsets[-1])


def _count_digits(whole: np.ndarray) -> int:
    """Characters that integers take in decimal, signs included."""
    if not len(whole):
        return 0
    # uint64 also holds the absolute value of the smallest int64.
    size = np.abs(whole).astype(np.uint64) if whole.min() < 0 else whole
    bounds = (10**power for power in range(1, 19))
    longer = itertools.takewhile(lambda bound: bound <= size.max(), bounds)
    return len(whole) + int((whole < 0).sum()) + sum(int((size >= bound).sum()) for bound in longer)
