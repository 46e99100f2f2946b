"""Checks that fit models again, to test the code of a competition.

They are to a competition what scikit-learn's ``check_estimator`` is to an estimator. They run after everything that a
run checks, on a sample of the rows:

- *thresholds and weights cross-fitted*: ensemble weights, thresholds and ``postprocess`` are fitted again after the
  targets of one fold were shuffled. The predictions for that fold must not change.
- *reproducible fits*: a fold is fitted twice with the same seed.
- *memory between fits*: a fold is fitted after others, and alone in a fresh process with other hashes and another
  clock. The predictions must be equal, and the competition's code must not open the data's files.
- *validation rows leak into fitting*: a fold is fitted again after the targets, and then the columns, of its validation
  rows were changed. No prediction may change: one that does was fitted on rows that are scored.
- *shuffled-target test*: the whole cross-validation is repeated with shuffled targets. The score must fall to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kpipe.checks import prediction_checks, table_checks
from kpipe.checks.fresh_process import FreshFit, fit_in_fresh_process
from kpipe.checks.interface import Finding, TrainedModels, run_check
from kpipe.checks.perturbation import replace_values, sample_rows, with_other_rows
from kpipe.core.metrics import Metric, evaluate, gain_over, output
from kpipe.core.values import Check, Ensemble, Folds, Predictions
from kpipe.errors import TrainingError
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.training.baseline import predict_baseline
from kpipe.training.combine import combine
from kpipe.training.cross_validation import cross_validate

__all__ = ["REFIT_CHECKS", "RefitCheck", "Trainer", "check_competition"]

_TRAIN_ROWS, _TEST_ROWS = 3_000, 1_000  # enough for a mistake to show, and few enough for a dozen fits
_FEW_SOURCES = 5  # rows whose columns all validation rows are given: no mean, mode or maximum stays what it was
_ROUNDING = 1e-6  # standard deviations by which a prediction may differ and count as equal
_SIGNIFICANT = 3.0  # standard errors: chance alone exceeds such a difference once in four hundred times
_HASH_SEEDS = (20_011, 31_337, 271)  # values of PYTHONHASHSEED; the further ones tell hashes from memory
_PERMUTATIONS = 30  # of the predictions, whose scores show what chance attains
_ROWS_DIFFER = (
    "Not checked, because clean drops or reorders rows. To enable this check, let clean return all rows in their order."
)


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """A problem, its folds and its models, and ways to fit them again.

    Attributes
    ----------
    problem : Problem
    folds : Folds
    models : mapping of str to Factory
    device : str
    jobs : int, optional
        Number of processes, as for a run.
    """

    problem: Problem
    folds: Folds
    models: Mapping[str, Factory]
    device: str = "cpu"
    jobs: int | None = None

    def train(self, problem: Problem) -> Predictions:
        """Cross-validate all models on a problem.

        Parameters
        ----------
        problem : Problem

        Returns
        -------
        Predictions
        """
        return cross_validate(problem, self.folds, models=self.models, device=self.device, jobs=self.jobs)

    def train_first_fold(self, problem: Problem) -> Predictions:
        """Fit all models on the first fold, one at a time: some give other bytes with other numbers of threads.

        Parameters
        ----------
        problem : Problem

        Returns
        -------
        Predictions
        """
        fold = Folds(train=self.folds.train[:1], valid=self.folds.valid[:1])
        return cross_validate(problem, fold, models=self.models, device=self.device, jobs=1)

    def train_last_fold(self) -> Predictions:
        """Fit all models on the last fold, one at a time, in this process, which has fitted other folds before.

        Returns
        -------
        Predictions
        """
        return cross_validate(self.problem, self.last_fold, models=self.models, device=self.device, jobs=1)

    @property
    def last_fold(self) -> Folds:
        """The last of the folds."""
        return Folds(train=self.folds.train[-1:], valid=self.folds.valid[-1:])

    def combine(self, problem: Problem, predictions: Predictions) -> Ensemble:
        """Combine the models' predictions as a run does.

        Parameters
        ----------
        problem : Problem
        predictions : Predictions

        Returns
        -------
        Ensemble
        """
        return combine(problem, self.folds, predictions)

    @cached_property
    def first_fold(self) -> Predictions:
        """Predictions of all models after fitting the first fold of the problem."""
        return self.train_first_fold(self.problem)


@dataclass(frozen=True)
class RefitCheck:
    """A check that fits models again.

    Attributes
    ----------
    name : str
    step : str
        What is being done, for the progress display.
    function : callable
        Yields findings.
    """

    name: str
    step: str
    function: Callable[[Trainer, TrainedModels], Iterable[Finding]]


def check_competition(trainer: Trainer, *, on_step: Callable[[str], None] = lambda step: None) -> Iterator[Check]:
    """Results of all checks of a run, and of those that fit models again; each as soon as it is known.

    Parameters
    ----------
    trainer : Trainer
    on_step : callable
        Called with a description of each step before it starts.

    Yields
    ------
    Check
    """
    on_step("checking tables and folds")
    yield from table_checks(trainer.problem, trainer.folds)
    trainer = _on_sample(trainer)
    problem, folds = trainer.problem, trainer.folds
    on_step(f"training {', '.join(trainer.models)} on {len(problem.y):,} rows, {len(folds.train)} folds")
    try:
        predictions = trainer.train(problem)
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
    yield "pass", f"{names}: the predictions of every fold are finite and have the right shape."


def _cross_fitted(trainer: Trainer, trained: TrainedModels) -> Iterator[Finding]:
    problem, predictions, held = trainer.problem, trained.predictions, trainer.folds.valid[0]
    shuffled = np.arange(len(predictions.y))
    shuffled[held] = np.random.default_rng(0).permutation(held)
    tables = problem.tables
    train = replace_values(tables.train, problem.targets, shuffled, of=tables.train)
    altered = problem.with_tables(replace(tables, train=train))
    again = trainer.combine(altered, replace(predictions, y=predictions.y[shuffled]))
    changed = _changed(trained.ensemble.oof[held], again.oof[held])
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
        changed = _changed(model.oof[held], twin.oof[held])
        if changed.any():
            yield (
                "fail",
                f"{model.name}, fitted twice on the same rows with the same seed, gives different predictions for "
                f"{changed.sum()} of {len(held)} rows. Pass context.seed to every random step.",
            )
            return
    yield "pass", "Every model gives the same predictions when it is fitted twice with the same seed."


def _memory(trainer: Trainer, _: TrainedModels) -> Iterator[Finding]:
    """The last fold, fitted here after others, and alone in a fresh process with other hashes and another clock."""

    def fit(hash_seed: int) -> FreshFit:
        return fit_in_fresh_process(
            trainer.problem, trainer.last_fold, trainer.models, device=trainer.device, hash_seed=hash_seed
        )

    try:
        fresh = fit(_HASH_SEEDS[0])
    except TrainingError as error:
        yield "pass", f"Not checked: {error}."
        return
    if fresh.opened:
        yield (
            "fail",
            f"The competition's code opens {', '.join(fresh.opened[:3])} by itself: it may see validation rows and "
            "their targets. Use the tables that clean gets and the rows that are passed to fit; list further files in "
            "`extra`.",
        )
        return
    changed = _first_change(trainer.train_last_fold(), fresh.predictions, trainer.last_fold)
    if not changed:
        yield "pass", "The last fold gives the same predictions alone in a fresh process, with other hashes and clock."
    elif any(_first_change(fresh.predictions, fit(seed).predictions, trainer.last_fold) for seed in _HASH_SEEDS[1:]):
        yield (
            "fail",
            f"{changed} from one process to the next: it depends on hash(), on the order of a set, or on the clock. "
            "Sort sets, hash with hashlib, and pass context.seed to every random step.",
        )
    else:
        yield (
            "fail",
            f"{changed} when the last fold is fitted alone in a fresh process: something is kept between fits (a "
            "cache, an attribute of a class, a table that an import or a splitter has kept). Keep nothing outside of "
            "the fitted object.",
        )


def _first_change(one: Predictions, two: Predictions, fold: Folds) -> str:
    """The subject and predicate of a sentence about the first model whose predictions differ; empty if none do."""
    held = fold.valid[0]
    for a, b in zip(one.models, two.models, strict=True):
        changed = np.concatenate([_changed(a.oof[held], b.oof[held]), _changed(a.test, b.test)])
        if changed.any():
            return f"{a.name} changes {changed.sum()} of {len(changed)} predictions"
    return ""


def _validation_leakage(trainer: Trainer, _: TrainedModels) -> Iterator[Finding]:
    held, rng = trainer.folds.valid[0], np.random.default_rng(0)
    count = len(trainer.problem.y)
    for altered in ("targets", "columns"):
        rows = {"targets": np.arange(count), "columns": np.arange(count)}
        rows[altered][held] = (
            rng.permutation(held) if altered == "targets" else rng.choice(held[:_FEW_SOURCES], len(held))
        )
        problem = with_other_rows(trainer.problem, **rows)
        if problem is None:
            yield "warn", _ROWS_DIFFER
            return
        again = trainer.train_first_fold(problem)
        for model, other in zip(trainer.first_fold.models, again.models, strict=True):
            changed = _changed(model.test, other.test)
            if altered == "targets":  # with other columns, validation rows rightly have other predictions
                changed = np.concatenate([changed, _changed(model.oof[held], other.oof[held])])
            if changed.any():
                yield "fail", _leak(model.name, changed, altered)
                return
    yield (
        "pass",
        f"The models of fold 1 do not depend on the targets or the columns of its {len(held):,} validation rows.",
    )


def _leak(model: str, changed: np.ndarray, altered: str) -> str:
    return (
        f"{model} changes {changed.sum():,} of the {len(changed):,} predictions of fold 1 when only the {altered} of "
        "its validation rows change: something was fitted on the rows that are scored. Learn only in "
        "`features` or in the estimator, and only from the rows that are passed to `fit`."
    )


def _shuffled_target(trainer: Trainer, _: TrainedModels) -> Iterator[Finding]:
    metric, count = trainer.problem.metric, len(trainer.problem.y)
    shuffled = np.random.default_rng(0).permutation(count)
    problem = with_other_rows(trainer.problem, targets=shuffled, columns=np.arange(count))
    if problem is None:
        yield "warn", _ROWS_DIFFER
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

    Predictions that know nothing may still be better than any constant, under a metric that rewards their spread.
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
        "fitting weights and thresholds again, with the targets of one fold shuffled",
        _cross_fitted,
    ),
    RefitCheck("reproducible fits", "fitting one fold twice", _reproducible),
    RefitCheck("memory between fits", "fitting the last fold alone in a fresh process", _memory),
    RefitCheck(
        "validation rows leak into fitting",
        "fitting one fold again, with its validation rows changed",
        _validation_leakage,
    ),
    RefitCheck("shuffled-target test", "cross-validating again, with the target shuffled", _shuffled_target),
)


def _changed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) bool: rows whose predictions differ by more than rounding."""
    spread = max(float(np.nanstd(a, axis=0).max()), 1e-300)
    changed: np.ndarray = ~np.isclose(a, b, rtol=0.0, atol=_ROUNDING * spread, equal_nan=True).all(axis=1)
    return changed
