"""Whether predictions beat the baseline, vary, depend on their own row only, and come from real data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kpipe.checks.interface import Finding, PredictionCheck, TrainedModels
from kpipe.core.metrics import Metric, evaluate, gain_over, output
from kpipe.core.values import ModelPredictions, Status, Submission
from kpipe.training.clipping import clip_to_bounds
from kpipe.training.thresholds import cross_fit_thresholds

__all__ = [
    "PREDICTION_CHECKS",
    "batch_dependence",
    "better_than_baseline",
    "classes_in_training_rows",
    "collapsed_predictions",
    "constant_predictions",
    "models_better_than_baseline",
    "real_data",
]

# Standard errors: chance alone exceeds such a difference once in twenty times.
_SIGNIFICANT = 2.0
# Standard errors by which a model must improve if its classes are swapped, to conclude that they are swapped.
_CLASSES_SWAPPED = 4.0
# Predictions that differ by less, relative to their size, differ by rounding only.
_CONSTANT = 1e-9
# Standard deviations by which the prediction for a row may change. Of all models here on CPU none changes by more than
# 5e-8; the rest is for a GPU's half precision.
_BATCH_DEPENDENCE = 0.01
# Share of rows with the same prediction from which a model counts as collapsed.
_COLLAPSED = 0.9
# Fewer rows than these say little about a standard deviation or a share.
_MIN_ROWS = 30

_NO_MODEL = "No model was trained: run again with a longer --budget."
_CAUSES = (
    "Usual causes: a loss of shapes (n,) and (n, 1), which broadcasts to (n, n); inputs that are not scaled; a "
    "learning rate that is too high."
)


def better_than_baseline(trained: TrainedModels) -> Iterator[Finding]:
    """Check whether the score of the ensemble is significantly better than the baseline's.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
    """
    problem, theirs = trained.problem, trained.baseline_score
    ours = evaluate(problem.metric, trained.predictions.y, trained.ensemble.oof, groups=problem.blocks)
    gain, error = gain_over(problem.metric, ours, theirs)
    scores = f"{problem.metric.name} {ours.value:.5g} is {{}} the {trained.baseline.name}'s {theirs.value:.5g}"
    difference = f"(standard error of the difference: {error:.2g})"
    if gain > _SIGNIFICANT * error:
        yield "pass", f"{scores.format('significantly better than')} {difference}."
    elif gain > 0:
        yield (
            "warn",
            f"{scores.format('not significantly better than')} {difference}. Add features, or try other models.",
        )
    else:
        yield (
            "fail",
            f"{scores.format('no better than')} {difference}. Check features and models for mistakes, "
            "or try other models.",
        )


def models_better_than_baseline(trained: TrainedModels) -> Iterator[Finding]:
    """The models that are significantly worse than the baseline, which an ensemble can hide.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
        One for each such model.
    """
    metric, predictions, theirs = trained.problem.metric, trained.predictions, trained.baseline_score
    for model in predictions.models:
        oof = cross_fit_thresholds(metric, model.oof, predictions.y, trained.folds)
        oof = clip_to_bounds(trained.problem, oof)
        scored = ~np.isnan(oof).any(axis=1)
        value = metric.function(predictions.y[scored], output(metric, oof[scored]))
        if _gain(metric, value, theirs.value) >= 0:
            continue
        ours = evaluate(metric, predictions.y, oof, groups=trained.problem.blocks)
        gain, error = gain_over(metric, ours, theirs)
        if gain >= -_SIGNIFICANT * error:
            continue
        scores = f"{model.name} alone has {metric.name} {ours.value:.5g}, worse than the {trained.baseline.name}'s "
        yield _explain_bad_model(trained, model, scored, f"{scores}{theirs.value:.5g}.", error)


def _gain(metric: Metric, value: float, reference: float) -> float:
    return (value - reference) if metric.greater_is_better else (reference - value)


def _explain_bad_model(
    trained: TrainedModels, model: ModelPredictions, scored: np.ndarray, detail: str, error: float
) -> Finding:
    """A failure if the model would be good with its two classes swapped, else a warning."""
    metric, y = trained.problem.metric, trained.predictions.y
    if metric.task == "classification" and metric.single is None and model.oof.shape[1] == 2:
        other = cross_fit_thresholds(metric, model.oof[:, ::-1], y, trained.folds)
        swapped = metric.function(y[scored], output(metric, other[scored]))
        if _gain(metric, swapped, trained.baseline_score.value) > _CLASSES_SWAPPED * error:
            return (
                "fail",
                f"{detail} With the two classes swapped it would have {swapped:.5g}: its labels are decoded in the "
                "wrong order, or the columns of predict_proba are not in the order of classes_. Correct the order.",
            )
    return "warn", f"{detail} Tune the model or leave it out."


def constant_predictions(trained: TrainedModels) -> Iterator[Finding]:
    """Check whether predictions for test rows vary, about as much as those for out-of-fold rows.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
    """
    test, oof, targets = trained.ensemble.test, trained.ensemble.oof, trained.problem.targets
    constant = test.std(axis=0) <= _CONSTANT * np.abs(test).max(axis=0)
    if len(test) > 1 and (constant.all() or (constant.any() and len(targets) > 1)):
        column = int(np.flatnonzero(constant)[0])
        what = f"value {test[0, column]:.6g} for {targets[column]}" if len(targets) > 1 else "prediction"
        # The predictions for fewer rows may well be equal.
        status: Status = "fail" if len(test) >= _MIN_ROWS else "warn"
        only_constant = [model.name for model in trained.predictions.models] == ["constant"]  # the budget was too short
        yield status, f"Every test row has the same {what}. {_NO_MODEL if only_constant else _CAUSES}"
        return
    spread, expected = test.std(axis=0).max(), np.nanstd(oof, axis=0).max()
    detail = (
        f"The standard deviation of predictions is {spread:.3g} for test rows and {expected:.3g} for out-of-fold rows."
    )
    if len(test) >= _MIN_ROWS and not 1 / 3 < spread / max(expected, 1e-12) < 3:
        yield "warn", f"{detail} They should be similar: compare how train and test are processed."
        return
    yield "pass", detail


def collapsed_predictions(trained: TrainedModels) -> Iterator[Finding]:
    """The models that give nearly all rows the same prediction, although the target varies.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
        One for each such model.
    """
    y = trained.predictions.y if trained.predictions.y.ndim > 1 else trained.predictions.y[:, None]
    for model in trained.predictions.models:
        oof = model.oof[~np.isnan(model.oof).any(axis=1)]
        share = _share_of_mode(oof)
        if len(oof) >= _MIN_ROWS and share > _COLLAPSED and _share_of_mode(y) < _COLLAPSED:
            yield "warn", f"{model.name} gives {share:.0%} of the out-of-fold rows the same prediction. {_CAUSES}"


def _share_of_mode(values: np.ndarray) -> float:
    """Share of rows that have the most frequent values, to 6 digits of their standard deviation."""
    rounded = np.round(values / np.maximum(values.std(axis=0), 1e-300), 6)
    return float(np.unique(rounded, axis=0, return_counts=True)[1].max() / max(len(values), 1))


def batch_dependence(trained: TrainedModels) -> Iterator[Finding]:
    """Check whether the prediction for a row depends on the rows that are predicted with it.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
    """
    change = {model.name: model.batch_dependence for model in trained.predictions.models}
    worst = max(change, key=lambda model: change[model])
    if change[worst] > _BATCH_DEPENDENCE:
        by = f"changes its predictions by up to {change[worst]:.2g} standard deviations"
        how = "fails" if change[worst] == float("inf") else by
        yield (
            "fail",
            f"{worst} {how} when the same test rows are predicted in another order, or one of them alone. The "
            "prediction for a row must not depend on other rows: look for a scaler or a mean fitted in predict, cached "
            "predictions, or shapes (n,) and (n, 1) that broadcast.",
        )
        return
    yield (
        "pass",
        "Predictions for test rows are the same in another order, and for one row alone (within "
        f"{_BATCH_DEPENDENCE:g} standard deviations).",
    )


def classes_in_training_rows(trained: TrainedModels) -> Iterator[Finding]:
    """Check whether the training rows of each fold contain every class; a finding only where they do not.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
    """
    classes, y = trained.predictions.classes, trained.predictions.y
    if classes is None:
        return
    codes = np.arange(len(classes))
    absent = [np.setdiff1d(codes, y[train]) for train in trained.folds.train]
    labels = [str(classes[code]) for code in np.unique(np.concatenate(absent))]
    if labels:
        count = sum(len(codes) > 0 for codes in absent)
        yield (
            "warn",
            f"{count} fold{'s have' if count > 1 else ' has'} no training row of {', '.join(labels[:5])}, which has "
            "too few rows; models of such folds cannot predict it. Stratify the folds, or merge rare classes.",
        )


def real_data(submission: Submission) -> Iterator[Finding]:
    """Check whether the files are the competition's own, and not the embedded sample.

    Parameters
    ----------
    submission : Submission

    Yields
    ------
    Finding
    """
    if submission.sendable:
        yield "pass", "The predictions were made from the competition's own files."
        return
    yield (
        "warn",
        "The predictions were made from the embedded sample, which is not Kaggle's data, and can never be submitted. "
        "Pass the competition's files with --data.",
    )


PREDICTION_CHECKS = (
    PredictionCheck("better than the baseline", better_than_baseline),
    PredictionCheck("models better than the baseline", models_better_than_baseline),
    PredictionCheck("constant predictions", constant_predictions),
    PredictionCheck("collapsed predictions", collapsed_predictions),
    PredictionCheck("batch dependence", batch_dependence),
    PredictionCheck("classes in training rows", classes_in_training_rows),
)
