"""The section "Models": each model's score, weight and time, and the scores in each fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import chi2

from kpipe.core.formatting import format_score
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
from kpipe.report.colours import GRID, SERIES, STYLES
from kpipe.report.formatting import short
from kpipe.runs.loaded import LoadedRun, as_number

__all__ = ["section"]

_MARKERS = "osD^vPX"
_MOST_LINES, _MOST_FOLDS = 7, 200  # in the plot and the table of folds
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
    if 1 < folds <= _MOST_FOLDS:
        blocks += [_folds_plot(run, scores, folds), _folds_table(scores, folds)]
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
    shown = list(scores.items())[:_MOST_LINES]

    def draw(ax: Axes) -> None:
        for place, (name, values) in enumerate(shown):
            x = np.arange(1, len(values) + 1) + (place - len(shown) / 2) * 0.08
            y = np.array([np.nan if value is None else value for value in values], dtype=float)
            ax.plot(x, y, color=SERIES[place], linestyle=STYLES[place], linewidth=0.8, alpha=0.6)
            ax.plot(
                x, y, linestyle="none", marker=_MARKERS[place], markersize=7 if place == 0 else 5, color=SERIES[place],
                label=short(name, 24),
            )  # fmt: skip
        if (score := run.number("score")) is not None:
            ax.axhline(score, color=GRID, linewidth=1.5)
        if folds <= 20:
            ax.set_xticks(range(1, folds + 1))
        ax.set_xlabel("fold")
        ax.set_ylabel(short(run.text("metric", "name"), 40))
        ax.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))

    return Plot(
        draw=draw,
        name="folds",
        alt=f"Scores of the ensemble and of each model in each of {folds} folds; the numbers are in the next table.",
        caption="Score in each fold. Where all models score worse, the rows of that fold are harder to predict.",
        height=3.2,
    )


def _folds_table(scores: _FoldScores, folds: int) -> Table:
    columns = [Column(name="model", numeric=False), *(Column(name=f"fold {k + 1}") for k in range(folds))]
    rows = [
        [text_cell(name), *(Cell(text=format_score(value), value=value) for value in values)]
        for name, values in scores.items()
    ]
    return Table(caption="Score in each fold", columns=columns, rows=rows)


def _skipped_table(skipped: Mapping[str, object]) -> Table:
    columns = [Column(name="model", numeric=False), Column(name="reason", numeric=False)]
    rows = [[text_cell(name), text_cell(reason, _LONGEST_REASON)] for name, reason in skipped.items()]
    return Table(caption="Models left out", columns=columns, rows=rows)


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
    return Table(caption="What each step of the budget has brought", columns=columns, rows=rows)


def _findings(run: LoadedRun) -> list[Finding]:
    skipped = [
        Finding(level="warn", text=f"The model {short(name)} was skipped: {short(reason, 300)}.")
        for name, reason in run.mapping("left_out").items()
    ]
    if fallback := run.text("fallback"):
        skipped.insert(0, Finding(level="bad", text=f"No model was trained: {short(fallback, 600)}"))
    return [*_ensemble_is_worse(run), *_folds_differ(run), *skipped]


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
        f"The scores of the folds differ by more than chance explains: the worst is {format_score(worst)}, the best "
        f"{format_score(best)}. Look for groups or a time order in the data that the folds separate."
    )
    return [Finding(level="warn", text=text)]
