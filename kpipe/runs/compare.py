"""Two runs side by side: the difference of their scores on the same rows, paired, and what changed between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from kpipe.core.metrics import Metric, output
from kpipe.errors import UsageError
from kpipe.runs.loaded import LoadedRun, OofPredictions, read
from kpipe.runs.provenance import differences
from kpipe.runs.run import Run

__all__ = ["Comparison", "compare"]

Verdict = Literal["better", "worse", "cannot tell"]

_CLEAR = 2.0  # standard errors: a difference that chance alone exceeds once in twenty times
_BLOCKS = 50  # of rows, each left out in turn: the error of an error is then 10 % (1 / sqrt(2 * 50))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What run b is, compared with run a.

    scores : of a and b on the ``rows`` that both predicted. difference : b's less a's, with its standard error: paired,
        for both runs judged the same rows, and what is hard for one is mostly hard for the other. Where folds keep
        groups whole, as many groups count, however many rows they have.
    verdict : of b; "cannot tell" where the difference is less than two standard errors.
    same_folds : whether both had the same folds. Where not, their luck is in the difference, and not in its error.
    changed : what is not the same in both (data, code, versions, options), a phrase each.
    sides : rows on which b is right and a is wrong, and the other way round; of values, that b is nearer by more than
        the median error, and farther. One row each: row, id where there is one, truth, a, b, change.
    """

    a: str
    b: str
    metric: str
    greater_is_better: bool
    scores: tuple[float, float]
    difference: float
    standard_error: float
    rows: int
    verdict: Verdict
    same_folds: bool
    changed: tuple[str, ...]
    sides: pd.DataFrame

    @property
    def won(self) -> int:
        """Rows that b has right, or nearer, and a has not."""
        return int((self.sides["change"] == "won").sum())

    @property
    def lost(self) -> int:
        """Rows that a has right, or nearer, and b has not."""
        return int((self.sides["change"] == "lost").sum())


def compare(a: Run, b: Run) -> Comparison:
    """Run b against run a. Raises UsageError where they are not of the same competition, rows and metric."""
    facts, others = read(a), read(b)
    ours, theirs = _judged(facts), _judged(others)
    metric = facts.metric
    if metric is None or others.metric is None or a.record["slug"] != b.record["slug"]:
        raise UsageError(f"{_id(a)} and {_id(b)} are of other competitions, or their metric is no longer known.")
    if metric.name != others.metric.name or ours.ensemble.shape != theirs.ensemble.shape or not _same(ours.y, theirs.y):
        raise UsageError(
            f"{_id(a)} ({metric.name}) and {_id(b)} ({others.metric.name}) have other rows, targets or metrics: "
            "there is nothing to compare."
        )
    both = ours.is_predicted & theirs.is_predicted
    y, p, q = ours.y[both], ours.ensemble[both], theirs.ensemble[both]
    scores = tuple(metric.function(y, output(metric, given)) for given in (p, q))
    difference = scores[1] - scores[0]
    groups = _groups(ours, theirs)
    error = _paired_error(metric, y, p, q, None if groups is None else groups[both])
    gain = difference if metric.greater_is_better else -difference
    verdict: Verdict = "cannot tell" if not abs(gain) > _CLEAR * error else "better" if gain > 0 else "worse"
    return Comparison(
        a=_id(a),
        b=_id(b),
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        scores=(scores[0], scores[1]),
        difference=difference,
        standard_error=error,
        rows=int(both.sum()),
        verdict=verdict,
        same_folds=_same_folds(facts, others),
        changed=tuple(differences(_made(a.record), _made(b.record))),
        sides=_sides(metric, ours, theirs, both),
    )


def _id(run: Run) -> str:
    return str(run.record["run_id"])


def _judged(facts: LoadedRun) -> OofPredictions:
    if facts.oof is None:
        raise UsageError(f"{facts.path}: {' '.join(facts.missing) or 'the out-of-fold predictions are missing.'}")
    return facts.oof


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.isclose(a, b, equal_nan=True).all())


def _same_folds(a: LoadedRun, b: LoadedRun) -> bool:
    return a.folds is not None and b.folds is not None and a.folds.equals(b.folds)


def _made(record: Mapping[str, Any]) -> dict[str, Any]:
    data = record.get("data")
    return {
        "files": data.get("files") if isinstance(data, Mapping) else None,
        **{name: record.get(name) for name in ("code", "versions", "settings")},
    }


def _groups(a: OofPredictions, b: OofPredictions) -> np.ndarray | None:
    """The groups that the runs' folds keep whole; where theirs differ, the fewer, of which an error makes less of."""
    found = [one.groups for one in (a, b) if one.groups is not None]
    return min(found, key=lambda groups: len(np.unique(groups)), default=None)


def _paired_error(
    metric: Metric, y: np.ndarray, a: np.ndarray, b: np.ndarray, groups: np.ndarray | None = None
) -> float:
    """The standard error of the difference of two scores on the same rows; NaN where there are no two groups.

    groups : of rows whose luck is one, as in the runs' own standard error; None: each row by itself.
    Of a metric that is a mean over rows, that of the mean of the differences, whose sums over groups are independent
    (Liang and Zeger 1986); of others by leaving out one block of groups after another (the delete-a-group jackknife:
    Efron and Tibshirani 1993, An Introduction to the Bootstrap, 11).
    """
    judged = output(metric, a), output(metric, b)
    numbers = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = len(np.unique(numbers))
    if count < 2:
        return float("nan")
    if metric.losses is not None and not metric.root:
        apart = metric.losses(y, judged[1]) - metric.losses(y, judged[0])
        sums = np.bincount(numbers, weights=apart - apart.mean())
        return float(np.sqrt((sums**2).sum() * count / (count - 1)) / len(y))
    blocks = np.array_split(np.random.default_rng(0).permutation(count), min(_BLOCKS, count))
    without = []
    for block in blocks:
        kept = ~np.isin(numbers, block)
        without.append(metric.function(y[kept], judged[1][kept]) - metric.function(y[kept], judged[0][kept]))
    spread = np.asarray(without) - np.mean(without)
    return float(np.sqrt((len(blocks) - 1) / len(blocks) * (spread**2).sum()))


def _sides(metric: Metric, a: OofPredictions, b: OofPredictions, both: np.ndarray) -> pd.DataFrame:
    """Rows that changed sides, the largest changes first where there are sizes."""
    y = a.y[both]
    if metric.task == "classification" and y.ndim == 1:
        judged = [given.ensemble[both].argmax(axis=1) for given in (a, b)]
        names = np.asarray(a.classes, dtype=object)
        wrong = [(labels != y).astype(float) for labels in judged]
        truth, shown = names[y], [names[labels] for labels in judged]
        margin = 0.5
    elif y.ndim == 1:
        shown = [given.ensemble[both][:, 0] for given in (a, b)]
        wrong = [np.abs(values - y) for values in shown]
        truth, margin = y, float(np.median(wrong[0]))
    else:
        return pd.DataFrame(columns=["row", "truth", "a", "b", "change"])
    gained = wrong[0] - wrong[1]
    moved = np.flatnonzero(np.abs(gained) > margin)
    moved = moved[np.argsort(-np.abs(gained[moved]), kind="stable")]
    frame = pd.DataFrame({"row": a.rows[both][moved]})
    if a.ids is not None:
        frame["id"] = a.ids.to_numpy()[both][moved]
    return frame.assign(
        truth=truth[moved],
        a=shown[0][moved],
        b=shown[1][moved],
        change=np.where(gained[moved] > 0, "won", "lost"),
    )
