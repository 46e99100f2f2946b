"""The target in the section "Data": its distribution, and the correlations of numeric columns with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from kpipe.report.blocks import Block, Cell, Column, Plot, Table, text_cell
from kpipe.report.colours import ACCENT, MUTED
from kpipe.report.columns import is_quantity
from kpipe.report.figure import draw_histogram
from kpipe.report.formatting import compact, share, short
from kpipe.runs.oof import OofPredictions

__all__ = ["correlations", "plots"]

_MAX_CLASSES, _MAX_TARGETS = 20, 4
_MAX_COLUMNS, _MAX_ROWS = 12, 20_000  # of the correlation matrix
_SKEWED = 50  # ratio of high to low values, from which the axis is logarithmic


def plots(oof: OofPredictions) -> list[Plot]:
    """The distribution of each target in train.

    Parameters
    ----------
    oof : OofPredictions
        The out-of-fold predictions, which hold the true values.

    Returns
    -------
    list of Plot
    """
    if oof.classes is not None:
        return [_classes(oof.targets[0], oof.y, oof.classes)] if len(oof.classes) <= _MAX_CLASSES else []
    values = oof.y.reshape(len(oof.y), -1).astype(float)
    named = zip(oof.targets[:_MAX_TARGETS], values.T, strict=False)
    return [_values(name, given[np.isfinite(given)]) for name, given in named if np.isfinite(given).any()]


def _classes(name: str, y: np.ndarray, classes: Sequence[str]) -> Plot:
    counts = np.bincount(y, minlength=len(classes))

    def draw(ax: Axes) -> None:
        places = np.arange(len(classes))
        ax.barh(places, counts, color=ACCENT, height=0.65)
        for place, count in enumerate(counts):
            text = share(float(count / max(len(y), 1)))
            ax.annotate(text, (count, place), (5, 0), textcoords="offset points", va="center", color=MUTED, fontsize=9)
        ax.set_yticks(places, [short(one, 22) for one in classes])
        ax.set_ylim(len(classes) - 0.5, -0.5)
        ax.set_xlim(0, max(counts.max(), 1) * 1.15)
        ax.set_xlabel("rows of train")
        ax.grid(visible=False, axis="y")

    rarest = int(counts.argmin())
    text = (
        f"Distribution of {short(name, 40)}: the rarest of {len(classes)} classes, {short(classes[rarest], 24)}, "
        f"has {counts[rarest]:,} of {len(y):,} rows."
    )
    return Plot(name="target", draw=draw, alt=text, caption=text, height=0.9 + 0.26 * len(classes), of=name)


def _values(name: str, values: np.ndarray) -> Plot:
    low, high = np.quantile(values, [0.002, 0.998])
    log = bool(low > 0 and high / low > _SKEWED)
    edges = np.geomspace(low, high, 41) if log else np.linspace(low, high if high > low else low + 1, 41)

    def draw(ax: Axes) -> None:
        draw_histogram(ax, {"train": values}, edges=edges)
        if log:
            ax.set_xscale("log")
        ax.set_xlabel(short(name, 40))

    q10, q50, q90 = (compact(float(value), 4) for value in np.quantile(values, [0.1, 0.5, 0.9]))
    spread = values.std()
    skew = float(((values - values.mean()) ** 3).mean() / spread**3) if spread > 0 else 0.0
    tail = f" It is skewed to the {'right' if skew > 0 else 'left'} (skewness {skew:.1f})." if abs(skew) > 1 else ""
    text = f"Distribution of {short(name, 40)} in train: median {q50}, 80 % of rows between {q10} and {q90}.{tail}"
    return Plot(name="target", draw=draw, alt=text, caption=text, height=2.8, of=name)


def correlations(frame: pd.DataFrame, oof: OofPredictions) -> list[Block]:
    """Spearman's correlations between the target and the numeric columns that follow it most closely.

    Parameters
    ----------
    frame : DataFrame
        (n, columns) that the models see, in the row order of ``oof``.
    oof : OofPredictions
        The out-of-fold predictions, which hold the true values.

    Returns
    -------
    list of Block
        Empty where fewer than two columns hold quantities, or the target has no order.
    """
    target = _ordered_target(oof)
    names = [str(name) for name in frame.columns if is_quantity(frame[name]) and frame[name].nunique() > 1]
    if target is None or len(names) < 2:
        return []
    label = short(target.name, 30)
    table = frame[names].set_axis(range(len(frame)), axis=0).astype(float)
    table.insert(0, label, target.to_numpy(), allow_duplicates=True)
    ranks = table.sample(min(len(table), _MAX_ROWS), random_state=0).rank()
    with_target = ranks.corrwith(ranks.iloc[:, 0]).iloc[1:] if label not in names else None
    if with_target is None:
        return []
    shown = [label, *with_target.abs().sort_values(ascending=False, kind="stable").index[:_MAX_COLUMNS]]
    return [_matrix(ranks[shown].corr(), more=len(names) > _MAX_COLUMNS)]


def _ordered_target(oof: OofPredictions) -> pd.Series | None:
    """The values of a single regression target, or whether a row is of the second of two classes."""
    if oof.classes is not None:
        if len(oof.classes) != 2:
            return None
        return pd.Series((oof.y == 1).astype(float), name=f"{oof.targets[0]} = {oof.classes[1]}")
    return None if oof.y.ndim > 1 else pd.Series(oof.y.astype(float), name=oof.targets[0])


def _matrix(found: pd.DataFrame, *, more: bool) -> Table:
    rows = [
        [text_cell(name, 30), *(_cell(value) for value in found.loc[name])]
        for name in found.index
    ]  # fmt: skip
    columns = [Column(name="column", numeric=False), *(Column(name=short(name, 12)) for name in found.columns)]
    which = f" The {len(found) - 1} columns with the strongest correlation are shown." if more else ""
    note = f"Spearman's rank correlation, in train; the colour shows its size.{which}"
    return Table(
        caption="Correlations of the target and numeric columns", columns=columns, rows=rows, note=note,
        sortable=False, matrix=True,
    )  # fmt: skip


def _cell(value: float) -> Cell:
    if not np.isfinite(value):
        return Cell(text="–")
    text = f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
    return Cell(text=text, value=float(value), shade=round(9 * min(abs(value), 1.0)))
