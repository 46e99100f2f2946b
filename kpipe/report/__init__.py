"""A run as one HTML page: ``write``. It loads nothing, sends nothing, and needs no more than the run's folder.

A run's folder is not trusted: everything that comes from it or from the data is escaped, and the page's own security
policy lets no script and no style run but the two that kpipe put there, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from kpipe.core.metrics import Metric
from kpipe.core.values import Tables
from kpipe.errors import OutputError
from kpipe.problem.competition import Competition
from kpipe.report import (
    classification,
    columns,
    details,
    figures,
    importance,
    learning_curves,
    permutation,
    regression,
    rows,
    scores,
)
from kpipe.report.blocks import Block, Finding, Section, Text, plain, scored, with_error
from kpipe.report.drawing import svg
from kpipe.runs.loaded import LoadedRun, OofPredictions, read
from kpipe.runs.provenance import versions
from kpipe.runs.store import Run

__all__ = ["FILE", "Data", "write"]

FILE = "report.html"
_SERIES = 7  # colours of lines
_WORDS = {"good": "good", "note": "note", "warn": "look", "bad": "wrong"}


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a run was made from: its competition, resolved, and its tables.

    raw : train before the competition cleaned it, as people know it.
    """

    competition: Competition
    tables: Tables
    raw: pd.DataFrame


def write(
    run: Run, path: Path | None = None, *, data: Data | None = None, absent: str = "", budget: float = 20.0
) -> Path:
    """Write a run's report, and say where.

    path : default: ``report.html`` in the run's folder.
    data : what the run was made from; without it the pages about rows and columns are left out.
    absent : why there is no data, for the page.
    budget : seconds for training a model again, for the importance of the columns; 0: not at all.
    Raises OutputError where it cannot be written.
    """
    target = path or run.path / FILE
    page = _page(run, data, absent, budget)
    try:
        target.write_bytes(page.encode("utf-8", "replace"))
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror}. Choose another place with --to FILE."
        ) from error
    return target


def _page(run: Run, data: Data | None, absent: str, budget: float) -> str:
    own = data.competition.metric if data is not None and isinstance(data.competition.metric, Metric) else None
    facts = read(run, metric=own)
    absent = _differs(facts, data) or absent
    sections, found, left_out = _sections(facts, None if absent else data, budget)
    if absent:
        left_out.insert(0, f"What needs the data (columns, groups, rows in full, importance): {absent}")
    sections.append(_left_out(facts, left_out))
    order = {"bad": 0, "warn": 1, "good": 2, "note": 3}
    findings = sorted(found, key=lambda finding: order[finding.level])
    return (
        _environment()
        .get_template("template.html")
        .render(
            **_header(facts),
            sections=sections,
            findings=findings,
            keys={section.key: section.title for section in sections},
            words=_WORDS,
            **_own_files(),
            version=versions()["kpipe"],
        )
    )


def _differs(facts: LoadedRun, data: Data | None) -> str:
    """Why data is not what the run was made from; empty where it is, or where there is none."""
    if data is None:
        return ""
    known, now = facts.mapping("data", "files"), dict(data.tables.source.files)
    changed = [name for name in sorted(set(known) | set(now)) if known.get(name) != now.get(name)]
    if changed:
        named = ", ".join(plain(name)[:60] for name in changed[:3])
        return f"{data.tables.source.path} does not hold the files that the run was made from ({named} differ)."
    if facts.judged is not None and len(facts.judged.y) != len(data.tables.train):
        return "train.csv does not have the rows that the run's predictions are of."
    return ""


def _sections(facts: LoadedRun, data: Data | None, budget: float) -> tuple[list[Section], list[Finding], list[str]]:
    judged, metric = facts.judged, facts.metric
    sections, left_out = [scores.score(facts)], list(facts.missing)
    found = [*details.check_findings(facts), *scores.findings(facts)]
    if judged is not None and metric is not None and judged.made.any():
        sections.append(figures.predictions(facts, judged))
        if judged.labels is not None:
            found += classification.findings(facts, judged)
        elif metric.task == "regression":
            found += regression.findings(facts, judged)
        more, told, why = _rows(facts, judged, data, budget)
        sections, found, left_out = sections + more, found + told, left_out + why
    sections.append(scores.models(facts))
    if (curves := learning_curves.section(facts)) is not None:
        sections.append(curves)
    if judged is not None:
        sections.append(details.submission(facts, judged))
    if data is not None:
        section, told = columns.data(*_features(data))
        sections.append(section)
        found += told
    sections += [details.checks(facts), details.folds(facts, judged), details.configuration(facts)]
    return sections, found, left_out


def _features(data: Data) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = list(data.competition.columns or ())
    return data.tables.train[names], data.tables.test[names]


def _rows(
    facts: LoadedRun, judged: OofPredictions, data: Data | None, budget: float
) -> tuple[list[Section], list[Finding], list[str]]:
    """Importance, groups and worst rows: what needs the data, and what can be said without it."""
    if data is None:
        return [rows.worst(facts, judged, frame=None, first=())], [], []
    frame = _features(data)[0].iloc[judged.rows] if _placed(judged) else _features(data)[0]
    sections: list[Section] = []
    found: list[Finding] = []
    left_out: list[str] = []
    names = [str(name) for name in frame.columns]
    known: permutation.Importance | str = "it was not asked for."
    if budget > 0:
        known = permutation.permuted(facts, judged, data.competition, data.tables, seconds=budget)
    if isinstance(known, str):
        left_out.append(f"Importance of the columns: {known}")
    else:
        sections.append(importance.section(facts, known))
        found += importance.findings(known)
        names = [line.column for line in known.lines]
    if rows.picture_side(frame) is None:
        section, told = rows.groups(facts, judged, frame)
        sections.append(section)
        found += told
    sections.append(
        rows.worst(facts, judged, **_readable(data, judged, frame, names, ranked=not isinstance(known, str)))
    )
    return sections, found, left_out


def _readable(
    data: Data, judged: OofPredictions, frame: pd.DataFrame, names: list[str], *, ranked: bool
) -> dict[str, Any]:
    """Rows as people know them, and the columns to show first: what the models see, the most important first."""
    known = {*judged.targets, data.competition.id}
    if rows.picture_side(frame) is not None or len(data.raw) != len(frame):
        return {"frame": frame, "first": names, "ranked": ranked}
    raw = data.raw.iloc[judged.rows] if _placed(judged) else data.raw
    raw = raw[[name for name in raw.columns if name not in known]]
    return {
        "frame": raw,
        "first": [*(name for name in names if name in raw), *(c for c in raw if c not in names)],
        "ranked": ranked,
    }


def _placed(judged: OofPredictions) -> bool:
    return bool(len(judged.rows)) and judged.rows.min() >= 0 and judged.rows.max() < len(judged.rows)


def _left_out(facts: LoadedRun, reasons: Iterable[str]) -> Section:
    lead = "What this page does not show, and why."
    blocks = [Text(text=plain(reason)) for reason in reasons]
    return Section(key="left-out", title="Left out", lead=lead, blocks=blocks, open=False)


def _header(facts: LoadedRun) -> dict[str, Any]:
    own, error = facts.number("score"), facts.number("standard_error")
    interval = "" if own is None or error is None else f"{scored(own - 2 * error)} to {scored(own + 2 * error)}"
    rows_, total = facts.number("rows"), facts.number("data", "rows", "train")
    counted = (
        "unknown rows"
        if rows_ is None
        else f"{rows_:,.0f} rows"
        if total is None
        else f"{rows_:,.0f} of {total:,.0f} rows"
    )
    return {
        "slug": facts.text("slug"),
        "run_id": facts.text("run_id") or facts.path.name,
        "metric": facts.text("metric", "name", default="unknown metric"),
        "direction": "higher is better" if facts.greater else "lower is better",
        "shown_score": scored(own),
        "shown_error": scored(error, own),
        "baseline": with_error(facts.number("baseline"), facts.number("baseline_standard_error")),
        "baseline_name": facts.text("baseline_name"),
        "interval": interval,
        "judged_on": f"{counted}, {facts.text('folds', default='?')} folds",
    }


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kpipe", "report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"grouped": _grouped, "svg": svg}
    return environment


def _grouped(blocks: Iterable[Block]) -> list[tuple[str, list[Any]]]:
    """Blocks of one kind together, so that pictures stand side by side; others with their number."""
    numbered = enumerate(blocks)
    runs = [(kind, list(part)) for kind, part in groupby(numbered, key=lambda pair: type(pair[1]).__name__)]
    return [(kind, [block for _, block in part] if kind == "Picture" else part) for kind, part in runs]


@cache
def _own_files() -> dict[str, Any]:
    """Our style and script, and the policy that lets nothing else run."""
    folder = resources.files("kpipe.report")
    style = (folder / "style.css").read_text(encoding="utf-8") + _graded()
    script = (folder / "script.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return {"style": Markup(style), "script": Markup(script), "policy": Markup(policy)}


def _graded() -> str:
    """The rules that come in steps: colours of lines, of cells, and the lengths of bars."""
    rules = [f".{how}-s{n}{{{how}:var(--s{n})}}" for n in range(_SERIES) for how in ("fill", "stroke")]
    rules += [f".l{n}{{background:color-mix(in srgb,var(--accent) {5 * n}%,transparent)}}" for n in range(10)]
    rules += [
        f".b{n}{{background:linear-gradient(to right,var(--tint) {n}%,transparent {n}%)}}" for n in range(0, 101, 5)
    ]
    return "\n".join(rules) + "\n"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
