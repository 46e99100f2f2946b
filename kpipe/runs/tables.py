"""Read the tables of a run's folder, which anybody may have written.

Each reader raises ``DataError`` with a sentence for the user if a table is missing or cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from kpipe.core.formatting import plain_text
from kpipe.core.values import Folds
from kpipe.data import columnar
from kpipe.errors import DataError
from kpipe.training.folds import folds_from_frame

__all__ = ["read_csv", "read_curves", "read_folds", "read_parquet", "to_numbers"]

_LONGEST = 200  # characters of a reader's error that are shown
_REFUSED = "No run writes such a table: get the run's folder from where it was made, or make the run again."
_LARGEST = 1e100  # of a prediction: its square and sums of many such numbers are finite
_LARGEST_COUNTS = {"seed": 2**32, "fold": 10**6, "step": 10**6}  # of a learning curve, whose plot holds every step
_CURVES = ["model", "seed", "fold", "rows", "step", "loss"]


def read_parquet(
    path: Path, is_needed: Callable[[str], bool] = lambda name: True, *, rows: int | None = None
) -> pd.DataFrame:
    """The columns of a Parquet file, without pandas' metadata, which could refer to arbitrary types.

    Parameters
    ----------
    path : Path
        The file.
    is_needed : callable, optional
        Whether to read the column of a name. By default, all columns are read.
    rows : int, optional
        The number of rows that it must have.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If the file is missing, cannot be read, unfolds to far more bytes than it has, or has another number of rows.
    """
    return _read(path, lambda: _unfold(columnar.read_parquet(path.name, path, is_needed, rows=rows)))


def _unfold(table: pa.Table) -> pd.DataFrame:
    if len({*table.column_names}) < table.num_columns:
        raise ValueError("several columns have the same name")
    plain = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(plain, table.column_names).to_pandas(ignore_metadata=True)


def read_csv(path: Path, *, encoding: str = "utf-8", text: Sequence[str] | None = None) -> pd.DataFrame:
    """The content of a CSV, with pandas' column types.

    Parameters
    ----------
    path : Path
        The file.
    encoding : str
        Python's name of its encoding.
    text : sequence of str, optional
        The columns that are text, and no empty cell or ``NA`` is a missing value. By default, pandas decides.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If the file is missing or cannot be read.
    """
    types = None if text is None else dict.fromkeys(text, "str")
    return _read(path, lambda: pd.read_csv(path, encoding=encoding, dtype=types, keep_default_na=text is None))


def _read(path: Path, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    try:
        return read()
    except FileNotFoundError:
        raise DataError(f"{path.name} is not in the run's folder.", code="broken-run", file=path.name) from None
    except DataError as error:
        raise DataError(str(error).replace(columnar.IF_TRUSTED, _REFUSED), code="broken-run", file=path.name) from None
    except (*columnar.DAMAGED, LookupError) as error:
        raise DataError(
            f"{path.name} cannot be read: {plain_text(error)[:_LONGEST]}", code="broken-run", file=path.name
        ) from error


def read_folds(path: Path, *, rows: int | None = None) -> Folds:
    """The folds of a run.

    Parameters
    ----------
    path : Path
        ``folds.parquet``.
    rows : int, optional
        The number of training rows; no fold may hold others.

    Returns
    -------
    Folds

    Raises
    ------
    DataError
        If the file is missing, cannot be read or does not hold folds.
    """
    frame = read_parquet(path)
    try:
        folds = folds_from_frame(frame)
    except DataError as error:
        raise DataError(str(error).replace("The table", path.name, 1), code="broken-run", file=path.name) from None
    last = int(frame["row"].max())
    if rows is not None and last >= rows:
        raise DataError(
            f"{path.name} does not hold folds: row {last} is none of the {rows:,} training rows.",
            code="broken-run",
            file=path.name,
        )
    return folds


def read_curves(path: Path) -> pd.DataFrame:
    """The learning curves of a run.

    Parameters
    ----------
    path : Path
        ``curves.parquet``.

    Returns
    -------
    DataFrame
        With the columns model, seed, fold, rows, step (1, 2, ...) and loss (finite).

    Raises
    ------
    DataError
        If the file is missing, as in runs of kpipe 0.1.0, cannot be read or holds something else.
    """
    frame = read_parquet(path)
    numeric = (*_LARGEST_COUNTS, "loss")
    if not {*_CURVES} <= {*frame.columns} or any(frame[name].dtype.kind not in "iuf" for name in numeric):
        raise DataError(f"{path.name} does not hold learning curves.", code="broken-run", file=path.name)
    if not all((frame[name].abs() <= largest).all() for name, largest in _LARGEST_COUNTS.items()):  # nor is NaN
        raise DataError(
            f"{path.name} does not hold learning curves: seed, fold and step must be whole numbers.",
            code="broken-run",
            file=path.name,
        )
    numbers = to_numbers(path.name, frame[["loss"]].replace([np.inf, -np.inf], np.nan))[:, 0]
    return frame[_CURVES][~np.isnan(numbers) & (frame["step"] > 0)]


def to_numbers(name: str, frame: pd.DataFrame) -> np.ndarray:
    """The values of a table as numbers.

    Parameters
    ----------
    name : str
        The name of the file, for messages.
    frame : DataFrame
        (n, k), of any types.

    Returns
    -------
    ndarray
        (n, k) float64; NaN for each missing value.

    Raises
    ------
    DataError
        If a value is not a number, infinite, or so large that scores cannot be calculated.
    """
    for column in (name for name, kind in frame.dtypes.items() if kind.kind not in "iuf"):
        cells = frame[column].dropna()
        if len(cells) and (not pd.api.types.is_numeric_dtype(cells) or pd.api.types.is_complex_dtype(cells)):
            raise DataError(
                f"{name}: {plain_text(column)!r:.80} must hold numbers; got {plain_text(cells.iloc[0])!r:.80}.",
                code="broken-run",
                file=name,
            )
    values = frame.astype(np.float64).to_numpy()
    wrong = np.abs(values) > _LARGEST  # NaN is not larger
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            f"{name}: {plain_text(frame.columns[column])!r:.80} must hold finite numbers up to {_LARGEST:g}; got "
            f"{values[row, column]:g} in row {row}.",
            code="broken-run",
            file=name,
        )
    return values
