"""The section "Folds": the rows of each fold."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.report.blocks import (
    Block,
    Cell,
    Column,
    Section,
    Table,
    Text,
    number,
    short,
)
from kpipe.runs.loaded import LoadedRun, OofPredictions

__all__ = ["section"]


def section(run: LoadedRun, oof: OofPredictions | None) -> Section:
    """What each fold trained on and was judged on."""
    lead = "Which rows trained and which were predicted, in each fold. Rows in neither were not used there."
    key, title = "folds", "Folds"
    if run.folds is None:
        return Section(key=key, title=title, lead=lead, blocks=[Text(text="The folds are not in the run's folder.")])
    frame = run.folds
    total = len(oof.y) if oof is not None else None
    target = _targets_of_rows(oof)
    rows = []
    for fold in sorted(frame["fold"].unique())[:100]:
        part = frame[frame["fold"] == fold]
        train = part.loc[part["role"].astype(str) == "train", "row"].to_numpy()
        valid = part.loc[part["role"].astype(str) != "train", "row"].to_numpy()
        row = [Cell(shown=short(_counted(fold)), value=_place(fold)), number(len(train)), number(len(valid))]
        row.append(number(None if total is None else total - len(train) - len(valid)))
        if target is not None:
            row += [number(_mean_of(target[1], rows_)) for rows_ in (train, valid)]
        rows.append(row)
    columns = [Column(name="fold"), Column(name="training rows"), Column(name="validation rows"), Column(name="unused")]
    if target is not None:
        columns += [Column(name=f"{target[0]}, training"), Column(name=f"{target[0]}, validation")]
    reason = run.text("inferred", "splitter")
    blocks: list[Block] = [Table(caption="Folds", columns=columns, rows=rows)]
    blocks += [Text(text=f"The folds were chosen by kpipe: {short(reason, 300)}.")] if reason else []
    return Section(key=key, title=title, lead=lead, blocks=blocks, open=False)


def _counted(fold: object) -> object:
    return int(fold) + 1 if isinstance(fold, int | np.integer) else fold


def _place(fold: object) -> float | None:
    return float(fold) if isinstance(fold, int | float | np.number) else None


def _targets_of_rows(oof: OofPredictions | None) -> tuple[str, pd.Series] | None:
    """What to compare folds by: the mean of the target, or the share of the most frequent class; by row of train."""
    if oof is None or oof.y.ndim > 1:
        return None
    if oof.classes is None:
        return "mean target", pd.Series(oof.y, index=oof.rows)
    code = int(np.bincount(oof.y).argmax())
    return f"share of {short(oof.classes[code], 20)}", pd.Series(oof.y == code, index=oof.rows).astype(float)


def _mean_of(values: pd.Series, rows: np.ndarray) -> float | None:
    found = values.reindex(rows).dropna()
    return float(f"{found.mean():.4g}") if len(found) else None
