"""Whether a splitter of the competition's own splits twice the same, and chooses rows without using their target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.perturbation import replace_values
from kpipe.checks.statistics import ks_statistic
from kpipe.core.values import Folds
from kpipe.errors import KpipeError
from kpipe.problem.problem import Problem
from kpipe.training.folds import make_folds

__all__ = ["TABLE_CHECKS", "own_splitter"]

# Kolmogorov-Smirnov statistic between the targets that a fold validates and those that it trains on: at least, and
# relative to what chance exceeds once in a hundred times, where it is suspicious; so great that the fold was made by
# the target; and rows of a fold from which it is judged.
_UNLIKE, _TIMES_CHANCE, _BY_TARGET, _MIN_ROWS = 0.1, 2.5, 0.6, 20
_EXPECTED = 10  # rows of a class that chance puts into a fold, from which its absence says something


def own_splitter(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """What is wrong with a splitter that the competition brings; nothing if it is right, or if kpipe inferred it.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    if problem.competition.splitter is None:
        return
    try:
        again = make_folds(problem)
        if (differing := _first_differing(again, make_folds(problem))) is not None:
            yield (
                "fail",
                f"The splitter splits the same table differently when it is called again (fold {differing + 1}): two "
                "runs cannot be compared. Give it a random_state, and let it store nothing.",
            )
            return
        if (chosen := _chosen_by_target(problem, again)) is not None:
            yield "fail", chosen
            return
    except KpipeError:  # fewer rows of a class than folds, after targets were permuted
        return
    if (unlike := _unlike_targets(problem, folds)) is not None:
        yield unlike


def _first_differing(one: Folds, two: Folds) -> int | None:
    """The first fold that is not the same in both; None if all are."""
    if len(one.train) != len(two.train):
        return min(len(one.train), len(two.train))
    pairs = zip([*zip(one.train, one.valid, strict=True)], [*zip(two.train, two.valid, strict=True)], strict=True)
    return next((n for n, (a, b) in enumerate(pairs) if not all(map(np.array_equal, a, b))), None)


def _chosen_by_target(problem: Problem, folds: Folds) -> str | None:
    """What is wrong if other rows are validated when the targets are permuted; None if it is the same rows."""
    train = problem.tables.train
    validated = np.unique(np.concatenate(folds.valid))
    if len(validated) >= len(train) - problem.tables.extra:
        return None
    permuted = replace_values(train, problem.targets, np.random.default_rng(0).permutation(len(train)), of=train)
    other = make_folds(problem.with_tables(replace(problem.tables, train=permuted)))
    if np.array_equal(validated, np.unique(np.concatenate(other.valid))):
        return None
    return (
        f"The splitter validates {len(validated):,} of {len(train):,} rows, and chooses them by their target: with "
        "permuted targets it validates others. The score leaves out rows that test has. Validate all rows, or choose "
        "them without the target."
    )


def _unlike_targets(problem: Problem, folds: Folds) -> Finding | None:
    """The finding if a fold validates other targets than it trains on, as of a file that is sorted by the target."""
    if folds.refit or problem.groups is not None:  # periods of time and groups differ by themselves
        return None
    y = problem.tables.train[problem.targets[0]]
    numbers = y.to_numpy(dtype=np.float64) if problem.task == "regression" else pd.factorize(y, sort=True)[0] * 1.0
    pairs = list(zip(folds.train, folds.valid, strict=True))
    distances = [ks_statistic(np.sort(numbers[fitted]), np.sort(numbers[valid])) for fitted, valid in pairs]
    worst = int(np.argmax(distances))
    sizes = len(pairs[worst][0]), len(pairs[worst][1])
    by_chance = 1.63 * np.sqrt(1 / max(sizes[0], 1) + 1 / max(sizes[1], 1))
    if min(sizes) < _MIN_ROWS or distances[worst] < max(_UNLIKE, _TIMES_CHANCE * by_chance):
        return None
    fails = distances[worst] > _BY_TARGET or _lacks_classes(problem, numbers[pairs[worst][1]], numbers)
    return (
        "fail" if fails else "warn",
        f"Fold {worst + 1} validates other values of {problem.targets[0]} than it trains on (Kolmogorov-Smirnov "
        f"statistic {distances[worst]:.2f}), as if rows were sorted by the target. Shuffle the rows (shuffle=True), or "
        "stratify the folds.",
    )


def _lacks_classes(problem: Problem, validated: np.ndarray, y: np.ndarray) -> bool:
    """Whether a fold validates no row of half of the classes, each of which chance would have put into it."""
    if problem.task == "regression":
        return False
    shares = np.bincount(y.astype(int)) / len(y)
    expected = np.flatnonzero(shares * len(validated) >= _EXPECTED)
    return len(expected) > 0 and bool(np.isin(expected, validated, invert=True).mean() >= 0.5)


TABLE_CHECKS = (TableCheck("own splitter", own_splitter, every_column=True),)
