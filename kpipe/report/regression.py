"""The section "Out-of-fold predictions" of a regression: predicted against true values, residuals, errors by size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from kpipe.core.metrics import Metric
from kpipe.report.blocks import Block, Cell, Column, Finding, Plot, Section, Table, Text, number_cell
from kpipe.report.colours import INK, MUTED
from kpipe.report.figure import draw_histogram, draw_points
from kpipe.report.formatting import compact, short
from kpipe.runs.oof import OofPredictions

__all__ = ["section"]

_MAX_POINTS = 1500  # in a plot: more look the same and make the file large
_MAX_TARGETS = 6
_QUANTILES = 5  # of the true value, in the table of errors
_DIGITS = 5
_SIGNIFICANT = 4.0  # standard errors of the mean residual, from which a bias is a finding


@dataclass(frozen=True)
class _Target:
    """One target: (n,) true and predicted values, the rows to draw, whether errors are those of the logarithm."""

    name: str
    true: np.ndarray
    predicted: np.ndarray
    drawn: np.ndarray
    log: bool

    @property
    def residuals(self) -> np.ndarray:
        if self.log:
            return np.asarray(np.log1p(self.predicted) - np.log1p(self.true))
        return self.predicted - self.true

    @property
    def residual_name(self) -> str:
        if self.log:
            return "log(1 + predicted) \N{MINUS SIGN} log(1 + true)"
        return "predicted \N{MINUS SIGN} true"


def section(metric: Metric, oof: OofPredictions) -> Section:
    """The section "Out-of-fold predictions" of a regression.

    Parameters
    ----------
    metric : Metric
        The run's metric.
    oof : OofPredictions
        Its out-of-fold predictions.

    Returns
    -------
    Section
    """
    targets = _targets(metric, oof)
    rows = int(oof.is_predicted.sum())
    blocks: list[Block] = []
    for target in targets[:_MAX_TARGETS]:
        if len(targets) > 1:
            blocks.append(Text(text=short(target.name), heading=True))
        blocks += _target_blocks(target)
    if len(targets) > _MAX_TARGETS:
        blocks.append(Text(text=f"The first {_MAX_TARGETS} of {len(targets)} targets are shown."))
    return Section(
        key="predictions",
        title="Out-of-fold predictions",
        summary=f"Predictions of {rows:,} rows, each by models that were not trained on it.",
        blocks=blocks,
        findings=[found for target in targets for found in _bias(metric, target)],
    )


def _targets(metric: Metric, oof: OofPredictions) -> list[_Target]:
    rows = oof.is_predicted
    true = (oof.y if oof.y.ndim > 1 else oof.y[:, None])[rows].astype(float)
    predicted = oof.ensemble[rows]
    log = metric.log_target and bool((np.nan_to_num(true) >= 0).all() and (predicted >= 0).all())
    known = ~np.isnan(true)  # of several targets some may be missing in a row
    return [
        _Target(name, true[known[:, k], k], predicted[known[:, k], k], _drawn(int(known[:, k].sum())), log)
        for k, name in enumerate(oof.targets)
    ]


def _drawn(count: int) -> np.ndarray:
    return np.sort(np.random.default_rng(0).permutation(count)[:_MAX_POINTS])


def _target_blocks(target: _Target) -> list[Block]:
    if len(target.true) < 2:
        return [Text(text="There are too few predictions for a plot.")]
    return [_truth_plot(target), _residuals_plot(target), _errors_plot(target), _errors_by_size(target)]


def _truth_plot(target: _Target) -> Plot:
    true, predicted = target.true[target.drawn], target.predicted[target.drawn]
    both = np.concatenate([true, predicted])
    low, high = float(both.min()), float(both.max())

    def draw(ax: Axes) -> None:
        if target.log and low > 0:
            ax.set_xscale("log")
            ax.set_yscale("log")
        ax.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle=":")
        draw_points(ax, predicted, true)
        ax.set_xlabel("predicted")
        ax.set_ylabel(f"true {short(target.name, 30)}")

    correlation = float(np.corrcoef(true, predicted)[0, 1]) if true.std() > 0 and predicted.std() > 0 else float("nan")
    total = len(target.true)
    sample = f" The plot shows {len(true):,} of {total:,} rows." if len(true) < total else ""
    return Plot(
        draw=draw,
        name="truth",
        of=target.name,
        alt=f"True against predicted {short(target.name)}; correlation {correlation:.3f}.",
        caption=f"True against predicted values; exact predictions lie on the dotted line. Correlation "
        f"{correlation:.3f}.{sample}",
        height=3.4,
    )


def _residuals_plot(target: _Target) -> Plot:
    predicted, residuals = target.predicted, target.residuals
    bins = np.array_split(np.argsort(predicted, kind="stable"), min(12, max(len(predicted) // 10, 1)))
    lines = [(float(np.median(predicted[b])), *np.quantile(residuals[b], [0.1, 0.5, 0.9])) for b in bins if len(b)]
    x, low, median, high = map(np.array, zip(*lines, strict=True))

    def draw(ax: Axes) -> None:
        if target.log and predicted.min() > 0:
            ax.set_xscale("log")
        ax.axhline(0, color=MUTED, linewidth=1, linestyle=":")
        draw_points(ax, predicted[target.drawn], residuals[target.drawn], alpha=0.35)
        ax.plot(x, median, color=INK, linewidth=1.6)
        for line in (low, high):
            ax.plot(x, line, color=INK, linewidth=1, linestyle="--")
        ax.set_xlabel("predicted")
        ax.set_ylabel(target.residual_name)

    return Plot(
        draw=draw,
        name="residuals",
        of=target.name,
        alt=f"Residuals by prediction. Their median is {median[0]:.3g} for the smallest predictions and "
        f"{median[-1]:.3g} for the largest.",
        caption="Residuals by prediction, with their median (solid) and 10 % and 90 % quantiles (dashed). Where the "
        "median is not near 0, the predictions are biased.",
        height=3.2,
    )


def _errors_plot(target: _Target) -> Plot:
    residuals = target.residuals
    low, high = np.quantile(residuals, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, 41)

    def draw(ax: Axes) -> None:
        draw_histogram(ax, {"residuals": residuals}, edges=edges)
        ax.axvline(0, color=MUTED, linewidth=1, linestyle=":")
        ax.set_xlabel(target.residual_name)

    half = float(np.median(np.abs(residuals)))
    return Plot(
        draw=draw,
        name="errors",
        of=target.name,
        alt=f"Histogram of residuals: median {np.median(residuals):.3g}, median absolute value {half:.3g}.",
        caption=f"Distribution of residuals; half of them are smaller than {half:.3g}. The outermost bins include the "
        "0.5 % of rows beyond each end of the axis.",
        height=2.8,
    )


def _errors_by_size(target: _Target) -> Table:
    bins = np.array_split(np.argsort(target.true, kind="stable"), min(_QUANTILES, len(target.true)))
    columns = [
        Column(name=f"true {short(target.name, 30)}", numeric=False),
        Column(name="rows"),
        Column(name="mean true value"),
        Column(name="mean prediction"),
        Column(name="bias", meaning="mean of predicted minus true values"),
        Column(name="mean absolute error"),
        Column(name="median absolute error"),
    ]
    rows = [_size_row(place, target.true[b], target.predicted[b]) for place, b in enumerate(bins)]
    caption = f"Errors by true value, in {len(bins)} bins of equally many rows"
    return Table(caption=caption, columns=columns, rows=rows)


def _size_row(place: int, true: np.ndarray, predicted: np.ndarray) -> list[Cell]:
    errors = predicted - true
    numbers = (true.mean(), predicted.mean(), errors.mean(), np.abs(errors).mean(), np.median(np.abs(errors)))
    return [
        Cell(text=f"{compact(true.min(), _DIGITS)} to {compact(true.max(), _DIGITS)}", value=float(place)),
        number_cell(len(true)),
        *(number_cell(float(value), digits=_DIGITS) for value in numbers),
    ]


def _bias(metric: Metric, target: _Target) -> list[Finding]:
    """A finding where predictions that minimise the squared error are significantly biased."""
    if metric.loss != "squared" or metric.log_target or len(target.true) <= 50:
        return []
    errors = target.predicted - target.true
    if not abs(errors.mean()) > _SIGNIFICANT * errors.std() / np.sqrt(len(errors)):
        return []
    side = "high" if errors.mean() > 0 else "low"
    size = compact(abs(float(errors.mean())), _DIGITS)
    return [Finding(level="warn", text=f"Predictions of {short(target.name)} are too {side} by {size} on average.")]
