"""Plots as inline SVG in the colours of the page, light or dark.

matplotlib writes its styles as attributes ``style``, which the page's security policy forbids: they become attributes
of SVG, placeholder colours become classes of the style sheet, and ids get a prefix so that no two plots share one.
"""

from __future__ import annotations

import io
import itertools
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from markupsafe import Markup, escape

from kpipe.report.blocks import Plot
from kpipe.report.colours import CLASSES
from kpipe.report.figure import PAGE_STYLE, page_figure

__all__ = ["sparkline", "svg"]

_WIDTH, _HEIGHT = 96, 24  # pixels of a sparkline
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_KEPT_ATTRIBUTES = frozenset({
    "clip-path", "d", "height", "href", "id", "opacity", "points", "transform", "width", "x", "y", "text-anchor",
    "stroke-width", "stroke-dasharray", "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-opacity",
    "fill-opacity", "font-size",
})  # fmt: skip
_ROUNDED_ATTRIBUTES = frozenset({"d", "x", "y", "width", "height", "transform", "points"})
_prefixes = itertools.count(1)


def svg(plot: Plot) -> Markup:
    """A plot as an SVG element.

    Parameters
    ----------
    plot : Plot
        The plot.

    Returns
    -------
    Markup
        Without scripts and styles.
    """
    figure = page_figure(plot)
    buffer = io.BytesIO()
    with mpl.rc_context(PAGE_STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(buffer.getvalue(), plot.alt)


def _inline(svg: bytes, alt: str) -> Markup:
    """The SVG file that matplotlib wrote, as an element of an HTML page."""
    root = ElementTree.fromstring(svg)
    prefix = f"f{next(_prefixes)}-"
    used_ids = {name.decode() for name in re.findall(rb'(?:url\(#|href="#)([\w-]+)', svg)}
    cleaned = _cleaned(root, prefix, used_ids)
    assert cleaned is not None
    box = root.get("viewBox", "0 0 100 100")
    inside = "".join(ElementTree.tostring(child, encoding="unicode") for child in cleaned)
    # matplotlib escapes its labels, and so does ElementTree when it writes them again: the markup is safe.
    return Markup('<svg viewBox="{}" role="img" aria-label="{}">{}</svg>').format(box, alt, Markup(inside))


def _cleaned(element: ElementTree.Element, prefix: str, used_ids: set[str]) -> ElementTree.Element | None:
    """A copy of an element with the attributes that the page allows; None for one that draws nothing."""
    tag = element.tag.rsplit("}", 1)[-1]
    attributes = {name.rsplit("}", 1)[-1]: value for name, value in element.attrib.items()}
    styles = dict(part.split(": ", 1) for part in attributes.pop("style", "").split("; ") if ": " in part)
    children = [child for raw in element if (child := _cleaned(raw, prefix, used_ids)) is not None]
    invisible = tag == "path" and styles.get("fill") == "none" and "stroke" not in styles
    if tag in ("metadata", "style") or invisible or (tag in ("g", "defs") and not children):
        return None
    copy = ElementTree.Element(tag)
    copy.text = element.text.strip() if tag == "text" and element.text else None
    copy.extend(children)
    for name, value in {**attributes, **styles, **_colour_classes(styles)}.items():
        if _is_allowed(name, value, used_ids):
            copy.set(name, _attribute(name, value, prefix))
    return copy


def _is_allowed(name: str, value: str, used_ids: set[str]) -> bool:
    if name == "id":
        return value in used_ids
    return name == "class" or name in _KEPT_ATTRIBUTES or (name in ("fill", "stroke") and value == "none")


def _colour_classes(styles: Mapping[str, str]) -> dict[str, str]:
    classes = [f"{name}-{CLASSES[styles[name]]}" for name in ("fill", "stroke") if styles.get(name) in CLASSES]
    return {"class": " ".join(classes)} if classes else {}


def _attribute(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if name in ("clip-path", "href"):
        return value.replace("#", f"#{prefix}")
    if name == "transform" and value.startswith("rotate(-0 "):
        return "rotate(0)"
    if name in _ROUNDED_ATTRIBUTES:
        return _NUMBER.sub(lambda found: f"{float(found[0]):.1f}", " ".join(value.split()))
    return value


def sparkline(shares: Sequence[Sequence[float]], label: str) -> Markup:
    """A word-sized drawing of two distributions: bars for the first one, a stepped line for the second.

    Parameters
    ----------
    shares : sequence of Sequence[float]
        Two lists of shares of rows, one number for each bin.
    label : str
        A description for readers who cannot see the drawing.

    Returns
    -------
    Markup
        Of an SVG element.
    """
    highest = max((max(part) for part in shares if len(part)), default=0.0) or 1.0
    step = _WIDTH / max(len(shares[0]), 1)
    paths = []
    for number, part in enumerate(shares):
        tops = [f"{_HEIGHT - _HEIGHT * value / highest:.1f}" for value in part]
        steps = " ".join(f"V{top}H{step * (place + 1):.1f}" for place, top in enumerate(tops))
        close = "Z" if number == 0 else ""
        paths.append(f'<path class="spark{number}" d="M0 {_HEIGHT}{steps}V{_HEIGHT}{close}"/>')
    inside = Markup("".join(paths))  # numbers only
    return Markup('<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, _HEIGHT, escape(label), inside
    )
