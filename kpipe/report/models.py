"""The section "Models, fold by fold"."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import chi2

from kpipe.report.blocks import (
    Block,
    Cell,
    Column,
    Finding,
    Picture,
    Section,
    Table,
    bar,
    format_score,
    format_with_error,
    number,
    short,
)
from kpipe.report.svg import GRID, SERIES, STYLES
from kpipe.runs.loaded import LoadedRun, as_number

__all__ = ["findings", "folds_differ", "section"]

_MARKERS = "osD^vPX"
_RARE = 0.01  # folds that chance alone would make so different are worth a look


def section(run: LoadedRun) -> Section:
    """Each model: its score, its weight in the blend, its time; and every fold."""
    longest = max((m.seconds or 0.0 for m in run.models), default=0.0)
    rows = [
        [
            Cell(shown=short(m.name)),
            Cell(shown=format_with_error(m.score, m.standard_error), value=m.score),
            bar(m.weight or 0.0, 1.0, "unknown" if m.weight is None else f"{m.weight:.2f}"),
            bar(m.seconds or 0.0, longest, "unknown" if m.seconds is None else f"{m.seconds:,.1f}"),
            Cell(shown=", ".join(map(str, m.seeds))),
        ]
        for m in run.models
    ]
    own = run.number("score")
    blend = [
        Cell(shown="blend, submitted"),
        Cell(shown=format_with_error(own, run.number("standard_error")), value=own),
    ]
    rows.append([*blend, Cell(), number(run.number("seconds"), ",.1f"), Cell()])
    columns = [
        Column(name="model", numeric=False),
        Column(name="score ± standard error"),
        Column(name="weight", why="share in the blend that was submitted"),
        Column(
            name="seconds", why="fitting and predicting, added up over folds and seeds; of the blend: the whole run"
        ),
        Column(name="seeds", numeric=False),
    ]
    blocks: list[Block] = [Table(caption="Models and their weights in the blend", columns=columns, rows=rows)]
    blocks += _by_fold(run)
    lead = (
        "The blend is a weighted mean of the models. Its score is judged on rows that its weights were not fitted on."
    )
    return Section(key="models", title="Models, fold by fold", lead=lead, blocks=blocks)


def _by_fold(run: LoadedRun) -> list[Block]:
    lines = {m.name: m.fold_scores for m in run.models if m.fold_scores}
    own = tuple(map(as_number, run.items("fold_scores")))
    if own:
        lines = {"blend": own, **lines}
    count = max((len(values) for values in lines.values()), default=0)
    if count < 2 or count > 200:
        return []

    def paint(ax: Axes) -> None:
        for place, (name, values) in enumerate(list(lines.items())[:7]):
            places = np.arange(1, len(values) + 1) + (place - min(len(lines), 7) / 2) * 0.08
            known = np.array([np.nan if value is None else value for value in values], dtype=float)
            ax.plot(places, known, color=SERIES[place], linestyle=STYLES[place], linewidth=0.8, alpha=0.6)
            ax.plot(
                places,
                known,
                linestyle="none",
                marker=_MARKERS[place],
                markersize=7 if place == 0 else 5,
                color=SERIES[place],
                label=short(name, 24),
            )
        if (mean := run.number("score")) is not None:
            ax.axhline(mean, color=GRID, linewidth=1.5)
        if count <= 20:
            ax.set_xticks(range(1, count + 1))
        ax.set_xlabel("fold")
        ax.set_ylabel(short(run.text("metric", "name"), 40))
        ax.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))

    columns = [Column(name="model", numeric=False), *(Column(name=f"fold {k + 1}") for k in range(count))]
    rows = [
        [Cell(shown=short(name)), *(Cell(shown=format_score(value), value=value) for value in values)]
        for name, values in lines.items()
    ]
    picture = Picture(
        paint=paint,
        name="folds",
        alt=f"The score of the blend and of each model in each of {count} folds; the numbers are in the next table.",
        caption="Every fold has other rows: where all models move together, the rows are harder.",
        height=3.2,
    )
    return [picture, Table(caption="Score in each fold", columns=columns, rows=rows)]


def folds_differ(run: LoadedRun) -> tuple[float, float] | None:
    """The worst and the best fold where they differ by more than chance would have it; None where they do not."""
    values = [value for given in run.items("fold_scores") if (value := as_number(given)) is not None]
    error = run.number("standard_error")
    if len(values) < 3 or not error:
        return None
    # A fold has 1/f of the rows, so its score has sqrt(f) times the standard error of all.
    spread = float(np.square(np.array(values) - np.mean(values)).sum() / (error**2 * len(values)))
    if chi2.sf(spread, len(values) - 1) > _RARE:
        return None
    low, high = min(values), max(values)
    return (low, high) if run.greater_is_better else (high, low)


def findings(run: LoadedRun) -> list[Finding]:
    """What the models' scores say, in sentences."""
    found = []
    own = run.number("score")
    scores = {m.name: m.score for m in run.models if m.score is not None}
    if own is not None and len(scores) > 1:
        best = (max if run.greater_is_better else min)(scores, key=lambda name: scores[name])
        if (scores[best] > own) if run.greater_is_better else (scores[best] < own):
            text = (
                f"{short(best)} alone scores {format_score(scores[best])}, the blend {format_score(own)}: "
                "blending did not help."
            )
            found.append(Finding(level="note", text=text, section="models"))
    if (differ := folds_differ(run)) is not None:
        text = (
            f"The folds differ by more than chance: the worst scores {format_score(differ[0])}, the best "
            f"{format_score(differ[1])}. Look for groups or for time in the data that the folds part."
        )
        found.append(Finding(level="warn", text=text, section="models"))
    for name, reason in run.mapping("left_out").items():
        text = f"{short(name)} was left out: {short(reason, 300)}."
        found.append(Finding(level="warn", text=text, section="models"))
    return found
