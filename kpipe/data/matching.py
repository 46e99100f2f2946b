"""Regular expressions (RE2) on Arrow strings: cells that match, groups, and groups as numbers."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["first_known", "matches", "named_groups", "to_floats"]


def matches(text: pa.Array, pattern: str) -> np.ndarray:
    r"""Find the cells that match a pattern anywhere.

    Parameters
    ----------
    text : pyarrow.Array
        (n,) strings.
    pattern : str

    Returns
    -------
    ndarray
        (n,) bool; False where a cell is missing.

    Examples
    --------
    >>> matches(pa.array(["a1", "b", None]), r"\d").tolist()
    [True, False, False]
    """
    found = pc.fill_null(pc.match_substring_regex(text, pattern), False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def named_groups(found: pa.StructArray) -> dict[str, pa.Array]:
    """Return the groups of a pattern by name.

    Parameters
    ----------
    found : pyarrow.StructArray
        (n,) as ``pyarrow.compute.extract_regex`` returns it.

    Returns
    -------
    dict of str to pyarrow.Array
        (n,) strings each; null where a cell does not match, "" where a group takes no part in the match.
    """
    return {field.name: pc.struct_field(found, field.name) for field in found.type}


def to_floats(cells: pa.Array) -> np.ndarray:
    """Convert a group of digits, or integers, to floats.

    Parameters
    ----------
    cells : pyarrow.Array
        (n,) strings that are numbers or empty; or integers.

    Returns
    -------
    ndarray
        (n,) float64; NaN where a cell is missing or empty.

    Examples
    --------
    >>> to_floats(pa.array(["12", "", None])).tolist()
    [12.0, nan, nan]
    """
    if pa.types.is_string(cells.type):
        cells = pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)
    return np.asarray(cells.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def first_known(*numbers: np.ndarray) -> np.ndarray:
    """Return the first number of each row that is not NaN.

    Parameters
    ----------
    *numbers : ndarray
        (n,) floats each.

    Returns
    -------
    ndarray
        (n,); NaN where all are.

    Examples
    --------
    >>> first_known(np.array([np.nan, 1.0]), np.array([2.0, 3.0])).tolist()
    [2.0, 1.0]
    """
    return functools.reduce(lambda first, second: np.where(np.isnan(first), second, first), numbers)
