"""Beside the score: the submission, the checks, the folds, and what the run was made of."""

from __future__ import annotations

import numpy as np

from kpipe.report.blocks import (
    Block,
    Cell,
    Column,
    Picture,
    Section,
    Table,
    Text,
    compact,
    number,
    share,
    short,
)
from kpipe.report.svg import histogram
from kpipe.runs.loaded import LoadedRun, OofPredictions

__all__ = ["section"]

_SHOWN = 6  # columns of a submission that are drawn


def section(run: LoadedRun, oof: OofPredictions) -> Section:
    """What is predicted for the test rows, beside what train holds and what was predicted for its rows."""
    blocks: list[Block] = []
    if oof.classes is not None and run.metric is not None and run.metric.needs == "label":
        blocks += _labels(run, oof, oof.classes)
    elif run.test is not None:
        blocks += _numbers(run, oof, run.test)
    rows = 0 if run.submission is None else len(run.submission)
    lead = (
        f"submission.csv has {rows:,} rows. Test rows drawn like train's should be predicted to look like train's; "
        "where they do not, test is another kind of data, or something went wrong on the way."
    )
    if not blocks:
        blocks.append(Text(text="The predictions for the test rows are not in the run's folder."))
    return Section(key="submission", title="Submission against train", lead=lead, blocks=blocks)


def _labels(run: LoadedRun, oof: OofPredictions, labels: tuple[str, ...]) -> list[Block]:
    true = np.bincount(oof.y, minlength=len(labels)) / max(len(oof.y), 1)
    made = oof.ensemble[oof.is_predicted].argmax(axis=1)
    shares = np.bincount(made, minlength=len(labels)) / max(len(made), 1)
    if run.test is None:
        return []
    kept = run.test[~np.isnan(run.test).any(axis=1)]
    test = np.bincount(kept.argmax(axis=1), minlength=len(labels)) / max(len(kept), 1)
    rows = [
        [Cell(shown=short(label)), *(Cell(shown=share(p), value=p, bar=round(20 * p) * 5) for p in parts)]
        for label, *parts in zip(labels, true.tolist(), shares.tolist(), test.tolist(), strict=True)
    ]
    columns = [
        Column(name="class", numeric=False),
        Column(name="train", why="the truth"),
        Column(name="out-of-fold", why="predicted for train's rows"),
        Column(name="submission", why="predicted for test's rows"),
    ]
    return [Table(caption="Share of each class", columns=columns, rows=rows)]


def _numbers(run: LoadedRun, oof: OofPredictions, test: np.ndarray) -> list[Block]:
    names = oof.classes or oof.targets
    places = range(len(names)) if len(names) != 2 or oof.classes is None else range(1, 2)
    made = oof.ensemble[oof.is_predicted]
    blocks: list[Block] = []
    rows = []
    for place in places:
        truth = _truth(oof, place)
        validated, sent = made[:, place], test[:, place][~np.isnan(test[:, place])]
        if len(blocks) < _SHOWN and len(sent) and len(validated):
            blocks.append(_drawn(str(names[place]), truth, validated, sent, chance=oof.classes is not None))
        parts = [float(part.mean()) if len(part) else None for part in (truth, validated, sent)]
        rows.append([Cell(shown=short(names[place])), *(number(p and float(f"{p:.5g}")) for p in parts)])
    columns = [
        Column(name="class" if oof.classes else "target", numeric=False),
        Column(name="train", why="the truth; of a class, its share"),
        Column(name="out-of-fold", why="predicted for train's rows"),
        Column(name="submission", why="predicted for test's rows"),
    ]
    return [*blocks, Table(caption="Means", columns=columns, rows=rows)]


def _truth(oof: OofPredictions, place: int) -> np.ndarray:
    if oof.classes is not None:
        return (oof.y == place).astype(float)
    return oof.y[:, place] if oof.y.ndim > 1 else oof.y.astype(float)


def _drawn(name: str, truth: np.ndarray, validated: np.ndarray, sent: np.ndarray, *, chance: bool) -> Picture:
    values = {"submission": sent, "out-of-fold": validated} | ({} if chance else {"train's truth": truth})
    both = np.concatenate(list(values.values()))
    low, high = np.quantile(both, [0.002, 0.998])
    positive = low > 0 and high / low > 50 and not chance
    edges = np.geomspace(low, high, 31) if positive else np.linspace(low, high if high > low else low + 1, 31)

    def paint(ax: object) -> None:
        histogram(ax, values, edges=edges)  # type: ignore[arg-type]  # matplotlib's Axes
        if positive:
            ax.set_xscale("log")  # type: ignore[attr-defined]
        ax.set_xlabel(f"chance of {short(name, 24)}" if chance else short(name, 40))  # type: ignore[attr-defined]

    told = ", ".join(f"{key} {compact(float(f'{np.median(value):.4g}'))}" for key, value in values.items())
    what = "Chances" if chance else "Values"
    return Picture(
        paint=paint,
        name="submission",
        of=name,
        alt=f"{what} of {short(name)}; medians: {told}.",
        caption=f"{what} of {short(name, 40)} predicted for test's rows and for train's. Medians: {told}.",
        height=2.8,
    )
