"""The luck of choosing: how much the best of a competition's finished runs flatters. Nothing is trained."""

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
from kpipe.errors import KpipeError, UsageError
from kpipe.problem import competition
from kpipe.runs.find import finished_folders, read_run
from kpipe.runs.oof import oof_predictions
from kpipe.runs.prediction_tables import ENSEMBLE, GROUP, output_columns
from kpipe.runs.run import Run
from kpipe.runs.tables import read_parquet, to_numbers
from kpipe.runs.vault import recorded_vault

__all__ = ["Luck", "luck_of", "selection_correction"]

_MOST_RUNS = 200  # the latest ones in the folder
_MOST_NAMED = 5  # runs that are left out, in the sentence
# A metric that is no mean over rows is scored in blocks of at least 20 rows: once per run and block, of which there are
# fewer where there are many runs; the blocks hold at most 10,000 rows together. 100 runs of 100,000 rows
# take 1.0 s of CPU for log loss, reading included, and 2.1 s for AUC.
_FEWEST_BLOCKS, _MOST_BLOCKS, _EVALUATIONS, _BLOCK_ROWS, _SCORED_ROWS = 8, 20, 800, 20, 10_000


@dataclass(frozen=True, kw_only=True)
class Luck:
    """The best of comparable runs, and what its score is worth after it was chosen.

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

    def sentences(self, run_id: str | None = None) -> Iterator[str]:
        """Yield what a user should know; nothing where there was no choice.

        Parameters
        ----------
        run_id : str, optional
            The run that the user looks at; if it is not the best one, the best one is named.
        """
        if self.runs > 1:
            best = f" That is {self.best}." if run_id not in (None, self.best) else ""
            several = "tries" if round(self.tries) > 1 else "try"
            yield (
                f"Best of {self.runs} runs (about {self.tries:.0f} independent {several}): {format_score(self.score)}; "
                f"expected after choosing: {format_score(self.expected, self.score)}.{best}"
            )
        if self.left_out:
            named = [f"{run} ({reason})" for run, reason in self.left_out.items()]
            others = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
            yield f"Not comparable, and left out: {', '.join(named[:_MOST_NAMED])}{others}."


def selection_correction(run: Run) -> float:
    """The change of a run's score that its having been chosen as the best one calls for.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    float
        At most 0 where greater scores are better, otherwise at least 0. It is 0 for a run that is not the best of those
        it compares with, and for one that compares with none.

    Raises
    ------
    InputError
        As ``luck_of``.
    """
    luck = luck_of(run)
    return luck.correction if luck.best == run.record["run_id"] else 0.0


def luck_of(run: Run) -> Luck:
    """The luck of choosing among the finished runs in the folder of a run that compare with it.

    Comparable runs have the same files, metric, target and rows, and failed no check.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    Luck

    Raises
    ------
    InputError
        If the run's metric is unknown or its out-of-fold predictions cannot be used.
    """
    own = _read_own(run)
    scores, losses = [_score(run, own)], [own.predictions]
    ids, left_out = [run.record["run_id"]], dict[str, str]()
    for folder in _other_folders(run):
        try:
            other = read_run(folder)
            if other.record["slug"] != run.record["slug"]:
                continue
            predictions = _comparable_predictions(other, run, own)
            scores.append(_score(other, own))
        except KpipeError as error:
            left_out[folder.name] = plain_text(error).rstrip(".")[:200]
            continue
        ids.append(other.record["run_id"])
        losses.append(predictions)
    order = np.argsort(ids)  # which run one looks at decides no tie
    return _luck(own, [ids[i] for i in order], np.array(scores)[order], [losses[i] for i in order], left_out)


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
    metric, targets = _metric(run.record), _targets(run.record)
    table = _table(run, targets)
    oof = oof_predictions(table, targets=targets, models=(), id_column=None)
    predicted = oof.is_predicted
    if not predicted.any():
        raise UsageError(f"{run.path}: no row has an out-of-fold prediction.")
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
    name, targets = record["metric"]["name"], _targets(record)
    try:
        metric = get_metric(name)
    except UsageError:
        own = competition.find(record["slug"]).metric
        if own is None or isinstance(own, str) or own.name != name:
            raise
        metric = own
    return over_targets(metric, len(targets)) if len(targets) > 1 else metric


def _targets(record: Mapping[str, Any]) -> tuple[str, ...]:
    target = record.get("target")
    return tuple(map(str, target)) if isinstance(target, list) else () if target is None else (str(target),)


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
    return [folder for folder in finished_folders(own.parent)[-_MOST_RUNS:] if folder != own]


def _comparable_predictions(other: Run, run: Run, own: _Own) -> np.ndarray:
    """The predictions of another run on the same rows. Raises an error that says why they do not compare."""
    if reason := _difference(other.record, run.record):
        raise UsageError(reason)
    table = _table(other, _targets(run.record))
    if not {*own.outputs} <= {*table.columns} or len(table) != len(own.table):
        raise UsageError("other rows or classes")
    named = [name for name in own.table if name not in (*own.outputs, GROUP)]
    if any(name not in table or not table[name].equals(own.table[name]) for name in named):
        raise UsageError("other rows or targets")
    predictions = to_numbers("oof.parquet", table[own.outputs])
    if not np.array_equal(~np.isnan(predictions).any(axis=1), own.predicted):
        raise UsageError("other rows have a prediction")
    return predictions[own.predicted]


def _difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """Why the scores of two runs do not compare, by their records; empty if they do."""
    failed = [check["name"] for check in a["checks"] if check["status"] == "fail"]
    if failed:
        return f"failed the check {failed[0]}"
    if a["metric"]["name"] != b["metric"]["name"]:
        return f"metric {a['metric']['name']}"
    if _targets(a) != _targets(b):
        return "other target"
    files, own = _files(a), _files(b)
    shared = [name for name in files if name in own]
    if (files or own) and (not shared or any(files[name] != own[name] for name in shared)):
        return "other files"
    if recorded_vault(a) != recorded_vault(b):
        return "other vault"
    return "other rows" if a.get("rows") != b.get("rows") else ""


def _files(record: Mapping[str, Any]) -> Mapping[str, Any]:
    data = record.get("data")
    files = data.get("files") if isinstance(data, Mapping) else None
    return files if isinstance(files, Mapping) else {}


def _score(run: Run, own: _Own) -> float:
    """The recorded score, which only a metric that is no mean over rows is compared by."""
    score = run.record["score"]
    if score is None and own.metric.losses is None:
        raise UsageError("it has no score")
    return float("nan") if score is None else float(score)


def _luck(
    own: _Own, ids: list[str], scores: np.ndarray, predictions: list[np.ndarray], left_out: Mapping[str, str]
) -> Luck:
    metric, units = own.metric, random_blocks(own.groups)
    sizes = np.bincount(units).astype(np.float64)
    sums = np.column_stack([gather(_losses(metric, own.y, one), units) for one in predictions])
    sampled, root = False, metric.root
    tries = effective_tries(sums, sizes) if len(sizes) > 1 else 1.0
    if metric.losses is not None:
        means = sums.sum(axis=0) / sizes.sum()
        scores = np.sqrt(means) if root else means
    elif len(ids) > 1:
        sums, rows = _block_scores(own, scores, predictions)
        sampled, sizes = rows < len(own.y), np.ones(len(sums))
    best = int(np.argmax(scores if metric.greater_is_better else -scores))
    expected = float(scores[best])
    if len(ids) > 1 and len(sums) > 1:
        expected = expected_after_choosing(sums, sizes, root=root, greater_is_better=metric.greater_is_better)
    return Luck(
        best=ids[best],
        runs=len(ids),
        tries=tries,
        score=float(scores[best]),
        expected=expected,
        rows=min(len(own.y), _SCORED_ROWS) if sampled else len(own.y),
        sampled=sampled,
        left_out=left_out,
    )


def _losses(metric: Metric, y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """(n,) the metric's losses; of a metric that has none, squared errors or the probability missed."""
    if metric.losses is not None:
        return metric.losses(y, output(metric, predictions))
    if y.ndim > 1:
        return np.asarray(np.nanmean((predictions - y) ** 2, axis=1))
    if metric.task == "classification":
        return 1 - predictions[np.arange(len(y)), y]
    return (predictions[:, 0] - y) ** 2


def _block_scores(own: _Own, scores: np.ndarray, predictions: list[np.ndarray]) -> tuple[np.ndarray, int]:
    """(blocks, runs) the score of each run in random blocks of rows or groups, spread around its score over all rows.

    A score over all rows varies with the root of the number of rows; where the blocks are a sample, their spread is
    reduced to that.
    """
    metric, y = own.metric, own.y
    most_blocks = int(np.clip(_EVALUATIONS // len(predictions), _FEWEST_BLOCKS, _MOST_BLOCKS))
    count = int(np.clip(len(y) // _BLOCK_ROWS, 2, most_blocks))
    blocks = random_blocks(own.groups, count)
    parts = [np.flatnonzero(blocks == block) for block in range(int(blocks.max()) + 1)]
    most = max(_SCORED_ROWS // len(parts), 1)
    parts = [part[np.random.default_rng(0).permutation(len(part))[:most]] for part in parts]
    found = np.array([[_score_in(metric, y[part], one[part]) for one in predictions] for part in parts])
    found = found[np.isfinite(found).all(axis=1)]
    rows = sum(map(len, parts))
    spread = (found - found.mean(axis=0)) * np.sqrt(rows / len(y)) if len(found) > 1 else found[:0]
    return scores + spread, rows


def _score_in(metric: Metric, y: np.ndarray, predictions: np.ndarray) -> float:
    """The score of a block; NaN where it is not defined, as the AUC of one class."""
    try:
        return float(metric.function(y, output(metric, predictions)))
    except ValueError:
        return float("nan")
