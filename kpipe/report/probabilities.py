"""Plots of predicted probabilities: ROC, precision-recall, calibration, histograms."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from sklearn import metrics as skm

from kpipe.report.blocks import Block, Picture, short
from kpipe.report.svg import MUTED, SERIES, STYLES, histogram
from kpipe.runs.loaded import LoadedRun, OofPredictions

__all__ = ["MOST_CURVES", "binned", "calibration", "chances", "curves", "histogram_by_class", "lines"]

MOST_CURVES = 7  # that a plot can hold and still be read
_BINS = 10
_DRAWN = 300  # points of a curve


def chances(run: LoadedRun, oof: OofPredictions) -> np.ndarray | None:
    """(n, k) probabilities out-of-fold; None where there are none.

    Where thresholds were fitted, the blend was moved by them: the models' weighted mean is what they were fitted on.
    """
    metric = run.metric
    if metric is None or oof.classes is None or metric.ordinal:
        return None
    if not metric.thresholds:
        return oof.ensemble
    weights = {m.name: m.weight for m in run.models if m.weight and m.name in oof.models}
    parts = [weight * oof.models[name] for name, weight in weights.items()]
    alike = all(part.shape == oof.ensemble.shape for part in parts)
    return np.sum(parts, axis=0) / sum(weights.values()) if parts and alike else None


def curves(y: np.ndarray, likely: np.ndarray, labels: tuple[str, ...]) -> list[Block]:
    """ROC and precision-recall curves."""
    codes = [1] if len(labels) == 2 else list(range(len(labels)))
    codes = [code for code in codes if 0 < (y == code).sum() < len(y)]
    if not codes or len(codes) > MOST_CURVES:
        return []
    roc = {labels[code]: skm.roc_curve(y == code, likely[:, code])[:2] for code in codes}
    recall = {labels[code]: skm.precision_recall_curve(y == code, likely[:, code])[1::-1] for code in codes}
    told = "; ".join(f"{short(labels[code], 30)} {skm.roc_auc_score(y == code, likely[:, code]):.3f}" for code in codes)
    precise = "; ".join(
        f"{short(labels[code], 30)} {skm.average_precision_score(y == code, likely[:, code]):.3f}" for code in codes
    )
    base = float((y == codes[0]).mean()) if len(codes) == 1 else None
    return [
        lines(
            "roc",
            roc,
            ("false positive rate", "true positive rate"),
            alt=f"ROC curves. Area under the curve: {told}.",
            caption=f"ROC: how many false alarms each hit costs. Area under the curve: {told}.",
            diagonal=True,
        ),
        lines(
            "precision_recall",
            recall,
            ("recall", "precision"),
            alt=f"Precision-recall curves. Average precision: {precise}.",
            caption=f"Precision and recall. Average precision: {precise}"
            + (f"; guessing gives {base:.3f}." if base is not None else "."),
            diagonal=False,
            base=base,
        ),
    ]


def lines(
    name: str,
    curves: dict[str, tuple[np.ndarray, np.ndarray]],
    axes: tuple[str, str],
    *,
    alt: str,
    caption: str,
    diagonal: bool,
    base: float | None = None,
) -> Picture:
    """Curves in the unit square."""

    def paint(ax: Axes) -> None:
        if diagonal:
            ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        if base is not None:
            ax.axhline(base, color=MUTED, linewidth=1, linestyle=":")
        for place, (label, (x, y)) in enumerate(curves.items()):
            kept = np.unique(np.linspace(0, len(x) - 1, _DRAWN).astype(int))
            line = ax.plot(x[kept], y[kept], color=SERIES[place], linewidth=1.8, label=short(label, 24))
            line[0].set_linestyle(STYLES[place])
        ax.set_xlim(-0.01, 1.01)
        ax.set_ylim(-0.01, 1.02)
        ax.set_xlabel(axes[0])
        ax.set_ylabel(axes[1])
        if len(curves) > 1:
            ax.legend()

    return Picture(paint=paint, name=name, alt=alt, caption=caption, height=3.2)


def binned(y: np.ndarray, likely: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean chance, share that came true and its standard error, in bins of equally many rows."""
    chance = likely[:, 1] if likely.shape[1] == 2 else likely.max(axis=1)
    true = (y == 1 if likely.shape[1] == 2 else likely.argmax(axis=1) == y).astype(float)
    parts = [part for part in np.array_split(np.argsort(chance, kind="stable"), _BINS) if len(part)]
    said = np.array([chance[part].mean() for part in parts])
    came = np.array([true[part].mean() for part in parts])
    sizes = np.array([len(part) for part in parts])
    smoothed = (came * sizes + 2) / (sizes + 4)  # Agresti and Coull 1998: a bin without a miss is not certain
    return said, came, np.sqrt(smoothed * (1 - smoothed) / (sizes + 4))


def calibration(y: np.ndarray, likely: np.ndarray, labels: tuple[str, ...]) -> Picture:
    """A calibration plot."""
    said, came, error = binned(y, likely)

    def paint(ax: Axes) -> None:
        ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        ax.errorbar(said, came, yerr=2 * error, fmt="o-", color=SERIES[0], linewidth=1.5, markersize=5, capsize=2)
        ax.set_xlabel("chance predicted")
        ax.set_ylabel("share that came true")
        ax.set_ylim(-0.02, 1.05)

    of = f"that the row is {short(labels[1], 30)}" if len(labels) == 2 else "of the likeliest label"
    off = float(np.abs(said - came).max())
    told = ", ".join(f"{a:.2f} came true {b:.2f}" for a, b in zip(said, came, strict=True))
    return Picture(
        paint=paint,
        name="calibration",
        alt=f"Calibration, chance {of}: {told}.",
        caption=f"Calibration: chances {of} lie on the dotted line where they can be taken at their word. "
        f"The farthest of {len(said)} equal bins is {off:.2f} away. Lines reach two standard errors.",
        height=3.2,
    )


def histogram_by_class(y: np.ndarray, chance: np.ndarray, labels: tuple[str, ...]) -> Picture:
    """Predicted probabilities by true class."""
    parts = {short(labels[code], 24): chance[y == code] for code in (0, 1)}
    low, high = float(chance.min()), float(chance.max())
    edges = np.linspace(low, high if high > low else low + 1, 26)

    def paint(ax: Axes) -> None:
        histogram(ax, parts, edges=edges)
        ax.set_xlabel(f"chance of {short(labels[1], 24)}")

    told = "; ".join(f"rows of {name}: median {np.median(v):.2f}" for name, v in parts.items() if len(v))
    return Picture(
        paint=paint,
        name="probabilities",
        alt=f"Chances of {short(labels[1], 24)} by the true class. {told}.",
        caption="The chances that rows of each class were given: the less they overlap, the better they are told.",
        height=3.2,
    )
