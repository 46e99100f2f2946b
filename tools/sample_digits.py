"""Digits for the sample of digit-recognizer: scikit-learn's 8x8 digits, enlarged to 28x28.

References
----------
- E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (1998),
  https://doi.org/10.24432/C50P49, CC BY 4.0. scikit-learn bundles its test part as ``load_digits``.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

__all__ = ["enlarge", "tables"]

SEED = 20260301
TRAIN_PER_CLASS, TEST_PER_CLASS = 50, 20
SIDE, INNER = 28, 20  # as in MNIST: the digit fills 20x20 in the middle of 28x28
LEVELS = 16  # pixels of scikit-learn's images are 0..16


def weights(size: int, target: int) -> np.ndarray:
    """Bilinear weights (target, size) that map ``size`` samples to ``target``, times target - 1 to be integers.

    >>> weights(2, 3).tolist()
    [[2, 0], [1, 1], [0, 2]]
    """
    place = np.arange(target) * (size - 1)
    left, rest = np.divmod(place, target - 1)
    matrix = np.zeros((target, size + 1), dtype=np.int64)
    matrix[np.arange(target), left] = target - 1 - rest
    matrix[np.arange(target), left + 1] = rest
    return matrix[:, :size]


def enlarge(images: np.ndarray) -> np.ndarray:
    """(n, 8, 8) of 0..16 → (n, 28, 28) of 0..255; with integers only, so that rounding is the same on every machine."""
    matrix = weights(images.shape[1], INNER)
    scaled = matrix @ images.astype(np.int64) @ matrix.T * 255
    unit = LEVELS * (INNER - 1) ** 2
    margin = (SIDE - INNER) // 2
    return np.pad((scaled + unit // 2) // unit, ((0, 0), (margin, margin), (margin, margin)))


def pixel_columns(images: np.ndarray) -> dict[str, list[object]]:
    """Columns pixel0..pixel783."""
    flat = images.reshape(len(images), -1)
    return {f"pixel{i}": flat[:, i].tolist() for i in range(flat.shape[1])}


def tables() -> dict[str, dict[str, list[object]]]:
    """The files train, test and sample_submission: 500 and 200 rows, no image in both."""
    digits = load_digits()
    random = np.random.RandomState(SEED)  # not default_rng: see make_samples
    chosen = [
        random.permutation(np.flatnonzero(digits.target == label))[: TRAIN_PER_CLASS + TEST_PER_CLASS]
        for label in range(10)
    ]
    train = random.permutation(np.concatenate([rows[:TRAIN_PER_CLASS] for rows in chosen]))
    test = random.permutation(np.concatenate([rows[TRAIN_PER_CLASS:] for rows in chosen]))
    images = enlarge(digits.images)
    return {
        "train": {"label": digits.target[train].tolist(), **pixel_columns(images[train])},
        "test": pixel_columns(images[test]),
        "sample_submission": {"ImageId": list(range(1, len(test) + 1)), "Label": [0] * len(test)},
    }
