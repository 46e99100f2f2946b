"""What classifications are looked at with: confusion, classes, ROC and precision-recall, calibration."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from sklearn import metrics as skm

from kpipe.report.blocks import Block, Cell, Column, Finding, Picture, Section, Table, Text, number, share, short
from kpipe.report.drawing import MUTED, SERIES, STYLES, histogram
from kpipe.runs.loaded import LoadedRun, OofPredictions

__all__ = ["chances", "confusion", "findings", "section", "several"]

_MATRIX, _CURVES = 20, 7  # classes that a matrix and a plot of curves can hold and still be read
_BINS = 10
_DRAWN = 300  # points of a curve


def chances(facts: LoadedRun, judged: OofPredictions) -> np.ndarray | None:
    """(n, k) probabilities out-of-fold; None where there are none.

    Where thresholds were fitted, the blend was moved by them: the models' weighted mean is what they were fitted on.
    """
    metric = facts.metric
    if metric is None or judged.labels is None or metric.ordinal:
        return None
    if not metric.thresholds:
        return judged.blend
    weights = {m.name: m.weight for m in facts.models if m.weight and m.name in judged.models}
    parts = [weight * judged.models[name] for name, weight in weights.items()]
    alike = all(part.shape == judged.blend.shape for part in parts)
    return np.sum(parts, axis=0) / sum(weights.values()) if parts and alike else None


def section(facts: LoadedRun, judged: OofPredictions) -> Section:
    """Where the labels are right, and how far the probabilities can be believed."""
    labels = judged.labels
    assert labels is not None
    made = judged.made
    y, predicted = judged.y[made], judged.blend[made].argmax(axis=1)
    counts = skm.confusion_matrix(y, predicted, labels=range(len(labels)))
    blocks: list[Block] = [_matrix(counts, labels)] if len(labels) <= _MATRIX else []
    blocks += [_confusions(counts, labels)] if len(labels) > 2 else []
    likely = chances(facts, judged)
    probable = None if likely is None else likely[made]
    blocks.append(_classes(counts, labels, y, probable))
    if probable is not None and not np.isnan(probable).any():
        blocks += _curves(y, probable, labels)
        blocks.append(_calibration(y, probable, labels))
        if len(labels) == 2:
            blocks.append(_by_truth(y, probable[:, 1], labels))
    elif likely is None:
        blocks.append(
            Text(text="Curves and calibration are left out: this metric is reached by cut points, not chances.")
        )
    right = float((y == predicted).mean())
    lead = f"The likeliest label is right in {share(right)} of {len(y):,} out-of-fold rows."
    return Section(key="predictions", title="Predictions against the truth", lead=lead, blocks=blocks)


def several(judged: OofPredictions) -> Section:
    """Targets of 0 and 1, each looked at by itself."""
    made = judged.made
    y, chance = judged.y[made], judged.blend[made]
    rows, curves = [], {}
    for place, name in enumerate(judged.targets):
        true = y[:, place] == 1
        both = bool(true.any() and not true.all())
        area = float(skm.roc_auc_score(true, chance[:, place])) if both else None
        precise = float(skm.average_precision_score(true, chance[:, place])) if both else None
        rows.append([
            Cell(shown=short(name)),
            number(int(true.sum())),
            Cell(shown=share(float(true.mean())), value=float(true.mean())),
            number(float(chance[:, place].mean()), ".3f"),
            number(area, ".3f"),
            number(precise, ".3f"),
        ])  # fmt: skip
        if both:
            curves[name] = skm.roc_curve(true, chance[:, place])[:2]
    columns = [
        Column(name="target", numeric=False),
        Column(name="rows of 1"),
        Column(name="share"),
        Column(name="mean prediction"),
        Column(name="AUC", why="the chance that a row of 1 is ranked above one of 0"),
        Column(name="average precision"),
    ]
    blocks: list[Block] = [Table(caption="Each target", columns=columns, rows=rows)]
    if 0 < len(curves) <= _CURVES:
        told = "ROC of each target; the areas are in the table."
        axes = ("false positive rate", "true positive rate")
        blocks.append(_lines("roc", curves, axes, alt=told, caption=told, diagonal=True))
    lead = f"{len(judged.targets)} targets, each 0 or 1, in {len(y):,} out-of-fold rows."
    return Section(key="predictions", title="Predictions against the truth", lead=lead, blocks=blocks)


def confusion(judged: OofPredictions, labels: tuple[str, ...]) -> Picture:
    """The confusion matrix as a plot; a page has it as a table."""
    made = judged.made
    y, predicted = judged.y[made], judged.blend[made].argmax(axis=1)
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


def _curves(y: np.ndarray, likely: np.ndarray, labels: tuple[str, ...]) -> list[Block]:
    codes = [1] if len(labels) == 2 else list(range(len(labels)))
    codes = [code for code in codes if 0 < (y == code).sum() < len(y)]
    if not codes or len(codes) > _CURVES:
        return []
    roc = {labels[code]: skm.roc_curve(y == code, likely[:, code])[:2] for code in codes}
    recall = {labels[code]: skm.precision_recall_curve(y == code, likely[:, code])[1::-1] for code in codes}
    told = "; ".join(f"{short(labels[code], 30)} {skm.roc_auc_score(y == code, likely[:, code]):.3f}" for code in codes)
    precise = "; ".join(
        f"{short(labels[code], 30)} {skm.average_precision_score(y == code, likely[:, code]):.3f}" for code in codes
    )
    base = float((y == codes[0]).mean()) if len(codes) == 1 else None
    return [
        _lines(
            "roc",
            roc,
            ("false positive rate", "true positive rate"),
            alt=f"ROC curves. Area under the curve: {told}.",
            caption=f"ROC: how many false alarms each hit costs. Area under the curve: {told}.",
            diagonal=True,
        ),
        _lines(
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


def _lines(
    name: str,
    curves: dict[str, tuple[np.ndarray, np.ndarray]],
    axes: tuple[str, str],
    *,
    alt: str,
    caption: str,
    diagonal: bool,
    base: float | None = None,
) -> Picture:
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


def _binned(y: np.ndarray, likely: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean chance, share that came true and its standard error, in bins of equally many rows."""
    chance = likely[:, 1] if likely.shape[1] == 2 else likely.max(axis=1)
    true = (y == 1 if likely.shape[1] == 2 else likely.argmax(axis=1) == y).astype(float)
    parts = [part for part in np.array_split(np.argsort(chance, kind="stable"), _BINS) if len(part)]
    said = np.array([chance[part].mean() for part in parts])
    came = np.array([true[part].mean() for part in parts])
    sizes = np.array([len(part) for part in parts])
    smoothed = (came * sizes + 2) / (sizes + 4)  # Agresti and Coull 1998: a bin without a miss is not certain
    return said, came, np.sqrt(smoothed * (1 - smoothed) / (sizes + 4))


def _calibration(y: np.ndarray, likely: np.ndarray, labels: tuple[str, ...]) -> Picture:
    said, came, error = _binned(y, likely)

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


def _by_truth(y: np.ndarray, chance: np.ndarray, labels: tuple[str, ...]) -> Picture:
    parts = {short(labels[code], 24): chance[y == code] for code in (0, 1)}
    low, high = float(chance.min()), float(chance.max())
    edges = np.linspace(low, high if high > low else low + 1, 26)

    def paint(ax: Axes) -> None:
        histogram(ax, parts, edges=edges)
        ax.set_xlabel(f"chance of {short(labels[1], 24)}")

    told = "; ".join(f"rows of {name}: median {np.median(v):.2f}" for name, v in parts.items() if len(v))
    return Picture(
        paint=paint,
        name="chances",
        alt=f"Chances of {short(labels[1], 24)} by the true class. {told}.",
        caption="The chances that rows of each class were given: the less they overlap, the better they are told.",
        height=3.2,
    )


def findings(facts: LoadedRun, judged: OofPredictions) -> list[Finding]:
    """Chances that cannot be taken at their word; classes that are never predicted."""
    labels, made, found = judged.labels, judged.made, []
    assert labels is not None
    predicted = judged.blend[made].argmax(axis=1)
    never = [labels[code] for code in range(len(labels)) if not (predicted == code).any()]
    if never and facts.metric is not None and facts.metric.needs == "label":
        text = f"No row was ever given {', '.join(short(label, 30) for label in never[:5])}."
        found.append(Finding(level="warn", text=text, section="predictions"))
    likely = chances(facts, judged)
    if likely is not None and facts.metric is not None and facts.metric.needs == "probability":
        said, came, error = _binned(judged.y[made], likely[made])
        far = np.abs(said - came) / error
        if (far > 4).any():
            worst = int(far.argmax())
            text = (
                f"Where the models say {said[worst]:.2f}, {came[worst]:.2f} came true: the chances cannot be taken at "
                "their word there."
            )
            found.append(Finding(level="warn", text=text, section="predictions"))
    return found
