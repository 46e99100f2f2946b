"""Errors concentrated in one part of the file, as when the target was joined wrongly from some row on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score

from kpipe.checks.interface import Finding, PredictionCheck, TrainedModels
from kpipe.checks.statistics import ks_statistic

__all__ = ["PREDICTION_CHECKS", "even_errors_along_the_file"]

_MIN_ROWS = 200  # of a table in which such patterns are looked for
# The range of a Brownian bridge exceeds this once in 38,000 times, and once in 30 million (Kuiper's distribution).
_BRIDGE, _SURE_BRIDGE, _NO_GAIN = 2.7, 3.3, 0.15  # and the gain of the bad rows, relative to that of the others
_SHORTEST = 0.05  # share of the rows of a part of the file
_SAME_TARGET = 0.15  # Kolmogorov-Smirnov statistic between the targets of two parts that count as alike

_MIN_OF_CLASS = 10  # rows of either class of which the order is examined
_ORDINALS = ("", "", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_PERIODS, _SURE_ERRORS = 10, 6.0  # rows after which errors may repeat; standard errors


def even_errors_along_the_file(trained: TrainedModels) -> Iterator[Finding]:
    """Whether a part of the file is predicted no better than without features, and the rest well.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
    """
    y, oof, baseline = trained.predictions.y, trained.ensemble.oof, trained.baseline.oof
    if y.ndim > 1 or trained.folds.refit:
        return
    rows = np.flatnonzero(~(np.isnan(oof).any(axis=1) | np.isnan(baseline).any(axis=1)))
    if len(rows) < _MIN_ROWS or oof.shape[1] != baseline.shape[1]:
        return
    ours, theirs = (_losses(y[rows], predictions[rows]) for predictions in (oof, _without_features(y, baseline)))
    gain = theirs - ours
    bad, strength = _worst_stretch(gain)
    if strength < _BRIDGE:
        if (every := _every_few_rows(rows, gain)) is not None:
            yield every
        return
    if min(bad.sum(), (~bad).sum()) < _SHORTEST * len(gain):
        return
    if oof.shape[1] == 2 and _is_reversed(y[rows][bad], oof[rows][bad, 1]) and gain[~bad].mean() > 0:
        yield (
            "fail",
            f"Predictions are worse than random for the {bad.sum():,} rows {_place(rows, bad)}, but good for the "
            "others: the two labels of the target are swapped in these rows. Compare these rows with their source, "
            "and swap the labels back in clean, or drop the rows.",
        )
        return
    same = ks_statistic(np.sort(y[rows][bad]), np.sort(y[rows][~bad])) < _SAME_TARGET
    if same and gain[bad].mean() <= 2 * gain[bad].std() / np.sqrt(bad.sum()) and gain[~bad].mean() > 0:
        sure = strength > _SURE_BRIDGE and gain[bad].mean() < _NO_GAIN * gain[~bad].mean()
        yield (
            "fail" if sure else "warn",
            f"Predictions are no better than without features for the {bad.sum():,} rows {_place(rows, bad)}, but "
            "good for the others: in these rows, the target or columns may belong to other rows. Check how they were "
            "joined (by id, not by position).",
        )


def _worst_stretch(gain: np.ndarray) -> tuple[np.ndarray, float]:
    """(n,) bool: the rows with low gains, one stretch of the file or all but one; and the range of the bridge."""
    scale = max(float(gain.std()) * np.sqrt(len(gain)), 1e-300)
    bridge = np.concatenate([[0.0], np.cumsum(gain - gain.mean())]) / scale
    start, end = int(np.argmax(bridge)), int(np.argmin(bridge))
    # Between its maximum and its minimum a bridge falls: gains are low there; or they are low outside of the rest.
    bad = np.zeros(len(gain), dtype=bool)
    bad[min(start, end) : max(start, end)] = True
    return (bad if start < end else ~bad), float(bridge[start] - bridge[end])


def _without_features(y: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Predictions without features: the median, or the shares of classes, since losses of one label vary too much."""
    if baseline.shape[1] == 1:
        return np.full_like(baseline, np.median(y))
    return np.tile(np.bincount(y.astype(int), minlength=baseline.shape[1]) / len(y), (len(y), 1))


def _is_reversed(y: np.ndarray, probabilities: np.ndarray) -> bool:
    """Whether probabilities order the rows of two classes the wrong way round, by more than chance."""
    ones, zeros = int((y == 1).sum()), int((y == 0).sum())
    if min(ones, zeros) < _MIN_OF_CLASS:
        return False
    auc = float(roc_auc_score(y, probabilities))
    return auc < 0.5 - _SURE_ERRORS / 2 * np.sqrt((ones + zeros + 1) / (12 * ones * zeros))


def _every_few_rows(rows: np.ndarray, gain: np.ndarray) -> Finding | None:
    """The finding if every second, third, ... row is predicted no better than without features, and the others well."""
    for period in range(2, _PERIODS + 1):
        place = rows % period
        means = np.array([gain[place == one].mean() for one in range(period)])
        bad = place == int(np.argmin(means))
        error = float(np.hypot(gain[bad].std() / np.sqrt(bad.sum()), gain[~bad].std() / np.sqrt((~bad).sum())))
        lost = float(gain[~bad].mean() - gain[bad].mean())
        if gain[~bad].mean() > 0 and lost > _SURE_ERRORS * error and gain[bad].mean() < _NO_GAIN * gain[~bad].mean():
            return (
                "fail",
                f"Predictions are no better than without features for every {_ORDINALS[period]} row (rows "
                f"{', '.join(str(int(row) + 1) for row in rows[bad][:3])}, ... of train.csv), but good for the others: "
                "in these rows, the target or columns may belong to other rows. Check how they were joined (by id, "
                "not by position).",
            )
    return None


def _place(rows: np.ndarray, bad: np.ndarray) -> str:
    """Where in the file the bad rows are."""
    where = np.flatnonzero(bad)
    first, last = int(rows[where[0]]) + 1, int(rows[where[-1]]) + 1
    if bad[0] and bad[-1]:
        middle = np.flatnonzero(~bad)
        return f"up to row {rows[middle[0]]} and from row {rows[middle[-1]] + 2} of train.csv on"
    if bad[-1]:
        return f"from row {first} of train.csv on"
    return f"up to row {last} of train.csv" if bad[0] else f"from row {first} to row {last} of train.csv"


def _losses(y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """(n,) absolute differences of ranks, or one minus the probability of the true class."""
    if predictions.shape[1] == 1:
        at = np.searchsorted(np.sort(y), np.column_stack([y, predictions[:, 0]])) / len(y)
        return np.abs(at[:, 0] - at[:, 1])
    return np.asarray(1 - predictions[np.arange(len(y)), y.astype(int)])


PREDICTION_CHECKS = (PredictionCheck("errors along the file", even_errors_along_the_file),)
