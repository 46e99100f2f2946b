"""Compare two runs on the rows that both predicted: the paired difference of their scores, and what changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from kpipe.core.metrics import Metric, output, paired_standard_error
from kpipe.core.statistics import misranked_shares
from kpipe.errors import UsageError
from kpipe.runs.differences import differences
from kpipe.runs.kept_code import code_changes
from kpipe.runs.loaded import LoadedRun, load_run
from kpipe.runs.oof import OofPredictions
from kpipe.runs.parameters import changed_parameters, read_parameters
from kpipe.runs.provenance import recorded_inputs
from kpipe.runs.recorded import recorded_vault
from kpipe.runs.run import Run
from kpipe.training.folds import same_rows

__all__ = ["Comparison", "compare"]

Verdict = Literal["better", "worse", "no significant difference"]

_MARGIN = 0.1  # difference of probabilities or ranks from which a row counts as won
_BY_RANK = ("auc", "gini", "average_precision")  # metrics of the order alone
_SIGNIFICANT = 2.0  # standard errors: without a real difference, exceeded about once in twenty comparisons


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison:
    """The comparison of run b with run a.

    Parameters
    ----------
    a, b : str
        The ids of the runs.
    metric : str
        The name of their metric.
    greater_is_better : bool
        Whether a greater score is better.
    scores : tuple of float
        The scores of a and of b on the rows that both predicted.
    difference : float
        The score of b minus that of a.
    standard_error : float
        The standard error of ``difference``, paired: both runs predicted the same rows, and rows that are hard for one
        are mostly hard for the other. Under folds by group or time, groups or blocks of time count as independent, and
        not rows. NaN with fewer than two of them.
    rows : int
        The number of rows that both predicted.
    verdict : str
        "better" or "worse" if b differs from a by more than two standard errors, else "no significant difference".
    same_folds : bool
        Whether both runs have the same folds. If not, the difference also varies with the folds, and
        ``standard_error`` does not include that.
    changed : tuple of str
        What differs between the runs' data, code, versions and options; a phrase each.
    parameters : list of dict
        The parameters of estimators that differ, of the models that both runs have: model, parameter, a and b.
    code : list of str
        What differs between the competition's modules that the runs have kept: the lines of a unified diff.
    sides : DataFrame
        The rows that only b predicts correctly ("won") and those that only a does ("lost"); of a regression, the rows
        where one of them is closer by more than a's median error, and of probabilities by more than a tenth. The
        greatest changes come first; of labels, those of the true class's probability. Columns: row, id if train.csv has
        one, truth, a, b, change. Of probabilities, a and b are those of the true class.
    won_by : str
        The criterion by which a row counts as won, for metrics of probabilities; else empty.
    """

    a: str
    b: str
    metric: str
    greater_is_better: bool
    scores: tuple[float, float]
    difference: float
    standard_error: float
    rows: int
    verdict: Verdict
    same_folds: bool
    changed: tuple[str, ...]
    sides: pd.DataFrame
    parameters: list[dict[str, Any]] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    won_by: str = ""

    def __repr__(self) -> str:
        """One line with the verdict; the tables are long."""
        word = "from" if self.verdict == "no significant difference" else "than"
        difference = f"{self.difference:+.4g} ± {self.standard_error:.2g}"
        return (
            f"<Comparison {self.b}: {self.verdict} {word} {self.a}, {self.metric} {difference} on {self.rows:,} rows>"
        )

    @property
    def won(self) -> int:
        """The number of rows that b predicts better than a."""
        return int((self.sides["change"] == "won").sum())

    @property
    def lost(self) -> int:
        """The number of rows that a predicts better than b."""
        return int((self.sides["change"] == "lost").sum())

    def first_sides(self, n: int) -> pd.DataFrame:
        """The first ``n`` rows won, then the first ``n`` rows lost.

        Parameters
        ----------
        n : int

        Returns
        -------
        DataFrame
            As ``sides``.
        """
        return pd.concat([self.sides[self.sides["change"] == change].head(n) for change in ("won", "lost")])


def compare(a: Run, b: Run) -> Comparison:
    """The comparison of run b with run a.

    Parameters
    ----------
    a, b : Run
        Finished runs of the same competition.

    Returns
    -------
    Comparison

    Raises
    ------
    UsageError
        If the runs differ in competition, rows, targets or metric, or have no out-of-fold predictions.
    """
    before, after = load_run(a), load_run(b)
    metric, old, new = _comparable(before, after)
    both = old.is_predicted & new.is_predicted
    y, p, q = old.y[both], old.ensemble[both], new.ensemble[both]
    scores = tuple(metric.function(y, output(metric, predictions)) for predictions in (p, q))
    difference = scores[1] - scores[0]
    groups = _groups(old, new)
    error = paired_standard_error(metric, y, p, q, groups=None if groups is None else groups[both])
    return Comparison(
        a=_id(before),
        b=_id(after),
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        scores=(scores[0], scores[1]),
        difference=difference,
        standard_error=error,
        rows=int(both.sum()),
        verdict=_verdict(difference if metric.greater_is_better else -difference, error),
        same_folds=before.folds is not None and after.folds is not None and same_rows(before.folds, after.folds),
        changed=tuple(differences(recorded_inputs(a.record), recorded_inputs(b.record))),
        parameters=changed_parameters(read_parameters(a.path), read_parameters(b.path)),
        code=code_changes(a, b),
        sides=_sides(metric, old, new, both),
        won_by=_won_by(metric) if y.ndim == 1 else "",
    )


def _comparable(a: LoadedRun, b: LoadedRun) -> tuple[Metric, OofPredictions, OofPredictions]:
    """The common metric and the predictions of both runs. Raises UsageError if they do not compare."""
    old, new = _oof(a), _oof(b)
    if a.record["slug"] != b.record["slug"]:
        raise UsageError(
            f"Cannot compare {_id(a)} and {_id(b)}: they are runs of different competitions.", code="not-comparable"
        )
    metric = a.metric
    if metric is None or b.metric is None:
        raise UsageError(f"Cannot compare {_id(a)} and {_id(b)}: {' '.join(a.missing or b.missing)}", code="broken-run")
    if metric.name != b.metric.name:
        raise UsageError(
            f"Cannot compare {_id(a)} ({metric.name}) and {_id(b)} ({b.metric.name}): the metrics differ.",
            code="not-comparable",
        )
    if recorded_vault(a.record) != recorded_vault(b.record):
        raise UsageError(
            f"Cannot compare {_id(a)} and {_id(b)}: one of them did not use the vault, or used another one, so they "
            "validate different rows.",
            code="not-comparable",
        )
    if old.ensemble.shape != new.ensemble.shape or not _equal(old.y, new.y):
        raise UsageError(
            f"Cannot compare {_id(a)} and {_id(b)}: they predict different rows or targets.", code="not-comparable"
        )
    return metric, old, new


def _id(run: LoadedRun) -> str:
    return str(run.record["run_id"])


def _oof(run: LoadedRun) -> OofPredictions:
    broken = run.folds is None and (run.path / "folds.parquet").exists()
    if run.oof is None or broken:
        raise UsageError(
            f"{run.path}: {' '.join(run.missing) or 'the out-of-fold predictions are missing.'}",
            code="broken-run",
            file=str(run.path),
        )
    return run.oof


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.isclose(a, b, equal_nan=True).all())


def _verdict(gain: float, standard_error: float) -> Verdict:
    """The verdict on a gain; a standard error of NaN makes no gain significant."""
    if not abs(gain) > _SIGNIFICANT * standard_error:
        return "no significant difference"
    return "better" if gain > 0 else "worse"


def _groups(a: OofPredictions, b: OofPredictions) -> np.ndarray | None:
    """The groups or blocks of time; if the runs differ, the fewer groups, for the larger standard error."""
    found = [run.groups for run in (a, b) if run.groups is not None]
    return min(found, key=lambda groups: len(np.unique(groups)), default=None)


def _won_by(metric: Metric) -> str:
    """The criterion by which a row counts as won under a metric of probabilities; empty for other metrics."""
    if metric.task != "classification" or metric.needs != "probability":
        return ""
    what = "rank among the other class" if metric.name in _BY_RANK else "probability of the true class"
    return f"by more than {_MARGIN:.0%} in the {what}"


def _sides(metric: Metric, a: OofPredictions, b: OofPredictions, both: np.ndarray) -> pd.DataFrame:
    """The rows that one run predicts better than the other, the greatest changes first."""
    if a.y.ndim > 1:
        return pd.DataFrame(columns=["row", "truth", "a", "b", "change"])
    found = _errors(metric, a, b, both)
    gain = found.errors[0] - found.errors[1]
    size = np.abs(gain if found.sure is None else found.sure[1] - found.sure[0])
    changed = np.flatnonzero(np.abs(gain) > found.margin)
    changed = changed[np.argsort(-size[changed], kind="stable")]
    frame = pd.DataFrame({"row": a.rows[both][changed]})
    if a.ids is not None:
        frame["id"] = a.ids.to_numpy()[both][changed]
    return frame.assign(
        truth=found.truth[changed],
        a=found.predicted[0][changed],
        b=found.predicted[1][changed],
        change=np.where(gain[changed] > 0, "won", "lost"),
    )


class _Errors(NamedTuple):
    """The errors of two runs, row by row, and what a table shows beside them."""

    errors: list[np.ndarray]
    predicted: list[np.ndarray]
    truth: np.ndarray
    margin: float  # difference of errors from which a row counts as won
    sure: list[np.ndarray] | None = None  # probabilities of the true class, by which won rows are sorted


def _errors(metric: Metric, a: OofPredictions, b: OofPredictions, both: np.ndarray) -> _Errors:
    y, outputs = a.y[both], [run.ensemble[both] for run in (a, b)]
    if metric.task != "classification":
        values = [output[:, 0] for output in outputs]
        errors = [np.abs(one - y) for one in values]
        return _Errors(errors, values, y, float(np.median(errors[0])))
    names, sure = np.asarray(a.classes, dtype=object), [output[np.arange(len(y)), y] for output in outputs]
    if not _won_by(metric):
        codes = [output.argmax(axis=1) for output in outputs]
        return _Errors(
            [(code != y).astype(float) for code in codes], [names[code] for code in codes], names[y], 0.5, sure
        )
    errors = [1 - probability for probability in sure]
    if metric.name in _BY_RANK and a.ensemble.shape[1] == 2:
        errors = [misranked_shares(output[:, 1], y) for output in outputs]
    return _Errors(errors, sure, names[y], _MARGIN)
