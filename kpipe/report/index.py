"""All runs of a workspace on one HTML page, which needs no server: ``submissions/index.html``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from kpipe.core.formatting import format_score, format_with_error, plain_text
from kpipe.errors import KpipeError, UsageError
from kpipe.report.formatting import short
from kpipe.report.html import render_index
from kpipe.report.page import ELSEWHERE, FILE
from kpipe.report.timeline import Point, timeline
from kpipe.runs.comparable import RunGroup, group_runs
from kpipe.runs.files import write_file
from kpipe.runs.find import find_runs
from kpipe.runs.ledger import Entry, read_ledger
from kpipe.runs.recorded import as_number
from kpipe.runs.run import Run
from kpipe.runs.selection_bias import SelectionBias, estimate_selection_bias
from kpipe.runs.summary import format_forecast

__all__ = ["INDEX", "Group", "Row", "write_index"]

INDEX = "index.html"
_SHORT = 6  # last characters of a run's id, which most commands take for the whole
_PARTS = ("public", "private")
_LONGEST = 400  # characters of a text in the details of a run


@dataclass(frozen=True, kw_only=True)
class Row:
    """A run on the page. Texts are not escaped: the template does it.

    Attributes
    ----------
    run_id, short_id, name, note, href : str
        ``href`` leads to the run's report, "" where it has none.
    created : str
        Day and minute, in UTC.
    score, error : float or None
    scored, forecast, public, private : str
        Scores as text; "" where unknown.
    public_score : float or None
    models : sequence of (str, float)
        Models with their weights in the ensemble, the greatest first.
    seconds : float or None
    checks : mapping of str to list of str
        "fail" and "warn" to the names of checks.
    is_sample, is_best : bool
    details : sequence of (str, str)
        What else differs between runs: its name and its value.
    """

    run_id: str
    short_id: str
    name: str
    note: str
    href: str
    created: str
    score: float | None
    error: float | None
    scored: str
    forecast: str
    expected: float | None
    public: str
    private: str
    public_score: float | None
    private_score: float | None
    models: Sequence[tuple[str, float]]
    seconds: float | None
    checks: Mapping[str, Sequence[str]]
    is_sample: bool
    is_best: bool = False
    details: Sequence[tuple[str, str]] = field(default_factory=tuple)

    @property
    def is_suspect(self) -> bool:
        """Whether the run is no candidate for submission: a check failed, or the data was the sample."""
        return self.is_sample or "fail" in self.checks


@dataclass(frozen=True, kw_only=True)
class Group:
    """Comparable runs, see ``kpipe.runs.comparable``.

    Attributes
    ----------
    slug, metric, direction : str
    apart : str
        Which files, target and vault distinguish them; "" if all runs of the competition by this metric are comparable.
    greater_is_better : bool
    rows : sequence of Row
        Newest first.
    sentences : sequence of str
        Which run is the best, and its score corrected for selection bias.
    chart : Markup
        Scores in the order of time; empty where fewer than two runs have one.
    """

    slug: str
    metric: str
    direction: str
    apart: str
    greater_is_better: bool
    rows: Sequence[Row]
    sentences: Sequence[str]
    chart: Markup

    def has(self, name: str) -> bool:
        """Whether any run has something to show in a column."""
        return any(getattr(row, name) for row in self.rows)


def write_index(out: Path, path: Path | None = None) -> tuple[Path, list[str]]:
    """Write the page of all finished runs.

    Parameters
    ----------
    out : Path
        The folder that holds the runs.
    path : Path, optional
        The file; default: ``index.html`` in that folder.

    Returns
    -------
    path : Path
        The file.
    skipped : list of str
        Why runs are not on the page.

    Raises
    ------
    UsageError
        If there is no finished run in ``out``.
    OutputError
        If the file cannot be written.
    """
    target = path or out / INDEX
    runs, skipped = find_runs(out)
    if not runs:
        broken = f" that can be read ({plain_text(skipped[0]).rstrip('.')})" if skipped else ""
        raise UsageError(
            f"There is no finished run in {out}{broken}: start one with `kpipe run SLUG`, or pass the runs folder with "
            "--out DIR.",
            code="unknown-run",
            file=str(out),
        )
    groups = []
    for comparable in group_runs(runs):
        try:
            entries = read_ledger(out, comparable.slug)
        except KpipeError as error:
            entries = []
            skipped.append(str(error))
        groups.append(_group(comparable, entries, target.parent))
    groups.sort(key=lambda group: group.rows[0].created, reverse=True)
    page = render_index(plain_text(out), groups, [plain_text(one) for one in skipped])
    write_file(target, page.encode("utf-8", "replace"), elsewhere=ELSEWHERE)
    return target, skipped


def _group(comparable: RunGroup, entries: Sequence[Entry], home: Path) -> Group:
    """Comparable runs, with their submissions in the ledger."""
    runs, greater = comparable.runs, comparable.greater_is_better
    submitted = {entry.run_id: entry for entry in reversed(entries) if entry.run_id}
    rows = [_row(run, submitted.get(run.record["run_id"]), home) for run in runs]
    chosen = [(row.score, n) for n, row in enumerate(rows) if row.score is not None and not row.is_suspect]
    best = (max(chosen) if greater else min(chosen))[1] if chosen and len(runs) > 1 else None
    bias = (
        None
        if best is None
        else _selection_bias([run for run, row in zip(runs, rows, strict=True) if not row.is_suspect])
    )
    return Group(
        slug=comparable.slug,
        metric=comparable.metric,
        direction="higher is better" if greater else "lower is better",
        apart=short(comparable.apart, _LONGEST),
        greater_is_better=greater,
        rows=[replace(row, is_best=n == best) for n, row in enumerate(rows)][::-1],
        sentences=[] if best is None else list(_sentences(runs[best], rows[best], bias)),
        chart=_chart(rows, greater, f"{comparable.slug}, {comparable.metric}"),
    )


def _selection_bias(runs: Sequence[Run]) -> SelectionBias | None:
    """Selection bias among runs that may be chosen; None where it is unknown."""
    try:
        return estimate_selection_bias(runs[-1]) if len(runs) > 1 else None
    except KpipeError:
        return None


def _sentences(run: Run, row: Row, bias: SelectionBias | None) -> Iterator[str]:
    yield f"Best: {row.name or row.short_id} with {row.scored}."
    if bias is not None and bias.runs > 1:
        yield bias.after_choosing
        if bias.best == row.run_id and (text := format_forecast(run.record, bias.correction)):
            yield f"Expected on the leaderboard, after selection: {text}."


def _chart(rows: Sequence[Row], greater: bool, title: str) -> Markup:
    points = [
        Point(
            key=row.run_id,
            label=f"{row.name or row.short_id}, {row.created}: {row.scored}"
            + (f"; public leaderboard {row.public}" if row.public else ""),
            day=row.created[:10],
            score=row.score,
            error=row.error or 0.0,
            public=row.public_score,
            suspect=row.is_suspect,
        )
        for row in rows
        if row.score is not None
    ]
    if len(points) < 2:
        return Markup()
    alt = f"{title}: scores of {len(points)} runs in chronological order, with one standard error, and the best so far"
    return timeline(points, greater_is_better=greater, alt=alt)


def _row(run: Run, entry: Entry | None, home: Path) -> Row:
    record = run.record
    score, error = as_number(record["score"]), as_number(record["standard_error"])
    public, private = (None if entry is None else as_number(getattr(entry, f"{part}_score")) for part in _PARTS)
    forecast = record.get("forecast")
    weights = [(short(model["name"], 60), float(model.get("weight") or 0.0)) for model in record["models"]]
    return Row(
        run_id=record["run_id"],
        short_id=record["run_id"][-_SHORT:],
        name=_optional(record, "name"),
        note=_optional(record, "note"),
        href=_link(run.path / FILE, home),
        created=_minute(record.get("created")),
        score=score,
        error=error,
        scored=format_with_error(score, error),
        forecast=format_forecast(record),
        expected=as_number(forecast.get("value")) if isinstance(forecast, Mapping) else None,
        public="" if public is None else format_score(public),
        private="" if private is None else format_score(private),
        public_score=public,
        private_score=private,
        models=sorted(weights, key=lambda pair: -pair[1]),
        seconds=as_number(record.get("seconds")),
        checks=_not_passed(record),
        is_sample=record.get("data", {}).get("origin") == "sample",
        details=[(name, short(value, _LONGEST)) for name, value in _details(run) if value not in ("", "{}", "[]")],
    )


def _optional(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return short(value, _LONGEST) if isinstance(value, str) else ""


def _link(file: Path, home: Path) -> str:
    """A relative address, percent-encoded; "" if there is no such file."""
    return quote(Path(os.path.relpath(file, home)).as_posix()) if file.is_file() else ""


def _minute(created: object) -> str:
    try:
        return datetime.fromisoformat(str(created)).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return "unknown"


def _not_passed(record: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for check in record["checks"]:
        if check["status"] in ("warn", "fail"):
            names = found.setdefault(short(check["status"], 20), [])
            names += [short(check["name"])] if short(check["name"]) not in names else []
    return dict(sorted(found.items()))


def _details(run: Run) -> Iterator[tuple[str, str]]:
    """What may explain a difference between two runs; values of JSON on one line."""
    record = run.record
    yield "run", record["run_id"]
    yield "note", _optional(record, "note")
    yield (
        "baseline",
        format_with_error(as_number(record.get("baseline")), as_number(record.get("baseline_standard_error"))),
    )
    yield "fold scores", ", ".join(format_score(as_number(score)) for score in record.get("fold_scores", ()))
    for model in record["models"]:
        scored = format_with_error(as_number(model.get("score")), as_number(model.get("standard_error")))
        seeds = ", ".join(map(str, model.get("seeds", ())))
        yield f"model {short(model['name'], 40)}", f"{scored}" + (f", seeds {seeds}" if seeds else "")
    for name in ("rows", "folds", "device", "fallback"):
        yield name, _flat(record.get(name))
    options = record.get("options")
    for name, value in options.items() if isinstance(options, Mapping) else ():
        if value not in (None, [], False, ""):
            yield f"option {short(name, 40)}", _flat(value)
    for name in ("columns_left_out", "conversions", "inferred", "code", "machine", "versions"):
        values = record.get(name)
        for key, value in values.items() if isinstance(values, Mapping) else ():
            yield f"{name.replace('_', ' ')}: {short(key, 40)}", _flat(value)
    for name, sha256 in record.get("data", {}).get("files", {}).items():
        yield f"file {short(name, 40)}", sha256[:12]
    for check in record["checks"]:
        if check["status"] != "pass":
            yield f"check {short(check['name'], 60)}", f"{check['status']}: {check['detail']}"


def _flat(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, default=str)
