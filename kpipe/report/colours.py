"""The colours of plots: placeholders that become classes of the style sheet on the page, and colours in print."""

from __future__ import annotations

from typing import Any

from kpipe.core.plots import COLOURS

__all__ = ["ACCENT", "CLASSES", "GRID", "INK", "MUTED", "PRINTED", "SERIES", "STYLES"]

# Placeholders: no page and no figure shows these colours.
INK, MUTED, GRID, ACCENT = "#010101", "#010102", "#010103", "#010104"
SERIES = tuple(f"#0101{number:02d}" for number in range(10, 17))
STYLES: tuple[Any, ...] = (  # of lines, so that the plot can be read without colours
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (1, 1)),
    (0, (8, 2)),
)
CLASSES = {INK: "ink", MUTED: "muted", GRID: "grid", ACCENT: "accent"} | {
    colour: f"s{number}" for number, colour in enumerate(SERIES)
}
PRINTED = {
    INK: "#1b1b1b",
    MUTED: "#5f6368",
    GRID: "#d5d8dc",
    ACCENT: COLOURS[0],
    **dict(zip(SERIES, COLOURS, strict=True)),
}
