"""The key of a fit: a hash of everything that its predictions depend on, so that no fit has to be trained twice.

A fit depends on its rows and the columns that it reads, the target of its training rows, its estimator with all
parameters (among them seed, threads and device), the code of the estimator, the versions of the libraries, and the
processor. It does not depend on the name of its model, the metric, the other models of the run, or the budget.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from collections.abc import Sequence
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from kpipe.runs.code_hashes import hash_kpipe
from kpipe.runs.code_slices import hash_code
from kpipe.runs.provenance import machine, versions
from kpipe.training.worker import FitTask, TrainingData

__all__ = ["FitKeys", "columns_read", "hash_column"]

# The packages of kpipe whose code a fit runs.
_CODE_OF_FITS = ("core", "data", "features", "models", "training")


class FitKeys:
    """Keys of the fits on the data of one run.

    Parameters
    ----------
    data : TrainingData
    """

    def __init__(self, data: TrainingData) -> None:
        self.data = data
        tables = {"train": data.X, "test": data.X_test}
        self._columns = {
            role: [(str(name), hash_column(column)) for name, column in table.items()] for role, table in tables.items()
        }
        self._estimators: dict[int, tuple[BaseEstimator, str]] = {}  # by identity: one estimator serves several folds
        self._rows = {role: hash_column(table.index.to_series()) for role, table in tables.items()}

    def of(self, task: FitTask) -> str | None:
        """The key of a fit.

        Parameters
        ----------
        task : FitTask

        Returns
        -------
        str or None
            64 hexadecimal digits. None if the code of the estimator is not in a file, as in a notebook, or the
            estimator cannot be pickled: then it is unknown what its predictions depend on.
        """
        try:
            estimator = self._of_estimator(task.estimator)
        except (ValueError, TypeError, AttributeError, pickle.PicklingError, RecursionError):
            return None
        read = columns_read(task.estimator)
        columns = [
            (role, name, digest)
            for role, of_table in self._columns.items()
            for name, digest in of_table
            if read is None or name in read
        ]
        arrays = [task.train, task.valid, np.ascontiguousarray(self.data.y[task.train])]
        parts = [
            *(estimator, _environment(), columns, self._rows, self.data.outputs, task.threads, task.fold == 0),
            *((array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).hexdigest()) for array in arrays),
        ]
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _of_estimator(self, estimator: BaseEstimator) -> str:
        if id(estimator) not in self._estimators:
            # The estimator is kept, so that no other object gets its id.
            self._estimators[id(estimator)] = (estimator, _hash_estimator(estimator))
        return self._estimators[id(estimator)][1]


def hash_column(column: pd.Series) -> str:
    """A hash of a column: its dtype and its values in their order.

    Parameters
    ----------
    column : Series of shape (n,)

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> hash_column(pd.Series([1, 2])) == hash_column(pd.Series([1.0, 2.0]))
    False
    """
    dtype = column.dtype
    categories = hash_column(dtype.categories.to_series()) if isinstance(dtype, pd.CategoricalDtype) else ""
    digest = hashlib.sha256(f"{dtype}\0{len(column)}\0{categories}\0{getattr(dtype, 'ordered', '')}\0".encode())
    if isinstance(column.dtype, np.dtype) and column.dtype.kind != "O":
        digest.update(np.ascontiguousarray(column.to_numpy()).view(np.uint8).data)  # dates have no buffer of their own
    elif isinstance(dtype, pd.StringDtype):  # in a thirtieth of the time that pandas' hash of each cell takes
        cells = pa.array(column, type=pa.string(), from_pandas=True)
        encoded = (cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells).dictionary_encode()
        digest.update(np.ascontiguousarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)).data)
        digest.update(repr(encoded.dictionary.to_pylist()).encode())
    elif column.dtype.kind == "O" and not isinstance(dtype, pd.CategoricalDtype):
        digest.update(pickle.dumps([*map(_plain, column)], protocol=5))
    else:
        digest.update(pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def columns_read(estimator: BaseEstimator) -> frozenset[str] | None:
    """The columns that an estimator reads, as far as its parameters show.

    Parameters
    ----------
    estimator : estimator
        A pipeline shows them if its first step is a ``ColumnTransformer`` of named columns, which drops the others.

    Returns
    -------
    frozenset of str or None
        None for all columns.
    """
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[0][1]
    if not isinstance(estimator, ColumnTransformer) or estimator.remainder != "drop":
        return None
    named = [columns for _, _, columns in estimator.transformers]
    if not all(isinstance(each, str) or _is_names(each) for each in named):
        return None
    return frozenset(name for each in named for name in ([each] if isinstance(each, str) else each))


def _is_names(columns: object) -> bool:
    return isinstance(columns, Sequence) and all(isinstance(name, str) for name in columns)


def _plain(value: Any) -> Any:
    """A cell without the identity of its object, which pickle would write down."""
    if isinstance(value, np.ndarray):  # the repr of a long array leaves out most of its numbers
        return value.dtype.str, value.shape, _plain(value.tolist()) if value.dtype.hasobject else value.tobytes()
    if isinstance(value, list | tuple):
        return [type(value).__name__, *map(_plain, value)]
    return repr(value) if not isinstance(value, str | bytes | int | float | None) else value


class _Globals(pickle.Pickler):
    """A pickler that notes the functions and classes which it writes by their names."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), protocol=5)
        self.names: set[tuple[str, str]] = set()

    def persistent_id(self, obj: object) -> None:
        """Note a function or a class; write it as usual."""
        if isinstance(obj, type | FunctionType | BuiltinFunctionType) and (module := getattr(obj, "__module__", None)):
            self.names.add((module, obj.__qualname__))


def _hash_estimator(estimator: BaseEstimator) -> str:
    """Hashes of an estimator's parameters and of the user's code that it runs, and the versions of its packages."""
    pickler = _Globals()
    pickler.dump(estimator)
    own = hash_code(frozenset(pickler.names))
    packages = sorted({name.partition(".")[0] for name, _ in pickler.names})
    return f"{joblib.hash(estimator, hash_name='sha1')} {own} {[(name, _version(name)) for name in packages]}"


def _version(package: str) -> str:
    return str(getattr(sys.modules.get(package), "__version__", ""))


@lru_cache(maxsize=1)
def _environment() -> str:
    """Versions, processor and kpipe's own code."""
    return repr((versions(), machine(), hash_kpipe(*_CODE_OF_FITS)))
