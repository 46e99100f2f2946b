"""Separate the thousands of pixel columns from a table while the meaning of its other columns is inferred."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kpipe.core.values import Tables
from kpipe.data.pixels import FILE_COLUMNS, picture_columns

__all__ = ["with_pixels", "with_row_numbers", "without_pixels"]

_ROW = "row of the pictures"  # a name that no table has


def without_pixels(tables: Tables) -> Tables:
    """Remove the pixels of pictures and the columns that describe their files.

    Parameters
    ----------
    tables : Tables

    Returns
    -------
    Tables
        The same object if there are no pictures.
    """
    train, test = (_drop_pictures(frame) for frame in (tables.train, tables.test))
    return tables if train is tables.train else replace(tables, train=train, test=test)


def _drop_pictures(frame: pd.DataFrame) -> pd.DataFrame:
    found = _picture_columns(frame)
    return frame.drop(columns=found) if found else frame


def _picture_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that describe the files of pictures, and the pixels."""
    pixels = picture_columns(frame.columns)
    return [*(name for name in FILE_COLUMNS if name in frame), *pixels] if pixels else []


def with_row_numbers(tables: Tables) -> Tables:
    """Add a column of row numbers, by which ``with_pixels`` finds the pictures after rows were dropped.

    Parameters
    ----------
    tables : Tables

    Returns
    -------
    Tables
    """
    train, test = (frame.assign(**{_ROW: np.arange(len(frame))}) for frame in (tables.train, tables.test))
    return replace(tables, train=train, test=test)


def with_pixels(tables: Tables, whole: Tables) -> Tables:
    """Append the pixels of each row's pictures, and the columns that describe their files.

    Parameters
    ----------
    tables : Tables
        Derived from ``without_pixels(whole)``, with the same rows, or with the row numbers of ``with_row_numbers``.
    whole : Tables
        The tables with pixels.

    Returns
    -------
    Tables
    """
    train, test = _join(tables.train, whole.train), _join(tables.test, whole.test)
    return replace(tables, train=train, test=test)


def _join(frame: pd.DataFrame, whole: pd.DataFrame) -> pd.DataFrame:
    pixels = whole[_picture_columns(whole)]
    if _ROW in frame:
        rows = frame[_ROW].to_numpy()
        frame = frame.drop(columns=_ROW)
        if len(rows) < len(whole):
            pixels = pixels.iloc[rows].reset_index(drop=True)
    return pd.concat([frame, pixels], axis=1) if len(pixels.columns) else frame
