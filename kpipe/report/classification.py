"""The section "Out-of-fold predictions" of a classification: confusion, metrics of each class, probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from sklearn import metrics as skm

from kpipe.core.metrics import Metric
from kpipe.report import probabilities
from kpipe.report.blocks import (
    Block,
    Cell,
    Column,
    Finding,
    Plot,
    Section,
    Table,
    Text,
    number_cell,
    share_cell,
    text_cell,
)
from kpipe.report.formatting import share, short
from kpipe.runs.loaded import LoadedRun
from kpipe.runs.oof import OofPredictions

__all__ = ["section"]

_MAX_CLASSES = 20  # in a confusion matrix
_FEW_CLASSES = 3  # whose matrix stands beside a plot
_MAX_CONFUSIONS = 10
_SIGNIFICANT = 4.0  # standard errors between predicted and observed probability, from which they are a finding


def section(run: LoadedRun, metric: Metric, oof: OofPredictions, classes: Sequence[str]) -> Section:
    """The section "Out-of-fold predictions" of a classification.

    Parameters
    ----------
    run : LoadedRun
        The run.
    metric : Metric
        Its metric.
    oof : OofPredictions
        Its out-of-fold predictions.
    classes : sequence of str
        The names of the classes, in the order of the columns of ``oof``.

    Returns
    -------
    Section
    """
    rows = oof.is_predicted
    y, predicted = oof.y[rows], oof.ensemble[rows].argmax(axis=1)
    proba = probabilities.of(run, metric, oof)
    proba = None if proba is None else proba[rows]
    counts = skm.confusion_matrix(y, predicted, labels=range(len(classes)))
    correct = share(float((y == predicted).mean()))
    summary = f"The class with the highest probability is correct for {correct} of {len(y):,} out-of-fold rows."
    blocks: list[Block] = [_class_metrics(counts, classes, y, proba), _confusion_plot(counts, classes, correct)]
    blocks += [_confusion_matrix(counts, classes)] if len(classes) <= _MAX_CLASSES else []
    blocks += [_confusions(counts, classes)] if len(classes) > 2 else []
    blocks += _probability_blocks(y, proba, classes)
    return Section(
        key="predictions",
        title="Out-of-fold predictions",
        summary=summary,
        blocks=blocks,
        findings=[*_never_predicted(metric, predicted, classes), *_badly_calibrated(metric, y, proba)],
    )


def _probability_blocks(y: np.ndarray, proba: np.ndarray | None, classes: Sequence[str]) -> list[Block]:
    if proba is None:
        text = "ROC, precision-recall and calibration curves are not shown: the predictions are not probabilities."
        return [Text(text=text)]
    return [] if np.isnan(proba).any() else probabilities.plots(y, proba, classes)


def _confusion_plot(counts: np.ndarray, classes: Sequence[str], correct: str) -> Plot:
    def draw(ax: Axes) -> None:
        display = skm.ConfusionMatrixDisplay(counts, display_labels=[short(name, 16) for name in classes])
        display.plot(
            ax=ax, cmap="Blues", colorbar=False, include_values=len(classes) <= _MAX_CLASSES, values_format="d"
        )
        ax.grid(visible=False)

    text = f"Confusion matrix: {correct} of {counts.sum():,} out-of-fold rows are classified correctly."
    return Plot(name="confusion", draw=draw, alt=text, caption=text, height=4.2, on_page=False)


def _confusion_matrix(counts: np.ndarray, classes: Sequence[str]) -> Table:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = [
        [
            text_cell(name, 24),
            *(
                Cell(text=f"{count:,}", value=float(count), shade=round(9 * part))
                for count, part in zip(of_class, parts, strict=True)
            ),
        ]
        for name, of_class, parts in zip(classes, counts, shares, strict=True)
    ]
    columns = [Column(name="true ↓ predicted →", numeric=False), *(Column(name=short(name, 24)) for name in classes)]
    note = "Number of rows by true and predicted class; the colour shows the share of the true class."
    return Table(
        caption="Confusion matrix",
        columns=columns,
        rows=rows,
        note=note,
        sortable=False,
        matrix=True,
        small=len(classes) <= _FEW_CLASSES,
    )


def _confusions(counts: np.ndarray, classes: Sequence[str]) -> Table:
    wrong = counts * (1 - np.eye(len(classes), dtype=int))
    rows = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:_MAX_CONFUSIONS]:
        true, predicted = divmod(int(place), len(classes))
        count = int(wrong[true, predicted])
        if count:
            part = share_cell(float(count / counts[true].sum()))
            rows.append([text_cell(classes[true], 40), text_cell(classes[predicted], 40), number_cell(count), part])
    columns = [
        Column(name="true class", numeric=False),
        Column(name="predicted class", numeric=False),
        Column(name="rows"),
        Column(name="share of true class"),
    ]
    return Table(caption="Most frequent confusions", columns=columns, rows=rows, small=True)


def _class_metrics(counts: np.ndarray, classes: Sequence[str], y: np.ndarray, proba: np.ndarray | None) -> Table:
    rows = []
    for code, name in enumerate(classes):
        true, predicted, hits = counts[code].sum(), counts[:, code].sum(), counts[code, code]
        row = [
            text_cell(name),
            number_cell(int(true)),
            number_cell(int(predicted)),
            number_cell(hits / predicted if predicted else None, ".3f"),
            number_cell(hits / true if true else None, ".3f"),
            number_cell(2 * hits / (true + predicted) if true + predicted else None, ".3f"),
        ]
        if proba is not None:
            row.append(number_cell(probabilities.auc(y == code, proba[:, code]), ".3f"))
        rows.append(row)
    columns = [
        Column(name="class", numeric=False),
        Column(name="rows", meaning="number of rows of the class"),
        Column(name="predicted", meaning="number of rows for which the class was predicted"),
        Column(name="precision", meaning="share of the predicted rows that belong to the class"),
        Column(name="recall", meaning="share of the rows of the class for which it was predicted"),
        Column(name="F1", meaning="harmonic mean of precision and recall"),
    ]
    if proba is not None:
        columns.append(Column(name="AUC", meaning="area under the ROC curve of the class against all others"))
    return Table(caption="Metrics of each class", columns=columns, rows=rows)


def _never_predicted(metric: Metric, predicted: np.ndarray, classes: Sequence[str]) -> list[Finding]:
    missing = [name for code, name in enumerate(classes) if not (predicted == code).any()]
    if not missing or metric.needs != "label":
        return []
    names = ", ".join(short(name, 30) for name in missing[:5])
    return [Finding(level="warn", text=f"Never predicted for any row: {names}.")]


def _badly_calibrated(metric: Metric, y: np.ndarray, proba: np.ndarray | None) -> list[Finding]:
    if proba is None or metric.needs != "probability":
        return []
    bins = probabilities.calibration(y, proba)
    distance = np.abs(bins.predicted - bins.observed) / bins.standard_error
    worst = int(distance.argmax())
    if not distance[worst] > _SIGNIFICANT:
        return []
    text = (
        f"The probabilities are not well calibrated: where the mean prediction is {bins.predicted[worst]:.2f}, the "
        f"observed frequency is {bins.observed[worst]:.2f}."
    )
    return [Finding(level="warn", text=text)]
