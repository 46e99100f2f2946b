"""The building blocks of a report: sections, findings, tables, plots and galleries, as values without HTML.

The template escapes every text in them. The only markup that passes unescaped is SVG that kpipe itself drew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup
from matplotlib.axes import Axes

from kpipe.core.formatting import format_with_error, with_minus_sign
from kpipe.report.formatting import compact, share, short

__all__ = [
    "Block",
    "Cell",
    "Column",
    "Finding",
    "Gallery",
    "Level",
    "Plot",
    "Section",
    "Table",
    "Text",
    "Thumbnail",
    "bar_cell",
    "number_cell",
    "score_cell",
    "share_cell",
    "text_cell",
]

Level = Literal["good", "note", "warn", "bad"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A table cell.

    Parameters
    ----------
    text : str
        What the cell shows.
    value : float, optional
        What the column sorts by; None sorts by the text.
    shade : int, optional
        0 to 9, the strength of the background colour; None for no colour.
    bar : int, optional
        0 to 100, the length of a bar behind the text, in steps of 5; None for no bar.
    status : str
        "pass", "warn" or "fail", shown as a badge.
    svg : Markup, optional
        A small drawing that replaces the text.
    """

    text: str = ""
    value: float | None = None
    shade: int | None = None
    bar: int | None = None
    status: str = ""
    svg: Markup | None = None


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column heading.

    Parameters
    ----------
    name : str
        The heading.
    numeric : bool
        Whether the cells are aligned to the right.
    meaning : str
        Explanation shown below the table, for names that do not explain themselves.
    """

    name: str
    numeric: bool = True
    meaning: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with a caption.

    Parameters
    ----------
    caption : str
        The title of the table.
    columns : sequence of Column
        The headings.
    rows : sequence of sequence of Cell
        The cells, row by row; the first cell of a row is its heading.
    note : str
        A sentence shown below the table.
    sortable : bool
        Whether a click on a heading sorts the rows.
    matrix : bool
        Whether the table is a matrix of numbers, such as a confusion matrix.
    small : bool
        Whether the table stands beside a plot on a wide screen.
    folded : bool
        Whether only the caption is shown until the reader expands it.
    cards : bool
        Whether each row is a card on a phone.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    sortable: bool = True
    matrix: bool = False
    small: bool = False
    folded: bool = False
    cards: bool = False


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A plot with one pair of axes.

    Parameters
    ----------
    name : str
        The name of the plot in ``kpipe.plot(run)``.
    draw : callable
        A function that draws into the axes.
    alt : str
        A description for readers who cannot see the plot.
    caption : str
        The text below the plot.
    height : float
        In inches.
    of : str
        The model or target that the plot shows, where the run has several.
    on_page : bool
        False for a plot of what the page shows as a table; ``kpipe.plot(run)`` draws it.
    """

    name: str
    draw: Callable[[Axes], None]
    alt: str
    caption: str
    height: float = 3.0
    of: str = ""
    on_page: bool = True


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """A small image as a data URI, and its size on the page in pixels."""

    uri: str
    alt: str
    caption: str
    width: int = 84
    height: int = 84


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Small images side by side."""

    caption: str
    images: Sequence[Thumbnail]


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph, or with ``heading`` a small heading above the blocks that follow."""

    text: str
    heading: bool = False


Block = Table | Plot | Gallery | Text


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A sentence for the list of findings at the top of the page."""

    level: Level
    text: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of the page, which the reader can collapse.

    Parameters
    ----------
    key : str
        The section's anchor in the page's address.
    title : str
        The heading.
    summary : str
        The first paragraph.
    blocks : sequence of Block
        The content.
    findings : sequence of Finding
        What the top of the page says about this section.
    open : bool
        Whether the section is expanded when the page opens.
    """

    key: str
    title: str
    summary: str
    blocks: Sequence[Block] = field(default_factory=tuple)
    findings: Sequence[Finding] = field(default_factory=tuple)
    open: bool = True


def text_cell(value: object, longest: int = 80) -> Cell:
    """A cell of text, cut to ``longest`` characters.

    Parameters
    ----------
    value : object
        Anything; control characters are replaced by blanks.
    longest : int
        The greatest number of characters.

    Returns
    -------
    Cell
    """
    return Cell(text=short(value, longest))


def number_cell(value: float | None, style: str = "", *, digits: int | None = None) -> Cell:
    """A cell of a number, or of a dash where the number is missing or not finite.

    Parameters
    ----------
    value : float, optional
        The number.
    style : str
        A format specification such as ``".3f"``; by default :func:`kpipe.report.formatting.compact` writes it.
    digits : int, optional
        Significant digits of a compact number.

    Returns
    -------
    Cell
    """
    if value is None or not math.isfinite(value):
        return Cell(text="–")
    text = with_minus_sign(format(value, style)) if style else compact(value, digits)
    return Cell(text=text, value=float(value))


def share_cell(value: float) -> Cell:
    """A cell of a share between 0 and 1, shown as a percentage.

    Parameters
    ----------
    value : float
        The share.

    Returns
    -------
    Cell
    """
    return Cell(text=share(value), value=value)


def score_cell(value: float | None, standard_error: float | None) -> Cell:
    """A cell of a score with its standard error.

    Parameters
    ----------
    value, standard_error : float, optional
        In units of the metric; None where unknown.

    Returns
    -------
    Cell
    """
    return Cell(text=format_with_error(value, standard_error), value=value)


def bar_cell(value: float | None, longest: float, style: str) -> Cell:
    """A cell of a number with a bar behind it.

    Parameters
    ----------
    value : float, optional
        The number, None where unknown.
    longest : float
        The number that the longest bar stands for.
    style : str
        A format specification such as ``".2f"``.

    Returns
    -------
    Cell
    """
    length = max(value or 0.0, 0.0) / longest if longest > 0 else 0.0
    text = "unknown" if value is None else format(value, style)
    return Cell(text=text, value=value or 0.0, bar=5 * round(20 * min(length, 1.0)))
