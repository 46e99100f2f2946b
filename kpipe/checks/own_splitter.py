"""Whether a custom splitter is deterministic, and chooses rows without using their target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.perturbation import replace_values
from kpipe.checks.statistics import ks_statistic
from kpipe.core.values import Folds
from kpipe.data.column_types import to_codes
from kpipe.errors import KpipeError
from kpipe.problem.problem import Problem
from kpipe.training.folds import make_folds

__all__ = ["TABLE_CHECKS", "own_splitter"]

# Kolmogorov-Smirnov statistic between the targets that a fold validates and those that it trains on: at least, and
# relative to what chance exceeds once in a hundred times, where it is suspicious; so great that the fold was made by
# the target; and rows of a fold from which it is judged.
_UNLIKE, _TIMES_CHANCE, _BY_TARGET, _MIN_ROWS = 0.1, 2.5, 0.6, 20
# Share of rows that may be left out, or validated more often than others; that a fold must train on; columns that are
# compared, and the Kolmogorov-Smirnov statistic from which they differ.
_MAX_LEFT_OUT, _MIN_TRAINED, _COLUMNS, _DIFFERS = 0.02, 0.5, 100, 0.3
_EXPECTED = 10  # rows of a class that chance puts into a fold, from which its absence says something


def own_splitter(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Mistakes of a competition's custom splitter; nothing if it is correct, or if kpipe inferred it.

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
                "runs cannot be compared. Set its random_state, and keep no state in it.",
            )
            return
        if (chosen := _chosen_by_target(problem, again)) is not None:
            yield "fail", chosen
            return
    except KpipeError:  # fewer rows of a class than folds, after targets were permuted
        return
    for found in (_unlike_targets(problem, folds), _uncounted(problem, folds), _few_training_rows(problem, folds)):
        if found is not None:
            yield found
            return


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
        "permuted targets it validates different rows. The score leaves out rows like those that test has. Validate "
        "all rows, or choose them without the target."
    )


def _uncounted(problem: Problem, folds: Folds) -> Finding | None:
    """The finding if some rows are validated less often than others; folds in time leave out the first ones."""
    rows = len(problem.tables.train) - problem.tables.extra
    counts = np.bincount(np.concatenate(folds.valid), minlength=rows)[:rows]
    most, never = int(counts.max()), np.flatnonzero(counts == 0)
    # Folds that validate stretches of the file may follow a time.
    if folds.refit or (len(never) and never[-1] == len(never) - 1) or counts.min() == most:
        return None
    if len(never) <= _MAX_LEFT_OUT * rows and (counts > 1).sum() <= _MAX_LEFT_OUT * rows:
        return None
    if len(never) > _MAX_LEFT_OUT * rows:
        column, like_test = _by_which_column(problem, counts > 0)
        if like_test:  # the rows that resemble test are those to validate
            return None
        what = f"never validates {len(never):,} of {rows:,} rows (first: row {never[0] + 1} of train.csv)"
        what += f", which differ from the others in {column}" if column else ""
        why = "The score says nothing about them"
    else:
        twice = np.flatnonzero(counts > 1)
        what = f"validates {len(twice):,} of {rows:,} rows more than once (first: row {twice[0] + 1} of train.csv)"
        what += ", and others once" if counts.min() else ", and others never"
        why = "These rows count more in the score"
    return "warn", f"The splitter {what}. {why}. Validate each row in exactly one fold, as KFold does."


def _by_which_column(problem: Problem, validated: np.ndarray) -> tuple[str | None, bool]:
    """The column by which validated rows differ most from the others, and whether test is like the validated ones.

    No column if they hardly differ.
    """
    both = pd.concat([problem.X.iloc[: len(validated)], problem.X_test], ignore_index=True)[list(problem.X)[:_COLUMNS]]
    numbers = to_codes(both).fillna(-1.0)
    worst: tuple[float, str | None, bool] = (_DIFFERS, None, False)
    for column in numbers:
        values = numbers[column].to_numpy(dtype=np.float64)
        train, test = values[: len(validated)], np.sort(values[len(validated) :])
        ours, others = np.sort(train[validated]), np.sort(train[~validated])
        distance = ks_statistic(ours, others)
        if distance > worst[0]:
            worst = (distance, str(column), ks_statistic(ours, test) < distance / 2)
    return worst[1:]


def _few_training_rows(problem: Problem, folds: Folds) -> Finding | None:
    """The finding if a fold trains on a small share of the rows that it might train on."""
    if folds.refit or problem.groups is not None:
        return None
    rows = len(problem.tables.train)
    shares = [len(np.unique(t)) / max(rows - len(v), 1) for t, v in zip(folds.train, folds.valid, strict=True)]
    worst = int(np.argmin(shares))
    first = np.array([t.max() < v.min() for t, v in zip(folds.train, folds.valid, strict=True) if len(t) and len(v)])
    if shares[worst] >= _MIN_TRAINED or first.all():
        return None
    return (
        "warn",
        f"Fold {worst + 1} trains on {len(np.unique(folds.train[worst])):,} of the {rows - len(folds.valid[worst]):,} "
        "rows that it does not validate: the score and the submission come from models trained on fewer rows. Train on "
        "all other rows.",
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
