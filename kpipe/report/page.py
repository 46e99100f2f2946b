"""A run as one HTML page, which needs no network and no file beside it."""

from __future__ import annotations

from pathlib import Path

from kpipe.core.formatting import format_score, format_with_error, plain_text
from kpipe.core.metrics import Metric
from kpipe.problem.problem import Problem
from kpipe.report import (
    checks,
    configuration,
    data,
    folds,
    groups,
    importance,
    learning_curves,
    models,
    pictures,
    predictions,
    score,
    submission,
    target,
    worst_rows,
)
from kpipe.report.blocks import Block, Section, Text
from kpipe.report.columns import image_side, with_readable_values
from kpipe.report.html import render
from kpipe.report.permutation import Importance, permutation_importance, save_importance
from kpipe.report.run_problem import difference, load_problem, original_rows, rows_of
from kpipe.runs.files import write_file
from kpipe.runs.find import find_run
from kpipe.runs.loaded import LoadedRun, load_run
from kpipe.runs.oof import OofPredictions
from kpipe.runs.run import Run
from kpipe.runs.summary import format_forecast

__all__ = ["ELSEWHERE", "FILE", "report", "sections", "write"]

FILE = "report.html"
ELSEWHERE = "another file with --to FILE"  # what an error advises if a page cannot be written


def report(
    run: Run | str | Path,
    to: str | Path | None = None,
    *,
    data: str | Path | None = None,
    budget: float = 20.0,
    out: str | Path = "submissions",
) -> Path:
    """Write the report of a run as one HTML file, and measure the importance of the columns.

    Parameters
    ----------
    run : Run, str or Path
        A finished run, its folder or its id.
    to : str or Path, optional
        The file; default: ``report.html`` in the run's folder.
    data : str or Path, optional
        A folder or zip of the competition's files; default: where the run read them.
    budget : float, default=20.0
        Seconds to spend on training the models again for the importance of the columns, which ``run.importance`` holds
        afterwards; 0 leaves it out.
    out : str or Path, default="submissions"
        The folder in which ids are looked up.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    KpipeError
        If there is no such run, ``data`` is given and cannot be read, or the file cannot be written.

    Examples
    --------
    >>> import kpipe
    >>> kpipe.report(run, "titanic.html")  # doctest: +SKIP
    """
    found = run if isinstance(run, Run) else find_run(str(run), Path(out))
    return write(found, None if to is None else Path(to), data=None if data is None else str(data), budget=budget)


def write(run: Run, path: Path | None = None, *, data: str | None = None, budget: float = 20.0) -> Path:
    """Write the report of a run as one HTML file.

    Parameters
    ----------
    run : Run
        The run.
    path : Path, optional
        The file; default: ``report.html`` in the run's folder.
    data : str, optional
        A folder or zip of the competition's files; default: where the run read them. If they are gone or have changed,
        the report says so and leaves out the sections that need them.
    budget : float
        Seconds to spend on training models again for the feature importance; 0 leaves it out.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    KpipeError
        If ``data`` is given and cannot be read, or the file cannot be written.
    """
    target = path or run.path / FILE
    problem = load_problem(run, data)
    loaded = load_run(run, metric=None if isinstance(problem, str) else problem.metric)
    if isinstance(problem, Problem) and (changed := difference(problem, loaded)):
        problem = changed
    known = problem if isinstance(problem, Problem) else None
    measured = _measure(loaded, known, budget)
    if isinstance(measured, Importance):
        save_importance(run.path, measured)
    found = sections(loaded, known, importance=measured)
    page = render(_header(loaded), [*found, _not_shown(loaded, problem if isinstance(problem, str) else "")])
    write_file(target, page.encode("utf-8", "replace"), elsewhere=ELSEWHERE)
    return target


def sections(
    run: LoadedRun, problem: Problem | None, *, importance: Importance | str = "it was not measured."
) -> list[Section]:
    """The sections of a report, in the order of the page.

    Parameters
    ----------
    run : LoadedRun
        The run.
    problem : Problem, optional
        Its problem; None leaves out what needs the data.
    importance : Importance or str
        Of the columns, or why it is unknown.

    Returns
    -------
    list of Section
        The sections that apply to the run.
    """
    candidates = [
        score.section(run),
        predictions.section(run),
        *_row_sections(run, problem, importance),
        models.section(run),
        learning_curves.section(run),
        submission.section(run),
        _data(run.oof, problem),
        checks.section(run),
        folds.section(run),
        configuration.section(run),
    ]
    return [section for section in candidates if section is not None]


def _measure(run: LoadedRun, problem: Problem | None, budget: float) -> Importance | str:
    """The feature importance, measured for about so many seconds."""
    if run.oof is None or run.metric is None or problem is None or not run.oof.is_predicted.any():
        return "the run's predictions or its data are missing."
    return permutation_importance(run, run.oof, problem, seconds=budget)


def _row_sections(run: LoadedRun, problem: Problem | None, found: Importance | str) -> list[Section]:
    """Feature importance, the error by segment and the hardest rows."""
    oof, metric = run.oof, run.metric
    if oof is None or metric is None or not oof.is_predicted.any():
        return []
    if problem is None:
        return [worst_rows.section(metric, oof, None, ())]
    by_group = [] if image_side(problem.X) else [_segments(metric, oof, problem)]
    if with_pictures := pictures.sections(metric, oof, problem.X):
        return [*(by_group if pictures.without_pixels(problem.X).shape[1] else ()), *with_pictures]
    return [importance.section(run, found), *by_group, _worst_rows(metric, oof, problem, found)]


def _data(oof: OofPredictions | None, problem: Problem | None) -> Section | None:
    """The target, and the columns that the models see, with readable values."""
    blocks: list[Block] = [] if oof is None else [*target.plots(oof)]
    if problem is None:
        summary = "The target in train. The columns are not shown, because the data cannot be read."
        return Section(key="data", title="Data", summary=summary, blocks=blocks) if blocks else None
    X, X_test = pictures.without_pixels(problem.X), pictures.without_pixels(problem.X_test)
    if oof is not None and X.shape[1] and not image_side(X):
        blocks += target.correlations(rows_of(X, oof), oof)
    if not X.shape[1]:
        return Section(
            key="data", title="Data", summary="The target in train. The models see pictures alone.", blocks=blocks
        )
    files = problem.files
    tables = with_readable_values(X, files.train), with_readable_values(X_test, files.test)
    return data.section(*tables, blocks)


def _segments(metric: Metric, oof: OofPredictions, problem: Problem) -> Section:
    X = pictures.without_pixels(problem.X)
    return groups.section(metric, oof, rows_of(with_readable_values(X, problem.files.train), oof))


def _worst_rows(metric: Metric, oof: OofPredictions, problem: Problem, found: Importance | str) -> Section:
    """The hardest rows, with the columns that the models see first, the most important ones first of all."""
    frame = original_rows(problem, oof)
    seen = problem.columns if isinstance(found, str) else tuple(column.column for column in found.columns)
    note = "" if isinstance(found, str) else ", the most important first"
    others = [str(name) for name in frame if name not in seen]
    return worst_rows.section(metric, oof, frame, [*seen, *others], note=note)


def _not_shown(run: LoadedRun, no_data: str) -> Section:
    reasons = list(run.missing)
    if no_data:
        reasons.insert(0, f"Columns, feature importance, error by segment and columns of the hardest rows: {no_data}")
    blocks = [Text(text=plain_text(reason)) for reason in reasons] or [Text(text="Everything is shown.")]
    summary = "What this page omits, and why."
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
        "name": run.text("name"),
        "note": run.text("note"),
        "metric": run.text("metric", "name", default="unknown metric"),
        "direction": "higher is better" if run.greater_is_better else "lower is better",
        "score": format_score(value),
        "standard_error": format_score(error, value),
        "baseline": format_with_error(run.number("baseline"), run.number("baseline_standard_error")),
        "baseline_name": run.text("baseline_name"),
        "interval": interval,
        "scored_on": f"{_rows(run)}, {run.text('folds', default='unknown')} folds",
        "expected": format_forecast(run.record),
        "checks": checks.summary(run),
    }


def _rows(run: LoadedRun) -> str:
    rows, total = run.number("rows"), run.number("data", "rows", "train")
    if rows is None:
        return "unknown rows"
    return f"{rows:,.0f} rows" if total is None else f"{rows:,.0f} of {total:,.0f} rows"
