"""Plots as matplotlib figures, for the page or for print; and helpers that draw into axes."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import is_color_like, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, ScalarFormatter

from kpipe.report.blocks import Plot
from kpipe.report.colours import ACCENT, GRID, INK, MUTED, PRINTED, SERIES, STYLES
from kpipe.report.formatting import short

__all__ = ["PAGE_STYLE", "draw_histogram", "draw_points", "page_figure", "print_figure"]

_ABBREVIATED = 10_000  # numbers on an axis, from which on they are written as 10k
_DECADES = 1_000  # ratio of the ends of a logarithmic axis, from which on only powers of ten are labelled
_PAGE_WIDTH = 4.7  # inches: 338 points, a phone's width, so that 10 points are about 10 pixels there
_PRINT_WIDTH, _CAPTION_LENGTH = 6.4, 92  # inches, and characters of 9 points in a line of this width
PAGE_STYLE: Any = {
    "font.size": 10,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.bottom": False,
    "xtick.labelcolor": MUTED,
    "ytick.left": False,
    "ytick.labelcolor": MUTED,
    "xtick.minor.bottom": False,
    "ytick.minor.left": False,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a label is a dollar sign
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "path.simplify": False,
    "svg.hashsalt": "kpipe",
    "svg.fonttype": "none",  # text stays text: small, searchable, in the page's font
}


class _NotebookFigure(Figure):
    """A figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def page_figure(plot: Plot) -> Figure:
    """A plot as a figure in the placeholder colours of the page.

    Parameters
    ----------
    plot : Plot
        The plot.

    Returns
    -------
    Figure
        A ``matplotlib.figure.Figure``.
    """
    return _figure(plot, PAGE_STYLE, _PAGE_WIDTH)


def print_figure(plot: Plot) -> Figure:
    """A plot as a figure in colours for white paper, with its caption as the title.

    Parameters
    ----------
    plot : Plot
        The plot.

    Returns
    -------
    Figure
        A ``matplotlib.figure.Figure``.
    """
    style = {name: PRINTED.get(value, value) if isinstance(value, str) else value for name, value in PAGE_STYLE.items()}
    figure = _figure(plot, style | {"figure.facecolor": "white", "savefig.facecolor": "white"}, _PRINT_WIDTH)
    for artist in figure.findobj():
        _recolour(artist)
    figure.suptitle(textwrap.fill(plot.caption, _CAPTION_LENGTH), fontsize=9, x=0.01, ha="left")
    return figure


def _figure(plot: Plot, style: Any, width: float) -> Figure:
    with mpl.rc_context(style):
        figure = _NotebookFigure(figsize=(width, plot.height), layout="constrained")
        axes = figure.subplots()
        plot.draw(axes)
        for axis in (axes.xaxis, axes.yaxis):
            _abbreviate(axis)
    return figure


def _recolour(artist: Any) -> None:
    """Replace the placeholder colours of an artist by those in print."""
    for part in ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor"):
        given: Any = getattr(artist, f"get_{part}", lambda: None)()
        first = given[0] if isinstance(given, np.ndarray) and given.ndim > 1 and len(given) else given
        if is_color_like(first) and (printed := PRINTED.get(to_hex(first))):
            getattr(artist, f"set_{part}")(printed)


def _abbreviate(axis: Axis) -> None:
    """Label an axis with 100k and 2M instead of 100000 and 1e6, and a logarithmic one with plain numbers."""
    low, high = axis.get_view_interval()
    log = axis.get_scale() == "log"
    if log:
        wide = low > 0 and high / low > _DECADES
        axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        axis.set_minor_formatter(NullFormatter())
    long = max(abs(low), abs(high)) >= _ABBREVIATED
    if log or (long and isinstance(axis.get_major_formatter(), ScalarFormatter)):
        axis.set_major_formatter(EngFormatter(sep=""))


def draw_points(ax: Axes, x: np.ndarray, y: np.ndarray, *, alpha: float = 0.45) -> None:
    """Draw points as one path with round ends, which takes a tenth of the bytes of as many circles in SVG.

    Parameters
    ----------
    ax : Axes
        The axes.
    x, y : ndarray
        (n,) coordinates.
    alpha : float
        Opacity.
    """
    gap = np.full(len(x), np.nan)
    ax.plot(
        np.column_stack([x, x, gap]).ravel(),
        np.column_stack([y, y, gap]).ravel(),
        color=ACCENT,
        linewidth=3.0,
        solid_capstyle="round",
        alpha=alpha,
    )


def draw_histogram(ax: Axes, values: Mapping[str, np.ndarray], *, edges: np.ndarray) -> None:
    """Draw the share of rows in each bin, one line for each name; the first one is filled.

    Parameters
    ----------
    ax : Axes
        The axes.
    values : mapping of str to ndarray
        Name → (n,) values; those beyond the edges count in the outermost bins.
    edges : ndarray
        (bins + 1,) edges of the bins.
    """
    for number, (name, given) in enumerate(values.items()):
        counts = np.histogram(np.clip(given, edges[0], edges[-1]), bins=edges)[0]
        shares = 100 * counts / max(len(given), 1)
        if number == 0:
            ax.stairs(shares, edges, fill=True, color=SERIES[0], alpha=0.18)
        line = ax.stairs(shares, edges, color=SERIES[number], linewidth=1.8, label=short(name, 30))
        line.set_linestyle(STYLES[number])
    ax.set_ylabel("% of rows")
    ax.set_ylim(bottom=0)
    if len(values) > 1:
        ax.legend()
