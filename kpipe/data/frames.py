"""Convert cells of text to data frames whose columns have the same dtype in train and test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.core.wording import did_you_mean, listed
from kpipe.data.cell_checks import OnNote, check_numbers, without_infinite_cells, without_odd_cells
from kpipe.data.csv_reader import CsvFile
from kpipe.data.dtypes import Kind, TypedColumn, cast_or_none, has_leading_zeros, null_missing, strictest
from kpipe.data.missing_words import CATEGORY_WORDS, words_beside_empty_cells, words_of_classes
from kpipe.data.pixel_detection import has_pixels
from kpipe.errors import UsageError

__all__ = ["to_frames"]

_MAX_EXACT = 2**53  # integers up to this size are exact in float64

Values = pd.Series | np.ndarray


def to_frames(
    files: Mapping[str, CsvFile],
    *,
    ids: Sequence[str],
    text: Sequence[str],
    on_note: OnNote = lambda note: None,
) -> dict[str, pd.DataFrame]:
    """Convert cells of text to data frames whose columns have the same dtype in train and test.

    Parameters
    ----------
    files : mapping of role to CsvFile
        The roles are "train", "test" and "sample". Columns are removed from the files as they are converted.
    ids : sequence of str
        Id columns: they stay text unless every cell is an integer without leading zeros.
    text : sequence of str
        Columns to read as text although they look like numbers.
    on_note : callable
        Called with a sentence for each column in which unexpected cells are read as missing.

    Returns
    -------
    dict of role to DataFrame
        Dtypes are int64; float64 for fractions or if values are missing; bool, or boolean if values are missing; str;
        and uint8 for small integers in tables of images. The dtypes of train and test can differ only if a column is
        empty in one of them.

    Raises
    ------
    DataError
        There is text in a column that holds numbers in the other file; the message names file, line and column.
    UsageError
        ``text`` names a column that does not exist.
    """
    _check_names(files, text)
    columns: dict[str, dict[str, Values]] = {role: {} for role in files}
    for name in dict.fromkeys(name for file in files.values() for name in file.header):
        keep = frozenset() if name in ids else words_of_classes(files, name)
        for group in _same_dtype(files, name, is_id=name in ids):
            for role, values in _convert(group, name, ids, text, keep, on_note).items():
                columns[role][name] = values
    _widen_bytes(columns)
    return {role: _frame(files[role], columns[role]) for role in files}


def _check_names(files: Mapping[str, CsvFile], text: Sequence[str]) -> None:
    known = dict.fromkeys(name for file in files.values() for name in file.header)
    for name in text:
        if name not in known:
            raise UsageError(
                f"--text {name}: there is no such column.{did_you_mean(name, known)} The columns are: {listed(known)}.",
                code="missing-column",
                column=name,
            )


def _same_dtype(files: Mapping[str, CsvFile], name: str, *, is_id: bool) -> Iterator[dict[str, CsvFile]]:
    """Groups of files in which a column must have the same dtype."""
    having = {role: file for role, file in files.items() if name in file.columns}
    if not is_id and len(having) > 1 and "sample" in having:
        # The sample's predictions are placeholders: 0.5 must not turn train's labels into floats.
        yield {"sample": having.pop("sample")}
    yield having


def _convert(
    files: Mapping[str, CsvFile],
    name: str,
    ids: Sequence[str],
    text: Sequence[str],
    keep: frozenset[str],
    on_note: OnNote,
) -> dict[str, Values]:
    """A column's values in each file, with one dtype; ``keep``: missing-value strings that are categories here."""
    is_id, is_text = name in ids, name in text
    # The text is removed before its values exist: both together take 150 MB more for 785 columns.
    raw = {role: file.columns.pop(name) for role, file in files.items()}
    if is_id and is_text:
        return {role: _to_text(values) for role, values in raw.items()}
    if is_id:
        return _to_ids(raw)
    if is_text:
        return {role: _to_text(null_missing(values, CATEGORY_WORDS)) for role, values in raw.items()}
    if keep:
        return {role: _to_text(null_missing(values, keep)) for role, values in raw.items()}
    typed = {role: strictest(values) for role, values in raw.items()}
    if any(column.kind == "text" for column in typed.values()):
        typed = without_odd_cells(files, name, typed, on_note)
        check_numbers(files, name, typed)
    kind = _common({column.kind for column in typed.values()} - {"empty"})
    if kind == "float":
        typed = without_infinite_cells(files, name, typed, on_note)
    missing = any(column.values.null_count > 0 for column in typed.values() if column.kind != "empty")
    if (kind == "float" or missing) and any(map(_is_inexact, typed.values())):
        kind = "text"
    if kind == "text":
        keep = words_beside_empty_cells(raw)
        return {role: _to_text(null_missing(values, keep)) for role, values in raw.items()}
    return {role: _to_values(kind, column, raw[role], missing=missing) for role, column in typed.items()}


def _to_ids(raw: Mapping[str, pa.ChunkedArray]) -> dict[str, Values]:
    whole = {role: cast_or_none(values, pa.int64()) for role, values in raw.items()}
    if all(values is not None and not has_leading_zeros(raw[role], values) for role, values in whole.items()):
        return {role: values.to_numpy() for role, values in whole.items() if values is not None}
    return {role: _to_text(values) for role, values in raw.items()}


def _common(kinds: set[Kind]) -> Kind:
    """The strictest type that holds the values of all files."""
    if len(kinds) <= 1:
        return next(iter(kinds), "empty")
    return "float" if kinds <= {"int", "float"} else "text"


def _is_inexact(column: TypedColumn) -> bool:
    """Whether float64 would silently change the digits of an integer."""
    bounds = pc.min_max(column.values).as_py() if column.kind == "int" else {}
    return any(bound is not None and abs(bound) > _MAX_EXACT for bound in bounds.values())


def _to_values(kind: Kind, column: TypedColumn, raw: pa.ChunkedArray, *, missing: bool) -> Values:
    """One file's values of a column; ``missing``: whether a cell is missing in this file or another one."""
    if kind == "bool":
        if column.kind == "empty":
            return pd.Series(pd.array([pd.NA] * len(raw), dtype="boolean"))
        return column.values.to_pandas().astype("boolean") if missing else column.values.to_numpy()
    if kind == "empty" or column.kind == "empty":
        return np.full(len(raw), np.nan)
    if kind == "int" and not missing:
        return column.values.to_numpy()
    return column.values.cast(pa.float64()).to_numpy()


def _to_text(values: pa.ChunkedArray) -> pd.Series:
    return pd.Series(values.to_pandas(), dtype="str")


def _widen_bytes(columns: Mapping[str, dict[str, Any]]) -> None:
    """Convert uint8 columns to int64, whose arithmetic does not wrap, except in tables of images."""
    train, test = columns.get("train", {}), columns.get("test", {})
    shared = {name for name in train if name in test and train[name].dtype == test[name].dtype == np.uint8}
    pixels = shared if has_pixels({name: train[name] for name in train if name in shared}) else set()
    for role, frame in columns.items():
        kept = pixels if role != "sample" else set()
        for name, values in frame.items():
            if values.dtype == np.uint8 and name not in kept:
                frame[name] = values.astype(np.int64)


def _frame(file: CsvFile, columns: Mapping[str, Values]) -> pd.DataFrame:
    """A frame with all pixels in one block: pandas is slow with 785 blocks of one column each."""
    names = file.header
    pixels = [name for name in names if columns[name].dtype == np.uint8]
    if not pixels:
        return pd.DataFrame({name: columns[name] for name in names})
    block = np.empty((len(pixels), file.rows), dtype=np.uint8)
    for number, name in enumerate(pixels):
        block[number] = columns[name]
    rest = {name: columns[name] for name in names if columns[name].dtype != np.uint8}
    frame = pd.concat([pd.DataFrame(rest), pd.DataFrame(block.T, columns=pixels)], axis=1)
    return frame if list(frame.columns) == names else frame[names]
