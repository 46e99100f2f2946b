"""Read the tables of a run's folder, which anybody may have written.

Each reader raises ``DataError`` with a sentence for the user if a table is missing or cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kpipe.core.formatting import plain_text
from kpipe.core.values import Folds
from kpipe.errors import DataError
from kpipe.training.folds import folds_from_frame

__all__ = ["read_csv", "read_curves", "read_folds", "read_parquet", "to_numbers"]

_LONGEST = 200  # characters of a reader's error that are shown
_CURVES = ["model", "seed", "fold", "rows", "step", "loss"]


def read_parquet(path: Path, is_needed: Callable[[str], bool] | None = None) -> pd.DataFrame:
    """The columns of a Parquet file, without what pandas wrote beside them: it could name types of anybody's making.

    Parameters
    ----------
    path : Path
        The file.
    is_needed : callable, optional
        Whether to read the column of a name. By default, all columns are read.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If the file is missing or cannot be read.
    """

    def read() -> pd.DataFrame:
        with pq.ParquetFile(path) as file:
            names = None if is_needed is None else [name for name in file.schema_arrow.names if is_needed(name)]
            return file.read(columns=names).to_pandas(ignore_metadata=True)

    return _read(path, read)


def read_csv(path: Path, *, encoding: str = "utf-8") -> pd.DataFrame:
    """The content of a CSV, with pandas' column types.

    Parameters
    ----------
    path : Path
        The file.
    encoding : str
        Python's name of its encoding.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If the file is missing or cannot be read.
    """
    return _read(path, lambda: pd.read_csv(path, encoding=encoding))


def _read(path: Path, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    try:
        return read()
    except FileNotFoundError:
        raise DataError(f"{path.name} is not in the run's folder.") from None
    except (OSError, ValueError, NotImplementedError, pa.ArrowException) as error:
        raise DataError(f"{path.name} cannot be read: {plain_text(error)[:_LONGEST]}") from error


def read_folds(path: Path) -> Folds:
    """The folds of a run.

    Parameters
    ----------
    path : Path
        ``folds.parquet``.

    Returns
    -------
    Folds

    Raises
    ------
    DataError
        If the file is missing, cannot be read or does not hold folds.
    """
    try:
        return folds_from_frame(read_parquet(path))
    except DataError as error:
        raise DataError(str(error).replace("The table", path.name, 1)) from None


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
    numeric = ("seed", "fold", "step", "loss")
    if not {*_CURVES} <= {*frame.columns} or any(frame[name].dtype.kind not in "iuf" for name in numeric):
        raise DataError(f"{path.name} does not hold learning curves.")
    return frame[_CURVES][np.isfinite(frame["loss"]) & (frame["step"] > 0)]


def to_numbers(frame: pd.DataFrame) -> np.ndarray:
    """The values of a table as numbers.

    Parameters
    ----------
    frame : DataFrame
        (n, k), of any types.

    Returns
    -------
    ndarray
        (n, k) float64; NaN for each value that is not a finite number.
    """
    values = frame.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)
