"""Decide whether words such as None and NA are missing values or categories. Empty cells are always missing."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from kpipe.data.csv_reader import CsvFile
from kpipe.data.dtypes import strictest

__all__ = ["CATEGORY_WORDS", "words_beside_empty_cells", "words_of_classes"]

CATEGORY_WORDS = ("None", "NA", "N/A", "n/a", "null", "NULL", "nan", "NaN")
"""Spellings of a missing value that may be the name of a category."""

_MAX_CLASSES = 100  # distinct values of a column that may be a target with a class "None"
_CLASS = "None"  # NA may be a missing target written by R, but pandas leaves missing cells empty


def words_of_classes(files: Mapping[str, CsvFile], name: str) -> frozenset[str]:
    """Words that are classes of a target: those in the sample submission, and "None" if no cell is empty.

    Parameters
    ----------
    files : mapping of role to CsvFile
        The roles are "train", "test" and "sample".
    name : str
        A column, not the id.

    Returns
    -------
    frozenset of str
        Empty if train has no such column of text.
    """
    train = files["train"].columns.get(name) if "train" in files else None
    if train is None:
        return frozenset()
    placeholder = files["sample"].columns.get(name) if "sample" in files else None
    shown = frozenset() if placeholder is None else _words(placeholder)
    alone = "test" in files and name not in files["test"].columns
    if not shown and not (alone and _CLASS in _words(train)):
        return frozenset()
    if strictest(train).kind != "text":
        return frozenset()
    alone = alone and not _has_empty_cells(train) and len(pc.unique(train)) <= _MAX_CLASSES
    return shown | ({_CLASS} if alone else frozenset())


def words_beside_empty_cells(columns: Mapping[str, pa.ChunkedArray]) -> frozenset[str]:
    """Return the missing-value word that is a category, because missing cells of the column are empty instead.

    Parameters
    ----------
    columns : mapping of role to pyarrow.ChunkedArray
        (rows,) strings each.

    Returns
    -------
    frozenset of str
        Empty if no cell is empty, or if the column contains several such words.
    """
    if not any(map(_has_empty_cells, columns.values())):
        return frozenset()
    found = frozenset().union(*map(_words, columns.values()))
    return found if len(found) == 1 else frozenset()


def _words(cells: pa.ChunkedArray) -> frozenset[str]:
    return frozenset(pc.unique(cells.filter(pc.is_in(cells, pa.array(CATEGORY_WORDS)))).to_pylist())


def _has_empty_cells(cells: pa.ChunkedArray) -> bool:
    return bool(pc.index(cells, "").as_py() >= 0)
