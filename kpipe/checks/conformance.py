"""What only fitting can show: a competition's code put to the test, in the way of scikit-learn's ``check_estimator``.

Everything that a run checks, and four experiments more, on some of the rows:

- *validation rows leak into fitting*: a fold is fitted again after the targets, and then the columns, of its validation
  rows were changed. No prediction may change: one that does was fitted on rows that are scored.
- *thresholds and weights cross-fitted*: ensemble weights, thresholds and ``postprocess`` are fitted again after a
  fold's targets were changed. The predictions of that fold may not change.
- *reproducible fits*: a fold is fitted twice.
- *shuffled-target test*: the whole cross-validation again, with the target shuffled. It must fall to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kpipe.checks import made, prediction_checks, table_checks
from kpipe.checks.cleaning import raw_targets
from kpipe.checks.reordering import taking
from kpipe.core.metrics import evaluate, gain_over
from kpipe.core.values import Check, Ensemble, Folds, Predictions, Tables
from kpipe.errors import TrainingError
from kpipe.problem.competition import Factory, unchanged
from kpipe.problem.inference.spelling import adapt_tables, unify_spelling
from kpipe.problem.problem import Problem
from kpipe.training.baseline import predict_baseline
from kpipe.training.combine import combine
from kpipe.training.cross_validation import cross_validate

__all__ = ["Bench", "conformance_checks"]

_TRAIN_ROWS, _TEST_ROWS = 3_000, 1_000  # enough for a mistake to show, and few enough for a dozen fits
_FEW_SOURCES = 5  # rows whose columns all held-out rows are given: no mean, mode or maximum stays what it was
_ROUNDING = 1e-6  # standard deviations by which a prediction may differ and be the same
_CHANCE = 3.0  # standard errors: a difference that chance alone exceeds once in four hundred times


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the experiments work with: a problem, its folds and its models."""

    problem: Problem
    folds: Folds
    models: Mapping[str, Factory]
    device: str = "cpu"
    jobs: int | None = None

    def train(self, problem: Problem) -> Predictions:
        """Cross-validate all models."""
        return cross_validate(problem, self.folds, models=self.models, device=self.device, jobs=self.jobs)

    def train_first_fold(self, problem: Problem) -> Predictions:
        """Fit all models on the first fold, one after another: some give other bytes with other numbers of threads."""
        fold = Folds(train=self.folds.train[:1], valid=self.folds.valid[:1])
        return cross_validate(problem, fold, models=self.models, device=self.device, jobs=1)

    def combine(self, problem: Problem, predictions: Predictions) -> Ensemble:
        """Combine the models' predictions as a run does."""
        return combine(problem, self.folds, predictions)


def conformance_checks(bench: Bench, *, tell: Callable[[str], None] = lambda doing: None) -> Iterator[Check]:
    """All checks of a run, and the four experiments; each as it is done. tell : called with what is being done."""
    tell("looking at the tables and folds")
    yield from table_checks(bench.problem, bench.folds)
    bench = _smaller(bench)
    rows = np.arange(len(bench.problem.tables.train))
    # Made anew, from the rows that are left: a clean that keeps something for later shall keep what belongs to them.
    bench = replace(bench, problem=_altered(bench, targets=rows, columns=rows) or bench.problem)
    problem, folds = bench.problem, bench.folds
    tell(f"training {', '.join(bench.models)} on {len(problem.y):,} rows, {len(folds.train)} folds")
    try:
        predictions = bench.train(problem)
    except TrainingError as error:
        yield Check(name="fits succeed", status="fail", detail=str(error))
        return
    yield _models_train(predictions)
    bench = replace(bench, models={model.name: bench.models[model.name] for model in predictions.models})
    blended = bench.combine(problem, predictions)
    baseline = predict_baseline(problem, folds)
    yield from prediction_checks(problem, folds, predictions, baseline, blended)
    tell("choosing weights and thresholds again, a fold's targets changed")
    yield from made("thresholds and weights cross-fitted", _choices_apart, bench, predictions, blended)
    tell("training a fold twice")
    once = bench.train_first_fold(problem)
    yield from made("reproducible fits", _same_seed, bench, once)
    tell("training a fold again, its held-out rows changed")
    yield from made("validation rows leak into fitting", _held_out_silent, bench, once)
    tell("training again with the target shuffled")
    yield from made("shuffled-target test", _noise, bench)


def _models_train(predictions: Predictions) -> Check:
    if predictions.skipped:
        detail = " ".join(f"{name} was left out: {why}" for name, why in predictions.skipped.items())
        return Check(name="fits succeed", status="fail", detail=detail)
    names = ", ".join(model.name for model in predictions.models)
    detail = f"{names}: every fold gives finite predictions of the right shape."
    return Check(name="fits succeed", status="pass", detail=detail)


def _choices_apart(bench: Bench, predictions: Predictions, blended: Ensemble) -> Check:
    name, held = "thresholds and weights cross-fitted", bench.folds.valid[0]
    swapped = np.arange(len(predictions.y))
    swapped[held] = np.random.default_rng(0).permutation(held)
    problem, tables = bench.problem, bench.problem.tables
    train = taking(tables.train, problem.targets, swapped, of=tables.train)
    altered = problem.with_tables(replace(tables, train=train))
    again = bench.combine(altered, replace(predictions, y=predictions.y[swapped]))
    moved = _moved(blended.oof[held], again.oof[held])
    if moved.any():
        detail = (
            f"{moved.sum()} of the {len(held)} predictions of fold 1 change when only the targets of fold 1 are "
            "shuffled: a weight, a threshold or postprocess was chosen on the rows that are scored."
        )
        return Check(name=name, status="fail", detail=detail)
    detail = "Weights, thresholds and postprocess leave a fold's predictions alone when its own targets are shuffled."
    return Check(name=name, status="pass", detail=detail)


def _same_seed(bench: Bench, once: Predictions) -> Check:
    name, held = "reproducible fits", bench.folds.valid[0]
    twice = bench.train_first_fold(bench.problem)
    for model, twin in zip(once.models, twice.models, strict=True):
        moved = _moved(model.oof[held], twin.oof[held])
        if moved.any():
            detail = (
                f"{model.name}, fitted twice on the same rows with the same seed, gives {moved.sum()} of {len(held)} "
                "rows another prediction: hand context.seed to everything random in it."
            )
            return Check(name=name, status="fail", detail=detail)
    return Check(name=name, status="pass", detail="Every model, fitted twice with one seed, predicts the same.")


def _held_out_silent(bench: Bench, once: Predictions) -> Check:
    name, held = "validation rows leak into fitting", bench.folds.valid[0]
    rng = np.random.default_rng(0)
    for changed in ("targets", "columns"):
        targets, columns = np.arange(len(bench.problem.y)), np.arange(len(bench.problem.y))
        if changed == "targets":
            targets[held] = rng.permutation(held)
        else:
            columns[held] = rng.choice(held[:_FEW_SOURCES], len(held))
        altered = _altered(bench, targets=targets, columns=columns)
        if altered is None:
            return Check(name=name, status="warn", detail="Not tried: clean drops or moves rows.")
        again = bench.train_first_fold(altered)
        for model, other in zip(once.models, again.models, strict=True):
            moved = _moved(model.test, other.test)
            if changed == "targets":  # with other columns the held-out rows have other predictions, rightly
                moved = np.concatenate([moved, _moved(model.oof[held], other.oof[held])])
            if moved.any():
                detail = (
                    f"{model.name} of fold 1 gives {moved.sum():,} of {len(moved):,} rows another prediction when only "
                    f"the {changed} of its held-out rows change: something was fitted on the rows that are scored. Fit "
                    "all that learns in `features` or in the estimator, from the rows that `fit` is given."
                )
                return Check(name=name, status="fail", detail=detail)
    detail = f"The models of fold 1 are the same whatever the targets and columns of its {len(held):,} held-out rows."
    return Check(name=name, status="pass", detail=detail)


def _noise(bench: Bench) -> Check:
    name, metric = "shuffled-target test", bench.problem.metric
    count = len(bench.problem.y)
    noise = _altered(bench, targets=np.random.default_rng(0).permutation(count), columns=np.arange(count))
    if noise is None:
        return Check(name=name, status="warn", detail="Not tried: clean drops or moves rows.")
    predictions = bench.train(noise)
    oof, baseline = bench.combine(noise, predictions).oof, predict_baseline(noise, bench.folds)
    ours, theirs = evaluate(metric, predictions.y, oof), evaluate(metric, predictions.y, baseline.oof)
    gain, error = gain_over(metric, ours, theirs)
    said = f"With the target shuffled {metric.name} is {ours.value:.5g}, the {baseline.name}'s {theirs.value:.5g}"
    if gain > _CHANCE * error:
        detail = f"{said} (error of the gap {error:.2g}): there is nothing to learn, so the target is leaking."
        return Check(name=name, status="fail", detail=detail)
    return Check(name=name, status="pass", detail=f"{said}: chance, as it must be.")


def _altered(bench: Bench, *, targets: np.ndarray, columns: np.ndarray) -> Problem | None:
    """The problem made anew after rows of train took others' targets or columns; None where clean drops or moves rows.

    targets, columns : (n,) the row from which each row takes them. Columns that are counted over all rows by name, and
    those of groups that kpipe finds in ids, are taken from that row too, as they were.
    """
    problem, competition, files = bench.problem, bench.problem.competition, bench.problem.files
    if not _keeps_rows(problem, problem.tables):
        return None
    source = files if competition.clean is not unchanged else problem.tables
    train = source.train.iloc[columns].reset_index(drop=True)
    train = taking(train, [problem.id], np.arange(len(train)), of=source.train)
    train = taking(train, raw_targets(replace(problem, files=source)), targets, of=source.train)
    tables = competition.clean(replace(source, train=train))
    if competition.clean is unchanged:
        return problem.with_tables(tables)
    made = {*tables.train.columns}
    _, tables = adapt_tables(competition, tables)
    if not _keeps_rows(problem, tables):
        return None
    in_file = unify_spelling(competition, files)[1].train
    made_by_clean = [name for name in problem.targets if name not in in_file]
    tables = replace(tables, train=taking(tables.train, made_by_clean, targets, of=problem.tables.train))
    counted = [name for name in problem.tables.train if name not in made or name in competition.transductive]
    counted = [name for name in counted if name not in (problem.id, *problem.targets)]
    train = taking(tables.train, counted, columns, of=problem.tables.train)
    test = taking(tables.test, counted, np.arange(len(tables.test)), of=problem.tables.test)
    return problem.with_tables(replace(tables, train=train, test=test))


def _keeps_rows(problem: Problem, tables: Tables) -> bool:
    """Whether each row of train and test is where it was: clean neither drops nor moves rows."""
    id, unified = problem.id, unify_spelling(problem.competition, problem.files)[1]
    for name in ("train", "test"):
        raw, then, now = (getattr(each, name) for each in (unified, problem.tables, tables))
        if not len(raw) == len(then) == len(now):
            return False
        if id in raw and id in now and not raw[id].reset_index(drop=True).equals(now[id].reset_index(drop=True)):
            return False
    return True


def _moved(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) bool: rows whose predictions differ by more than rounding."""
    spread = max(float(np.nanstd(a, axis=0).max()), 1e-300)
    moved: np.ndarray = ~np.isclose(a, b, rtol=0.0, atol=_ROUNDING * spread, equal_nan=True).all(axis=1)
    return moved


def _smaller(bench: Bench) -> Bench:
    """The same with some rows of train and test, and the folds of those; whole where clean drops or moves rows."""
    rng = np.random.default_rng(0)
    problem = bench.problem
    counts = len(problem.tables.train), len(problem.tables.test)
    if not _keeps_rows(problem, problem.tables):
        return bench
    train, test = (
        np.sort(rng.permutation(n)[:most]) for n, most in zip(counts, (_TRAIN_ROWS, _TEST_ROWS), strict=True)
    )
    pairs = [
        (np.flatnonzero(np.isin(train, fitted)), np.flatnonzero(np.isin(train, held)))
        for fitted, held in zip(bench.folds.train, bench.folds.valid, strict=True)
    ]
    kept = [(fitted, held) for fitted, held in pairs if len(fitted) and len(held)]
    smaller = replace(problem, files=_taken(problem.files, train, test))
    return replace(
        bench,
        problem=smaller.with_tables(_taken(problem.tables, train, test)),
        folds=replace(bench.folds, train=tuple(a for a, _ in kept), valid=tuple(b for _, b in kept)),
    )


def _taken(tables: Tables, train: np.ndarray, test: np.ndarray) -> Tables:
    def some(frame: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
        return frame.iloc[rows].reset_index(drop=True)

    return replace(tables, train=some(tables.train, train), test=some(tables.test, test))
