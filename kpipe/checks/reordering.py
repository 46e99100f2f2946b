"""Tables spoilt on purpose, for checks that look whether anything changes that should not."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

__all__ = ["taking"]


def taking(frame: pd.DataFrame, columns: Iterable[object], rows: np.ndarray, *, of: pd.DataFrame) -> pd.DataFrame:
    """A frame whose columns of these names hold the values of other rows, of another frame; dtypes stay.

    >>> frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    >>> taking(frame, ["b"], np.array([1, 0]), of=frame).to_dict("list")
    {'a': [1, 2], 'b': [4, 3]}
    """
    taken = frame.copy()
    for name in columns:
        if name in of.columns:
            taken[name] = of[name].iloc[rows].array
    return taken
