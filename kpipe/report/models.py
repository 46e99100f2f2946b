"""The section "Models": each model's score, weight and time, and the scores in each fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import chi2

from kpipe.core.formatting import format_score
from kpipe.report import agreement
from kpipe.report.blocks import (
    Block,
    Cell,
    Column,
    Finding,
    Plot,
    Section,
    Table,
    bar_cell,
    number_cell,
    score_cell,
    text_cell,
)
from kpipe.report.colours import ACCENT, MUTED
from kpipe.report.formatting import short
from kpipe.runs.loaded import LoadedRun
from kpipe.runs.recorded import as_number

__all__ = ["section"]

_MAX_LINES, _MAX_FOLDS = 7, 200  # in the plot and the table of folds
_MAX_NUMBERED = 10  # folds that are numbered in the plot
_MAX_BESIDE = 5  # folds whose table stands beside the plot
_BAND = 0.6  # of a model's row, over which its folds are spread
_MAX_SKIPPED = 2  # models that have a finding each
_LONGEST_REASON = 600  # characters
_P_VALUE = 0.01  # of the differences between folds, from which they are a finding

_FoldScores = Mapping[str, Sequence[float | None]]


def section(run: LoadedRun) -> Section:
    """The section "Models".

    Parameters
    ----------
    run : LoadedRun
        The run.

    Returns
    -------
    Section
    """
    scores = _fold_scores(run)
    folds = max((len(values) for values in scores.values()), default=0)
    blocks: list[Block] = [_models_table(run)]
    if 1 < folds <= _MAX_FOLDS:
        blocks += [_folds_plot(run, scores, folds), _folds_table(scores, folds)]
    blocks += agreement.blocks(run)
    if steps := [step for step in run.items("plan") if isinstance(step, Mapping)]:
        blocks.append(_steps_table(steps))
    if skipped := run.mapping("left_out"):
        blocks.append(_skipped_table(skipped))
    summary = (
        "The ensemble is a weighted mean of the models. In each fold, its weights are fitted on the other folds, so "
        "its score is not biased by them."
    )
    return Section(key="models", title="Models", summary=summary, blocks=blocks, findings=_findings(run))


def _models_table(run: LoadedRun) -> Table:
    longest = max((model.seconds or 0.0 for model in run.models), default=0.0)
    rows = [
        [
            text_cell(model.name),
            score_cell(model.score, model.standard_error),
            bar_cell(model.weight, 1.0, ".2f"),
            bar_cell(model.seconds, longest, ",.1f"),
            Cell(text=", ".join(map(str, model.seeds))),
        ]
        for model in run.models
    ]
    ensemble = score_cell(run.number("score"), run.number("standard_error"))
    rows.append([
        Cell(text="ensemble, submitted"), ensemble, Cell(), Cell(), Cell(),
    ])  # fmt: skip
    columns = [
        Column(name="model", numeric=False),
        Column(name="score ± standard error"),
        Column(name="weight", meaning="of the model in the ensemble"),
        Column(
            name="seconds",
            meaning="spent on fitting and predicting, summed over folds and seeds",
        ),
        Column(name="seeds", numeric=False),
    ]
    return Table(caption="Models and their weights in the ensemble", columns=columns, rows=rows)


def _fold_scores(run: LoadedRun) -> _FoldScores:
    """The scores in each fold, of the ensemble first."""
    models = {model.name: model.fold_scores for model in run.models if model.fold_scores}
    ensemble = tuple(map(as_number, run.items("fold_scores")))
    return {"ensemble": ensemble, **models} if ensemble else models


def _folds_plot(run: LoadedRun, scores: _FoldScores, folds: int) -> Plot:
    """A dot for each fold of each model, the folds of a model from top to bottom."""
    shown = list(scores.items())[:_MAX_LINES]
    numbered = folds <= _MAX_NUMBERED

    def draw(ax: Axes) -> None:
        for place, (_, values) in enumerate(shown):
            colour = ACCENT if place == 0 else MUTED
            known = np.array([np.nan if value is None else value for value in values], dtype=float)
            y = place + (np.arange(len(known)) - (len(known) - 1) / 2) * (_BAND / max(len(known) - 1, 1))
            ax.plot(known, y, linestyle="none", marker="o", markersize=5, color=colour)
            for number, (x, height) in enumerate(zip(known, y, strict=True), start=1):
                if numbered and np.isfinite(x):
                    ax.annotate(
                        str(number),
                        (x, height),
                        (6, 0),
                        textcoords="offset points",
                        fontsize=8,
                        color=MUTED,
                        va="center",
                    )
            if np.isfinite(known).any():
                ax.plot([np.nanmean(known)] * 2, [place - 0.42, place + 0.42], color=colour, linewidth=1.5)
        ax.set_yticks(range(len(shown)), [short(name, 24) for name, _ in shown])
        ax.set_ylim(len(shown) - 0.45, -0.55)
        ax.set_xlabel(short(run.text("metric", "name"), 40))
        ax.grid(visible=False, axis="y")

    numbers = " Each dot is labelled with its fold." if numbered else ""
    return Plot(
        draw=draw,
        name="folds",
        alt=f"Scores of the ensemble and of each model in each of {folds} folds; the numbers are in the table.",
        caption=f"Score in each fold; the line is their mean.{numbers} Where all models score worse, the rows of that "
        "fold are harder to predict.",
        height=0.9 + (0.3 + 0.09 * min(folds, _MAX_NUMBERED)) * len(shown),
    )


def _folds_table(scores: _FoldScores, folds: int) -> Table:
    columns = [Column(name="model", numeric=False), *(Column(name=f"fold {k + 1}") for k in range(folds))]
    rows = [
        [text_cell(name), *(Cell(text=format_score(value), value=value) for value in values)]
        for name, values in scores.items()
    ]
    return Table(caption="Score in each fold", columns=columns, rows=rows, small=folds <= _MAX_BESIDE)


def _skipped_table(skipped: Mapping[str, object]) -> Table:
    columns = [Column(name="model", numeric=False), Column(name="reason", numeric=False)]
    rows = [[text_cell(name), text_cell(reason, _LONGEST_REASON)] for name, reason in skipped.items()]
    return Table(caption="Skipped models", columns=columns, rows=rows)


def _steps_table(steps: Sequence[Mapping[str, object]]) -> Table:
    columns = [
        Column(name="step", numeric=False),
        Column(name="gain ± standard error", meaning="by how much the ensemble's mean loss is lower on other rows"),
        Column(name="seconds", meaning="spent on its fits"),
        Column(name="in the submission", numeric=False),
    ]
    rows = [
        [
            text_cell(step.get("step")),
            score_cell(as_number(step.get("gain")), as_number(step.get("standard_error"))),
            number_cell(as_number(step.get("seconds")), ",.1f"),
            Cell(text="yes" if step.get("used") is True else "no"),
        ]
        for step in steps
    ]
    return Table(caption="Gain from each step of the budget", columns=columns, rows=rows)


def _findings(run: LoadedRun) -> list[Finding]:
    skipped = _skipped(run.mapping("left_out"))
    if fallback := run.text("fallback"):
        skipped.insert(0, Finding(level="bad", text=f"No model was trained: {short(fallback, 600)}"))
    return [*_ensemble_is_worse(run), *_folds_differ(run), *skipped]


def _skipped(models: Mapping[str, object]) -> list[Finding]:
    """A finding for each skipped model, or one for many."""
    if len(models) > _MAX_SKIPPED:
        names = short(", ".join(map(str, models)), 300)
        text = f"{len(models)} models were skipped: {names}. The table of skipped models states the reasons."
        return [Finding(level="warn", text=text)]
    return [
        Finding(level="warn", text=f"The model {short(name)} was skipped: {short(reason, 300)}.")
        for name, reason in models.items()
    ]


def _ensemble_is_worse(run: LoadedRun) -> list[Finding]:
    """A finding where a single model scores better than the ensemble."""
    score, scores = run.number("score"), {m.name: m.score for m in run.models if m.score is not None}
    if score is None or len(scores) < 2:
        return []
    best = (max if run.greater_is_better else min)(scores, key=lambda name: scores[name])
    if not (scores[best] > score if run.greater_is_better else scores[best] < score):
        return []
    text = (
        f"The ensemble scores {format_score(score)}, which is worse than its best model, {short(best)} "
        f"({format_score(scores[best])})."
    )
    return [Finding(level="note", text=text)]


def _folds_differ(run: LoadedRun) -> list[Finding]:
    """A finding where the scores of the folds differ by more than chance explains: a chi-squared test."""
    values = [value for given in run.items("fold_scores") if (value := as_number(given)) is not None]
    error = run.number("standard_error")
    if len(values) < 3 or not error:
        return []
    # A fold has 1/f of the rows, so its score has sqrt(f) times the standard error of all.
    statistic = float(np.square(np.array(values) - np.mean(values)).sum() / (error**2 * len(values)))
    if chi2.sf(statistic, len(values) - 1) > _P_VALUE:
        return []
    worst, *_, best = sorted(values, reverse=not run.greater_is_better)
    text = (
        f"The scores of the folds differ by more than chance can explain: the worst is {format_score(worst)}, the best "
        f"{format_score(best)}. Look for groups or a time order in the data."
    )
    return [Finding(level="warn", text=text)]
