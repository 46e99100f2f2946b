"""What a report is made of: findings, sections, tables, pictures; and how numbers are written in it.

Nothing here is HTML but a picture's SVG, which is ours: the template escapes everything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup
from matplotlib.axes import Axes

from kpipe.core.formatting import format_score, format_with_error, plain_text, with_minus_sign

__all__ = [
    "Block",
    "Cell",
    "Column",
    "Finding",
    "Gallery",
    "Picture",
    "Section",
    "Table",
    "Text",
    "Thumbnail",
    "bar",
    "exact",
    "format_score",
    "format_with_error",
    "number",
    "plain_text",
    "share",
    "short",
    "text",
]

_LONGEST = 80  # characters of a text that comes from data
Level = Literal["good", "note", "warn", "bad"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands in a table: ``shown``, and the value that it sorts by.

    level : 0 to 9, how strongly the cell is coloured; None: not at all. bar : 0 to 100, the length of a bar behind it.
    status : "pass", "warn" or "fail", shown as a badge. svg : a small drawing instead of text.
    """

    shown: str = ""
    value: float | None = None
    level: int | None = None
    bar: int | None = None
    status: str = ""
    svg: Markup | None = None


@dataclass(frozen=True, kw_only=True)
class Column:
    """A heading; numbers stand to the right. ``why``: what it means, where the word alone does not say it."""

    name: str
    numeric: bool = True
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with its caption, and what else must be said of it.

    head : the first cell of each row is a heading of that row. matrix : cells are counts of pairs.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    sortable: bool = True
    head: bool = True
    matrix: bool = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A plot with one pair of axes; ``kpipe.report.svg`` draws it.

    name, of : what it is called in ``kpipe.plot(run)``, and of which model or target it is, where there are several.
    paint : draws into the axes. alt : what is seen, for those who do not. height : inches.
    """

    name: str
    paint: Callable[[Axes], None]
    alt: str
    caption: str
    height: float = 3.0
    of: str = ""


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """A small picture as a data URI."""

    uri: str
    alt: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Small pictures side by side."""

    caption: str
    pictures: Sequence[Thumbnail]


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph; or a small heading over what follows."""

    text: str
    heading: bool = False


Block = Table | Picture | Gallery | Text


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page that folds. ``key`` is its place in the page's address."""

    key: str
    title: str
    lead: str
    blocks: Sequence[Block] = field(default_factory=tuple)
    open: bool = True


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something to look at, first on the page; ``section`` is where more is said of it."""

    level: Level
    text: str
    section: str = ""


def short(value: object, most: int = _LONGEST) -> str:
    """A value as text that is not longer than a cell.

    >>> short("abcdefgh", 5)
    'abcd…'
    """
    told = plain_text(value)
    return told if len(told) <= most else told[: most - 1] + "…"


def number(value: float | None, style: str = "") -> Cell:
    """A number's cell; empty where it is not known."""
    if value is None or not math.isfinite(value):
        return Cell(shown="–")
    return Cell(shown=format(value, style) if style else compact(value), value=float(value))


def compact(value: float) -> str:
    """A number of data in at most some six characters.

    >>> compact(3), compact(1234567), compact(0.12346)
    ('3', '1,234,567', '0.1235')
    """
    if value == int(value) and abs(value) < 1e12:
        told = f"{int(value):,}"
    elif abs(value) >= 1000:
        told = f"{value:,.0f}" if abs(value) < 1e12 else f"{value:.3g}"
    else:
        told = f"{value:.4g}"
    return with_minus_sign(told)


def exact(value: float) -> str:
    """A number as it stands in the data, without separators: years and codes stay what they are.

    >>> exact(1954.0), exact(0.5), exact(0.123456789)
    ('1954', '0.5', '0.123457')
    """
    whole = abs(value) < 1e15 and value == int(value)
    return with_minus_sign(str(int(value)) if whole else f"{value:.6g}")


def share(value: float) -> str:
    """A share as a percentage.

    >>> share(0.123), share(0.0004), share(1.0)
    ('12 %', '0.04 %', '100 %')
    """
    return f"{100 * value:.0f} %" if value == 0 or value >= 0.1 else f"{100 * value:.2g} %"


def bar(value: float, most: float, shown: str) -> Cell:
    """A number with a bar behind it, of which the longest stands for ``most``."""
    length = 0 if not most > 0 else round(100 * min(max(value / most, 0), 1) / 5) * 5
    return Cell(shown=shown, value=float(value), bar=length)


def text(values: Iterable[object]) -> list[Cell]:
    """Cells of text."""
    return [Cell(shown=short(value)) for value in values]
