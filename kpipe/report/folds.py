"""The section "Folds": how many rows each fold trains on and validates, and how the target differs between them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.core.values import Folds
from kpipe.report.blocks import Block, Cell, Column, Section, Table, Text, number_cell
from kpipe.report.formatting import short
from kpipe.runs.loaded import LoadedRun
from kpipe.runs.oof import OofPredictions

__all__ = ["section"]

_MAX_FOLDS = 100
_DIGITS = 4


def section(run: LoadedRun) -> Section:
    """The section "Folds".

    Parameters
    ----------
    run : LoadedRun
        The run.

    Returns
    -------
    Section
    """
    blocks: list[Block] = [Text(text="The run's folder has no folds.")]
    if run.folds is not None:
        blocks = [_table(run.folds, run.oof)]
        if reason := run.text("inferred", "splitter"):
            blocks.append(Text(text=f"How the folds were chosen: {short(reason, 300)}."))
    summary = "Each fold trains models on its training rows and scores them on its validation rows."
    return Section(key="folds", title="Folds", summary=summary, blocks=blocks, open=False)


def _table(folds: Folds, oof: OofPredictions | None) -> Table:
    target = None if oof is None else _target(oof)
    columns = [Column(name="fold"), Column(name="training rows"), Column(name="validation rows")]
    columns.append(Column(name="unused rows", meaning="rows that the fold neither trains on nor validates"))
    if target is not None:
        columns += [Column(name=f"{target.name}, {part}") for part in ("training", "validation")]
    rows = [
        _row(number, parts, None if oof is None else len(oof.y), target)
        for number, parts in enumerate(zip(folds.train[:_MAX_FOLDS], folds.valid, strict=False), start=1)
    ]
    return Table(caption="Folds", columns=columns, rows=rows)


def _row(number: int, parts: tuple[np.ndarray, np.ndarray], total: int | None, target: pd.Series | None) -> list[Cell]:
    unused = None if total is None else total - sum(map(len, parts))
    cells = [Cell(text=str(number), value=number)]
    cells += [number_cell(count) for count in (*map(len, parts), unused)]
    if target is not None:
        cells += [number_cell(_mean(target, part), digits=_DIGITS) for part in parts]
    return cells


def _target(oof: OofPredictions) -> pd.Series | None:
    """What to compare folds by, indexed by row of train: the target, or whether it is the most frequent class."""
    if oof.y.ndim > 1:
        return None
    if oof.classes is None:
        return pd.Series(oof.y, index=oof.rows, name="mean target")
    code = int(np.bincount(oof.y).argmax())
    name = f"share of {short(oof.classes[code], 20)}"
    return pd.Series((oof.y == code).astype(float), index=oof.rows, name=name)


def _mean(target: pd.Series, rows: np.ndarray) -> float | None:
    values = target.reindex(rows).dropna()
    return float(values.mean()) if len(values) else None
