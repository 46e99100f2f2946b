"""A run as one HTML page, which needs no network and no file beside it."""

from __future__ import annotations

from pathlib import Path

from kpipe.core.formatting import format_score, format_with_error, plain_text
from kpipe.core.metrics import Metric
from kpipe.errors import OutputError
from kpipe.report import (
    checks,
    configuration,
    data,
    folds,
    groups,
    importance,
    learning_curves,
    models,
    permutation,
    predictions,
    score,
    submission,
    worst_rows,
)
from kpipe.report.blocks import Section, Text
from kpipe.report.columns import image_side
from kpipe.report.html import render
from kpipe.report.run_data import RunData, rows_of
from kpipe.runs.loaded import LoadedRun, load_run
from kpipe.runs.oof import OofPredictions
from kpipe.runs.run import Run

__all__ = ["FILE", "sections", "write"]

FILE = "report.html"


def write(
    run: Run, path: Path | None = None, *, data: RunData | None = None, no_data: str = "", budget: float = 20.0
) -> Path:
    """Write the report of a run.

    Parameters
    ----------
    run : the run.
    path : the file; default: ``report.html`` in the run's folder.
    data : the data that the run was made from; without it, the sections about rows and columns are left out.
    no_data : why there is no data, as a sentence for the page.
    budget : seconds to spend on training a model again for the permutation importance; 0 leaves it out.

    Returns
    -------
    The file

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    target = path or run.path / FILE
    own_metric = None if data is None else data.problem.metric
    loaded = load_run(run, metric=own_metric)
    no_data = (data.difference(loaded) if data is not None else "") or no_data
    found = sections(loaded, None if no_data else data, budget=budget)
    page = render(_header(loaded), [*found, _not_shown(loaded, no_data)])
    try:
        target.write_bytes(page.encode("utf-8", "replace"))
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}. Choose another file with --to.") from error
    return target


def sections(run: LoadedRun, run_data: RunData | None, *, budget: float = 0.0) -> list[Section]:
    """The sections of a report, in the order of the page.

    Parameters
    ----------
    run : the run.
    run_data : the data that the run was made from.
    budget : seconds to spend on the permutation importance.

    Returns
    -------
    The sections that apply to the run
    """
    candidates = [
        score.section(run),
        predictions.section(run),
        *_row_sections(run, run_data, budget),
        models.section(run),
        learning_curves.section(run),
        submission.section(run),
        data.section(run_data.train, run_data.test) if run_data is not None else None,
        checks.section(run),
        folds.section(run),
        configuration.section(run),
    ]
    return [section for section in candidates if section is not None]


def _row_sections(run: LoadedRun, run_data: RunData | None, budget: float) -> list[Section]:
    """Permutation importance, scores by group and the largest errors."""
    oof, metric = run.oof, run.metric
    if oof is None or metric is None or not oof.is_predicted.any():
        return []
    if run_data is None:
        return [worst_rows.section(metric, oof, None, ())]
    found = permutation.permutation_importance(run, oof, run_data, seconds=budget)
    by_group = [] if image_side(run_data.train) else [groups.section(metric, oof, rows_of(run_data.train, oof))]
    return [importance.section(run, found), *by_group, _worst_rows(metric, oof, run_data, found)]


def _worst_rows(metric: Metric, oof: OofPredictions, run_data: RunData, found: permutation.Importance | str) -> Section:
    """The largest errors, with the columns that the models see first, the most important ones first of all."""
    frame = run_data.original_rows(oof)
    seen = list(run_data.train.columns) if isinstance(found, str) else [column.column for column in found.columns]
    note = "" if isinstance(found, str) else ", the most important first"
    return worst_rows.section(
        metric, oof, frame, [*seen, *(str(name) for name in frame if name not in seen)], note=note
    )


def _not_shown(run: LoadedRun, no_data: str) -> Section:
    reasons = list(run.missing)
    if no_data:
        reasons.insert(0, f"Data, permutation importance, scores by group and columns of the largest errors: {no_data}")
    blocks = [Text(text=plain_text(reason)) for reason in reasons] or [Text(text="Nothing is missing.")]
    summary = "What this page does not show, and why."
    return Section(key="not-shown", title="Not shown", summary=summary, blocks=blocks, open=False)


def _header(run: LoadedRun) -> dict[str, str]:
    """The texts at the top of the page."""
    value, error = run.number("score"), run.number("standard_error")
    interval = ""
    if value is not None and error is not None:
        interval = f"{format_score(value - 2 * error)} to {format_score(value + 2 * error)}"
    return {
        "slug": run.text("slug"),
        "run_id": run.text("run_id") or run.path.name,
        "metric": run.text("metric", "name", default="unknown metric"),
        "direction": "higher is better" if run.greater_is_better else "lower is better",
        "score": format_score(value),
        "standard_error": format_score(error, value),
        "baseline": format_with_error(run.number("baseline"), run.number("baseline_standard_error")),
        "baseline_name": run.text("baseline_name"),
        "interval": interval,
        "scored_on": f"{_rows(run)}, {run.text('folds', default='unknown')} folds",
    }


def _rows(run: LoadedRun) -> str:
    rows, total = run.number("rows"), run.number("data", "rows", "train")
    if rows is None:
        return "unknown rows"
    return f"{rows:,.0f} rows" if total is None else f"{rows:,.0f} of {total:,.0f} rows"
