"""Whether the predictions are worth anything: better than the baseline, each row's own, not all alike, of real data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kpipe.core.metrics import Metric, evaluate, gain_over, output
from kpipe.core.values import Check, Ensemble, Folds, Predictions, Score, Status, Submission
from kpipe.training.thresholds import cross_fit_thresholds

__all__ = ["beats_baseline", "models_learn", "not_constant", "one_for_most", "real_data", "rows_on_their_own"]

# Two standard errors: a difference that chance alone exceeds once in twenty times.
_CLEAR = 2.0
_SURELY = 4.0  # a model that is worse by so much, and better turned round, is turned round
# Predictions that differ by less, relative to their size, are one prediction and its rounding.
_CONSTANT = 1e-9
# Standard deviations by which a row's prediction may move. Of all models here on CPU none moves by more than 5e-8;
# what is left is for the rounding of a GPU's half precision.
_MOVED = 0.01
# A share of rows with one and the same prediction, from which a model has collapsed.
_COLLAPSED = 0.9
_FEW = 30  # rows that say little about a spread or a share

_COLLAPSE = (
    "Usual causes: a loss of shapes (n,) and (n, 1), which broadcasts to (n, n); inputs that are not scaled; a "
    "learning rate that is too high."
)


def beats_baseline(
    metric: Metric, predictions: Predictions, blended: Ensemble, below: tuple[str, Score], groups: np.ndarray | None
) -> Check:
    """Whether the score is better than that of the best constant, by more than chance.

    below : that constant's name and score.
    """
    name, theirs = below
    ours = evaluate(metric, predictions.y, blended.oof, groups=groups)
    gain, error = gain_over(metric, ours, theirs)
    status: Status = "pass" if gain > _CLEAR * error else "warn" if gain > 0 else "fail"
    words = {"pass": "clearly better than", "warn": "hardly better than", "fail": "no better than"}[status]
    detail = (
        f"{metric.name} {ours.value:.5g} is {words} the {name}'s {theirs.value:.5g} (error of the gap {error:.2g})."
    )
    return Check(name="better than the baseline", status=status, detail=detail)


def models_learn(
    metric: Metric, predictions: Predictions, folds: Folds, below: tuple[str, Score], groups: np.ndarray | None
) -> Iterator[Check]:
    """Models that are clearly worse than a constant, by name: a blend can hide one, and turned round it may shine."""
    name, theirs = below
    sign = 1 if metric.greater_is_better else -1
    for model in predictions.models:
        oof = cross_fit_thresholds(metric, model.oof, predictions.y, folds)
        scored = ~np.isnan(oof).any(axis=1)
        value = metric.function(predictions.y[scored], output(metric, oof[scored]))
        if sign * (value - theirs.value) >= 0:
            continue
        ours = evaluate(metric, predictions.y, oof, groups=groups)
        gain, error = gain_over(metric, ours, theirs)
        if gain >= -_CLEAR * error:
            continue
        detail = f"{model.name} alone has {metric.name} {ours.value:.5g}, worse than the {name}'s {theirs.value:.5g}."
        status: Status = "warn"
        if metric.task == "classification" and metric.single is None and model.oof.shape[1] == 2:
            other = cross_fit_thresholds(metric, model.oof[:, ::-1], predictions.y, folds)
            turned = metric.function(predictions.y[scored], output(metric, other[scored]))
            if sign * (turned - theirs.value) > _SURELY * error:
                status = "fail"
                detail += (
                    f" With its two classes swapped it would have {turned:.5g}: its labels are decoded the other way "
                    "round, or the columns of predict_proba are not in the order of classes_."
                )
        yield Check(name="models better than the baseline", status=status, detail=detail)


def not_constant(blended: Ensemble, targets: Sequence[str] = ()) -> Check:
    """Whether test rows have different predictions, about as different as out-of-fold rows have.

    targets : of several, each has its column of predictions.
    """
    name = "constant predictions"
    still = blended.test.std(axis=0) <= _CONSTANT * np.abs(blended.test).max(axis=0)
    if len(blended.test) > 1 and (still.all() or (still.any() and len(targets) > 1)):
        column = int(np.flatnonzero(still)[0])
        what = f"value {blended.test[0, column]:.6g} for {targets[column]}" if len(targets) > 1 else "prediction"
        # Fewer rows than that may well be alike.
        status: Status = "fail" if len(blended.test) >= _FEW else "warn"
        return Check(name=name, status=status, detail=f"Every test row has the same {what}. {_COLLAPSE}")
    spread, expected = blended.test.std(axis=0).max(), np.nanstd(blended.oof, axis=0).max()
    detail = f"Predictions spread by {spread:.3g} over test rows and {expected:.3g} over out-of-fold rows."
    apart = len(blended.test) >= _FEW and not 1 / 3 < spread / max(expected, 1e-12) < 3
    return Check(name=name, status="warn" if apart else "pass", detail=detail)


def one_for_most(predictions: Predictions) -> Iterator[Check]:
    """Models that give nearly all rows one and the same prediction, where the target varies."""
    y = predictions.y if predictions.y.ndim > 1 else predictions.y[:, None]
    for model in predictions.models:
        oof = model.oof[~np.isnan(model.oof).any(axis=1)]
        share = _commonest(oof)
        if len(oof) >= _FEW and share > _COLLAPSED and _commonest(y) < _COLLAPSED:
            detail = f"{model.name} gives {share:.0%} of the out-of-fold rows one and the same prediction. {_COLLAPSE}"
            yield Check(name="collapsed predictions", status="warn", detail=detail)


def _commonest(values: np.ndarray) -> float:
    """The share of rows that have the most common values, to 6 digits of their spread."""
    rounded = np.round(values / np.maximum(values.std(axis=0), 1e-300), 6)
    return float(np.unique(rounded, axis=0, return_counts=True)[1].max() / max(len(values), 1))


def rows_on_their_own(predictions: Predictions) -> Check:
    """Whether a row's prediction is the same in another order of the rows, and alone."""
    name = "batch dependence"
    moved = {model.name: model.batch_dependence for model in predictions.models}
    worst = max(moved, key=lambda model: moved[model])
    if moved[worst] > _MOVED:
        broken = moved[worst] == float("inf")
        how = "fails" if broken else f"changes its predictions by up to {moved[worst]:.2g} standard deviations"
        detail = (
            f"{worst} {how} when the same test rows are predicted in another order, or one of them alone. A row's "
            "prediction must not depend on the rows beside it: look for a scaler or mean fitted in predict, "
            "predictions kept from an earlier call, shapes (n,) and (n, 1) that broadcast."
        )
        return Check(name=name, status="fail", detail=detail)
    detail = f"Test rows predicted in another order, and one alone, have the same predictions (within {_MOVED:g} sd)."
    return Check(name=name, status="pass", detail=detail)


def real_data(submission: Submission) -> Check:
    """Whether the files are the competition's own."""
    if submission.sendable:
        return Check(
            name="real data", status="pass", detail="The predictions were made from the competition's own files."
        )
    detail = (
        "The predictions were made from the embedded sample, which is not Kaggle's data: they can never be submitted."
    )
    return Check(name="real data", status="warn", detail=detail)
