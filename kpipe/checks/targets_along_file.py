"""A part of train.csv whose targets differ from the others: a class is absent, or the unit is another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.units_of_columns import find_factor
from kpipe.core.values import Folds
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "targets_along_the_file"]

_EXPECTED = 30.0  # expected rows of the class that is absent: by chance this happens once in 10^13 times
_PARTS = 20  # of the file, between which the unit may change
_MIN_FACTOR = 5.0  # between two units


def targets_along_the_file(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Find a class that is absent from a part of the file, or a unit that changes within the file.

    Competitions with groups, and those split by time, are not checked: there, such parts have other reasons.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    if folds.refit or problem.groups is not None or len(problem.targets) > 1:
        return
    y = problem.tables.train[problem.targets[0]]
    text = _missing_class(y) if problem.labels is not None else _other_unit(y)
    if text is not None:
        yield "warn", f"{y.name} {text}"


def _missing_class(y: pd.Series) -> str | None:
    """The predicate of a sentence about a class that is absent from a long stretch, and present before and after it."""
    for label, count in y.value_counts().items():
        at = np.flatnonzero((y == label).to_numpy())
        gaps = np.diff(at) - 1
        if len(gaps) < 3:
            continue
        place, longest = int(gaps.argmax()), int(gaps.max())
        expected = longest * count / max(len(y) - longest, 1)
        # In the rest of the file, the class is spread at random; sorted files, or blocks, have more such stretches.
        usual = float(np.sort(gaps)[-2]) * count / max(len(y) - longest, 1)
        if expected > _EXPECTED and usual < _EXPECTED / 2 and 0 < place < len(gaps) - 1:
            return (
                f"is never {label!s} from row {at[place] + 2} to row {at[place + 1]} of train.csv, where "
                f"{expected:.0f} such rows are expected: labels may have been lost there. Compare these rows with "
                "their source, or drop them in clean."
            )
    return None


def _other_unit(y: pd.Series) -> str | None:
    """The predicate of a sentence about the row from which the target is in another unit."""
    bounds = np.linspace(0, len(y), _PARTS + 1).astype(int)[1:-1]
    if len(y) < 2 * _PARTS * 10:
        return None
    for row in bounds:
        factor = find_factor(y.iloc[:row], y.iloc[row:])
        if factor is not None and max(factor.value, 1 / factor.value) >= _MIN_FACTOR:
            return (
                f"is in another unit from about row {row + 1} of train.csv on: its median is {factor.test:.3g} there "
                f"and {factor.train:.3g} before, and all quantiles differ by the same factor. Convert these rows in "
                f"clean: multiply them by {factor.value:.3g}."
            )
    return None


TABLE_CHECKS = (TableCheck("targets along the file", targets_along_the_file),)
