"""Find the columns of a table that are the pixels of images."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

__all__ = ["find_pixel_columns"]

_MIN_PIXELS = 64  # of an image of 8 by 8
_MIN_LEVELS = 4  # values of a pixel; fewer are flags, or genotypes, which resemble their neighbours too
_SAMPLED = 500  # rows

# Mean correlation of neighbouring columns, and how far it must exceed that of columns half an image apart: 0.70 and
# 0.06 for MNIST, 0.31 and 0.14 for scikit-learn's digits of 8 by 8, -0.06 and 0.04 for a customer survey (Caravan).
_MIN_CORRELATION, _MIN_EXCESS = 0.2, 0.1


def find_pixel_columns(columns: Mapping[str, np.ndarray]) -> list[str]:
    """The columns that are pixels: 64 or more whose names differ only in their numbers, in the order of the table.

    Names that contain "pix" suffice. Columns with other names (``1x1``, ``f0``) must also resemble their neighbours:
    tables of survey answers and of counts hold small integers too.

    Parameters
    ----------
    columns : mapping of str to ndarray
        (n,) uint8 each.

    Returns
    -------
    list of str
        Empty if no columns are pixels.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name in columns:
        alike[re.sub(r"\d+", "#", name).lower()].append(name)
    form, names = max(alike.items(), key=lambda item: len(item[1]), default=("", []))
    if "#" not in form or len(names) < _MIN_PIXELS:
        return []
    if "pix" in form or _resemble_neighbours(np.column_stack([columns[name][:_SAMPLED] for name in names])):
        return names
    return []


def _resemble_neighbours(pixels: np.ndarray) -> bool:
    values = pixels[:, pixels.min(axis=0) < pixels.max(axis=0)].astype(np.float64)
    if values.shape[1] < 2 or len(np.unique(values)) < _MIN_LEVELS:
        return False
    scores = (values - values.mean(axis=0)) / values.std(axis=0)
    half = values.shape[1] // 2
    beside = (scores[:, :-1] * scores[:, 1:]).mean()
    apart = np.abs((scores[:, :-half] * scores[:, half:]).mean(axis=0)).mean()
    return bool(beside >= max(_MIN_CORRELATION, apart + _MIN_EXCESS))
