"""Columns whose values determine a class: everywhere, or for some values with certainty."""

from __future__ import annotations

import numpy as np

from kpipe.checks.binning import BinnedColumn, Evidence

__all__ = ["MAX_CLASSES", "find_class_leak"]

MAX_CLASSES = 50
_PRIOR_ROWS = 5  # rows with the usual shares of classes that are added to those of a value, which may have few
# Share of the errors of the best constant that one column alone removes: likely, and surely, the target itself.
_LIKELY, _SURE = 0.95, 0.995
_MIN_ROWS = 200  # from which a conclusion is sure
# If another value gives a class at least this probability, then certainty about that class is no surprise.
_GRADUAL = 0.9
_MIN_UNCERTAIN = 0.05  # share of rows that must be uncertain where the others are said to be certain
_MIN_ADJACENT = 4  # certain rows of each class, where two classes meet
# Minus the natural logarithm of the probability of the certain rows, if they were as uncertain as the others.
_EVIDENCE, _EVIDENCE_ONE_CLASS = 5.0, 25.0


def find_class_leak(
    binned: BinnedColumn, classes: np.ndarray, fold: np.ndarray, names: list[str], *, target: str, columns: int | None
) -> Evidence | None:
    """Evidence that a column contains a target of classes; None if there is none.

    Parameters
    ----------
    binned : BinnedColumn
    classes : (n,) array of int
        Codes of the classes.
    fold : (n,) array of int
        Fold of each row, by which the table of values and classes is validated.
    names : list of str
        Names of the classes.
    target : str
        Name of the target.
    columns : int or None
        Number of columns that are examined; None to examine only what the column says about all rows.

    Returns
    -------
    Evidence or None
    """
    codes, n = binned.codes, len(binned.codes)
    bins, kinds, n_folds = len(binned.values), len(names), int(fold.max()) + 1
    table = np.bincount((fold * bins + codes) * kinds + classes, minlength=n_folds * bins * kinds)
    table = table.reshape(n_folds, bins, kinds)
    whole = table.sum(axis=0)
    predicted = (whole[None] - table).argmax(axis=2)
    right = int(np.take_along_axis(table, predicted[..., None], axis=2).sum())
    most = int(whole.sum(axis=0).max())
    skill = (right - most) / max(n - most, 1)
    if skill >= _LIKELY:
        sure = (skill >= _SURE or _is_pure(table, binned, right)) and n >= _MIN_ROWS
        text = f"alone predicts {target} correctly in {right / n:.2%} of held-out rows"
        return Evidence(sure, right, f"{text} (most frequent class: {most / n:.1%})", skill)
    return None if columns is None else _find_certain_values(whole, binned, names, target=target, tests=columns * bins)


def _is_pure(table: np.ndarray, binned: BinnedColumn, right: int) -> bool:
    """Whether categories are wrong about no held-out row but those whose category no other row has.

    table : (folds, values, classes) number of rows. right : held-out rows that are predicted correctly.
    """
    if binned.ordered:
        return False
    unknown = (table.sum(axis=0)[None] - table).sum(axis=2) == 0
    return bool(right >= table.sum() - table.sum(axis=2)[unknown].sum())


def _find_certain_values(
    whole: np.ndarray, binned: BinnedColumn, names: list[str], *, target: str, tests: int
) -> Evidence | None:
    """Evidence where some values are certain about their class, and no other value is nearly so.

    whole : (values, classes) number of rows. Neighbouring values that are certain of the same class form a run.
    tests : how many values of how many columns are examined; among so many, some are certain by chance.

    A strong feature is certain at its ends, and less and less between them. So numbers count where certainty of one
    class meets that of another, or where one value, or all that are not missing, are of one class.
    """
    counts, which = whole.sum(axis=1), whole.argmax(axis=1)
    pure = (counts == whole.max(axis=1)) & (counts > 0)
    breaks = (np.diff(which) != 0) | ~(pure[1:] & pure[:-1]) | (not binned.ordered)
    run = np.cumsum(np.concatenate([[0], breaks]))
    rows = np.bincount(run, weights=counts * pure)
    kind = which[np.unique(run, return_index=True)[1]]
    evidence = rows * _surprise(whole, counts, pure)[kind] - np.log(tests)
    adjacent = _adjacent(rows, kind, np.bincount(run)) if binned.ordered else np.ones(len(rows), dtype=bool)
    clear = np.flatnonzero((rows > 0) & (evidence > 0) & (adjacent | _stands_alone(binned, run)))
    # Between two adjacent runs a feature changes from one class to the other; without other rows it is a steep feature.
    between = np.concatenate([[False], adjacent[:-2] & adjacent[2:] & (rows[1:-1] == 0), [False]])[: len(rows)]
    between &= binned.ordered
    if counts[~pure & ~between[run]].sum() < _MIN_UNCERTAIN * counts.sum():
        return None
    # One of many classes may have values of its own, as some pixels are black in a 6 only; half of them may not.
    several = len(np.unique(kind[clear])) >= max(2, len(names) / 2)
    if not len(clear) or (not several and len(names) > 2):
        return None
    if evidence[clear].sum() < (_EVIDENCE if several else _EVIDENCE_ONE_CLASS):
        return None
    best = clear[np.argsort(-rows[clear])][:3]
    spans = [(_span(binned.values, np.flatnonzero(run == number)), names[kind[number]]) for number in best]
    certain, n = int(rows[clear].sum()), int(counts.sum())
    sure = several and n >= 2 * _MIN_ROWS  # in fewer rows, a legitimate feature may seem certain by chance
    shown = ", ".join(f"{span} always means {name}" for span, name in spans)
    return Evidence(sure, certain, f"determines {target} in {certain} of {n} rows ({shown})")


def _surprise(whole: np.ndarray, counts: np.ndarray, pure: np.ndarray) -> np.ndarray:
    """(classes,) minus the logarithm of the best probability that an uncertain value gives a class; 0 if it is high."""
    share = whole.sum(axis=0) / counts.sum()
    smoothed = (whole[~pure] + _PRIOR_ROWS * share) / (counts[~pure, None] + _PRIOR_ROWS)
    probability = np.maximum(smoothed.max(axis=0, initial=0), share)
    return np.asarray(np.where(probability <= _GRADUAL, -np.log(np.clip(probability, 1e-12, 1)), 0.0))


def _adjacent(rows: np.ndarray, kind: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Which certain runs lie beside one of another class, with at most one value between them."""
    adjacent = np.zeros(len(rows), dtype=bool)
    for step in (1, 2):
        near = (rows[step:] >= _MIN_ADJACENT) & (rows[:-step] >= _MIN_ADJACENT) & (kind[step:] != kind[:-step])
        if step == 2:
            near &= width[1:-1] == 1
        adjacent[step:] |= near
        adjacent[:-step] |= near
    return adjacent


def _stands_alone(binned: BinnedColumn, run: np.ndarray) -> np.ndarray:
    """Which runs are one frequent value, or all values that are not missing."""
    values = np.bincount(run)
    frequent = np.bincount(run, weights=binned.frequent) == values
    return (frequent & (values == 1)) | (values >= len(run) - binned.has_missing)


def _span(values: list[str], places: np.ndarray) -> str:
    return values[places[0]] if len(places) == 1 else f"{values[places[0]]} to {values[places[-1]]}"
