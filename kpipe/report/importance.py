"""How the importance of columns is shown."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from kpipe.report.blocks import (
    Block,
    Cell,
    Column,
    Finding,
    Picture,
    Section,
    Table,
    Text,
    format_score,
    format_with_error,
    number,
    short,
)
from kpipe.report.permutation import Importance
from kpipe.report.svg import ACCENT, MUTED
from kpipe.runs.loaded import LoadedRun

__all__ = ["findings", "section"]

_DRAWN = 15
_NEARLY_ALL = 0.8  # of the importance of all columns, for one of them
_AGREES = 0.98  # correlation with the run's own predictions, below which the importance is of another model


def section(run: LoadedRun, found: Importance) -> Section:
    """A bar for each column, the most important first."""
    lines = found.lines
    weight = next((model.weight for model in run.models if model.name == found.model), None)
    part = "" if weight is None or weight == 1 else f", {weight:.2f} of the blend,"
    lead = (
        "How much worse the score gets when one column is shuffled, so that it tells nothing. "
        f"{short(found.model)}{part} was trained again on {_counted(found.folds)} and asked about {found.rows:,} rows "
        f"that it did not see; unshuffled it scores {format_score(found.score)} there. Columns that tell the same "
        "share their importance."
    )
    top = lines[:_DRAWN]
    worse, errors = (np.array([getattr(line, name) for line in top]) for name in ("worse", "error"))

    def paint(ax: Axes) -> None:
        places = np.arange(len(top))
        ax.barh(places, worse, xerr=2 * errors, color=ACCENT, ecolor=MUTED, capsize=2, height=0.65)
        ax.set_yticks(places, [short(line.column, 22) for line in top])
        ax.set_ylim(len(top) - 0.5, -0.5)
        ax.axvline(0, color=MUTED, linewidth=1)
        ax.set_xlabel(f"{run.text('metric', 'name')} gets worse by")
        ax.grid(visible=False, axis="y")

    told = ", ".join(f"{short(line.column)} {format_score(line.worse, found.score)}" for line in top[:3])
    picture = Picture(
        paint=paint,
        name="importance",
        alt=f"Importance of columns by permutation. First: {told}.",
        caption=f"The {len(top)} most important of {len(lines)} columns, with two standard errors.",
        height=0.9 + 0.24 * len(top),
    )
    rows = [
        [
            Cell(shown=short(line.column)),
            Cell(shown=format_with_error(line.worse, line.error, found.score), value=line.worse),
            number(round(line.worse / line.error, 1) if line.error > 0 else None),
        ]
        for line in lines
    ]
    columns = [
        Column(name="column", numeric=False),
        Column(name="worse by ± standard error"),
        Column(name="standard errors", why="below 2, the column may as well tell nothing"),
    ]
    blocks: list[Block] = [
        picture,
        Table(caption="Every column", columns=columns, rows=rows),
        Text(text=_agreement(found)),
    ]
    return Section(key="importance", title="What the prediction rests on", lead=lead, blocks=blocks)


def _counted(folds: int) -> str:
    return "one fold" if folds == 1 else f"{folds} folds"


def _agreement(found: Importance) -> str:
    if found.agree is None:
        return "Its predictions could not be compared with the run's."
    if found.agree == 1.0:
        return "The model trained again predicts what the run's model predicted."
    return f"The model trained again is not quite the run's: their predictions correlate by {found.agree:.4f}."


def findings(found: Importance) -> list[Finding]:
    """One column that carries nearly everything; columns that tell nothing."""
    told = []
    if found.agree is not None and found.agree < _AGREES:
        text = f"{_agreement(found)} Data, code or versions have changed since."
        told.append(Finding(level="warn", text=text, section="importance"))
    useful = [line for line in found.lines if line.worse > 2 * line.error]
    if useful:
        names = ", ".join(short(line.column, 40) for line in useful[:3])
        idle = len(found.lines) - len(useful)
        rest = f" {idle} of {len(found.lines)} columns may as well tell nothing." if idle else ""
        told.append(Finding(level="note", text=f"The prediction rests most on {names}.{rest}", section="importance"))
    if len(useful) > 1 and useful[0].worse > _NEARLY_ALL * sum(line.worse for line in useful):
        text = (
            f"{short(useful[0].column, 40)} alone carries most of the prediction. Is it known when a prediction is "
            "to be made?"
        )
        told.append(Finding(level="warn", text=text, section="importance"))
    return told
