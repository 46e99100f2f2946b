"""The section "Where it is better and worse": the score of groups of rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpipe.core.metrics import Metric, evaluate, output
from kpipe.report.blocks import (
    Cell,
    Column,
    Finding,
    Section,
    Table,
    Text,
    format_score,
    format_with_error,
    number,
    short,
)
from kpipe.report.worst_rows import is_amount, plain_number
from kpipe.runs.loaded import LoadedRun, OofPredictions

__all__ = ["section"]

_LEVELS = 12  # more are not looked at one by one
_FEWEST = 20  # rows of a group that is worth a score
_ROWS = 20_000  # of which groups are made
_GROUPS = 12  # that are shown
_APART = 3.0  # standard errors from the whole; of a hundred groups, chance puts less than one so far


def section(run: LoadedRun, oof: OofPredictions, frame: pd.DataFrame) -> tuple[Section, list[Finding]]:
    """Where the score differs most from that of all rows: levels of each column, quarters of each number."""
    metric = run.metric
    assert metric is not None
    rows = np.flatnonzero(oof.is_predicted)
    if len(rows) > _ROWS:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:_ROWS])
    whole = _value(metric, oof, rows)
    spread = max((run.number("standard_error") or 0.0) * math.sqrt(max(len(rows), 1)), 1e-300)
    looked = [
        (name, level, part, _value(metric, oof, part))
        for name, level, part in _parts(frame, rows)
        if _FEWEST <= len(part) < len(rows)
    ]
    known = [found for found in looked if found[3] is not None and whole is not None]
    known.sort(key=lambda found: -abs((found[3] or 0) - (whole or 0)) * math.sqrt(len(found[2])) / spread)
    table: list[list[Cell]] = []
    findings: list[Finding] = []
    for name, level, part, _ in known[:_GROUPS]:
        score = evaluate(metric, oof.y[part], oof.ensemble[part])
        assert whole is not None
        apart = score.value - whole
        worse = apart < 0 if run.greater_is_better else apart > 0
        far = abs(apart) / score.standard_error if score.standard_error > 0 else 0.0
        table.append([
            Cell(shown=f"{short(name, 40)}: {short(level, 40)}"),
            number(len(part)),
            Cell(shown=format_with_error(score.value, score.standard_error), value=score.value),
            Cell(shown="worse" if worse else "better", value=apart),
            number(round(far, 1)),
        ])  # fmt: skip
        if worse and far > _APART and not findings:
            text = (
                f"Rows with {short(name, 40)} {short(level, 40)} score {format_score(score.value)}, all rows "
                f"{format_score(whole)}: {len(part):,} rows to understand."
            )
            findings.append(Finding(level="note", text=text, section="groups"))
    columns = [
        Column(name="group", numeric=False),
        Column(name="rows"),
        Column(name="score ± standard error"),
        Column(name="than all rows", numeric=False),
        Column(name="standard errors apart"),
    ]
    lead = (
        f"{len(looked)} groups were looked at: the levels of each column, and numbers in quarters. Some differ by "
        f"chance alone; what is more than {_APART:.0f} standard errors from the score of all rows seldom does."
    )
    caption = "The groups whose score differs most from that of all rows"
    block = Table(caption=caption, columns=columns, rows=table) if table else Text(text="No group has enough rows.")
    return Section(key="groups", title="Where it is better and worse", lead=lead, blocks=[block]), findings


def _value(metric: Metric, oof: OofPredictions, rows: np.ndarray) -> float | None:
    try:
        with np.errstate(all="ignore"):
            value = float(metric.function(oof.y[rows], output(metric, oof.ensemble[rows])))
    except (ValueError, ZeroDivisionError):  # one class only
        return None
    return value if math.isfinite(value) else None


def _parts(frame: pd.DataFrame, rows: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """(column, level, rows) of every group."""
    for name in frame.columns:
        values = frame[name].iloc[rows]
        gaps = values.isna().to_numpy()
        if gaps.any():
            yield str(name), "(missing)", rows[gaps]
        levels = values.dropna().unique()
        if len(levels) <= _LEVELS or not is_amount(values):
            common = values.value_counts().index[:_LEVELS]
            for level in common:
                yield (
                    str(name),
                    plain_number(level) if is_amount(values) else str(level),
                    rows[(values == level).fillna(False).to_numpy(dtype=bool)],
                )
        else:
            yield from _quarters(str(name), values.to_numpy(dtype=float, na_value=np.nan), rows)


def _quarters(name: str, values: np.ndarray, rows: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    edges = np.unique(np.nanquantile(values, [0, 0.25, 0.5, 0.75, 1]))
    for low, high in itertools.pairwise(edges):
        inside = (values >= low) & ((values < high) | (high == edges[-1]))
        yield name, f"{plain_number(low)} to {plain_number(high)}", rows[inside]
