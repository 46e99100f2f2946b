"""The section "Out-of-fold predictions" of several binary targets."""

from __future__ import annotations

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
    rows = oof.is_predicted
    y, proba = oof.y[rows] == 1, oof.ensemble[rows]
    both_classes = [k for k in range(len(oof.targets)) if 0 < y[:, k].sum() < len(y)]
    curves = {oof.targets[k]: skm.roc_curve(y[:, k], proba[:, k])[:2] for k in both_classes}
    blocks: list[Block] = [_table(oof, y, proba)]
    if 0 < len(curves) <= probabilities.MOST_CURVES:
        blocks.append(probabilities.roc_plot(curves, "ROC curve of each target; the areas are in the table."))
    summary = f"{len(oof.targets)} binary targets, {len(y):,} out-of-fold rows."
    return Section(key="predictions", title="Out-of-fold predictions", summary=summary, blocks=blocks)


def _table(oof: OofPredictions, y: np.ndarray, proba: np.ndarray) -> Table:
    rows = [_row(name, y[:, k], proba[:, k]) for k, name in enumerate(oof.targets)]
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
        share_cell(float(is_positive.mean())),
        number_cell(float(proba.mean()), ".3f"),
        number_cell(area, ".3f"),
        number_cell(precision, ".3f"),
    ]
