"""Whether a custom metric scores every row against its own target, and tunes nothing on the targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kpipe.checks.interface import Finding, PredictionCheck, TrainedModels
from kpipe.core.metrics import METRICS, Metric, output

__all__ = ["PREDICTION_CHECKS", "own_metric"]

_MIN_ROWS = 100
_CORRUPTED = 0.1  # share of rows that are predicted wrongly where the others are perfect
_PART_ROWS, _PARTITIONS, _CHOSEN = 25, 5, 0.03  # rows of a part; partitions; share of the way to perfect


@dataclass(frozen=True)
class _Probed:
    """A metric, and what it is probed with: targets, predictions, and perfect ones.

    score : gives the score of predictions for some rows; it passes copies to the metric.
    """

    metric: Metric
    y: np.ndarray
    oof: np.ndarray
    perfect: np.ndarray

    def score(self, predictions: np.ndarray, rows: np.ndarray | None = None) -> float:
        y, predictions = (self.y, predictions) if rows is None else (self.y[rows], predictions[rows])
        return float(self.metric.function(y.copy(), np.array(output(self.metric, predictions))))

    def same(self, one: float, two: float) -> bool:
        return bool(np.isclose(one, two, rtol=1e-9, atol=1e-12, equal_nan=True))


def own_metric(trained: TrainedModels) -> Iterator[Finding]:
    """Mistakes of a competition's custom metric; nothing if it is correct, or kpipe's.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
    """
    metric, y, oof = trained.problem.metric, trained.predictions.y, trained.ensemble.oof
    kpipes = any(metric.function is known.function for known in METRICS.values())
    scored = ~np.isnan(oof).any(axis=1)
    if kpipes or metric.single is not None or y.ndim > 1 or metric.needs == "ranking" or scored.sum() < _MIN_ROWS:
        return
    y, oof = y[scored], oof[scored]
    perfect = y[:, None].astype(np.float64) if oof.shape[1] == 1 else np.eye(oof.shape[1])[y.astype(int)]
    probed = _Probed(metric, y, oof, perfect)
    probes: tuple[Callable[[_Probed], Finding | None], ...] = (
        _is_random,
        _keeps_state,
        _alters_arguments,
        _ignores_pairs,
        _leaves_out_the_worst,
        _leaves_out_unsure_rows,
        _chooses_by_targets,
        _ignores_direction,
    )
    try:
        found = next((found for probe in probes if (found := probe(probed)) is not None), None)
    except ValueError:  # not defined for such predictions
        return
    if found is not None:
        yield found


def _is_random(probed: _Probed) -> Finding | None:
    once, again = probed.score(probed.oof), probed.score(probed.oof)
    if probed.same(once, again):
        return None
    return (
        "fail",
        f"{probed.metric.name} is {once:.5g}, and {again:.5g} for the same rows and predictions: it is random. Two "
        "runs cannot be compared. Score all rows, without random draws.",
    )


def _keeps_state(probed: _Probed) -> Finding | None:
    rows = np.arange(len(probed.y) // 2)
    before, best = probed.score(probed.oof, rows), probed.score(probed.perfect)
    after = probed.score(probed.oof, rows)
    if probed.same(before, after):
        return None
    return (
        "fail",
        f"{probed.metric.name} is {before:.5g} for half of the rows, and {after:.5g} after it was called for perfect "
        f"predictions ({best:.5g}): it keeps state between calls. Compute it from its arguments alone.",
    )


def _alters_arguments(probed: _Probed) -> Finding | None:
    y, predictions = probed.y.copy(), np.array(output(probed.metric, probed.oof))
    kept = predictions.copy()
    probed.metric.function(y, predictions)
    changed = [
        name for name, one, two in (("y", y, probed.y), ("the predictions", predictions, kept)) if (one != two).any()
    ]
    if not changed:
        return None
    return (
        "fail",
        f"{probed.metric.name} changes {' and '.join(changed)} that are passed to it: later scores and files no longer "
        "reflect what the models predicted. Work on copies (y = y.copy()).",
    )


def _ignores_pairs(probed: _Probed) -> Finding | None:
    permuted = probed.oof[np.random.default_rng(0).permutation(len(probed.oof))]
    once, mixed = probed.score(probed.oof), probed.score(permuted)
    if not probed.same(once, mixed) or probed.same(once, probed.score(probed.perfect)) or _is_constant(probed.oof):
        return None
    return (
        "fail",
        f"{probed.metric.name} is {once:.5g}, and the same when predictions are assigned to other rows: it does not "
        "compare a row's prediction with the row's own target. Correct the function.",
    )


def _is_constant(predictions: np.ndarray) -> bool:
    return bool((predictions == predictions[0]).all())


def _leaves_out_unsure_rows(probed: _Probed) -> Finding | None:
    if probed.metric.needs != "probability" or probed.oof.shape[1] != 2:
        return None
    wrong = probed.oof.argmax(axis=1) != probed.y
    unsure = probed.perfect.copy()
    unsure[wrong] = 0.5
    if not wrong.any() or wrong.all() or not probed.same(probed.score(unsure), probed.score(probed.perfect)):
        return None
    return (
        "fail",
        f"{probed.metric.name} is perfect where {int(wrong.sum()):,} of {len(wrong):,} rows are predicted with a "
        "probability of one half: it leaves out uncertain rows. Count all rows.",
    )


def _leaves_out_the_worst(probed: _Probed) -> Finding | None:
    rows = np.random.default_rng(0).permutation(len(probed.y))[: round(_CORRUPTED * len(probed.y))]
    corrupted = probed.perfect.copy()
    if probed.oof.shape[1] == 1:
        corrupted[rows] = probed.y[rows, None] + 10 * max(float(np.ptp(probed.y)), 1.0)
    else:
        corrupted[rows] = np.roll(probed.perfect[rows], 1, axis=1)
    if not probed.same(probed.score(corrupted), probed.score(probed.perfect)):
        return None
    return (
        "warn",
        f"{probed.metric.name} is perfect although {_CORRUPTED:.0%} of the rows are predicted wrongly: it leaves out "
        "the worst rows, or counts only some rows. Make sure that Kaggle's metric does so, too.",
    )


def _chooses_by_targets(probed: _Probed) -> Finding | None:
    """Whether small parts score better than the whole: each has a threshold of its own."""
    if probed.metric.needs != "probability" or probed.oof.shape[1] != 2 or probed.metric.losses is not None:
        return None
    n, rng = len(probed.y), np.random.default_rng(0)
    sign = 1 if probed.metric.greater_is_better else -1
    whole, parts = probed.score(probed.oof), []
    for _ in range(_PARTITIONS):
        mixed = rng.permutation(n)[:1_000]
        for rows in np.array_split(mixed, max(2, len(mixed) // _PART_ROWS)):
            if len(np.unique(probed.y[rows])) == 2:
                parts.append(probed.score(probed.oof, rows))
    usual = np.bincount(probed.y.astype(int), minlength=2) / n
    worst = probed.score(np.tile(usual, (n, 1)))
    way = abs(probed.score(probed.perfect) - worst)
    gain = sign * (float(np.mean(parts)) - whole) if parts else 0.0
    if not gain > max(_CHOSEN * way, 4 * float(np.std(parts)) / np.sqrt(len(parts))):
        return None
    return (
        "fail",
        f"{probed.metric.name} is {whole:.5g} on all rows, but {np.mean(parts):.5g} on average on parts of "
        f"{_PART_ROWS} of them: it tunes something, such as a threshold, on the targets that it scores. Set it "
        'beforehand, or let kpipe fit the threshold on other folds (needs="label").',
    )


def _ignores_direction(probed: _Probed) -> Finding | None:
    reversed_ = probed.oof[:, ::-1] if probed.oof.shape[1] == 2 else -probed.oof
    if probed.oof.shape[1] > 2 or probed.metric.needs == "label":
        return None
    once = probed.score(probed.oof)
    if not probed.same(once, probed.score(reversed_)) or _is_constant(probed.oof):
        return None
    return (
        "warn",
        f"{probed.metric.name} is {once:.5g}, and the same for predictions in the reverse order: a model that swaps "
        "the classes would go unnoticed. Do not take the absolute value or the square.",
    )


PREDICTION_CHECKS = (PredictionCheck("own metric", own_metric),)
