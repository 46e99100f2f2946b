"""The section "Score": the score beside the baseline and other runs of the same competition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from kpipe.core.formatting import format_score, plain_text
from kpipe.errors import KpipeError
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
    score_cell,
    text_cell,
)
from kpipe.report.colours import ACCENT, INK, MUTED
from kpipe.report.formatting import short
from kpipe.runs.find import read_run
from kpipe.runs.loaded import LoadedRun, other_runs
from kpipe.runs.recorded import as_number
from kpipe.runs.selection_bias import estimate_selection_bias
from kpipe.runs.summary import format_forecast

__all__ = ["section"]

_MAX_RUNS = 12  # other runs in the plot
_FORECAST_COLUMNS = (
    Column(name="cause", numeric=False),
    Column(name="added", meaning="correction of the score"),
    Column(name="standard error", meaning="contribution to the uncertainty of the leaderboard score"),
)
_CAUSES = {
    "shift": "distribution of the test rows",
    "averaging": "test rows are predicted by the mean of the folds' models",
    "choosing": "columns and options were selected on the same rows",
    "train": "sampling of the validation rows",
    "test": "sampling of the test rows",
    "models": "sampling of the training rows",
    "time": "how horizons differ",
}
_Z = 2  # standard errors above the baseline, from which the models count as better


@dataclass(frozen=True)
class _Point:
    """A score in the plot."""

    name: str
    value: float
    low: float
    high: float
    colour: str


def section(run: LoadedRun) -> Section:
    """The section "Score".

    Parameters
    ----------
    run : LoadedRun
        The run.

    Returns
    -------
    Section
    """
    others = other_runs(run)
    points = _points(run, others)
    blocks: list[Block] = [_plot(points, run)] if len(points) > 1 else []
    direction = "higher is better" if run.greater_is_better else "lower is better"
    summary = (
        f"The score is the {run.text('metric', 'name')} ({direction}) of out-of-fold predictions: each row is "
        "predicted by models that were not trained on it. Error bars show 95 % intervals for the "
        "score on new rows of the same kind: two standard errors to each side."
    )
    blocks += [*_forecast(run), _table(run, others)]
    if others:
        blocks += [Text(text=sentence) for sentence in _selection_bias(run)]
    return Section(key="score", title="Score", summary=summary, blocks=blocks, findings=_findings(run))


def _selection_bias(run: LoadedRun) -> list[str]:
    """The selection bias of the best of the runs."""
    try:
        return list(estimate_selection_bias(read_run(run.path)).sentences(run.text("run_id")))
    except KpipeError as error:
        return [plain_text(f"Selection bias unknown: {error}")]


def _forecast(run: LoadedRun) -> list[Block]:
    """What to expect on the leaderboard, and the components of this forecast."""
    if not (expected := format_forecast(run.record)):
        return []
    caption = f"Expected on the leaderboard: {expected}"
    return [Table(caption=caption, columns=_FORECAST_COLUMNS, rows=list(_parts(run)), sortable=False, small=True)]


def _parts(run: LoadedRun) -> Iterator[list[Cell]]:
    """Rows of the table: what is added to the score, and the standard error, of each cause that has either."""
    yield [Cell(text="out-of-fold score"), number_cell(run.number("forecast", "parts", "score"), digits=4), Cell()]
    for name, cause in _CAUSES.items():
        amount = run.number("forecast", "parts", name)
        error = run.number("forecast", "parts", "standard_errors", name)
        if amount or error:
            yield [Cell(text=cause), *(number_cell(number or None, digits=2) for number in (amount, error))]


def _points(run: LoadedRun, others: Sequence[Mapping[str, object]]) -> list[_Point]:
    """The scores of the run, of the latest other runs on the same data, and of the baseline."""
    same_data = [record for record in others if _files(record) == _files(run.record)]
    candidates = [
        ("this run", run.number("score"), run.number("standard_error"), ACCENT),
        *(
            (str(r["run_id"]), as_number(r["score"]), as_number(r.get("standard_error")), MUTED)
            for r in same_data[::-1][:_MAX_RUNS]
        ),
        ("baseline", run.number("baseline"), run.number("baseline_standard_error"), INK),
    ]
    points = [
        _Point(name, value, value - _Z * (error or 0), value + _Z * (error or 0), colour)
        for name, value, error, colour in candidates
        if value is not None
    ]
    return [*points[:1], *_expected(run), *points[1:]]


def _expected(run: LoadedRun) -> list[_Point]:
    """The forecast, if the record has one."""
    value, low, high = (run.number("forecast", name) for name in ("value", "low", "high"))
    return (
        []
        if value is None or low is None or high is None or not low <= value <= high
        else [_Point("expected on test", value, low, high, ACCENT)]
    )


def _plot(points: Sequence[_Point], run: LoadedRun) -> Plot:
    def draw(ax: Axes) -> None:
        for y, point in enumerate(points):
            error = [[point.value - point.low], [point.high - point.value]]
            ax.errorbar([point.value], [y], xerr=error, fmt="o", color=point.colour, capsize=3, markersize=6)
        ax.set_yticks(range(len(points)), [short(point.name, 24) for point in points])
        ax.set_ylim(len(points) - 0.5, -0.5)
        ax.set_xlabel(run.text("metric", "name"))
        ax.grid(visible=False, axis="y")

    scores = "; ".join(
        f"{point.name} {format_score(point.value)} ({format_score(point.low)} to {format_score(point.high)})"
        for point in points
    )
    others = ", other runs on the same data" if len(points) > 2 else ""
    return Plot(
        draw=draw,
        name="scores",
        alt=f"Scores with two standard errors, and the score expected on test with its 95 % interval: {scores}.",
        caption=(
            f"Scores of this run{others} and the baseline, with two standard errors; and the score expected on the "
            "test rows, with its 95 % interval."
        ),
        height=1.1 + 0.3 * len(points),
    )


def _table(run: LoadedRun, others: Sequence[Mapping[str, object]]) -> Table:
    own = {**run.record, "run_id": run.text("run_id") or run.path.name, "score": run.number("score")}
    rows = [_row(run, own, " (this run)"), *(_row(run, record) for record in others[::-1])]
    baseline = score_cell(run.number("baseline"), run.number("baseline_standard_error"))
    rows.append([Cell(text=f"baseline: {run.text('baseline_name')}"), baseline, Cell(), Cell(), number_cell(None)])
    columns = [
        Column(name="run", numeric=False),
        Column(name="score ± standard error"),
        Column(name="models", numeric=False),
        Column(name="data", numeric=False, meaning="whether the run read the same files as this one"),
        Column(name="seconds"),
    ]
    return Table(caption="Runs of this competition in the same folder", columns=columns, rows=rows)


def _row(run: LoadedRun, record: Mapping[str, object], suffix: str = "") -> list[Cell]:
    models = record.get("models")
    names = [short(m.get("name"), 30) for m in models if isinstance(m, dict)] if isinstance(models, list) else []
    return [
        Cell(text=short(record["run_id"]) + suffix),
        score_cell(as_number(record["score"]), as_number(record.get("standard_error"))),
        text_cell(", ".join(names), 400),
        Cell(text="same files" if _files(record) == _files(run.record) else "other files"),
        number_cell(as_number(record.get("seconds")), ",.0f"),
    ]


def _files(record: Mapping[str, object]) -> object:
    data = record.get("data")
    return data.get("files") if isinstance(data, dict) else None


def _findings(run: LoadedRun) -> list[Finding]:
    """Whether the score is significantly better than the baseline's."""
    score, error, baseline = run.number("score"), run.number("standard_error"), run.number("baseline")
    if score is None or baseline is None or not error:
        return []
    gain = score - baseline if run.greater_is_better else baseline - score
    better = gain >= _Z * error
    text = (
        f"The score {format_score(score)} is {'' if better else 'not '}significantly better than the baseline's "
        f"{format_score(baseline)} ({run.text('baseline_name')})."
    )
    return [Finding(level="good" if better else "bad", text=text)]
