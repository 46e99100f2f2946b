"""Selection bias: by how much the score of the best of several finished runs is too optimistic. Nothing is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kpipe.core.formatting import format_score, plain_text
from kpipe.core.metrics import Metric, get_metric, output, over_targets
from kpipe.core.selection import effective_tries, expected_after_choosing, gather, random_blocks
from kpipe.core.wording import listed
from kpipe.errors import KpipeError, UsageError
from kpipe.problem import competition
from kpipe.runs.find import finished_folders, read_run
from kpipe.runs.oof import oof_predictions
from kpipe.runs.prediction_tables import ENSEMBLE, GROUP, output_columns
from kpipe.runs.recorded import recorded_files, recorded_targets, recorded_vault
from kpipe.runs.run import Run
from kpipe.runs.tables import read_parquet, to_numbers

__all__ = ["SelectionBias", "estimate_selection_bias"]

_MAX_RUNS = 200  # the latest ones in the folder
# A metric that is neither a mean over rows nor has influences is scored in blocks of at least 20 rows: once per run and
# block, of which there are fewer where there are many runs; the blocks hold at most 10,000 rows together.
_MIN_BLOCKS, _MAX_BLOCKS, _EVALUATIONS, _BLOCK_ROWS, _SCORED_ROWS = 8, 20, 800, 20, 10_000


@dataclass(frozen=True, kw_only=True)
class SelectionBias:
    """The best of comparable runs, and its score corrected for selection bias.

    Parameters
    ----------
    best : str
        The id of the run with the best score.
    runs : int
        The number of runs that were compared.
    tries : float
        The number of independent runs that vary as much as these.
    score : float
        The score of the best run.
    expected : float
        The score to expect of it on new rows: ``score``, corrected for having been chosen.
    rows : int
        The number of rows that the runs were compared on.
    sampled : bool
        Whether ``rows`` are a sample of those that the runs predicted.
    left_out : mapping of str to str
        Runs that do not compare, and why.
    """

    best: str
    runs: int
    tries: float
    score: float
    expected: float
    rows: int
    sampled: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def correction(self) -> float:
        """The expected score minus the best one: 0 for a single run."""
        return self.expected - self.score

    @property
    def after_choosing(self) -> str:
        """A sentence about the score of the best run on new rows."""
        expected = format_score(self.expected, self.score)
        tries = f"about {self.tries:.0f} independent {'tries' if round(self.tries) > 1 else 'try'}"
        if expected == format_score(self.score):
            return f"Its selection bias among {self.runs} runs is smaller than the digits shown ({tries})."
        return f"The best of several scores is partly due to chance: on new rows, expect {expected} ({tries})."

    def sentences(self, run_id: str | None = None) -> Iterator[str]:
        """Yield sentences for the user; nothing if there was no choice.

        Parameters
        ----------
        run_id : str, optional
            The run that the user looks at.
        """
        if self.runs > 1:
            best = "this run" if run_id == self.best else self.best
            yield f"Best of {self.runs} comparable runs: {best} with {format_score(self.score)}. {self.after_choosing}"
        if self.left_out:
            named = [f"{run} ({reason})" for run, reason in self.left_out.items()]
            yield f"Not comparable, and therefore excluded: {listed(named)}."


def estimate_selection_bias(run: Run) -> SelectionBias:
    """Estimate the selection bias of the best among a run and the comparable finished runs in its folder.

    Comparable runs have the same files, metric, target and rows, and failed no check.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    SelectionBias

    Raises
    ------
    InputError
        If the run's metric is unknown or its out-of-fold predictions cannot be used.
    """
    own, others = _read_own(run), _other_folders(run)
    gatherer = _Gatherer(own, runs=len(others) + 1)
    gathered = [gatherer.gather(run, own.predictions)]
    left_out = dict[str, str]()
    for folder in others:  # one after another: the predictions of 200 runs would fill the memory
        try:
            other = read_run(folder)
            if other.record["slug"] == run.record["slug"]:
                gathered.append(gatherer.gather(other, _comparable_predictions(other, run, own)))
        except KpipeError as error:
            left_out[folder.name] = plain_text(error).rstrip(".")[:200]
    gathered.sort(key=lambda one: one.run_id)  # so that ties do not depend on the run that was asked for
    return _estimate(gatherer, gathered, left_out)


@dataclass(frozen=True)
class _Own:
    """The run that others are compared with: its metric, its truth, and the group or period of each predicted row."""

    metric: Metric
    table: pd.DataFrame
    outputs: list[str]
    predicted: np.ndarray
    y: np.ndarray
    predictions: np.ndarray
    groups: np.ndarray


def _read_own(run: Run) -> _Own:
    metric, targets = _metric(run.record), recorded_targets(run.record)
    table = _table(run, targets)
    oof = oof_predictions(table, targets=targets, models=(), id_column=None)
    predicted = oof.is_predicted
    if not predicted.any():
        raise UsageError(f"{run.path}: no row has an out-of-fold prediction.", code="broken-run")
    return _Own(
        metric=metric,
        table=table,
        outputs=output_columns(table, ENSEMBLE),
        predicted=predicted,
        y=oof.y[predicted],
        predictions=oof.ensemble[predicted],
        groups=(np.arange(len(table)) if oof.groups is None else oof.groups)[predicted],
    )


def _metric(record: Mapping[str, Any]) -> Metric:
    """The metric of a run: kpipe's, or the one that its competition's module defines."""
    name, targets = record["metric"]["name"], recorded_targets(record)
    try:
        metric = get_metric(name)
    except UsageError:
        own = competition.find(record["slug"]).metric
        if own is None or isinstance(own, str) or own.name != name:
            raise
        metric = own
    return over_targets(metric, len(targets)) if len(targets) > 1 else metric


def _table(run: Run, targets: tuple[str, ...]) -> pd.DataFrame:
    """The rows, the truth and the ensemble's predictions: a run of several models holds many more columns."""

    def is_needed(name: str) -> bool:
        return (
            name in ("row", GROUP, ENSEMBLE)
            or name.startswith(f"{ENSEMBLE}/")
            or name.removesuffix(" (train)") in {*targets}
        )

    return read_parquet(run.path / "oof.parquet", is_needed)


def _other_folders(run: Run) -> list[Path]:
    own = run.path.resolve()
    return [folder for folder in finished_folders(own.parent)[-_MAX_RUNS:] if folder != own]


def _comparable_predictions(other: Run, run: Run, own: _Own) -> np.ndarray:
    """The predictions of another run on the same rows. Raises an error that says why they do not compare."""
    if reason := _difference(other.record, run.record):
        raise UsageError(reason)
    table = _table(other, recorded_targets(run.record))
    if not {*own.outputs} <= {*table.columns} or len(table) != len(own.table):
        raise UsageError("other rows or classes")
    named = [name for name in own.table if name not in (*own.outputs, GROUP)]
    if any(name not in table or not table[name].equals(own.table[name]) for name in named):
        raise UsageError("other rows or targets")
    predictions = to_numbers("oof.parquet", table[own.outputs])
    if not np.array_equal(~np.isnan(predictions).any(axis=1), own.predicted):
        raise UsageError("other rows have a prediction")
    return predictions if own.predicted.all() else predictions[own.predicted]


def _difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """Why the scores of two runs do not compare, by their records; empty if they do."""
    failed = [check["name"] for check in a["checks"] if check["status"] == "fail"]
    if failed:
        return f"failed the check {failed[0]}"
    if a["metric"]["name"] != b["metric"]["name"]:
        return f"metric {a['metric']['name']}"
    if recorded_targets(a) != recorded_targets(b):
        return "other target"
    files, own = recorded_files(a), recorded_files(b)
    shared = [name for name in files if name in own]
    if (files or own) and (not shared or any(files[name] != own[name] for name in shared)):
        return "other files"
    if recorded_vault(a) != recorded_vault(b):
        return "other vault"
    return "other rows" if a.get("rows") != b.get("rows") else ""


@dataclass(frozen=True)
class _Gathered:
    """What is kept of a run: its score, the sum of its losses in each unit, and, if needed, its scores in blocks."""

    run_id: str
    score: float
    sums: np.ndarray
    blocks: np.ndarray


class _Gatherer:
    """Reduces a run's predictions to a few sums, so that many runs fit into memory.

    Attributes
    ----------
    of_rows : callable or None
        The metric's losses, or influences: the sums of either tell how a score differs between samples of rows.
    sizes : (g,) float
        The number of rows in each unit.
    parts : list of (m,) int
        The rows of each block, where a metric has neither.
    """

    def __init__(self, own: _Own, *, runs: int) -> None:
        self.own, self.metric = own, own.metric
        self.of_rows = own.metric.losses or own.metric.influences
        self.units = random_blocks(own.groups)
        self.sizes = np.bincount(self.units).astype(np.float64)
        self.parts = _blocks(own, runs) if self.of_rows is None and runs > 1 else []

    def gather(self, run: Run, predictions: np.ndarray) -> _Gathered:
        """Reduce a run's predictions. Raises UsageError if the run lacks a score that these do not determine."""
        metric, y, score = self.metric, self.own.y, run.record["score"]
        if metric.losses is None and score is None:
            raise UsageError("it has no score")
        losses = _stand_ins(metric, y, predictions) if self.of_rows is None else self._of_rows(predictions)
        if metric.losses is not None:
            score = np.sqrt(losses.mean()) if metric.root else losses.mean()
        blocks = [_score_in(metric, y[part], predictions[part]) for part in self.parts]
        return _Gathered(
            run_id=run.record["run_id"],
            score=float(score),
            sums=gather(losses, self.units),
            blocks=np.array(blocks),
        )

    def _of_rows(self, predictions: np.ndarray) -> np.ndarray:
        assert self.of_rows is not None  # the caller ensures it
        return self.of_rows(self.own.y, output(self.metric, predictions))


def _blocks(own: _Own, runs: int) -> list[np.ndarray]:
    """The rows of random blocks of rows or groups, a sample of them where there are many."""
    most_blocks = int(np.clip(_EVALUATIONS // runs, _MIN_BLOCKS, _MAX_BLOCKS))
    blocks = random_blocks(own.groups, int(np.clip(len(own.y) // _BLOCK_ROWS, 2, most_blocks)))
    parts = [np.flatnonzero(blocks == block) for block in range(int(blocks.max()) + 1)]
    most = max(_SCORED_ROWS // len(parts), 1)
    return [part[np.random.default_rng(0).permutation(len(part))[:most]] for part in parts]


def _stand_ins(metric: Metric, y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """(n,) squared errors, or the probability missed, of a metric without losses: for the number of tries."""
    if y.ndim > 1:
        return np.asarray(np.nanmean((predictions - y) ** 2, axis=1))
    if metric.task == "classification":
        return 1 - predictions[np.arange(len(y)), y]
    return (predictions[:, 0] - y) ** 2


def _score_in(metric: Metric, y: np.ndarray, predictions: np.ndarray) -> float:
    """The score of a block; NaN where it is not defined, as the average precision of one class."""
    try:
        return float(metric.function(y, output(metric, predictions)))
    except ValueError:
        return float("nan")


def _estimate(gatherer: _Gatherer, gathered: list[_Gathered], left_out: Mapping[str, str]) -> SelectionBias:
    metric, sizes, rows = gatherer.metric, gatherer.sizes, len(gatherer.own.y)
    scores = np.array([one.score for one in gathered])
    sums = np.column_stack([one.sums for one in gathered])
    tries = effective_tries(sums, sizes) if len(sizes) > 1 else 1.0
    if metric.losses is None and metric.influences is not None:
        sums = np.outer(sizes, scores) + sums
    scored = sum(map(len, gatherer.parts)) if gatherer.parts else rows
    if gatherer.parts:
        sums = _spread_around(scores, np.column_stack([one.blocks for one in gathered]), share=scored / rows)
        sizes = np.ones(len(sums))
    signed = scores if metric.greater_is_better else -scores
    best = len(signed) - 1 - int(np.argmax(signed[::-1]))  # of equal scores the latest, as "best" does
    expected = float(scores[best])
    if len(gathered) > 1 and len(sums) > 1:
        expected = expected_after_choosing(sums, sizes, root=metric.root, greater_is_better=metric.greater_is_better)
    return SelectionBias(
        best=gathered[best].run_id,
        runs=len(gathered),
        tries=tries,
        score=float(scores[best]),
        expected=expected,
        rows=scored,
        sampled=scored < rows,
        left_out=left_out,
    )


def _spread_around(scores: np.ndarray, found: np.ndarray, *, share: float) -> np.ndarray:
    """(blocks, runs) scores in blocks, moved so that their mean is each run's score over all rows.

    A score over all rows varies with the root of the number of rows; where the blocks are a sample, their spread is
    reduced to that.
    """
    found = found[np.isfinite(found).all(axis=1)]
    spread = (found - found.mean(axis=0)) * np.sqrt(share) if len(found) > 1 else found[:0]
    return scores + spread
