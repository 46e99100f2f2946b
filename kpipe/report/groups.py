"""The section "Error by segment": the groups of rows whose score differs most from that of all rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpipe.core.formatting import format_score
from kpipe.core.metrics import Metric, evaluate, output
from kpipe.core.values import Score
from kpipe.report.blocks import Block, Cell, Column, Finding, Section, Table, number_cell, score_cell
from kpipe.report.columns import is_quantity
from kpipe.report.formatting import exact, short
from kpipe.runs.oof import OofPredictions

__all__ = ["section"]

_MAX_CATEGORIES = 12  # of a column; numbers with more distinct values are cut at their quartiles
_MIN_ROWS = 20  # of a group
_SAMPLE = 20_000  # rows, from which groups are formed
_MAX_GROUPS = 12
_SIGNIFICANT = 3.0  # standard errors: by chance, fewer than one of a hundred groups differs by as much
_DIGITS = 4
_Z = 1.96  # standard errors to each side of a 95 % interval


@dataclass(frozen=True)
class _Group:
    """The rows with one category, or one range, of a column."""

    column: str
    values: str
    rows: np.ndarray

    @property
    def name(self) -> str:
        return f"{short(self.column, 40)}: {short(self.values, 40)}"


@dataclass(frozen=True)
class _Difference:
    """A group's score beside that of all rows."""

    group: _Group
    score: Score
    overall: float
    is_worse: bool

    @property
    def standard_errors(self) -> float:
        error = self.score.standard_error
        return abs(self.score.value - self.overall) / error if error > 0 else 0.0


def section(metric: Metric, oof: OofPredictions, frame: pd.DataFrame) -> Section:
    """The section "Error by segment".

    Parameters
    ----------
    metric : Metric
        The run's metric.
    oof : OofPredictions
        Its out-of-fold predictions.
    frame : DataFrame
        (n, columns), the columns that the models see, in the row order of ``oof``.

    Returns
    -------
    Section
    """
    rows = np.flatnonzero(oof.is_predicted)
    if len(rows) > _SAMPLE:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:_SAMPLE])
    groups = [group for group in _groups(frame, rows) if _MIN_ROWS <= len(group.rows) < len(rows)]
    differences = _largest_differences(metric, oof, rows, groups)
    is_share = metric.losses is not None and metric.needs in ("label", "ranking")
    blocks: list[Block] = [_table(differences, is_share=is_share)] if differences else []
    summary = (
        f"The scores of {len(groups)} groups: the rows with each category of a column, or with each quarter of its "
        f"numbers. Some differences are due to chance; one of more than {_SIGNIFICANT:.0f} standard errors rarely is."
    )
    if not differences:
        summary = "No column has groups of enough rows."
    return Section(
        key="groups", title="Error by segment", summary=summary, blocks=blocks, findings=_findings(differences)
    )


def _largest_differences(
    metric: Metric, oof: OofPredictions, rows: np.ndarray, groups: list[_Group]
) -> list[_Difference]:
    """The groups that differ most, largest first: by the difference times the root of the number of rows."""
    overall = _value(metric, oof, rows)
    if overall is None:
        return []
    values = [(group, value) for group in groups if (value := _value(metric, oof, group.rows)) is not None]
    values.sort(key=lambda pair: -abs(pair[1] - overall) * math.sqrt(len(pair[0].rows)))
    differences = []
    for group, _ in values[:_MAX_GROUPS]:
        score = evaluate(metric, oof.y[group.rows], oof.ensemble[group.rows])
        differences.append(_Difference(group, score, overall, is_worse=metric.better(overall, score.value)))
    return differences


def _value(metric: Metric, oof: OofPredictions, rows: np.ndarray) -> float | None:
    """The score of some rows; None where it is undefined, such as the AUC of one class."""
    try:
        with np.errstate(all="ignore"):
            value = float(metric.function(oof.y[rows], output(metric, oof.ensemble[rows])))
    except (ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) else None


def _groups(frame: pd.DataFrame, rows: np.ndarray) -> Iterator[_Group]:
    for name in frame.columns:
        values = frame[name].iloc[rows]
        missing = values.isna().to_numpy()
        if missing.any():
            yield _Group(str(name), "(missing)", rows[missing])
        if is_quantity(values) and values.nunique() > _MAX_CATEGORIES:
            yield from _quarters(str(name), values.to_numpy(dtype=float, na_value=np.nan), rows)
        else:
            yield from _categories(str(name), values, rows)


def _categories(name: str, values: pd.Series, rows: np.ndarray) -> Iterator[_Group]:
    """A group for each of the most frequent values."""
    for category in values.value_counts().index[:_MAX_CATEGORIES]:
        text = exact(category, _DIGITS) if is_quantity(values) else str(category)
        yield _Group(name, text, rows[(values == category).fillna(False).to_numpy(dtype=bool)])


def _quarters(name: str, values: np.ndarray, rows: np.ndarray) -> Iterator[_Group]:
    edges = np.unique(np.nanquantile(values, [0, 0.25, 0.5, 0.75, 1]))
    for low, high in itertools.pairwise(edges):
        inside = (values >= low) & ((values < high) | (high == edges[-1]))
        yield _Group(name, f"{exact(low, _DIGITS)} to {exact(high, _DIGITS)}", rows[inside])


def _score_cell(score: Score, *, is_share: bool) -> Cell:
    """A score with its standard error; a share of 0 or 1 with its 95 % interval, which has one side only.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    if not is_share or score.value not in (0, 1):
        return score_cell(score.value, score.standard_error)
    bound = score.rows / (score.rows + _Z**2)  # of a share of 1; of 0 it is one minus this
    interval = f"{format_score(bound)} to 1" if score.value else f"0 to {format_score(1 - bound)}"
    return Cell(text=f"{format_score(score.value)} (95 %: {interval})", value=score.value)


def _table(differences: list[_Difference], *, is_share: bool) -> Table:
    columns = [
        Column(name="group", numeric=False),
        Column(name="rows"),
        Column(name="score ± standard error"),
        Column(name="against all rows", numeric=False),
        Column(name="difference, standard errors"),
    ]
    rows = [
        [
            Cell(text=found.group.name),
            number_cell(len(found.group.rows)),
            _score_cell(found.score, is_share=is_share),
            Cell(text="worse" if found.is_worse else "better", value=found.score.value - found.overall),
            number_cell(round(found.standard_errors, 1)),
        ]
        for found in differences
    ]
    return Table(caption="Groups whose score differs most from that of all rows", columns=columns, rows=rows)


def _findings(differences: list[_Difference]) -> list[Finding]:
    """The first group with a significantly worse score."""
    for found in differences:
        if found.is_worse and found.standard_errors > _SIGNIFICANT:
            text = (
                f"The {len(found.group.rows):,} rows with {found.group.name} score {format_score(found.score.value)}, "
                f"which is worse than all rows ({format_score(found.overall)})."
            )
            return [Finding(level="note", text=text)]
    return []
