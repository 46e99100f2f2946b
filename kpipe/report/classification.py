"""What classifications are looked at with: confusion, classes, ROC and precision-recall, calibration."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from sklearn import metrics as skm

from kpipe.report.blocks import Block, Cell, Column, Finding, Picture, Section, Table, Text, number, share, short
from kpipe.report.probabilities import binned, calibration, chances, curves, histogram_by_class
from kpipe.runs.loaded import LoadedRun, OofPredictions

__all__ = ["confusion", "findings", "section"]

_MATRIX = 20  # classes that a matrix can hold and still be read


def section(run: LoadedRun, oof: OofPredictions) -> Section:
    """Where the labels are right, and how far the probabilities can be believed."""
    labels = oof.classes
    assert labels is not None
    made = oof.is_predicted
    y, predicted = oof.y[made], oof.ensemble[made].argmax(axis=1)
    counts = skm.confusion_matrix(y, predicted, labels=range(len(labels)))
    blocks: list[Block] = [_matrix(counts, labels)] if len(labels) <= _MATRIX else []
    blocks += [_confusions(counts, labels)] if len(labels) > 2 else []
    likely = chances(run, oof)
    probable = None if likely is None else likely[made]
    blocks.append(_classes(counts, labels, y, probable))
    if probable is not None and not np.isnan(probable).any():
        blocks += curves(y, probable, labels)
        blocks.append(calibration(y, probable, labels))
        if len(labels) == 2:
            blocks.append(histogram_by_class(y, probable[:, 1], labels))
    elif likely is None:
        blocks.append(
            Text(text="Curves and calibration are left out: this metric is reached by cut points, not chances.")
        )
    right = float((y == predicted).mean())
    lead = f"The likeliest label is right in {share(right)} of {len(y):,} out-of-fold rows."
    return Section(key="predictions", title="Predictions against the truth", lead=lead, blocks=blocks)


def confusion(oof: OofPredictions, labels: tuple[str, ...]) -> Picture:
    """The confusion matrix as a plot; a page has it as a table."""
    made = oof.is_predicted
    y, predicted = oof.y[made], oof.ensemble[made].argmax(axis=1)
    counts = skm.confusion_matrix(y, predicted, labels=range(len(labels)))

    def paint(ax: Axes) -> None:
        shown = skm.ConfusionMatrixDisplay(counts, display_labels=[short(label, 16) for label in labels])
        shown.plot(ax=ax, cmap="Blues", colorbar=False, include_values=len(labels) <= _MATRIX, values_format="d")
        ax.grid(visible=False)

    right = share(float((y == predicted).mean()))
    told = f"Confusion matrix: the likeliest label is right in {right} of {len(y):,} out-of-fold rows."
    return Picture(name="confusion", paint=paint, alt=told, caption=told, height=4.2)


def _matrix(counts: np.ndarray, labels: tuple[str, ...]) -> Table:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = [
        [
            Cell(shown=short(label, 24)),
            *(
                Cell(shown=f"{count:,}", value=float(count), level=round(9 * part))
                for count, part in zip(line, parts, strict=True)
            ),
        ]
        for label, line, parts in zip(labels, counts, shares, strict=True)
    ]
    columns = [Column(name="truth ↓ predicted →", numeric=False), *(Column(name=short(label, 24)) for label in labels)]
    note = "Rows of each true class, by the class that was predicted: the stronger the colour, the greater the share."
    return Table(caption="Confusion matrix", columns=columns, rows=rows, note=note, sortable=False, matrix=True)


def _confusions(counts: np.ndarray, labels: tuple[str, ...]) -> Table:
    wrong = counts * (1 - np.eye(len(labels), dtype=int))
    order = [place for place in np.argsort(-wrong, axis=None, kind="stable")[:10] if wrong.flat[place]]
    rows = []
    for place in order:
        truth, taken = divmod(int(place), len(labels))
        count = int(wrong.flat[place])
        part = count / counts[truth].sum()
        rows.append([
            Cell(shown=short(labels[truth], 40)),
            Cell(shown=short(labels[taken], 40)),
            number(count),
            Cell(shown=share(part), value=part),
        ])  # fmt: skip
    columns = [
        Column(name="truth", numeric=False),
        Column(name="taken for", numeric=False),
        Column(name="rows"),
        Column(name="of that class"),
    ]
    return Table(caption="What is mistaken most often", columns=columns, rows=rows)


def _classes(counts: np.ndarray, labels: tuple[str, ...], y: np.ndarray, likely: np.ndarray | None) -> Table:
    rows = []
    for code, label in enumerate(labels):
        true, said, hit = counts[code].sum(), counts[:, code].sum(), counts[code, code]
        precision, recall = (float(hit / n) if n else float("nan") for n in (said, true))
        row = [
            Cell(shown=short(label)),
            number(int(true)),
            number(int(said)),
            number(precision, ".3f"),
            number(recall, ".3f"),
            number(2 * hit / (true + said) if true + said else float("nan"), ".3f"),
        ]
        if likely is not None:
            own = y == code
            both = own.any() and not own.all() and not np.isnan(likely).any()
            row.append(number(float(skm.roc_auc_score(own, likely[:, code])) if both else None, ".3f"))
        rows.append(row)
    columns = [
        Column(name="class", numeric=False),
        Column(name="rows", why="rows of this class"),
        Column(name="predicted", why="rows that were given this class"),
        Column(name="precision", why="of the rows given this class, the share that is of it"),
        Column(name="recall", why="of the rows of this class, the share that was given it"),
        Column(name="F1", why="the harmonic mean of precision and recall"),
    ]
    if likely is not None:
        columns.append(Column(name="AUC", why="the chance that a row of this class is ranked above one of another"))
    return Table(caption="Each class", columns=columns, rows=rows)


def findings(run: LoadedRun, oof: OofPredictions) -> list[Finding]:
    """Chances that cannot be taken at their word; classes that are never predicted."""
    labels, made, found = oof.classes, oof.is_predicted, []
    assert labels is not None
    predicted = oof.ensemble[made].argmax(axis=1)
    never = [labels[code] for code in range(len(labels)) if not (predicted == code).any()]
    if never and run.metric is not None and run.metric.needs == "label":
        text = f"No row was ever given {', '.join(short(label, 30) for label in never[:5])}."
        found.append(Finding(level="warn", text=text, section="predictions"))
    likely = chances(run, oof)
    if likely is not None and run.metric is not None and run.metric.needs == "probability":
        said, came, error = binned(oof.y[made], likely[made])
        far = np.abs(said - came) / error
        if (far > 4).any():
            worst = int(far.argmax())
            text = (
                f"Where the models say {said[worst]:.2f}, {came[worst]:.2f} came true: the chances cannot be taken at "
                "their word there."
            )
            found.append(Finding(level="warn", text=text, section="predictions"))
    return found
