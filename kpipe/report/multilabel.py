"""The section "Out-of-fold predictions" of several binary targets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn import metrics as skm

from kpipe.report import probabilities
from kpipe.report.blocks import Block, Cell, Column, Section, Table, number_cell, share_cell, text_cell
from kpipe.runs.oof import OofPredictions

__all__ = ["section"]


def section(oof: OofPredictions) -> Section:
    """The section "Out-of-fold predictions" of several binary targets.

    Parameters
    ----------
    oof : OofPredictions
        The out-of-fold predictions.

    Returns
    -------
    Section
    """
    y, proba = oof.y[oof.is_predicted], oof.ensemble[oof.is_predicted]
    # in each row some of the targets may be missing
    known = {name: ~np.isnan(y[:, k]) for k, name in enumerate(oof.targets)}
    by_target = {name: (y[rows, k] == 1, proba[rows, k]) for k, (name, rows) in enumerate(known.items())}
    curves = {name: skm.roc_curve(*pair)[:2] for name, pair in by_target.items() if 0 < pair[0].sum() < len(pair[0])}
    blocks: list[Block] = [_table(by_target)]
    if 0 < len(curves) <= probabilities.MOST_CURVES:
        blocks.append(probabilities.roc_plot(curves, "ROC curve of each target; the areas are in the table."))
    summary = f"{len(oof.targets)} binary targets, {len(y):,} out-of-fold rows."
    return Section(key="predictions", title="Out-of-fold predictions", summary=summary, blocks=blocks)


def _table(by_target: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Table:
    """by_target : for each target whether the rows are positive, and their predicted probabilities."""
    rows = [_row(name, *pair) for name, pair in by_target.items()]
    columns = [
        Column(name="target", numeric=False),
        Column(name="positive rows"),
        Column(name="share"),
        Column(name="mean prediction"),
        Column(name="AUC", meaning="area under the ROC curve"),
        Column(name="average precision", meaning="area under the precision-recall curve"),
    ]
    return Table(caption="Metrics of each target", columns=columns, rows=rows)


def _row(name: str, is_positive: np.ndarray, proba: np.ndarray) -> list[Cell]:
    area = probabilities.auc(is_positive, proba)
    precision = None if area is None else float(skm.average_precision_score(is_positive, proba))
    return [
        text_cell(name),
        number_cell(int(is_positive.sum())),
        share_cell(float(is_positive.mean()) if len(is_positive) else 0.0),
        number_cell(float(proba.mean()) if len(proba) else None, ".3f"),
        number_cell(area, ".3f"),
        number_cell(precision, ".3f"),
    ]
