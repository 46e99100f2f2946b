"""Checks that refit models, to test the code of a competition.

They are to a competition what scikit-learn's ``check_estimator`` is to an estimator. They run after everything that a
run checks, on a sample of the rows. The cross-validation before them may reuse fits of earlier runs; they never do:

- *thresholds and weights cross-fitted*: ensemble weights, thresholds and ``postprocess`` are fitted again after the
  targets of one fold were shuffled. The predictions for that fold must not change.
- *reproducible fits*: a fold is fitted twice with the same seed.
- *memory between fits*: a fold is fitted after others, and alone in a fresh process with other hashes and another
  clock. The predictions must be equal, and the competition's code must not open the data's files.
- *rows with missing values*: a fold is fitted again, and more values are missing in half of the test rows. Predictions
  for the other half must not change.
- *validation rows leak into fitting*: a fold is fitted again after the targets, and then the columns, of its validation
  rows were changed. No prediction may change: one that does was fitted on rows that are scored.
- *shuffled-target test*: the whole cross-validation is repeated with shuffled targets. The score must fall to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from kpipe.checks import prediction_checks, table_checks
from kpipe.checks.fit_leakage import validation_leakage
from kpipe.checks.interface import Finding, TrainedModels, run_check
from kpipe.checks.memory import memory_between_fits
from kpipe.checks.perturbation import replace_values, sample_rows, with_other_rows
from kpipe.checks.trainer import ROWS_DIFFER, RefitCheck, Trainer, changed_rows
from kpipe.core.metrics import Metric, evaluate, gain_over, output
from kpipe.core.values import Check, Folds, Predictions
from kpipe.errors import TrainingError
from kpipe.training.baseline import predict_baseline

__all__ = ["REFIT_CHECKS", "RefitCheck", "Trainer", "check_competition"]

_TRAIN_ROWS, _TEST_ROWS = 3_000, 1_000  # enough for a mistake to show, and few enough for a dozen fits
_EMPTIED = 0.3  # share of the cells of test that are emptied, in columns with missing values
_SIGNIFICANT = 3.0  # standard errors: chance alone exceeds such a difference once in four hundred times
_BATCH = 0.01  # standard deviations, as of the check of batch dependence
_PERMUTATIONS = 30  # of the predictions, whose scores show what chance attains


def check_competition(trainer: Trainer, *, on_step: Callable[[str], None] = lambda step: None) -> Iterator[Check]:
    """Results of all checks of a run, and of those that refit models; each as soon as it is known.

    Parameters
    ----------
    trainer : Trainer
    on_step : callable
        Called with a description of each step before it starts.

    Yields
    ------
    Check
    """
    on_step("Checking tables and folds")
    yield from table_checks(trainer.problem, trainer.folds)
    trainer = _on_sample(trainer)
    problem, folds = trainer.problem, trainer.folds
    on_step(f"Training {', '.join(trainer.models)} on {len(problem.y):,} rows, {len(folds.train)} folds")
    try:
        predictions = trainer.train_unaltered()
    except TrainingError as error:
        yield Check(name="fits succeed", status="fail", detail=str(error))
        return
    yield from run_check("fits succeed", _fits_succeed, predictions)
    trainer = replace(trainer, models={model.name: trainer.models[model.name] for model in predictions.models})
    ensemble = trainer.combine(problem, predictions)
    trained = TrainedModels(problem, folds, predictions, predict_baseline(problem, folds), ensemble)
    yield from prediction_checks(trained)
    for check in REFIT_CHECKS:
        on_step(check.step)
        yield from run_check(check.name, check.function, trainer, trained)


def _on_sample(trainer: Trainer) -> Trainer:
    problem, folds = sample_rows(trainer.problem.to_predict, trainer.folds, train=_TRAIN_ROWS, test=_TEST_ROWS)
    rows = np.arange(len(problem.tables.train))
    # Cleaned again: a clean that keeps a result for later must keep the one that belongs to the sample.
    problem = with_other_rows(problem, targets=rows, columns=rows) or problem
    return replace(trainer, problem=problem, folds=folds)


def _fits_succeed(predictions: Predictions) -> Iterator[Finding]:
    if predictions.skipped:
        yield "fail", " ".join(f"{name} was skipped: {reason}" for name, reason in predictions.skipped.items())
        return
    names = ", ".join(model.name for model in predictions.models)
    reused = f" {predictions.n_reused} of {predictions.n_fits} fits reused." if predictions.n_reused else ""
    yield "pass", f"{names}: the predictions of every fold are finite and have the right shape.{reused}"


def _cross_fitted(trainer: Trainer, trained: TrainedModels) -> Iterator[Finding]:
    problem, predictions, held = trainer.problem, trained.predictions, trainer.folds.valid[0]
    shuffled = np.arange(len(predictions.y))
    shuffled[held] = np.random.default_rng(0).permutation(held)
    tables = problem.tables
    train = replace_values(tables.train, problem.targets, shuffled, of=tables.train)
    altered = problem.with_tables(replace(tables, train=train))
    again = trainer.combine(altered, replace(predictions, y=predictions.y[shuffled]))
    changed = changed_rows(trained.ensemble.oof[held], again.oof[held])
    if changed.any():
        yield (
            "fail",
            f"{changed.sum()} of the {len(held)} predictions of fold 1 change when only the targets of fold 1 are "
            "shuffled: a weight, a threshold or postprocess was fitted on the rows that are scored. Fit it on the "
            "other folds.",
        )
        return
    yield "pass", "Weights, thresholds and postprocess do not use the targets of the fold that they are applied to."


def _reproducible(trainer: Trainer, _: TrainedModels) -> Iterator[Finding]:
    held, twice = trainer.folds.valid[0], trainer.train_first_fold(trainer.problem)
    for model, twin in zip(trainer.first_fold.models, twice.models, strict=True):
        changed = changed_rows(model.oof[held], twin.oof[held])
        if changed.any():
            yield (
                "fail",
                f"{model.name}, fitted twice on the same rows with the same seed, gives different predictions for "
                f"{changed.sum()} of {len(held)} rows. Pass context.seed to every random step.",
            )
            return
    yield "pass", "Every model gives the same predictions when it is fitted twice with the same seed."


def _missing_values(trainer: Trainer, _: TrainedModels) -> Iterator[Finding]:
    """The first fold again, with more missing values in test: a row's prediction must not depend on other rows."""
    tables = trainer.problem.tables
    both = [c for c in trainer.problem.columns if tables.train[c].isna().any() or tables.test[c].isna().any()]
    if not both:
        return
    rng, test = np.random.default_rng(0), tables.test.copy()
    touched = np.arange(len(test)) % 2 == 1
    for column in both:
        test[column] = test[column].mask(touched & (rng.random(len(test)) < _EMPTIED))
    altered = trainer.problem.with_tables(replace(tables, test=test))
    try:
        again = trainer.train_first_fold(altered)
    except TrainingError as error:
        yield "skipped", f"Not checked: models cannot predict more missing values than the files have ({error})."
        return
    for model, other in zip(trainer.first_fold.models, again.models, strict=True):
        changed = changed_rows(model.test, other.test)[~touched]
        if changed.any() or other.batch_dependence > max(_BATCH, model.batch_dependence):
            yield (
                "fail",
                f"{model.name} changes its predictions for rows when other rows have missing values "
                f"({changed.sum()} of {(~touched).sum()}), or when rows with missing values are reordered: values are "
                "filled from the rows that are predicted together. Fill them with what was learned in fit.",
            )
            return
    yield "pass", "Missing values in some rows of test change no prediction for others."


def _shuffled_target(trainer: Trainer, _: TrainedModels) -> Iterator[Finding]:
    metric, count = trainer.problem.metric, len(trainer.problem.y)
    shuffled = np.random.default_rng(0).permutation(count)
    problem = with_other_rows(trainer.problem, targets=shuffled, columns=np.arange(count))
    if problem is None:
        yield "skipped", ROWS_DIFFER
        return
    predictions = trainer.train(problem)
    oof, baseline = trainer.combine(problem, predictions).oof, predict_baseline(problem, trainer.folds)
    ours, theirs = evaluate(metric, predictions.y, oof), evaluate(metric, predictions.y, baseline.oof)
    gain, error = gain_over(metric, ours, theirs)
    scores = f"With shuffled targets, {metric.name} is {ours.value:.5g} ({baseline.name}: {theirs.value:.5g})"
    if gain > _SIGNIFICANT * error and _beats_its_permutations(metric, predictions.y, oof, trainer.folds):
        yield (
            "fail",
            f"{scores}; the standard error of the difference is {error:.2g}. Shuffled targets cannot be learned, so "
            "the target leaks into the features. Find the feature that is computed from it.",
        )
        return
    yield "pass", f"{scores}: no better than chance, as expected."


def _beats_its_permutations(metric: Metric, y: np.ndarray, oof: np.ndarray, folds: Folds) -> bool:
    """Whether predictions score better than the same predictions given to other rows of their fold.

    Random predictions may still be better than any constant, under a metric that rewards their spread.
    """
    rng, chance = np.random.default_rng(0), []
    for _ in range(_PERMUTATIONS):
        permuted = oof.copy()
        for valid in folds.valid:
            permuted[valid] = oof[rng.permutation(valid)]
        chance.append(_score(metric, y, permuted))
    gain = (_score(metric, y, oof) - float(np.mean(chance))) * (1 if metric.greater_is_better else -1)
    return bool(gain > _SIGNIFICANT * np.std(chance, ddof=1))


def _score(metric: Metric, y: np.ndarray, predictions: np.ndarray) -> float:
    scored = ~np.isnan(predictions).any(axis=1)
    return float(metric.function(y[scored], output(metric, predictions[scored])))


REFIT_CHECKS = (
    RefitCheck(
        "thresholds and weights cross-fitted",
        "Fitting weights and thresholds again, with the targets of one fold shuffled",
        _cross_fitted,
    ),
    RefitCheck("reproducible fits", "Fitting one fold twice", _reproducible),
    RefitCheck("memory between fits", "Fitting the last fold alone in a fresh process", memory_between_fits),
    RefitCheck(
        "validation rows leak into fitting",
        "Fitting one fold again, with its validation rows changed",
        validation_leakage,
    ),
    RefitCheck("rows with missing values", "Fitting one fold again, with more missing values in test", _missing_values),
    RefitCheck("shuffled-target test", "Cross-validating again, with the target shuffled", _shuffled_target),
)
