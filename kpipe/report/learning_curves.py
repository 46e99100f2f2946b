"""Learning curves: the loss of each fit, epoch by epoch or tree by tree."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from kpipe.report.blocks import Block, Picture, Section, compact, short
from kpipe.report.svg import MUTED, SERIES
from kpipe.runs.loaded import LoadedRun

__all__ = ["section"]

_MODELS, _FITS = 12, 60  # that are drawn
_WORDS = {
    "training": "the rows that it learns from",
    "inner validation": "rows that the fit set apart from those it was given",
}


def section(run: LoadedRun) -> Section | None:
    """A plot for each model that kept curves; None where none did."""
    curves = run.curves
    if curves is None or not len(curves):
        return None
    models = [model.name for model in run.models if (curves["model"] == model.name).any()][:_MODELS]
    blocks: list[Block] = [_drawn(name, curves[curves["model"] == name]) for name in models]
    lead = (
        "The loss that each fit made small, a line a fold and seed. It is that of training, with whatever a model "
        "does to its rows and labels while it learns: it compares fits of one model, and says nothing of the score."
    )
    return Section(key="learning", title="Learning curves", lead=lead, blocks=blocks)


def _drawn(name: str, lines: pd.DataFrame) -> Picture:
    kinds = [kind for kind in _WORDS if (lines["rows"] == kind).any()]

    def paint(ax: Axes) -> None:
        for place, kind in enumerate(kinds):
            fits = [fit for _, fit in lines[lines["rows"] == kind].groupby(["seed", "fold"])][:_FITS]
            for number, fit in enumerate(fits):
                label = kind if number == 0 and len(kinds) > 1 else None
                ax.plot(fit["step"], fit["loss"], color=SERIES[place], linewidth=1, alpha=0.7, label=label)
                if kind == "inner validation":
                    best = fit.nsmallest(1, "loss")
                    ax.plot(best["step"], best["loss"], "o", color=MUTED, markersize=4)
        ax.set_xlabel("epochs or trees")
        ax.set_ylabel(f"loss of {short(name, 24)}")
        if lines["loss"].min() > 0 and lines["loss"].max() > 20 * lines["loss"].min():
            ax.set_yscale("log")
        if len(kinds) > 1:
            ax.legend()

    told = "; ".join(_told(kind, lines[lines["rows"] == kind]) for kind in kinds)
    dots = " Dots: the smallest." if "inner validation" in kinds else ""
    return Picture(
        name="learning_curves",
        of=name,
        paint=paint,
        alt=f"Loss of {short(name)} by step. {told}.",
        caption=f"{short(name, 40)}: {told}.{dots}",
        height=3.0,
    )


def _told(kind: str, lines: pd.DataFrame) -> str:
    fits = [fit for _, fit in lines.groupby(["seed", "fold"])]
    first = sum(float(fit["loss"].iloc[0]) for fit in fits) / len(fits)
    last = sum(float(fit["loss"].min() if kind == "inner validation" else fit["loss"].iloc[-1]) for fit in fits)
    steps = max(int(fit["step"].max()) for fit in fits)
    said = "the smallest" if kind == "inner validation" else f"after {steps:,} steps"
    numbers = f"{compact(float(f'{first:.3g}'))} at first, {compact(float(f'{last / len(fits):.3g}'))} {said}"
    return f"on {_WORDS[kind]}, {numbers} (mean of {len(fits)} fits)"
