"""The section "Submission": predictions for the test rows beside the training data and out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from kpipe.report.blocks import Block, Cell, Column, Plot, Section, Table, Text, number_cell, text_cell
from kpipe.report.figure import draw_histogram
from kpipe.report.formatting import compact, share, short
from kpipe.runs.loaded import LoadedRun
from kpipe.runs.oof import OofPredictions

__all__ = ["section"]

_MAX_PLOTS = 6
_DIGITS = 5


def section(run: LoadedRun) -> Section | None:
    """The section "Submission".

    Parameters
    ----------
    run : LoadedRun
        The run.

    Returns
    -------
    Section or None
        Section, or None where the run's folder has no predictions.
    """
    if run.oof is None:
        return None
    rows = 0 if run.submission is None else len(run.submission)
    summary = (
        f"submission.csv has {rows:,} rows. If the test rows come from the same distribution as the training rows, "
        "their predictions are distributed like the out-of-fold predictions. Large differences indicate a "
        "distribution shift or a mistake."
    )
    blocks = _blocks(run, run.oof) or [Text(text="The run's folder has no predictions for the test rows.")]
    return Section(key="submission", title="Submission", summary=summary, blocks=blocks)


def _blocks(run: LoadedRun, oof: OofPredictions) -> list[Block]:
    if run.test is None:
        return []
    if oof.classes is not None and run.metric is not None and run.metric.needs == "label":
        return [_class_shares(oof, oof.classes, run.test)]
    return _distributions(oof, run.test)


def _class_shares(oof: OofPredictions, classes: Sequence[str], test: np.ndarray) -> Table:
    """The share of each class in the training data, the out-of-fold predictions and the submission."""
    predicted = test[~np.isnan(test).any(axis=1)].argmax(axis=1)
    parts = (oof.y, oof.ensemble[oof.is_predicted].argmax(axis=1), predicted)
    shares = [np.bincount(codes, minlength=len(classes)) / max(len(codes), 1) for codes in parts]
    rows = [
        [text_cell(name), *(Cell(text=share(p), value=p, bar=round(20 * p) * 5) for p in of_class)]
        for name, *of_class in zip(classes, *(part.tolist() for part in shares), strict=True)
    ]
    return Table(caption="Share of each class", columns=_columns("class", "true classes"), rows=rows)


def _columns(first: str, train: str) -> list[Column]:
    return [
        Column(name=first, numeric=False),
        Column(name="train", meaning=train),
        Column(name="out-of-fold", meaning="predictions for the training rows"),
        Column(name="submission", meaning="predictions for the test rows"),
    ]


def _distributions(oof: OofPredictions, test: np.ndarray) -> list[Block]:
    """A histogram of each class or target, and a table of means."""
    names = oof.classes or oof.targets
    binary = oof.classes is not None and len(names) == 2
    predicted = oof.ensemble[oof.is_predicted]
    plots: list[Block] = []
    rows = []
    for k in [1] if binary else range(len(names)):
        true, validation, submitted = _true(oof, k), predicted[:, k], test[:, k][~np.isnan(test[:, k])]
        if len(plots) < _MAX_PLOTS and len(submitted) and len(validation):
            values = {"submission": submitted, "out-of-fold": validation}
            is_probability = oof.classes is not None
            plots.append(_plot(names[k], values if is_probability else values | {"true": true}, is_probability))
        means = [float(part.mean()) if len(part) else None for part in (true, validation, submitted)]
        rows.append([text_cell(names[k]), *(number_cell(mean, digits=_DIGITS) for mean in means)])
    train = "share of the class" if oof.classes else "true values"
    columns = _columns("class" if oof.classes else "target", train)
    return [*plots, Table(caption="Means", columns=columns, rows=rows)]


def _true(oof: OofPredictions, k: int) -> np.ndarray:
    """(n,) float: whether a row belongs to class k, or the true values of target k."""
    if oof.classes is not None:
        return (oof.y == k).astype(float)
    values = oof.y[:, k] if oof.y.ndim > 1 else oof.y.astype(float)
    return values[~np.isnan(values)]  # of several targets some may be missing in a row


def _plot(name: str, values: Mapping[str, np.ndarray], is_probability: bool) -> Plot:
    low, high = np.quantile(np.concatenate(list(values.values())), [0.002, 0.998])
    log = bool(low > 0 and high / low > 50 and not is_probability)
    edges = np.geomspace(low, high, 31) if log else np.linspace(low, high if high > low else low + 1, 31)
    what = f"probability of {short(name, 40)}" if is_probability else short(name, 40)

    def draw(ax: Axes) -> None:
        draw_histogram(ax, values, edges=edges)
        if log:
            ax.set_xscale("log")
        ax.set_xlabel(f"predicted {what}" if is_probability else what)

    medians = ", ".join(f"{key} {compact(float(np.median(part)), 4)}" for key, part in values.items())
    return Plot(
        draw=draw,
        name="submission",
        of=name,
        alt=f"Distribution of predicted {what}; medians: {medians}.",
        caption=f"Predicted {what} for the test rows and the training rows (out-of-fold). Medians: {medians}.",
        height=2.8,
    )
