"""What only fitting can show: a competition's code put to the test, in the way of scikit-learn's ``check_estimator``.

Everything that a run checks, and four experiments more, on some of the rows:

- *held-out rows have no say*: a fold is fitted again after the targets, and then the columns, of its held-out rows were
  changed. No prediction may change: whatever does was fitted on rows that are scored.
- *choices made apart*: blend weights, thresholds and ``postprocess`` again, after a fold's targets were changed. That
  fold's predictions may not change.
- *same seed, same predictions*: a fold is fitted twice.
- *nothing learnt from noise*: the whole cross-validation again, with the target shuffled. It must fall to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kpipe.checks import made, prediction_checks, table_checks
from kpipe.checks.cleaning import raw_targets
from kpipe.checks.reordering import taking
from kpipe.core.devices import resolve_device
from kpipe.core.metrics import Metric, evaluate, gain_over
from kpipe.core.values import Check, Ensemble, Folds, Predictions, Tables
from kpipe.errors import TrainingError
from kpipe.models.baseline import baseline
from kpipe.pipeline import decided, read_asked, settled
from kpipe.problem.competition import Competition, Factory, unchanged
from kpipe.problem.inference import adapt, one_spelling
from kpipe.training.cross_validation import choose_models, cross_validate
from kpipe.training.folds import make_folds

__all__ = ["Bench", "check", "conformance_checks"]

_TRAIN_ROWS, _TEST_ROWS = 3_000, 1_000  # enough for a mistake to show, and few enough for a dozen fits
_FEW_SOURCES = 5  # rows whose columns all held-out rows are given: no mean, mode or maximum stays what it was
_ROUNDING = 1e-6  # standard deviations by which a prediction may differ and be the same
_CHANCE = 3.0  # standard errors: a difference that chance alone exceeds once in four hundred times


def check(
    competition: str | Competition,
    *,
    data: str | Path | None = None,
    models: Sequence[str] = (),
    folds: int | None = None,
    device: str = "auto",
    jobs: int | None = None,
    tell: Callable[[str], None] = lambda doing: None,
    found: Callable[[Check], None] = lambda check: None,
    **fields: Any,
) -> tuple[Check, ...]:
    """Put a competition's code to the test; a slug, or a ``Competition`` that is being written.

    In a test of one's own module::

        def test_my_competition_is_honest():
            assert [c for c in kpipe.check("my-competition", data="my.zip") if c.status == "fail"] == []

    data : folder or Kaggle's zip; default: see ``kpipe.load``.
    models : names; default: the competition's. folds : instead of the splitter's own number.
    device, jobs : as for ``kpipe.run``. Models of a test's own module want ``jobs=1``: other processes lack it.
    tell, found : called with what is being done, and with each check as it ends.
    fields : metric, target, id, text, split, drop, as for ``kpipe.run``.
    Raises KpipeError where there is nothing to check: files that cannot be read, a call that is wrong.
    """
    asked, read = read_asked(competition, data=data, **fields)
    whole, tables = settled(asked, read)
    bench = Bench(
        competition=whole,
        read=read,
        tables=tables,
        folds=make_folds(whole, tables, n_folds=folds),
        models=choose_models(whole, models),
        device=resolve_device(device),
        jobs=jobs,
    )
    ended = []
    for one in conformance_checks(bench, tell=tell):
        found(one)
        ended.append(one)
    return tuple(ended)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the experiments work with: a settled competition, its tables as read and cleaned, its folds and models."""

    competition: Competition
    read: Tables
    tables: Tables
    folds: Folds
    models: Mapping[str, Factory]
    device: str = "cpu"
    jobs: int | None = None

    def trained(self, tables: Tables) -> Predictions:
        """Cross-validation of all models."""
        options = {"models": self.models, "device": self.device}
        return cross_validate(self.competition, tables, self.folds, jobs=self.jobs, **options)  # type: ignore[arg-type]

    def first_fold(self, tables: Tables) -> Predictions:
        """All models on the first fold, one after another: some give other bytes with another number of threads."""
        fold = Folds(train=self.folds.train[:1], valid=self.folds.valid[:1])
        options = {"models": self.models, "device": self.device}
        return cross_validate(self.competition, tables, fold, jobs=1, **options)  # type: ignore[arg-type]

    def finished(self, predictions: Predictions, tables: Tables) -> Ensemble:
        """Blended, decided and postprocessed, as in a run."""
        return decided(self.competition, tables, self.folds, predictions)

    @property
    def metric(self) -> Metric:
        """The competition's."""
        assert isinstance(self.competition.metric, Metric)  # resolved
        return self.competition.metric


def conformance_checks(bench: Bench, *, tell: Callable[[str], None] = lambda doing: None) -> Iterator[Check]:
    """All checks of a run, and the four experiments; each as it is done. tell : called with what is being done."""
    tell("looking at the tables and folds")
    yield from table_checks(bench.competition, bench.read, bench.tables, bench.folds)
    bench = _smaller(bench)
    rows = np.arange(len(bench.tables.train))
    # Made anew, from the rows that are left: a clean that keeps something for later shall keep what belongs to them.
    bench = replace(bench, tables=_altered(bench, targets=rows, columns=rows) or bench.tables)
    competition, tables, folds = bench.competition, bench.tables, bench.folds
    tell(f"training {', '.join(bench.models)} on {len(tables.train):,} rows, {len(folds.train)} folds")
    try:
        predictions = bench.trained(tables)
    except TrainingError as error:
        yield Check(name="models train", status="fail", detail=str(error))
        return
    yield _models_train(predictions)
    bench = replace(bench, models={model.name: bench.models[model.name] for model in predictions.models})
    blended = bench.finished(predictions, tables)
    yield from prediction_checks(competition, tables, folds, predictions, blended)
    tell("choosing weights and thresholds again, a fold's targets changed")
    yield from made("choices made apart", _choices_apart, bench, predictions, blended)
    tell("training a fold twice")
    once = bench.first_fold(tables)
    yield from made("same seed, same predictions", _same_seed, bench, once)
    tell("training a fold again, its held-out rows changed")
    yield from made("held-out rows have no say", _held_out_silent, bench, once)
    tell("training again with the target shuffled")
    yield from made("nothing learnt from noise", _noise, bench)


def _models_train(predictions: Predictions) -> Check:
    if predictions.left_out:
        detail = " ".join(f"{name} was left out: {why}" for name, why in predictions.left_out.items())
        return Check(name="models train", status="fail", detail=detail)
    names = ", ".join(model.name for model in predictions.models)
    detail = f"{names}: every fold gives finite predictions of the right shape."
    return Check(name="models train", status="pass", detail=detail)


def _choices_apart(bench: Bench, predictions: Predictions, blended: Ensemble) -> Check:
    name, held = "choices made apart", bench.folds.valid[0]
    swapped = np.arange(len(predictions.y))
    swapped[held] = np.random.default_rng(0).permutation(held)
    train = taking(bench.tables.train, bench.competition.targets, swapped, of=bench.tables.train)
    again = bench.finished(replace(predictions, y=predictions.y[swapped]), replace(bench.tables, train=train))
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
    name, held = "same seed, same predictions", bench.folds.valid[0]
    twice = bench.first_fold(bench.tables)
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
    name, held = "held-out rows have no say", bench.folds.valid[0]
    rng = np.random.default_rng(0)
    for changed in ("targets", "columns"):
        targets, columns = np.arange(len(bench.tables.train)), np.arange(len(bench.tables.train))
        if changed == "targets":
            targets[held] = rng.permutation(held)
        else:
            columns[held] = rng.choice(held[:_FEW_SOURCES], len(held))
        tables = _altered(bench, targets=targets, columns=columns)
        if tables is None:
            return Check(name=name, status="warn", detail="Not tried: clean drops or moves rows.")
        again = bench.first_fold(tables)
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
    name, metric = "nothing learnt from noise", bench.metric
    count = len(bench.tables.train)
    tables = _altered(bench, targets=np.random.default_rng(0).permutation(count), columns=np.arange(count))
    if tables is None:
        return Check(name=name, status="warn", detail="Not tried: clean drops or moves rows.")
    predictions = bench.trained(tables)
    oof = bench.finished(predictions, tables).oof
    below, dummy = baseline(metric, predictions.y, bench.folds, outputs=oof.shape[1])
    ours, theirs = evaluate(metric, predictions.y, oof), evaluate(metric, predictions.y, dummy)
    gain, error = gain_over(metric, ours, theirs)
    said = f"With the target shuffled {metric.name} is {ours.value:.5g}, the {below}'s {theirs.value:.5g}"
    if gain > _CHANCE * error:
        detail = f"{said} (error of the gap {error:.2g}): there is nothing to learn, so the target is leaking."
        return Check(name=name, status="fail", detail=detail)
    return Check(name=name, status="pass", detail=f"{said}: chance, as it must be.")


def _altered(bench: Bench, *, targets: np.ndarray, columns: np.ndarray) -> Tables | None:
    """The tables made anew after rows of train took others' targets or columns; None where clean drops or moves rows.

    targets, columns : (n,) the row from which each row takes them. Columns that are counted over all rows by name, and
    those of groups that kpipe finds in ids, are taken from that row too, as they were.
    """
    competition, read = bench.competition, bench.read
    if not _as_they_stood(bench, bench.tables):
        return None
    source = read if competition.clean is not unchanged else bench.tables
    train = source.train.iloc[columns].reset_index(drop=True)
    train = taking(train, [competition.id], np.arange(len(train)), of=source.train)
    train = taking(train, raw_targets(competition, source), targets, of=source.train)
    tables = competition.clean(replace(source, train=train))
    if competition.clean is unchanged:
        return tables
    made = {*tables.train.columns}
    _, tables = adapt(competition, tables)
    if not _as_they_stood(bench, tables):
        return None
    made_by_clean = [name for name in competition.targets if name not in one_spelling(competition, read)[1].train]
    tables = replace(tables, train=taking(tables.train, made_by_clean, targets, of=bench.tables.train))
    counted = [name for name in bench.tables.train if name not in made or name in competition.transductive]
    counted = [name for name in counted if name not in (competition.id, *competition.targets)]
    train = taking(tables.train, counted, columns, of=bench.tables.train)
    test = taking(tables.test, counted, np.arange(len(tables.test)), of=bench.tables.test)
    return replace(tables, train=train, test=test)


def _as_they_stood(bench: Bench, tables: Tables) -> bool:
    """Whether each row of train and test is where it was: clean neither drops nor moves rows."""
    id = bench.competition.id
    for name in ("train", "test"):
        raw = getattr(one_spelling(bench.competition, bench.read)[1], name)
        then, now = getattr(bench.tables, name), getattr(tables, name)
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
    counts = len(bench.tables.train), len(bench.tables.test)
    if not _as_they_stood(bench, bench.tables):
        return bench
    train, test = (
        np.sort(rng.permutation(n)[:most]) for n, most in zip(counts, (_TRAIN_ROWS, _TEST_ROWS), strict=True)
    )
    pairs = [
        (np.flatnonzero(np.isin(train, fitted)), np.flatnonzero(np.isin(train, held)))
        for fitted, held in zip(bench.folds.train, bench.folds.valid, strict=True)
    ]
    kept = [(fitted, held) for fitted, held in pairs if len(fitted) and len(held)]
    return replace(
        bench,
        read=_taken(bench.read, train, test),
        tables=_taken(bench.tables, train, test),
        folds=replace(bench.folds, train=tuple(a for a, _ in kept), valid=tuple(b for _, b in kept)),
    )


def _taken(tables: Tables, train: np.ndarray, test: np.ndarray) -> Tables:
    def some(frame: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
        return frame.iloc[rows].reset_index(drop=True)

    return replace(tables, train=some(tables.train, train), test=some(tables.test, test))
