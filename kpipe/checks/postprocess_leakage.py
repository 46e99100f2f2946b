"""Whether ``postprocess`` uses targets, ids, positions or other rows, or treats test differently from train."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, PredictionCheck, TrainedModels
from kpipe.checks.perturbation import replace_values
from kpipe.core.values import Status, Tables
from kpipe.errors import KpipeError
from kpipe.problem.competition import Competition
from kpipe.problem.postprocessing import apply_postprocess
from kpipe.training.clipping import clip_to_bounds
from kpipe.training.thresholds import cross_fit_thresholds

__all__ = ["PREDICTION_CHECKS", "postprocess_leakage"]


_SHUFFLES = 3  # of the targets: a threshold may be the same after one of them
_JITTER = 1e-7  # standard deviations that are added to the predictions, so that none are equal


def postprocess_leakage(trained: TrainedModels) -> Iterator[Finding]:
    """Whether ``postprocess`` depends on targets, ids, or the order and selection of rows; nothing without one.

    ``postprocess`` is applied to out-of-fold predictions, which are scored: a threshold that it fits to their targets
    would be scored on the rows it was fitted on. The check passes it the plain mean of the models, within the targets'
    lower bounds.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
    """
    if trained.problem.competition.postprocess is None:
        return
    probed = _Probed.of(trained)
    probes = (_is_random, _uses_targets, _joins_by_position, _fills_from_others, _depends_on_id, _depends_on_mixture)
    yield next((found for probe in probes if (found := probe(probed)) is not None), None) or (
        "pass",
        "The result for a row does not change when targets are shuffled, rows are reordered, other rows have missing "
        "values or are absent, or ids are permuted.",
    )


@dataclass(frozen=True)
class _Probed:
    """``postprocess``, and the predictions and rows that it is probed with.

    oof, test : the plain mean of the models. rows : those of train, without targets. once : the result for them.
    """

    competition: Competition
    tables: Tables
    id: str
    targets: tuple[str, ...]
    oof: np.ndarray
    test: np.ndarray
    rows: pd.DataFrame
    once: np.ndarray

    @classmethod
    def of(cls, trained: TrainedModels) -> _Probed:
        """That of a trained problem."""
        problem, predictions = trained.problem, trained.predictions
        rng = np.random.default_rng(0)
        oof = np.mean([model.oof for model in predictions.models], axis=0)
        oof = np.nan_to_num(cross_fit_thresholds(problem.metric, oof, predictions.y, trained.folds))
        oof = clip_to_bounds(problem, oof)
        oof = oof + _JITTER * oof.std() * rng.random(oof.shape)  # the order of ties would depend on that of the rows
        test = clip_to_bounds(problem, np.mean([model.test for model in predictions.models], axis=0))
        test = test + _JITTER * test.std() * rng.random(test.shape)
        rows = problem.tables.train.drop(columns=list(problem.targets))
        once = apply_postprocess(problem.competition, oof, replace(problem.tables, test=rows))
        return cls(problem.competition, problem.tables, problem.id, tuple(problem.targets), oof, test, rows, once)

    def apply(self, predictions: np.ndarray, rows: pd.DataFrame, train: pd.DataFrame | None = None) -> np.ndarray:
        """The result for these rows."""
        tables = replace(self.tables, test=rows, train=self.tables.train if train is None else train)
        return apply_postprocess(self.competition, predictions, tables)


def _is_random(probed: _Probed) -> Finding | None:
    count = _count_changed(probed.once, probed.apply(probed.oof, probed.rows))
    return _if_any(
        count,
        "fail",
        f"{count:,} of {len(probed.rows):,} rows change when postprocess is called again: it is random, or keeps state "
        "between calls. Seed every random step, such as np.random.default_rng(0), inside postprocess.",
    )


def _uses_targets(probed: _Probed) -> Finding | None:
    rng, train = np.random.default_rng(0), probed.tables.train
    shuffles = (replace_values(train, probed.targets, rng.permutation(len(train)), of=train) for _ in range(_SHUFFLES))
    count = max(_count_changed(probed.once, probed.apply(probed.oof, probed.rows, train)) for train in shuffles)
    return _if_any(
        count,
        "fail",
        f"{count:,} of {len(probed.rows):,} out-of-fold rows change when the targets of train are shuffled: "
        "postprocess uses the targets of the rows that are scored. Remove that step; kpipe fits thresholds itself, on "
        "other folds.",
    )


def _joins_by_position(probed: _Probed) -> Finding | None:
    order = np.random.default_rng(0).permutation(len(probed.rows))
    rows, train = (frame.iloc[order].reset_index(drop=True) for frame in (probed.rows, probed.tables.train))
    # Train is reordered too, so that what is fitted to its targets stays the same.
    count = _count_changed(probed.once[order], probed.apply(probed.oof[order], rows, train))
    if not count:
        order = np.random.default_rng(1).permutation(len(probed.test))
        once = probed.apply(probed.test, probed.tables.test)
        rows = probed.tables.test.iloc[order].reset_index(drop=True)
        count = _count_changed(once[order], probed.apply(probed.test[order], rows))
    return _if_any(
        count,
        "fail",
        f"{count:,} of {len(probed.rows):,} rows change when predictions and rows are reordered together: "
        "postprocess joins rows by position. Join them by id.",
    )


def _fills_from_others(probed: _Probed) -> Finding | None:
    """Whether rows change when every seventh of the others loses what some rows lack."""
    rows = probed.rows
    columns = [c for c in rows if rows[c].isna().any() and c != probed.id]
    blank = np.arange(len(rows)) % 7 == 3
    altered = rows.assign(**{str(c): rows[c].mask(blank) for c in columns})
    try:
        count = _count_changed(probed.once[~blank], probed.apply(probed.oof, altered)[~blank]) if columns else 0
    except KpipeError:  # it may count on values in some of the columns
        return None
    return _if_any(
        count,
        "fail",
        f"{count:,} rows change when other rows lose the values of columns that have missing values: postprocess drops "
        "or fills rows depending on others, and joins the rest by position. Process each row independently, and join "
        "by id.",
    )


def _depends_on_id(probed: _Probed) -> Finding | None:
    rng, count, sure = np.random.default_rng(0), 0, True
    for predictions, rows in ((probed.oof, probed.rows), (probed.test, probed.tables.test)):
        if probed.id not in rows:
            continue
        exchanged = rows.assign(**{probed.id: rng.permutation(rows[probed.id].to_numpy())})
        sure &= pd.api.types.is_numeric_dtype(rows[probed.id])  # a text may name a group
        try:
            count += _count_changed(probed.apply(predictions, rows), probed.apply(predictions, exchanged))
        except KpipeError:  # it may count on certain ids
            continue
    return _if_any(
        count,
        "fail" if sure else "warn",
        f"{count:,} rows change when {probed.id} is permuted between rows: postprocess depends on the id, as when "
        "answers are written into the code, which do not generalise to other rows. Use only predictions and columns.",
    )


def _depends_on_mixture(probed: _Probed) -> Finding | None:
    """Whether rows change when every second of the others is absent."""
    if count := _changed_by_absence(probed, probed.oof, probed.rows):
        return (
            "warn",
            f"{count:,} rows change when half of the others are absent, as with ranks or shares of all rows that are "
            "predicted together: test may be composed differently than the out-of-fold rows. Use quantities learned "
            "from training rows, such as a fixed threshold.",
        )
    count = _changed_by_absence(probed, probed.test, probed.tables.test)
    return _if_any(
        count,
        "fail",
        f"{count:,} test rows change when half of the others are absent, but no out-of-fold row does: postprocess "
        "recognises test, such as by its number of rows, and does something there that is not scored. Treat both in "
        "the same way.",
    )


def _changed_by_absence(probed: _Probed, predictions: np.ndarray, rows: pd.DataFrame) -> int:
    kept = np.arange(0, len(rows), 2)
    try:
        fewer = probed.apply(predictions[kept], rows.iloc[kept].reset_index(drop=True))
        return _count_changed(probed.apply(predictions, rows)[kept], fewer)
    except KpipeError:  # it may count on certain rows
        return 0


def _if_any(count: int, status: Status, text: str) -> Finding | None:
    return (status, text) if count else None


def _count_changed(a: np.ndarray, b: np.ndarray) -> int:
    differ = ~np.isclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)
    return int(differ.reshape(len(a), -1).any(axis=1).sum())


PREDICTION_CHECKS = (PredictionCheck("postprocess leakage", postprocess_leakage),)
