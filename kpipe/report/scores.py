"""The score: against the baseline and other runs, model by model and fold by fold."""

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
    number,
    scored,
    short,
    with_error,
)
from kpipe.report.drawing import ACCENT, GRID, INK, MUTED, SERIES, STYLES
from kpipe.runs.loaded import LoadedRun, as_number, other_runs

__all__ = ["findings", "folds_differ", "models", "score"]

_SHOWN_RUNS = 12
_MARKERS = "osD^vPX"
_RARE = 0.01  # folds that chance alone would make so different are worth a look


def score(facts: LoadedRun) -> Section:
    """The score beside the baseline and what other runs reached."""
    others = other_runs(facts)
    alike = [record for record in others if _files(record) == _files(facts.record)]
    rows = [("this run", facts.number("score"), facts.number("standard_error"), ACCENT)]
    rows += [
        (str(record["run_id"]), record["score"], as_number(record.get("standard_error")), MUTED)
        for record in alike[::-1][:_SHOWN_RUNS]
    ]
    rows.append(("baseline", facts.number("baseline"), facts.number("baseline_standard_error"), INK))
    known = [(name, value, error, colour) for name, value, error, colour in rows if value is not None]
    blocks: list[Block] = []
    if len(known) > 1:
        blocks.append(_dots(known, facts))
    blocks.append(_runs(facts, others))
    direction = "higher is better" if facts.greater else "lower is better"
    lead = (
        "Each row was predicted by models that never saw it, and judged by "
        f"{facts.text('metric', 'name')} ({direction}). The line through a point reaches two standard errors to both "
        "sides: on new rows like these, the score would lie within it about 19 times in 20."
    )
    return Section(key="score", title="Score", lead=lead, blocks=blocks)


def _dots(rows: list[tuple[str, float, float | None, str]], facts: LoadedRun) -> Block:
    def paint(ax: Axes) -> None:
        for place, (_, value, error, colour) in enumerate(rows):
            ax.errorbar([value], [place], xerr=[2 * (error or 0)], fmt="o", color=colour, capsize=3, markersize=6)
        ax.set_yticks(range(len(rows)), [short(name, 24) for name, *_ in rows])
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlabel(facts.text("metric", "name"))
        ax.grid(visible=False, axis="y")

    told = "; ".join(f"{name} {with_error(value, error)}" for name, value, error, _ in rows)
    other = " and other runs on the same data" if len(rows) > 2 else ""
    return Picture(
        paint=paint,
        name="scores",
        alt=f"Scores with two standard errors: {told}.",
        caption=f"This run beside the baseline{other}.",
        height=1.1 + 0.3 * len(rows),
    )


def _runs(facts: LoadedRun, others: list[dict[str, object]]) -> Table:
    own = {**facts.record, "run_id": facts.text("run_id") or facts.path.name, "score": facts.number("score")}
    rows = []
    for record in [own, *others[::-1]]:
        models = record.get("models")
        names = [short(m.get("name"), 30) for m in models if isinstance(m, dict)] if isinstance(models, list) else []
        value, error = as_number(record["score"]), as_number(record.get("standard_error"))
        same = _files(record) == _files(facts.record)
        rows.append([
            Cell(shown=short(record["run_id"]) + (" (this run)" if record is own else "")),
            Cell(shown=with_error(value, error), value=value),
            Cell(shown=", ".join(names)),
            Cell(shown="the same" if same else "other files"),
            number(as_number(record.get("seconds")), ",.0f"),
        ])  # fmt: skip
    base, error = facts.number("baseline"), facts.number("baseline_standard_error")
    told = f"baseline: {facts.text('baseline_name')}"
    rows.append([Cell(shown=told), Cell(shown=with_error(base, error), value=base), Cell(), Cell(), number(None)])
    columns = [
        Column(name="run", numeric=False),
        Column(name="score ± standard error"),
        Column(name="models", numeric=False),
        Column(name="data", numeric=False),
        Column(name="seconds"),
    ]
    return Table(caption="Runs of this competition in the same folder, this one first", columns=columns, rows=rows)


def _files(record: object) -> object:
    data = record.get("data") if isinstance(record, dict) else None
    return data.get("files") if isinstance(data, dict) else None


def models(facts: LoadedRun) -> Section:
    """Each model: its score, its weight in the blend, its time; and every fold."""
    longest = max((m.seconds or 0.0 for m in facts.models), default=0.0)
    rows = [
        [
            Cell(shown=short(m.name)),
            Cell(shown=with_error(m.score, m.standard_error), value=m.score),
            bar(m.weight or 0.0, 1.0, "unknown" if m.weight is None else f"{m.weight:.2f}"),
            bar(m.seconds or 0.0, longest, "unknown" if m.seconds is None else f"{m.seconds:,.1f}"),
            Cell(shown=", ".join(map(str, m.seeds))),
        ]
        for m in facts.models
    ]
    own = facts.number("score")
    blend = [Cell(shown="blend, submitted"), Cell(shown=with_error(own, facts.number("standard_error")), value=own)]
    rows.append([*blend, Cell(), number(facts.number("seconds"), ",.1f"), Cell()])
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
    blocks += _by_fold(facts)
    lead = (
        "The blend is a weighted mean of the models. Its score is judged on rows that its weights were not fitted on."
    )
    return Section(key="models", title="Models, fold by fold", lead=lead, blocks=blocks)


def _by_fold(facts: LoadedRun) -> list[Block]:
    lines = {m.name: m.fold_scores for m in facts.models if m.fold_scores}
    own = tuple(map(as_number, facts.items("fold_scores")))
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
        if (mean := facts.number("score")) is not None:
            ax.axhline(mean, color=GRID, linewidth=1.5)
        if count <= 20:
            ax.set_xticks(range(1, count + 1))
        ax.set_xlabel("fold")
        ax.set_ylabel(short(facts.text("metric", "name"), 40))
        ax.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))

    columns = [Column(name="model", numeric=False), *(Column(name=f"fold {k + 1}") for k in range(count))]
    rows = [
        [Cell(shown=short(name)), *(Cell(shown=scored(value), value=value) for value in values)]
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


def folds_differ(facts: LoadedRun) -> tuple[float, float] | None:
    """The worst and the best fold where they differ by more than chance would have it; None where they do not."""
    values = [value for given in facts.items("fold_scores") if (value := as_number(given)) is not None]
    error = facts.number("standard_error")
    if len(values) < 3 or not error:
        return None
    # A fold has 1/f of the rows, so its score has sqrt(f) times the standard error of all.
    spread = float(np.square(np.array(values) - np.mean(values)).sum() / (error**2 * len(values)))
    if chi2.sf(spread, len(values) - 1) > _RARE:
        return None
    low, high = min(values), max(values)
    return (low, high) if facts.greater else (high, low)


def findings(facts: LoadedRun) -> list[Finding]:
    """What the scores say, in sentences."""
    found = []
    own, error, base = facts.number("score"), facts.number("standard_error"), facts.number("baseline")
    if own is not None and base is not None and error:
        apart = (own - base if facts.greater else base - own) / error
        told = f"{scored(own)} against {scored(base)} of the baseline ({facts.text('baseline_name')})"
        if apart >= 2:
            found.append(Finding(level="good", text=f"The models learned something: {told}.", section="score"))
        else:
            text = f"The score is not clearly better than the baseline's: {told}. Nothing was learned that shows."
            found.append(Finding(level="bad", text=text, section="score"))
    scores = {m.name: m.score for m in facts.models if m.score is not None}
    if own is not None and len(scores) > 1:
        best = (max if facts.greater else min)(scores, key=lambda name: scores[name])
        if (scores[best] > own) if facts.greater else (scores[best] < own):
            text = f"{short(best)} alone scores {scored(scores[best])}, the blend {scored(own)}: blending did not help."
            found.append(Finding(level="note", text=text, section="models"))
    if (differ := folds_differ(facts)) is not None:
        text = (
            f"The folds differ by more than chance: the worst scores {scored(differ[0])}, the best "
            f"{scored(differ[1])}. Look for groups or for time in the data that the folds part."
        )
        found.append(Finding(level="warn", text=text, section="models"))
    for name, reason in facts.mapping("left_out").items():
        text = f"{short(name)} was left out: {short(reason, 300)}."
        found.append(Finding(level="warn", text=text, section="models"))
    return found
