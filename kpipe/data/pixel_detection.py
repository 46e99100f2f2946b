"""Tell tables of images from other tables of small integers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

__all__ = ["has_pixels"]

_MIN_PIXELS = 64  # of an image of 8 by 8
_MIN_LEVELS = 4  # values of a pixel; fewer are flags, or genotypes, which resemble their neighbours too
_SAMPLED, _COMPARED = 500, 4096  # rows and columns

# Mean correlation of neighbouring columns, and how far it must exceed that of columns half an image apart: 0.70 and
# 0.06 for MNIST, 0.31 and 0.14 for scikit-learn's digits of 8 by 8, -0.06 and 0.04 for a customer survey (Caravan).
_MIN_CORRELATION, _MIN_EXCESS = 0.2, 0.1


def has_pixels(columns: Mapping[str, np.ndarray]) -> bool:
    """Whether columns of small integers include an image: 64 or more whose names differ only in their numbers.

    Names that contain "pix" suffice. Columns with other names (``1x1``, ``f0``) must also resemble their neighbours:
    tables of survey answers and of counts hold small integers too.

    Parameters
    ----------
    columns : mapping of str to ndarray
        (n,) uint8 each.

    Returns
    -------
    bool
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name in columns:
        alike[re.sub(r"\d+", "#", name).lower()].append(name)
    forms = [(form, names) for form, names in alike.items() if "#" in form and len(names) >= _MIN_PIXELS]
    if any("pix" in form for form, _ in forms):
        return True
    return any(
        _resemble_neighbours(np.column_stack([columns[name][:_SAMPLED] for name in names[:_COMPARED]]))
        for _, names in forms
    )


def _resemble_neighbours(pixels: np.ndarray) -> bool:
    varying = pixels[:, pixels.min(axis=0) < pixels.max(axis=0)]
    if varying.shape[1] < 2 or len(np.unique(varying)) < _MIN_LEVELS:
        return False
    scores = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    half = varying.shape[1] // 2
    beside = (scores[:, :-1] * scores[:, 1:]).mean()
    apart = np.abs((scores[:, :-half] * scores[:, half:]).mean(axis=0)).mean()
    return bool(beside >= max(_MIN_CORRELATION, apart + _MIN_EXCESS))
