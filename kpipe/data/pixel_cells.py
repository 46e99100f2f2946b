"""Pictures in the cells of a table: lists of equally many numbers, ``70 80 82 ...``, become columns of pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from kpipe.core.wording import listed
from kpipe.data.pixels import pixel_names, value_range
from kpipe.errors import DataError

__all__ = ["spread_pixels"]

_SMALLEST = 8  # pixels per side: shorter lists of numbers may be anything
_TRIED = 20  # cells that decide whether a column holds pictures
_MEASURED = 500  # cells whose range of values is used for all
_USUAL = 0.9  # share of the tried cells that must hold the same number of values
_BRACKETS = str.maketrans(",;[]()", "      ")


def spread_pixels(frames: Mapping[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Replace columns whose cells are lists of numbers, one for each pixel of a square, by columns of pixels.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        "train" and "test", and others that stay as they are.

    Returns
    -------
    frames : dict of str to DataFrame
        Several such columns are the channels of one picture. Pixels are bytes.
    notes : list of str

    Raises
    ------
    DataError
        A cell of such a column holds anything else.
    """
    train, test = frames["train"], frames["test"]
    counts = {str(name): _count(train[name]) for name in train if name in test}
    most = max(counts.values(), default=0)
    columns = [name for name, count in counts.items() if count == most]
    shape = _shape(most, len(columns))
    if shape is None:
        return dict(frames), []
    ranges = {name: _range(train[name]) for name in columns}
    found = {role: _spread(frames[role], f"{role}.csv", ranges, shape) for role in ("train", "test")}
    height, width, channels = shape
    kind = ", grey" if channels == 1 else f" with {channels} channels"
    note = f"The cells of {listed(columns)} hold pictures of {height} x {width} pixels{kind}."
    return {**frames, **found}, [note]


def _shape(count: int, columns: int) -> tuple[int, int, int] | None:
    """The (height, width, channels) of pictures of ``count`` numbers in each of some columns; None if they are none."""
    for colours in (1, 3) if columns == 1 else (1,):
        side = math.isqrt(count // colours)
        if side >= _SMALLEST and colours * side * side == count:
            return side, side, columns * colours
    return None


def _spread(
    frame: pd.DataFrame, file: str, ranges: Mapping[str, tuple[float, float]], shape: tuple[int, int, int]
) -> pd.DataFrame:
    """The table with bytes instead of the cells of some columns; each column's range becomes 0 to 255."""
    count = math.prod(shape) // len(ranges)
    values = np.empty((len(frame), count, len(ranges)), dtype=np.uint8)
    for channel, (name, (low, high)) in enumerate(ranges.items()):
        for row, cell in enumerate(frame[name]):
            numbers = _parse(cell, count, file, name, row)
            values[row, :, channel] = np.clip((numbers - low) * (255.0 / (high - low)), 0, 255)
    pixels = pd.DataFrame(values.reshape(len(frame), -1), columns=pixel_names(shape))
    return pd.concat([frame.drop(columns=list(ranges)), pixels], axis=1)


def _count(column: pd.Series) -> int:
    """How many numbers each cell of a column holds; 0 unless nearly all cells agree."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return 0
    counts = [0 if (numbers := _numbers(cell)) is None else len(numbers) for cell in column.head(_TRIED)]
    usual = max(set(counts), key=counts.count, default=0)
    return usual if usual >= _SMALLEST**2 and counts.count(usual) >= _USUAL * len(counts) else 0


def _numbers(cell: object) -> np.ndarray | None:
    """The finite numbers in a cell; None if it holds anything else."""
    try:
        numbers = np.array(str(cell).translate(_BRACKETS).split(), dtype=np.float64)
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _parse(cell: object, count: int, file: str, name: str, row: int) -> np.ndarray:
    numbers = _numbers(cell)
    if numbers is None or len(numbers) != count:
        held = "no list of finite numbers" if numbers is None else f"{len(numbers):,} numbers"
        raise DataError(
            f"{file}, row {row + 1}: {name!r} must hold {count:,} numbers, one for each pixel; got {held}. Remove the "
            "row, or download the file again.",
            code="broken-pictures",
            file=file,
            column=name,
            row=row + 1,
        )
    return numbers


def _range(column: pd.Series) -> tuple[float, float]:
    """The values that become 0 and 255."""
    some = [numbers for cell in column.head(_MEASURED) if (numbers := _numbers(cell)) is not None and len(numbers)]
    return value_range(np.array([np.quantile(numbers, (0, 0.005, 0.995, 1)) for numbers in some]))
