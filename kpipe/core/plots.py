"""How kpipe's plots look: matplotlib at page width, with colours that survive greyscale and colour blindness."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["COLOURS", "STYLES", "new_figure", "plot_curves", "set_title"]

# Okabe and Ito, "Color Universal Design" (2008), https://jfly.uni-koeln.de/color: distinguishable for colour-blind
# readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))

_WIDTH = 8.0  # inches: a page's text at 100 %, so that 10 points are 10 points
_STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "figure.titlesize": 11,
    "svg.hashsalt": "kpipe",  # the same ids in every SVG
    "svg.fonttype": "none",  # text stays text
}


@contextmanager
def new_figure(rows: int, columns: int, *, height: float = 3.2) -> Iterator[tuple[Figure, np.ndarray]]:
    """A figure and its axes in kpipe's style, without a window and without changing matplotlib's global state.

    Parameters
    ----------
    rows, columns : int
        The grid of axes.
    height : float
        Inches of one row.

    Yields
    ------
    figure : matplotlib.figure.Figure
    axes : (rows, columns) array of matplotlib.axes.Axes
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height * rows + 0.4), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        yield figure, axes


def set_title(figure: Figure, text: str) -> None:
    """Set a figure's title, broken into lines that fit its width.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    text : str
        The answer that the figure gives.
    """
    figure.suptitle(textwrap.fill(text, width=92))


def plot_curves(ax: Axes, lines: dict[str, np.ndarray], *, first: int = 1, **options: Any) -> None:
    """Plot one line per name over epochs, each with its own colour and dashes, and a legend.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    lines : dict
        Name to values (epochs,).
    first : int
        The number of the first epoch.
    **options
        Passed to ``Axes.plot``.
    """
    for (name, values), colour, style in zip(lines.items(), cycle(COLOURS), cycle(STYLES), strict=False):
        epochs = np.arange(first, first + len(values))
        ax.plot(epochs, values, color=colour, linestyle=style, label=name, **options)
    ax.set_xlabel("epoch")
    ax.legend()
