"""Whether the predictions are worth anything: better than the baseline, not all alike, of real data."""

from __future__ import annotations

import numpy as np

from kpipe.metrics import Metric, evaluate
from kpipe.models.baseline import baseline
from kpipe.values import Blend, Check, Folds, Predictions, Status, Submission

__all__ = ["beats_baseline", "not_constant", "real_data", "rows_on_their_own"]

# Two standard errors: a difference that chance alone exceeds once in twenty times.
_CLEAR = 2.0
# Predictions that differ by less, relative to their size, are one prediction and its rounding.
_CONSTANT = 1e-9
# Standard deviations by which a row's prediction may move. Of all models here on CPU none moves by more than 5e-8;
# what is left is for the rounding of a GPU's half precision.
_MOVED = 0.01


def beats_baseline(
    metric: Metric, predictions: Predictions, blended: Blend, folds: Folds, *, groups: np.ndarray | None
) -> Check:
    """Whether the score is better than that of the best constant, by more than chance."""
    name, dummy = baseline(metric, predictions.y, folds, outputs=blended.oof.shape[1])
    theirs = evaluate(metric, predictions.y, dummy, groups=groups)
    ours = evaluate(metric, predictions.y, blended.oof, groups=groups)
    gain = (ours.value - theirs.value) * (1 if metric.greater_is_better else -1)
    error = float(np.hypot(np.nan_to_num(ours.standard_error), np.nan_to_num(theirs.standard_error)))
    status: Status = "pass" if gain > _CLEAR * error else "warn" if gain > 0 else "fail"
    words = {"pass": "clearly better than", "warn": "hardly better than", "fail": "no better than"}[status]
    detail = (
        f"{metric.name} {ours.value:.5g} is {words} the {name}'s {theirs.value:.5g} (error of the gap {error:.2g})."
    )
    return Check(name="beats the baseline", status=status, detail=detail)


def not_constant(blended: Blend) -> Check:
    """Whether test rows have different predictions, about as different as out-of-fold rows have."""
    spread, expected = blended.test.std(axis=0).max(), np.nanstd(blended.oof, axis=0).max()
    name = "predictions vary"
    if len(blended.test) > 1 and spread <= _CONSTANT * np.abs(blended.test).max():
        return Check(name=name, status="fail", detail="Every test row has the same prediction.")
    detail = f"Predictions spread by {spread:.3g} over test rows and {expected:.3g} over out-of-fold rows."
    # Fewer than 30 test rows say little about a spread.
    apart = len(blended.test) >= 30 and not 1 / 3 < spread / max(expected, 1e-12) < 3
    return Check(name=name, status="warn" if apart else "pass", detail=detail)


def rows_on_their_own(predictions: Predictions) -> Check:
    """Whether a row's prediction is the same in another order of the rows, and alone."""
    name = "rows on their own"
    moved = {model.name: model.moved for model in predictions.models}
    worst = max(moved, key=lambda model: moved[model])
    if moved[worst] > _MOVED:
        how = "cannot predict" if moved[worst] == float("inf") else f"changes by {moved[worst]:.2g} standard deviations"
        detail = (
            f"{worst} {how} when the same test rows are predicted in another order, or one of them alone: "
            "a row's prediction must not depend on which rows stand beside it."
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
