"""Partial dependence: the mean prediction of the ensemble when all rows have the same value of a column.

References
----------
Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29, 2001.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from kpipe.report.blocks import Plot
from kpipe.report.colours import ACCENT, SERIES, STYLES
from kpipe.report.columns import is_hash, is_quantity
from kpipe.report.formatting import exact, short

__all__ = ["Dependence", "partial_dependence", "plot"]

_ROWS, _POINTS, _CATEGORIES = 150, 13, 8
_IDENTIFIER = 0.5  # share of distinct values in a column of text, above which it is an identifier
_MAX_LINES, _DIGITS = 5, 4

Predict = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """The mean prediction for values of a column.

    Parameters
    ----------
    column : str
        The name.
    values : tuple of str or of float
        The values, in their order: quantiles of numbers, the most frequent categories of other columns.
    means : ndarray
        (values, k) mean predictions.
    """

    column: str
    values: tuple[str, ...] | tuple[float, ...]
    means: np.ndarray

    @property
    def is_numeric(self) -> bool:
        """Whether the values are numbers."""
        return isinstance(self.values[0], float)


def partial_dependence(predict: Predict, frame: pd.DataFrame, columns: Sequence[str]) -> tuple[Dependence, ...]:
    """Compute the partial dependence of the predictions on each of some columns.

    Parameters
    ----------
    predict : callable
        DataFrame to (n, k) predictions.
    frame : DataFrame
        (n, columns) rows to predict; a sample of them is used.
    columns : sequence of str
        The columns. Those with a single value are left out, and those of text in which most values are distinct.

    Returns
    -------
    tuple of Dependence
    """
    rows = frame.sample(min(len(frame), _ROWS), random_state=0)
    grids = {name: grid for name in columns if len(grid := _grid(frame[name])) > 1}
    if not grids:
        return ()
    copies = [
        rows.assign(**{name: pd.Series([value] * len(rows), index=rows.index, dtype=frame[name].dtype)})
        for name, grid in grids.items()
        for value in grid
    ]
    predicted = predict(pd.concat(copies, ignore_index=True)).reshape(len(copies), len(rows), -1).mean(axis=1)
    ends = np.cumsum([len(grid) for grid in grids.values()])
    return tuple(
        Dependence(column=name, values=_readable(frame[name], grid), means=means)
        for (name, grid), means in zip(grids.items(), np.split(predicted, ends[:-1]), strict=True)
    )


def _grid(column: pd.Series) -> list[object]:
    """The values of a column to predict at."""
    present = column.dropna()
    if present.empty or is_hash(column):
        return []
    distinct = present.nunique()
    if is_quantity(column) and distinct > _CATEGORIES:
        quantiles = np.linspace(0.02, 0.98, _POINTS)
        return sorted(present.quantile(quantiles, interpolation="nearest").unique().tolist())
    if distinct > max(_IDENTIFIER * len(present), _CATEGORIES):
        return []
    frequent = present.value_counts().index[:_CATEGORIES].tolist()
    return sorted(frequent) if is_quantity(column) else frequent


def _readable(column: pd.Series, grid: Sequence[object]) -> tuple[str, ...] | tuple[float, ...]:
    if is_quantity(column):
        return tuple(float(value) for value in grid)  # type: ignore[arg-type]  # numbers, as the column's dtype says
    return tuple(str(value) for value in grid)


def plot(dependence: Dependence, outputs: Sequence[tuple[int, str]], what: str, *, limits: tuple[float, float]) -> Plot:
    """A plot of the mean prediction by value.

    Parameters
    ----------
    dependence : Dependence
        Of a column.
    outputs : sequence of (int, str)
        The columns of the predictions to draw, and their names.
    what : str
        What is predicted, for the axis.
    limits : tuple of float
        The ends of that axis, the same for all columns.

    Returns
    -------
    Plot
    """
    shown, name = outputs[:_MAX_LINES], short(dependence.column, 40)
    margin = 0.05 * (limits[1] - limits[0]) or 1.0

    def draw(ax: Axes) -> None:
        lines = [(dependence.means[:, place], label) for place, label in shown]
        (_draw_numbers if dependence.is_numeric else _draw_categories)(ax, dependence, lines)
        (ax.set_ylabel if dependence.is_numeric else ax.set_xlabel)(short(what, 34))
        (ax.set_ylim if dependence.is_numeric else ax.set_xlim)(limits[0] - margin, limits[1] + margin)
        if dependence.is_numeric:
            ax.set_xlabel(name)
        if len(lines) > 1:
            ax.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))

    means = dependence.means[:, shown[0][0]]
    span = f"{exact(float(means.min()), _DIGITS)} to {exact(float(means.max()), _DIGITS)}"
    drawn = f"{what} of {short(shown[0][1], 24)}" if len(shown) > 1 else what
    return Plot(
        draw=draw,
        name="dependence",
        of=dependence.column,
        alt=f"Partial dependence on {name}: the mean {drawn} ranges from {span}.",
        caption=f"{name}: the mean {drawn} ranges from {span}.",
        height=2.3 if dependence.is_numeric else 0.9 + 0.24 * len(dependence.values) + 0.3 * (len(shown) > 1),
    )


_Lines = Sequence[tuple[np.ndarray, str]]


def _draw_numbers(ax: Axes, dependence: Dependence, lines: _Lines) -> None:
    for place, (means, label) in enumerate(lines):
        colour = ACCENT if len(lines) == 1 else SERIES[place]
        (line,) = ax.plot(dependence.values, means, color=colour, linewidth=1.6, marker="o", markersize=3, label=label)
        line.set_linestyle(STYLES[place])


def _draw_categories(ax: Axes, dependence: Dependence, lines: _Lines) -> None:
    y = np.arange(len(dependence.values))
    for place, (means, label) in enumerate(lines):
        colour = ACCENT if len(lines) == 1 else SERIES[place]
        ax.plot(means, y, color=colour, linestyle="none", marker="os^Dv"[place], markersize=6, label=label)
    ax.locator_params(axis="x", nbins=6)
    ax.set_yticks(y, [short(value, 22) for value in dependence.values])
    ax.set_ylim(len(y) - 0.5, -0.5)
