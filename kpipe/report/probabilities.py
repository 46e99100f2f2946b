"""Plots of predicted probabilities: ROC and precision-recall curves, calibration, and histograms by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from sklearn import metrics as skm

from kpipe.core.metrics import Metric
from kpipe.report.blocks import Block, Plot
from kpipe.report.colours import MUTED, SERIES, STYLES
from kpipe.report.figure import draw_histogram
from kpipe.report.formatting import short
from kpipe.runs.loaded import LoadedRun
from kpipe.runs.oof import OofPredictions

__all__ = ["MOST_CURVES", "Calibration", "auc", "calibration", "of", "plots", "roc_plot"]

MOST_CURVES = 7  # in one plot
_BINS = 10
_POINTS = 300  # of a curve that are drawn
_THRESHOLDS = 99


@dataclass(frozen=True)
class Calibration:
    """Predicted and observed probabilities in bins of equally many rows.

    Parameters
    ----------
    predicted : ndarray
        (bins,) mean predicted probability.
    observed : ndarray
        (bins,) share of the rows for which the prediction came true.
    standard_error : ndarray
        (bins,) of ``observed``.
    """

    predicted: np.ndarray
    observed: np.ndarray
    standard_error: np.ndarray


def of(run: LoadedRun, metric: Metric, oof: OofPredictions) -> np.ndarray | None:
    """The predicted probabilities of a classification.

    Where thresholds were fitted, the ensemble's predictions are shifted by them; the weighted mean of the models is
    what the thresholds were fitted on.

    Parameters
    ----------
    run : LoadedRun
        The run.
    metric : Metric
        Its metric.
    oof : OofPredictions
        Its out-of-fold predictions.

    Returns
    -------
    ndarray or None
        (n, k) float array, or None where the models do not predict probabilities.
    """
    if metric.ordinal:
        return None
    if not metric.thresholds:
        return oof.ensemble
    weights = {m.name: m.weight for m in run.models if m.weight and m.name in oof.models}
    parts = [weight * oof.models[name] for name, weight in weights.items()]
    same_shape = all(part.shape == oof.ensemble.shape for part in parts)
    return np.sum(parts, axis=0) / sum(weights.values()) if parts and same_shape else None


def auc(is_positive: np.ndarray, proba: np.ndarray) -> float | None:
    """The area under the ROC curve.

    Parameters
    ----------
    is_positive : ndarray
        (n,) bool, whether the row belongs to the class.
    proba : ndarray
        (n,) predicted probability of the class.

    Returns
    -------
    float or None
        The area, or None where all rows belong to one class or a probability is missing.
    """
    if is_positive.all() or not is_positive.any() or np.isnan(proba).any():
        return None
    return float(skm.roc_auc_score(is_positive, proba))


def plots(y: np.ndarray, proba: np.ndarray, classes: Sequence[str]) -> list[Block]:
    """The plots of predicted probabilities.

    Parameters
    ----------
    y : ndarray
        (n,) codes of the true classes.
    proba : ndarray
        (n, k) predicted probabilities.
    classes : sequence of str
        The k names.

    Returns
    -------
    list of Block
        ROC and precision-recall curves where there are few classes, calibration, and for two classes a
        histogram, and precision, recall and F1 by threshold.
    """
    of_two: list[Block] = []
    if len(classes) == 2:
        of_two = [_histogram_plot(y, proba[:, 1], classes), _threshold_plot(y == 1, proba[:, 1], classes[1])]
    return [*_curves(y, proba, classes), _calibration_plot(y, proba, classes), *of_two]


def _curves(y: np.ndarray, proba: np.ndarray, classes: Sequence[str]) -> list[Plot]:
    """ROC and precision-recall curves; of two classes those of the second one."""
    codes = [1] if len(classes) == 2 else range(len(classes))
    shown = [code for code in codes if 0 < (y == code).sum() < len(y)]
    if not shown or len(shown) > MOST_CURVES:
        return []
    names = {code: short(classes[code], 30) for code in shown}
    areas = ", ".join(
        f"AUC (class {name}): {skm.roc_auc_score(y == code, proba[:, code]):.3f}" for code, name in names.items()
    )
    roc = {name: skm.roc_curve(y == code, proba[:, code])[:2] for code, name in names.items()}
    return [
        roc_plot(roc, f"ROC curve{'s' * (len(roc) > 1)}. {areas}."),
        _pr_plot(y, proba, names),
    ]


def _pr_plot(y: np.ndarray, proba: np.ndarray, names: Mapping[int, str]) -> Plot:
    curves = {name: skm.precision_recall_curve(y == code, proba[:, code])[1::-1] for code, name in names.items()}
    precision = ", ".join(
        f"Average precision (class {name}): {skm.average_precision_score(y == code, proba[:, code]):.3f}"
        for code, name in names.items()
    )
    chance = float((y == next(iter(names))).mean()) if len(names) == 1 else None
    baseline = "." if chance is None else f"; that of a random classifier is {chance:.3f}."

    def draw(ax: Axes) -> None:
        if chance is not None:
            ax.axhline(chance, color=MUTED, linewidth=1, linestyle=":")
        _draw_curves(ax, curves, ("recall", "precision"))

    text = f"Precision-recall curve{'s' * (len(names) > 1)}. {precision}"
    return Plot(draw=draw, name="precision_recall", alt=f"{text}.", caption=f"{text}{baseline}", height=3.2)


def roc_plot(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], caption: str) -> Plot:
    """A plot of ROC curves.

    Parameters
    ----------
    curves : mapping of str to (ndarray, ndarray)
        Name to (false positive rates, true positive rates).
    caption : str
        The text below the plot.

    Returns
    -------
    Plot
    """

    def draw(ax: Axes) -> None:
        ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        _draw_curves(ax, curves, ("false positive rate", "true positive rate"))

    return Plot(draw=draw, name="roc", alt=caption, caption=caption, height=3.2)


def _draw_curves(ax: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]], labels: tuple[str, str]) -> None:
    for place, (name, (x, y)) in enumerate(curves.items()):
        kept = np.unique(np.linspace(0, len(x) - 1, _POINTS).astype(int))
        (line,) = ax.plot(x[kept], y[kept], color=SERIES[place], linewidth=1.8, label=short(name, 24))
        line.set_linestyle(STYLES[place])
    ax.set_xlim(-0.01, 1.01)
    ax.set_ylim(-0.01, 1.02)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    if len(curves) > 1:
        ax.legend()


def calibration(y: np.ndarray, proba: np.ndarray) -> Calibration:
    """Predicted against observed probabilities in ten bins of equally many rows.

    Of two classes, the probabilities are those of the second one; of more, those of the predicted class.

    Parameters
    ----------
    y : ndarray
        (n,) codes of the true classes.
    proba : ndarray
        (n, k) predicted probabilities.

    Returns
    -------
    Calibration

    References
    ----------
    Agresti and Coull, "Approximate is better than 'exact' for interval estimation of binomial proportions", 1998: the
    standard errors, which are above 0 where all predictions of a bin came true.
    """
    binary = proba.shape[1] == 2
    p = proba[:, 1] if binary else proba.max(axis=1)
    came_true = (y == 1 if binary else proba.argmax(axis=1) == y).astype(float)
    bins = [rows for rows in np.array_split(np.argsort(p, kind="stable"), _BINS) if len(rows)]
    observed = np.array([came_true[rows].mean() for rows in bins])
    sizes = np.array([len(rows) for rows in bins])
    smoothed = (observed * sizes + 2) / (sizes + 4)
    error = np.sqrt(smoothed * (1 - smoothed) / (sizes + 4))
    return Calibration(np.array([p[rows].mean() for rows in bins]), observed, error)


def _calibration_plot(y: np.ndarray, proba: np.ndarray, classes: Sequence[str]) -> Plot:
    bins = calibration(y, proba)

    def draw(ax: Axes) -> None:
        ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        ax.errorbar(
            bins.predicted, bins.observed, yerr=2 * bins.standard_error, fmt="o-", color=SERIES[0], linewidth=1.5,
            markersize=5, capsize=2,
        )  # fmt: skip
        ax.set_xlabel("mean predicted probability")
        ax.set_ylabel("observed frequency")
        ax.set_ylim(-0.02, 1.05)

    name = f"of {short(classes[1], 30)}" if len(classes) == 2 else "of the predicted class"
    furthest = float(np.abs(bins.predicted - bins.observed).max())
    pairs = ", ".join(f"{p:.2f} and {q:.2f}" for p, q in zip(bins.predicted, bins.observed, strict=True))
    return Plot(
        draw=draw,
        name="calibration",
        alt=f"Calibration of the probability {name}: predicted and observed {pairs}.",
        caption=f"Calibration of the probability {name}, in {len(bins.predicted)} bins of equally many rows, with two "
        f"standard errors. A calibrated model lies on the dotted line; the largest distance is {furthest:.2f}.",
        height=3.2,
    )


def _histogram_plot(y: np.ndarray, p: np.ndarray, classes: Sequence[str]) -> Plot:
    """Predicted probabilities of the second of two classes, by true class."""
    by_class = {short(classes[code], 24): p[y == code] for code in (0, 1)}
    low, high = float(p.min()), float(p.max())
    edges = np.linspace(low, high if high > low else low + 1, 26)
    name = short(classes[1], 24)

    def draw(ax: Axes) -> None:
        draw_histogram(ax, by_class, edges=edges)
        ax.set_xlabel(f"predicted probability of {name}")

    medians = "; ".join(f"true class {key}: median {np.median(v):.2f}" for key, v in by_class.items() if len(v))
    return Plot(
        draw=draw,
        name="probabilities",
        alt=f"Predicted probability of {name} by true class. {medians}.",
        caption=f"Predicted probability of {name} by true class. The less the classes overlap, the better the models "
        "separate them.",
        height=3.2,
    )


def _threshold_plot(is_positive: np.ndarray, p: np.ndarray, name: str) -> Plot:
    """Precision, recall, F1 and accuracy of two classes, by the probability from which the second one is predicted."""
    low, high = float(p.min()), float(p.max())
    thresholds = np.linspace(low, high if high > low else low + 1, _THRESHOLDS + 2)[1:-1]
    order = np.sort(p), np.sort(p[is_positive])
    predicted = len(p) - np.searchsorted(order[0], thresholds)
    hits = is_positive.sum() - np.searchsorted(order[1], thresholds)
    positives = max(int(is_positive.sum()), 1)
    accuracy = (2 * hits - predicted + len(p) - is_positive.sum()) / len(p)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = hits / predicted
    curves = {"precision": precision, "recall": hits / positives, "F1": 2 * hits / (predicted + positives),
              "accuracy": accuracy}  # fmt: skip
    best = {key: float(thresholds[int(np.nanargmax(curves[key]))]) for key in ("F1", "accuracy")}

    def draw(ax: Axes) -> None:
        for place, (key, values) in enumerate(curves.items()):
            (line,) = ax.plot(thresholds, values, color=SERIES[place], linewidth=1.8, label=key)
            line.set_linestyle(STYLES[place])
        ax.set_ylim(-0.02, 1.02)
        ax.set_xlabel(f"probability of {short(name, 24)}, from which it is predicted")
        ax.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1))

    peaks = ", ".join(f"{key} {np.nanmax(curves[key]):.3f} at {at:.2f}" for key, at in best.items())
    text = f"Precision, recall, F1 and accuracy by threshold. The best: {peaks}."
    caption = f"{text} A threshold chosen here is too optimistic, because it was chosen on the same rows."
    return Plot(draw=draw, name="thresholds", alt=text, caption=caption, height=3.2)
