"""Read a single table, such as a submission, and its columns of numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from kpipe.data.csv_reader import CsvFile
from kpipe.data.files import source_file
from kpipe.data.formats import parse_tables
from kpipe.errors import DataError

__all__ = ["MISSING", "numbers_of", "read_table"]

MISSING = ("", "NA", "NaN", "nan")  # missing values in a submission or in answers


def read_table(file: Path) -> CsvFile:
    """Read a table as cells of text.

    Parameters
    ----------
    file : Path

    Returns
    -------
    CsvFile

    Raises
    ------
    DataError
        If the file is missing or not a table.
    """
    source = source_file(file)
    return parse_tables([source.name], [source.read()])[0]


def numbers_of(file: CsvFile, name: str) -> pd.Series:
    """Convert a column to numbers.

    Parameters
    ----------
    file : CsvFile
    name : str

    Returns
    -------
    Series
        (rows,) float64; NaN for an empty cell.

    Raises
    ------
    DataError
        If a cell is not a number; the message names its line.
    """
    text = file.columns[name].to_pandas().str.strip()
    numbers = pd.to_numeric(text, errors="coerce").astype(np.float64)
    wrong = np.flatnonzero(numbers.isna() & ~text.isin(MISSING))
    if len(wrong):
        raise DataError(
            f"{file.place(int(wrong[0]))}: {name!r} must hold numbers; got {text[wrong[0]]!r:.100}.",
            code="not-a-number",
            column=name,
            **file.where(int(wrong[0])),
        )
    return numbers
