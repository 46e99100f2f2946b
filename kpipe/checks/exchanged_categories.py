"""Categories that are swapped in test: by all other columns, each has the rows of another one."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import permutations

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.core.values import Folds
from kpipe.data.column_types import is_pixel_table
from kpipe.data.pixels import picture_columns
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "exchanged_categories"]

_ROWS, _COLUMNS, _FEATURES = 10_000, 60, 30  # of a table that are used, columns that are examined, and compared with
_MAX_CATEGORIES, _MIN_ROWS = 5, 30  # categories of a column, and rows of each in either table
# Mean square of the differences between a category in train and in test, in standard deviations of the columns, from
# which they are unlike; share of it that may be left once categories are exchanged back, beyond chance.
_UNLIKE, _LEFT = 0.05, 0.1


def exchanged_categories(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Columns whose categories have the same meaning in test only after swapping; nothing if there are none.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    train, test = problem.X.iloc[:_ROWS], problem.X_test.iloc[:_ROWS]
    if is_pixel_table(train) or picture_columns(train.columns):
        return
    measures = _measures(train, test)
    for column in list(train)[:_COLUMNS]:
        if column != problem.groups and (categories := _shared_categories(train[column], test[column])):
            others = [pair for name, pair in measures.items() if name != column][:_FEATURES]
            meanings = _meanings(categories, train[column], test[column], others)
            if meanings is not None:
                exchanged = {now: then for now, then in zip(categories, meanings, strict=True) if now != then}
                shown = ", ".join(
                    f"{str(now)!r} there has the rows of {str(then)!r}" for now, then in exchanged.items()
                )
                yield (
                    "fail",
                    f"{column} has categories whose names mean something else in test than in train, judged by all "
                    f"other columns: {shown}. Swap them back in clean, or find out how the two files encode {column}.",
                )


def _shared_categories(train: pd.Series, test: pd.Series) -> list[Hashable]:
    """The categories of a column that both tables have in enough rows; none if there are other ones, or many."""
    if pd.api.types.is_float_dtype(train) and train.nunique() > 2:
        return []
    ours, theirs = train.value_counts(), test.value_counts()
    if not 2 <= len(ours) <= _MAX_CATEGORIES or set(ours.index) != set(theirs.index):
        return []
    return list(ours.index) if min(ours.min(), theirs.min()) >= _MIN_ROWS else []


def _measures(train: pd.DataFrame, test: pd.DataFrame) -> dict[Hashable, tuple[np.ndarray, np.ndarray]]:
    """The first columns of both tables as numbers, standardized: ranks, or whether a cell has the usual category.

    As many as a column is compared with, and one more, since none is compared with itself.
    """
    made: dict[Hashable, tuple[np.ndarray, np.ndarray]] = {}
    for column in train:
        if len(made) > _FEATURES:
            break
        ours, theirs = train[column], test[column]
        if ours.isna().all():
            continue
        if all(pd.api.types.is_numeric_dtype(part) for part in (ours, theirs)):
            numbers = [part.to_numpy(dtype=np.float64, na_value=np.nan) for part in (ours, theirs)]
            ordered = np.sort(numbers[0][np.isfinite(numbers[0])])
            pair = [np.searchsorted(ordered, np.nan_to_num(part, nan=np.nanmedian(numbers[0]))) for part in numbers]
        elif ours.nunique() <= len(ours) / 20:
            pair = [(part.astype(object) == ours.mode().iloc[0]).to_numpy() for part in (ours, theirs)]
        else:
            continue
        spread = float(np.std(pair[0]))
        if spread > 0:
            made[column] = ((pair[0] - np.mean(pair[0])) / spread, (pair[1] - np.mean(pair[0])) / spread)
    return made


def _meanings(
    categories: list[Hashable], train: pd.Series, test: pd.Series, others: list[tuple[np.ndarray, np.ndarray]]
) -> list[Hashable] | None:
    """What each category of test means in train; None where it means itself, or nothing fits better."""
    if not others:
        return None
    ours, theirs = (
        _means(categories, column, [pair[side] for pair in others]) for side, column in ((0, train), (1, test))
    )
    sizes = [np.array([(column == category).sum() for category in categories]) for column in (train, test)]
    by_chance = float(np.mean(1 / sizes[0] + 1 / sizes[1]))
    # A shift of all of test is no exchange.
    ours, theirs = (means - means.mean(axis=0) for means in (ours, theirs))
    usual = float(np.mean((theirs - ours) ** 2))
    if usual < _UNLIKE:
        return None
    best = min(
        permutations(range(len(categories))), key=lambda order: float(np.mean((theirs - ours[list(order)]) ** 2))
    )
    left = float(np.mean((theirs - ours[list(best)]) ** 2))
    return [categories[place] for place in best] if left < _LEFT * usual + by_chance and left < usual / 4 else None


def _means(categories: list[Hashable], column: pd.Series, others: list[np.ndarray]) -> np.ndarray:
    """(categories, others) the mean of each other column in the rows of each category."""
    cells, values = column.astype(object), np.column_stack(others)
    return np.array([values[(cells == category).to_numpy()].mean(axis=0) for category in categories])


TABLE_CHECKS = (TableCheck("exchanged categories", exchanged_categories),)
