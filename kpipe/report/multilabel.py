"""The section "Predictions against the truth" for several binary targets."""

from __future__ import annotations

from sklearn import metrics as skm

from kpipe.report.blocks import Block, Cell, Column, Section, Table, number, share, short
from kpipe.report.probabilities import MOST_CURVES, lines
from kpipe.runs.loaded import OofPredictions

__all__ = ["section"]


def section(oof: OofPredictions) -> Section:
    """Targets of 0 and 1, each looked at by itself."""
    made = oof.is_predicted
    y, chance = oof.y[made], oof.ensemble[made]
    rows, curves = [], {}
    for place, name in enumerate(oof.targets):
        true = y[:, place] == 1
        both = bool(true.any() and not true.all())
        area = float(skm.roc_auc_score(true, chance[:, place])) if both else None
        precise = float(skm.average_precision_score(true, chance[:, place])) if both else None
        rows.append([
            Cell(shown=short(name)),
            number(int(true.sum())),
            Cell(shown=share(float(true.mean())), value=float(true.mean())),
            number(float(chance[:, place].mean()), ".3f"),
            number(area, ".3f"),
            number(precise, ".3f"),
        ])  # fmt: skip
        if both:
            curves[name] = skm.roc_curve(true, chance[:, place])[:2]
    columns = [
        Column(name="target", numeric=False),
        Column(name="rows of 1"),
        Column(name="share"),
        Column(name="mean prediction"),
        Column(name="AUC", why="the chance that a row of 1 is ranked above one of 0"),
        Column(name="average precision"),
    ]
    blocks: list[Block] = [Table(caption="Each target", columns=columns, rows=rows)]
    if 0 < len(curves) <= MOST_CURVES:
        told = "ROC of each target; the areas are in the table."
        axes = ("false positive rate", "true positive rate")
        blocks.append(lines("roc", curves, axes, alt=told, caption=told, diagonal=True))
    lead = f"{len(oof.targets)} targets, each 0 or 1, in {len(y):,} out-of-fold rows."
    return Section(key="predictions", title="Predictions against the truth", lead=lead, blocks=blocks)
