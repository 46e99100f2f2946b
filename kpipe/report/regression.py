"""What regressions are looked at with: prediction against truth, residuals, errors by size."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from kpipe.report.blocks import Block, Cell, Column, Finding, Picture, Section, Table, Text, compact, number, short
from kpipe.report.svg import INK, MUTED, histogram, points
from kpipe.runs.loaded import LoadedRun, OofPredictions

__all__ = ["findings", "section"]

_DOTS = 1500  # rows that are drawn; the eye sees no more, and the file stays small
_PARTS = 5  # of the truth, by size
_TARGETS = 6  # that are shown


def section(run: LoadedRun, oof: OofPredictions) -> Section:
    """How far predictions are from the truth, and where."""
    truth, predicted = _columns(oof)
    log = run.metric is not None and run.metric.log_target and bool((truth >= 0).all() and (predicted >= 0).all())
    blocks: list[Block] = []
    for place, name in enumerate(oof.targets[:_TARGETS]):
        if len(oof.targets) > 1:
            blocks.append(Text(text=short(name), heading=True))
        blocks += _target(name, truth[:, place], predicted[:, place], log=log)
    if len(oof.targets) > _TARGETS:
        blocks.append(Text(text=f"The first {_TARGETS} of {len(oof.targets)} targets are shown."))
    lead = f"Out-of-fold predictions of {len(truth):,} rows, each made by models that never saw the row."
    return Section(key="predictions", title="Predictions against the truth", lead=lead, blocks=blocks)


def _columns(oof: OofPredictions) -> tuple[np.ndarray, np.ndarray]:
    made = oof.is_predicted
    y = oof.y if oof.y.ndim > 1 else oof.y[:, None]
    return y[made].astype(float), oof.ensemble[made]


def _target(name: str, truth: np.ndarray, predicted: np.ndarray, *, log: bool) -> list[Block]:
    if len(truth) < 2:
        return [Text(text="Too few rows were predicted to draw them.")]
    drawn = np.sort(np.random.default_rng(0).permutation(len(truth))[:_DOTS])
    told = f" {len(drawn):,} of {len(truth):,} rows are drawn." if len(drawn) < len(truth) else ""
    return [
        _against(truth[drawn], predicted[drawn], name, log=log, told=told),
        _residuals(truth, predicted, drawn, name, log=log),
        _spread(truth, predicted, name, log=log),
        _by_size(truth, predicted),
    ]


def _against(truth: np.ndarray, predicted: np.ndarray, name: str, *, log: bool, told: str) -> Picture:
    both = np.concatenate([truth, predicted])
    low, high = float(both.min()), float(both.max())

    def paint(ax: Axes) -> None:
        if log and low > 0:
            ax.set_xscale("log")
            ax.set_yscale("log")
        ax.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle=":")
        points(ax, predicted, truth)
        ax.set_xlabel("predicted")
        ax.set_ylabel(f"truth: {short(name, 30)}")

    matter = float(np.corrcoef(truth, predicted)[0, 1]) if truth.std() > 0 and predicted.std() > 0 else float("nan")
    return Picture(
        paint=paint,
        name="truth",
        of=name,
        alt=f"Truth against prediction of {short(name)}; correlation {matter:.3f}.",
        caption=f"Truth against prediction: on the dotted line both are the same. Correlation {matter:.3f}.{told}",
        height=3.4,
    )


def _errors(truth: np.ndarray, predicted: np.ndarray, *, log: bool) -> tuple[np.ndarray, str]:
    if log:
        return np.log1p(predicted) - np.log1p(truth), "log(1 + predicted) \N{MINUS SIGN} log(1 + truth)"
    return predicted - truth, "predicted \N{MINUS SIGN} truth"


def _residuals(truth: np.ndarray, predicted: np.ndarray, drawn: np.ndarray, name: str, *, log: bool) -> Picture:
    errors, said = _errors(truth, predicted, log=log)
    parts = np.array_split(np.argsort(predicted, kind="stable"), min(12, max(len(truth) // 10, 1)))
    middles = [(float(np.median(predicted[p])), *np.quantile(errors[p], [0.1, 0.5, 0.9])) for p in parts if len(p)]
    x, low, mid, high = map(np.array, zip(*middles, strict=True))

    def paint(ax: Axes) -> None:
        if log and predicted.min() > 0:
            ax.set_xscale("log")
        ax.axhline(0, color=MUTED, linewidth=1, linestyle=":")
        points(ax, predicted[drawn], errors[drawn], alpha=0.35)
        ax.plot(x, mid, color=INK, linewidth=1.6)
        for line in (low, high):
            ax.plot(x, line, color=INK, linewidth=1, linestyle="--")
        ax.set_xlabel("predicted")
        ax.set_ylabel(said)

    return Picture(
        paint=paint,
        name="residuals",
        of=name,
        alt=f"Errors by prediction. Their median is {mid[0]:.3g} at the smallest, {mid[-1]:.3g} at the largest.",
        caption="Errors by prediction: the line is their median, four in five lie between the dashed lines. A line "
        "that leaves zero is something that the models could still learn.",
        height=3.2,
    )


def _spread(truth: np.ndarray, predicted: np.ndarray, name: str, *, log: bool) -> Picture:
    errors, said = _errors(truth, predicted, log=log)
    low, high = np.quantile(errors, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, 41)

    def paint(ax: Axes) -> None:
        histogram(ax, {"errors": errors}, edges=edges)
        ax.axvline(0, color=MUTED, linewidth=1, linestyle=":")
        ax.set_xlabel(said)

    half = float(np.median(np.abs(errors)))
    return Picture(
        paint=paint,
        name="errors",
        of=name,
        alt=f"Histogram of errors: median {np.median(errors):.3g}, half of them within {half:.3g} of zero.",
        caption=f"How errors are spread: half of them lie within {half:.3g} of zero. What is beyond the outermost 1 in "
        "200 at either end is counted in the last bar.",
        height=2.8,
    )


def _by_size(truth: np.ndarray, predicted: np.ndarray) -> Table:
    parts = np.array_split(np.argsort(truth, kind="stable"), min(_PARTS, len(truth)))
    rows = []
    for place, part in enumerate(parts):
        y, p = truth[part], predicted[part]
        rows.append([
            Cell(shown=f"{compact(_rounded(y.min()))} to {compact(_rounded(y.max()))}", value=float(place)),
            number(len(part)),
            number(_rounded(y.mean())),
            number(_rounded(p.mean())),
            number(_rounded(float((p - y).mean()))),
            number(_rounded(float(np.abs(p - y).mean()))),
            number(_rounded(float(np.median(np.abs(p - y))))),
        ])  # fmt: skip
    columns = [
        Column(name="truth", numeric=False),
        Column(name="rows"),
        Column(name="mean truth"),
        Column(name="mean predicted"),
        Column(name="bias", why="mean of predicted minus truth"),
        Column(name="mean error", why="mean absolute error"),
        Column(name="median error", why="median absolute error"),
    ]
    caption = "Errors by the size of the truth, in five parts of equally many rows"
    return Table(caption=caption, columns=columns, rows=rows)


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def findings(run: LoadedRun, oof: OofPredictions) -> list[Finding]:
    """A bias that chance does not explain."""
    found = []
    truth, predicted = _columns(oof)
    squared = run.metric is not None and run.metric.loss == "squared" and not run.metric.log_target
    for place, name in enumerate(oof.targets):
        errors = predicted[:, place] - truth[:, place]
        if squared and len(errors) > 50 and abs(errors.mean()) > 4 * errors.std() / np.sqrt(len(errors)):
            text = f"Predictions of {short(name)} are off by {compact(_rounded(errors.mean()))} on average."
            found.append(Finding(level="warn", text=text, section="predictions"))
    return found
