"""Plots as inline SVG whose colours are the page's, light or dark; or as figures for paper and notebooks.

matplotlib draws in placeholder colours; each becomes a class that the style sheet colours, or a colour in print.
Styles in attributes, which the page's security policy forbids, become attributes of SVG; ids are prefixed, so that no
two plots share one.
"""

from __future__ import annotations

import io
import itertools
import re
import textwrap
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import is_color_like, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, ScalarFormatter

from kpipe.core.plots import COLOURS
from kpipe.report.blocks import Picture, short

__all__ = ["ACCENT", "GRID", "INK", "MUTED", "SERIES", "STYLES", "histogram", "in_print", "points", "spark", "svg"]

# Placeholders, one a class of the style sheet; no plot uses these colours as they are.
INK, MUTED, GRID, ACCENT = "#010101", "#010102", "#010103", "#010104"
SERIES = tuple(f"#0101{number:02d}" for number in range(10, 17))
_PRINT = {
    INK: "#1b1b1b",
    MUTED: "#5f6368",
    GRID: "#d5d8dc",
    ACCENT: COLOURS[0],
    **dict(zip(SERIES, COLOURS, strict=True)),
}
STYLES: tuple[Any, ...] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (1, 1)),
    (0, (8, 2)),
)  # colours need not be told apart
_CLASSES = {INK: "ink", MUTED: "muted", GRID: "grid", ACCENT: "accent"} | {
    colour: f"s{number}" for number, colour in enumerate(SERIES)
}
_LONG, _DECADES = 10_000, 1_000  # numbers from here on are abbreviated; so many times between the ends of an axis
_WIDTH = 4.7  # inches: 338 points, a phone's width, so that 10 points are about 10 pixels there
_PRINTED, _CAPTION = 6.4, 92  # inches, and characters of a line of 9 points in them
_LOOK: Any = {
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
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_KEPT = frozenset({
    "clip-path", "d", "height", "href", "id", "opacity", "points", "transform", "width", "x", "y", "text-anchor",
    "stroke-width", "stroke-dasharray", "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-opacity",
    "fill-opacity", "font-size",
})  # fmt: skip
_figures = itertools.count(1)


def svg(picture: Picture) -> Markup:
    """A plot as part of a page, in the page's colours."""
    figure = _figure(picture, _LOOK)
    sink = io.BytesIO()
    with mpl.rc_context(_LOOK):
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(sink.getvalue(), picture.alt)


def in_print(picture: Picture) -> Figure:
    """A plot as a figure of matplotlib's, in colours for white paper, its caption above it."""
    look = {name: _PRINT.get(value, value) if isinstance(value, str) else value for name, value in _LOOK.items()}
    figure = _figure(picture, look | {"figure.facecolor": "white", "savefig.facecolor": "white"}, width=_PRINTED)
    for artist in figure.findobj():
        _recolour(artist)
    figure.suptitle(textwrap.fill(picture.caption, _CAPTION), fontsize=9, x=0.01, ha="left")
    return figure


class _Shown(Figure):
    """A figure that a notebook shows without pyplot, which alone would tell it how."""

    def _repr_png_(self) -> bytes:
        sink = io.BytesIO()
        self.savefig(sink, format="png", dpi=110)
        return sink.getvalue()


def _figure(picture: Picture, look: Any, *, width: float = _WIDTH) -> Figure:
    with mpl.rc_context(look):
        figure = _Shown(figsize=(width, picture.height), layout="constrained")
        axes = figure.subplots()
        picture.paint(axes)
        for axis in (axes.xaxis, axes.yaxis):
            _readable(axis)
    return figure


def _recolour(artist: Any) -> None:
    """The printed colour instead of a placeholder's, wherever an artist has one."""
    for part in ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor"):
        given: Any = getattr(artist, f"get_{part}", lambda: None)()
        first = given[0] if isinstance(given, np.ndarray) and given.ndim > 1 and len(given) else given
        if is_color_like(first) and (meant := _PRINT.get(to_hex(first))):
            getattr(artist, f"set_{part}")(meant)


def _readable(axis: Axis) -> None:
    """100k and 2M instead of 100000 and 1e6; plain numbers on logarithmic axes."""
    low, high = axis.get_view_interval()
    logarithmic = axis.get_scale() == "log"
    if logarithmic:
        wide = low > 0 and high / low > _DECADES
        axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        axis.set_minor_formatter(NullFormatter())
    if logarithmic or (max(abs(low), abs(high)) >= _LONG and isinstance(axis.get_major_formatter(), ScalarFormatter)):
        axis.set_major_formatter(EngFormatter(sep=""))


def _inline(svg: bytes, alt: str) -> Markup:
    """What matplotlib drew, as part of an HTML page: no styles, no scripts, no names but ours."""
    root = ElementTree.fromstring(svg)
    prefix = f"f{next(_figures)}-"
    used = set(re.findall(rb'(?:url\(#|href="#)([\w-]+)', svg))
    cleaned = _cleaned(root, prefix, {name.decode() for name in used})
    assert cleaned is not None
    box = root.get("viewBox", "0 0 100 100")
    inside = "".join(ElementTree.tostring(child, encoding="unicode") for child in cleaned)
    # Made by matplotlib from labels that it escapes, and written again by ElementTree, which escapes once more.
    return Markup('<svg viewBox="{}" role="img" aria-label="{}">{}</svg>').format(box, alt, Markup(inside))


def _cleaned(element: ElementTree.Element, prefix: str, used: set[str]) -> ElementTree.Element | None:
    tag = element.tag.rsplit("}", 1)[-1]
    if tag in ("metadata", "style"):
        return None
    given = {name.rsplit("}", 1)[-1]: value for name, value in element.attrib.items()}
    styles = dict(part.split(": ", 1) for part in given.pop("style", "").split("; ") if ": " in part)
    children = [child for raw in element if (child := _cleaned(raw, prefix, used)) is not None]
    if tag in ("g", "defs") and not children:
        return None
    if tag == "path" and styles.get("fill") == "none" and "stroke" not in styles:
        return None  # the figure's and the axes' own ground
    made = ElementTree.Element(tag)
    made.text = element.text.strip() if tag == "text" and element.text else None
    made.extend(children)
    for name, value in {**given, **styles, **_coloured(styles)}.items():
        if name == "id" and value not in used:
            continue
        if name == "class" or name in _KEPT or (name in ("fill", "stroke") and value == "none"):
            made.set(name, _attribute(name, value, prefix))
    return made


def _coloured(styles: Mapping[str, str]) -> dict[str, str]:
    classes = [f"{name}-{_CLASSES[styles[name]]}" for name in ("fill", "stroke") if styles.get(name) in _CLASSES]
    return {"class": " ".join(classes)} if classes else {}


def _attribute(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if name in ("clip-path", "href"):
        return value.replace("#", f"#{prefix}")
    if name == "transform" and value.startswith("rotate(-0 "):
        return "rotate(0)"
    if name in ("d", "x", "y", "width", "height", "transform", "points"):
        return _NUMBER.sub(lambda found: f"{float(found[0]):.1f}", " ".join(value.split()))
    return value


def points(
    ax: Axes, x: np.ndarray, y: np.ndarray, *, colour: str = ACCENT, size: float = 3.0, alpha: float = 0.45
) -> None:
    """Dots as one path of points with round ends: a tenth of the bytes of as many circles."""
    gap = np.full(len(x), np.nan)
    ax.plot(
        np.column_stack([x, x, gap]).ravel(),
        np.column_stack([y, y, gap]).ravel(),
        color=colour,
        linewidth=size,
        solid_capstyle="round",
        alpha=alpha,
    )


def histogram(ax: Axes, values: Mapping[str, np.ndarray], *, edges: np.ndarray) -> None:
    """Shares of rows in each bin, one line a name; the first is filled."""
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


def spark(shares: Sequence[Sequence[float]], label: str) -> Markup:
    """A drawing as small as a word: bars for the first distribution, a stepped line for the second."""
    width, height = 96, 24
    most = max((max(part) for part in shares if len(part)), default=0.0) or 1.0
    step = width / max(len(shares[0]), 1)
    drawn = []
    for number, part in enumerate(shares):
        tops = [f"{height - height * value / most:.1f}" for value in part]
        steps = " ".join(f"V{top}H{step * (place + 1):.1f}" for place, top in enumerate(tops))
        path = f"M0 {height}{steps}V{height}"
        drawn.append(f'<path class="spark{number}" d="{path}{"Z" if number == 0 else ""}"/>')
    inside = Markup("".join(drawn))  # numbers only
    return Markup('<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, escape(label), inside
    )
