"""Scores of runs in chronological order, as inline SVG whose points the page's script can find."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from kpipe.core.formatting import with_minus_sign

__all__ = ["Point", "timeline"]

_WIDTH, _HEIGHT = 640, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 12, 26  # margins
_MANY = 120  # runs, whose points are smaller
_SPREADS, _ERRORS = 4.5, 8.0  # of the middle half, and standard errors, beyond which a score is drawn at the edge


@dataclass(frozen=True, kw_only=True)
class Point:
    """A run on the timeline.

    Attributes
    ----------
    key : str
        The id of the run, by which the script finds its row.
    label : str
        The tooltip.
    day : str
        When it was made, for the axis.
    score : float
    error : float
        The standard error, 0 if it is unknown.
    public : float or None
        The score on the public leaderboard.
    suspect : bool
        Whether a check failed or the data was the sample.
    """

    key: str
    label: str
    day: str
    score: float
    error: float
    public: float | None = None
    suspect: bool = False


def timeline(points: Sequence[Point], *, greater_is_better: bool, alt: str) -> Markup:
    """Scores with one standard error, the best so far, and public leaderboard scores.

    Parameters
    ----------
    points : sequence of Point
        Oldest first; at least one.
    greater_is_better : bool
    alt : str
        A description for readers who cannot see the drawing.

    Returns
    -------
    Markup
        An SVG element without scripts and styles.
    """
    scale = _Scale(points)
    parts = [*_grid(scale), *_days(points, scale), _best(points, scale, greater_is_better)]
    parts += [_mark(number, point, scale) for number, point in enumerate(points)]
    head = '<svg class="timeline" viewBox="0 0 {} {}" role="img" aria-label="{}"><g class="{}">'
    many = "many" if len(points) > _MANY else ""
    return Markup(head).format(_WIDTH, _HEIGHT, alt, many) + Markup("").join(parts) + Markup("</g></svg>")


class _Scale:
    """Numbers to places in the drawing. Scores far away from the others are drawn at its edge."""

    def __init__(self, points: Sequence[Point]) -> None:
        self.count = len(points)
        low, middle, high = np.quantile([point.score for point in points], [0.25, 0.5, 0.75])
        reach = max(_SPREADS * (high - low), _ERRORS * float(np.median([point.error for point in points])))
        ends = [score for point in points for score in (point.score - point.error, point.score + point.error)]
        ends += [point.public for point in points if point.public is not None]
        near = [end for end in ends if abs(end - middle) <= reach] or ends
        low, high = min(near), max(near)
        margin = (high - low or abs(low) or 1.0) * 0.05
        self.low, self.high = low - margin, high + margin

    def x(self, number: int) -> float:
        inside = _WIDTH - _LEFT - _RIGHT
        return _LEFT + inside * (number + 0.5) / self.count

    def is_off(self, score: float) -> bool:
        return not self.low <= score <= self.high

    def y(self, score: float) -> float:
        share = (min(max(score, self.low), self.high) - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def _grid(scale: _Scale) -> Iterator[Markup]:
    ticks = [tick for tick in MaxNLocator(4).tick_values(scale.low, scale.high) if scale.low <= tick <= scale.high]
    steps = np.diff(ticks)
    digits = max(0, -math.floor(math.log10(steps.min()) + 1e-9)) if len(ticks) > 1 else 3
    digits += len(ticks) > 1 and bool(np.any(np.abs(np.round(ticks, digits) - ticks) > 1e-9 * np.abs(ticks).max()))
    for tick in ticks:
        y = f"{scale.y(tick):.1f}"
        line = '<line class="stroke-grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        text = '<text class="fill-muted" x="{}" y="{}" text-anchor="end" dy="0.32em" font-size="11">{}</text>'
        yield Markup(line).format(_LEFT, _WIDTH - _RIGHT, y, y)
        yield Markup(text).format(_LEFT - 6, y, with_minus_sign(f"{tick:,.{digits}f}"))


def _days(points: Sequence[Point], scale: _Scale) -> Iterator[Markup]:
    """The days of the first and the last run."""
    ends = ((0, "start"), (len(points) - 1, "end"))
    for number, anchor in ends if len(points) > 1 and points[0].day != points[-1].day else ends[:1]:
        x = scale.x(number) if len(points) == 1 else (_LEFT if anchor == "start" else _WIDTH - _RIGHT)
        text = '<text class="fill-muted" x="{}" y="{}" text-anchor="{}" font-size="11">{}</text>'
        yield Markup(text).format(f"{x:.1f}", _HEIGHT - 8, anchor, points[number].day)


def _best(points: Sequence[Point], scale: _Scale, greater_is_better: bool) -> Markup:
    """A stepped line through the best score so far of runs that are not suspect."""
    path, best = "", None
    for number, point in enumerate(points):
        if point.suspect:
            continue
        if best is None:
            path, best = f"M{scale.x(number):.1f} {scale.y(point.score):.1f}", point.score
        elif (point.score > best) if greater_is_better else (point.score < best):
            path, best = f"{path}H{scale.x(number):.1f}V{scale.y(point.score):.1f}", point.score
    end = f"H{_WIDTH - _RIGHT}" if path else ""
    return Markup('<path class="best" d="{}{}"/>').format(path, end)


def _mark(number: int, point: Point, scale: _Scale) -> Markup:
    x, y = scale.x(number), scale.y(point.score)
    head = '<g class="run{}" data-run="{}"><title>{}</title>'
    mark = Markup(head).format(" suspect" if point.suspect else "", point.key, point.label)
    if scale.is_off(point.score):
        side = 4 if point.score < scale.low else -4
        mark += Markup('<path class="off" d="{}"/>').format(f"M{x - 4:.1f} {y - side:.1f}h8l-4 {2 * side}Z")
    else:
        low, high = (scale.y(point.score + sign * point.error) for sign in (-1, 1))
        line = '<line x1="{x}" x2="{x}" y1="{low}" y2="{high}"/><circle cx="{x}" cy="{y}" r="3.5"/>'
        mark += Markup(line).format(x=f"{x:.1f}", low=f"{low:.1f}", high=f"{high:.1f}", y=f"{y:.1f}")
    if point.public is not None:
        diamond = f"M{x:.1f} {scale.y(point.public) - 5:.1f}l5 5l-5 5l-5 -5Z"
        mark += Markup('<path class="public" d="{}"/>').format(diamond)
    return mark + Markup("</g>")
