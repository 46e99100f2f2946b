"""How kpipe's pictures look: matplotlib at page width, colours that survive greyscale and colour blindness."""

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

__all__ = ["COLOURS", "STYLES", "answer", "canvas", "curves"]

# Okabe and Ito, "Color Universal Design" (2008), https://jfly.uni-koeln.de/color: apart for everybody's eyes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))

_WIDTH = 8.0  # inches: a page's text at 100 %, so that 10 points are 10 points
_LOOK: Any = {
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
def canvas(rows: int, columns: int, *, height: float = 3.2) -> Iterator[tuple[Figure, np.ndarray]]:
    """A figure and its (rows, columns) axes, in kpipe's look; no window, no global state.

    height : inches of one row.
    """
    with mpl.rc_context(_LOOK):
        figure = Figure(figsize=(_WIDTH, height * rows + 0.4), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        yield figure, axes


def answer(figure: Figure, text: str) -> None:
    """The title of a figure, broken into lines that fit its width: the answer that it gives."""
    figure.suptitle(textwrap.fill(text, width=92))


def curves(ax: Axes, lines: dict[str, np.ndarray], *, first: int = 1, **options: Any) -> None:
    """One line a name over epochs, told apart by colour and by dashes, with a legend.

    first : the number of the first epoch.
    """
    for (name, values), colour, style in zip(lines.items(), cycle(COLOURS), cycle(STYLES), strict=False):
        epochs = np.arange(first, first + len(values))
        ax.plot(epochs, values, color=colour, linestyle=style, label=name, **options)
    ax.set_xlabel("epoch")
    ax.legend()
