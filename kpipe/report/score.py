"""The score: against the baseline and other runs, model by model and fold by fold."""

from __future__ import annotations

from matplotlib.axes import Axes

from kpipe.report.blocks import (
    Block,
    Cell,
    Column,
    Finding,
    Picture,
    Section,
    Table,
    format_score,
    format_with_error,
    number,
    short,
)
from kpipe.report.svg import ACCENT, INK, MUTED
from kpipe.runs.loaded import LoadedRun, as_number, other_runs

__all__ = ["findings", "section"]

_SHOWN_RUNS = 12


def section(run: LoadedRun) -> Section:
    """The score beside the baseline and what other runs reached."""
    others = other_runs(run)
    alike = [record for record in others if _files(record) == _files(run.record)]
    rows = [("this run", run.number("score"), run.number("standard_error"), ACCENT)]
    rows += [
        (str(record["run_id"]), record["score"], as_number(record.get("standard_error")), MUTED)
        for record in alike[::-1][:_SHOWN_RUNS]
    ]
    rows.append(("baseline", run.number("baseline"), run.number("baseline_standard_error"), INK))
    known = [(name, value, error, colour) for name, value, error, colour in rows if value is not None]
    blocks: list[Block] = []
    if len(known) > 1:
        blocks.append(_dots(known, run))
    blocks.append(_runs(run, others))
    direction = "higher is better" if run.greater_is_better else "lower is better"
    lead = (
        "Each row was predicted by models that never saw it, and judged by "
        f"{run.text('metric', 'name')} ({direction}). The line through a point reaches two standard errors to both "
        "sides: on new rows like these, the score would lie within it about 19 times in 20."
    )
    return Section(key="score", title="Score", lead=lead, blocks=blocks)


def _dots(rows: list[tuple[str, float, float | None, str]], run: LoadedRun) -> Block:
    def paint(ax: Axes) -> None:
        for place, (_, value, error, colour) in enumerate(rows):
            ax.errorbar([value], [place], xerr=[2 * (error or 0)], fmt="o", color=colour, capsize=3, markersize=6)
        ax.set_yticks(range(len(rows)), [short(name, 24) for name, *_ in rows])
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlabel(run.text("metric", "name"))
        ax.grid(visible=False, axis="y")

    told = "; ".join(f"{name} {format_with_error(value, error)}" for name, value, error, _ in rows)
    other = " and other runs on the same data" if len(rows) > 2 else ""
    return Picture(
        paint=paint,
        name="scores",
        alt=f"Scores with two standard errors: {told}.",
        caption=f"This run beside the baseline{other}.",
        height=1.1 + 0.3 * len(rows),
    )


def _runs(run: LoadedRun, others: list[dict[str, object]]) -> Table:
    own = {**run.record, "run_id": run.text("run_id") or run.path.name, "score": run.number("score")}
    rows = []
    for record in [own, *others[::-1]]:
        models = record.get("models")
        names = [short(m.get("name"), 30) for m in models if isinstance(m, dict)] if isinstance(models, list) else []
        value, error = as_number(record["score"]), as_number(record.get("standard_error"))
        same = _files(record) == _files(run.record)
        rows.append([
            Cell(shown=short(record["run_id"]) + (" (this run)" if record is own else "")),
            Cell(shown=format_with_error(value, error), value=value),
            Cell(shown=", ".join(names)),
            Cell(shown="the same" if same else "other files"),
            number(as_number(record.get("seconds")), ",.0f"),
        ])  # fmt: skip
    base, error = run.number("baseline"), run.number("baseline_standard_error")
    told = f"baseline: {run.text('baseline_name')}"
    rows.append(
        [Cell(shown=told), Cell(shown=format_with_error(base, error), value=base), Cell(), Cell(), number(None)]
    )
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


def findings(run: LoadedRun) -> list[Finding]:
    """What the scores say, in sentences."""
    found = []
    own, error, base = run.number("score"), run.number("standard_error"), run.number("baseline")
    if own is not None and base is not None and error:
        apart = (own - base if run.greater_is_better else base - own) / error
        told = f"{format_score(own)} against {format_score(base)} of the baseline ({run.text('baseline_name')})"
        if apart >= 2:
            found.append(Finding(level="good", text=f"The models learned something: {told}.", section="score"))
        else:
            text = f"The score is not clearly better than the baseline's: {told}. Nothing was learned that shows."
            found.append(Finding(level="bad", text=text, section="score"))
    return found
