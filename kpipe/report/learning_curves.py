"""The section "Learning curves": the loss of each fit, by epoch or tree."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from kpipe.report.blocks import Plot, Section
from kpipe.report.colours import SERIES
from kpipe.report.formatting import compact, short
from kpipe.runs.loaded import LoadedRun

__all__ = ["section"]

_MAX_MODELS, _MAX_FITS = 12, 60  # plots, and lines of one kind in a plot
_ROWS = {"training": "training rows", "inner validation": "rows held out of the fit"}


def section(run: LoadedRun) -> Section | None:
    """The section "Learning curves".

    Parameters
    ----------
    run : LoadedRun
        The run.

    Returns
    -------
    Section or None
        Section with a plot for each model, or None where no model kept its curves.
    """
    curves = run.curves
    if curves is None or not len(curves):
        return None
    models = [model.name for model in run.models if (curves["model"] == model.name).any()][:_MAX_MODELS]
    summary = (
        "The loss of each fit by epoch or tree, one line for each fold and seed. It is the loss that training "
        "minimises, including regularisation such as dropout or label smoothing, so compare the fits of one model with "
        "each other, not with the score."
    )
    blocks = [_plot(name, curves[curves["model"] == name]) for name in models]
    return Section(key="learning", title="Learning curves", summary=summary, blocks=blocks)


def _plot(model: str, curves: pd.DataFrame) -> Plot:
    by_kind = {kind: part for kind in _ROWS if len(part := curves[curves["rows"] == kind])}

    def draw(ax: Axes) -> None:
        for kind, part in by_kind.items():
            _draw_kind(ax, kind, part, alone=len(by_kind) == 1)
        ax.set_xlabel("epochs or trees")
        ax.set_ylabel(f"loss of {short(model, 24)}")
        if curves["loss"].min() > 0 and curves["loss"].max() > 20 * curves["loss"].min():
            ax.set_yscale("log")
        if ax.get_legend_handles_labels()[1]:
            ax.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))

    changes = "; ".join(_change(kind, part) for kind, part in by_kind.items())
    dots = " Dots mark the minimum of each line." if "inner validation" in by_kind else ""
    dashes = " Dashed: training rows; solid: rows held out of the fit." if len(by_kind) > 1 else ""
    return Plot(
        name="learning_curves",
        of=model,
        draw=draw,
        alt=f"Loss of {short(model)} by step. {changes}.",
        caption=f"Loss of {short(model, 40)}: {changes}.{dashes}{dots}",
    )


def _draw_kind(ax: Axes, kind: str, curves: pd.DataFrame, *, alone: bool) -> None:
    """The lines of one kind of rows, a colour for each fold, dashed for training rows beside held-out ones."""
    training, labelled = kind == "training" and not alone, set[int]()
    for fit in _fits(curves)[:_MAX_FITS]:
        fold = int(fit["fold"].iloc[0])
        colour = SERIES[fold % len(SERIES)]
        new = 0 <= fold < len(SERIES) and fold not in labelled and not training
        labelled.add(fold)
        label = f"fold {fold + 1}" if new else None
        ax.plot(
            fit["step"], fit["loss"], color=colour, linewidth=1, alpha=0.8, label=label,
            linestyle="--" if training else "-",
        )  # fmt: skip
        if kind == "inner validation":
            best = fit.nsmallest(1, "loss")
            ax.plot(best["step"], best["loss"], "o", color=colour, markersize=4)


def _fits(curves: pd.DataFrame) -> list[pd.DataFrame]:
    return [fit for _, fit in curves.groupby(["seed", "fold"])]


def _change(kind: str, curves: pd.DataFrame) -> str:
    """The mean loss after the first step and at the end, or at its minimum, in words."""
    fits = _fits(curves)
    validation = kind == "inner validation"
    first = sum(float(fit["loss"].iloc[0]) for fit in fits) / len(fits)
    last = sum(float(fit["loss"].min() if validation else fit["loss"].iloc[-1]) for fit in fits) / len(fits)
    steps = max(int(fit["step"].max()) for fit in fits)
    end = "at the minimum" if validation else f"after {steps:,} steps"
    number = f"{len(fits)} fits" if len(fits) > 1 else "1 fit"
    return f"{compact(first, 3)} at the first step, {compact(last, 3)} {end} on {_ROWS[kind]} (mean of {number})"
